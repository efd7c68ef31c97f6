"""Figures that the data sets' own scripts define, number for number: QVHighlights' highlights, DiDeMo's ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidembed.evaluation.metrics import Doubles, mean_of

_VERY_GOOD = 4.0
CLIP_S = 2.0  # QVHighlights rates clips of this length
SEGMENT_S = 5.0  # DiDeMo cuts videos into segments of this length
_SEGMENTS = 6
SegmentSpan = tuple[int, int]  # first and last segment
SEGMENT_SPANS: tuple[SegmentSpan, ...] = tuple((i, j) for i in range(_SEGMENTS) for j in range(i, _SEGMENTS))


def saliency_of(times_s: ArrayLike, scores: ArrayLike, clips: int) -> Doubles:
    """(clips,) mean of a score curve over each 2-second clip; between its times where a clip holds none of them."""
    times, curve = np.asarray(times_s, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if not len(times):
        return np.zeros(clips)
    made = np.interp((np.arange(clips) + 0.5) * CLIP_S, times, curve)
    owner = np.floor(times / CLIP_S).astype(int)
    for clip in np.unique(owner[(owner >= 0) & (owner < clips)]):
        made[clip] = curve[owner == clip].mean()
    return made


def highlight_report(predicted: Sequence[ArrayLike], rated: Sequence[ArrayLike]) -> dict[str, float]:
    """HIT@1 and HL-mAP as QVHighlights' own script computes them (Lei et al. 2021, standalone_eval/eval.py).

    HIT@1: whether any person rated the clip of the highest saliency 4, "very good". HL-mAP: the mean
    over queries and people of `highlight_precision`.

    Args:
        predicted: (clips,) saliency per query.
        rated: (clips, people) ratings 0..4 per query.

    Raises:
        ValueError: The two do not fit each other.
    """
    if len(predicted) != len(rated):
        raise ValueError(f"got saliency for {len(predicted)} queries, ratings for {len(rated)}")
    hits: list[float] = []
    precisions: list[float] = []
    for saliency, ratings in zip(predicted, rated):
        score, good = np.asarray(saliency, dtype=np.float64), np.asarray(ratings, dtype=np.float64) >= _VERY_GOOD
        if good.ndim != 2 or len(good) != len(score) or not len(score):
            raise ValueError(f"need (clips, people) ratings for {score.shape} clips, got {good.shape}")
        hits.append(float(good[int(np.argmax(score))].any()))
        precisions.append(mean_of([highlight_precision(score, person) for person in good.T]))
    return {"HIT@1": mean_of(hits), "HL-mAP": mean_of(precisions), "queries": float(len(hits))}


def highlight_precision(scores: ArrayLike, good: ArrayLike) -> float:
    """The mean of interpolated precision over the recalls that occur; 0 if no clip is good, 1 if all are.

    Not average precision: good clips of equal score count once, and precision at a recall is the best at any recall
    from there on. scores: (N,); good: (N,) of bool.
    """
    score, right = np.asarray(scores, dtype=np.float64), np.asarray(good, dtype=bool)
    if not right.any():
        return 0.0
    if right.all():
        return 1.0
    _, group, sizes = np.unique(-score, return_inverse=True, return_counts=True)
    hits = np.bincount(group, weights=right)
    precision = np.maximum.accumulate((np.cumsum(hits) / np.cumsum(sizes))[::-1])[::-1]
    return float(precision[hits > 0].mean())


def segment_ranking(found: Sequence[tuple[float, float]]) -> list[SegmentSpan]:
    """DiDeMo's 21 spans, best first, from answers in seconds: those that an answer overlaps most in the answers' order.

    The others follow by their IoU with the first answer.
    """
    bounds = np.array([(first * SEGMENT_S, (last + 1) * SEGMENT_S) for first, last in SEGMENT_SPANS])
    named: dict[SegmentSpan, None] = {}
    for answer in found:
        named.setdefault(SEGMENT_SPANS[int(np.argmax(_ious(bounds, answer)))])
    near: NDArray[np.float64] = _ious(bounds, found[0]) if found else np.zeros(len(bounds))
    rest = sorted(range(len(bounds)), key=lambda i: -near[i])
    return list(dict.fromkeys([*named, *(SEGMENT_SPANS[i] for i in rest)]))


def _ious(bounds: Doubles, answer: tuple[float, float]) -> Doubles:
    shared = np.minimum(bounds[:, 1], answer[1]) - np.maximum(bounds[:, 0], answer[0])
    shared = np.maximum(shared, 0.0)
    return np.asarray(shared / (bounds[:, 1] - bounds[:, 0] + max(answer[1] - answer[0], 0.0) - shared))


def segment_report(
    ranked: Sequence[Sequence[SegmentSpan]], chosen: Sequence[Sequence[SegmentSpan]]
) -> dict[str, float]:
    """Rank@1, Rank@5 and mIoU as DiDeMo's own script computes them (Hendricks et al. 2017, utils/eval.py).

    Of each query the mean rank over the three annotators whose spans rank best, and the mean IoU of the first span with
    the three annotators nearest to it.

    Args:
        ranked: Per query all spans (see `segment_ranking`), best first.
        chosen: Per query each annotator's span.
    """
    ranks: list[float] = []
    overlaps: list[float] = []
    for order, spans in zip(ranked, chosen, strict=True):
        ranks.append(float(np.mean(sorted(order.index(span) + 1 for span in spans)[:3])))
        overlaps.append(float(np.mean(sorted(_segment_iou(order[0], span) for span in spans)[-3:])))
    means = np.array(ranks)
    return {
        "Rank@1": mean_of(means <= 1),
        "Rank@5": mean_of(means <= 5),
        "mIoU, three annotators": mean_of(overlaps),
        "queries": float(len(ranks)),
    }


def _segment_iou(a: SegmentSpan, b: SegmentSpan) -> float:
    shared = max(0, min(a[1], b[1]) + 1 - max(a[0], b[0]))
    return shared / (max(a[1], b[1]) + 1 - min(a[0], b[0]))
