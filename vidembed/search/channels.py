"""One query in one channel: ranks clips, and scores each stretch of a clip. Lives for one search.

All channels give z-scores: standard deviations above what an ordinary query gets, so 0 means "like any query".
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SearchSettings
from vidembed.protocols import Store
from vidembed.search.calibration import Bank, Listeners
from vidembed.search.collection import BackgroundCache, Collections
from vidembed.search.confidence import Curves
from vidembed.search.query import ChannelQuery
from vidembed.types import Clip, Floats, Row, TimedText, Where

Texts = Mapping[str, Mapping[str, TimedText]]  # clip id -> channel -> text
TextsOf = Callable[[Sequence[str]], Texts]
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
