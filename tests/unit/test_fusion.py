"""Fusion of rankings: worked by hand, against Qdrant's own code where it is the reference, and as properties."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidembed.errors import ConfigError
from vidembed.search.fusion import (
    FUSIONS,
    distribution_fusion,
    evidence_fusion,
    fuse,
    reciprocal_rank_fusion,
    zscore_fusion,
)

SEEN = [("a", 0.9), ("b", 0.7), ("c", 0.5)]
HEARD = [("c", 12.0), ("a", 4.0)]


def test_reciprocal_ranks_add_up() -> None:
    fused = dict(reciprocal_rank_fusion({"seen": SEEN, "heard": HEARD}))
    assert fused == pytest.approx({"a": 1 / 61 + 1 / 62, "b": 1 / 62, "c": 1 / 63 + 1 / 61})


def test_a_weight_of_zero_leaves_a_ranking_out() -> None:
    assert reciprocal_rank_fusion({"seen": SEEN, "heard": HEARD}, weights={"heard": 0}) == reciprocal_rank_fusion(
        {"seen": SEEN}
    )


def test_weights_tip_the_scale() -> None:
    assert reciprocal_rank_fusion({"seen": SEEN, "heard": HEARD})[0][0] == "a"
    assert reciprocal_rank_fusion({"seen": SEEN, "heard": HEARD}, weights={"heard": 3})[0][0] == "c"


def test_zscores_count_from_the_bottom_in_deviations() -> None:
    # mean 0.7, deviation sqrt(0.08 / 3) = 0.1633; the heard ranking has deviation 4.
    fused = dict(zscore_fusion({"seen": SEEN, "heard": HEARD}))
    assert fused == pytest.approx({"a": 0.4 / 0.163299, "b": 0.2 / 0.163299, "c": 0.0 + 2.0}, rel=1e-5)


def test_distribution_fusion_is_qdrants() -> None:
    fusion = pytest.importorskip("qdrant_client.hybrid.fusion")
    models = pytest.importorskip("qdrant_client.models")
    rankings = {"seen": SEEN, "heard": HEARD, "alone": [("b", 3.0)], "flat": [("a", 1.0), ("d", 1.0)]}
    points = [[models.ScoredPoint(id=ord(i), version=0, score=s) for i, s in ranking] for ranking in rankings.values()]
    expected = {chr(p.id): p.score for p in fusion.distribution_based_score_fusion(points, limit=10)}
    assert dict(distribution_fusion(rankings)) == pytest.approx(expected)


def test_evidence_ignores_a_channel_where_nothing_stands_out() -> None:
    odds = {"seen": [("a", 3.0), ("b", -2.0)], "heard": [("b", -1.5), ("a", -1.6)]}
    fused = evidence_fusion(odds)
    assert [item for item, _ in fused] == ["a", "b"]
    assert fused[0][1] == pytest.approx(math.log1p(math.exp(3)) + math.log1p(math.exp(-1.6)))


def test_being_in_two_channels_is_worth_nothing_by_itself() -> None:
    # "a" is what is asked for and has no sound; "b" is not, and neither is its sound.
    rankings = {"seen": [("a", 1.0), ("b", -0.2)], "heard": [("b", -4.0)]}
    assert reciprocal_rank_fusion(rankings)[0][0] == "b"
    assert evidence_fusion(rankings)[0][0] == "a"
    assert evidence_fusion(rankings, main="seen")[0][0] == "a"


def test_the_main_ranking_orders_what_nothing_is_sure_of() -> None:
    odds = {"seen": [("a", 2.0), ("b", 1.0), ("c", -3.0)], "heard": [("c", 6.0), ("b", -4.0)]}
    fused = dict(evidence_fusion(odds, main="seen"))
    assert fused == pytest.approx({"a": 2.0, "b": 1.0 + math.log1p(math.exp(-4)), "c": -3.0 + math.log1p(math.exp(6))})


@pytest.mark.parametrize("method", FUSIONS)
def test_ties_go_by_id_whatever_the_order_of_channels(method: str) -> None:
    one = fuse(method, {"x": [("b", 1.0), ("a", 0.0)], "y": [("a", 1.0), ("b", 0.0)]})  # type: ignore[arg-type]
    other = fuse(method, {"y": [("a", 1.0), ("b", 0.0)], "x": [("b", 1.0), ("a", 0.0)]})  # type: ignore[arg-type]
    assert one == other
    assert [item for item, _ in one] == ["a", "b"]


scores = st.lists(st.floats(-1, 1, allow_subnormal=False).map(lambda x: round(x, 3)), min_size=1, max_size=20)


@pytest.mark.parametrize("method", FUSIONS)
@given(scores)
def test_one_channel_keeps_its_order_and_inputs_stay(method: str, values: list[float]) -> None:
    ranking = sorted(((f"clip{i:02d}", s) for i, s in enumerate(values)), key=lambda pair: (-pair[1], pair[0]))
    rankings = {"only": ranking}
    before = copy.deepcopy(rankings)
    fused = fuse(method, rankings)  # type: ignore[arg-type]
    assert [item for item, _ in fused] == [item for item, _ in ranking]
    assert rankings == before


@pytest.mark.parametrize("method", FUSIONS)
def test_nothing_gives_nothing(method: str) -> None:
    assert fuse(method, {}) == []  # type: ignore[arg-type]
    assert fuse(method, {"seen": []}) == []  # type: ignore[arg-type]


def test_bad_options_are_named() -> None:
    with pytest.raises(ConfigError, match="rrf_k must be at least 1, got 0"):
        reciprocal_rank_fusion({"seen": SEEN}, k=0)
    with pytest.raises(ConfigError, match="weight of 'seen'.*-1"):
        zscore_fusion({"seen": SEEN}, weights={"seen": -1})
    with pytest.raises(ConfigError, match="weight of 'seen'.*nan"):
        distribution_fusion({"seen": SEEN}, weights={"seen": math.nan})
    with pytest.raises(ConfigError, match="unknown fusion 'max'; allowed: rrf, zscore, dbsf, evidence"):
        fuse("max", {"seen": SEEN})  # type: ignore[arg-type]
