"""From coded to shown pictures: sample aspect ratio, rotation, and the size asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vidembed.types import Image


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
