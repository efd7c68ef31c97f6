"""Metrics of retrieval and of spans in time (R@n at an IoU, mIoU, mAP over IoUs), pure numpy.

Ranks count from 1; what is not found has rank inf.

Ties: an answer that scores the same as a wrong one counts as ranked behind it, so that a model which gives everything
the same score gets the worst figures, not the best.

A stretch is (video, start_s, end_s), plain values, because what is measured may be wrong: an empty stretch
(start_s == end_s), as merging single hits gives, has IoU 0 with everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
CUTS = (1, 5, 10, 50)


def ranks_from_scores(scores: ArrayLike, relevant: Sequence[Collection[int]]) -> Doubles:
    """(Q,) rank of each query's best relevant item. scores: (Q, N); relevant: column numbers of each query.

    A query without a relevant item, or whose relevant scores are all NaN, has rank inf; other NaN rank last.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(relevant):
        raise ValueError(f"need one row of scores per query, got {table.shape} for {len(relevant)} queries")
    ranks = np.full(len(table), np.inf)
    for i, columns in enumerate(relevant):
        right = np.zeros(table.shape[1], dtype=bool)
        right[list(columns)] = True
        own = table[i][right]
        if not len(own) or np.all(np.isnan(own)):
            continue
        best = np.nanmax(own)
        wrong = table[i][~right]
        ranks[i] = 1 + np.count_nonzero(wrong >= best)
    return ranks


def recall_at(ranks: ArrayLike, k: int) -> float:
    """R@k, 0..1: the share of queries with a relevant item among the first k. As the video papers use the word."""
    values = np.asarray(ranks, dtype=np.float64)
    return float(np.mean(values <= k)) if len(values) else float("nan")


def reciprocal_ranks(ranks: ArrayLike) -> Doubles:
    """(Q,) 1 / rank, 0 for what was not found; their mean is MRR."""
    return 1.0 / np.asarray(ranks, dtype=np.float64)


def rank_report(ranks: ArrayLike, *, cuts: Sequence[int] = CUTS) -> dict[str, float]:
    """R@k for each cut, median and mean rank, MRR and the number of queries. NaN where there is no query."""
    values = np.asarray(ranks, dtype=np.float64)
    report = {f"R@{k}": recall_at(values, k) for k in cuts}
    if not len(values):
        return {**report, "MedR": float("nan"), "MeanR": float("nan"), "MRR": float("nan"), "queries": 0.0}
    return {
        **report,
        "MedR": _median(values),
        "MeanR": float(values.mean()),
        "MRR": float(reciprocal_ranks(values).mean()),
        "queries": float(len(values)),
    }


def _median(values: Doubles) -> float:
    """As np.median, which warns of inf - inf where two ranks of inf meet."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else float((ordered[middle - 1] + ordered[middle]) / 2)


def ndcg(gains: ArrayLike, grades: ArrayLike, *, k: int = 10) -> float:
    """Normalised discounted cumulative gain of one query at k, 0..1; 0 when nothing is relevant.

    Gains are the grades themselves, discounted by log2(rank + 1), as ndcg_cut of trec_eval.

    Args:
        gains: (N,) grades of the answers, best answer first; 0 for what is not judged.
        grades: (M,) grades of all that is judged; those below 0 count as 0.
        k: Answers that count.
    """
    found, best = (np.maximum(np.asarray(values, dtype=np.float64), 0.0) for values in (gains, grades))
    ideal = _discounted(-np.sort(-best)[:k])
    return _discounted(found[:k]) / ideal if ideal > 0 else 0.0


def _discounted(gains: Doubles) -> float:
    return float(gains @ (1 / np.log2(np.arange(2, len(gains) + 2))))


def roc_auc(positives: ArrayLike, negatives: ArrayLike) -> float:
    """Area under the ROC curve, 0..1: how often a positive scores above a negative, ties count half.

    For "is there a match": confidences of queries with and without an answer. NaN when either is empty.
    Source: Hanley and McNeil 1982 (the Mann-Whitney statistic).
    """
    high, low = np.asarray(positives, dtype=np.float64), np.sort(np.asarray(negatives, dtype=np.float64))
    if not len(high) or not len(low):
        return float("nan")
    below = np.searchsorted(low, high, side="left")
    not_above = np.searchsorted(low, high, side="right")
    return float((below + not_above).mean() / 2 / len(low))


def mean_of(values: Sequence[float] | NDArray[Any]) -> float:
    """The mean of numbers, NaN for none."""
    return float(np.mean(values)) if len(values) else float("nan")


IOUS = (0.3, 0.5, 0.7)
MAP_IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))  # 0.5 to 0.95, as in QVHighlights
_COUNTED = 10  # of a query's answers, as in QVHighlights
_EPS = 1e-9  # 0.3 seconds of 0.6 is an IoU of 0.5, whatever the last bit says


class Stretch(NamedTuple):
    """A span of a video, as predicted or as annotated."""

    video: str
    start_s: float
    end_s: float


def iou_table(found: Sequence[Stretch], true: Sequence[Stretch]) -> Doubles:
    """(F, T) intersection over union in time; 0 across videos and for empty stretches."""
    if not found or not true:
        return np.zeros((len(found), len(true)))
    a = np.array([[s.start_s, s.end_s] for s in found], dtype=np.float64)
    b = np.array([[s.start_s, s.end_s] for s in true], dtype=np.float64)
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    shared = np.maximum(shared, 0)
    both = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None] - shared
    names = {video: i for i, video in enumerate(dict.fromkeys(s.video for s in [*found, *true]))}
    same = np.array([names[s.video] for s in found])[:, None] == np.array([names[s.video] for s in true])[None]
    return np.where(same & (both > 0), shared / np.where(both > 0, both, 1), 0.0)


def best_iou(found: Sequence[Stretch], true: Sequence[Stretch], *, n: int = 1) -> float:
    """The largest IoU of the first n answers with any of the true stretches; 0 when there is none."""
    table = iou_table(found[:n], true)
    return float(table.max()) if table.size else 0.0


def recalls(
    found: Sequence[Sequence[Stretch]], true: Sequence[Sequence[Stretch]], *, n: int, iou: float
) -> NDArray[np.bool_]:
    """(Q,) whether one of the first n answers reaches the IoU with one of the true stretches; the mean is R@n."""
    _same_length(found, true)
    return np.array([best_iou(f, t, n=n) >= iou - _EPS for f, t in zip(found, true)], dtype=bool)


def average_precision_at(found: Sequence[Stretch], true: Sequence[Stretch], *, iou: float) -> float:
    """AP of one query's answers, best first, at one IoU: each true stretch is taken by the first answer that fits.

    An answer takes the free true stretch it overlaps most; precision is interpolated over recall at all points.
    As ActivityNet's detection metric and QVHighlights' per-query mAP (Lei et al. 2021; its 10 best answers count).
    """
    if not true:
        return 0.0
    table = iou_table(found[:_COUNTED], true)
    free = np.ones(len(true), dtype=bool)
    hits: list[bool] = []
    for row in table:
        fitting = np.where(free & (row >= iou - _EPS), row, -1.0)
        best = int(np.argmax(fitting))
        hits.append(bool(fitting[best] >= 0))
        if hits[-1]:
            free[best] = False
    return _interpolated(hits, len(true))


def _interpolated(hits: Sequence[bool], positives: int) -> float:
    if not len(hits):
        return 0.0
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate([[0], right])) / positives
    return float(precision @ steps)


def moment_report(
    found: Sequence[Sequence[Stretch]],
    true: Sequence[Sequence[Stretch]],
) -> dict[str, float]:
    """R@n,IoU=t for each n and t, mIoU of the first answer, mAP at 0.5, 0.75 and over 0.5:0.95, empty answers.

    found: per query, best first. true: per query; queries without a true stretch are left out and counted.
    """
    _same_length(found, true)
    pairs = [(list(f), list(t)) for f, t in zip(found, true) if t]
    asked = [f for f, _ in pairs]
    right = [t for _, t in pairs]
    report: dict[str, float] = {}
    for n in (1, 5):
        for iou in IOUS:
            report[f"R@{n},IoU={iou:g}"] = mean_of(recalls(asked, right, n=n, iou=iou))
    report["mIoU"] = mean_of([best_iou(f, t) for f, t in pairs])
    per_iou = {iou: mean_of([average_precision_at(f, t, iou=iou) for f, t in pairs]) for iou in MAP_IOUS}
    report["mAP@0.5"], report["mAP@0.75"] = per_iou[0.5], per_iou[0.75]
    report["mAP"] = mean_of(list(per_iou.values()))
    shown = [stretch for f in asked for stretch in f]
    report["empty spans"] = float(sum(stretch.end_s <= stretch.start_s for stretch in shown))
    report["queries"] = float(len(pairs))
    report["left out"] = float(len(found) - len(pairs))
    return report


def iou_histogram(
    found: Sequence[Sequence[Stretch]], true: Sequence[Sequence[Stretch]], *, bins: int = 10
) -> Mapping[str, int]:
    """How many first answers have which IoU, in `bins` equal bins of 0..1 (1 belongs to the last one)."""
    _same_length(found, true)
    values = [best_iou(f, t) for f, t in zip(found, true) if t]
    counts, edges = np.histogram(values, bins=bins, range=(0, 1))
    return {f"{a:.1f}-{b:.1f}": int(count) for a, b, count in zip(edges, edges[1:], counts)}


def _same_length(found: Sequence[object], true: Sequence[object]) -> None:
    if len(found) != len(true):
        raise ValueError(f"got answers to {len(found)} queries, truth for {len(true)}")
