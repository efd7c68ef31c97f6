"""Figures of the data sets' own scripts, worked out by hand, and against those scripts' libraries."""

from __future__ import annotations

import numpy as np
import pytest

from vidembed.evaluation.directions import both_ways
from vidembed.evaluation.published import (
    SEGMENT_SPANS,
    highlight_precision,
    highlight_report,
    saliency_of,
    segment_ranking,
    segment_report,
)


def test_highlights_by_hand() -> None:
    saliency = [[0.1, 0.9, 0.3], [0.9, 0.1, 0.2]]
    rated = [[[0, 0], [4, 1], [4, 4]], [[3, 3], [4, 4], [0, 0]]]
    report = highlight_report(saliency, rated)
    assert report["HIT@1"] == 0.5
    first = ((1 / 1 + 2 / 2) / 2 + 1 / 2) / 2  # person one: clips 1 and 2 are good; person two: clip 2
    second = 1 / 3
    assert report["HL-mAP"] == pytest.approx((first + second) / 2)
    with pytest.raises(ValueError, match="ratings for"):
        highlight_report([[0.1]], [[[1], [2]]])


def test_precision_of_highlights_is_interpolated_and_counts_equal_scores_once() -> None:
    # Places of the good clips: 2 and 3. Precision there 1/2 and 2/3, and the best from there on 2/3 and 2/3.
    assert highlight_precision([0.9, 0.8, 0.7, 0.1], [False, True, True, False]) == pytest.approx(2 / 3)
    # The two good clips of equal score are one step: (1 + 3/4) / 2, where average precision has (1 + 3/4 + 3/4) / 3.
    assert highlight_precision([0.9, 0.5, 0.5, 0.5], [True, True, True, False]) == pytest.approx((1 + 3 / 4) / 2)
    assert highlight_precision([0.1, 0.2], [False, False]) == 0
    assert highlight_precision([0.1, 0.2], [True, True]) == 1


@pytest.mark.parametrize("seed", range(20))
def test_precision_of_highlights_is_that_of_the_official_script(seed: int) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    scores, good = rng.integers(0, 8, 25) / 8, rng.random(25) < 0.3
    good[:2] = [True, False]
    precision, recall, _ = oracle.precision_recall_curve(good, scores)
    precision = np.maximum.accumulate(precision)
    steps = np.flatnonzero(np.diff(recall))
    assert highlight_precision(scores, good) == pytest.approx(precision[steps].mean())


def test_saliency_is_the_mean_of_the_curve_in_each_two_seconds() -> None:
    # Clips 0-2, 2-4, 4-6, 6-8 s: two samples, none (between 1.5 and 4.5 s: 0.5 at 3 s), one, and none after the last.
    assert saliency_of([0.5, 1.5, 4.5], [0.0, 1.0, 0.0], 4).tolist() == pytest.approx([0.5, 0.5, 0.0, 0.0])
    assert saliency_of([], [], 2).tolist() == [0, 0]


def test_answers_become_a_ranking_of_all_spans_of_segments() -> None:
    ranked = segment_ranking([(10.2, 14.0), (0.0, 30.0), (10.0, 15.0)])
    assert ranked[:2] == [(2, 2), (0, 5)]  # the third answer is the first again
    assert sorted(ranked) == sorted(SEGMENT_SPANS)
    assert ranked[2] in [(1, 2), (2, 3)]  # half of the first answer's neighbours
    assert segment_ranking([]) == list(SEGMENT_SPANS)


def test_segments_by_hand() -> None:
    ranked = segment_ranking([(10, 15), (10, 20)])  # (2, 2), then (2, 3)
    # Ranks 1, 1, 2 of the best three (the last annotator is far off): mean 4/3. IoU with (2, 2): 1, 1, 1/2.
    report = segment_report([ranked], [[(2, 2), (2, 2), (2, 3), (5, 5)]])
    assert report == pytest.approx({"Rank@1": 0, "Rank@5": 1, "mIoU, three annotators": 2.5 / 3, "queries": 1})
    assert segment_report([ranked], [[(2, 2)] * 3 + [(0, 0)]])["Rank@1"] == 1


def test_both_ways_by_hand() -> None:
    x, y, between = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
    media = [np.array([x, between]), np.array([y]), np.array([[0.0, -1.0]])]
    texts = np.array([x, y, between])  # the third belongs to medium 1, but medium 0 holds it exactly
    there, back = both_ways(texts, media, [0, 1, 1])
    assert there.tolist() == [1, 1, 2]
    # Medium 0: its text scores 1, as text 2 does: behind it. Medium 1: text 1. Medium 2 has no text.
    assert back.tolist() == [2, 1, np.inf]
