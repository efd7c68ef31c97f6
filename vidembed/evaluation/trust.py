"""Whether confidence means what it says: reliability and calibration error.

An answer is right if its video is, and it overlaps a true span with an IoU of 0.3 where spans are known. Only first
answers are judged, since these are what a person believes or not; of queries without an answer every one is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidembed.evaluation.bootstrap import interval_of
from vidembed.evaluation.figures import QueryResult
from vidembed.evaluation.metrics import mean_of, roc_auc

Doubles = NDArray[np.float64]
RIGHT_IOU = 0.3
_BINS = 10
_DRAWS = 200
_Z = 1.96


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence: how sure they were in the mean, and how many were right.

    right_low, right_high: what the share of right ones may be with so few answers (95 %, Wilson 1927).
    """

    low: float
    high: float
    count: int
    confidence: float
    right: float
    right_low: float
    right_high: float


def judged(results: Sequence[QueryResult]) -> tuple[Doubles, NDArray[np.bool_]]:
    """(N,) confidence of each first answer, and whether it is right; queries that were not answered are left out."""
    shown = [result for result in results if result.answers]
    return np.array([result.confidence for result in shown]), np.array([_is_right(r) for r in shown], dtype=bool)


def _is_right(result: QueryResult) -> bool:
    if not result.has_answer:
        return False
    return result.rank == 1 if result.iou is None else result.iou >= RIGHT_IOU


def reliability(confidence: ArrayLike, right: ArrayLike) -> list[Bin]:
    """The answers in ten equal bins of confidence, empty ones left out; 1 belongs to the last."""
    sure, truth = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=bool)
    owner = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    made = []
    for i in range(_BINS):
        here = owner == i
        if here.any():
            count, share = int(here.sum()), float(truth[here].mean())
            made.append(Bin(i / _BINS, (i + 1) / _BINS, count, float(sure[here].mean()), share, *wilson(share, count)))
    return made


def wilson(share: float, count: int) -> tuple[float, float]:
    """Bounds that hold a share seen in `count` answers at 95 % (Wilson 1927)."""
    spread = _Z * _Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * (share * (1 - share) / count + spread / (4 * count)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_error(confidence: ArrayLike, right: ArrayLike) -> float:
    """Expected calibration error, 0..1: by how much confidence and share of right answers differ, in the mean.

    Source: Naeini, Cooper, Hauskrecht, AAAI 2015, with equal bins. NaN without answers.
    """
    found = reliability(confidence, right)
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.confidence - one.right) for one in found) / total if total else float("nan")


def chance_error(confidence: ArrayLike) -> tuple[float, float]:
    """The calibration error that these confidences would have if each meant just what it says.

    Returns:
        In the mean, and the one that 95 % of such answers stay below: an error under it can be chance.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    drawn = np.random.default_rng(0).random((_DRAWS, len(sure))) < sure
    errors = [calibration_error(sure, right) for right in drawn]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def trust_figures(results: Sequence[QueryResult], *, threshold: float) -> dict[str, float]:
    """What can be believed: calibration error, area under the curve, shares above the threshold of good matches."""
    sure, right = judged(results)
    if not len(sure):
        return {}
    absent = np.array([result.confidence for result in results if not result.has_answer])
    by_chance, at_most = chance_error(sure)
    return {
        "ECE": calibration_error(sure, right),
        "ECE by chance": by_chance,
        "ECE by chance, at most": at_most,
        "right answers shown as good": mean_of(sure[right] >= threshold),
        "wrong answers shown as good": mean_of(sure[~right] >= threshold),
        "without answer shown as good": mean_of(absent >= threshold),
        "answers judged": float(len(sure)),
    }


def trust_intervals(results: Sequence[QueryResult]) -> dict[str, tuple[float, float, float]]:
    """The areas under the curve with their 95 % bounds; queries for the same answer are drawn together."""
    shown = [result for result in results if result.answers]
    sure, right = judged(shown)
    answer = np.array([result.has_answer for result in shown], dtype=bool)
    owners = [str(r.right) if r.has_answer else r.query_id for r in shown]
    made = {}
    for name, truth in (("ROC AUC, right or wrong", right), ("ROC AUC, answer or none", answer)):
        if truth.any() and not truth.all():
            found = interval_of(_area(sure, truth), owners)
            made[name] = (found.value, found.low, found.high)
    return made


def _area(sure: Doubles, truth: NDArray[np.bool_]) -> Callable[[NDArray[np.int64]], float]:
    return lambda at: roc_auc(sure[at][truth[at]], sure[at][~truth[at]])
