"""Windows: stretches of videos around found clips, and a sheet of them, with what each lane says, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.search.channels import Pieces
from vidembed.search.curves import Axis, Places, Seconds, merge_pieces, smooth_rows
from vidembed.types import Clip, Span

_STRETCH = 1 << 44  # above every time in milliseconds


@dataclass(frozen=True, eq=False)
class Window:
    """Neighbouring clips of one video, with each lane's pieces over them."""

    video_id: str
    clips: Sequence[Clip]
    pieces: Mapping[str, Pieces]


@dataclass(frozen=True, eq=False)
class Sheet:
    """W windows side by side, with the z-scores of L lanes over their cells. z, cover: (L, N), in the order of names.

    Cells lie between neighbouring borders of pieces and clips. cover: how many pieces a lane has there; z is 0 where
    there is none. sampled: (L, W) as in `lanes.Pieces`.
    """

    windows: Sequence[Window]
    axis: Axis
    names: tuple[str, ...]
    z: NDArray[np.float64]
    cover: NDArray[np.float64]
    sampled: NDArray[np.bool_]

    @classmethod
    def of(cls, windows: Sequence[Window], within: Span | None = None) -> Sheet | None:
        """The windows, less those of which `within` leaves nothing; None when it leaves nothing at all."""
        limits = [_limits(window, within) for window in windows]
        kept = [i for i, (low, high) in enumerate(limits) if high - low >= 1e-3]
        if not kept:
            return None
        windows = [windows[i] for i in kept]
        low, high = np.array([limits[i] for i in kept]).T
        names = tuple(windows[0].pieces)
        lanes = [_Laid.of([window.pieces[name] for window in windows], low, high) for name in names]
        borders = _Laid.borders(windows, low, high)
        marks = np.unique(np.concatenate([borders, *(part for lane in lanes for part in (lane.starts, lane.ends))]))
        stretch, ms = np.divmod(marks, _STRETCH)
        same = stretch[1:] == stretch[:-1]
        edges_s = ms / 1000
        bounds = np.searchsorted(stretch, np.arange(len(windows) + 1)) - np.arange(len(windows) + 1)
        axis = Axis(edges_s[:-1][same], edges_s[1:][same], bounds)
        rows = [lane.over(marks, len(axis)) for lane in lanes]
        z, cover = (np.stack(part) for part in zip(*rows)) if rows else (np.zeros((0, len(axis))),) * 2
        sampled = np.array([[window.pieces[name].sampled for window in windows] for name in names], dtype=bool)
        # The last bits of sums make no peaks on what is level.
        return cls(windows, axis, names, z.round(9), cover, sampled.reshape(len(names), len(windows)))

    def joined(self, trust: Mapping[str, float], *, smooth_s: float = 0.0) -> NDArray[np.float64]:
        """(N,) the lanes' mean, weighed by trust; a lane that says nothing of a stretch counts 0 there.

        smooth_s: of the lanes of pictures and sounds alone; lines of text keep their borders, and one that fits less
        than nothing at all counts like nothing, or the silence around it would seem the better answer.
        """
        rows = np.where(self.sampled[:, self.axis.stretch], self.z, np.maximum(self.z, 0.0))
        if smooth_s:
            for number, lanes in enumerate(self.sampled.T):
                if lanes.any():
                    cells = self.axis.cells(number)
                    rows[lanes, cells] = smooth_rows(self.axis.edges(number), rows[lanes, cells], smooth_s)
        weights = np.array([trust[name] for name in self.names])
        mean = weights @ rows / max(float(weights.sum()), 1e-9)
        return np.asarray(mean.round(9), dtype=np.float64)


def _limits(window: Window, within: Span | None) -> tuple[float, float]:
    low = min(clip.span.start_s for clip in window.clips)
    high = max(clip.span.end_s for clip in window.clips)
    return (low, high) if within is None else (max(low, within.start_s), min(high, within.end_s))


@dataclass(frozen=True, eq=False)
class _Laid:
    """A lane's pieces over all windows. starts, ends: (P,) number of the window and millisecond in one, to sort by."""

    starts: Places
    ends: Places
    z: NDArray[np.float64]

    @classmethod
    def of(cls, each: Sequence[Pieces], low: Seconds, high: Seconds) -> _Laid:
        number = np.repeat(np.arange(len(each)), [len(pieces.starts) for pieces in each])
        starts, ends, z = (
            np.concatenate(part) for part in ([p.starts for p in each], [p.ends for p in each], [p.z for p in each])
        )
        return cls(_marks(starts, number, low, high), _marks(ends, number, low, high), z)

    @staticmethod
    def borders(windows: Sequence[Window], low: Seconds, high: Seconds) -> Places:
        """Those of the clips and of the windows themselves."""
        numbers = np.arange(len(windows))
        of_clips = np.repeat(numbers, [2 * len(window.clips) for window in windows])
        times = [t for window in windows for clip in window.clips for t in (clip.span.start_s, clip.span.end_s)]
        every = np.concatenate([low, high, times])
        return _marks(every, np.concatenate([numbers, numbers, of_clips]), low, high)

    def over(self, marks: Places, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """z and cover, (N,) each, over the cells between the marks."""
        inside = self.ends > self.starts
        starts, ends = self.starts[inside], self.ends[inside]
        window = starts // _STRETCH  # each window has one mark more than cells
        first, last = marks.searchsorted(starts) - window, marks.searchsorted(ends) - window
        return merge_pieces(first, last, self.z[inside], cells)


def _marks(times_s: Seconds, number: Places, low: Seconds, high: Seconds) -> Places:
    inside = np.minimum(np.maximum(times_s, low[number]), high[number])
    return np.asarray(number * _STRETCH + np.rint(inside * 1000).astype(np.int64), dtype=np.int64)


def windows(
    seeds: Sequence[Clip], clips_of: Mapping[str, Sequence[Clip]], *, context_s: float, around: int
) -> list[tuple[str, list[Clip]]]:
    """(video, clips): the seeds and up to `around` neighbours on either side within context_s, cut where clips lack.

    So the work is bounded by the number of seeds, however long the video is.
    """
    answer: list[tuple[str, list[Clip]]] = []
    for video_id in dict.fromkeys(seed.video_id for seed in seeds):
        ordered = sorted(clips_of[video_id], key=lambda clip: (clip.span, clip.clip_id))
        place = {clip.clip_id: i for i, clip in enumerate(ordered)}
        wanted: set[int] = set()
        for seed in seeds:
            at = place.get(seed.clip_id)
            if seed.video_id != video_id or at is None:
                continue
            for i in range(max(0, at - around), min(len(ordered), at + around + 1)):
                near = ordered[i].span
                if near.start_s < seed.span.end_s + context_s and near.end_s > seed.span.start_s - context_s:
                    wanted.add(i)
        groups: list[list[Clip]] = []
        for i in sorted(wanted):
            # A gap of more than a second between clips is a hole that no curve should bridge.
            if groups and ordered[i].span.start_s <= max(c.span.end_s for c in groups[-1]) + 1.0:
                groups[-1].append(ordered[i])
            else:
                groups.append([ordered[i]])
        answer += [(video_id, group) for group in groups]
    return answer
