"""Score curves: windows of videos around found clips, side by side on one axis, with each channel's scores over time.

A curve is piecewise constant: cells `[edges[i], edges[i + 1])` in rising seconds, one score each. A search scores
dozens of short curves; they share one `Axis` and are computed together, because numpy is slow on short arrays.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidembed.search.channels import Pieces
from vidembed.types import Clip, Span
from vidembed.vectors import distinct, ranges

Seconds = NDArray[np.float64]
Places = NDArray[np.int64]
_STRETCH = 1 << 44  # above every time in milliseconds
_ACROSS = math.log(0.3)  # of what smoothing takes from the other side of a clip's border, mostly a cut, a share is left
_BLOCK = 2048  # cells smoothed at once: keeps the weights of an hour-long curve small


def windows(
    seeds: Sequence[Clip], clips_of: Mapping[str, Sequence[Clip]], *, context_s: float, around: int
) -> list[list[Clip]]:
    """Windows of adjacent clips of one video: the seeds and up to `around` neighbours on either side within context_s.

    So the work does not grow with the length of videos. clips_of: video id -> its clips.
    """
    answer: list[list[Clip]] = []
    found: dict[str, list[Clip]] = {}
    for seed in seeds:
        found.setdefault(seed.video_id, []).append(seed)
    for video_id, own in found.items():
        ordered = sorted(clips_of[video_id], key=lambda clip: (clip.span, clip.clip_id))
        place = {clip.clip_id: i for i, clip in enumerate(ordered)}
        wanted: set[int] = set()
        for seed in own:
            at = place.get(seed.clip_id)
            if at is None:
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
        answer += groups
    return answer


@dataclass(frozen=True, eq=False)
class Axis:
    """The cells of W stretches of time, one stretch after the other.

    Attributes:
        starts, ends: (N,) seconds of each cell.
        bounds: (W + 1,) where the cells of each stretch begin; none is empty.
    """

    starts: Seconds
    ends: Seconds
    bounds: Places

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def stretch(self) -> Places:
        """(N,) the stretch that each cell is of."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    @cached_property
    def lengths_s(self) -> Seconds:
        """(N,) seconds."""
        return self.ends - self.starts

    @cached_property
    def times_s(self) -> Seconds:
        """(N,) the middle of each cell."""
        return (self.starts + self.ends) / 2

    @cached_property
    def low(self) -> Seconds:
        """(W,) where each stretch begins."""
        return self.starts[self.bounds[:-1]]

    @cached_property
    def high(self) -> Seconds:
        """(W,) where each stretch ends."""
        return self.ends[self.bounds[1:] - 1]

    def cells(self, stretch: int) -> slice:
        """Places of one stretch's cells on the axis."""
        return slice(int(self.bounds[stretch]), int(self.bounds[stretch + 1]))

    def until(self, rows: NDArray[np.float64], times_s: Seconds, stretch: Places) -> NDArray[np.float64]:
        """(L, ...) integrals of curves, (L, N), from the axis' beginning to times_s (...), each in its stretch (...).

        A curve counts as 0 outside its stretch; only differences within one stretch are meaningful.
        """
        joined = self._joined
        low, high = self.low[stretch], self.high[stretch]
        at = joined[self.bounds[stretch]] + (np.minimum(np.maximum(times_s, low), high) - low)
        cell = np.minimum(np.maximum(joined.searchsorted(at, side="right") - 1, 0), len(self) - 1)
        whole = np.zeros((len(rows), len(joined)))
        np.cumsum(rows * self.lengths_s, axis=1, out=whole[:, 1:])
        return whole[:, cell] + rows[:, cell] * (at - joined[cell])

    @cached_property
    def _joined(self) -> Seconds:
        """(N + 1,) the edges when the stretches are put together without gaps."""
        return np.concatenate([[0.0], np.cumsum(self.lengths_s)])


@dataclass(frozen=True, eq=False)
class Sheet:
    """W windows side by side, with the z-scores of L channels over their cells.

    Cells lie between neighbouring borders of pieces and clips.

    Attributes:
        windows: The clips of each window, in order of time.
        pieces: Channel -> its pieces over the windows; at least one channel.
        axis: N cells.
        z: (L, N) float64, in the order of `pieces`; 0 where a channel has no piece.
        cover: (L, N) number of a channel's pieces over each cell.
    """

    windows: Sequence[Sequence[Clip]]
    pieces: Mapping[str, Pieces]
    axis: Axis
    z: NDArray[np.float64]
    cover: NDArray[np.float64]

    @classmethod
    def of(
        cls, windows: Sequence[Sequence[Clip]], pieces: Mapping[str, Pieces], within: Span | None = None
    ) -> Sheet | None:
        """Lay out the windows, without those that lie outside `within`; None if none is left."""
        low = np.array([min(clip.span.start_s for clip in clips) for clips in windows], dtype=np.float64)
        high = np.array([max(clip.span.end_s for clip in clips) for clips in windows], dtype=np.float64)
        if within is not None:
            low, high = np.maximum(low, within.start_s), np.minimum(high, within.end_s)
        kept = high - low >= 1e-3
        if not kept.any():
            return None
        windows = [clips for clips, here in zip(windows, kept.tolist()) if here]
        pieces = {name: own.only(kept) for name, own in pieces.items()}
        low, high = low[kept], high[kept]

        def marks(window: Places, times_s: ArrayLike) -> Places:
            """Number of the window and millisecond in one, to sort by."""
            inside = np.minimum(np.maximum(times_s, low[window]), high[window])
            return np.asarray(window * _STRETCH + np.rint(inside * 1000).astype(np.int64), dtype=np.int64)

        numbers = np.arange(len(windows))
        of_clips = np.repeat(numbers, [2 * len(clips) for clips in windows])
        times = [time for clips in windows for clip in clips for time in (clip.span.start_s, clip.span.end_s)]
        laid = [(marks(own.window, own.starts), marks(own.window, own.ends), own.z) for own in pieces.values()]
        borders = [marks(numbers, low), marks(numbers, high), marks(of_clips, times)]
        cuts = distinct(np.concatenate([*borders, *(part for starts, ends, _ in laid for part in (starts, ends))]))
        stretch, ms = np.divmod(cuts, _STRETCH)
        same = stretch[1:] == stretch[:-1]
        edges_s = ms / 1000
        bounds = np.searchsorted(stretch, np.arange(len(windows) + 1)) - np.arange(len(windows) + 1)
        axis = Axis(edges_s[:-1][same], edges_s[1:][same], bounds)
        rows = [_over(cuts, len(axis), *one) for one in laid]
        z, cover = (np.stack(part) for part in zip(*rows))
        # The last bits of sums make no peaks on what is level.
        return cls(windows, pieces, axis, z.round(9), cover)

    def joined(self, trust: Mapping[str, float], *, smooth_s: float = 0.0) -> NDArray[np.float64]:
        """(N,) weighted mean of the channels' curves. trust: channel -> weight; smooth_s: standard deviation, 0 = none.

        Smoothing is for sampled channels, and takes less from another clip. Lines of text keep their borders, and their
        negative scores count as 0, or silence beside them would look like an answer.
        """
        sampled = np.array([own.sampled for own in self.pieces.values()])[:, self.axis.stretch]
        rows = np.where(sampled, self.z, np.maximum(self.z, 0.0))
        if smooth_s and sampled.any():
            rows = np.where(sampled, smooth_rows(self.axis, rows, smooth_s, clip=self._clip), rows)
        weights = np.array([trust[name] for name in self.pieces])
        mean = weights @ rows / max(float(weights.sum()), 1e-9)
        return np.asarray(mean.round(9), dtype=np.float64)

    @cached_property
    def _clip(self) -> Places:
        """(N,) the clip that each cell is of, by its number in its window."""
        times_s, bounds = self.axis.times_s, pairwise(self.axis.bounds.tolist())
        begins_s = [[clip.span.start_s for clip in clips] for clips in self.windows]
        cells = zip(begins_s, bounds, strict=True)
        return np.concatenate([np.searchsorted(begins, times_s[a:b], side="right") for begins, (a, b) in cells])

    def looked_at(self, window: int, at_s: float) -> float:
        """When the frame (or sound window) with the highest z of those that stand for a time was looked at.

        The time itself where there is none.
        """
        best, answer = -np.inf, at_s
        for own in self.pieces.values():
            first, last = own.window.searchsorted([window, window + 1]).tolist()
            if own.sampled[window]:
                here = (own.starts[first:last] <= at_s) & (at_s < own.ends[first:last])
                for place in (first + np.flatnonzero(here)).tolist():
                    if own.z[place] > best:
                        best, answer = own.z[place], float(own.times_s[place])
        return answer

    def highest(self, windows: Places, starts_s: Seconds, ends_s: Seconds) -> NDArray[np.float64]:
        """(L, S) each channel's highest z in each of S spans of these windows; -inf without a piece."""
        z = np.where(self.cover > 0, self.z, -np.inf)
        starts, ends = self.axis.starts.tolist(), self.axis.ends.tolist()
        bounds = self.axis.bounds.tolist()
        cells: list[int] = []
        for number, start_s, end_s in zip(windows.tolist(), starts_s.tolist(), ends_s.tolist(), strict=True):
            first = bisect_right(ends, start_s, bounds[number], bounds[number + 1])
            cells += [first, bisect_right(starts, end_s - 1e-9, first, bounds[number + 1])]
        none = np.full((len(z), 1), -np.inf)  # so that the last cell's end is a place, too
        highest = np.maximum.reduceat(np.concatenate([z, none], axis=1), cells, axis=1)[:, ::2]
        empty = np.equal(cells[::2], cells[1::2])
        return np.where(empty, -np.inf, highest)


def _over(
    cuts: Places, cells: int, starts: Places, ends: Places, z: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) z and cover of a channel's pieces over the cells between the cuts."""
    inside = ends > starts
    starts, ends = starts[inside], ends[inside]
    window = starts // _STRETCH  # each window has one cut more than cells
    return merge_pieces(cuts.searchsorted(starts) - window, cuts.searchsorted(ends) - window, z[inside], cells)


def merge_pieces(
    first: ArrayLike, last: ArrayLike, scores: ArrayLike, cells: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) mean score of the pieces over each cell, 0 without any, and (N,) their number.

    first, last, scores: (P,), piece i covers the cells `[first[i], last[i])`; pieces may overlap.
    """
    begin, end = np.asarray(first, dtype=np.int64), np.asarray(last, dtype=np.int64)
    values = np.asarray(scores, dtype=np.float64)
    n = cells + 1
    cover = (np.bincount(begin, minlength=n) - np.bincount(end, minlength=n)).cumsum()[:-1].astype(np.float64)
    total = (np.bincount(begin, values, n) - np.bincount(end, values, n)).cumsum()[:-1]
    return np.where(cover > 0, total / np.maximum(cover, 1), 0.0), cover


def smooth_rows(
    axis: Axis, rows: NDArray[np.float64], sigma_s: float, *, clip: Places | None = None
) -> NDArray[np.float64]:
    """(L, N) Gaussian smoothing in seconds of curves, each stretch by itself. sigma_s 0: unchanged.

    Each cell is weighted by its length, which is right for uneven cells, and less for each border of a clip between.
    clip: (N,) the clip that each cell is of, rising in a stretch; None: one.
    """
    if sigma_s < 1e-3:
        return rows
    times, lengths, stretch = axis.times_s, axis.lengths_s, axis.stretch
    # Stretches far apart, so that one search finds the neighbours of all cells; beyond six deviations nothing counts.
    apart = stretch * (float(axis.high.max()) + 12 * sigma_s)
    begins = (times + apart).searchsorted(times + apart - 6 * sigma_s)
    ends = (times + apart).searchsorted(times + apart + 6 * sigma_s, side="right")
    out = np.empty(rows.shape)
    for start in range(0, len(axis), _BLOCK):
        block = slice(start, start + _BLOCK)
        number, near = ranges(begins[block], ends[block])
        cell = number + start
        exponent = -0.5 * ((times[cell] - times[near]) / sigma_s) ** 2
        if clip is not None:
            exponent += _ACROSS * np.abs(clip[cell] - clip[near])
        weights = np.exp(exponent) * lengths[near]
        firsts = number.searchsorted(np.arange(len(begins[block])))
        total = np.add.reduceat(weights, firsts)
        out[:, block] = np.add.reduceat(weights * rows[:, near], firsts, axis=1) / total
    return out
