"""Late interaction: many vectors of a screen, each compared with every word of a query (ColPali, Faysse et al. 2024).

It finds what is written on slides and screens. The *ForRetrieval models of transformers; the MultiVectorEncoder of
sentence-transformers 6.2 encodes no picture with ColModernVBERT, and leaves out the end of its queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.batching import encode_all
from vidembed.errors import BadQuery, ConfigError, missing_dependency
from vidembed.models import weights
from vidembed.models.encoders._torch import load_transformers, place, running, settle
from vidembed.protocols import Encoded
from vidembed.types import Clip, Failure, Floats, FrameBatch, Image, Item, Modality, Space, TimedText
from vidembed.vectors import pool, unit_rows

if TYPE_CHECKING:
    import torch

    from vidembed.models.spec import ModelSpec


class LateEncoder:
    """(T, D) unit rows of a text or a picture, T differing from one to the next. Made by `load`."""

    modalities: frozenset[Modality] = frozenset({"text", "image"})

    def __init__(self, space: Space, model: Any, processor: Any, *, pool_factor: int) -> None:
        self.space, self.device = space, model.device
        self._model, self._processor, self._pool_factor = model, processor, pool_factor

    def query(self, text: str) -> Floats:
        """(T, D) of a query's words."""
        return self._rows(self._processor.process_queries(text=[text])).numpy()

    def page(self, rgb: Image) -> Floats:
        """(T, D) of a picture's patches."""
        from PIL import Image as PILImage

        return self._rows(self._processor.process_images([PILImage.fromarray(np.ascontiguousarray(rgb))])).numpy()

    def stored(self, rgb: Image) -> Floats:
        """(T / pool_factor, D) of a picture: patches that are much alike are one (Clavie et al. 2024)."""
        import torch
        from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

        rows = torch.from_numpy(self.page(rgb))
        return unit_rows(HierarchicalTokenPooling(self._pool_factor, num_protected_tokens=0).pool([rows])[0].numpy())

    def _rows(self, inputs: Any) -> torch.Tensor:
        with running(self.device):
            rows: torch.Tensor = self._model(**inputs.to(self.device, self._model.dtype)).embeddings[0].float().cpu()
        return rows


class LateClipEncoder:
    """A `ClipEncoder` that keeps the vectors of one screen a clip, the one in its middle."""

    def __init__(self, encoder: LateEncoder, *, stage: str) -> None:
        self.space = encoder.space
        self._encoder, self._stage = encoder, stage

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        """As `ClipEncoder.encode_clips`."""
        seen = [(item, clip) for item, clip in zip(items, clips, strict=True) if isinstance(item, FrameBatch)]
        names = [clip.clip_id for _, clip in seen]
        found = iter(
            encode_all(
                lambda batch: [self._encoded(item) for item in batch],
                [item for item, _ in seen],
                names=names,
                stage=self._stage,
                batch_size=1,
            )
        )
        return [next(found) if isinstance(item, FrameBatch) else None for item in items]

    def _encoded(self, frames: FrameBatch) -> Encoded:
        middle = len(frames) // 2
        rows = self._encoder.stored(frames.rgb[middle])
        return Encoded(pool(rows), rows.astype(np.float16), np.full(len(rows), frames.times_s[middle]))

    def encode_query(self, modality: Modality, value: Item) -> Floats | None:
        """(T, D) unit rows of a text; None for what is no text. Raises BadQuery for an empty text."""
        if modality != "text":
            return None
        text = value.text if isinstance(value, TimedText) else str(value)
        if not text.strip():
            raise BadQuery("the query text is empty", hint="give at least one word")
        return self._encoder.query(text.strip())


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    pool_factor: int = 3,
) -> LateEncoder:
    """The registry's factory: loads a *ForRetrieval folder of transformers; no code from it is run.

    Args:
        spec: The record.
        device: See `registry.load`.
        dtype: See `registry.load`.
        weights_dir: See `registry.load`.
        offline: See `registry.load`.
        pool_factor: How many of a screen's vectors become one before they are stored, >= 1.

    Raises:
        WeightsMissing: When the weights are not found or do not load.
        ConfigError: For an unknown device or dtype, or a pool_factor below 1.
        MissingDependency: Without the extra `sentence`.
    """
    import importlib.util

    import transformers

    if pool_factor < 1:
        raise ConfigError(f"{spec.name}: pool_factor must be at least 1, got {pool_factor}")
    if importlib.util.find_spec("sentence_transformers") is None:
        raise missing_dependency("sentence-transformers", extra="sentence", purpose=spec.name)
    at = place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    with weights.loading(spec, at.folder):
        (kind,) = weights.read_json(at.folder / "config.json", spec)["architectures"]
        processor: Any = transformers.AutoProcessor.from_pretrained(at.folder, local_files_only=True)  # type: ignore[no-untyped-call]
        model = load_transformers(getattr(transformers, kind), at.folder)
    model = settle(model, at.device, at.dtype)
    space = spec.space or Space(spec.name, int(model.config.embedding_dim), "late")
    return LateEncoder(space, model, processor, pool_factor=pool_factor)
