"""Clips, sound and text through Perception Encoder Audio-Visual (Vyas et al. 2025), transformers' `pe_audio_video`.

Its sibling for sound events, PE-A-Frame (`pe_audio`), gives a vector for each 40 ms of sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from vidembed.errors import ConfigError
from vidembed.models import weights
from vidembed.models.encoders import _torch
from vidembed.models.encoders._tokens import texts_of
from vidembed.models.encoders._torch import Tower, frames_of, pooled, sound_of
from vidembed.types import AudioVisual, Floats, FrameBatch, Item, Modality, Space

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.models.spec import ModelSpec

Target = Literal["video", "audio", "audio_video"]
_MEDIA: dict[str, Modality] = {"video": "video", "audio": "audio", "audio_video": "video"}


class _PeTower(Tower):
    """What the two share: the tower of text, whose head the target chooses."""

    def __init__(
        self, space: Space, model: Any, tokenizer: Any, device: torch.device, modalities: frozenset[Modality]
    ) -> None:
        super().__init__(space, model, device, modalities)
        self._tokenizer = tokenizer
        self._max_tokens = int(min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings))

    def _text(self, items: Sequence[Item]) -> Tensor:
        inputs = self._tokenizer(
            texts_of(items), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        placed = self._placed({k: inputs[k] for k in ("input_ids", "attention_mask")})
        # As the models' forward does it; their get_text_*_embeds do not run in transformers 5.23.
        first = self._model.text_model(**placed, output_hidden_states=True).hidden_states[-1][:, 0]
        rows: Tensor = self._text_head()(first)
        return rows

    def _text_head(self) -> Any:
        raise NotImplementedError


class PeAvEncoder(_PeTower):
    """An `Encoder` of text and of pictures, sound, or both together. Made by `load`.

    The model has one text head for each of the three, and only their own pairs may be compared: `target` chooses one,
    and each is a space of its own. Channels with different targets share the weights.
    In "audio_video" a clip without sound gets silence, as a muted video has; one without pictures is refused.
    """

    def __init__(
        self, space: Space, model: Any, processor: Any, device: torch.device, target: Target, frames: int | None
    ) -> None:
        super().__init__(space, model, processor.tokenizer, device, frozenset({"text", _MEDIA[target]}))
        self._processor, self._target, self.clip_frames = processor, target, frames
        self._rate_hz = int(processor.feature_extractor.sampling_rate)

    def _text_head(self) -> Any:
        if self._target == "audio":
            return self._model.audio_model.text_audio_head
        return self._model.video_model.text_video_head if self._target == "video" else self._model.text_audio_video_head

    # One item at a time: they differ in length, and padding would take part in the codec's convolutions.

    def _audio(self, items: Sequence[Item]) -> Tensor:
        tower = self._model.audio_model
        return torch.cat([tower.audio_head(pooled(tower.audio_encoder(**self._sound_inputs(item)))) for item in items])

    def _video(self, items: Sequence[Item]) -> Tensor:
        if self._target == "video":
            head, encoder = self._model.video_model.video_head, self._model.video_model.video_encoder
            return torch.cat([head(pooled(encoder(**self._picture_inputs(item)))) for item in items])
        head, encoder = self._model.audio_video_head, self._model.audio_video_encoder
        both = [{**self._picture_inputs(item), **self._sound_inputs(item)} for item in items]
        return torch.cat([head(pooled(encoder(**inputs))) for inputs in both])

    def _picture_inputs(self, item: Item) -> dict[str, Tensor]:
        made = self._processor.video_processor(
            videos=[frames_of(item, self.clip_frames)],
            do_sample_frames=False,
            input_data_format="channels_last",
            return_tensors="pt",
        )
        return self._placed({"pixel_values_videos": made["pixel_values_videos"]})

    def _sound_inputs(self, item: Item) -> dict[str, Tensor]:
        made = self._processor.feature_extractor([self._sound(item)], sampling_rate=self._rate_hz, return_tensors="pt")
        return self._placed({k: made[k] for k in ("input_values", "padding_mask") if k in made})

    def _sound(self, item: Item) -> Floats:
        if isinstance(item, AudioVisual) and item.audio is None:
            assert isinstance(item.frames, FrameBatch)
            seconds = max(1.0, float(item.frames.times_s[-1] - item.frames.times_s[0]))
            return np.zeros(round(seconds * self._rate_hz), dtype=np.float32)
        return sound_of(item, self._rate_hz)


class PeAFrameEncoder(_PeTower):
    """An `Encoder` of text and sound events. Made by `load_frames`.

    The model compares a text with every 40 ms of sound. A sound's vector is the mean of these vectors as they come, so
    that its product with a text is the mean of theirs: windows should be about as long as an event.
    """

    def __init__(self, space: Space, model: Any, processor: Any, device: torch.device) -> None:
        super().__init__(space, model, processor.tokenizer, device, frozenset({"text", "audio"}))
        self._extractor = processor.feature_extractor

    def _text_head(self) -> Any:
        return self._model.text_audio_head

    def _audio(self, items: Sequence[Item]) -> Tensor:
        return torch.cat([self._model.get_audio_embeds(**self._sound_inputs(item)).mean(1) for item in items])

    def _sound_inputs(self, item: Item) -> dict[str, Tensor]:
        rate_hz = int(self._extractor.sampling_rate)
        made = self._extractor([sound_of(item, rate_hz)], sampling_rate=rate_hz, return_tensors="pt")
        return self._placed({k: made[k] for k in ("input_values", "padding_mask") if k in made})


def _model_class() -> Any:
    """PeAudioVideoModel, able to load beside newer versions of timm.

    transformers 5.23 ties the weights of its two copies of the picture tower by a pattern that leaves out the buffer
    `rope.pos_embed`; timm 1.0.31 has others there (`rope.bands`), and loading fails on them as "not an nn.Parameter".
    """
    from transformers import PeAudioVideoModel

    class Model(PeAudioVideoModel):  # type: ignore[misc, no-untyped-call]
        _tied_weights_keys = {  # noqa: RUF012
            key.replace(_ROPE, r".*\.rope\."): value.replace(_ROPE, r".*\.rope\.")
            for key, value in PeAudioVideoModel._tied_weights_keys.items()
        }

    return Model


_ROPE = r".*\.rope\.pos_embed"


@lru_cache(maxsize=1)
def _loaded(at: _torch.Placement) -> tuple[Any, Any]:
    """Model and processor; kept, so that the channels of one profile share them."""
    from transformers import AutoProcessor

    model = _torch.load_transformers(_model_class(), at.folder)
    processor = AutoProcessor.from_pretrained(at.folder, local_files_only=True)  # type: ignore[no-untyped-call]
    return _torch.settle(model, at.device, at.dtype), processor


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    target: Target = "audio_video",
    frames: int | None = 16,
) -> PeAvEncoder:
    """The registry's factory: loads model and processor from one folder.

    Args:
        spec: The record.
        device: See `registry.load`.
        dtype: See `registry.load`.
        weights_dir: See `registry.load`.
        offline: See `registry.load`.
        target: What text is compared with; each is a space of its own.
        frames: Of a clip, evenly spaced; None: all (for checkpoints without "16-frame" in their name).

    Raises:
        WeightsMissing: When the weights are not found or do not load.
        ConfigError: For an unknown target, device or dtype.
    """
    if target not in _MEDIA:
        raise ConfigError(f"unknown target {target!r} of {spec.name}; allowed: {', '.join(get_args(Target))}")
    at = _torch.place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    with weights.loading(spec, at.folder):
        model, processor = _loaded(at)
    space = at.space(spec, int(model.config.text_config.hidden_size))
    if spec.space is None:
        space = Space(f"{space.name}.{target}", space.dim)
    return PeAvEncoder(space, model, processor, at.device, target, frames)


def load_frames(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> PeAFrameEncoder:
    """The registry's factory of PE-A-Frame; arguments and errors as of `load`."""
    from transformers import PeAudioFrameLevelModel
    from transformers.models.pe_audio.processing_pe_audio import PeAudioProcessor

    at = _torch.place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    with weights.loading(spec, at.folder):
        model = _torch.load_transformers(PeAudioFrameLevelModel, at.folder)
        processor: Any = PeAudioProcessor.from_pretrained(at.folder, local_files_only=True)
    model = _torch.settle(model, at.device, at.dtype)
    return PeAFrameEncoder(at.space(spec, int(model.config.text_config.hidden_size)), model, processor, at.device)
