"""Exact words as sparse vectors: BM25 without its rarity part, which the store multiplies in (IDF).

A term's dimension is a hash of the word, so there is no vocabulary to keep and nothing to fit. Two ranges of
dimensions: whole words below 2**31, misspelling keys above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.batching import failure_of
from vidembed.encoders import _tokens
from vidembed.errors import ConfigError
from vidembed.protocols import Encoded, WordEncoder
from vidembed.types import Clip, Failure, Floats, Item, Modality, Space, SparseVector, TimedText

if TYPE_CHECKING:
    from vidembed.model_spec import ModelSpec

_HALF = 2**31


class Bm25Words:
    """Words for exact matches, with keys that let a misspelt word still find its clip.

    Document value of a term that occurs tf times in a text of `length` words:
        tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average_length))
    (Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, eq. 3.15; k1 and b as
    Lucene and Qdrant use them). `average_length` is fixed, because a true average would change every stored vector
    with every new video; 20 words are about eight seconds of speech. A query has 1 for each of its words, the store
    multiplies by IDF: the dot product is BM25.

    Dimensions: BLAKE2b of the word, 31 bits. 100,000 different words give about 2.3 colliding pairs (n^2 / 2 / 2^31);
    a collision makes two words count as one, never more.

    Misspellings (`fuzzy`): a word of five letters or more also has a key for the word itself, for each way of leaving
    one letter out, and for its sound (Metaphone). Words one typing error apart share at least one such key (the
    symmetric deletions of Garbe's SymSpell, 2012), words that sound alike share the last. Keys count `fuzzy` each in
    a query (0.1: a near word never outweighs the right one), and unlike shared trigrams they let a query
    that is nowhere in the index find nothing.
    """

    def __init__(
        self,
        *,
        k1: float = 1.2,
        b: float = 0.75,
        average_length: float = 20.0,
        fuzzy: float = 0.1,
        language: str = "english",
    ) -> None:
        """language: Snowball's name of the stemmer, or "none". fuzzy: 0 turns misspelling keys off.

        Raises ConfigError for values out of bounds or an unknown stemmer.
        """
        if not (k1 >= 0 and 0 <= b <= 1 and average_length > 0 and 0 <= fuzzy <= 1):
            raise ConfigError(
                f"words needs k1 >= 0, 0 <= b <= 1, average_length > 0, 0 <= fuzzy <= 1; "
                f"got {k1}, {b}, {average_length}, {fuzzy}"
            )
        _check_stemmer(language)
        self.space = Space(f"words-{language}", 0, "sparse")
        self._k1, self._b, self._average, self._fuzzy, self._language = k1, b, average_length, fuzzy, language

    def encode_documents(self, texts: Sequence[str]) -> list[SparseVector | None]:
        """One vector per text; None where a text has no word."""
        return [self._document(text) for text in texts]

    def _document(self, text: str) -> SparseVector | None:
        words = _tokens.words(text)
        counts = Counter(dimension for word in words for dimension, _ in self._terms(word))
        for pair in _pairs(words):
            counts[_dimension(pair)] += 1
        norm = self._k1 * (1 - self._b + self._b * len(words) / self._average)
        return _sparse({d: tf * (self._k1 + 1) / (tf + norm) for d, tf in counts.items()})

    def encode_query(self, text: str) -> SparseVector | None:
        """The query's words, each once; function words only when there is nothing else. None without a word."""
        words = _tokens.words(text)
        words = [w for w in words if w not in _tokens.STOP_WORDS] or words
        pairs = list(_pairs(words))
        in_pairs = {char for pair in pairs for char in pair}
        weights = {_dimension(pair): 1.0 for pair in pairs}
        for word in words:
            if word not in in_pairs:  # a pair says more than its two characters, which are everywhere
                weights.update(self._terms(word))
        return _sparse(weights)

    def _terms(self, word: str) -> Iterator[tuple[int, float]]:
        """(dimension, weight in a query) of the stem and of the misspelling keys; no dimension twice."""
        yield _dimension(_tokens.stem(word, self._language)), 1.0
        if self._fuzzy and word not in _tokens.STOP_WORDS:
            for key in _tokens.misspelling_keys(word):
                yield _HALF + _dimension(key), self._fuzzy


class WordsEncoder:
    """A `ClipEncoder` over a `WordEncoder`: a clip's text in, its weighted words out. Answers text queries only."""

    def __init__(self, encoder: WordEncoder, *, name: str = "words") -> None:
        self.space = encoder.space
        self._encoder, self._name = encoder, name

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        """As `ClipEncoder.encode_clips`: None for a clip without a word."""
        return [None if item is None else self._encode(item, clip) for item, clip in zip(items, clips, strict=True)]

    def _encode(self, item: Item, clip: Clip) -> Encoded | Failure | None:
        try:
            if not isinstance(item, str | TimedText):
                raise TypeError(f"words are made from text, got {type(item).__name__}")
            text = item.text if isinstance(item, TimedText) else item
            (vector,) = self._encoder.encode_documents([text])
            return None if vector is None else Encoded(vector)
        except Exception as error:
            return failure_of(error, item=clip.clip_id, stage=f"encode:{self._name}")

    def encode_query(self, modality: Modality, value: Item) -> Floats | SparseVector | None:
        """The query's words; None for a query that is no text or has no word."""
        if modality != "text":
            return None
        text = value.text if isinstance(value, TimedText) else value
        return self._encoder.encode_query(text) if isinstance(text, str) else None


def load(spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Any = None, offline: bool = False,
         **options: Any) -> Bm25Words:  # fmt: skip
    """The registry's factory; there are no weights, so only `options` count (see `Bm25Words`)."""
    try:
        return Bm25Words(**options)
    except TypeError as error:
        raise ConfigError(f"words: {error}", hint="known: k1, b, average_length, fuzzy, language") from error


def _check_stemmer(language: str) -> None:
    import snowballstemmer

    if language != "none" and language not in (known := sorted(snowballstemmer.algorithms())):
        raise ConfigError(f"no stemmer for {language!r}", hint=f"known: none, {', '.join(known)}")


def _pairs(words: Sequence[str]) -> Iterator[str]:
    """Neighbouring characters of scripts without spaces."""
    for first, second in pairwise(words):
        if _tokens.is_unspaced(first) and _tokens.is_unspaced(second):
            yield first + second


def _dimension(term: str) -> int:
    """31 bits that are the same on every machine and in every release."""
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "big") % _HALF


def _sparse(values: Mapping[int, float]) -> SparseVector | None:
    if not values:
        return None
    indices = np.array(sorted(values), dtype=np.uint32)
    return SparseVector(indices, np.array([values[int(i)] for i in indices], dtype=np.float32))
