"""Words of texts in any script, for documents, queries and phrase checks; and BM25 as sparse vectors.

The store multiplies the inverse document frequency (IDF) in. A term's dimension is a hash of the word, so there is no
vocabulary to keep and nothing to fit: whole words below 2**31, misspelling keys above.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.batching import failure_of
from vidembed.errors import ConfigError
from vidembed.protocols import Encoded, WordEncoder
from vidembed.types import Clip, Failure, Floats, Item, Modality, Space, SparseVector, TimedText

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec


# Scripts written without spaces: their runs are cut into overlapping pairs (as Lucene's CJKAnalyzer does).
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# Marks belong to the letter before them (Hindi vowel signs); an apostrophe inside a word stays in it.
_LETTER = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{N}}\p{{M}}])"
_PATTERN = rf"(?P<run>[{_UNSPACED}][{_UNSPACED}\p{{M}}]*)|{_LETTER}+(?:'{_LETTER}+)*"

# Function words of English. They are left out of queries that say something else besides, never out of documents,
# so that "to be or not to be" is still found.
_STOP = (
    "a about above after again all also am an and any are as at be because been before being below between both but by "
    "can could did do does doing down during each few for from further had has have having he her here hers herself "
    "him himself his how i i'd i'll i'm i've if in into is isn't it it's its itself just me more most my myself no nor "
    "not of off on once only or other our ours ourselves out over own same she should so some such than that that's "
    "the their theirs them themselves then there there's these they they're this those through to too under until up "
    "us very was we we're were what when where which while who whom whose why will with would you you're your yours "
    "yourself"
)
STOP_WORDS = frozenset(_STOP.split())


@cache
def _pattern() -> Any:
    """Of one word. Whoever asks for none, such as a run with nothing to do, does without the package: 5 ms."""
    import regex

    return regex.compile(_PATTERN)


def fold(text: str) -> str:
    """The text in NFKC, case folded, without the accents of Latin letters, with one kind of apostrophe."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if folded.isascii():
        return folded
    kept: list[str] = []
    base = ""
    for char in unicodedata.normalize("NFD", folded):
        if unicodedata.combining(char):
            if base >= "\u0250" or not base:  # only Latin: in other scripts the marks make the letter
                kept.append(char)
        else:
            base = char
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


def words(text: str) -> list[str]:
    """The folded words in order, not stemmed; a run of a script without spaces is cut into its characters."""
    found: list[str] = []
    for match in _pattern().finditer(fold(text)):
        found.extend(match.group() if match["run"] else [match.group()])
    return found


def is_unspaced(word: str) -> bool:
    """Whether the word is one character of a script that is written without spaces."""
    found = _pattern().fullmatch(word) if len(word) == 1 else None
    return found is not None and found["run"] is not None


def words_at(text: str) -> list[tuple[int, int, str]]:
    """(start, end, folded word) of each word in the text, in characters of the text as it is."""
    found: list[tuple[int, int, str]] = []
    for match in _pattern().finditer(text):
        if match["run"]:
            found.extend((match.start() + i, match.start() + i + 1, fold(char)) for i, char in enumerate(match.group()))
        else:
            found.append((match.start(), match.end(), fold(match.group())))
    return found


_local = threading.local()


@lru_cache(maxsize=50_000)
def stem(word: str, language: str) -> str:
    """The word's stem by the Snowball algorithm of that language ("english", "german", ...); "none": as it is."""
    if language == "none" or (language == "english" and not word.isascii()):
        return word
    import snowballstemmer

    # The stemmer objects keep state between calls, so each thread has its own.
    stemmers = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        stemmers[language] = snowballstemmer.stemmer(language)
    return str(stemmers[language].stemWord(word))


@lru_cache(maxsize=50_000)
def misspelling_keys(word: str) -> frozenset[str]:
    """Keys that words share when they are one typing error apart or sound alike; none for words under five letters.

    The word, each way of leaving one letter out (Garbe's SymSpell, 2012), and "~" with its Metaphone code.
    """
    import jellyfish

    word = word.replace("'", "")
    if word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]  # the plural of a misspelt word (Harman's S-stemmer, 1991, its main rule)
    if len(word) < 5 or not word.isalpha():
        return frozenset()
    keys = {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}
    if word.isascii() and len(sound := jellyfish.metaphone(word)) >= 3:
        keys.add("~" + sound)
    return frozenset(keys)


_HALF = 2**31


class Bm25Words:
    """A `WordEncoder`: BM25 over exact words, with keys by which a misspelt word still matches.

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
        """Check the parameters.

        Args:
            k1: How soon a repeated word stops counting.
            b: How much a long text counts less, 0 to 1.
            average_length: Words of an average text.
            fuzzy: Weight of a misspelling key in a query; 0 turns these keys off.
            language: Snowball's name of the stemmer, or "none".

        Raises:
            ConfigError: For a value out of bounds or an unknown stemmer.
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
        found = words(text)
        counts = Counter(dimension for word in found for dimension, _ in self._terms(word))
        for pair in _pairs(found):
            counts[_dimension(pair)] += 1
        norm = self._k1 * (1 - self._b + self._b * len(found) / self._average)
        return _sparse({d: tf * (self._k1 + 1) / (tf + norm) for d, tf in counts.items()})

    def encode_query(self, text: str) -> SparseVector | None:
        """The query's words, each once; function words only when there is nothing else. None without a word."""
        found = words(text)
        kept = [w for w in found if w not in STOP_WORDS] or found
        pairs = list(_pairs(kept))
        in_pairs = {char for pair in pairs for char in pair}
        weights = {_dimension(pair): 1.0 for pair in pairs}
        for word in kept:
            if word not in in_pairs:  # a pair says more than its two characters, which are everywhere
                weights.update(self._terms(word))
        return _sparse(weights)

    def _terms(self, word: str) -> Iterator[tuple[int, float]]:
        """(dimension, weight in a query) of the stem and of the misspelling keys; no dimension twice."""
        yield _dimension(stem(word, self._language)), 1.0
        if self._fuzzy and word not in STOP_WORDS:
            for key in misspelling_keys(word):
                yield _HALF + _dimension(key), self._fuzzy


class WordClipEncoder:
    """A `ClipEncoder` over a `WordEncoder`: a clip's text in, its weighted words out. For text queries only."""

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
    """The registry's factory. Options: the arguments of `Bm25Words`; there are no weights."""
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
        if is_unspaced(first) and is_unspaced(second):
            yield first + second


def _dimension(term: str) -> int:
    """31 bits that are the same on every machine and in every release."""
    return int.from_bytes(blake2b(term.encode(), digest_size=4).digest(), "big") % _HALF


def _sparse(values: Mapping[int, float]) -> SparseVector | None:
    if not values:
        return None
    indices = np.array(sorted(values), dtype=np.uint32)
    return SparseVector(indices, np.array([values[int(i)] for i in indices], dtype=np.float32))
