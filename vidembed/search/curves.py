"""Scores over time: piecewise constant curves, several side by side, their smoothing and their integrals.

A curve has cells `[edges[i], edges[i + 1])` in rising seconds, with one score each. A search looks at dozens of short
curves; what is done to all of them is done at once, on one `Axis`, because numpy is slow on short arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Seconds = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Axis:
    """The cells of W stretches of time, one stretch after the other.

    starts, ends: (N,) seconds of each cell. bounds: (W + 1,) where the cells of each stretch begin; none is empty.
    """

    starts: Seconds
    ends: Seconds
    bounds: Places

    @classmethod
    def of(cls, edges: Sequence[Seconds]) -> Axis:
        """From the (n + 1,) edges of each stretch."""
        bounds = np.cumsum([0, *(len(one) - 1 for one in edges)])
        return cls(np.concatenate([e[:-1] for e in edges]), np.concatenate([e[1:] for e in edges]), bounds)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def stretch(self) -> Places:
        """(N,) the stretch that each cell is of."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    @cached_property
    def lengths_s(self) -> Seconds:
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

    def edges(self, stretch: int) -> Seconds:
        """(n + 1,) of one stretch."""
        cells = self.cells(stretch)
        return np.append(self.starts[cells], self.ends[cells.stop - 1])

    def cells(self, stretch: int) -> slice:
        return slice(int(self.bounds[stretch]), int(self.bounds[stretch + 1]))

    def until(self, rows: NDArray[np.float64], times_s: Seconds, stretch: Places) -> NDArray[np.float64]:
        """(L, ...) integral of L curves, (L, N), up to these times of these stretches (...), from the axis' beginning.

        Outside its stretch a curve counts as 0; only differences within one stretch mean something.
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


def merge_pieces(
    first: ArrayLike, last: ArrayLike, scores: ArrayLike, cells: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean score of the pieces over each of N cells, and how many pieces cover it (0 pieces: score 0), (N,) each.

    first, last, scores: (P,), piece i covers the cells `[first[i], last[i])`; they may overlap.
    """
    begin, end = np.asarray(first, dtype=np.int64), np.asarray(last, dtype=np.int64)
    values = np.asarray(scores, dtype=np.float64)
    n = cells + 1
    cover = (np.bincount(begin, minlength=n) - np.bincount(end, minlength=n)).cumsum()[:-1].astype(np.float64)
    total = (np.bincount(begin, values, n) - np.bincount(end, values, n)).cumsum()[:-1]
    return np.where(cover > 0, total / np.maximum(cover, 1), 0.0), cover


def smooth_rows(edges: Seconds, rows: NDArray[np.float64], sigma_s: float) -> NDArray[np.float64]:
    """(L, N) Gaussian smoothing in seconds of L curves over the same (N + 1,) edges. sigma_s 0: unchanged.

    Each cell is weighted by its length, which is right for uneven times.
    """
    n = rows.shape[1]
    if sigma_s < 1e-3 or n < 2:
        return rows
    times, lengths = (edges[:-1] + edges[1:]) / 2, edges[1:] - edges[:-1]
    out = np.empty(rows.shape)
    block = 512  # keeps the weights of an hour-long curve small
    for start in range(0, n, block):
        stop = min(start + block, n)
        low = int(times.searchsorted(times[start] - 4 * sigma_s))
        high = int(times.searchsorted(times[stop - 1] + 4 * sigma_s, side="right"))
        distance = (times[start:stop, None] - times[None, low:high]) / sigma_s
        weights = np.exp(-0.5 * distance**2) * lengths[None, low:high]
        out[:, start:stop] = rows[:, low:high] @ (weights / weights.sum(axis=1, keepdims=True)).T
    return out
