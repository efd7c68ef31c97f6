"""Pictures and text through transformers' dual towers: CLIP, SigLIP, SigLIP 2, MetaCLIP 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.models.encoders import _torch
from vidembed.models.encoders._torch import Tower, pooled, texts_of
from vidembed.types import Item, Space

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.models.spec import ModelSpec

# SigLIP was trained on texts padded to its full length, and says nothing good about others (its model card).
_PADDED = ("siglip", "siglip2", "siglip_text_model", "siglip2_text_model")


class DualEncoder(Tower):
    """An `Encoder` of pictures and text. Made by `load`."""

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, device, frozenset({"text", "image"}))
        self._processor, self._tokenizer = processor, tokenizer
        self._padding = "max_length" if model.config.model_type in _PADDED else True
        self._max_tokens = int(model.config.text_config.max_position_embeddings)

    def _image(self, items: Sequence[Item]) -> Tensor:
        images = [np.ascontiguousarray(item) for item in items]  # type: ignore[arg-type]
        # The arrays' layout is said, or a picture three pixels high would be taken for channels first.
        inputs = self._processor(
            images=images, return_tensors="pt", input_data_format="channels_last", device=self.device
        )
        return pooled(self._model.get_image_features(**self._placed(inputs)))

    def _text(self, items: Sequence[Item]) -> Tensor:
        inputs = self._tokenizer(
            texts_of(items), padding=self._padding, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        return pooled(self._model.get_text_features(**self._placed(inputs)))


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> DualEncoder:
    """Load model, picture processor and tokenizer from one folder. Raises WeightsMissing, ConfigError."""
    parts = _torch.load_parts(
        spec, "AutoModel", "AutoImageProcessor", device=device, dtype=dtype, weights_dir=weights_dir, offline=offline
    )
    space = parts.space(spec, _dim(parts.model))
    return DualEncoder(space, parts.model, parts.processor, parts.tokenizer, parts.device)


def _dim(model: Any) -> int:
    config = model.config
    projected = getattr(config, "projection_dim", None) or getattr(config.text_config, "projection_size", None)
    return int(projected or config.text_config.hidden_size)
