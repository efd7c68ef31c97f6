"""Pictures and text through transformers' dual towers: CLIP, SigLIP, SigLIP 2, MetaCLIP 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed import weights
from vidembed.encoders import _torch
from vidembed.types import Floats, Item, Modality, Space, TimedText

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.model_spec import ModelSpec

# SigLIP was trained on texts padded to its full length, and says nothing good about others (its model card).
_PADDED = ("siglip", "siglip2", "siglip_text_model", "siglip2_text_model")


class DualEncoder:
    """An `Encoder` of pictures and text. Made by `load`."""

    modalities: frozenset[Modality] = frozenset({"text", "image"})

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        self.space = space
        self.device = device
        self._model, self._processor, self._tokenizer = model, processor, tokenizer
        text = model.config.text_config
        self._padding = "max_length" if model.config.model_type in _PADDED else True
        self._max_tokens = int(text.max_position_embeddings)

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} understands text and image, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        with _torch.running(self.device):
            return _torch.rows(self._text(items) if modality == "text" else self._image(items))

    def _image(self, items: Sequence[Item]) -> Tensor:
        images = [np.ascontiguousarray(item) for item in items]  # type: ignore[arg-type]
        # The arrays' layout is said, or a picture three pixels high would be taken for channels first.
        inputs = self._processor(
            images=images, return_tensors="pt", input_data_format="channels_last", device=self.device
        )
        return _pooled(self._model.get_image_features(**self._placed(inputs)))

    def _text(self, items: Sequence[Item]) -> Tensor:
        texts = [item.text if isinstance(item, TimedText) else str(item) for item in items]
        inputs = self._tokenizer(
            texts, padding=self._padding, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        return _pooled(self._model.get_text_features(**self._placed(inputs)))

    def _placed(self, inputs: Any) -> dict[str, Tensor]:
        """The inputs on the device; floating ones in the model's dtype."""
        dtype = self._model.dtype
        return {k: v.to(self.device, dtype if v.is_floating_point() else v.dtype) for k, v in inputs.items()}


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> DualEncoder:
    """Load model, picture processor and tokenizer from one folder. Raises WeightsMissing, ConfigError."""
    import transformers

    chosen = _torch.pick_device(device)
    kind = _torch.pick_dtype(dtype, chosen)
    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    tokenizer = _torch.load_tokenizer(at, spec)
    processors: Any = transformers.AutoImageProcessor
    with weights.loading(spec, at):
        model = _torch.load_transformers(transformers.AutoModel, at)
        processor = processors.from_pretrained(at, local_files_only=True)
    space = spec.space or Space(weights.space_name(spec, at), _dim(model))
    return DualEncoder(space, _torch.settle(model, chosen, kind), processor, tokenizer, chosen)


def _dim(model: Any) -> int:
    config = model.config
    projected = getattr(config, "projection_dim", None) or getattr(config.text_config, "projection_size", None)
    return int(projected or config.text_config.hidden_size)


def _pooled(output: Any) -> Tensor:
    """The (N, D) features of an output; transformers 5 wraps them."""
    features: Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    return features
