"""How well a text holds a query's words: exact phrases, whole words, near words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from vidembed.protocols import ClipEncoder
from vidembed.types import SparseVector

_WORD = re.compile(r"\w+(?:['’]\w+)*")
NEAR = 0.6  # what a misspelt word that still shares something with the text counts, against 1 for the word itself


def plain_words(text: str) -> list[str]:
    """Words in lower case, accents and typographic apostrophes made plain, for comparing phrases."""
    text = unicodedata.normalize("NFKD", text).replace("’", "'")
    text = "".join(char for char in text if not unicodedata.combining(char))
    return _WORD.findall(text.casefold())


def find_phrase(phrase: Sequence[str], words: Sequence[str]) -> int | None:
    """Position of the phrase's words, one after the other, among the words; None when it is not there."""
    if not phrase or len(phrase) > len(words):
        return None
    first = phrase[0]
    for i in range(len(words) - len(phrase) + 1):
        if words[i] == first and list(words[i : i + len(phrase)]) == list(phrase):
            return i
    return None


class WordMatch:
    """What share of a query's words a text has, seen through the channel's own word encoder (stems, misspellings)."""

    def __init__(self, text: str, encoder: ClipEncoder, whole: SparseVector) -> None:
        """text: the query; whole: its vector, which says which of the words count (stop words are not in it)."""
        self._encoder = encoder
        counted = set(whole.indices.tolist())
        self._words: list[tuple[frozenset[int], frozenset[int]]] = []  # (the word itself, all its keys)
        for word in dict.fromkeys(plain_words(text)):
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
