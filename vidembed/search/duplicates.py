"""Stretches that two videos share: copies, excerpts, common intros, found in the sequence of their frame vectors.

Pairs of frames that are alike vote for the lag between the videos; only what goes on being alike at one lag counts, so
two videos of the same kind of scene, or with one picture in common, are no copies. Source: temporal Hough voting,
Douze, Jegou, Schmid, "An image-based approach to video copy detection", IEEE Trans. Multimedia 2010.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Floats, Row, Span

_MAX_STRETCHES = 20  # of one pair of videos


@dataclass(frozen=True, eq=False)
class Track:
    """A video's frames in order. rows: (N, D) float32 unit rows; starts_s, ends_s: (N,) what each stands for."""

    rows: Floats
    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Track:
        """From the stored rows of one video's clips; a frame stands for the time until the next, or the clip's end."""
        vectors, starts, ends = [], [], []
        for row in sorted(rows, key=lambda row: row.clip.span):
            span = row.clip.span
            units, times = row.units, row.unit_times_s
            if units is None or times is None or not len(units):
                units, times = np.asarray(row.vector, np.float16)[None], np.array([span.start_s])
            edges = np.concatenate([[span.start_s], times[1:], [span.end_s]])
            vectors.append(np.asarray(units, np.float32))
            starts.append(edges[:-1])
            ends.append(edges[1:])
        return cls(np.concatenate(vectors), np.concatenate(starts), np.concatenate(ends))


@dataclass(frozen=True)
class SharedStretch:
    """The same content in two videos. similarity: mean cosine of the frames that belong together."""

    one: Span
    other: Span
    similarity: float


@dataclass(frozen=True, eq=False)
class _Run:
    """Pairs of frames at about one lag, one after the other. places: into the arrays of all pairs."""

    places: NDArray[np.int64]
    duration_s: float


def shared_stretches(
    one: Track, other: Track, *, above: float = 0.8, min_s: float = 2.0, slack_s: float = 2.0, gap_s: float = 4.0
) -> list[SharedStretch]:
    """The stretches of at least `min_s` that both videos hold, longest first, at most 20.

    above: least cosine of two frames that are the same. Frames of different videos of one kind of scene reach 0.7 with
    the starter, a frame and another encoding of it 0.9. slack_s: how far lags may differ, twice the time between two
    frames, as each may lie anywhere in its second. gap_s: longest time without such a pair inside a stretch (a
    caption laid over, a damaged second).
    """
    cosines = one.rows @ other.rows.T
    i, j = (axis.astype(np.int64) for axis in np.nonzero(cosines >= above))
    found: list[SharedStretch] = []
    while len(i) and len(found) < _MAX_STRETCHES:
        run = max(_runs(one, other, i, j, slack_s=slack_s, gap_s=gap_s), key=lambda run: run.duration_s)
        if run.duration_s < min_s:
            break
        at_one, at_other = i[run.places], j[run.places]
        found.append(
            SharedStretch(
                Span(float(one.starts_s[at_one.min()]), float(one.ends_s[at_one.max()])),
                Span(float(other.starts_s[at_other.min()]), float(other.ends_s[at_other.max()])),
                round(float(cosines[at_one, at_other].mean()), 4),
            )
        )
        inside = (i >= at_one.min()) & (i <= at_one.max()) | (j >= at_other.min()) & (j <= at_other.max())
        i, j = i[~inside], j[~inside]
    return found


def _runs(
    one: Track, other: Track, i: NDArray[np.int64], j: NDArray[np.int64], *, slack_s: float, gap_s: float
) -> Iterator[_Run]:
    """The longest run of every lag; windows of lags overlap by half, so that no lag is cut in two."""
    lags = other.starts_s[j] - one.starts_s[i]
    order = np.argsort(lags, kind="stable")
    step = slack_s / 2
    for low in np.unique(np.floor(lags / step)) * step:
        first, last = np.searchsorted(lags[order], [low, low + slack_s])
        places = order[first:last]
        places = places[np.lexsort((j[places], i[places]))]
        starts, ends = one.starts_s[i[places]], one.ends_s[i[places]]
        breaks = np.flatnonzero(starts[1:] - ends[:-1] > gap_s) + 1
        runs = np.split(places, breaks)
        lengths = [_length(one, other, i[run], j[run]) for run in runs]
        best = int(np.argmax(lengths))
        yield _Run(runs[best], lengths[best])


def _length(one: Track, other: Track, i: NDArray[np.int64], j: NDArray[np.int64]) -> float:
    """Seconds that a run covers, in the video in which it is shorter."""
    return float(min(one.ends_s[i.max()] - one.starts_s[i.min()], other.ends_s[j.max()] - other.starts_s[j.min()]))
