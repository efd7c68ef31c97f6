"""Training pictures made different each time they are seen, a batch at once, on any device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from vidembed.models.encoders._efficientnet import CENTRE, SIDE_PX, SPREAD

SMALLEST_AREA = 0.4  # of a crop
SHAPES = 0.3  # a crop's aspect ratio changes by up to exp(0.6)
WHOLE = 0.3  # share of pictures that are not cropped
COARSE = 0.2  # share that is made small and noisy, as video frames are
JITTER = 0.3  # of brightness, contrast and saturation
ERASED = 0.4  # share that loses a rectangle


def _ready(pixels: Tensor) -> Tensor:
    return ((pixels - float(CENTRE)) / float(SPREAD)).contiguous(memory_format=torch.channels_last)


def whole(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 3, 256, 256) float32 as the network sees them in use."""
    return _ready(F.interpolate(pictures.float(), size=(SIDE_PX, SIDE_PX), mode="bicubic").clamp(0, 255))


def varied(pictures: Tensor, random: torch.Generator) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 3, 256, 256) float32: cropped, mirrored, coarse, of other colours, with a hole."""

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, device=pictures.device, generator=random)

    x = _coarse(_cropped(pictures.float(), rand), random)
    x = _recoloured(x, rand).clamp(0, 255)
    return _ready(torch.where(_holes(len(x), rand), 127.0, x))


Rand = Callable[..., Tensor]


def _cropped(x: Tensor, rand: Rand) -> Tensor:
    count = len(x)
    area = SMALLEST_AREA + (1 - SMALLEST_AREA) * rand(count)
    shape = torch.exp((rand(count) * 2 - 1) * SHAPES)
    height, width = (area.sqrt() * shape).clamp(max=1), (area.sqrt() / shape).clamp(max=1)
    uncropped = rand(count) < WHOLE
    height, width = torch.where(uncropped, 1.0, height), torch.where(uncropped, 1.0, width)
    affine = x.new_zeros(count, 2, 3)
    affine[:, 0, 0] = width * torch.where(rand(count) < 0.5, -1.0, 1.0)  # mirrored
    affine[:, 1, 1] = height
    affine[:, 0, 2] = (rand(count) * 2 - 1) * (1 - width)
    affine[:, 1, 2] = (rand(count) * 2 - 1) * (1 - height)
    places = F.affine_grid(affine, [count, 3, SIDE_PX, SIDE_PX], align_corners=False)
    found = F.grid_sample(x, places, mode="bicubic", padding_mode="reflection", align_corners=False)
    return found.clamp(0, 255)


def _coarse(x: Tensor, random: torch.Generator) -> Tensor:
    count = int(len(x) * COARSE)
    if not count:
        return x
    side = int(torch.randint(80, 200, (1,), generator=random, device=x.device))
    small = F.interpolate(x[:count], size=(side, side), mode="bilinear", antialias=True)
    small = small + 4 * torch.randn(small.shape, generator=random, device=x.device)
    return torch.cat([F.interpolate(small, size=x.shape[2:], mode="bicubic"), x[count:]])


def _recoloured(x: Tensor, rand: Rand) -> Tensor:
    def factor() -> Tensor:
        return 1 + (rand(len(x), 1, 1, 1) * 2 - 1) * JITTER

    x = x * factor()
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * factor() + mean
    grey = x.mean(1, keepdim=True)
    return (x - grey) * factor() + grey


def _holes(count: int, rand: Rand) -> Tensor:
    """(B, 1, 256, 256) bool"""
    side = 0.15 + 0.35 * rand(count, 1, 1)
    top, left = rand(count, 1, 1) * (1 - side), rand(count, 1, 1) * (1 - side)
    at = torch.arange(SIDE_PX, device=side.device) / SIDE_PX
    down, across = at[None, :, None], at[None, None, :]
    inside = (down >= top) & (down < top + side) & (across >= left) & (across < left + side)
    return (inside & (rand(count, 1, 1) < ERASED))[:, None]
