"""What share of a query's words a text holds: whole words and near ones. Phrases are in `encoders.phrases`."""

from __future__ import annotations

import numpy as np

from vidembed.protocols import ClipEncoder
from vidembed.types import SparseVector

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
