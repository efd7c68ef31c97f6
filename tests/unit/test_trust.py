"""Calibration error and the curve of confidence, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vidembed.config.schema import CalibrationSettings
from vidembed.evaluation.figures import QueryResult
from vidembed.evaluation.trust import Bin, calibrate, calibration_error, fit_curve, on_curve, reliability, trust_figures
from vidembed.search.calibration import calibrated


def result(
    name: str, confidence: float, *, rank: int | None, answer: bool = True, iou: float | None = None
) -> QueryResult:
    return QueryResult(
        query_id=name, modality="text", value=name, channel=None, has_answer=answer, rank=rank, iou=iou, best_iou_5=iou,
        confidence=confidence, cosine=0.0, answers=(("v", 0.0, 1.0),), right=((name, None, None),) if answer else (),
    )  # fmt: skip


def test_calibration_error_by_hand() -> None:
    sure, right = [0.25, 0.25, 0.75, 1.0], [True, False, True, True]
    assert reliability(sure, right) == [Bin(0.2, 0.3, 2, 0.25, 0.5), Bin(0.7, 0.8, 1, 0.75, 1), Bin(0.9, 1.0, 1, 1, 1)]
    assert calibration_error(sure, right) == pytest.approx((2 * 0.25 + 1 * 0.25 + 0) / 4)
    assert np.isnan(calibration_error([], []))


def test_what_counts_as_right() -> None:
    results = [
        result("first", 0.9, rank=1),
        result("second", 0.4, rank=2),
        result("overlaps", 0.8, rank=1, iou=0.3),
        result("elsewhere", 0.6, rank=1, iou=0.29),
        result("none", 0.1, rank=None, answer=False),
        result("none, too", 0.7, rank=None, answer=False),
    ]
    figures = trust_figures(results, threshold=0.5)
    assert figures["answers judged"] == 6
    assert figures["right answers shown as good"] == 1
    assert figures["wrong answers shown as good"] == 2 / 4
    assert figures["without answer shown as good"] == 1 / 2
    assert figures["ROC AUC, right"] == 1
    assert trust_figures([], threshold=0.5) == {}


def test_the_curve_is_found_again() -> None:
    rng = np.random.default_rng(0)
    sure = rng.random(4000)
    right = rng.random(4000) < on_curve(sure, 0.5, -1.0)  # half as sure as it says, and less
    slope, offset = fit_curve(sure, right)
    assert slope == pytest.approx(0.5, abs=0.08)
    assert offset == pytest.approx(-1.0, abs=0.1)
    settings = CalibrationSettings(slope=slope, offset=offset)
    assert calibrated(0.5, settings) == pytest.approx(1 / (1 + np.exp(-offset)))
    assert calibrated(0.9, settings) > calibrated(0.8, settings)  # the order stays
    assert calibrated(0.3, CalibrationSettings()) == 0.3


def test_calibration_is_judged_by_halves() -> None:
    rng = np.random.default_rng(1)
    results = [result(str(i), 0.9, rank=1 if rng.random() < 0.5 else 2) for i in range(200)]
    found = calibrate(results)
    assert found["ECE before"] == pytest.approx(0.4, abs=0.1)  # 90 % sure, right half the time
    assert found["ECE after, by halves"] < 0.1
