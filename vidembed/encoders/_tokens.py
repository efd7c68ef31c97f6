"""Text to words: one way for documents, queries and phrase checks, for any script."""

from __future__ import annotations

import threading
import unicodedata
from functools import lru_cache

import regex

# Scripts written without spaces: their runs are cut into overlapping pairs (as Lucene's CJKAnalyzer does).
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# Marks belong to the letter before them (Hindi vowel signs); an apostrophe inside a word stays in it.
_LETTER = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{N}}\p{{M}}])"
_WORD = regex.compile(rf"(?P<run>[{_UNSPACED}][{_UNSPACED}\p{{M}}]*)|{_LETTER}+(?:'{_LETTER}+)*")

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


def fold(text: str) -> str:
    """Compatibility forms unified (NFKC), case folded, accents of Latin letters dropped, apostrophes alike."""
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
    for match in _WORD.finditer(fold(text)):
        found.extend(match.group() if match["run"] else [match.group()])
    return found


def is_unspaced(word: str) -> bool:
    """Whether the word is one character of a script that is written without spaces."""
    return len(word) == 1 and _WORD.fullmatch(word) is not None and _WORD.fullmatch(word)["run"] is not None


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
