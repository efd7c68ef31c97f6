"""From score curves to spans: proposals at several levels, scored against their context, overlaps suppressed.

Scores should be z-scores against the background: outside the video a curve counts as 0, "like any query".
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidembed.config.schema import MomentSettings
from vidembed.search.curves import Axis, Places, Seconds
from vidembed.types import Clip, Span
from vidembed.vectors import distinct

_LAST_S = 99_999_999.0  # no video is as long
_MAX_PROPOSALS = 400  # the best ones enter the suppression
_MAX_SHOTS = 8  # neighbouring shots that are joined at most
# Chosen on the tuning half of benchmarks/camera.py: deviations above a place from which something stands out, not at
# all and surely; and how many seconds the deviation between unlike pictures, 1, counts for beside the measured one.
_STANDS_OUT = (3.0, 6.0)
_UNKNOWN_S = 0.1
_ROUNDED_S = 1e-6  # sums of seconds are no more exact


@dataclass(eq=False)
class MomentCandidate:
    """A span of a score curve that may become an answer; a search fills in the fields with defaults.

    Attributes:
        window: Number of its stretch on the axis, which is its window on the sheet.
        span: In the video.
        best_s: Time of the curve's maximum inside the span, before smoothing.
        score: What it is ranked by: on its curve, lowered where better spans overlap it; after fusion, the fused score.
        seeds: Clips found that it overlaps.
        values: Channel -> score, for the fusion.
        highest: Each channel's highest z in it, -inf where it has none.
        phrase: It has the query's exact words.
    """

    window: int
    span: Span
    best_s: float
    score: float
    seeds: Sequence[Clip] = ()
    values: dict[str, float] = field(default_factory=dict)
    highest: Sequence[float] = ()
    phrase: bool = False

    @property
    def video_id(self) -> str:
        """Of its seeds."""
        return self.seeds[0].video_id

    @cached_property
    def key(self) -> str:
        """Sorts by video, start, then the longest first: of equal answers, shorter parts are duplicates."""
        return f"{self.video_id}:{self.span.start_s:012.3f}:{_LAST_S - self.span.end_s:012.3f}"


def propose_each(
    axis: Axis,
    scores: NDArray[np.float64],
    smoothed: NDArray[np.float64],
    shots: Sequence[Sequence[Span]],
    *,
    settings: MomentSettings,
) -> list[list[MomentCandidate]]:
    """Find the best spans of each of W curves.

    Candidates are the stretches above each of `levels` thresholds (a watershed, as in Zhao et al., TAG, ICCV 2017), and
    unions of up to eight neighbouring shots or clips (as in Diwan et al., 2022). A candidate's score is
    (1 - context_share) x mean + context_share x (mean - mean around it); overlaps are suppressed by `soft_nms`.

    Args:
        axis: W stretches, N cells.
        scores: (N,) before smoothing, for `best_s`.
        smoothed: (N,) after it, for spans.
        shots: Of each stretch.
        settings: The settings under `search.moments`.

    Returns:
        Candidates of each stretch by score down, then start; at least one each, none empty.
    """
    first, last = _cells(axis, smoothed, shots, settings)
    stretch = axis.stretch[first]
    starts, ends = axis.starts[first], axis.ends[last - 1]
    # Equal ones are equal, whatever their sums round to.
    score = _scored(axis, smoothed[None], stretch, np.stack([starts, ends]), settings)[0].round(9)
    # Of equal candidates the longest one is kept, then the earliest: a level stretch is one answer, not many.
    order = np.lexsort((first, first - last, -score, stretch))
    borders = stretch[order].searchsorted(np.arange(len(axis.bounds))).tolist()
    spans = _Spans(axis, scores, smoothed, settings.min_s)
    answer = []
    for window, (begin, end) in enumerate(pairwise(borders)):
        own = order[begin : min(end, begin + _MAX_PROPOSALS)]
        kept, decayed = soft_nms(starts[own], ends[own], score[own], sigma=settings.nms_sigma, n=settings.per_video)
        chosen = own[kept]
        found = zip(first[chosen].tolist(), last[chosen].tolist(), decayed, strict=True)
        answer.append([spans.candidate(window, *one) for one in found])
    return answer


def soft_nms(
    starts: Seconds, ends: Seconds, scores: ArrayLike, *, sigma: float, n: int
) -> tuple[list[int], list[float]]:
    """Soft non-maximum suppression: places of the n best spans, best first, and their decayed scores.

    Scores decay by exp(-overlap^2 / sigma), measured from the lowest score so that negative ones shrink too. The
    overlap is the IoU, but at least 1/2 for a span inside another: a piece of an answer is no other answer. Ties keep
    the given order. Source: Bodla et al., Soft-NMS, ICCV 2017.
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


def whole_spans(axis: Axis, scores: NDArray[np.float64], chosen: Sequence[tuple[int, Span]]) -> list[MomentCandidate]:
    """Candidates of given (stretch, span), with score 0: after all others."""
    spans = _Spans(axis, scores, scores, min_s=0.0)
    return [MomentCandidate(stretch, span, spans.best_time(stretch, span), 0.0) for stretch, span in chosen]


def _cells(
    axis: Axis, scores: NDArray[np.float64], shots: Sequence[Sequence[Span]], settings: MomentSettings
) -> tuple[Places, Places]:
    """First and one-past-last cells of all candidates, each pair once; none longer than max_s but single cells."""
    begins, stretch = axis.bounds[:-1], axis.stretch
    low, high = np.minimum.reduceat(scores, begins), np.maximum.reduceat(scores, begins)
    highest = np.flatnonzero(scores == high[stretch])
    peak = highest[highest.searchsorted(begins)]
    # The lowest threshold is the whole curve, which is there already; the highest would be the peak alone.
    step = (high - low) / (settings.levels + 1)
    thresholds = np.arange(1, settings.levels + 1)[:, None] * step + low
    # A column that is never above stands before, between and after the stretches.
    column = np.arange(len(axis)) + stretch + 1
    above = np.zeros((settings.levels, len(axis) + len(begins) + 1), dtype=np.int8)
    above[:, column] = scores >= thresholds[:, stretch]
    change = above[:, 1:] - above[:, :-1]
    cell = np.zeros(above.shape[1], dtype=np.int64)
    cell[column] = np.arange(len(axis))
    # Both go row by row, so that starts and ends pair up.
    firsts = [begins, peak, cell[np.nonzero(change == 1)[1] + 1]]
    lasts = [axis.bounds[1:], peak + 1, cell[np.nonzero(change == -1)[1]] + 1]
    for number, own in enumerate(shots):
        if own:
            edges, begin = axis.edges(number), int(begins[number])
            starts = begin + edges.searchsorted([s.start_s for s in own])
            ends = begin + np.minimum(edges.searchsorted([s.end_s for s in own]), len(edges) - 1)
            for length in range(min(len(own), _MAX_SHOTS)):
                firsts.append(starts[: len(own) - length])
                lasts.append(ends[length:])
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    inside = first < last
    pairs = distinct(first[inside] * (len(axis) + 1) + last[inside])
    first, last = np.divmod(pairs, len(axis) + 1)
    fits = (axis.ends[last - 1] - axis.starts[first] <= settings.max_s) | (last - first == 1)
    return first[fits], last[fits]


def score_spans(
    axis: Axis, rows: NDArray[np.float64], stretch: Sequence[int], spans: Sequence[Span], settings: MomentSettings
) -> NDArray[np.float64]:
    """(L, S) score, as `propose_each` computes it, of S spans on each of L curves (L, N). stretch: of each span."""
    times = np.array([(span.start_s, span.end_s) for span in spans], dtype=np.float64).T
    return _scored(axis, rows, np.asarray(stretch, dtype=np.int64), times, settings)


def _scored(
    axis: Axis, rows: NDArray[np.float64], stretch: Places, times_s: Seconds, settings: MomentSettings
) -> NDArray[np.float64]:
    """(L, S) score of each span on each curve, from integrals. times_s: (2, S) starts and ends."""
    starts, ends = times_s
    lengths = ends - starts
    # Context as long as the span itself on either side, within limits. Beyond the video's ends the curve counts as 0,
    # the background level, so that a video that matches all through is answered as a whole; where something stands
    # out from a place that fits the query a little by itself, as that place. Stretches below the background count as
    # 0 too: what lies beside an event makes it no better by fitting less than nothing.
    reach = np.minimum(np.maximum(lengths, settings.min_s), max(settings.context_s, settings.min_s))
    inside = axis.until(rows, times_s, stretch)
    around_s = np.stack([starts, ends, starts - reach, ends + reach])
    above = axis.until(np.maximum(rows, 0.0), around_s, stretch)
    level = (inside[:, 1] - inside[:, 0]) / lengths
    around = (above[:, 0] - above[:, 2]) + (above[:, 3] - above[:, 1])
    seen_s = np.minimum(ends + reach, axis.high[stretch]) - np.maximum(starts - reach, axis.low[stretch]) - lengths
    around += _place(axis, rows)[:, stretch] * (2 * reach - seen_s)
    contrast = level - around / (2 * reach)
    share = settings.context_share if settings.context_s > 0 else 0.0
    return (1 - share) * level + share * contrast


def _place(axis: Axis, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L, W) how high the query scores on the place alone, as of a fixed camera, where something else stands out.

    That is the median of a curve, as far as its highest point lies more deviations above it than chance gives. A curve
    that is high all through, or moves up and down, says nothing of a place: 0.
    """
    middle = _medians(axis, rows)
    spread = 1.4826 * _medians(axis, np.abs(rows - middle[:, axis.stretch]))
    seconds = axis.high - axis.low
    deviation = np.sqrt((seconds * spread**2 + _UNKNOWN_S) / (seconds + _UNKNOWN_S))
    above = (np.maximum.reduceat(rows, axis.bounds[:-1], axis=1) - middle) / deviation
    few, many = _STANDS_OUT
    return np.asarray(np.maximum(middle, 0.0) * np.clip((above - few) / (many - few), 0.0, 1.0))


def _medians(axis: Axis, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L, W) median over the seconds of each stretch, the lower of two."""
    last = axis.bounds[1:] - 1
    answer = np.empty((len(rows), len(last)))
    for row, medians in zip(rows, answer, strict=True):
        order = np.lexsort((row, axis.stretch))
        until_s = axis.lengths_s[order].cumsum()
        middle_s = (np.concatenate([[0.0], until_s[last[:-1]]]) + until_s[last]) / 2
        medians[:] = row[order[until_s.searchsorted(middle_s - _ROUNDED_S)]]
    return answer


class _Spans:
    """Makes spans of cells. Uses lists: for a few cells each they are faster than arrays."""

    def __init__(self, axis: Axis, scores: NDArray[np.float64], smoothed: NDArray[np.float64], min_s: float) -> None:
        self._bounds = axis.bounds.tolist()
        self._low, self._high = axis.low.tolist(), axis.high.tolist()
        self._starts, self._ends, self._times = axis.starts.tolist(), axis.ends.tolist(), axis.times_s.tolist()
        self._scores, self._smoothed, self._min_s = scores.tolist(), smoothed.tolist(), min_s

    def candidate(self, stretch: int, first: int, last: int, score: float) -> MomentCandidate:
        span = self._span(stretch, first, last)
        return MomentCandidate(stretch, span, self.best_time(stretch, span), score)

    def _span(self, stretch: int, first: int, last: int) -> Span:
        """The cells' span, widened to min_s around its best cell if the curve is long enough."""
        start, end = self._starts[first], self._ends[last - 1]
        if end - start < self._min_s:
            middle = self._times[max(range(first, last), key=self._smoothed.__getitem__)]
            low, high = self._low[stretch], self._high[stretch]
            start = max(low, min(start, middle - self._min_s / 2, high - self._min_s))
            end = min(high, max(end, start + self._min_s))
        return Span(start, end)

    def best_time(self, stretch: int, span: Span) -> float:
        """Middle of the highest cell that has its middle in the span, else the span's own middle."""
        cells = self._bounds[stretch], self._bounds[stretch + 1]
        first, last = (bisect_left(self._times, time_s, *cells) for time_s in (span.start_s, span.end_s))
        return span.middle_s if first >= last else self._times[max(range(first, last), key=self._scores.__getitem__)]
