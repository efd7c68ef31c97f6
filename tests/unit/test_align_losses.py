"""Losses and ranks against what one can work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidembed.align.fit import info_nce, sigmoid_loss
from vidembed.align.measuring import both_ways, direction, ranks, unique_texts


def test_one_positive_a_row_is_clips_loss() -> None:
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(1)) * 3
    target = torch.arange(5)
    clip = (torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(logits.T, target)) / 2
    assert info_nce(logits, torch.eye(5, dtype=torch.bool)) == pytest.approx(float(clip), abs=1e-6)


def test_other_right_texts_are_not_pushed_away() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    both = torch.tensor([[True, True, False]])
    rows = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2  # each against the one negative
    assert info_nce(logits, both) == pytest.approx(rows / 2, abs=1e-6)  # columns have no negatives: 0


def test_nothing_positive_is_zero_with_a_gradient() -> None:
    logits = torch.ones(2, 2, requires_grad=True)
    loss = info_nce(logits, torch.zeros(2, 2, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros(2, 2))


def test_sigmoid_loss_by_hand() -> None:
    logits = torch.tensor([[1.0, -2.0]])
    expected = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))
    assert sigmoid_loss(logits, torch.tensor([[True, False]])) == pytest.approx(expected, abs=1e-6)


def test_ranks_count_ties_against_the_query() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.5, 0.5, 0.5], [0.1, 0.2, 0.3]])
    right = np.array([[True, False, False], [True, False, False], [True, True, False]])
    assert ranks(scores, right).tolist() == [1, 3, 2]
    with pytest.raises(ValueError, match="right answer"):
        ranks(scores, np.zeros((3, 3), bool))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000))
def test_ranks_against_a_plain_loop(queries: int, candidates: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (queries, candidates)) / 4.0
    right = rng.random((queries, candidates)) < 0.4
    right[np.arange(queries), rng.integers(0, candidates, queries)] = True
    for q, rank in enumerate(ranks(scores, right)):
        best = max(scores[q, c] for c in range(candidates) if right[q, c])
        assert rank == 1 + sum(1 for c in range(candidates) if not right[q, c] and scores[q, c] >= best)


def test_direction_and_both_ways() -> None:
    found = direction(np.eye(3)[[0, 1, 1]], np.eye(3, dtype=bool))
    assert (found.r1, found.r5, found.median_rank, found.queries, found.candidates) == (
        pytest.approx(2 / 3), 1.0, 1.0, 3, 3)  # fmt: skip
    media, texts = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[[0, 1, 1]]
    ways = both_ways("image", media, texts, np.array([[1, 0, 0], [0, 1, 1]], bool))
    assert list(ways) == ["text to image", "image to text"]
    assert ways["text to image"].queries == 3
    assert all(way.r1 == 1.0 for way in ways.values())


def test_a_text_of_two_items_is_right_for_both(tmp_path) -> None:
    from vidembed.align import Pair

    items = [Pair(tmp_path, "image", ("a", "b")), Pair(tmp_path, "image", ("b",))]
    texts, right = unique_texts(items)
    assert texts == ["a", "b"]
    assert right.tolist() == [[True, True], [False, True]]
