"""Preprocessing of pictures: batches of uint8 arrays resized as Pillow does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.nn.functional import interpolate, pad

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.types import Image


ResizeMode = Literal["shortest", "longest", "squash"]


@dataclass(frozen=True)
class Preparation:
    """How pictures become a tower's input; the fields are those of open_clip's preprocess_cfg.

    resize_mode "shortest": the short side to the target, then the centre cut out; "longest": the long side to the
    target, then filled up; "squash": both sides to the target.
    """

    size: tuple[int, int]  # height, width
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: ResizeMode = "shortest"
    fill_color: int = 0

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Preparation:
        """From a preprocess_cfg. Raises ValueError on a value it does not know, KeyError on a missing one."""
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else size
        if config["interpolation"] not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation {config['interpolation']!r}; known: bicubic, bilinear")
        if config["resize_mode"] not in ("shortest", "longest", "squash"):
            raise ValueError(f"resize_mode {config['resize_mode']!r}; known: shortest, longest, squash")
        mean, std = tuple(config["mean"]), tuple(config["std"])
        fill = config.get("fill_color", 0)
        return cls((int(height), int(width)), mean, std, config["interpolation"], config["resize_mode"], fill)

    def __call__(self, images: Sequence[Image], device: torch.device | None = None) -> Tensor:
        """(H, W, 3) uint8 pictures of any sizes -> (N, 3, *size) float32 on the device, channels last in memory.

        On the CPU the resizing is torch's uint8 kernel, ported from Pillow: within 1/255 of it per pixel.
        """
        target = torch.device("cpu") if device is None else device
        out = torch.empty((len(images), *self.size, 3), dtype=torch.float32, device=target).permute(0, 3, 1, 2)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
                raise ValueError(f"a picture must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
            by_shape.setdefault(image.shape, []).append(index)
        for indices in by_shape.values():
            stacked = torch.from_numpy(np.stack([images[i] for i in indices])).to(target)
            out[torch.tensor(indices, device=target)] = self._fit(stacked.permute(0, 3, 1, 2)).float()
        mean = torch.tensor(self.mean, device=target).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=target).view(1, 3, 1, 1)
        return out.div_(255).sub_(mean).div_(std)

    def _fit(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) uint8 -> (N, 3, *size), still 0..255."""
        height, width = int(pixels.shape[2]), int(pixels.shape[3])
        if self.resize_mode == "squash":
            return self._resize(pixels, self.size)
        if self.resize_mode == "shortest":
            return _cut(self._resize(pixels, self._shortest(height, width)), self.size)
        ratio = max(height / self.size[0], width / self.size[1])
        fitted = (max(1, round(height / ratio)), max(1, round(width / ratio)))
        return _fill(self._resize(pixels, fitted), self.size, self.fill_color)

    def _shortest(self, height: int, width: int) -> tuple[int, int]:
        """The size after resizing; rounds as torchvision's Resize (square) and open_clip's ResizeKeepRatio (other)."""
        if self.size[0] == self.size[1]:
            side = self.size[0]
            short = min(height, width)
            return (side, int(side * width / short)) if height <= width else (int(side * height / short), side)
        ratio = min(height / self.size[0], width / self.size[1])
        return round(height / ratio), round(width / ratio)

    def _resize(self, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        if tuple(pixels.shape[2:]) == size:
            return pixels
        if pixels.device.type != "cpu":  # only the CPU has the uint8 kernel
            floats = interpolate(pixels.float(), size, mode=self.interpolation, antialias=True)
            return floats.round_().clamp_(0, 255)
        return interpolate(pixels, size, mode=self.interpolation, antialias=True)


def _cut(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    top = round((pixels.shape[2] - size[0]) / 2)
    left = round((pixels.shape[3] - size[1]) / 2)
    return pixels[:, :, top : top + size[0], left : left + size[1]]


def _fill(pixels: Tensor, size: tuple[int, int], value: int) -> Tensor:
    down, right = size[0] - pixels.shape[2], size[1] - pixels.shape[3]
    return pad(pixels, (right // 2, right - right // 2, down // 2, down - down // 2), value=value)
