"""Calibration error and the curve of confidence, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vidembed.errors import StoreError
from vidembed.evaluation.calibrating import calibrate, fit_curve, on_curve
from vidembed.evaluation.figures import QueryResult
from vidembed.evaluation.trust import (
    calibration_error,
    chance_error,
    reliability,
    trust_figures,
    trust_intervals,
    wilson,
)
from vidembed.protocols import Channel
from vidembed.search.confidence import (
    Curve,
    Likeness,
    Names,
    Shown,
    curves_of,
    kind_of,
    reset_curves,
    save_curves,
    shipped,
)
from vidembed.types import Query


def result(
    name: str, confidence: float, *, rank: int | None, answer: bool = True, iou: float | None = None
) -> QueryResult:
    return QueryResult(
        query_id=name, modality="text", value=name, channel=None, has_answer=answer, rank=rank, iou=iou, best_iou_5=iou,
        confidence=confidence, cosine=0.0, answers=(("v", 0.0, 1.0),), right=((name, None, None),) if answer else (),
    )  # fmt: skip


def test_calibration_error_by_hand() -> None:
    sure, right = [0.25, 0.25, 0.75, 1.0], [True, False, True, True]
    one, other, last = reliability(sure, right)
    assert (one.low, one.high, one.count, one.confidence, one.right) == (0.2, 0.3, 2, 0.25, 0.5)
    assert (other.count, other.right, last.low, last.confidence) == (1, 1, 0.9, 1)
    assert calibration_error(sure, right) == pytest.approx((2 * 0.25 + 1 * 0.25 + 0) / 4)
    assert np.isnan(calibration_error([], []))


def test_bounds_of_a_share() -> None:
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # Newcombe 1998, by hand for 5 of 10
    assert wilson(0.0, 3) == pytest.approx((0.0, 0.5615), abs=1e-4)
    assert wilson(1.0, 3) == pytest.approx((0.4385, 1.0), abs=1e-4)


def test_areas_have_bounds() -> None:
    results = [result(f"a{i}", 0.5 + i / 100, rank=1) for i in range(20)]
    results += [result(f"b{i}", 0.3 + i / 50, rank=2) for i in range(20)]
    results += [result(f"n{i}", 0.1, rank=None, answer=False) for i in range(5)]
    found = trust_intervals(results)
    value, low, high = found["ROC AUC, answer or none"]
    assert value == low == high == 1  # whatever is drawn
    value, low, high = found["ROC AUC, right or wrong"]
    assert low < value < high
    assert value == pytest.approx(trust_area(results))
    assert trust_intervals(results[:20]) == {}  # all right: there is no area


def trust_area(results: list[QueryResult]) -> float:
    right = [r.confidence for r in results if r.rank == 1]
    wrong = [r.confidence for r in results if r.rank != 1]
    return sum((a > b) + (a == b) / 2 for a in right for b in wrong) / (len(right) * len(wrong))


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
    assert trust_figures([], threshold=0.5) == {}


def test_the_curve_is_found_again() -> None:
    rng = np.random.default_rng(0)
    sure = rng.random(4000)
    right = rng.random(4000) < on_curve(sure, Curve(0.5, -1.0))  # half as sure as it says, and less
    curve = fit_curve(sure, right)
    assert curve.slope == pytest.approx(0.5, abs=0.08)
    assert curve.offset == pytest.approx(-1.0, abs=0.1)
    assert curve.of(0.5) == pytest.approx(1 / (1 + np.exp(-curve.offset)))
    assert curve.of(0.9) > curve.of(0.8)  # the order stays
    assert curve.before(curve.of(0.3)) == pytest.approx(0.3)
    assert Curve().of(0.3) == 0.3


def test_the_error_of_confidence_that_means_what_it_says() -> None:
    assert chance_error([1.0, 1.0, 0.0]) == pytest.approx((0, 0))  # nothing is left to chance
    assert chance_error([0.5]) == pytest.approx((0.5, 0.5))  # one answer is right or wrong
    mean, at_most = chance_error([0.5] * 400)
    assert mean < at_most < 0.06  # 0.025 is one deviation of the share of right ones


def test_curves_are_saved_with_the_index_and_taken_back(tmp_path: Path) -> None:
    assert curves_of(tmp_path, "toy").kinds == {}
    save_curves(tmp_path, {"sound": Curve(2.0, 1.0)}, {"queries": "mine"})
    own = curves_of(tmp_path, "starter")
    assert own.of(Query.audio("a.wav")) == Curve(2.0, 1.0)
    assert own.card == {"queries": "mine"}
    assert own.of(Query.text("a dog")) == shipped("starter").of(Query.text("a dog"))
    assert [kind_of(q) for q in (Query.image("a.png"), Query.text("a") + Query.audio("b"))] == ["picture", "text"]
    (tmp_path / "confidence.json").write_text('{"kinds": {"text": {"slope": 0}}}')
    with pytest.raises(StoreError, match="slope above 0"):
        curves_of(tmp_path, "starter")
    assert reset_curves(tmp_path)
    assert not reset_curves(tmp_path)
    assert curves_of(tmp_path, "starter") == shipped("starter")


def test_what_is_like_an_example_is_believed_by_its_likeness() -> None:
    likeness = Likeness("toy", odds=0.5, cosine=10.0, common=3.0, offset=-8.0)
    assert likeness.of(2.0, 0.9, -0.5) == pytest.approx(0.5 * 2 + 10 * 0.9 - 3 * 0.5 - 8)
    # Speech among speech stands out little: the same sound again is sure, other speech is not.
    for image_or_sound in shipped("starter").likeness.values():
        known = ((-2.0, 1.0, 0.0), (-2.0, 0.6, -0.5), (2.0, 0.4, -1.0))  # log-odds, cosine, what both have in common
        same, other, none = (image_or_sound.of(*one) for one in known)
        assert same > 1 > -1 > other
        assert none < -1
    assert shipped("gpu").likeness == {}


def test_what_two_sounds_have_in_common_by_hand() -> None:
    names = Names(np.eye(2, dtype=np.float32), sharp=0.04)  # of rain, and of the sea
    likeness = Likeness("toy", odds=1.0, cosine=1.0, common=1.0, offset=0.0, names=names)
    rain, sea, wetter = (np.array(one, np.float32) for one in ([0.8, 0.6], [0.6, 0.8], [1.0, 0.0]))
    # The names' cosines are 0.2 apart: 1 / (1 + exp(-0.2 / 0.04)) = 0.9933 of it is rain, 0.0067 sea, and the other way
    # round: 2 sqrt(0.9933 x 0.0067) = 0.163 in common, at a cosine of 0.96.
    assert names.of(rain[None]) == pytest.approx(np.array([[0.9933, 0.0067]]), abs=1e-4)
    assert likeness.in_common(rain, sea) == pytest.approx(math.log(0.163 + 0.001), abs=0.01)
    assert likeness.in_common(rain, rain) == pytest.approx(math.log(1.001), abs=1e-6)
    assert likeness.in_common(rain, wetter) > -0.01 > -6 > likeness.in_common(wetter, names.rows[1])
    assert replace(likeness, names=None).in_common(rain, sea) == 0
    # A recording of waves is like rain (cosine 0.8), and is no rain.
    audio = shipped("starter").likeness["audio"]
    assert audio.names is not None
    assert audio.names.rows.shape == (142, 384)
    assert audio.of(2.0, 0.8, -0.1) > 1 > -1 > audio.of(2.0, 0.8, -0.5)


def test_likeness_of_one_space_says_nothing_of_another() -> None:
    def channel(space: str) -> Channel:
        encoder = SimpleNamespace(space=SimpleNamespace(name=space))
        return SimpleNamespace(source=SimpleNamespace(modality="audio"), encoder=encoder)  # type: ignore[return-value]

    curves = shipped("starter")
    assert curves.likeness_in(channel("starter-v1")) is curves.likeness["audio"]
    assert curves.likeness_in(channel("clap-htsat-unfused")) is None


def test_what_is_shown_is_believed_by_its_cosine_by_hand() -> None:
    usual = np.array([[0.1, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 0.4]], np.float32)
    shown = Shown("toy", near=4.0, far=3.0, offset=-3.0, usual=usual)
    words = np.array([0.6, 0.8, 0.0], np.float32)
    assert shown.level(words) == pytest.approx((0.06, 0.24))  # 0.1 x 0.6; 0.3 x 0.8
    assert shown.of(0.54, 0.34, (0.06, 0.24)) == pytest.approx(4 * 0.2 + 3 * 2 - 3)
    assert shown.of(0.54, 0.34, (0.06, 0.24), known=0.5) == pytest.approx((4 * 0.2 + 3 * 2) / 2 - 3)
    # Of what is not there a clip has little in common with the words.
    named = replace(shown, common=2.0, names=Names(np.eye(3, dtype=np.float32), sharp=0.05))
    assert named.of(0.54, 0.34, (0.06, 0.24), -0.7) == pytest.approx(4 * 0.2 + 3 * 2 - 3 - 2 * 0.7)
    assert named.in_common(words, words) > -0.01 > -1.9 > named.in_common(words, np.array([1.0, 0.0, 0.0], np.float32))
    # Of the 16.5 that a cosine of 1 more is worth, 4 are against the clip's own level.
    assert shown.hubness(0.24) == pytest.approx(4 / 16.5)
    assert replace(shown, usual=np.zeros((0, 1), np.float32)).level(words) == (0.0, 1.0)
    for curves in (shipped("starter"), shipped("starter-free")):
        for one in curves.shown.values():
            assert min(one.near, one.far) >= 0 < one.near + one.far
    assert shipped("starter").shown["image"].usual.shape == (49, 384)
    assert shipped("gpu").shown == {}


def test_calibration_is_judged_by_halves_and_by_kind() -> None:
    rng = np.random.default_rng(1)
    results = [result(str(i), 0.9, rank=1 if rng.random() < 0.5 else 2) for i in range(200)]
    results += [replace(result(f"s{i}", 0.5, rank=1 + i % 2), modality="audio") for i in range(19)]
    found = calibrate(results, {})
    assert list(found) == ["text"]  # 19 sounds are too few
    assert found["text"].before == pytest.approx(0.4, abs=0.1)  # 90 % sure, right half the time
    assert found["text"].after < 0.1
    assert found["text"].helps
    half_sure = [replace(one, confidence=0.5) for one in results if one.modality == "text"]
    exactly = [replace(one, rank=1 + i % 2) for i, one in enumerate(half_sure)]
    assert not calibrate(exactly, {})["text"].helps  # nothing is left to mend
    again = calibrate(results, {"text": Curve(1.0, 2.0)})["text"]  # what moved them before is taken off
    assert again.curve.of(Curve(1.0, 2.0).before(0.9)) == pytest.approx(found["text"].curve.of(0.9), abs=0.05)
