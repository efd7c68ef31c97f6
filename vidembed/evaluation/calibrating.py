"""Curves of confidence fitted to a person's own questions and saved with their index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from vidembed.errors import InputError
from vidembed.evaluation.dataset import DataSet
from vidembed.evaluation.figures import QueryResult
from vidembed.evaluation.metrics import Doubles
from vidembed.evaluation.run import evaluate, models_of
from vidembed.evaluation.trust import calibration_error, judged
from vidembed.search.confidence import KINDS, Curve, Kind, log_odds, save_curves

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

_LEAST_SLOPE = 0.01
_PRIOR = 1.0  # weight, in answers, of the curve that changes nothing
LEAST_ANSWERS = 20  # of one kind, below which no curve is fitted to it


def calibrate_index(index: VideoIndex, dataset: DataSet, *, channels: Sequence[str] | None = None) -> dict[str, Fitted]:
    """Ask the queries, fit a curve to each kind of them, and save the curves with a card in the index's folder.

    Raises:
        InputError: No kind of query has answers enough, right and wrong ones.
    """
    used = index.parts.searcher.curves
    report = evaluate(index, dataset, channels=channels)
    found = calibrate(report.queries, used.kinds)
    if not found:
        raise InputError(
            f"{len(report.queries)} queries are too few: a curve needs {LEAST_ANSWERS} first answers of one kind "
            "(text, picture or sound), right and wrong ones",
            hint='add queries, and some that nothing answers: {"text": "...", "no_answer": true}',
        )
    card = {
        "queries": dataset.name,
        "fitted": calibration_card(found),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "profile": index.config.profile,
        "channels": list(channels) if channels else None,
        "models": {name: facts["collection"] for name, facts in models_of(index).items()},
    }
    save_curves(index.path, {**used.kinds, **{kind: one.curve for kind, one in found.items()}}, card)
    return found


def calibration_card(found: Mapping[str, Fitted]) -> dict[str, Any]:
    """What was fitted, as plain JSON values."""
    return {kind: asdict(one) for kind, one in found.items()}


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

    @property
    def helps(self) -> bool:
        """Whether the error falls for answers that the curve was not fitted to."""
        return self.after < self.before


def calibrate(results: Sequence[QueryResult], used: Mapping[str, Curve]) -> dict[str, Fitted]:
    """A curve for each kind of query with enough answers, right and wrong ones; kinds with too few are left out.

    Args:
        results: What was asked and answered.
        used: Kind -> the curve that moved these confidences; it is taken off first.
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
        half = np.random.default_rng(0).permutation(len(number)) % 2  # answers for the same truth are in one half
        side = np.array([half[number[owner]] for owner in owners])
        moved = sure.copy()
        for one in (0, 1):
            moved[side == one] = on_curve(sure[side == one], fit_curve(sure[side != one], right[side != one]))
        curve = fit_curve(sure, right)
        made[kind] = Fitted(curve, len(shown), calibration_error(before, right), calibration_error(moved, right))
    return made


_KIND_OF: dict[str, Kind] = {"text": "text", "image": "picture", "video": "picture", "audio": "sound"}
