"""The frames of a forward pass, and with which of them a shot begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from vidembed.media.reading.gops import EPSILON_S
from vidembed.media.segmenting.cuts import CutFinder, Seen
from vidembed.protocols import Frame


def with_cuts(
    frames: Iterable[Frame],
    seen: Callable[[], Iterable[Seen]],
    shown_at: Callable[[float], Frame | None],
    *,
    near_s: float,
) -> Iterator[Frame]:
    """The frames with their `cut_s`, about two seconds late, and one more for each shot that none of them falls into.

    seen: what was seen since it was last asked; up to a frame's time when that frame is given, or further.
    shown_at: decodes the frame at a time. near_s: see `cuts.near_s`.
    """
    finder = CutFinder(near_s)
    waiting: deque[Frame] = deque()
    cuts_s: deque[float] = deque()
    for frame in frames:
        waiting.append(frame)
        for one in seen():
            finder.add(one)
        cuts_s = deque(sorted([*cuts_s, *finder.settle()]))
        while waiting and waiting[0].time_s < finder.settled_s:
            yield from _told(waiting.popleft(), cuts_s, shown_at)
    for one in seen():
        finder.add(one)
    cuts_s = deque(sorted([*cuts_s, *finder.settle(ended=True)]))
    for frame in waiting:
        yield from _told(frame, cuts_s, shown_at)
    while cuts_s:
        yield from _first_of_shot(cuts_s.popleft(), shown_at)


def with_known_cuts(
    frames: Iterable[Frame], cuts_s: Iterable[float], shown_at: Callable[[float], Frame | None]
) -> Iterator[Frame]:
    """The same, for shots that are known to begin at these times, which rise."""
    waiting_s = deque(cuts_s)
    for frame in frames:
        yield from _told(frame, waiting_s, shown_at)
    while waiting_s:
        yield from _first_of_shot(waiting_s.popleft(), shown_at)


def _told(frame: Frame, cuts_s: deque[float], shown_at: Callable[[float], Frame | None]) -> Iterator[Frame]:
    while cuts_s and cuts_s[0] <= frame.time_s + EPSILON_S:
        cut_s = cuts_s.popleft()
        if cuts_s and cuts_s[0] <= frame.time_s + EPSILON_S:
            yield from _first_of_shot(cut_s, shown_at)
        else:
            frame = replace(frame, cut_s=cut_s)
    yield frame


def _first_of_shot(cut_s: float, shown_at: Callable[[float], Frame | None]) -> Iterator[Frame]:
    found = shown_at(cut_s)
    if found is not None and found.time_s >= cut_s - EPSILON_S:
        yield replace(found, cut_s=cut_s)
