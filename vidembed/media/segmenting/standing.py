"""Pictures that stand for long: slide shows, screen recordings, time-lapse.

A reader gives one frame of each interval in which one begins. Where none begins for seconds, a picture stands, and
clips would be without one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from vidembed.protocols import Frame, VideoReader

_STANDS_S = 5.0
_LONG_S = 600.0
_BEFORE_S = 1e-3


class Beside:
    """Single frames of a video that is in the middle of a forward pass, from a reader that is opened for the first."""

    def __init__(self, opens: Callable[[], VideoReader], short_side_px: int) -> None:
        self._opens, self._short_side_px = opens, short_side_px

    @cached_property
    def video(self) -> VideoReader:
        """The reader."""
        return self._opens()

    def shown_at(self, at_s: float) -> Frame:
        """The frame on show at a time."""
        found = self.video.frames([at_s], short_side_px=self._short_side_px)
        return Frame(float(found.times_s[0]), found.rgb[0])


def with_standing(
    frames: Iterable[Frame],
    shown_at: Callable[[float], Frame],
    *,
    rate_hz: float,
    end_s: Callable[[], float],
    has_sound: bool,
) -> Iterator[Frame]:
    """The frames, and between two that are seconds apart the picture on show, again in each interval.

    One that stands for more than ten minutes in a video without sound comes once: time stamps that jump by hours make
    no thousands of clips.

    Args:
        frames: One of each interval in which one begins.
        shown_at: Decodes the frame on show at a time.
        rate_hz: Intervals a second.
        end_s: When the last picture ends; asked after the last frame.
        has_sound: Whether clips are worth making where nothing changes.
    """
    before: Frame | None = None
    for frame in frames:
        if before is not None:
            yield from _standing(before, frame.time_s, shown_at, rate_hz, has_sound)
        yield frame
        before = frame
    if before is not None:
        yield from _standing(before, end_s(), shown_at, rate_hz, has_sound)


def _standing(
    before: Frame, until_s: float, shown_at: Callable[[float], Frame], rate_hz: float, has_sound: bool
) -> Iterator[Frame]:
    if until_s - before.time_s < max(_STANDS_S, 2 / rate_hz):
        return
    # Of the interval that the frame before is of, another picture may be the one that stands.
    found = shown_at(until_s - _BEFORE_S)
    if before.time_s < found.time_s < until_s and not np.array_equal(found.rgb, before.rgb):
        before = found
        yield before
    if until_s - before.time_s > _LONG_S and not has_sound:
        return
    for number in range(1, math.ceil((until_s - before.time_s) * rate_hz - 0.5)):
        yield replace(before, time_s=before.time_s + number / rate_hz, repeats=True, cut_s=None)
