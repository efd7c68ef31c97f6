"""Which texts hold a query word for word, and when the words were said: for ranking, highlights and spans.

What share of a query's words a text holds: whole words and near ones. Phrases are in `encoders.phrases`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set

import numpy as np

from vidembed.models.encoders import words as _tokens
from vidembed.protocols import ClipEncoder
from vidembed.types import Span, SparseVector, TimedText

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether the phrase's words stand in the text in this order without gaps; case and accents do not count."""
    wanted = _tokens.words(phrase)
    return bool(wanted) and _find(_tokens.words(text), wanted) is not None


def quoted(query: str) -> tuple[str, ...]:
    """The parts of the query in quotation marks: the user insists on them."""
    return tuple(part.strip() for part in _QUOTED.findall(query) if part.strip())


def match_span(text: TimedText, query: str, *, language: str = "english") -> Span | None:
    """When the query's words are said or shown: the exact phrase if it is there, else the line with most of them,
    else the line with words that are nearly them.

    With word times the span is that of the words, else that of the line. None when no line has a word of the query.
    """
    wanted = _tokens.words(" ".join(quoted(query)) or query)
    timed = _timed_words(text)
    found = _find([word for word, _, _ in timed], wanted) if wanted else None
    if found is not None:
        return Span(timed[found][1], timed[found + len(wanted) - 1][2])
    wanted = [w for w in wanted if w not in _tokens.STOP_WORDS] or wanted
    for keys_of in (lambda w: {_tokens.stem(w, language)}, _tokens.misspelling_keys):
        keys = [keys_of(word) for word in wanted]
        scores = [_shared_words(_tokens.words(line.text), keys, keys_of) for line in text.lines]
        if max(scores):
            return text.lines[scores.index(max(scores))].span
    return None


def _shared_words(words: Sequence[str], wanted: Sequence[Set[str]], keys_of: Callable[[str], Set[str]]) -> int:
    """How many of the wanted words are among these, going by their keys."""
    found = set().union(*map(keys_of, words)) if words else set()
    return sum(not found.isdisjoint(keys) for keys in wanted)


def _timed_words(text: TimedText) -> list[tuple[str, float, float]]:
    """(folded word, start_s, end_s) in order; a line without word times lends its own span to each word."""
    found: list[tuple[str, float, float]] = []
    for line in text.lines:
        given = line.words or ((line.span.start_s, line.span.end_s, line.text),)
        found.extend((word, start, end) for start, end, raw in given for word in _tokens.words(raw))
    return found


def _find(words: Sequence[str], wanted: Sequence[str]) -> int | None:
    n = len(wanted)
    for i in range(len(words) - n + 1):
        if list(words[i : i + n]) == list(wanted):
            return i
    return None


NEAR = 0.6  # what a misspelt word that still shares something with the text counts, against 1 for the word itself


class WordMatch:
    """What share of a query's words a text has, seen through the channel's own word encoder (stems, misspellings)."""

    def __init__(self, text: str, encoder: ClipEncoder, whole: SparseVector) -> None:
        """text: the query; whole: its vector, which says which of the words count (stop words are not in it)."""
        self._encoder = encoder
        counted = set(whole.indices.tolist())
        self._words: list[tuple[frozenset[int], frozenset[int]]] = []  # (the word itself, all its keys)
        for word in dict.fromkeys(text.split()):
            vector = encoder.encode_query("text", word)
            if not isinstance(vector, SparseVector):
                continue
            keys = vector.indices[vector.values >= vector.values.max() * 0.999]
            if counted.issuperset(keys.tolist()):
                self._words.append((frozenset(keys.tolist()), frozenset(vector.indices.tolist())))
        if not self._words:
            self._words = [(frozenset(counted), frozenset(counted))]

    def share(self, document: SparseVector) -> float:
        """0..1: the mean over the query's words of 1 for the word, NEAR for a near one, 0 for none."""
        there = set(document.indices.tolist())
        values = []
        for keys, near in self._words:
            exact = len(keys & there) / len(keys)
            values.append(exact if exact > 0 else NEAR * bool(near & there))
        return float(np.mean(values))

    def share_of_text(self, text: str) -> float:
        """The same for a line of text; 0 for a line without words."""
        vector = self._encoder.encode_query("text", text)
        return self.share(vector) if isinstance(vector, SparseVector) else 0.0
