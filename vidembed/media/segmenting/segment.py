"""Segmenters by time and by shots. Each holds the frames of one clip (and of one window's overlap) at most.

A file without a picture gets fixed windows.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from vidembed.config.schema import SegmentSettings
from vidembed.protocols import Frame
from vidembed.types import Span

Clips = Iterator[tuple[Span, list[Frame]]]

_LATE_S = 0.5  # a first picture that comes earlier is shown from t = 0 on
MAX_CLIP_FRAMES = 64  # of one clip: more are thinned evenly, so that memory is bounded by this


class Thinned:
    """A list of frames that never exceeds its capacity: when full, every second one is dropped.

    What stays is evenly spread, whatever the length; the first frame always stays. One that repeats a frame that was
    dropped repeats nothing.
    """

    def __init__(self, capacity: int = MAX_CLIP_FRAMES) -> None:
        self._capacity, self._stride, self._seen = capacity, 1, 0
        self._lost = False  # a picture that is new, dropped after the last frame held
        self.frames: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """Add the next frame, or leave it out."""
        if self._seen % self._stride == 0:
            if len(self.frames) == self._capacity:
                self._halve()
            if self._seen % self._stride == 0:
                self._append(frame)
        if not self.frames or self.frames[-1].time_s != frame.time_s:
            self._lost |= not frame.repeats
        self._seen += 1

    def _append(self, frame: Frame) -> None:
        self.frames.append(replace(frame, repeats=False) if self._lost and frame.repeats else frame)
        self._lost = False

    def _halve(self) -> None:
        held, lost = self.frames, self._lost
        self.frames, self._lost = [], False
        for place, frame in enumerate(held):
            if place % 2:
                self._lost |= not frame.repeats
            else:
                self._append(frame)
        self._lost |= lost
        self._stride *= 2


class KnownSpans:
    """The given spans, which may overlap, with the frames whose times lie in them. For adding a channel later.

    spans must rise by start. A span beyond the video's end stays as it is: it was cut from this video.
    """

    def __init__(self, spans: Sequence[Span], *, max_frames: int = MAX_CLIP_FRAMES) -> None:
        if any(later.start_s < earlier.start_s for earlier, later in pairwise(spans)):
            raise ValueError("spans must rise by start_s")
        self.spans, self._max_frames = tuple(spans), max_frames

    def clips(self, frames: Iterable[Frame], *, duration_s: float) -> Clips:
        """See `protocols.Segmenter.clips`; exactly the given spans, in their order."""
        waiting = iter(self.spans)
        upcoming = next(waiting, None)
        open_: list[tuple[Span, Thinned]] = []
        for frame in frames:
            while upcoming is not None and upcoming.start_s <= frame.time_s:
                open_.append((upcoming, Thinned(self._max_frames)))
                upcoming = next(waiting, None)
            # In order of the spans: a later one may end earlier, but waits for those before it.
            while open_ and open_[0][0].end_s <= frame.time_s:
                span, held = open_.pop(0)
                yield span, held.frames
            for span, held in open_:
                if span.contains(frame.time_s):
                    held.add(frame)
        for span, held in open_:
            yield span, held.frames
        while upcoming is not None:
            yield upcoming, []
            upcoming = next(waiting, None)


def window_spans(
    duration_s: float, window_s: float, *, overlap_s: float = 0.0, min_s: float | None = None
) -> list[Span]:
    """All windows of a video of that length, each overlapping the one before.

    min_s: a last window that would add less than this joins the one before; None = half a step.
    """
    step_s = window_s - overlap_s
    count = max(1, math.ceil((duration_s - window_s) / step_s - 1e-9) + 1)
    starts = [number * step_s for number in range(count)]
    # What only the last window would add.
    if count > 1 and duration_s - (starts[-2] + window_s) < (step_s / 2 if min_s is None else min_s):
        starts.pop()
    spans = [Span(start, min(start + window_s, duration_s)) for start in starts]
    return [*spans[:-1], Span(spans[-1].start_s, duration_s)]


class FixedWindows:
    """Windows of one length, each overlapping the one before; a last sliver joins the window before it."""

    def __init__(self, settings: SegmentSettings, *, max_frames: int = MAX_CLIP_FRAMES) -> None:
        self._settings, self._max_frames = settings, max_frames

    def clips(self, frames: Iterable[Frame], *, duration_s: float) -> Clips:
        """See `protocols.Segmenter.clips`."""
        spans = window_spans(duration_s, self._settings.window_s, overlap_s=self._settings.overlap_s)
        return KnownSpans(spans, max_frames=self._max_frames).clips(frames, duration_s=duration_s)


class WholeVideo:
    """One clip; its frames are thinned evenly to at most max_frames."""

    def __init__(self, *, max_frames: int = MAX_CLIP_FRAMES) -> None:
        self._max_frames = max_frames

    def clips(self, frames: Iterable[Frame], *, duration_s: float) -> Clips:
        """See `protocols.Segmenter.clips`."""
        return KnownSpans([Span(0.0, duration_s)], max_frames=self._max_frames).clips(frames, duration_s=duration_s)


class Shots:
    """One clip per shot; shots longer than max_s are split evenly, shots shorter than min_s join their neighbour.

    So every clip is at least min_s and at most max_s + min_s long (a shorter video is one clip), but where no frame
    begins for longer than that.
    """

    def __init__(self, settings: SegmentSettings, *, max_frames: int = MAX_CLIP_FRAMES) -> None:
        self.min_s, self.max_s = settings.shortest_s, settings.max_s
        self._max_frames = max_frames

    def clips(self, frames: Iterable[Frame], *, duration_s: float) -> Clips:
        """See `protocols.Segmenter.clips`; the shots are those that `Frame.cut_s` tells.

        Holds the frames of at most max_s + min_s.
        """
        start_s = 0.0
        held: list[Frame] = []
        any_frame = False
        for frame in frames:
            if not any_frame and begins_late(frame.time_s, duration_s, self.min_s):
                yield from before_pictures(frame.time_s, max_s=self.max_s, min_s=self.min_s)
                start_s = frame.time_s
            any_frame = True
            if frame.time_s >= duration_s:
                # The headers gave too short a length; the last clip takes the rest.
                held.append(frame)
                continue
            cut_s = frame.cut_s
            # Nothing is closed that would be empty, or leave less than min_s on either side.
            if cut_s is not None and cut_s > start_s and min(cut_s - start_s, duration_s - cut_s) >= self.min_s:
                yield from self._closed(start_s, cut_s, held)
                start_s, held = cut_s, []
            # A long shot: hand over what is surely its own piece, without waiting for its end.
            while frame.time_s - start_s >= self.max_s + self.min_s:
                middle_s = start_s + self.max_s
                later = [kept for kept in held if kept.time_s >= middle_s]
                if not later and frame.time_s - middle_s >= self.max_s + self.min_s:
                    middle_s = frame.time_s  # no piece without a frame
                yield from self._closed(start_s, middle_s, [kept for kept in held if kept.time_s < middle_s])
                start_s, held = middle_s, later
            held.append(frame)
        if not any_frame:
            yield from before_pictures(duration_s, max_s=self.max_s, min_s=self.min_s)
            return
        yield from self._closed(start_s, duration_s, held)

    def _closed(self, start_s: float, end_s: float, held: list[Frame]) -> Clips:
        return even_pieces(start_s, end_s, held, min_s=self.min_s, max_s=self.max_s, max_frames=self._max_frames)


def begins_late(first_s: float, duration_s: float, min_s: float) -> bool:
    """Whether what is heard before the first picture is a clip of its own."""
    return first_s >= max(min_s, _LATE_S) and duration_s - first_s >= max(min_s, _LATE_S)


def before_pictures(until_s: float, *, max_s: float, min_s: float) -> Clips:
    """Clips of sound only, from t = 0 to the first picture, or to the end where there is none."""
    return ((span, []) for span in window_spans(until_s, max_s, min_s=min_s))


def even_pieces(
    start_s: float, end_s: float, held: Sequence[Frame], *, min_s: float, max_s: float, max_frames: int
) -> Clips:
    """One clip, or several of equal length where the stretch is longer than max_s (and its sliver).

    A piece without a frame joins the one before it, whose last picture stands.
    """
    pieces = max(1, math.ceil((end_s - start_s) / max_s - 1e-9))
    if pieces > 1 and (end_s - start_s) / pieces < min_s:
        pieces -= 1
    length_s = (end_s - start_s) / pieces
    edges = [start_s + number * length_s for number in range(pieces)] + [end_s]
    if held:
        shown_s = [frame.time_s for frame in held]
        places = [bisect_left(shown_s, edge) for edge in edges[:-1]] + [len(held)]
        filled = [n for n in range(1, pieces) if places[n] < places[n + 1]]
        edges = [edges[0], *(edges[n] for n in filled), edges[-1]]
    for number, (low, high) in enumerate(pairwise(edges)):
        last = number == len(edges) - 2
        kept = Thinned(max_frames)
        for frame in held:
            if low <= frame.time_s and (frame.time_s < high or last):
                kept.add(frame)
        yield Span(low, high), kept.frames
