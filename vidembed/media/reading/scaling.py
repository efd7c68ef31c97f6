"""From what a decoder gives to RGB at the size that is wanted.

From coded to shown pictures: sample aspect ratio, rotation, and the size asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.media.reading.container import mapped_errors
from vidembed.media.reading.hdr import BT2020, tone_map, transfer_of
from vidembed.types import Image


class Scaler:
    """Scales, tone-maps and turns the frames of one video. A picture that does not change is scaled once."""

    def __init__(self, path: Path, geometry: Geometry) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._path, self._geometry = path, geometry
        self._reformatter = VideoReformatter()
        # Bicubic with its support widened for shrinking: what image towers were trained on.
        self._interpolation = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
        self._last: tuple[Any, int, Image] | None = None  # the last frame, the size asked for, and what was given

    def rgb(self, frame: Any, short_side_px: int) -> Image:
        """(H, W, 3) uint8, scaled and turned in that order, so that only few pixels are turned.

        The same array is given for equal frames in a row: not to be written to.
        """
        if self._last is not None:
            before, size, picture = self._last
            if size == short_side_px and _equal(frame, before):
                return picture
        picture = self._scaled(frame, short_side_px)
        self._last = (frame, short_side_px, picture)
        return picture

    def bytes_of(self, short_side_px: int) -> int:
        """What one picture takes at that size."""
        width, height = self._geometry.scaled_size(short_side_px)
        return 3 * width * height

    def _scaled(self, frame: Any, short_side_px: int) -> Image:
        width, height = self._geometry.scaled_size(short_side_px)
        transfer = transfer_of(frame)
        how: dict[str, Any] = {"format": "rgb48le", "src_colorspace": BT2020} if transfer else {"format": "rgb24"}
        with mapped_errors(self._path, "decoded"):
            scaled = self._reformatter.reformat(
                frame, width=width, height=height, interpolation=self._interpolation, threads=1, **how
            )
            pixels: Any = scaled.to_ndarray()
            return self._geometry.turn(tone_map(pixels, transfer) if transfer else np.asarray(pixels, dtype=np.uint8))


def _equal(frame: Any, other: Any) -> bool:
    """Whether both show the same, to the last bit: slides and recorded screens. A tenth of the time of scaling.

    Lines are compared with their padding; where that differs they count as different, which costs time only.
    """
    # Formats other than YUV may keep part of a picture, as a palette, outside its planes.
    if _layout(frame) != _layout(other) or not frame.format.name.startswith("yuv"):
        return False
    planes = [
        (np.frombuffer(one, np.uint8), np.frombuffer(two, np.uint8))
        for one, two in zip(frame.planes, other.planes, strict=True)
    ]
    # A few bytes of each first: most frames of a film differ in them.
    return all(np.array_equal(one[::997], two[::997]) and np.array_equal(one, two) for one, two in planes)


def _layout(frame: Any) -> tuple[Any, ...]:
    return frame.format.name, frame.width, frame.height, frame.color_trc, frame.colorspace, frame.color_range


@dataclass(frozen=True)
class Geometry:
    """How a coded picture is shown. rotation_deg: counter-clockwise, a multiple of 90."""

    coded_width_px: int
    coded_height_px: int
    sample_aspect: Fraction = Fraction(1)
    rotation_deg: int = 0

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) with square pixels, before rotation."""
        # Ratios beyond 1:8 come from broken headers only.
        aspect = self.sample_aspect if Fraction(1, 8) <= self.sample_aspect <= 8 else Fraction(1)
        return max(1, round(self.coded_width_px * aspect)), self.coded_height_px

    @property
    def turns(self) -> int:
        """Quarter turns counter-clockwise, 0..3."""
        return round(self.rotation_deg / 90) % 4

    @property
    def shown_size(self) -> tuple[int, int]:
        """(width, height) as a player shows it."""
        width, height = self.upright_size
        return (height, width) if self.turns % 2 else (width, height)

    def scaled_size(self, short_side_px: int) -> tuple[int, int]:
        """(width, height) before rotation so that the short side is at most short_side_px; never enlarged."""
        if short_side_px < 1:
            raise ValueError(f"short_side_px must be at least 1, got {short_side_px}")
        width, height = self.upright_size
        scale = min(1.0, short_side_px / min(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def turn(self, rgb: Image) -> Image:
        """The scaled (H, W, 3) picture as it is shown."""
        return np.ascontiguousarray(np.rot90(rgb, self.turns)) if self.turns else rgb
