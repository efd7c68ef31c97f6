"""Caption metrics: by hand, and against the COCO scripts and sacrebleu where they are installed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vidembed.evaluation.captions import (
    bleu,
    caption_report,
    cider_d,
    clip_scores,
    ref_clip_scores,
    rouge_l,
    tokens,
    variety,
)
from vidembed.vectors import unit_rows

WORDS = [
    "a",
    "man",
    "woman",
    "dog",
    "cat",
    "runs",
    "sits",
    "on",
    "the",
    "grass",
    "table",
    "red",
    "ball",
    "throws",
    "plays",
    "with",
]


def random_texts(seed: int, n: int = 80) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Captions and one to five references each, from few words, so that n-grams repeat and tie."""
    rng = np.random.default_rng(seed)

    def text() -> list[str]:
        return rng.choice(WORDS, rng.integers(1, 12)).tolist()

    candidates, references = [text() for _ in range(n)], [[text() for _ in range(rng.integers(1, 6))] for _ in range(n)]
    candidates[0] = references[0][0] = WORDS[:6]  # a 4-gram in common: the COCO scripts have 1e-15 in place of 0
    return candidates, references


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man, in a RED hat!", ["a", "man", "in", "a", "red", "hat"]),
        ("The dog's ball isn't there.", ["the", "dog", "'s", "ball", "is", "n't", "there"]),
        ("they’re on a T-shirt at 3.5 km", ["they", "'re", "on", "a", "t-shirt", "at", "3.5", "km"]),
        ("Ein Mädchen läuft …", ["ein", "mädchen", "läuft"]),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_bleu_by_hand() -> None:
    candidate, reference = ["the", "the", "the", "cat"], ["the", "cat", "sat", "down", "here"]
    # Clipped unigrams 2 of 4, bigrams 1 of 3 ("the cat"); shorter than the reference: exp(1 - 5/4).
    scores = bleu([candidate], [[reference]])
    penalty = math.exp(1 - 5 / 4)
    assert scores[0] == pytest.approx(penalty * 0.5)
    assert scores[1] == pytest.approx(penalty * math.sqrt(0.5 / 3))
    assert scores[2:] == pytest.approx([0, 0], abs=1e-3)
    assert bleu([reference], [[reference]]) == pytest.approx([1, 1, 1, 1])
    assert bleu([[]], [[reference]]) == pytest.approx([0, 0, 0, 0], abs=1e-3)


def test_rouge_by_hand() -> None:
    # The common subsequence is "the cat down": precision 3/4, recall 3/5.
    (score,) = rouge_l([["the", "cat", "falls", "down"]], [[["the", "cat", "sat", "down", "here"]]])
    p, r, b = 3 / 4, 3 / 5, 1.2**2
    assert score == pytest.approx((1 + b) * p * r / (r + b * p))
    assert rouge_l([[]], [[["a"]]]).tolist() == [0]


def test_cider_by_hand() -> None:
    # Two items with nothing in common: every n-gram is in one document of two, so all weigh log 2.
    a, b = ["one", "two", "three", "four"], ["five", "six", "seven", "eight"]
    assert cider_d([a, b], [[a], [b]]).tolist() == pytest.approx([10, 10])
    assert cider_d([b, a], [[a], [b]]).tolist() == [0, 0]
    # "one two" against "one two three four": 1 of 2 orders... unigrams 2 of sqrt(2)*2, bigrams 1 of 1*sqrt(3).
    penalty = math.exp(-(2**2) / 72)
    expected = 10 / 4 * penalty * (2 / (math.sqrt(2) * 2) + 1 / math.sqrt(3))
    assert cider_d([a[:2], b], [[a], [b]])[0] == pytest.approx(expected)
    assert cider_d([a], [[a]]).tolist() == [0]  # a single document: no word is rare


@pytest.mark.parametrize("seed", range(4))
def test_bleu_agrees_with_sacrebleu(seed: int) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    candidates, references = random_texts(seed)
    most = max(len(others) for others in references)
    columns = [[" ".join(o[i]) if i < len(o) else None for o in references] for i in range(most)]
    metric = sacrebleu.metrics.BLEU(smooth_method="none", tokenize="none", force=True)
    got = metric.corpus_score([" ".join(words) for words in candidates], columns).score / 100
    assert bleu(candidates, references)[3] == pytest.approx(got, abs=1e-6)


def test_a_better_caption_scores_higher_in_all() -> None:
    references = [["a dog runs on the grass"], ["a man plays guitar"], ["two cats sleep"]]
    good = caption_report(["a dog runs on grass", "a man plays a guitar", "two cats sleep"], references)
    bad = caption_report(["a car", "the sea at night", "a table"], references)
    for name in ("BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr-D"):
        assert good[name] > bad[name]
    assert good["captions"] == 3


def test_variety() -> None:
    report = variety([["a", "dog"], ["a", "dog"], ["a", "cat"], ["a", "cat"]])
    assert report == pytest.approx({"unique": 0.5, "distinct-1": 3 / 8, "distinct-2": 2 / 4, "words": 2})
    assert math.isnan(variety([])["unique"])


def test_clip_scores_by_hand() -> None:
    media = unit_rows(np.array([[1, 0], [1, 0], [0, 1]]))
    texts = unit_rows(np.array([[1, 1], [-1, 0], [0, 1]]))
    assert clip_scores(media, texts).tolist() == pytest.approx([2.5 / math.sqrt(2), 0, 2.5])
    refs = [unit_rows(np.array([[1, 1], [1, 0]])), unit_rows(np.array([[1, 0]])), unit_rows(np.array([[1, 0]]))]
    own = 2.5 / math.sqrt(2)
    assert ref_clip_scores(media, texts, refs).tolist() == pytest.approx([2 * own / (own + 1), 0, 0], abs=1e-6)
    with pytest.raises(ValueError, match="one caption vector per clip vector"):
        clip_scores(media, texts[:2])


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1 captions and references for 2"):
        bleu([["a"]], [[["a"]], [["b"]]])
    with pytest.raises(ValueError, match="item 0 has no reference"):
        cider_d([["a"]], [[]])
