"""What the picture tower makes of the training pictures in several views, computed once, for the captioner."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidembed.files import replacing
from vidembed.models.encoders._efficientnet import FEATURES
from vidembed.models.encoders.starter import StarterEncoder

VIEWS = 3  # as it is, two random crops
SHAPE = (16, FEATURES)


def picture_tokens(paths: Sequence[Path], view: int, cache: Path) -> NDArray[np.float16]:
    """(N, 16, 1280) the last map of one view of the pictures in a 4 x 4 grid, kept as cache/tok{view}.npy."""
    file = cache / f"tok{view}.npy"
    if not file.is_file():
        eyes, rng = StarterEncoder(), np.random.default_rng(100 + view)
        with replacing(file) as part:
            array = np.lib.format.open_memmap(part, "w+", np.float16, (len(paths), *SHAPE))
            for rows in _batches(len(paths), 32):
                pictures = [varied(np.asarray(Image.open(path).convert("RGB")), view, rng) for path in paths[rows]]
                array[rows] = eyes.features("image", pictures)
            array.flush()
    return np.load(file, mmap_mode="r")  # type: ignore[no-any-return]


def varied(picture: NDArray[np.uint8], view: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """View 0: as it is; others: a random crop of 45-100 % of the area, of another shape, mirrored half the time.

    View 2 is also coarse half the time, as videos are: made small, and saved as a JPEG of low quality.
    """
    if view == 0:
        return picture
    height, width = picture.shape[:2]
    area, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.35, 0.35))
    h, w = min(height, int(height * area**0.5 * aspect)), min(width, int(width * area**0.5 / aspect))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    picture = picture[y : y + h, x : x + w]
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if view == 2 and rng.random() < 0.5:
        picture = _coarse(picture, side=int(rng.integers(96, 200)), quality=int(rng.integers(25, 70)))
    return np.ascontiguousarray(picture)


def _coarse(picture: NDArray[np.uint8], *, side: int, quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(picture).resize((side, side)).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))


def _batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
