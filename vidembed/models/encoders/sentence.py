"""Any sentence-transformers model: text against text, and multimodal ones (EmbeddingGemma 2, Qwen3-VL-Embedding)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.errors import ConfigError, missing_dependency
from vidembed.models import weights
from vidembed.models.encoders._tokens import texts_of
from vidembed.models.encoders._torch import Tower, frames_of, no_progress_bar, place, resampled
from vidembed.types import AudioSamples, AudioVisual, FrameBatch, Item, Modality, Space
from vidembed.vectors import evenly_spaced

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.models.encoders._torch import Placement
    from vidembed.models.spec import ModelSpec

_REPORTED = re.compile(r"^(\S+)\s*\|\s*(MISSING|MISMATCH)", re.MULTILINE)  # lines of transformers' table
FRAMES = 32  # of a clip, at most, where the record does not say


class SentenceEncoder(Tower):
    """An `Encoder` of whatever the model understands. Made by `load`.

    Matryoshka models may give shorter vectors (`dim`): their first values, scaled to length 1 again
    (Kusupati et al. 2022). A clip is one frame a second, at most `frames`; with_sound adds its sound to that vector.
    It is off by default: on caption queries it hurts as often as it helps; a channel of its own suits sound better.
    """

    def __init__(
        self, space: Space, model: Any, modalities: frozenset[Modality], *, frames: int, with_sound: bool
    ) -> None:
        super().__init__(space, model, model.device, modalities)
        self._frames, self._with_sound = frames, with_sound
        # A model with a prompt by default adds it itself.
        prompts = {} if model.default_prompt_name else model.prompts
        self.queries, self.documents = (_template(prompts.get(kind)) for kind in ("query", "document"))

    def _features(self, modality: Modality, items: Sequence[Item]) -> Tensor:
        # Clips one at a time: they differ in size and length, and the models' padding is not always without effect.
        size = len(items) if modality == "text" else 1
        settings = {"processing_kwargs": {"video": {"do_sample_frames": False}}} if modality == "video" else {}
        found: Tensor = self._model.encode(
            [self._input(modality, item) for item in items],
            batch_size=size, show_progress_bar=False, convert_to_tensor=True, **settings,
        )  # fmt: skip
        return found[:, : self.space.dim]

    def text_network(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(N, L) token ids, and 1 where they are tokens -> (N, D) features: what `_text_conversion` converts."""
        found: Tensor = self._model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
        return found[:, : self.space.dim]

    @property
    def text_tokenizer(self) -> tuple[Any, int]:
        """The tokenizer of transformers, and the tokens that it gives at most."""
        return self._model.tokenizer, int(self._model.max_seq_length)

    def _input(self, modality: Modality, item: Item) -> dict[str, Any]:
        """The item with its modality named: the library opens bare strings that look like a file or an address."""
        if modality == "text":
            return {"text": texts_of([item])[0]}
        if modality == "image":
            from PIL import Image as PILImage

            return {"image": PILImage.fromarray(np.ascontiguousarray(item))}
        if modality == "audio":
            assert isinstance(item, AudioSamples)
            return {"audio": self._sound(item)}
        sound = item.audio if isinstance(item, AudioVisual) else None
        seen = item.frames if isinstance(item, AudioVisual) else item
        inputs: dict[str, Any] = {}
        if seen is not None:
            inputs["video"] = clip_input(seen, self._model.processor, self._frames)
        if sound is not None and "audio" in self.modalities and (self._with_sound or seen is None):
            inputs["audio"] = self._sound(sound)
        return inputs

    def _sound(self, sound: AudioSamples) -> dict[str, Any]:
        extractor = getattr(self._model.processor, "feature_extractor", self._model.processor)
        rate_hz = int(getattr(extractor, "sampling_rate", sound.rate_hz))
        return {"array": resampled(sound, rate_hz), "sampling_rate": rate_hz}


def clip_input(seen: Item, processor: Any, most: int) -> dict[str, Any]:
    """A clip as sentence-transformers takes it: one frame a second, none twice, at most `most`, with their times.

    Qwen3-VL writes the times between the frames. processor: the model's own.
    """
    frames = seen if isinstance(seen, FrameBatch) else FrameBatch(frames_of(seen, 1), np.zeros(1))
    _, chosen = np.unique(np.floor(frames.times_s - frames.times_s[0] + 1e-6), return_index=True)
    frames = frames.take([int(chosen[i]) for i in evenly_spaced(len(chosen), min(len(chosen), most))])
    rgb, ticks = frames.rgb, np.rint((frames.times_s - frames.times_s[0]) * 1000).astype(int)  # milliseconds
    together = int(getattr(getattr(processor, "video_processor", None), "temporal_patch_size", 1))
    if len(rgb) < together:  # a model that joins frames refuses fewer
        rgb, ticks = np.repeat(rgb, together, axis=0), np.repeat(ticks, together)
    facts = {"fps": 1000.0, "total_num_frames": int(ticks[-1]) + 1, "frames_indices": ticks.tolist()}
    return {"array": rgb, "video_metadata": facts}


def opened(kind: Callable[..., Any], spec: ModelSpec, at: Placement) -> Any:
    """A model of sentence-transformers (`kind`: its class) from a folder, in `eval` mode; no code from it is run."""
    with weights.loading(spec, at.folder), strictly_loading():
        model = kind(
            str(at.folder),
            device=str(at.device),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": at.dtype},
        )
    return model.eval().requires_grad_(False)


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    dim: int | None = None,
    frames: int | None = None,
    with_sound: bool = False,
) -> SentenceEncoder:
    """The registry's factory: loads a sentence-transformers folder; no code from it is run.

    Args:
        spec: The record.
        device: See `registry.load`.
        dtype: See `registry.load`.
        weights_dir: See `registry.load`.
        offline: See `registry.load`.
        dim: Of shortened (Matryoshka) vectors; None: the model's.
        frames: Of a clip, at most; None: as the record says, else 32.
        with_sound: Add a clip's sound to its vector.

    Raises:
        WeightsMissing: When the weights are not found or do not load.
        ConfigError: For a dim larger than the model's, an unknown device or dtype.
        MissingDependency: Without the extra `sentence`.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise missing_dependency("sentence-transformers", extra="sentence", purpose=spec.name) from error
    at = place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    model = opened(SentenceTransformer, spec, at)
    full = int(model.get_embedding_dimension() or 0) or _measured(model)
    if dim is not None and not 1 <= dim <= full:
        raise ConfigError(f"{spec.name} has vectors of {full} dimensions: dim may be 1 to {full}, got {dim}")
    known = {str(m) for m in model.modalities}
    modalities: frozenset[Modality] = frozenset(m for m in ("text", "image", "audio", "video") if m in known)  # type: ignore[misc]
    space = at.space(spec, full)
    space = Space(space.name if dim in (None, full) else f"{space.name}.{dim}", dim or full)
    most = frames or spec.input.frames or FRAMES
    return SentenceEncoder(space, model, modalities, frames=most, with_sound=with_sound)


def _template(prompt: str | None) -> str:
    return (prompt or "").replace("{", "{{").replace("}", "}}") + "{}"


def _measured(model: Any) -> int:
    return int(model.encode([{"text": "a"}], show_progress_bar=False).shape[1])


@contextmanager
def strictly_loading() -> Iterator[None]:
    """Raises ValueError when transformers reports weights that the files lack: it fills them with random numbers.

    Those of its own pooler may be missing: sentence-transformers pools by a module of its own and never reads them.
    """
    import transformers

    transformers_logging: Any = transformers.utils.logging

    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            told = _REPORTED.findall(text)
            lacking = [key for key, status in told if status == "MISMATCH" or ".pooler." not in f".{key}"]
            if lacking or (not told and "newly initialized" in text):
                heard.append(", ".join(lacking) or text)

    listener, before = Listener(), transformers_logging.get_verbosity()
    transformers_logging.add_handler(listener)
    transformers_logging.set_verbosity_warning()
    try:
        with no_progress_bar():
            yield
    finally:
        transformers_logging.remove_handler(listener)
        transformers_logging.set_verbosity(before)
    if heard:
        raise ValueError(f"weights are missing or of another shape: {' '.join(heard[0].split())[:300]}")
