"""Pictures and text through transformers' dual towers: CLIP, SigLIP, SigLIP 2, MetaCLIP 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.models.encoders._torch import TransformersTower, pooled
from vidembed.types import Item, Space

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# SigLIP was trained on texts padded to its full length; other lengths are worse (its model card).
_PADDED = ("siglip", "siglip2", "siglip_text_model", "siglip2_text_model")


class DualEncoder(TransformersTower):
    """An `Encoder` of pictures and text. Made by `load`."""

    model_class, processor_class = "AutoModel", "AutoImageProcessor"
    understands = frozenset({"text", "image"})

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, processor, tokenizer, device)
        self.padding = "max_length" if model.config.model_type in _PADDED else True

    def _image(self, items: Sequence[Item]) -> Tensor:
        images = [np.ascontiguousarray(item) for item in items]  # type: ignore[arg-type]
        # The layout is named, or a picture three pixels high would be taken for channels first.
        inputs = self._processor(
            images=images, return_tensors="pt", input_data_format="channels_last", device=self.device
        )
        return pooled(self._model.get_image_features(**self._placed(inputs)))


load = DualEncoder.load
