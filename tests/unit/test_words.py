"""BM25 words: values against the formula by hand, and that exact phrases, names and misspelt words find their text."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from vidembed.errors import ConfigError
from vidembed.models.encoders import words as _tokens
from vidembed.models.encoders.words import Bm25Words, WordClipEncoder
from vidembed.protocols import Encoded
from vidembed.search.query import quoted
from vidembed.search.words import contains_phrase, match_span
from vidembed.types import Clip, Failure, Space, Span, SparseVector, TextLine, TimedText

SPEECH = [
    "Welcome back everybody, today we are going to repair a bicycle wheel in the garage.",
    "Margaret Atkinson visited the observatory in Edinburgh and looked through the telescope.",
    "The quick brown fox jumps over the lazy dog while the children are watching.",
    "An elephant walked slowly towards the river and drank for several minutes.",
    "Tomorrow we will speak about philosophy, mathematics and the weather in Zürich.",
    "To be, or not to be: that is the question.",
    "今天天气很好，我们去公园散步吧。",
    "नमस्ते दुनिया, आज मौसम अच्छा है",
]


def search(encoder: Bm25Words, query: str, texts: list[str]) -> list[tuple[int, float]]:
    """(text, BM25 score) of the texts that share a dimension, best first: what a store does, written out."""
    vectors = encoder.encode_documents(texts)
    asked = encoder.encode_query(query)
    if asked is None:
        return []
    holding = {int(i): sum(v is not None and i in v.indices for v in vectors) for i in asked.indices}
    scores = []
    for n, vector in enumerate(vectors):
        values = {} if vector is None else dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))
        score = sum(
            weight * values[i] * math.log((len(texts) - holding[i] + 0.5) / (holding[i] + 0.5) + 1)
            for i, weight in zip(asked.indices.tolist(), asked.values.tolist(), strict=True)
            if i in values
        )
        if score > 0:
            scores.append((n, score))
    return sorted(scores, key=lambda pair: -pair[1])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("quick brown fox jumps", 2),
        ("Margaret Atkinson", 1),
        ("margret atkinson", 1),  # a letter left out
        ("elephnat", 3),  # two letters swapped
        ("elefant", 3),  # as it sounds
        ("elephants drinking", 3),  # other forms
        ("bycicle", 0),  # misspelt the usual way
        ("telescop", 1),
        ("tommorow", 4),  # two errors, one sound
        ("filosofy", 4),
        ("zurich", 4),  # no umlaut
        ("ZÜRICH", 4),
        ("to be or not to be", 5),  # nothing but function words
        ("公园", 6),
        ("散步", 6),
        ("天", 6),
        ("दुनिया", 7),
    ],
)
def test_the_right_text_comes_first(query: str, expected: int) -> None:
    found = search(Bm25Words(), query, SPEECH)
    assert found[0][0] == expected
    assert len(found) == 1 or found[0][1] > 1.2 * found[1][1]


def test_a_query_that_is_nowhere_finds_nothing() -> None:
    for query in ("submarine", "the xylophone", "quantum", "...", "公司职员吗呢哪里"[:2]):
        assert search(Bm25Words(), query, SPEECH) == [], query


def test_the_right_spelling_outranks_near_words() -> None:
    texts = ["a spatial planet", "a special plane", "a plant in special soil"]
    assert next(n for n, _ in search(Bm25Words(), "planet", texts)) == 0
    exact, *_near = search(Bm25Words(), "special", texts)[:2]
    assert exact[1] > 0.5


def test_without_keys_a_misspelt_word_finds_nothing() -> None:
    assert search(Bm25Words(fuzzy=0), "elephnat", SPEECH) == []


def test_document_values_follow_bm25() -> None:
    encoder = Bm25Words(k1=1.2, b=0.75, average_length=4.0, fuzzy=0, language="none")
    (vector,) = encoder.encode_documents(["cat cat dog sat on mat"])  # 6 words
    assert vector is not None
    assert len(vector.indices) == 5
    norm = 1.2 * (0.25 + 0.75 * 6 / 4)
    once, twice = 2.2 / (1 + norm), 2 * 2.2 / (2 + norm)
    assert sorted(vector.values.tolist()) == pytest.approx([once] * 4 + [twice])


def test_a_query_counts_each_word_once() -> None:
    vector = Bm25Words(fuzzy=0).encode_query("dog dog dogs cat")
    assert vector is not None
    assert vector.values.tolist() == [1.0, 1.0]


def test_words_and_misspelling_keys_have_their_own_dimensions() -> None:
    vector = Bm25Words(fuzzy=0.25).encode_query("elephant")
    assert vector is not None
    words, keys = vector.indices < 2**31, vector.indices >= 2**31
    assert words.sum() == 1
    assert vector.values[words].tolist() == [1.0]
    # the word, its 8 deletions and its sound
    assert keys.sum() == 10
    assert set(vector.values[keys].tolist()) == {0.25}


def test_dimensions_are_the_same_in_every_release() -> None:
    vector = Bm25Words(fuzzy=0, language="none").encode_query("dog")
    # BLAKE2b-32 of b"dog" by `b2sum -l 32`, without the top bit
    assert vector is not None
    assert vector.indices.tolist() == [0xF73E71A0 % 2**31]


def test_nothing_to_index_is_none() -> None:
    assert Bm25Words().encode_documents(["", " ...!? ", "♪ ♫"]) == [None, None, None]
    assert Bm25Words().encode_query("?!") is None


@pytest.mark.parametrize("options", [{"k1": -1}, {"b": 2}, {"average_length": 0}, {"fuzzy": -0.1}])
def test_bad_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="k1"):
        Bm25Words(**options)  # type: ignore[arg-type]


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="klingon") as caught:
        Bm25Words(language="klingon")
    assert "english" in caught.value.hint


def test_folding() -> None:
    assert _tokens.words("Ｆｕｌｌ Ｗｉｄｔｈ ﬁne Straße CAFÉ don’t") == [
        "full",
        "width",
        "fine",
        "strasse",
        "cafe",
        "don't",
    ]
    assert _tokens.words("й ё") == ["й", "ё"]  # the mark makes the letter there
    assert _tokens.words("日本go語") == ["日", "本", "go", "語"]
    assert _tokens.words("snake_case 3.5 a-b") == ["snake", "case", "3", "5", "a", "b"]


def test_stemming_is_safe_in_threads() -> None:
    wrong: list[str] = []

    def work(n: int) -> None:
        for i in range(2000):
            word = f"run{chr(97 + n)}{i}ning"
            if _tokens.stem(word, "english") != f"run{chr(97 + n)}{i}ning"[:-3] and len(wrong) < 3:
                wrong.append(_tokens.stem(word, "english"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len({w[-3:] for w in wrong}) <= 1  # all alike, whatever the algorithm makes of made-up words


class TestWordClipEncoder:
    clips = tuple(Clip.make("v" * 32, i, Span(i, i + 1)) for i in range(4))

    def test_encodes_texts_and_says_which_one_failed(self) -> None:
        text = TimedText((TextLine(Span(0, 0.5), "an elephant"), TextLine(Span(0.5, 1), "walked")))
        sound = np.zeros(3, dtype=np.float32)
        answers = WordClipEncoder(Bm25Words()).encode_clips(
            [text, None, TimedText((TextLine(Span(0, 1), "!"),)), sound], self.clips
        )  # type: ignore[list-item]
        first, absent, wordless, failed = answers
        assert isinstance(first, Encoded)
        assert isinstance(first.vector, SparseVector)
        (same,) = Bm25Words().encode_documents(["an elephant walked"])
        assert same is not None
        assert np.array_equal(first.vector.indices, same.indices)
        assert absent is None
        assert wordless is None
        assert isinstance(failed, Failure)
        assert failed.item == self.clips[3].clip_id
        assert "ndarray" in failed.message

    def test_answers_text_only(self) -> None:
        encoder = WordClipEncoder(Bm25Words())
        assert encoder.space == Space("words-english", 0, "sparse")
        assert encoder.encode_query("image", np.zeros((2, 2, 3), np.uint8)) is None
        assert isinstance(encoder.encode_query("text", "dog"), SparseVector)


class TestPhrases:
    def test_contains(self) -> None:
        assert contains_phrase("The QUICK, brown fox!", "quick brown")
        assert not contains_phrase("quick and brown", "quick brown")
        assert not contains_phrase("brownish quick brow", "quick brown")
        assert not contains_phrase("anything", "...")
        assert contains_phrase("我们去公园散步", "公园")

    def test_quoted_parts_of_a_query(self) -> None:
        assert quoted('a talk about “black holes” and "dark matter"') == ("black holes", "dark matter")

    def test_span_of_the_words_where_their_times_are_known(self) -> None:
        words = tuple(
            (10 + i * 0.5, 10.4 + i * 0.5, w)
            for i, w in enumerate(["she", "said", "the", "telescope", "was", "broken"])
        )
        text = TimedText((
            TextLine(Span(5, 9), "nothing here"),
            TextLine(Span(10, 13), "She said the telescope was broken.", words=words),
        ))  # fmt: skip
        assert match_span(text, "the telescope was") == Span(11.0, 12.4)
        assert match_span(text, 'where is "telescope"') == Span(11.5, 11.9)
        assert match_span(text, "broken telescopes") == Span(10, 13)  # the words, no phrase: the line
        assert match_span(text, "telescpoe") == Span(10, 13)
        assert match_span(text, "the elephant") is None

    def test_span_of_a_phrase_over_two_lines(self) -> None:
        text = TimedText((TextLine(Span(3, 5), "THANKS FOR"), TextLine(Span(4, 6), "WATCHING")))
        assert match_span(text, "thanks for watching") == Span(3, 6)
