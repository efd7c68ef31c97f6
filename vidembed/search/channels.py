"""One query in one channel: ranks clips, and says how well each stretch of a clip fits. A lane lives for one search.

All lanes speak the same language: z-scores, deviations above what an ordinary query gets, so 0 is "as any query".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidembed.protocols import Channel, Store
from vidembed.search.calibration import BackgroundCache, near_level, soft_maximum
from vidembed.search.phrases import WordMatch, contains_phrase, match_span, quoted
from vidembed.search.query import ChannelQuery
from vidembed.search.scoring import Collection, pool_scores, unit_matrix
from vidembed.types import Clip, Floats, Row, Span, SparseVector, TimedText, Where
from vidembed.vectors import UnitScore

Texts = Mapping[str, Mapping[str, TimedText]]  # clip id -> channel -> text


@dataclass(frozen=True)
class Found:
    """A clip in a lane's ranking. score: as people see it (cosine, BM25); value: what the ranking goes by.

    sure: whether it is a match at all goes by this, on the scale of z.
    """

    clip_id: str
    score: float
    value: float
    z: float
    sure: float
    phrase: bool = False  # the query's very words, one after the other


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches of clips with their z: starts, ends, z are (P,); they may overlap. what: the text of each, if any.

    sampled: they are frames or windows of sound, taken here and there from what goes on; lines of text have borders
    of their own, which no smoothing may blur.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    z: NDArray[np.float64]
    what: tuple[str, ...] = ()
    sampled: bool = False

    @classmethod
    def of(cls, parts: Sequence[tuple[float, float, float, str]]) -> Pieces:
        table = np.array([part[:3] for part in parts], dtype=np.float64).reshape(-1, 3)
        return cls(table[:, 0], table[:, 1], table[:, 2], tuple(part[3] for part in parts))


class Lane(Protocol):
    """What the searcher needs of a lane. guesses: it goes by likeness, where any query is a little like any clip."""

    channel: Channel
    guesses: bool

    def rank(self, k: int, where: Where | None, texts: TextsOf) -> list[Found]:
        """The clips found, best first; a total order."""
        ...

    def load(self, clip_ids: Sequence[str]) -> None:
        """Fetch what `pieces` needs of these clips, at once."""
        ...

    def pieces(self, groups: Sequence[Sequence[Clip]], texts: Texts) -> list[Pieces]:
        """How well each stretch of each group's clips fits; clips that the channel lacks give none."""
        ...

    def vector_of(self, clip_id: str) -> Floats | None:
        """The clip's dense vector, if it was loaded."""
        ...

    def odds(self, z: float) -> float:
        """Logarithm of the odds that a hit with this z is an answer: what lanes are compared and fused by."""
        ...

    def confidence(self, z: float) -> float:
        """0..1: how sure a hit with this z is an answer."""
        ...


class TextsOf(Protocol):
    """Texts of clips by channel, read from the catalog at most once each."""

    def __call__(self, clip_ids: Sequence[str]) -> Texts: ...


@dataclass(frozen=True, eq=False)
class LaneTools:
    """What dense lanes share over many searches."""

    store: Store
    backgrounds: BackgroundCache
    temperature: float  # of the soft maximum over the bank
    unit_score: UnitScore
    rescore: int  # how many of a ranking's best clips are seen through their units


class DenseLane:
    """A lane of unit vectors."""

    guesses = True

    def __init__(self, query: ChannelQuery, collection: Collection, bank: Floats | None, tools: LaneTools) -> None:
        assert isinstance(query.vector, np.ndarray)
        self.channel = query.channel
        self._vector: Floats = query.vector
        self._tools = tools
        self._rows: dict[str, Row] = {}
        self._bank = bank if query.ordinary and collection.scale is not None else None
        self._near_null = collection.near_null
        if self._bank is not None and collection.scale is not None:
            self._scale, self._null = collection.scale, collection.null
        else:
            self._scale, self._null = collection.for_query(query.vector)

    def rank(self, k: int, where: Where | None, texts: TextsOf) -> list[Found]:
        hits = self._tools.store.search(self.channel.collection, self._vector, k=k, where=where)
        head = [clip_id for clip_id, _ in hits[: self._tools.rescore]]
        self.load(head)
        head = [clip_id for clip_id in head if clip_id in self._rows]
        if not head:
            return []
        scores = self._clip_scores(head)
        level = self._levels(head)
        value = self._scale.corrected(scores, level[:, 0])
        z = self._scale.z(value)
        sure = self._sure(scores, level, z)
        found = [Found(*row) for row in zip(head, scores.tolist(), value.tolist(), z.tolist(), sure, strict=True)]
        found.sort(key=lambda hit: (-hit.value, hit.clip_id))
        # The tail keeps the store's order and goes below: it was not looked at closely.
        last, edge = found[-1], hits[: self._tools.rescore][-1][1]
        for clip_id, score in hits[self._tools.rescore :]:
            below = edge - score
            z_below = last.z - below / self._scale.spread
            found.append(Found(clip_id, score, last.value - below, z_below, z_below))
        return found

    def load(self, clip_ids: Sequence[str]) -> None:
        missing = [clip_id for clip_id in clip_ids if clip_id not in self._rows]
        if missing:
            rows = self._tools.store.rows(self.channel.collection, missing, units=True)
            self._rows.update({i: row for i, row in rows.items() if isinstance(row.vector, np.ndarray)})

    def pieces(self, groups: Sequence[Sequence[Clip]], texts: Texts) -> list[Pieces]:
        held = [[clip for clip in clips if clip.clip_id in self._rows] for clips in groups]
        here = [clip for clips in held for clip in clips]
        if not here:
            return [Pieces.of([]) for _ in groups]
        rows = [self._rows[clip.clip_id] for clip in here]
        units, starts = unit_matrix(rows)
        counts = np.diff([*starts.tolist(), len(units)])
        background = np.repeat(self._background([clip.clip_id for clip in here]), counts)
        z = self._scale.z(self._scale.corrected(units @ self._vector, background))
        starts_s, ends_s = _stretches(here, rows, starts, counts)
        what = [""] * len(units)
        for clip, row, start, count in zip(here, rows, starts.tolist(), counts.tolist()):
            text = texts.get(clip.clip_id, {}).get(self.channel.name)
            for i, line in enumerate(_lines_of(text, row, count), start=start):
                starts_s[i], ends_s[i], what[i] = line
        ends = np.cumsum([0, *counts])[np.cumsum([0, *(len(clips) for clips in held)])].tolist()
        parts = [slice(a, b) for a, b in pairwise(ends)]
        return [
            Pieces(starts_s[part], ends_s[part], z[part], tuple(what[part]), sampled=not any(what[part]))
            for part in parts
        ]

    def vector_of(self, clip_id: str) -> Floats | None:
        row = self._rows.get(clip_id)
        return row.vector if row is not None and isinstance(row.vector, np.ndarray) else None

    def odds(self, z: float) -> float:
        return z - 2.0 if self._null is None else self._null.odds(z)

    def confidence(self, z: float) -> float:
        return 0.5 if self._null is None else self._null.confidence(z)

    def _clip_scores(self, clip_ids: Sequence[str]) -> NDArray[np.float32]:
        units, starts = unit_matrix([self._rows[i] for i in clip_ids])
        return pool_scores((units @ self._vector)[None], starts, self._tools.unit_score)[0]

    def _sure(self, scores: NDArray[np.floating], level: NDArray[np.float64], z: NDArray[np.float64]) -> list[float]:
        """By how far the scores are above the clips' near levels, brought to where that lies among z."""
        if self._bank is None or self._null is None or self._near_null is None:
            return [float(one) for one in z]
        above = (scores - level[:, 1]) / self._scale.spread
        return [self._null.as_in(self._near_null, float(one)) for one in above]

    def _background(self, clip_ids: Sequence[str]) -> NDArray[np.float64]:
        """(N,) soft maximum of ordinary queries on these clips; zeros when the ranking is not corrected."""
        return self._levels(clip_ids)[:, 0] if self._scale.hubness else np.zeros(len(clip_ids))

    def _levels(self, clip_ids: Sequence[str]) -> NDArray[np.float64]:
        """(N, 2) what ordinary queries score on these clips: soft maximum, near level; zeros without a bank."""
        if self._bank is None:
            return np.zeros((len(clip_ids), 2))

        def make(missing: list[str]) -> NDArray[np.float64]:
            assert self._bank is not None
            units, starts = unit_matrix([self._rows[i] for i in missing])
            scores = pool_scores(self._bank @ units.T, starts, self._tools.unit_score)
            return np.stack([soft_maximum(scores, temperature=self._tools.temperature), near_level(scores)], axis=1)

        return self._tools.backgrounds.get(self.channel.collection, clip_ids, make)


class WordsLane:
    """A lane of weighted words: exact phrases first, then BM25."""

    guesses = False

    def __init__(self, query: ChannelQuery, text: str, store: Store) -> None:
        """text: the query's positive text. What it has in quotes must occur word for word, else the whole of it."""
        assert isinstance(query.vector, SparseVector)
        self.channel = query.channel
        self._vector = query.vector
        self._store = store
        self._match = WordMatch(text, query.channel.encoder, query.vector)
        self._phrases = quoted(text) or (text,)
        self._rows: dict[str, Row] = {}

    def rank(self, k: int, where: Where | None, texts: TextsOf) -> list[Found]:
        hits = self._store.search(self.channel.collection, self._vector, k=k, where=where)
        ids = [clip_id for clip_id, _ in hits]
        self.load(ids)
        lines = texts(ids)
        found = []
        for clip_id, score in hits:
            row = self._rows.get(clip_id)
            share = self._match.share(row.vector) if row is not None and isinstance(row.vector, SparseVector) else 0.0
            text = lines.get(clip_id, {}).get(self.channel.name)
            phrase = text is not None and self.has_phrases(text.text)
            z = _words_z(share, phrase)
            found.append(Found(clip_id, score, score, z, z, phrase))
        return sorted(found, key=lambda hit: (not hit.phrase, -hit.value, hit.clip_id))

    def has_phrases(self, text: str) -> bool:
        return all(contains_phrase(text, phrase) for phrase in self._phrases)

    def load(self, clip_ids: Sequence[str]) -> None:
        missing = [clip_id for clip_id in clip_ids if clip_id not in self._rows]
        if missing:
            self._rows.update(self._store.rows(self.channel.collection, missing, units=False))

    def pieces(self, groups: Sequence[Sequence[Clip]], texts: Texts) -> list[Pieces]:
        return [self._pieces(clips, texts) for clips in groups]

    def _pieces(self, clips: Sequence[Clip], texts: Texts) -> Pieces:
        parts: list[tuple[float, float, float, str]] = []
        for clip in clips:
            row = self._rows.get(clip.clip_id)
            if row is None or not isinstance(row.vector, SparseVector):
                continue
            text = texts.get(clip.clip_id, {}).get(self.channel.name)
            if text is None:
                z = _words_z(self._match.share(row.vector), False)
                parts.append((clip.span.start_s, clip.span.end_s, z, ""))
                continue
            parts.extend(self._lines(text))
        return Pieces.of(parts)

    def _lines(self, text: TimedText) -> Iterator[tuple[float, float, float, str]]:
        """The stretch of each phrase, to the word where word times are known, and the lines beside them."""
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

    def vector_of(self, clip_id: str) -> Floats | None:
        return None

    def odds(self, z: float) -> float:
        return z - 3.0  # all words there: confidence 0.88; half of them: 0.3; the phrase itself: 0.97

    def confidence(self, z: float) -> float:
        return float(1 / (1 + np.exp(-self.odds(z))))


def _words_z(share: float, phrase: bool) -> float:
    """Words that are literally there, on the scale of z-scores: 5 for all of them, 6.5 for the phrase, 0 for none."""
    return 6.5 if phrase else 5.0 * share**1.3


def _stretches(
    clips: Sequence[Clip], rows: Sequence[Row], starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each unit of the clips begins and ends: half-way to its neighbours in the clip, or the clip's borders."""
    times = np.concatenate(
        [[clip.span.middle_s] if row.unit_times_s is None else row.unit_times_s for clip, row in zip(clips, rows)]
    )
    low = np.array([clip.span.start_s for clip in clips])
    high = np.array([clip.span.end_s for clip in clips])
    middle = (times[:-1] + times[1:]) / 2
    begins, ends = np.concatenate([[0.0], middle]), np.concatenate([middle, [0.0]])
    begins[starts], ends[starts + counts - 1] = low, high
    low, high = np.repeat(low, counts), np.repeat(high, counts)
    return np.clip(begins, low, high), np.clip(ends, low, high)


def _lines_of(text: TimedText | None, row: Row, count: int) -> list[tuple[float, float, str]]:
    """The lines that a text channel's units stand for, where they do one by one; else the clip's text as a whole."""
    if text is None:
        return []
    spoken = [line for line in text.lines if line.text.strip()]
    if row.unit_times_s is not None and len(spoken) == count:
        return [(line.span.start_s, line.span.end_s, line.text.strip()) for line in spoken]
    return [(row.clip.span.start_s, row.clip.span.end_s, text.text)] if row.unit_times_s is None else []
