"""Retrieval and moment metrics: by hand, against slow oracles on random input with ties, against published code."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vidembed.evaluation import bootstrap, metrics
from vidembed.evaluation.metrics import (
    MAP_IOUS,
    Stretch,
    average_precision_at,
    best_iou,
    iou_histogram,
    iou_table,
    moment_report,
    ndcg,
    recalls,
)


def tied(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random scores of few values, so that there are many ties."""
    return rng.integers(0, 6, shape) / 5.0


# -- ranks


def test_ranks_by_hand() -> None:
    scores = [[0.9, 0.5, 0.1], [0.2, 0.8, 0.8], [0.5, 0.5, 0.5]]
    assert metrics.ranks_from_scores(scores, [[0], [0], [1]]).tolist() == [1, 3, 3]
    # Two right answers that tie do not stand in each other's way.
    assert metrics.ranks_from_scores(scores, [[2, 1], [1, 2], []]).tolist() == [2, 1, math.inf]


def test_a_constant_model_gets_the_worst_figures() -> None:
    ranks = metrics.ranks_from_scores(np.zeros((4, 50)), [[i] for i in range(4)])
    assert metrics.rank_report(ranks)["R@10"] == 0
    assert ranks.tolist() == [50] * 4


def test_nan_scores_rank_last() -> None:
    assert metrics.ranks_from_scores([[math.nan, 0.1]], [[0]]).tolist() == [math.inf]
    assert metrics.ranks_from_scores([[math.nan, 0.1]], [[1]]).tolist() == [1]


@pytest.mark.parametrize("seed", range(5))
def test_ranks_agree_with_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = tied(rng, 30, 17)
    relevant = [sorted(rng.choice(17, rng.integers(1, 4), replace=False).tolist()) for _ in range(30)]
    expected = []
    for row, right in zip(scores, relevant):
        best = max(row[j] for j in right)
        expected.append(1 + sum(1 for j in range(17) if j not in right and row[j] >= best))
    assert metrics.ranks_from_scores(scores, relevant).tolist() == expected


def test_report_by_hand() -> None:
    report = metrics.rank_report([1, 2, 4, math.inf], cuts=(1, 5))
    assert report == pytest.approx(
        {"R@1": 0.25, "R@5": 0.75, "MedR": 3.0, "MeanR": math.inf, "MRR": (1 + 0.5 + 0.25) / 4, "queries": 4}
    )
    assert metrics.rank_report([math.inf, math.inf])["MedR"] == math.inf
    assert math.isnan(metrics.rank_report([])["R@1"])


# -- averaged


@pytest.mark.parametrize("seed", range(20))
def test_the_area_under_the_curve_agrees_with_scikit_learn(seed: int) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    scores, right = tied(rng, 25), rng.random(25) < 0.3
    right[:2] = [True, False]
    assert metrics.roc_auc(scores[right], scores[~right]) == pytest.approx(oracle.roc_auc_score(right, scores))


@pytest.mark.parametrize("seed", range(5))
def test_ranks_agree_with_trec_eval(seed: int) -> None:
    trec = pytest.importorskip("pytrec_eval")
    rng = np.random.default_rng(seed)
    scores = rng.permutation(20).astype(float)
    gains = rng.integers(0, 3, 20)
    gains[0] = 2
    judged = {f"v{i}": int(gain) for i, gain in enumerate(gains)}
    run = {f"v{i}": float(score) for i, score in enumerate(scores)}
    got = trec.RelevanceEvaluator({"q": judged}, {"recip_rank"}).evaluate({"q": run})["q"]
    ranks = metrics.ranks_from_scores([scores], [np.flatnonzero(gains > 0).tolist()])
    assert metrics.reciprocal_ranks(ranks).tolist() == pytest.approx([got["recip_rank"]], abs=1e-6)


def test_auc_by_hand() -> None:
    assert metrics.roc_auc([0.9, 0.4], [0.4, 0.1]) == pytest.approx((2 + 1.5) / 4)
    assert math.isnan(metrics.roc_auc([], [0.1]))


# -- spans


def s(start: float, end: float, video: str = "v") -> Stretch:
    return Stretch(video, start, end)


def test_iou_by_hand() -> None:
    table = iou_table([s(0, 10), s(5, 5), s(0, 10, "w")], [s(5, 15), s(0, 10)])
    np.testing.assert_allclose(table, [[1 / 3, 1], [0, 0], [0, 0]])
    assert iou_table([], [s(0, 1)]).shape == (0, 1)
    assert best_iou([], [s(0, 1)]) == 0


def test_recall_at_an_iou() -> None:
    found = [[s(0, 4), s(10, 20)], [s(0, 10, "w")]]
    true = [[s(10, 20), s(0, 8)], [s(0, 10)]]
    assert recalls(found, true, n=1, iou=0.5).tolist() == [True, False]  # exactly a half counts
    assert recalls(found, true, n=1, iou=0.7).tolist() == [False, False]
    assert recalls(found, true, n=2, iou=0.7).tolist() == [True, False]


def test_average_precision_of_spans_by_hand() -> None:
    true = [s(0, 10), s(20, 30)]
    # Right, a second answer on the same stretch (wrong), right: precisions 1 and 2/3 at recalls 1/2 and 1.
    assert average_precision_at([s(0, 10), s(0, 9), s(20, 30)], true, iou=0.5) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision_at([s(40, 50), s(0, 10)], true, iou=0.5) == pytest.approx(0.25)
    assert average_precision_at([s(0, 10)] * 11, [s(0, 10)], iou=0.5) == 1
    assert average_precision_at([], true, iou=0.5) == 0
    assert average_precision_at([s(0, 1)], [], iou=0.5) == 0


def _slow_average_precision(found: list[Stretch], true: list[Stretch], iou: float) -> float:
    """The textbook way: match one by one, then integrate the interpolated precision over recall."""
    taken: set[int] = set()
    points = []
    right = 0
    for rank, answer in enumerate(found, start=1):
        fits = [(iou_table([answer], [t])[0, 0], -j) for j, t in enumerate(true) if j not in taken]
        fits = [fit for fit in fits if fit[0] >= iou - 1e-9]
        if fits:
            taken.add(-max(fits)[1])
            right += 1
        points.append((right / len(true), right / rank))
    area, before = 0.0, 0.0
    for recall, _ in points:
        if recall > before:
            area += (recall - before) * max(p for r, p in points if r >= recall)
            before = recall
    return area


@pytest.mark.parametrize("seed", range(10))
def test_average_precision_of_spans_agrees_with_the_slow_way(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(n: int) -> list[Stretch]:
        starts = rng.integers(0, 20, n)
        return [
            s(float(a), float(a + d), f"v{v}") for a, d, v in zip(starts, rng.integers(0, 8, n), rng.integers(0, 2, n))
        ]

    found, true = some(10), [t for t in some(4) if t.end_s > t.start_s] or [s(0, 1)]
    for iou in MAP_IOUS:
        assert average_precision_at(found, true, iou=iou) == pytest.approx(_slow_average_precision(found, true, iou))


def test_moment_report() -> None:
    report = moment_report([[s(0, 10)], [s(3, 3)], [s(0, 5)]], [[s(0, 10)], [s(0, 10)], []])
    assert report["R@1,IoU=0.5"] == 0.5
    assert report["mIoU"] == 0.5
    assert report["mAP"] == pytest.approx(0.5)
    assert (report["empty spans"], report["queries"], report["left out"]) == (1, 2, 1)
    with pytest.raises(ValueError, match="answers to 1 queries, truth for 0"):
        moment_report([[]], [])


def test_iou_histogram() -> None:
    counts = iou_histogram([[s(0, 10)], [s(0, 5)], []], [[s(0, 10)], [s(0, 10)], [s(0, 1)]], bins=2)
    assert counts == {"0.0-0.5": 1, "0.5-1.0": 2}


# -- how sure


def test_intervals_shrink_with_more_values_and_hold_the_mean() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.random(20), rng.random(2000)
    a, b = bootstrap.interval(few), bootstrap.interval(many)
    assert a.low < few.mean() < a.high
    assert b.high - b.low < (a.high - a.low) / 4
    # The normal approximation: mean +- 1.96 s / sqrt(n).
    assert b.high - b.low == pytest.approx(2 * 1.96 * many.std() / math.sqrt(2000), rel=0.08)
    assert bootstrap.interval(few) == a
    assert math.isnan(bootstrap.interval([]).low)
    assert bootstrap.interval([0.5] * 9).low == bootstrap.interval([0.5] * 9).high == 0.5


def test_queries_of_one_video_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0], 20)  # five videos, twenty alike queries each
    alone = bootstrap.interval(values)
    together = bootstrap.interval(values, groups=np.repeat(np.arange(5), 20).tolist())
    assert together.high - together.low > 3 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="one group per value"):
        bootstrap.interval(values, groups=[1])


def test_comparing_runs() -> None:
    rng = np.random.default_rng(1)
    a = rng.random(200)
    better = bootstrap.compare(a, a + 0.1 + rng.normal(0, 0.05, 200))
    assert better.p < 0.01
    assert better.difference.low > 0
    same = bootstrap.compare(a, a)
    assert (same.p, same.difference.value, same.same) == (1.0, 0.0, 200)
    alike = bootstrap.compare(a, a + rng.normal(0, 0.05, 200))
    assert alike.p > 0.05
    assert (better.better + better.worse + better.same) == 200
    with pytest.raises(ValueError, match="same queries"):
        bootstrap.compare([1.0], [1.0, 2.0])


def test_the_randomisation_test_is_exact_for_few_queries() -> None:
    # Three gains of one sign: all signs agree in 2 of the 8 arrangements, so p is a quarter.
    assert bootstrap.compare([0, 0, 0], [1, 1, 1], resamples=4000).p == pytest.approx(0.25, abs=0.03)


def test_ndcg_by_hand() -> None:
    # Grades 0, 2, 1 in the order found; the best order is 2, 1, 1 (one relevant video was not found).
    found = 2 / np.log2(3) + 1 / np.log2(4)
    best = 2 / np.log2(2) + 1 / np.log2(3) + 1 / np.log2(4)
    assert ndcg([0, 2, 1], [1, 2, 1, 0]) == pytest.approx(found / best)
    assert ndcg([0, 2, 1], [1, 2, 1, 0], k=1) == 0
    assert ndcg([1, 0], [1, -1, 0]) == 1  # a grade below 0 is no gain
    assert ndcg([0], [0]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_ndcg_is_that_of_scikit_learn(seed: int) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    grades = np.random.default_rng(seed).integers(0, 4, 30)
    order = np.arange(30, 0, -1.0)
    assert ndcg(grades[:10], grades) == pytest.approx(oracle.ndcg_score([grades], [order], k=10))
