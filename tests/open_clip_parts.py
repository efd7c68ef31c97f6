"""Pictures for a tiny open_clip model, and its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vidembed.models import registry
from vidembed.models.encoders.open_clip import OpenClipEncoder

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with a hard edge, as pictures have."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / 9 + seed) * 100 + 128, np.cos(y / 7) * 100 + 128, (x > width / 2) * 255.0]
    return np.stack(planes, axis=-1).astype(np.uint8)


def least_cosine(rows: np.ndarray, others: np.ndarray) -> float:
    """Of unit rows in the same place."""
    return float((rows * others).sum(axis=1).min())


def torch_model(encoder: OpenClipEncoder) -> Any:
    """What computes an encoder's features where torch does."""
    return encoder._make.__self__  # type: ignore[attr-defined]


def encoder_of(folder: Path, **options: Any) -> OpenClipEncoder:
    found: Any = registry.load_encoder(str(folder), **{"device": "cpu", "engine": "torch", **options})
    return found
