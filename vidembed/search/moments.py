"""From score curves to spans: proposals at several levels, scored against their context, overlaps suppressed.

Scores should be z-scores against the background: outside the video a curve counts as 0, "like any query".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import MomentSettings
from vidembed.search.curves import Axis, Places, Seconds
from vidembed.types import Span
from vidembed.vectors import distinct

_MAX_PROPOSALS = 400  # the best ones enter the suppression
_MAX_SHOTS = 8  # neighbouring shots that are joined at most
# Chosen on the tuning half of benchmarks/camera.py: deviations above a place from which something stands out, not at
# all and surely; and how many seconds the deviation between unlike pictures, 1, counts for beside the measured one.
_STANDS_OUT = (3.0, 6.0)
_UNKNOWN_S = 0.1
_ROUNDED_S = 1e-6  # sums of seconds are no more exact


@dataclass(frozen=True, eq=False)
class Spans:
    """C spans of the stretches of an axis, which are the windows of a sheet.

    Attributes:
        stretch: (C,) the number of each one's stretch, rising unless said otherwise.
        starts, ends: (C,) seconds in the video.
        scores: (C,) what each is worth on its curve, lowered where better spans overlap it.
    """

    stretch: Places
    starts: Seconds
    ends: Seconds
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.stretch)

    def __getitem__(self, places: NDArray[np.integer | np.bool_]) -> Spans:
        """Those at these places, or where True."""
        return Spans(self.stretch[places], self.starts[places], self.ends[places], self.scores[places])

    @classmethod
    def of(cls, spans: Sequence[tuple[int, float, float]]) -> Spans:
        """From (stretch, start, end), with score 0: after all others."""
        table = np.array(spans, dtype=np.float64).reshape(-1, 3)
        return cls(table[:, 0].astype(np.int64), table[:, 1], table[:, 2], np.zeros(len(table)))

    def and_then(self, more: Spans) -> Spans:
        """These and more; their stretches rise in each part."""
        return Spans(
            np.concatenate([self.stretch, more.stretch]),
            np.concatenate([self.starts, more.starts]),
            np.concatenate([self.ends, more.ends]),
            np.concatenate([self.scores, more.scores]),
        )


def propose_each(
    axis: Axis, smoothed: NDArray[np.float64], shots: Sequence[Sequence[Span]], *, settings: MomentSettings
) -> Spans:
    """Find the best spans of each of W curves.

    Candidates are the stretches above each of `levels` thresholds (a watershed, as in Zhao et al., TAG, ICCV 2017), and
    unions of up to eight neighbouring shots or clips (as in Diwan et al., 2022). A candidate's score is
    (1 - context_share) x mean + context_share x (mean - mean around it); overlaps are suppressed by `soft_nms`. Spans
    below min_s are widened around their best cell where the curve is long enough.

    Args:
        axis: W stretches, N cells.
        smoothed: (N,) scores.
        shots: Of each stretch.
        settings: The settings under `search.moments`.

    Returns:
        Spans by stretch, best first; at least one each, none empty.
    """
    first, last = _cells(axis, smoothed, shots, settings)
    spans = Spans(axis.stretch[first], axis.starts[first], axis.ends[last - 1], np.zeros(len(first)))
    # Equal ones are equal, whatever their sums round to.
    score = score_spans(axis, smoothed[None], spans, settings)[0].round(9)
    # Of equal candidates the longest one is kept, then the earliest: a level stretch is one answer, not many.
    order = np.lexsort((first, first - last, -score, spans.stretch))
    ordered = spans.stretch[order]
    order = order[np.arange(len(order)) - ordered.searchsorted(ordered) < _MAX_PROPOSALS]
    spans = Spans(spans.stretch[order], spans.starts[order], spans.ends[order], score[order])
    kept, decayed = soft_nms(spans, sigma=settings.nms_sigma, n=settings.per_video)
    chosen = order[kept]
    best = spans[kept]
    starts, ends = best.starts.copy(), best.ends.copy()
    for place in np.flatnonzero(ends - starts < settings.min_s).tolist():
        cells = slice(int(first[chosen[place]]), int(last[chosen[place]]))
        middle = float(axis.times_s[cells.start + smoothed[cells].argmax()])
        low, high = float(axis.low[best.stretch[place]]), float(axis.high[best.stretch[place]])
        starts[place] = max(low, min(starts[place], middle - settings.min_s / 2, high - settings.min_s))
        ends[place] = min(high, max(ends[place], starts[place] + settings.min_s))
    return Spans(best.stretch, starts, ends, decayed)


def soft_nms(spans: Spans, *, sigma: float, n: int) -> tuple[Places, NDArray[np.float64]]:
    """Soft non-maximum suppression: places of the n best spans of each stretch, best first, and their decayed scores.

    Scores decay by exp(-overlap^2 / sigma), measured from the stretch's lowest score so that negative ones shrink too.
    The overlap is the IoU, but at least 1/2 for a span inside another: a piece of an answer is no other answer. Ties
    keep the given order. Source: Bodla et al., Soft-NMS, ICCV 2017.
    """
    left, values, floor = np.arange(len(spans)), spans.scores, spans.scores
    stretch, starts, ends = spans.stretch, spans.starts, spans.ends
    if len(spans):
        firsts, number = _groups(stretch)
        floor = np.minimum.reduceat(values, firsts)[number]
        values = values - floor
    kept, decayed = [left[:0]], [values[:0]]
    while len(left) and len(kept) <= n:
        firsts, number = _groups(stretch)
        highest = np.flatnonzero(values == np.maximum.reduceat(values, firsts)[number])
        best = highest[highest.searchsorted(firsts)]
        kept.append(left[best])
        decayed.append(values[best] + floor[left[best]])
        over = best[number]
        lengths, theirs = ends - starts, (ends - starts)[over]
        shared = np.maximum(np.minimum(ends, ends[over]) - np.maximum(starts, starts[over]), 0)
        iou = shared / (lengths + theirs - shared)
        values = values * np.exp(-(np.maximum(iou, shared / np.minimum(lengths, theirs) / 2) ** 2) / sigma)
        # What says nearly the same as a chosen span is dropped, or it would come back among weak ones.
        other = iou <= 0.9
        left, stretch, starts, ends, values = (one[other] for one in (left, stretch, starts, ends, values))
    places = np.concatenate(kept)
    order = spans.stretch[places].argsort(kind="stable")
    return places[order], np.concatenate(decayed)[order]


def _groups(rising: Places) -> tuple[Places, Places]:
    """Where each run of equal values begins, and (N,) the number of each one's run. N >= 1."""
    new = np.append(True, rising[1:] != rising[:-1])
    return np.flatnonzero(new), new.cumsum() - 1


def best_time(axis: Axis, scores: NDArray[np.float64], stretch: int, span: Span) -> float:
    """Middle of the highest cell that has its middle in the span, else the span's own middle. scores: (N,)."""
    cells = axis.cells(stretch)
    first, last = axis.times_s[cells].searchsorted([span.start_s, span.end_s]).tolist()
    if first >= last:
        return span.middle_s
    return float(axis.times_s[cells][first + scores[cells][first:last].argmax()])


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
    edges, bounds = axis.starts.tolist(), axis.bounds.tolist()
    of_shot = np.repeat(np.arange(len(shots)), [len(own) for own in shots])
    limits = [(span, bounds[number], bounds[number + 1]) for number, own in enumerate(shots) for span in own]
    starts = np.array([bisect_left(edges, span.start_s, *cells) for span, *cells in limits], dtype=np.int64)
    ends = np.array([bisect_left(edges, span.end_s, *cells) for span, *cells in limits], dtype=np.int64)
    for length in range(min(len(limits), _MAX_SHOTS)):
        until = len(limits) - length
        together = of_shot[:until] == of_shot[length:]
        firsts.append(starts[:until][together])
        lasts.append(ends[length:][together])
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    inside = first < last
    pairs = distinct(first[inside] * (len(axis) + 1) + last[inside])
    first, last = np.divmod(pairs, len(axis) + 1)
    fits = (axis.ends[last - 1] - axis.starts[first] <= settings.max_s) | (last - first == 1)
    return first[fits], last[fits]


def score_spans(axis: Axis, rows: NDArray[np.float64], spans: Spans, settings: MomentSettings) -> NDArray[np.float64]:
    """(L, C) score, as `propose_each` computes it, of each span on each of L curves (L, N), from integrals."""
    stretch, starts, ends = spans.stretch, spans.starts, spans.ends
    lengths = ends - starts
    # Context as long as the span itself on either side, within limits. Beyond the video's ends the curve counts as 0,
    # the background level, so that a video that matches all through is answered as a whole; where something stands
    # out from a place that fits the query a little by itself, as that place. Stretches below the background count as
    # 0 too: what lies beside an event makes it no better by fitting less than nothing.
    reach = np.minimum(np.maximum(lengths, settings.min_s), max(settings.context_s, settings.min_s))
    inside = axis.until(rows, np.stack([starts, ends]), stretch)
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
