"""Clips and text through X-CLIP (Ni et al. 2022)."""

from __future__ import annotations

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


class XclipEncoder(Tower):
    """An `Encoder` of clips and text. Made by `load`.

    X-CLIP adapts its text vector to each video ("video-specific prompting"); a search has one vector for all videos,
    so the unadapted text vector is used, as for any dual tower. It costs accuracy: prefer VideoPrism.
    """

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, device, frozenset({"text", "video"}))
        self._processor, self._tokenizer = processor, tokenizer
        self._count = int(model.config.vision_config.num_frames)
        self._max_tokens = int(model.config.text_config.max_position_embeddings)

    def _video(self, items: Sequence[Item]) -> Tensor:
        pixels = torch.cat([self._pixels(item) for item in items])
        return pooled(self._model.get_video_features(**self._placed({"pixel_values": pixels})))

    def _pixels(self, item: Item) -> Tensor:
        """(1, T, 3, H, W); some checkpoints come with a processor of pictures, some with one of videos."""
        frames = list(frames_of(item, self._count))
        pixels = self._processor(frames, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        return pixels.reshape(1, self._count, *pixels.shape[-3:])

    def _text(self, items: Sequence[Item]) -> Tensor:
        inputs = self._tokenizer(
            texts_of(items), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        return pooled(self._model.get_text_features(**self._placed(inputs)))


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> XclipEncoder:
    """Load model, picture processor and tokenizer from one folder. Raises WeightsMissing, ConfigError."""
    parts = _torch.load_parts(
        spec, "XCLIPModel", "AutoImageProcessor", device=device, dtype=dtype, weights_dir=weights_dir, offline=offline
    )
    space = parts.space(spec, int(parts.model.config.projection_dim))
    return XclipEncoder(space, parts.model, parts.processor, parts.tokenizer, parts.device)
