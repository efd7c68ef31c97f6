"""One small JPEG per clip."""

from __future__ import annotations

import os
from pathlib import Path

from vidembed.types import Image


def save_jpeg(rgb: Image, path: str | Path, *, long_side_px: int = 320, quality: int = 80) -> Path:
    """Write (H, W, 3) uint8 as JPEG, shrunk so that its longer side is at most long_side_px. Replaces in one step."""
    import PIL.Image

    path = Path(path)
    picture = PIL.Image.fromarray(rgb)
    picture.thumbnail((long_side_px, long_side_px), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        picture.save(partial, format="JPEG", quality=quality, optimize=True)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path
