"""Our models measured by mteb: `mteb.evaluate(MtebModel("pe-core-s-16-384"), mteb.get_tasks(["MSVDT2VRetrieval"]))`.

The other way round, `mteb:ORG/NAME` names a model of mteb wherever a model is asked for. Needs the extra `mteb`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import InputError
from vidembed.media.images import as_rgb
from vidembed.models.registry import find, load_encoder
from vidembed.types import AudioSamples, AudioVisual, Floats, FrameBatch, Item, Modality
from vidembed.vectors import evenly_spaced, pool, unit_rows

_FRAMES = 16


class MtebModel:
    """An encoder of ours behind mteb's `EncoderProtocol`.

    A video is `frames` frames spread over it: a clip for models that take clips, with its sound where the task has
    one, else the mean of the frames. What has several modalities (a text with a picture) is the mean of their vectors.
    """

    def __init__(self, name: str, *, frames: int = _FRAMES, device: str = "auto", **options: Any) -> None:
        """Load the model.

        Args:
            name: As `vidembed models` lists it, or in any form that settings take.
            frames: Of a video, at most.
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            **options: The model's own.

        Raises:
            InputError: The model is no encoder of single vectors.
            MissingDependency: Without the extra `mteb`.
        """
        self._spec = find(name)
        loaded = load_encoder(self._spec, device=device, **options)
        if self._spec.kind != "encoder":
            raise InputError(f"{name!r} is of kind {self._spec.kind}; mteb wants one vector of each text and clip")
        self._encoder: Any = loaded
        self._frames = frames
        self.mteb_model_meta = _meta(self._spec, self._encoder)

    def encode(
        self,
        inputs: Iterable[Mapping[str, Sequence[Any]]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **_: Any,
    ) -> Floats:
        """(N, D) unit rows of all batches. inputs: batches of columns text, image, audio, video."""
        queries = getattr(prompt_type, "value", prompt_type) == "query"
        return np.concatenate([self._batch(batch, queries=queries) for batch in inputs])

    def similarity(self, a: Floats, b: Floats) -> NDArray[np.float32]:
        """(N, M) cosines of unit rows."""
        return np.asarray(a) @ np.asarray(b).T

    def similarity_pairwise(self, a: Floats, b: Floats) -> NDArray[np.float32]:
        """(N,) cosines of unit rows, one by one."""
        return np.einsum("nd,nd->n", np.asarray(a), np.asarray(b))

    def _batch(self, batch: Mapping[str, Sequence[Any]], *, queries: bool) -> Floats:
        parts: list[Floats] = []
        if "text" in batch:
            parts.append(self._texts([str(text) for text in batch["text"]], queries=queries))
        if "image" in batch:
            pictures = [as_rgb(one) for one in batch["image"]]
            parts.append(self._encoder.encode("image", pictures))
        sounds = [_sound(one) for one in batch.get("audio", ())]
        if "video" in batch:
            parts.append(self._clips([_seen(one, self._frames) for one in batch["video"]], sounds))
        elif sounds:
            parts.append(self._encoder.encode("audio", sounds))
        if not parts:
            raise InputError(f"the task has {', '.join(batch)}; text, image, audio and video can be encoded")
        return parts[0] if len(parts) == 1 else unit_rows(np.mean(parts, axis=0))

    def _texts(self, texts: Sequence[str], *, queries: bool) -> Floats:
        own = getattr(self._encoder, "queries", None)
        templates = self._spec.templates if own is None or self._spec.templates != ("{}",) else (own,)
        if not queries:
            templates = (self._spec.documents or getattr(self._encoder, "documents", "{}"),)
        rows = [self._encoder.encode("text", [template.format(text) for text in texts]) for template in templates]
        return unit_rows(np.mean(rows, axis=0))

    def _clips(self, clips: Sequence[FrameBatch], sounds: Sequence[AudioSamples]) -> Floats:
        if "video" in self._encoder.modalities:
            heard: Sequence[AudioSamples | None] = sounds or [None] * len(clips)
            items: list[Item] = [AudioVisual(seen, sound) for seen, sound in zip(clips, heard, strict=True)]
            return np.asarray(self._encoder.encode("video", items))
        seen = np.stack([pool(self._encoder.encode("image", list(clip.rgb))) for clip in clips])
        if not sounds or "audio" not in self._encoder.modalities:
            return seen
        return unit_rows(seen + self._encoder.encode("audio", sounds))


def _meta(spec: Any, encoder: Any) -> Any:
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    modalities: list[Modality] = [one for one in ("text", "image", "audio", "video") if one in encoder.modalities]
    if "image" in modalities and "video" not in modalities:
        modalities.append("video")
    return ModelMeta(
        loader=None, name=f"vidembed/{spec.name.replace('/', '.').replace(':', '.')}", revision=spec.revision,
        release_date=None, languages=None, n_parameters=None, memory_usage_mb=None, max_tokens=None,
        embed_dim=encoder.space.dim, license=None, open_weights=None, public_training_code=None,
        public_training_data=None, framework=[], similarity_fn_name=ScoringFunction.COSINE, use_instructions=None,
        training_datasets=None, modalities=modalities,
    )  # fmt: skip


def _sound(one: Any) -> AudioSamples:
    """Mono sound of mteb's {"array": (N,) or (C, N), "sampling_rate"}, or of a decoder that reads like it."""
    samples = np.asarray(one["array"], dtype=np.float32)
    mono = samples.mean(axis=0) if samples.ndim == 2 else samples
    return AudioSamples(np.ascontiguousarray(mono), int(one["sampling_rate"]))


def _seen(one: Any, frames: int) -> FrameBatch:
    """Frames spread over a torchcodec decoder, or over (T, C, H, W) uint8 that were taken once a second."""
    if hasattr(one, "get_frames_at"):
        chosen = evenly_spaced(one.metadata.num_frames, min(frames, one.metadata.num_frames))
        found = one.get_frames_at([int(i) for i in chosen])
        rgb, times_s = found.data.cpu().numpy(), found.pts_seconds.cpu().numpy().astype(np.float64)
    else:
        every = np.asarray(one)
        times_s = np.asarray(evenly_spaced(len(every), min(frames, len(every))), dtype=np.float64)
        rgb = every[times_s.astype(int)]
    return FrameBatch(np.ascontiguousarray(rgb.transpose(0, 2, 3, 1)), times_s)
