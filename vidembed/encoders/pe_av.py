"""Clips, sound and text through Perception Encoder Audio-Visual (Vyas et al. 2025), transformers' `pe_audio_video`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from vidembed import weights
from vidembed.encoders import _torch
from vidembed.encoders._tower import Tower, frames_of, sound_of, texts_of
from vidembed.errors import ConfigError
from vidembed.types import AudioVisual, Floats, FrameBatch, Item, Modality, Space

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.model_spec import ModelSpec

Target = Literal["video", "audio", "audio_video"]
_MEDIA: dict[str, Modality] = {"video": "video", "audio": "audio", "audio_video": "video"}


class PeAvEncoder(Tower):
    """An `Encoder` of text and of pictures, sound, or both together. Made by `load`.

    The model has one text head for each of the three, and only their own pairs may be compared: `target` chooses one,
    and each is a space of its own. Channels with different targets share the weights.
    A clip without sound is seen in "audio_video" with silence, as a muted video is; one without pictures is refused.
    """

    def __init__(
        self, space: Space, model: Any, processor: Any, device: torch.device, target: Target, frames: int | None
    ) -> None:
        super().__init__(space, model, device, frozenset({"text", _MEDIA[target]}))
        self._processor, self._target, self._count = processor, target, frames
        self._rate_hz = int(processor.feature_extractor.sampling_rate)
        limits = (processor.tokenizer.model_max_length, model.config.text_config.max_position_embeddings)
        self._max_tokens = int(min(limits))

    def _text(self, items: Sequence[Item]) -> Tensor:
        inputs = self._processor.tokenizer(
            texts_of(items), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        placed = self._placed({k: inputs[k] for k in ("input_ids", "attention_mask")})
        rows: Tensor = getattr(self._model, f"get_text_{self._target}_embeds")(**placed)
        return rows

    def _audio(self, items: Sequence[Item]) -> Tensor:
        return torch.cat([self._model.get_audio_embeds(**self._sound_inputs([item])) for item in items])

    def _video(self, items: Sequence[Item]) -> Tensor:
        # One clip at a time: clips differ in length, and padding would take part in the codec's convolutions.
        if self._target == "video":
            return torch.cat([self._model.get_video_embeds(**self._picture_inputs(item)) for item in items])
        both = [{**self._picture_inputs(item), **self._sound_inputs([item])} for item in items]
        return torch.cat([self._model.get_audio_video_embeds(**inputs).audio_video_embeds for inputs in both])

    def _picture_inputs(self, item: Item) -> dict[str, Tensor]:
        made = self._processor.video_processor(
            videos=[frames_of(item, self._count)],
            do_sample_frames=False,
            input_data_format="channels_last",
            return_tensors="pt",
        )
        return self._placed({"pixel_values_videos": made["pixel_values_videos"]})

    def _sound_inputs(self, items: Sequence[Item]) -> dict[str, Tensor]:
        sounds = [self._sound(item) for item in items]
        made = self._processor.feature_extractor(sounds, sampling_rate=self._rate_hz, return_tensors="pt")
        return self._placed({k: made[k] for k in ("input_values", "padding_mask") if k in made})

    def _sound(self, item: Item) -> Floats:
        if isinstance(item, AudioVisual) and item.audio is None:
            assert isinstance(item.frames, FrameBatch)
            seconds = max(1.0, float(item.frames.times_s[-1] - item.frames.times_s[0]))
            return np.zeros(round(seconds * self._rate_hz), dtype=np.float32)
        return sound_of(item, self._rate_hz)


@lru_cache(maxsize=1)
def _loaded(at: Path, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """Model and processor; kept, so that the channels of one profile share them."""
    from transformers import AutoProcessor, PeAudioVideoModel

    model = _torch.load_transformers(PeAudioVideoModel, at)
    return _torch.settle(model, device, dtype), AutoProcessor.from_pretrained(at, local_files_only=True)


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
    """Load model and processor from one folder. frames: of a clip; None: all (for checkpoints without "16-frame").

    Raises WeightsMissing, ConfigError.
    """
    if target not in _MEDIA:
        raise ConfigError(f"unknown target {target!r} of {spec.name}; allowed: {', '.join(get_args(Target))}")
    chosen = _torch.pick_device(device)
    kind = _torch.pick_dtype(dtype, chosen)
    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    with weights.loading(spec, at):
        model, processor = _loaded(at, chosen, kind)
    dim = int(model.config.text_config.hidden_size)
    space = spec.space or Space(f"{weights.space_name(spec, at)}.{target}", dim)
    return PeAvEncoder(space, model, processor, chosen, target, frames)
