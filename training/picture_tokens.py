"""What the picture tower makes of the training pictures in several views, computed once, for the captioner."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.files import replacing
from vidembed.models.encoders import _efficientnet, _openvino
from vidembed.models.encoders._pictures import prepare

VIEWS = 3  # as it is, two random crops
SHAPE = (16, _efficientnet.FEATURES)


def picture_tokens(paths: Sequence[Path], view: int, cache: Path) -> NDArray[np.float16]:
    """(N, 16, 1280) the last map of one view of the pictures in a 4 x 4 grid, kept as cache/tok{view}.npy."""
    file = cache / f"tok{view}.npy"
    if not file.is_file():
        tower, rng = _fast_tower(cache), np.random.default_rng(100 + view)
        with replacing(file) as part:
            array = np.lib.format.open_memmap(part, "w+", np.float16, (len(paths), *SHAPE))
            for rows in _batches(len(paths), 32):
                pictures = [varied(np.asarray(Image.open(path).convert("RGB")), view, rng) for path in paths[rows]]
                with torch.inference_mode():
                    cells = tower(prepare(pictures).contiguous()).numpy()
                array[rows] = cells.reshape(-1, *SHAPE[::-1]).swapaxes(1, 2)
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


class _Tokens(nn.Module):
    """(B, 3, 256, 256) -> (B, 20480): the untuned tower's last map in a 4 x 4 grid, as channels x cells."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _efficientnet.load().to(memory_format=torch.contiguous_format)

    def forward(self, pixels: Tensor) -> Tensor:
        # plain means: adaptive pooling is slow where the sides are not constants
        return F.avg_pool2d(self.net(pixels), 2).flatten(1)


def _fast_tower(cache: Path) -> Callable[[Tensor], Tensor]:
    """The tower under OpenVINO where that is installed, twice as fast as torch's float32 on CPUs with AVX2 only."""
    tower = _Tokens().eval()
    return _openvino.compile_tower(tower, (256, 256), dtype="float32", cache=cache) if _openvino.available() else tower
