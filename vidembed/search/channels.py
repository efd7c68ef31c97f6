"""One query in one channel: ranks clips, and scores each stretch of a clip. Lives for one search.

All channels give z-scores: standard deviations above what an ordinary query gets, so 0 means "like any query".
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SearchSettings
from vidembed.protocols import Store
from vidembed.search.calibration import Bank, near_level, soft_maximum
from vidembed.search.collection import BackgroundCache, Collections
from vidembed.search.confidence import Curves
from vidembed.search.hearing import Listeners
from vidembed.search.query import ChannelQuery
from vidembed.types import Clip, Floats, Row, TimedText, Where
from vidembed.vectors import lines_of, pool_scores, segment_matrix, stretches

Texts = Mapping[str, Mapping[str, TimedText]]  # clip id -> channel -> text
TextsOf = Callable[[Sequence[str]], Texts]
_ACROSS = 0.1  # how surely pictures tell what a sound is, and sounds what a picture is
DOUBTED = -3.0  # log-odds, at most, of a text that merely means what is quoted, and of a lone letter that is said
_BEST = 5  # hits that say how sure a channel is


@dataclass(frozen=True)
class Found:
    """A clip in a channel's ranking.

    Attributes:
        score: Raw score, shown to users: cosine or BM25.
        value: Corrected score, which the channel ranks by.
        z: z-score of `value`.
        match_z: z-score against the clip's own closest ordinary queries; confidence is computed from it.
        phrase: The clip's text has the query's exact words.
    """

    clip_id: str
    score: float
    value: float
    z: float
    match_z: float
    phrase: bool = False


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches of the clips of W windows, each with its z-score. They may overlap; those of one window are adjacent.

    Attributes:
        window: (P,) number of each stretch's window, rising.
        starts, ends: (P,) seconds.
        times_s: (P,) when each was looked at: the time of a frame, the middle of a window or line.
        z: (P,) float64.
        what: (P,) text of each, "" for none.
        sampled: (W,) True: frames or sound windows, samples of what goes on between them, so their scores are smoothed;
            False: lines of text, whose borders are exact.
    """

    window: NDArray[np.int64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    times_s: NDArray[np.float64]
    z: NDArray[np.float64]
    what: tuple[str, ...]
    sampled: NDArray[np.bool_]

    @classmethod
    def of_lines(cls, windows: Sequence[Sequence[tuple[float, float, float, str]]]) -> Pieces:
        """Lines of text, from each window's (start_s, end_s, z, text)."""
        parts = [part for window in windows for part in window]
        table = np.array([part[:3] for part in parts], dtype=np.float64).reshape(-1, 3)
        number = np.repeat(np.arange(len(windows)), [len(window) for window in windows])
        what = tuple(part[3] for part in parts)
        starts, ends, z = table.T
        return cls(number, starts, ends, (starts + ends) / 2, z, what, np.zeros(len(windows), dtype=bool))

    def only(self, kept: NDArray[np.bool_]) -> Pieces:
        """Pieces of the kept windows, numbered anew. kept: (W,)."""
        if kept.all():
            return self
        inside = kept[self.window]
        number = (kept.cumsum() - 1)[self.window[inside]]
        what = tuple(text for text, here in zip(self.what, inside.tolist()) if here)
        starts, ends, times_s, z = (one[inside] for one in (self.starts, self.ends, self.times_s, self.z))
        return Pieces(number, starts, ends, times_s, z, what, self.sampled[kept])


@dataclass(frozen=True, eq=False)
class ChannelTools:
    """What all searches of an index share. bank: see `Searcher.bank`; sounds: which of its queries name sounds."""

    store: Store
    collections: Collections
    backgrounds: BackgroundCache
    bank: Bank
    settings: SearchSettings
    sounds: NDArray[np.bool_] | None = None
    curves: Curves = field(default_factory=Curves)
    listeners: Listeners = field(default_factory=Listeners)


class ChannelSearch(ABC):
    """A query in one channel, and what it found there.

    Attributes:
        name: Of the channel.
        modality: Of what it looks at.
        told: It looks at captions, which tell again what other channels see and hear.
        glances: Looks at single frames: of a short span it has seen little. Sound and text are taken in whole.
        stored: Number of clips in the channel.
        weight: Weight asked for.
        trust: `weight` times the channel's confidence in its best hits, relative to the most confident channel.
        share: Factor on `weight` in evidence fusion, 1 for the most confident channel.
        found: Clips found, best first, in a total order; filled by `rank`.
        front: The best clips found without the filter: how far the channel is trusted does not depend on one.
        exact: Clip id -> what is known of a clip whose parts were scored, found or not.
    """

    guesses: ClassVar[bool]  # ranks by similarity, which is never zero; exact words either match or do not
    segments: ClassVar[bool]  # needs the vectors of frames, sound windows, lines

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float) -> None:
        self.name = query.channel.name
        self.glances = query.channel.source.modality in ("image", "video")
        self.collection = query.channel.collection
        self.modality = query.channel.source.modality
        self.told = getattr(query.channel.source, "told", False)
        self.stored, self.weight, self.trust, self.share = stored, weight, weight, 1.0
        self.found: list[Found] = []
        self.front: list[Found] = []
        self.exact: dict[str, Found] = {}
        self._tools = tools
        self._rows: dict[str, Row] = {}

    def rank(self, need: int, where: Where | None, texts: TextsOf) -> None:
        """Find clips, enough for `need` answers. texts: gives clips' texts by channel."""
        self.found = self._ranked(need, where, texts)
        self.front = (self.found if where is None else self._ranked(need, None, texts))[:_BEST]

    @abstractmethod
    def _ranked(self, need: int, where: Where | None, texts: TextsOf) -> list[Found]:
        """Clips found, best first."""

    def measure(self, clip_ids: Sequence[str]) -> None:  # noqa: B027  # of words all that is found is exact
        """Put these clips, which were given to `load`, into `exact`: what a filter lets in is as sure without it."""

    @abstractmethod
    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        """Score each stretch of the windows' clips, which were given to `load`; clips it lacks give none."""

    @abstractmethod
    def odds(self, z: float) -> float:
        """Log-odds that a hit with this z is an answer; channels are compared and fused by them."""

    @abstractmethod
    def confidence(self, z: float) -> float:
        """Probability, 0..1, that a hit with this z is an answer."""

    def believed(self, top: float, hits: Sequence[tuple[Found, float]] = (), *, known: float = 1.0) -> float:
        """`odds` for confidence.

        A span that lacks its clip's best part is as sure as what it has. Each clip is measured against its own
        ordinary queries: other clips found, and so the filter, have no part in it.

        Args:
            top: The highest z in a span.
            hits: The clips that it overlaps, and how much is known of each, 0..1.
            known: How much is known of the span.
        """
        return self.odds(self._matched(top, hits, known))

    def _matched(self, top: float, hits: Sequence[tuple[Found, float]], known: float) -> float:
        """The span's z against ordinary queries."""
        lift = max((hit.match_z - hit.z for hit, _ in hits), default=self.lift)
        return min(max((share * hit.match_z for hit, share in hits), default=math.inf), known * (top + lift))

    def load(self, clip_ids: Sequence[str]) -> None:
        """Fetch the rows of these clips in one call."""
        missing = [clip_id for clip_id in clip_ids if clip_id not in self._rows]
        if missing:
            self._rows.update(self._tools.store.rows(self.collection, missing, segments=self.segments))

    def vector_of(self, clip_id: str) -> Floats | None:
        """The clip's dense vector, if it was loaded."""
        row = self._rows.get(clip_id)
        return row.vector if row is not None and isinstance(row.vector, np.ndarray) else None

    @cached_property
    def heard(self) -> float:
        """0..1: how surely the channel can perceive what the query names; a channel of sound hears no colours."""
        return 1.0

    @cached_property
    def best(self) -> float:
        """Highest `match_z` of the best hits."""
        return max(hit.match_z for hit in self.front)

    @cached_property
    def lift(self) -> float:
        """How much `match_z` of the best hits exceeds their z; added to the z of every hit."""
        return self.best - max(hit.z for hit in self.front)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Clip id -> its place in `found`, from 0."""
        return {hit.clip_id: place for place, hit in enumerate(self.found)}

    def _candidates(self, need: int) -> int:
        """Clips to ask the store for."""
        limit = self._tools.settings.per_channel
        while limit < 2 * need:  # doubled, not fitted, so that neighbouring pages come from the same lists
            limit *= 2
        return limit


class DenseChannelSearch(ChannelSearch):
    """In a channel of dense unit vectors."""

    guesses = True
    segments = True

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float) -> None:
        super().__init__(query, tools, stored=stored, weight=weight)
        assert isinstance(query.vector, np.ndarray)
        self._vector: Floats = query.vector
        self._across, self._ordinary = query.across, query.ordinary
        self._example = query.example and not query.across
        self._verbatim = query.verbatim and self.modality == "text"
        self._collection = collection = tools.collections.get(query.channel)
        self._near_null = collection.near_null
        self._bank = tools.bank(query.channel) if query.ordinary and collection.scale is not None else None
        if self._bank is not None and collection.scale is not None:
            self._scale, self._null = collection.scale, collection.null
        else:
            self._scale, self._null = collection.for_query(query.vector, alike=self._by_cohort)
        self._near: dict[str, float] = {}  # clip id -> what ordinary queries get from it, of clips in `exact`
        self._shown = tools.curves.shown_in(query.channel) if self._bank is not None else None
        if self._shown is not None:
            self._far = self._shown.level(self._vector)
            self._scale = replace(self._scale, hubness=self._shown.hubness(self._far[1]))

    def _ranked(self, need: int, where: Where | None, texts: TextsOf) -> list[Found]:
        hits = self._tools.store.search(self.collection, self._vector, k=self._candidates(need), where=where)
        rescore = max(self._tools.settings.rescore, need)
        head = [clip_id for clip_id, _ in hits[:rescore]]
        self.load(head)
        self.measure(head)
        found = [self.exact[clip_id] for clip_id in head if clip_id in self.exact]
        found.sort(key=lambda hit: (-hit.value, hit.clip_id))
        if not found:
            return []
        # The tail keeps the store's order, below the head: its segments were not scored.
        last, edge = found[-1], hits[:rescore][-1][1]
        unit = self._collection.usual[1] if self._by_cohort else 1.0
        for clip_id, score in hits[rescore:]:
            below = (edge - score) / unit
            z_below = last.z - below / self._scale.spread
            found.append(Found(clip_id, score, last.value - below, z_below, z_below))
        return found

    def measure(self, clip_ids: Sequence[str]) -> None:
        held = [clip_id for clip_id in clip_ids if clip_id in self._rows and clip_id not in self.exact]
        if not held:
            return
        segments, starts = segment_matrix([self._rows[clip_id] for clip_id in held])
        scores = pool_scores((segments @ self._vector)[None], starts, self._tools.settings.segment_score)[0]
        level = self._levels(held)
        self._near.update(zip(held, level[:, 1].tolist()))
        value = self._value(scores, level)
        z = self._scale.z(value)
        match_z = self._match_z(scores, level, z)
        found = (Found(*row) for row in zip(held, scores.tolist(), value.tolist(), z.tolist(), match_z, strict=True))
        self.exact.update((hit.clip_id, hit) for hit in found)

    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        held = [[clip for clip in clips if clip.clip_id in self._rows] for clips in windows]
        here = [clip for clips in held for clip in clips]
        if not here:
            return Pieces.of_lines([()] * len(windows))
        rows = [self._rows[clip.clip_id] for clip in here]
        segments, starts = segment_matrix(rows)
        counts = np.diff([*starts.tolist(), len(segments)])
        level = np.repeat(self._levels([clip.clip_id for clip in here]), counts, axis=0)
        z = self._scale.z(self._value(segments @ self._vector, level))
        starts_s, ends_s, times_s = stretches(here, rows)
        what = [""] * len(segments)
        for clip, row, start, count in zip(here, rows, starts.tolist(), counts.tolist()):
            text = texts.get(clip.clip_id, {}).get(self.name)
            for i, line in enumerate(lines_of(text, row, count), start=start):
                starts_s[i], ends_s[i], what[i] = line
        bounds = np.cumsum([0, *counts])[np.cumsum([0, *(len(clips) for clips in held)])]
        sampled = np.array([not any(what[a:b]) for a, b in pairwise(bounds.tolist())])
        number = np.repeat(np.arange(len(windows)), np.diff(bounds))
        return Pieces(number, starts_s, ends_s, times_s, z, tuple(what), sampled)

    @cached_property
    def heard(self) -> float:
        if self._across:
            return _ACROSS
        bank, sounds = self._bank, self._tools.sounds
        if self.modality != "audio" or bank is None or sounds is None:
            return 1.0
        return float(self._tools.listeners.of(bank, sounds)(self._vector[None])[0])

    def odds(self, z: float) -> float:
        return z - 2.0 if self._null is None else self._null.odds(z)

    def believed(self, top: float, hits: Sequence[tuple[Found, float]] = (), *, known: float = 1.0) -> float:
        """As any channel's, but for what was found to be surer or less sure.

        What is heard is less sure than it seems when words ask for it, what is like an example is so by its cosine, and
        a text that means much the same is no quotation. A lone letter is said everywhere.
        """
        curves = self._tools.curves
        if self._shown is not None and hits:
            # The best part of a clip that the span has, and its clip's own level.
            best, _ = max(hits, key=lambda one: one[0].value)
            near = self._near[best.clip_id]
            cosine = min(best.score, self._scale.score(top, near))
            return self._shown.of(cosine, near, self._far, known=known)
        z = self._matched(top, hits, known)
        if self._ordinary and self.modality == "audio":
            return curves.hearing.odds(self.odds(z))
        if self._verbatim:
            return min(self.odds(z), DOUBTED)
        if not (self._example and hits and self.modality in curves.likeness):
            return self.odds(z)
        # A span that lacks the clip's best part is less like the example, in usual deviations of cosines.
        best = max((hit for hit, _ in hits), key=lambda hit: hit.match_z)
        cosine = best.score - max(0.0, best.match_z - z) * self._collection.usual[1]
        return curves.likeness[self.modality].of(self.odds(z), cosine)

    def confidence(self, z: float) -> float:
        return 0.5 if self._null is None else self._null.confidence(z)

    def _match_z(self, scores: NDArray[np.floating], level: NDArray[np.float64], z: NDArray[np.float64]) -> list[float]:
        """Scores above the clips' near levels, mapped from the null of such differences to the null of z."""
        if self._bank is None or self._null is None or self._near_null is None:
            return [float(one) for one in z]
        above = (scores - level[:, 1]) / self._scale.spread
        return [self._null.as_in(self._near_null, float(one)) for one in above]

    @property
    def _by_cohort(self) -> bool:
        """Scores count against those of other clips: the query is no text, and of the clips' own kind."""
        return not self._ordinary and not self._across

    def _value(self, scores: NDArray[np.floating], level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corrected scores that clips are ranked by. level: (N, 2) of `_levels`."""
        if self._by_cohort:
            return np.asarray((scores - level[:, 0]) / level[:, 1])
        return self._scale.corrected(scores, level[:, 0 if self._shown is None else 1])

    def _levels(self, clip_ids: Sequence[str]) -> NDArray[np.float64]:
        """(N, 2) soft maximum and near level of ordinary queries; else mean and deviation of other clips."""
        bank, settings, sample = self._bank, self._tools.settings, self._collection.sample
        if bank is None and not (self._by_cohort and len(sample)):
            return np.tile([0.0, 1.0], (len(clip_ids), 1))

        def make(missing: list[str]) -> NDArray[np.float64]:
            rows = [self._rows[i] for i in missing]
            segments, starts = segment_matrix(rows)
            scores = pool_scores((sample if bank is None else bank) @ segments.T, starts, settings.segment_score)
            if bank is None:
                return self._collection.cohort_levels(scores, [row.clip.video_id for row in rows])
            highest = soft_maximum(scores, temperature=settings.calibration.temperature)
            return np.stack([highest, near_level(scores)], axis=1)

        name = self.collection if bank is not None else f"{self.collection} cohort"
        return self._tools.backgrounds.get(name, clip_ids, make)
