"""Time: seconds from the first shown frame, half-open spans."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """A half-open stretch of time `[start_s, end_s)`, in seconds, never empty."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise ValueError(f"span bounds must be finite, got {self.start_s}..{self.end_s}")
        if not 0 <= self.start_s < self.end_s:
            raise ValueError(f"span needs 0 <= start_s < end_s, got {self.start_s}..{self.end_s}")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2

    def overlap_s(self, other: Span) -> float:
        """Seconds both spans share; 0 when they do not touch."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Span) -> float:
        """Intersection over union in time, 0..1."""
        shared = self.overlap_s(other)
        return shared / (self.duration_s + other.duration_s - shared)

    def union(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start_s, other.start_s), max(self.end_s, other.end_s))

    def contains(self, time_s: float) -> bool:
        return self.start_s <= time_s < self.end_s

    def __str__(self) -> str:
        return f"{format_time(self.start_s)}-{format_time(self.end_s)}"


def format_time(seconds: float) -> str:
    """`h:mm:ss.mmm` without a leading zero hour; rounded once, in integer milliseconds."""
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, ms = divmod(ms, 1000)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{whole:02d}.{ms:03d}"
