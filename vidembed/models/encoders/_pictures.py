"""Preprocessing of pictures: batches of uint8 arrays resized by Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from vidembed.types import Floats, Image


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

    def __call__(self, images: Sequence[Image]) -> Floats:
        """(H, W, 3) uint8 pictures of any sizes -> (N, 3, *size) float32, channels last in memory."""
        out = np.empty((len(images), *self.size, 3), dtype=np.float32)
        for place, image in enumerate(images):
            out[place] = self._fitted(checked(image))
        out /= 255
        out -= np.asarray(self.mean, np.float32)
        out /= np.asarray(self.std, np.float32)
        return out.transpose(0, 3, 1, 2)

    def _fitted(self, image: Image) -> Image:
        """(H, W, 3) -> (*size, 3), still 0..255."""
        height, width = self.resized(*image.shape[:2])
        if image.shape[:2] != (height, width):
            from PIL import Image as PILImage

            how = PILImage.Resampling[self.interpolation.upper()]
            image = np.asarray(PILImage.fromarray(image).resize((width, height), how))
        if self.resize_mode == "shortest":
            top, left = self.corner(height, width)
            return image[top : top + self.size[0], left : left + self.size[1]]
        if (height, width) == self.size:
            return image
        above, left = (self.size[0] - height) // 2, (self.size[1] - width) // 2
        filled = np.full((*self.size, 3), self.fill_color, np.uint8)
        filled[above : above + height, left : left + width] = image
        return filled

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Top and left of what is cut out of the middle of a picture that has been resized."""
        return round((height - self.size[0]) / 2), round((width - self.size[1]) / 2)

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """A picture's height and width after resizing, before cutting or filling.

        Rounds as torchvision's Resize (square) and open_clip's ResizeKeepRatio (other).
        """
        if self.resize_mode == "squash":
            return self.size
        across, down = height / self.size[0], width / self.size[1]
        if self.resize_mode == "longest":
            ratio = max(across, down)
            return max(1, round(height / ratio)), max(1, round(width / ratio))
        if self.size[0] == self.size[1]:
            side, short = self.size[0], min(height, width)
            return (side, int(side * width / short)) if height <= width else (int(side * height / short), side)
        ratio = min(across, down)
        return round(height / ratio), round(width / ratio)


def checked(image: Image) -> Image:
    """The picture. Raises ValueError where it is none."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"a picture must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    return image
