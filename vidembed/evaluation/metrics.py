"""Retrieval metrics, pure numpy. Ranks count from 1; what is not found has rank inf.

Ties: an answer that scores the same as a wrong one counts as ranked behind it ("pessimistic", the default), so that a
model which gives everything the same score gets the worst figures, not the best. Average precision treats tied
items as one group, so no order among them is made up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
Ties = Literal["pessimistic", "average", "optimistic"]
CUTS = (1, 5, 10, 50)


def ranks_from_scores(scores: ArrayLike, relevant: Sequence[Collection[int]], *, ties: Ties = "pessimistic") -> Doubles:
    """(Q,) rank of each query's best relevant item. scores: (Q, N); relevant: column numbers of each query.

    A query without a relevant item, or whose relevant scores are all NaN, has rank inf; other NaN rank last.
    ties: the best relevant item goes behind, in the middle of, or before the wrong ones of the same score.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(relevant):
        raise ValueError(f"need one row of scores per query, got {table.shape} for {len(relevant)} queries")
    share = {"pessimistic": 1.0, "average": 0.5, "optimistic": 0.0}[ties]
    ranks = np.full(len(table), np.inf)
    for i, columns in enumerate(relevant):
        right = np.zeros(table.shape[1], dtype=bool)
        right[list(columns)] = True
        own = table[i][right]
        if not len(own) or np.all(np.isnan(own)):
            continue
        best = np.nanmax(own)
        wrong = table[i][~right]
        ranks[i] = 1 + np.count_nonzero(wrong > best) + share * np.count_nonzero(wrong == best)
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


def average_precision(scores: ArrayLike, relevant: ArrayLike) -> float:
    """AP of one query, 0..1: the mean of precision at each relevant item, tied items taken together.

    scores: (N,); relevant: (N,) of bool. 0 when nothing is relevant. As scikit-learn's average_precision_score.
    """
    score, right = np.asarray(scores, dtype=np.float64), np.asarray(relevant, dtype=bool)
    if score.shape != right.shape or score.ndim != 1:
        raise ValueError(f"need one relevance per score, got {right.shape} for {score.shape}")
    if not right.any():
        return 0.0
    _, group, sizes = np.unique(-score, return_inverse=True, return_counts=True)
    hits = np.bincount(group, weights=right)
    precision = np.cumsum(hits) / np.cumsum(sizes)
    return float(hits @ precision / right.sum())


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
