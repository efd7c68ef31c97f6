"""Clips and text through VideoPrism's video-text towers (Zhao et al. 2024), transformers' `videoprism`."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vidembed.models.encoders import _torch
from vidembed.models.encoders._torch import Tower, frames_of, pooled, texts_of
from vidembed.types import Item, Space

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.models.spec import ModelSpec


class VideoPrismEncoder(Tower):
    """An `Encoder` of clips and text. Made by `load`. Each clip is seen as num_frames frames, evenly spaced."""

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, device, frozenset({"text", "video"}))
        self._processor, self._tokenizer = processor, tokenizer
        self._count = int(model.config.vision_config.num_frames)
        self._side_px = _side(model.config.vision_config.image_size)
        self._max_tokens = int(model.config.text_config.max_position_embeddings)

    def _video(self, items: Sequence[Item]) -> Tensor:
        pixels = torch.cat([self._pixels(item) for item in items])
        features = pooled(self._model.get_video_features(**self._placed({"pixel_values_videos": pixels})))
        return features.reshape(len(items), -1)  # (N, 1, D) as it comes

    def _pixels(self, item: Item) -> Tensor:
        """(1, T, 3, H, W). The model was trained on squashed squares in 0..1 (its reference code: no mean, no crop)."""
        made: Tensor = self._processor(
            videos=[frames_of(item, self._count)],
            do_sample_frames=False,
            do_normalize=False,
            size={"height": self._side_px, "width": self._side_px},
            input_data_format="channels_last",
            return_tensors="pt",
        )["pixel_values_videos"]
        return made

    def _text(self, items: Sequence[Item]) -> Tensor:
        # Padded to the full length, as in training.
        inputs = self._tokenizer(
            [canonical(text) for text in texts_of(items)],
            padding="max_length", truncation=True, max_length=self._max_tokens, return_tensors="pt",
        )  # fmt: skip
        return pooled(self._model.get_text_features(**self._placed(inputs)))


def canonical(text: str) -> str:
    """Lower case, spaces for punctuation, a full stop: what the text tower was trained on (its utils.py, 2025)."""
    return " ".join(text.translate(_SPACES).lower().split()) + "."


_SPACES = str.maketrans(string.punctuation, " " * len(string.punctuation))


def _side(size: int | Sequence[int]) -> int:
    return int(size if isinstance(size, int) else size[0])


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> VideoPrismEncoder:
    """Load model, video processor and tokenizer from one folder. Raises WeightsMissing, ConfigError."""
    parts = _torch.load_parts(
        spec,
        "VideoPrismClipModel",
        "AutoVideoProcessor",
        device=device,
        dtype=dtype,
        weights_dir=weights_dir,
        offline=offline,
    )
    space = parts.space(spec, int(parts.model.config.text_config.hidden_size))
    return VideoPrismEncoder(space, parts.model, parts.processor, parts.tokenizer, parts.device)
