"""One small JPEG per clip."""

from __future__ import annotations

import io
import os
from pathlib import Path

from vidembed.types import Image


def save_jpeg(rgb: Image, path: str | Path, *, long_side_px: int = 320, quality: int = 80) -> Path:
    """Write (H, W, 3) uint8 as `jpeg`. Replaces in one step."""
    return save_bytes(jpeg(rgb, long_side_px=long_side_px, quality=quality), path)


def jpeg(rgb: Image, *, long_side_px: int = 320, quality: int = 80) -> bytes:
    """(H, W, 3) uint8 as JPEG, shrunk so that its longer side is at most long_side_px."""
    import PIL.Image

    picture = PIL.Image.fromarray(rgb)
    picture.thumbnail((long_side_px, long_side_px), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    made = io.BytesIO()
    picture.save(made, format="JPEG", quality=quality, optimize=True)
    return made.getvalue()


def save_bytes(content: bytes, path: str | Path) -> Path:
    """Replaces in one step, so that nobody reads half a picture."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path
