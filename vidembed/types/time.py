"""Time: seconds from the first shown frame, half-open spans; reading and writing both as people do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from vidembed.errors import InputError


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
        """Length in seconds, > 0."""
        return self.end_s - self.start_s

    @property
    def middle_s(self) -> float:
        """The time half way, in seconds."""
        return (self.start_s + self.end_s) / 2

    def middles_s(self, count: int) -> list[float]:
        """The middles of `count` equal parts of the span."""
        return [self.start_s + (place + 0.5) / count * self.duration_s for place in range(count)]

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
        """Whether a time in seconds lies in the span; its end does not."""
        return self.start_s <= time_s < self.end_s

    def to_dict(self) -> dict[str, float]:
        """As plain JSON values: start_s and end_s, to the millisecond."""
        return {"start_s": round(self.start_s, 3), "end_s": round(self.end_s, 3)}

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


def parse_time(text: str, *, name: str) -> float:
    """Read seconds from "83.5", "1:23.5" or "0:01:23.5".

    Args:
        text: What a person typed.
        name: What it is for, for the message: an option such as "--start".

    Returns:
        Seconds, finite and at least 0.

    Raises:
        InputError: If the text is no time.
    """
    try:
        seconds = 0.0
        for part in text.split(":"):
            seconds = seconds * 60 + float(part)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise InputError(f"{name} takes seconds or m:ss, such as 1:23.5; got {text!r}")
    return seconds


def parse_span(text: str, *, name: str) -> Span:
    """Read a span from "0:30-2:00"; arguments as for `parse_time`.

    Raises:
        InputError: If the text is no span, or its start is not before its end.
    """
    start, dash, end = text.partition("-")
    if not dash:
        raise InputError(f"{name} takes START-END, such as 0:30-2:00; got {text!r}")
    start_s, end_s = parse_time(start, name=name), parse_time(end, name=name)
    if start_s >= end_s:
        raise InputError(f"{name} needs its start before its end, got {text!r}")
    return Span(start_s, end_s)


def parse_date(text: str, *, name: str) -> float:
    """Read a local date or time in ISO 8601, such as "2026-01-31" or "2026-01"; arguments as for `parse_time`.

    Returns:
        POSIX seconds.

    Raises:
        InputError: If the text is no date.
    """
    try:
        whole = text.strip()
        whole += {4: "-01-01", 7: "-01"}.get(len(whole), "")  # a year, a year and month
        return datetime.fromisoformat(whole).timestamp()
    except ValueError as error:
        raise InputError(f"{name} takes a date, such as 2026-01-31; got {text!r}") from error


def parse_place(text: str, *, name: str) -> tuple[float, float]:
    """Read latitude and longitude in degrees, such as "48.86,2.35". Raises InputError if the text is no place."""
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        latitude, longitude = float("nan"), float("nan")
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise InputError(f"{name} takes LAT,LON in degrees, such as 48.86,2.35; got {text!r}")
    return latitude, longitude
