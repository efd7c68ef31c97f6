"""From scores over time to spans: a smoothed curve, proposals at several levels, inside against context, soft-NMS.

A curve is piecewise constant: cells `[edges[i], edges[i + 1])` in rising seconds, with one score each. Scores are best
given as z-scores against the background, so that 0 means "as any query" and stretches outside the video count as 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidembed.types import Span

Seconds = NDArray[np.float64]
_MAX_PROPOSALS = 400  # the best ones enter the suppression
_MAX_SHOTS = 8  # neighbouring shots that are joined at most


@dataclass(frozen=True)
class MomentSettings:
    """How spans are made. Names as in the settings under `search.moments`."""

    smooth_s: float = 2.0  # standard deviation of the Gaussian over pictures and sounds; 0 = none
    min_s: float = 1.0  # shorter spans are widened around their best time
    max_s: float = 120.0  # longer spans are not proposed
    context_s: float = 20.0  # how far before and after a span its context reaches, at most
    levels: int = 12  # thresholds swept over the curve
    nms_sigma: float = 0.3  # softness of the suppression of overlapping spans
    per_video: int = 10
    videos: int = 50
    context_share: float = 1.0  # how much the contrast with the context counts against the level inside


@dataclass(frozen=True, eq=False)
class Curve:
    """Scores over time. edges: (N + 1,) seconds, strictly rising; scores: (N,) float64; N >= 1."""

    edges: Seconds
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.edges.ndim != 1 or self.scores.shape != (len(self.edges) - 1,) or len(self.scores) < 1:
            raise ValueError(f"need one more edge than scores, got {self.edges.shape} and {self.scores.shape}")
        # Between finite ends, edges that rise are finite themselves.
        ends_finite = math.isfinite(self.edges[0]) and math.isfinite(self.edges[-1])
        if not (ends_finite and (self.edges[1:] > self.edges[:-1]).all()):
            raise ValueError("edges must be finite and rise strictly")
        if not np.isfinite(self.scores).all():
            raise ValueError("scores must be finite")

    @property
    def times_s(self) -> Seconds:
        """The middle of each cell."""
        return (self.edges[:-1] + self.edges[1:]) / 2

    @property
    def lengths_s(self) -> Seconds:
        return np.diff(self.edges)

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Proposal:
    """A stretch of a curve. score: share of contrast and level, lowered where better spans overlap it."""

    span: Span
    best_s: float  # where the curve, before smoothing, is highest inside the span
    score: float
    level: float  # mean inside


def merge_pieces(starts: ArrayLike, ends: ArrayLike, scores: ArrayLike, grid: Seconds) -> tuple[Seconds, Seconds]:
    """Mean score of the pieces over each cell of the grid, and how many pieces cover it (0 pieces: score 0).

    starts, ends, scores: (P,), pieces `[start, end)` whose borders are edges of the grid; they may overlap.
    """
    first = grid.searchsorted(np.asarray(starts, dtype=np.float64))
    last = grid.searchsorted(np.asarray(ends, dtype=np.float64))
    values = np.asarray(scores, dtype=np.float64)
    n = len(grid)
    cover = (np.bincount(first, minlength=n) - np.bincount(last, minlength=n)).cumsum()[:-1].astype(np.float64)
    total = (np.bincount(first, values, n) - np.bincount(last, values, n)).cumsum()[:-1]
    return np.where(cover > 0, total / np.maximum(cover, 1), 0.0), cover


def smooth(curve: Curve, sigma_s: float) -> Curve:
    """Gaussian smoothing in seconds, each cell weighted by its length: right for uneven times. sigma 0: unchanged."""
    if sigma_s < 1e-3:
        return curve
    return Curve(curve.edges, smooth_rows(curve.edges, curve.scores[None], sigma_s)[0])


def smooth_rows(edges: Seconds, rows: NDArray[np.float64], sigma_s: float) -> NDArray[np.float64]:
    """(L, N) as `smooth` makes of L curves over the same (N + 1,) edges."""
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


def propose(
    curve: Curve,
    *,
    shots: Sequence[Span] = (),
    settings: MomentSettings | None = None,
    n: int | None = None,
    smoothed: Curve | None = None,
) -> list[Proposal]:
    """The best spans of a curve, by score down, then start; at least one, none empty, best time inside.

    Candidates are the stretches above each of `levels` thresholds (a watershed, as in Zhao et al., TAG, ICCV 2017),
    and unions of up to eight neighbouring shots or clips (as in Diwan et al., 2022). A candidate's score is
    (1 - context_share) x its mean + context_share x (its mean - the mean around it); overlaps are suppressed softly.
    smoothed: the curve, over the same edges, smoothed in another way than all of it by smooth_s.
    """
    settings = settings or MomentSettings()
    n = settings.per_video if n is None else n
    smoothed = smooth(curve, settings.smooth_s) if smoothed is None else smoothed
    first, last = _candidates(smoothed, shots, settings)
    scores, levels = _inside_and_around(
        smoothed.edges, smoothed.scores[None], smoothed.edges[first], smoothed.edges[last], settings
    )
    score, level = scores[0], levels[0]
    # Of equal candidates the longest one is kept, then the earliest: a level stretch is one answer, not many.
    order = np.lexsort((first, first - last, -np.round(score, 9)))[:_MAX_PROPOSALS]
    first, last, score, level = first[order], last[order], score[order], level[order]
    starts, ends = smoothed.edges[first], smoothed.edges[last]
    kept, decayed = soft_nms(starts, ends, score, sigma=settings.nms_sigma, n=n)
    found = []
    for i, value in zip(kept, decayed):
        span = _span(smoothed, int(first[i]), int(last[i]), settings.min_s)
        found.append(Proposal(span, best_time(curve, span), value, float(level[i])))
    return found


def soft_nms(
    starts: Seconds, ends: Seconds, scores: ArrayLike, *, sigma: float, n: int
) -> tuple[list[int], list[float]]:
    """Positions of the n best and their scores, each lowered by what was chosen before it and overlaps it.

    Gaussian decay exp(-overlap^2 / sigma) of the distance to the lowest score, so that negative scores shrink rightly
    too. Source: Bodla et al., Soft-NMS, ICCV 2017; the overlap is the IoU, but at least 1/2 for a span inside another,
    because a short piece of an answer is no further answer. Ties keep the given order.
    """
    values = np.asarray(scores, dtype=np.float64).copy()
    if not len(values):
        return [], []
    floor = float(values.min())
    values -= floor
    lengths = ends - starts
    shared = np.maximum(np.minimum.outer(ends, ends) - np.maximum.outer(starts, starts), 0)
    iou = shared / (np.add.outer(lengths, lengths) - shared)
    nested = shared / np.minimum.outer(lengths, lengths)
    decay = np.exp(-(np.maximum(iou, nested / 2) ** 2) / sigma)
    # What says nearly the same as a chosen span is dropped, or it would come back among weak ones.
    same = iou > 0.9
    kept: list[int] = []
    decayed: list[float] = []
    while len(kept) < n:
        best = int(values.argmax())
        value = float(values[best])
        if value == -math.inf:
            break
        kept.append(best)
        decayed.append(value + floor)
        values *= decay[best]
        values[same[best]] = -math.inf
    return kept, decayed


def gap_merge(
    times_s: ArrayLike, scores: ArrayLike, *, threshold: float, gap_s: float = 4.0
) -> list[tuple[float, float, float]]:
    """The plain way to make spans, as a baseline: hits at or above the threshold, merged when at most gap_s apart.

    Returns (start_s, end_s, best score) by score down, then start. A lone hit gives start_s == end_s: an empty span,
    which is why this is not what search uses.
    """
    times = np.asarray(times_s, dtype=np.float64)
    values = np.asarray(scores, dtype=np.float64)
    spans: list[tuple[float, float, float]] = []
    for i in np.flatnonzero(values >= threshold):
        time, value = float(times[i]), float(values[i])
        if spans and time - spans[-1][1] <= gap_s:
            spans[-1] = (spans[-1][0], time, max(spans[-1][2], value))
        else:
            spans.append((time, time, value))
    return sorted(spans, key=lambda span: (-span[2], span[0]))


_Index = NDArray[np.int64]


def _candidates(curve: Curve, shots: Sequence[Span], settings: MomentSettings) -> tuple[_Index, _Index]:
    """First and one-past-last cells of all candidate spans, each pair once, none longer than max_s but single cells."""
    n = len(curve)
    low, high = float(curve.scores.min()), float(curve.scores.max())
    peak = int(np.argmax(curve.scores))
    # The lowest threshold is the whole curve, which is there already; the highest would be the peak alone.
    thresholds = np.linspace(low, high, settings.levels + 2)[1:-1]
    above = np.zeros((len(thresholds), n + 2), dtype=np.int8)
    above[:, 1:-1] = curve.scores >= thresholds[:, None]
    change = above[:, 1:] - above[:, :-1]
    firsts: list[_Index] = [
        np.array([0, peak]),
        np.nonzero(change == 1)[1],
    ]  # row by row, so that starts and ends pair up
    lasts: list[_Index] = [np.array([n, peak + 1]), np.nonzero(change == -1)[1]]
    if shots:
        starts = np.searchsorted(curve.edges, [s.start_s for s in shots], side="left")
        ends = np.searchsorted(curve.edges, [s.end_s for s in shots], side="left")
        for length in range(min(len(shots), _MAX_SHOTS)):
            firsts.append(starts[: len(shots) - length])
            lasts.append(ends[length:])
    pairs = np.unique(np.concatenate(firsts).astype(np.int64) * (n + 1) + np.minimum(np.concatenate(lasts), n))
    first, last = np.divmod(pairs, n + 1)
    fits = (first < last) & (
        (curve.edges[last] - curve.edges[np.minimum(first, n)] <= settings.max_s) | (last - first == 1)
    )
    return first[fits], last[fits]


def score_spans(
    edges: Seconds, rows: NDArray[np.float64], spans: Sequence[Span], settings: MomentSettings | None = None
) -> NDArray[np.float64]:
    """(L, S) what `propose` would score S spans with, on each of L curves (L, N) over the same (N + 1,) edges."""
    starts = np.array([span.start_s for span in spans], dtype=np.float64)
    ends = np.array([span.end_s for span in spans], dtype=np.float64)
    return _inside_and_around(edges, rows, starts, ends, settings or MomentSettings())[0]


def _inside_and_around(
    edges: Seconds, rows: NDArray[np.float64], starts: Seconds, ends: Seconds, settings: MomentSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score and mean of each span on each curve, (L, S) both, through the integral of the curves."""
    lengths = ends - starts
    # Context as long as the span itself on either side, within limits. Beyond the video's ends the curve counts as 0,
    # the background level, so that a video that matches all through is answered as a whole. Stretches below the
    # background count as 0 too: what lies beside an event makes it no better by fitting less than nothing.
    reach = np.minimum(np.maximum(lengths, settings.min_s), max(settings.context_s, settings.min_s))
    times = np.concatenate([starts, ends, starts - reach, ends + reach])
    times = np.minimum(np.maximum(times, edges[0]), edges[-1])
    cell = np.minimum(np.maximum(edges.searchsorted(times, side="right") - 1, 0), len(edges) - 2)
    into = times - edges[cell]  # seconds from the cell's beginning

    def until(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(L, 4, S) the integral from the first edge to each of the four times of a span."""
        whole = np.zeros((len(scores), len(edges)))
        np.cumsum(scores * (edges[1:] - edges[:-1]), axis=1, out=whole[:, 1:])
        return (whole[:, cell] + scores[:, cell] * into).reshape(len(scores), 4, -1)

    inside = until(rows)
    level = (inside[:, 1] - inside[:, 0]) / lengths
    above = until(np.maximum(rows, 0.0))
    around = (above[:, 0] - above[:, 2]) + (above[:, 3] - above[:, 1])
    contrast = level - around / (2 * reach)
    share = settings.context_share if settings.context_s > 0 else 0.0
    return (1 - share) * level + share * contrast, level


def _span(curve: Curve, first: int, last: int, min_s: float) -> Span:
    """The cells' span, widened to min_s around its best cell where the curve is long enough."""
    start, end = float(curve.edges[first]), float(curve.edges[last])
    if end - start < min_s:
        best = first + int(np.argmax(curve.scores[first:last]))
        middle = float(curve.times_s[best])
        low, high = float(curve.edges[0]), float(curve.edges[-1])
        start = max(low, min(start, middle - min_s / 2, high - min_s))
        end = min(high, max(end, start + min_s))
    return Span(start, end)


def best_time(curve: Curve, span: Span) -> float:
    """The middle of the highest cell that has its middle in the span, or the span's own middle."""
    times = curve.times_s
    first, last = times.searchsorted([span.start_s, span.end_s])
    return span.middle_s if first >= last else float(times[first + int(curve.scores[first:last].argmax())])
