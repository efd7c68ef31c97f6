"""Whether confidence means what it says: reliability, calibration error, and a curve fitted to one's own queries.

An answer is right if its video is, and it overlaps a true span with an IoU of 0.3 where spans are known. Only first
answers are judged, since these are what a person believes or not; of queries without an answer every one is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidembed.evaluation.bootstrap import interval_of
from vidembed.evaluation.figures import QueryResult
from vidembed.evaluation.metrics import mean_of, roc_auc
from vidembed.search.confidence import KINDS, Curve, Kind, log_odds

Doubles = NDArray[np.float64]
RIGHT_IOU = 0.3
_LEAST_SLOPE = 0.01
_PRIOR = 1.0  # weight, in answers, of the curve that changes nothing
LEAST_ANSWERS = 20  # of one kind, below which no curve is fitted to it
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


def reliability(confidence: ArrayLike, right: ArrayLike, *, bins: int = 10) -> list[Bin]:
    """The answers in `bins` equal bins of confidence, empty ones left out; 1 belongs to the last."""
    sure, truth = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=bool)
    owner = np.minimum((sure * bins).astype(int), bins - 1)
    made = []
    for i in range(bins):
        here = owner == i
        if here.any():
            count, share = int(here.sum()), float(truth[here].mean())
            made.append(Bin(i / bins, (i + 1) / bins, count, float(sure[here].mean()), share, *wilson(share, count)))
    return made


def wilson(share: float, count: int) -> tuple[float, float]:
    """Bounds that hold a share seen in `count` answers at 95 % (Wilson 1927)."""
    spread = _Z * _Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * (share * (1 - share) / count + spread / (4 * count)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_error(confidence: ArrayLike, right: ArrayLike, *, bins: int = 10) -> float:
    """Expected calibration error, 0..1: by how much confidence and share of right answers differ, in the mean.

    Source: Naeini, Cooper, Hauskrecht, AAAI 2015, with equal bins. NaN without answers.
    """
    found = reliability(confidence, right, bins=bins)
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.confidence - one.right) for one in found) / total if total else float("nan")


def chance_error(confidence: ArrayLike, *, seed: int = 0) -> tuple[float, float]:
    """The calibration error that these confidences would have if each meant just what it says.

    Returns:
        In the mean, and the one that 95 % of such answers stay below: an error under it can be chance.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    drawn = np.random.default_rng(seed).random((_DRAWS, len(sure))) < sure
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


def trust_intervals(results: Sequence[QueryResult], *, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """The areas under the curve with their 95 % bounds; queries for the same answer are drawn together."""
    shown = [result for result in results if result.answers]
    sure, right = judged(shown)
    answer = np.array([result.has_answer for result in shown], dtype=bool)
    owners = [str(r.right) if r.has_answer else r.query_id for r in shown]
    made = {}
    for name, truth in (("ROC AUC, right or wrong", right), ("ROC AUC, answer or none", answer)):
        if truth.any() and not truth.all():
            found = interval_of(_area(sure, truth), owners, seed=seed)
            made[name] = (found.value, found.low, found.high)
    return made


def _area(sure: Doubles, truth: NDArray[np.bool_]) -> Callable[[NDArray[np.int64]], float]:
    return lambda at: roc_auc(sure[at][truth[at]], sure[at][~truth[at]])


def fit_curve(confidence: ArrayLike, right: ArrayLike) -> Curve:
    """The curve of confidence that fits the answers best.

    Logistic regression on the log-odds (Platt 1999), drawn towards slope 1 and offset 0 by the weight of one answer;
    the slope stays above 0, so that the order of answers stays, too.
    """
    odds, truth = _odds(confidence), np.asarray(right, dtype=np.float64)
    rows = np.stack([odds, np.ones_like(odds)], axis=1)
    fitted = _descended(rows, truth, np.array([1.0, 0.0]), free=2)
    if fitted[0] < _LEAST_SLOPE:
        fitted = _descended(rows, truth, np.array([_LEAST_SLOPE, fitted[1]]), free=1)
    return Curve(round(float(fitted[0]), 3), round(float(fitted[1]), 3))


def _descended(rows: Doubles, truth: Doubles, start: Doubles, *, free: int) -> Doubles:
    """The curve of least loss, by Newton's method with steps halved until they gain. free: 1 = the offset alone."""

    def loss(curve: Doubles) -> float:
        found = rows @ curve
        prior = (curve[0] - 1) ** 2 + curve[1] ** 2
        return float((np.logaddexp(0, found) - truth * found).sum() + _PRIOR * prior / 2)

    curve, part = start.copy(), slice(2 - free, 2)
    for _ in range(100):
        found = 1 / (1 + np.exp(-np.clip(rows @ curve, -30, 30)))
        slope = rows.T @ (found - truth) + _PRIOR * (curve - np.array([1.0, 0.0]))
        bend = rows.T @ (rows * (found * (1 - found))[:, None]) + _PRIOR * np.eye(2)
        step = np.zeros(2)
        step[part] = np.linalg.solve(bend[part, part], slope[part])
        while np.abs(step).max() > 1e-9 and loss(curve - step) > loss(curve):
            step /= 2
        curve = curve - step
        if np.abs(step).max() <= 1e-9:
            break
    return curve


def on_curve(confidence: ArrayLike, curve: Curve) -> Doubles:
    """Confidences moved by the curve."""
    return np.array([curve.of(float(one)) for one in np.asarray(confidence, dtype=np.float64)])


def _odds(confidence: ArrayLike) -> Doubles:
    return np.array([log_odds(float(one)) for one in np.asarray(confidence, dtype=np.float64)])


@dataclass(frozen=True)
class Fitted:
    """A curve, the number of first answers it was fitted to, and the calibration error before and after.

    after: Measured by halves, each by the curve of the other.
    """

    curve: Curve
    answers: int
    before: float
    after: float


def calibrate(results: Sequence[QueryResult], used: Mapping[str, Curve], *, seed: int = 0) -> dict[str, Fitted]:
    """A curve for each kind of query with enough answers, right and wrong ones; kinds with too few are left out.

    Args:
        results: What was asked and answered.
        used: Kind -> the curve that moved these confidences; it is taken off first.
        seed: Of the halves. Answers for the same truth are in one half.
    """
    made: dict[str, Fitted] = {}
    for kind in KINDS:
        shown = [r for r in results if r.answers and _KIND_OF[r.modality] == kind]
        sure, right = judged(shown)
        if len(shown) < LEAST_ANSWERS or right.all() or not right.any():
            continue
        before = sure
        if kind in used:
            sure = np.array([used[kind].before(float(one)) for one in sure])
        owners = [str(r.right) if r.has_answer else r.query_id for r in shown]
        number = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
        half = np.random.default_rng(seed).permutation(len(number)) % 2
        side = np.array([half[number[owner]] for owner in owners])
        moved = sure.copy()
        for one in (0, 1):
            moved[side == one] = on_curve(sure[side == one], fit_curve(sure[side != one], right[side != one]))
        curve = fit_curve(sure, right)
        made[kind] = Fitted(curve, len(shown), calibration_error(before, right), calibration_error(moved, right))
    return made


_KIND_OF: dict[str, Kind] = {"text": "text", "image": "picture", "video": "picture", "audio": "sound"}
