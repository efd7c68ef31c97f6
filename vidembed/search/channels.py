"""One query in one channel: ranks clips, and says how well each stretch of a clip fits. It lives for one search.

All channels give z-scores, deviations above what an ordinary query gets, so 0 is "as any query".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SearchSettings
from vidembed.protocols import Store
from vidembed.search.calibration import BackgroundCache, Bank, Collections, near_level, soft_maximum
from vidembed.search.query import ChannelQuery
from vidembed.types import Clip, Floats, Row, TimedText, Where
from vidembed.vectors import UnitScore

Texts = Mapping[str, Mapping[str, TimedText]]  # clip id -> channel -> text
TextsOf = Callable[[Sequence[str]], Texts]
_BEST = 5  # hits by which a channel is judged as a whole


@dataclass(frozen=True)
class Found:
    """A clip in a channel's ranking.

    Attributes:
        score: As people see it (cosine, BM25).
        value: What the ranking goes by.
        z: Deviations above an ordinary query.
        sure: Whether it is a match at all goes by this, on the scale of z.
        phrase: It has the query's very words, one after the other.
    """

    clip_id: str
    score: float
    value: float
    z: float
    sure: float
    phrase: bool = False


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches of the clips of W windows, each with its z; they may overlap. Those of one window lie together.

    Attributes:
        window: (P,) number of each stretch's window, rising.
        starts, ends: (P,) seconds.
        z: (P,) float64.
        what: (P,) the text of each, "" without one.
        sampled: (W,) whether a window's stretches are frames or windows of sound, taken here and there from what goes
            on; lines of text have borders of their own, which no smoothing may blur.
    """

    window: NDArray[np.int64]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    z: NDArray[np.float64]
    what: tuple[str, ...]
    sampled: NDArray[np.bool_]

    @classmethod
    def of_lines(cls, windows: Sequence[Sequence[tuple[float, float, float, str]]]) -> Pieces:
        """From each window's (start_s, end_s, z, text)."""
        parts = [part for window in windows for part in window]
        table = np.array([part[:3] for part in parts], dtype=np.float64).reshape(-1, 3)
        number = np.repeat(np.arange(len(windows)), [len(window) for window in windows])
        what = tuple(part[3] for part in parts)
        return cls(number, table[:, 0], table[:, 1], table[:, 2], what, np.zeros(len(windows), dtype=bool))

    def only(self, kept: NDArray[np.bool_]) -> Pieces:
        """Those of the kept windows, numbered anew. kept: (W,)."""
        if kept.all():
            return self
        inside = kept[self.window]
        number = (kept.cumsum() - 1)[self.window[inside]]
        what = tuple(text for text, here in zip(self.what, inside.tolist()) if here)
        return Pieces(number, self.starts[inside], self.ends[inside], self.z[inside], what, self.sampled[kept])


@dataclass(frozen=True, eq=False)
class ChannelTools:
    """What the searches of an index share. bank: vectors of ordinary queries in a channel's space, or None."""

    store: Store
    collections: Collections
    backgrounds: BackgroundCache
    bank: Bank
    settings: SearchSettings


class ChannelSearch(ABC):
    """A query in one channel, and what it found there.

    Attributes:
        name: Of the channel.
        stored: Clips that the channel holds in all.
        weight: Asked for.
        trust: weight x how sure the channel is that it has an answer.
        share: Of its weight, what its evidence counts beside that of the surest channel.
        found: The clips found, best first, a total order; `rank` fills it.
    """

    guesses: ClassVar[bool]  # it goes by likeness, where any query is a little like any clip
    units: ClassVar[bool]  # it looks at the vectors of frames and windows

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float) -> None:
        self.name = query.channel.name
        self.collection = query.channel.collection
        self.stored, self.weight, self.trust, self.share = stored, weight, weight, 1.0
        self.found: list[Found] = []
        self._tools = tools
        self._rows: dict[str, Row] = {}

    @abstractmethod
    def rank(self, need: int, where: Where | None, texts: TextsOf) -> None:
        """Find clips, so many that `need` answers can be made of them. texts: what the clips say, by channel."""

    @abstractmethod
    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        """How well each stretch of each window's clips fits; clips that the channel lacks give none."""

    @abstractmethod
    def odds(self, z: float) -> float:
        """Logarithm of the odds that a hit with this z is an answer: what channels are compared and fused by."""

    @abstractmethod
    def confidence(self, z: float) -> float:
        """0..1: how sure a hit with this z is an answer."""

    def load(self, clip_ids: Sequence[str]) -> None:
        """Fetch the rows of these clips, at once."""
        missing = [clip_id for clip_id in clip_ids if clip_id not in self._rows]
        if missing:
            self._rows.update(self._tools.store.rows(self.collection, missing, units=self.units))

    def vector_of(self, clip_id: str) -> Floats | None:
        """The clip's dense vector, if it was loaded."""
        row = self._rows.get(clip_id)
        return row.vector if row is not None and isinstance(row.vector, np.ndarray) else None

    @cached_property
    def best(self) -> float:
        """How sure the surest of the best hits is, on the scale of z."""
        return max(hit.sure for hit in self.found[:_BEST])

    @cached_property
    def lift(self) -> float:
        """What the best hits are surer of being a match than their z says; the same for all hits."""
        return self.best - max(hit.z for hit in self.found[:_BEST])

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
    """In a channel of unit vectors."""

    guesses = True
    units = True

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float) -> None:
        super().__init__(query, tools, stored=stored, weight=weight)
        assert isinstance(query.vector, np.ndarray)
        self._vector: Floats = query.vector
        collection = tools.collections.get(query.channel)
        self._near_null = collection.near_null
        self._bank = tools.bank(query.channel) if query.ordinary and collection.scale is not None else None
        if self._bank is not None and collection.scale is not None:
            self._scale, self._null = collection.scale, collection.null
        else:
            self._scale, self._null = collection.for_query(query.vector)

    def rank(self, need: int, where: Where | None, texts: TextsOf) -> None:
        hits = self._tools.store.search(self.collection, self._vector, k=self._candidates(need), where=where)
        rescore = max(self._tools.settings.rescore, need)
        head = [clip_id for clip_id, _ in hits[:rescore]]
        self.load(head)
        head = [clip_id for clip_id in head if clip_id in self._rows]
        if not head:
            return
        units, starts = unit_matrix([self._rows[clip_id] for clip_id in head])
        scores = pool_scores((units @ self._vector)[None], starts, self._tools.settings.unit_score)[0]
        level = self._levels(head)
        value = self._scale.corrected(scores, level[:, 0])
        z = self._scale.z(value)
        sure = self._sure(scores, level, z)
        found = [Found(*row) for row in zip(head, scores.tolist(), value.tolist(), z.tolist(), sure, strict=True)]
        found.sort(key=lambda hit: (-hit.value, hit.clip_id))
        # The tail keeps the store's order and goes below: it was not looked at closely.
        last, edge = found[-1], hits[:rescore][-1][1]
        for clip_id, score in hits[rescore:]:
            below = edge - score
            z_below = last.z - below / self._scale.spread
            found.append(Found(clip_id, score, last.value - below, z_below, z_below))
        self.found = found

    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        held = [[clip for clip in clips if clip.clip_id in self._rows] for clips in windows]
        here = [clip for clips in held for clip in clips]
        if not here:
            return Pieces.of_lines([()] * len(windows))
        rows = [self._rows[clip.clip_id] for clip in here]
        units, starts = unit_matrix(rows)
        counts = np.diff([*starts.tolist(), len(units)])
        background = np.repeat(self._background([clip.clip_id for clip in here]), counts)
        z = self._scale.z(self._scale.corrected(units @ self._vector, background))
        starts_s, ends_s = _stretches(here, rows, starts, counts)
        what = [""] * len(units)
        for clip, row, start, count in zip(here, rows, starts.tolist(), counts.tolist()):
            text = texts.get(clip.clip_id, {}).get(self.name)
            for i, line in enumerate(_lines_of(text, row, count), start=start):
                starts_s[i], ends_s[i], what[i] = line
        bounds = np.cumsum([0, *counts])[np.cumsum([0, *(len(clips) for clips in held)])]
        sampled = np.array([not any(what[a:b]) for a, b in pairwise(bounds.tolist())])
        number = np.repeat(np.arange(len(windows)), np.diff(bounds))
        return Pieces(number, starts_s, ends_s, z, tuple(what), sampled)

    def odds(self, z: float) -> float:
        return z - 2.0 if self._null is None else self._null.odds(z)

    def confidence(self, z: float) -> float:
        return 0.5 if self._null is None else self._null.confidence(z)

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
        bank, settings = self._bank, self._tools.settings
        if bank is None:
            return np.zeros((len(clip_ids), 2))

        def make(missing: list[str]) -> NDArray[np.float64]:
            units, starts = unit_matrix([self._rows[i] for i in missing])
            scores = pool_scores(bank @ units.T, starts, settings.unit_score)
            highest = soft_maximum(scores, temperature=settings.calibration.temperature)
            return np.stack([highest, near_level(scores)], axis=1)

        return self._tools.backgrounds.get(self.collection, clip_ids, make)


def unit_matrix(rows: Sequence[Row]) -> tuple[Floats, NDArray[np.int64]]:
    """All units of the rows one below the other, (U, D) float32, and where each row's begin, (N,).

    A row without units is its own vector. The rows are dense, at least one.
    """
    parts = [row.units if row.units is not None and len(row.units) else row.vector[None] for row in rows]  # type: ignore[index]
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return np.concatenate(parts).astype(np.float32), starts


def pool_scores(scores: NDArray[np.float32], starts: NDArray[np.int64], how: UnitScore) -> NDArray[np.float32]:
    """(Q, U) cosines of queries with units into (Q, N) of clips seen through their units.

    max: the best unit (MaxSim); topk: the mean of the three best; softmax: the mean weighed by exp(cosine / 0.1).
    """
    if how == "max":
        return np.maximum.reduceat(scores, starts, axis=1)
    if how == "topk":
        ends = [*starts[1:].tolist(), scores.shape[1]]
        best = [np.sort(scores[:, a:b], axis=1)[:, -3:].mean(axis=1) for a, b in zip(starts.tolist(), ends)]
        return np.stack(best, axis=1)
    top = np.maximum.reduceat(scores, starts, axis=1)
    lengths = np.diff([*starts.tolist(), scores.shape[1]])
    weights = np.exp((scores - np.repeat(top, lengths, axis=1)) / 0.1)
    soft = np.add.reduceat(weights * scores, starts, axis=1) / np.add.reduceat(weights, starts, axis=1)
    return np.asarray(soft, dtype=np.float32)


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
