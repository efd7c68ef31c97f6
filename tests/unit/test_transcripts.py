"""Texts of clips put together: no word twice, no sentence cut in two."""

from __future__ import annotations

import pytest

from vidembed.index.transcripts import joined_writing
from vidembed.search.answers import joined_speech, marks, whole_sentence
from vidembed.types import Span, TextLine


def said(start_s: float, *words: str) -> TextLine:
    """Words of half a second each."""
    times = tuple((start_s + n / 2, start_s + n / 2 + 0.5, word) for n, word in enumerate(words))
    return TextLine(Span(start_s, times[-1][1]), " ".join(words), 0.5, times)


def test_a_sentence_cut_between_clips_is_whole_again() -> None:
    joined = joined_speech([said(9.0, "roof", "leaks."), said(8.0, "The", "old"), said(10.0, "Again.")])
    assert [(line.span, line.text) for line in joined] == [
        (Span(8, 10), "The old roof leaks."),
        (Span(10, 10.5), "Again."),
    ]
    assert [word for _, _, word in joined[0].words] == ["The", "old", "roof", "leaks."]


def test_a_pause_and_a_subtitle_divide() -> None:
    assert len(joined_speech([said(1.0, "well"), said(5.0, "yes")])) == 2
    assert len(joined_speech([TextLine(Span(1, 2), "one"), TextLine(Span(2, 3), "two")])) == 2


def test_what_overlapping_clips_both_have_is_there_once() -> None:
    assert joined_speech([said(1.0, "hi"), said(1.0, "hi")]) == [said(1.0, "hi")]


def test_words_that_stay_on_screen_are_one_line() -> None:
    lines = [
        TextLine(Span(0, 4), "Sale"),
        TextLine(Span(4, 8), "SALE"),
        TextLine(Span(4, 6), "Exit"),
        TextLine(Span(20, 21), "Sale"),
    ]
    assert [(line.span, line.text) for line in joined_writing(lines)] == [
        (Span(0, 8), "Sale"), (Span(4, 6), "Exit"), (Span(20, 21), "Sale")
    ]  # fmt: skip


class TestSentences:
    def test_a_sentence_that_a_cut_divides_is_whole(self) -> None:
        lines = [said(8.0, "The", "old"), said(9.0, "roof", "leaks."), said(10.0, "Again.")]
        assert whole_sentence("roof leaks.", Span(9, 9.8), lines) == "The old roof leaks."
        assert whole_sentence("Again.", Span(10, 10.4), lines) == "Again."
        assert whole_sentence("leaks. Again.", Span(9, 10.4), lines) == "leaks. Again."  # two sentences stay as found

    def test_lines_without_word_times_stay_as_they_are(self) -> None:
        lines = [TextLine(Span(0, 1), "one"), TextLine(Span(1, 2), "two")]
        assert whole_sentence("two", Span(1, 2), lines) == "two"

    @pytest.mark.parametrize(
        ("text", "query", "words"),
        [
            ("The Budgets, for next year", "what is the budget?", ["Budgets"]),
            ("to be or not to be", "to be", ["to", "be", "to", "be"]),
            ("Änne's café", '"anne\'s CAFE"', ["Änne's", "café"]),
            ("the busget is small", "budget", ["busget"]),
            ("the budget, not the busget", "budget", ["budget"]),
            ("日本語の字幕です", "字幕", ["字幕"]),
            ("字は幕", "字幕", []),
            ("nothing here", "budget", []),
            ("", "budget", []),
        ],
    )
    def test_the_querys_words_are_marked(self, text: str, query: str, words: list[str]) -> None:
        assert [text[start:end] for start, end in marks(text, query)] == words
