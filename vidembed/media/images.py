"""Read picture files, and make the small JPEGs that stand for clips."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidembed.config.schema import LimitSettings, ThumbnailSettings
from vidembed.errors import BadQuery, MediaUnreadable
from vidembed.media.files import stat_regular
from vidembed.media.reading.container import check_picture
from vidembed.types import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PictureFile

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
_MAX_BYTES = 256 << 20


def load_image(path: str | Path, *, limits: LimitSettings | None = None) -> Image:
    """Read a picture file.

    Returns:
        (H, W, 3) uint8 RGB, turned as its EXIF data says, transparent parts on white; of an animation the first frame.

    Raises:
        MediaNotFound: There is no such file.
        MediaUnreadable: It is no regular file, empty, or beyond the limits.
        BadQuery: It is not a picture that can be decoded.
    """
    import PIL.Image
    import PIL.ImageOps

    path, limits = Path(path), limits or LimitSettings()
    if stat_regular(path).st_size > _MAX_BYTES:
        raise MediaUnreadable(f"{path.name}: more than {_MAX_BYTES >> 20} MiB for one picture")
    try:
        with warnings.catch_warnings():
            # Pillow warns at its own limit and raises at twice that; ours is checked on the header below.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(path, formats=_FORMATS) as picture:
                check_picture(limits, *picture.size, path.name)
                picture.draft("RGB", (4096, 4096))
                upright = PIL.ImageOps.exif_transpose(picture)
                if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                    upright = PIL.Image.alpha_composite(
                        PIL.Image.new("RGBA", upright.size, "white"), upright.convert("RGBA")
                    )
                return as_rgb(upright)
    except PIL.Image.DecompressionBombError as error:
        raise MediaUnreadable(f"{path.name}: refused, too many pixels: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, MemoryError) as error:
        raise BadQuery(
            f"{path.name}: not a picture that can be decoded ({error})", hint=f"known formats: {', '.join(_FORMATS)}"
        ) from error


def as_rgb(picture: PictureFile) -> Image:
    """A Pillow picture as (H, W, 3) uint8 RGB; grey of 16 bits, which Pillow cuts off at 255, is scaled."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and np.asarray(picture).max() > 255):  # "I": 16-bit PGM
        grey = (np.asarray(picture).astype(np.float32) / 257).round().clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def jpeg(rgb: Image, settings: ThumbnailSettings) -> bytes:
    """Encode an (H, W, 3) uint8 picture as JPEG, at most `long_side_px` wide and high."""
    import PIL.Image

    picture = PIL.Image.fromarray(rgb)
    picture.thumbnail((settings.long_side_px, settings.long_side_px), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    made = io.BytesIO()
    picture.save(made, format="JPEG", quality=settings.quality, optimize=True)
    return made.getvalue()
