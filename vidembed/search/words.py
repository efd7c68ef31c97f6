"""A query in a channel of sparse word vectors: exact phrases first, then BM25; when words were said or shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set

import numpy as np

from vidembed.models.encoders import words as tokens
from vidembed.protocols import ClipEncoder
from vidembed.search.channels import DOUBTED, ChannelSearch, ChannelTools, Found, Pieces, Texts, TextsOf
from vidembed.search.query import ChannelQuery, quoted
from vidembed.types import Clip, Span, SparseVector, TimedText, Where

NEAR = 0.6  # weight of a similar word, such as a misspelt one, against 1 for the word itself


class WordChannelSearch(ChannelSearch):
    """In a channel of sparse word vectors. Quoted parts of the query, or else all of it, count as phrases."""

    guesses = False
    segments = False

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float, text: str) -> None:
        """text: the query's positive text."""
        super().__init__(query, tools, stored=stored, weight=weight)
        assert isinstance(query.vector, SparseVector)
        self._vector = query.vector
        self._match = WordMatch(text, query.channel.encoder, query.vector)
        self._phrases = quoted(text) or (text,)
        self._lone_letter = query.verbatim and not quoted(text)

    def _ranked(self, need: int, where: Where | None, texts: TextsOf) -> list[Found]:
        hits = self._tools.store.search(self.collection, self._vector, k=self._candidates(need), where=where)
        ids = [clip_id for clip_id, _ in hits]
        self.load(ids)
        lines = texts(ids)
        for clip_id, score in hits:
            text = lines.get(clip_id, {}).get(self.name)
            phrase = text is not None and all(contains_phrase(text.text, phrase) for phrase in self._phrases)
            z = _words_z(self._share(clip_id), phrase)
            self.exact[clip_id] = Found(clip_id, score, score, z, z, phrase)
        return sorted(
            (self.exact[clip_id] for clip_id in ids), key=lambda hit: (not hit.phrase, -hit.value, hit.clip_id)
        )

    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        return Pieces.of_lines([[part for clip in clips for part in self._lines(clip, texts)] for clips in windows])

    def odds(self, z: float) -> float:
        return z - 3.0  # all words there: confidence 0.88; half of them: 0.3; the phrase itself: 0.97

    def believed(self, top: float, hits: Sequence[tuple[Found, float]] = (), *, known: float = 1.0) -> float:
        odds = super().believed(top, hits, known=known)
        return min(odds, DOUBTED) if self._lone_letter else odds

    def confidence(self, z: float) -> float:
        return float(1 / (1 + np.exp(-self.odds(z))))

    def _share(self, clip_id: str) -> float:
        """Share of the query's words in the clip; 0 for a clip that the channel lacks."""
        row = self._rows.get(clip_id)
        return self._match.share(row.vector) if row is not None and isinstance(row.vector, SparseVector) else 0.0

    def _lines(self, clip: Clip, texts: Texts) -> Iterator[tuple[float, float, float, str]]:
        """(start_s, end_s, z, text) of each phrase, to the word if word times are known, and of the other lines."""
        if clip.clip_id not in self._rows:
            return
        text = texts.get(clip.clip_id, {}).get(self.name)
        if text is None:
            yield clip.span.start_s, clip.span.end_s, _words_z(self._share(clip.clip_id), False), ""
            return
        spoken = [line for line in text.lines if line.text.strip()]
        taken: list[Span] = []
        for phrase in self._phrases:
            span = match_span(text, f'"{phrase}"') if contains_phrase(text.text, phrase) else None
            if span is not None:
                taken.append(span)
                words = " ".join(line.text.strip() for line in spoken if line.span.overlap_s(span) > 0)
                yield span.start_s, span.end_s, _words_z(1.0, True), words
        for line in spoken:
            if not any(line.span.overlap_s(span) > 0 for span in taken):
                z = _words_z(self._match.share_of_text(line.text), False)
                yield line.span.start_s, line.span.end_s, z, line.text.strip()


def _words_z(share: float, phrase: bool) -> float:
    """z-score of words found: 5 for all of them, 6.5 for the exact phrase, 0 for none."""
    return 6.5 if phrase else 5.0 * share**1.3


class WordMatch:
    """Share of a query's words in a text, by the channel's own word encoder (stems, misspellings)."""

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
        """Mean over the query's words, 0..1: 1 for an exact word, NEAR for a similar one, 0 for none."""
        there = set(document.indices.tolist())
        values = []
        for keys, near in self._words:
            exact = len(keys & there) / len(keys)
            values.append(exact if exact > 0 else NEAR * bool(near & there))
        return float(np.mean(values))

    def share_of_text(self, text: str) -> float:
        """`share` of a line of text; 0 for a line without words."""
        vector = self._encoder.encode_query("text", text)
        return self.share(vector) if isinstance(vector, SparseVector) else 0.0


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether the text has the phrase's words in order, without gaps; case and accents do not count."""
    wanted = tokens.words(phrase)
    return bool(wanted) and _find(tokens.words(text), wanted) is not None


def match_span(text: TimedText, query: str) -> Span | None:
    """When the query's words are said or shown.

    Returns:
        The span of the exact phrase, else of the line with most of its words, else of the line with most similar words;
        None if no line has any. Of the words themselves if word times are known, else of the line.
    """
    wanted = tokens.words(" ".join(quoted(query)) or query)
    timed = _timed_words(text)
    found = _find([word for word, _, _ in timed], wanted) if wanted else None
    if found is not None:
        return Span(timed[found][1], timed[found + len(wanted) - 1][2])
    wanted = [w for w in wanted if w not in tokens.STOP_WORDS] or wanted
    for keys_of in (lambda w: {tokens.stem(w, "english")}, tokens.misspelling_keys):
        keys = [keys_of(word) for word in wanted]
        scores = [_shared_words(tokens.words(line.text), keys, keys_of) for line in text.lines]
        if max(scores):
            return text.lines[scores.index(max(scores))].span
    return None


def _shared_words(words: Sequence[str], wanted: Sequence[Set[str]], keys_of: Callable[[str], Set[str]]) -> int:
    """How many of the wanted words are among these, by their keys."""
    found = set().union(*map(keys_of, words)) if words else set()
    return sum(not found.isdisjoint(keys) for keys in wanted)


def _timed_words(text: TimedText) -> list[tuple[str, float, float]]:
    """(folded word, start_s, end_s) in order; words of a line without word times get the line's span."""
    found: list[tuple[str, float, float]] = []
    for line in text.lines:
        given = line.words or ((line.span.start_s, line.span.end_s, line.text),)
        found.extend((word, start, end) for start, end, raw in given for word in tokens.words(raw))
    return found


def _find(words: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where the wanted words begin, one after the other."""
    n = len(wanted)
    return next((i for i in range(len(words) - n + 1) if list(words[i : i + n]) == list(wanted)), None)
