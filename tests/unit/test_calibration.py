"""Backgrounds, hubs and confidence, with numbers one can work out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidembed.config.schema import CalibrationSettings
from vidembed.errors import ConfigError, InputError
from vidembed.models.encoders.pooled import PooledEncoder
from vidembed.models.toy_space import ToyEncoder
from vidembed.protocols import Channel
from vidembed.search.calibration import (
    BankVectors,
    Null,
    Scale,
    encode_texts,
    expected_largest,
    near_level,
    null_of_bank,
    null_of_sample,
    read_bank,
    soft_maximum,
)
from vidembed.search.collection import BackgroundCache, Collection
from vidembed.types import Clip, Row, Space, Span
from vidembed.vectors import pool_scores, segment_matrix, unit_rows


def test_the_bank_is_ordinary_and_diverse() -> None:
    bank = read_bank()
    assert len(bank) == len(set(bank)) >= 250
    assert all(1 <= len(query.split()) <= 12 and "#" not in query for query in bank)
    words = {word for query in bank for word in query.lower().split()}
    assert {"dog", "snow", "guitar", "car", "woman", "barking", "kitchen"} <= words


def test_a_bank_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "bank.txt"
    path.write_text("# mine\n" + "\n".join(f"scene {i}" for i in range(25)) + "\nscene 3\n", encoding="utf-8")
    assert len(read_bank(str(path))) == 25
    path.with_name("short.txt").write_text("one\ntwo\n")
    with pytest.raises(ConfigError, match="has 2 different lines"):
        read_bank(str(path.with_name("short.txt")))
    with pytest.raises(InputError, match="cannot read the query bank"):
        read_bank(str(tmp_path / "none.txt"))
    path.with_name("latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match="latin.txt"):
        read_bank(str(path.with_name("latin.txt")))


def test_backgrounds_by_hand() -> None:
    background = soft_maximum(np.array([[0.1, 0.5], [0.3, 0.5]]), temperature=0.1)
    assert background[0] == pytest.approx(0.1 * math.log((math.exp(1) + math.exp(3)) / 2))
    assert background[1] == pytest.approx(0.5)


def test_a_scale_by_hand() -> None:
    # Without a correction: mean 0.35 and deviation of the four bank scores.
    scores = np.array([[0.1, 0.5], [0.3, 0.5]])
    plain = Scale.of_bank(scores, np.array([0.2, 0.5]), hubness=0.0)
    assert (plain.mean, plain.spread) == pytest.approx((0.35, math.sqrt((0.0625 + 0.0025 + 2 * 0.0225) / 4)))
    assert plain.z(np.array([0.35 + plain.spread])).tolist() == pytest.approx([1.0])
    # With it, a clip's own background goes, and what is usual comes back.
    scale = Scale(background=0.4, hubness=0.5)
    assert scale.corrected(np.array([0.6, 0.6]), np.array([0.4, 0.6])).tolist() == pytest.approx([0.6, 0.5])
    assert scale.score(0.5, 0.6) == pytest.approx(0.6)  # back again
    assert Scale.of_bank(scores, np.array([0.2, 0.5]), hubness=1.0).background == pytest.approx(0.35)


def test_the_level_of_near_queries_by_hand() -> None:
    bank = np.array([[0.1, 0.5], [0.3, 0.5], [0.2, 0.7]])
    assert near_level(bank, near=2).tolist() == pytest.approx([0.25, 0.6])
    assert near_level(bank).tolist() == pytest.approx(bank.mean(axis=0).tolist())  # fewer queries than asked for


def test_a_score_lies_in_one_null_as_in_the_other() -> None:
    # One scale above the location stays one scale above the location.
    assert Null(2.0, 0.5).as_in(Null(10.0, 4.0), 14.0) == pytest.approx(2.5)


def test_correcting_hubs_is_the_inverted_softmax() -> None:
    rng = np.random.default_rng(0)
    bank, query = rng.uniform(-0.2, 0.5, (50, 8)), rng.uniform(-0.2, 0.5, 8)
    beta = 20.0
    inverted = np.exp(beta * query) / np.exp(beta * bank).sum(axis=0)  # QB-Norm, equation 2
    corrected = Scale(hubness=1.0).corrected(query, soft_maximum(bank, temperature=1 / beta))
    assert np.argsort(-corrected).tolist() == np.argsort(-inverted).tolist()
    np.testing.assert_allclose(np.diff(corrected), np.diff(np.log(inverted)) / beta, atol=1e-9)


def test_a_hub_no_longer_wins() -> None:
    # The hub is near every query; the right clip is near this one alone.
    background = soft_maximum(np.array([[0.6, 0.1], [0.62, 0.1], [0.58, 0.3]]))
    query = np.array([0.6, 0.55])
    assert int(np.argmax(Scale(hubness=0.0).corrected(query, background))) == 0
    assert int(np.argmax(Scale(hubness=1.0).corrected(query, background))) == 1


def clip_score(segments: np.ndarray, query: np.ndarray, how: str) -> float:
    """The cosine of a query with a clip seen through its segments, one clip at a time."""
    scores = segments.astype(np.float32) @ query
    if how == "max":
        return float(scores.max())
    if how == "topk":
        return float(np.sort(scores)[-3:].mean())
    weights = np.exp((scores - scores.max()) / 0.1)
    return float((weights * scores).sum() / weights.sum())


def test_scores_through_units_agree_with_the_plain_rule() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for i, count in enumerate([1, 4, 0, 7]):
        clip = Clip.make("v", i, Span(i, i + 1))
        segments = unit_rows(rng.normal(size=(count, 6))).astype(np.float16) if count else None
        vector = unit_rows(rng.normal(size=(1, 6)))[0]
        rows.append(Row(clip, vector, segments, np.arange(count, dtype=np.float64) if count else None))
    queries = unit_rows(rng.normal(size=(3, 6)))
    segments, starts = segment_matrix(rows)
    for how in ("max", "softmax", "topk"):
        got = pool_scores(queries @ segments.T, starts, how)  # type: ignore[arg-type]
        for q, query in enumerate(queries):
            for n, row in enumerate(rows):
                own = row.segments if row.segments is not None else row.vector[None]
                assert got[q, n] == pytest.approx(clip_score(own, query, how), abs=1e-5)  # type: ignore[arg-type]


def test_the_expected_largest_of_n() -> None:
    # Known values for the normal distribution: 1.0 at about 3.7; 2.249 for 50 (Harter 1961); rises with n.
    assert expected_largest(50) == pytest.approx(2.249, abs=0.01)
    assert expected_largest(1) == 0
    assert expected_largest(50_000) > expected_largest(500) > expected_largest(5)


def test_confidence_rises_through_one_half() -> None:
    null = Null(location=2.0, scale=0.5)
    assert null.confidence(3.0) == pytest.approx(0.5)
    values = [null.confidence(z) for z in (-1e9, 1.0, 2.0, 3.0, 5.0, 1e9)]
    assert values == sorted(values)
    assert values[0] < 1e-6
    assert values[-1] > 1 - 1e-6


def test_the_null_follows_the_lower_half_of_the_bank() -> None:
    clean = np.linspace(1.0, 3.0, 101)
    with_answers = np.concatenate([clean[:60], np.full(41, 9.0)])  # four in ten ordinary queries have an answer
    assert null_of_bank(clean, sampled=50, indexed=50).location == pytest.approx(2.0)
    assert null_of_bank(with_answers, sampled=50, indexed=50).location == pytest.approx(2.0)
    assert null_of_bank(clean, sampled=50, indexed=50_000).location > 2.0


def test_the_null_of_one_query_ignores_its_answers() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(0.2, 0.03, 500)
    plain, answered = null_of_sample(scores, indexed=500), null_of_sample(np.append(scores, [0.9] * 5), indexed=500)
    assert plain is not None
    assert answered is not None
    assert answered.location == pytest.approx(plain.location, abs=0.01)
    assert answered.confidence(0.9) > 0.99
    assert plain.confidence(float(scores.max())) < 0.5
    assert null_of_sample(scores[:7], indexed=7) is None


def test_small_indexes_have_a_null_too() -> None:
    rng = np.random.default_rng(3)
    bank = unit_rows(rng.normal(size=(100, 16)))
    known = Collection.of(4, unit_rows(rng.normal(size=(4, 16))), bank, CalibrationSettings(hubness=0.5))
    assert known.null is not None
    assert math.isfinite(known.null.location)
    assert known.null.scale > 0
    one = Collection.of(1, unit_rows(rng.normal(size=(1, 16))), bank, CalibrationSettings(hubness=0.5))
    assert one.null is not None
    assert Collection.of(0, np.zeros((0, 16), np.float32), bank, CalibrationSettings(hubness=0.5)).null is None


def test_backgrounds_are_made_once_per_clip_and_the_oldest_go() -> None:
    asked: list[list[str]] = []

    def make(missing: list[str]) -> np.ndarray:
        asked.append(list(missing))
        return np.array([float(i) for i in missing])

    kept = BackgroundCache(limit=3)
    assert kept.get("c", ["1", "2"], make).tolist() == [1, 2]
    assert kept.get("c", ["2", "3", "1"], make).tolist() == [2, 3, 1]
    assert asked == [["1", "2"], ["3"]]
    kept.get("other", ["1"], make)  # another collection's clip is another clip; the first one is dropped
    kept.get("c", ["1"], make)
    assert asked[2:] == [["1"], ["1"]]
    kept.clear()
    kept.get("c", ["2"], make)
    assert asked[-1] == ["2"]
    assert kept.get("c", [], make).shape == (0,)


class CountingEncoder:
    space = Space("words", 4)

    def __init__(self) -> None:
        self.calls = 0

    def encode_clips(self, items: object, clips: object) -> list[None]:
        return []

    def encode_query(self, modality: str, value: object) -> np.ndarray:
        self.calls += 1
        return unit_rows(np.array([[len(str(value)), 1, 2, 3]]))[0]


class DeafEncoder(CountingEncoder):
    def encode_query(self, modality: str, value: object) -> None:  # type: ignore[override]
        return None


def test_bank_vectors_are_encoded_once_and_kept_on_disk(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    channel = Channel("vision", None, encoder, "00c0ffee")  # type: ignore[arg-type]
    queries = [f"query {i}" for i in range(20)]
    vectors = BankVectors(queries, folder=tmp_path)
    first = vectors(channel)
    assert first is not None
    assert first.shape == (20, 4)
    assert vectors(channel) is first
    assert encoder.calls == 20

    again = BankVectors(queries, folder=tmp_path)(channel)
    np.testing.assert_array_equal(again, first)
    assert encoder.calls == 20
    BankVectors([*queries, "one more"], folder=tmp_path)(channel)
    assert encoder.calls == 41


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: b"",  # numpy raises EOFError
        lambda kept: kept[:100],
        lambda kept: kept[:300] + bytes(40) + kept[340:],  # rows that are no unit vectors
    ],
)
def test_damaged_bank_vectors_are_encoded_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    channel = Channel("vision", None, CountingEncoder(), "00c0ffee")  # type: ignore[arg-type]
    queries = [f"query {i}" for i in range(20)]
    first = BankVectors(queries, folder=tmp_path)(channel)
    (file,) = tmp_path.glob("*.npy")
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(BankVectors(queries, folder=tmp_path)(channel), first)


def test_another_prompt_is_another_bank(tmp_path: Path) -> None:
    bank = BankVectors(["red", *(f"query {i}" for i in range(20))], folder=tmp_path)
    plain = PooledEncoder(ToyEncoder(), "image")
    first = bank(Channel("vision", None, plain, "0"))  # type: ignore[arg-type]
    other = bank(Channel("vision", None, plain.with_templates(("{} blue",)), "0"))  # type: ignore[arg-type]
    assert first is not None
    assert other is not None
    assert not np.allclose(first[0], other[0])
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_a_channel_without_text_has_no_bank() -> None:
    assert BankVectors(["a"])(Channel("sound", None, DeafEncoder(), "0")) is None  # type: ignore[arg-type]


def test_many_queries_at_once_are_the_queries_one_by_one() -> None:
    pooled = PooledEncoder(ToyEncoder(), "image", templates=("{}", "a video of {}"), batch_size=3)
    texts = ["red", "blue green", "high tone", "something else"]
    at_once = encode_texts(Channel("vision", None, pooled, "0"), texts)  # type: ignore[arg-type]
    assert at_once is not None
    np.testing.assert_allclose(at_once, np.stack([pooled.encode_query("text", text) for text in texts]), atol=1e-6)


def test_a_clip_that_is_like_everything_answers_no_sound() -> None:
    """Three clips: a hub, near to both others, and two that are far from each other."""
    sample = unit_rows(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    known = Collection(3, sample, owners=("hub", "a", "b"))
    scores = sample @ sample.T
    assert known.usual[0] == pytest.approx((0.7071 * 2 + 0.0) / 3, abs=1e-4)  # of the three pairs
    mean, deviation = known.cohort_levels(scores, ["hub", "a", "b"]).T
    # Two clips of other videos and eight of usual cosines.
    assert mean[0] == pytest.approx((2 * 0.7071 + 8 * 0.4714) / 10, abs=1e-4)
    assert mean[1] == mean[2] == pytest.approx((0.7071 + 8 * 0.4714) / 10, abs=1e-4)
    query = unit_rows(np.array([[1.0, 0.42]]))[0]  # as near to the hub as to "a", or nearly so
    cosines = sample @ query
    assert cosines[0] > cosines[1] > cosines[2]
    z = (cosines - mean) / deviation
    assert z[1] > z[0]
    assert known.for_query(query, alike=True)[1] is None  # too few clips to tell what is usual
    alone = Collection(1, sample[:1], owners=("hub",))
    assert alone.cohort_levels(sample[:1] @ sample[:1].T, ["hub"]).tolist() == [[0.0, 0.1]]
