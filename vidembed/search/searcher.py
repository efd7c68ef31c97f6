"""Search an index: a query in, moments out. The index is known only by its store, channels and catalog."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SearchSettings
from vidembed.errors import BadQuery
from vidembed.protocols import Channel, Store
from vidembed.search.answers import diverse, marks, moment_of, whole_sentence
from vidembed.search.calibration import Bank
from vidembed.search.candidates import Deduplicator, MomentCandidate, ranked
from vidembed.search.channels import ChannelSearch, ChannelTools, Texts
from vidembed.search.collection import BackgroundCache, Collections
from vidembed.search.confidence import Curves
from vidembed.search.curves import Sheet, windows
from vidembed.search.dense import DenseChannelSearch
from vidembed.search.fusion import fuse_channels, weigh
from vidembed.search.late import LateChannelSearch
from vidembed.search.query import (
    ChannelQuery,
    Load,
    QueryEncoder,
    SearchOptions,
    checked,
    chosen_channels,
    example_clips,
    positive_text,
    quoted,
)
from vidembed.search.words import WordChannelSearch
from vidembed.types import Clip, Filter, Moment, Query, Span, SparseVector, TimedText, Where

SENTENCE_S = 10.0  # a sentence goes on at most so long outside its moment


class Catalog(Protocol):
    """What a search looks up besides vectors. Answers leave out unknown ids."""

    def resolve(self, wanted: Filter | None) -> Where:
        """The videos that a filter allows, and the part of each."""

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]:
        """Clip id -> clip."""

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        """Video id -> all its clips."""

    def paths_of(self, video_ids: Sequence[str], wanted: Filter | None) -> Mapping[str, Path]:
        """Video id -> its file, one that the filter allows; a video removed since its clips were found is left out."""

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        """Clip id -> channel -> the text that the channel indexed of it (speech, on-screen text, caption)."""

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]:
        """Clip id -> caption."""


@dataclass(eq=False)
class Searcher:
    """Searches one index. Thread-safe. `dataclasses.replace` gives one with other settings.

    Attributes:
        channels: By name, in the order of the profile.
        load: Opens the value of an image, audio or video term.
        bank: Vectors of ordinary text queries in a channel's space (see `calibration.BankVectors`).
        curves: Of confidence.
    """

    store: Store
    channels: Mapping[str, Channel]
    catalog: Catalog
    load: Load
    bank: Bank | None = None
    settings: SearchSettings = field(default_factory=SearchSettings)
    curves: Curves = field(default_factory=Curves)

    def __post_init__(self) -> None:
        calibration = self.settings.calibration
        bank: Bank = self.bank if calibration.enabled and self.bank is not None else lambda _: None
        self._encoder = QueryEncoder(self.store, self.load)
        collections = Collections(self.store, bank, calibration, self.curves)
        sounds = getattr(self.bank, "sounds", None)
        self._tools = ChannelTools(self.store, collections, BackgroundCache(), bank, self.settings, sounds, self.curves)

    def search(self, query: str | Query, options: SearchOptions | None = None) -> list[Moment]:
        """Find the moments that answer a query.

        Args:
            query: What to look for; a string is text.
            options: How many moments, from which channels and videos.

        Returns:
            Moments by fused score down, then video and time; [] for an empty index or a filter that allows nothing.

        Raises:
            BadQuery: The query or a channel name is invalid. Store errors pass through.
        """
        options = options or SearchOptions()
        query, less = hides(self._checked(query))
        where = self.catalog.resolve(options.where if options.where is not None else query.where)
        hidden = alike(self.store, self._tools.collections, self.channels.values(), less)
        where = replace(where, not_clips=where.not_clips | example_clips(query) | hidden)
        return Search(self, query, options, where).moments()

    def curve(
        self,
        query: str | Query,
        video_id: str,
        *,
        channels: Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Score the whole of one video against a query.

        Returns:
            (times_s, scores), (N,) float64 each; a score of 0 is the background level.

        Raises:
            BadQuery: As `search`, or the video is not in the index.
        """
        query, _ = hides(self._checked(query))
        clips = list(self.catalog.clips_of([video_id]).get(video_id, ()))
        if not clips:
            raise BadQuery(f"no video {video_id!r} in this index", hint="`vidembed info` lists the videos")
        options = SearchOptions(k=1, channels=channels, weights=weights)
        return Search(self, query, options, Where(video_ids=frozenset([video_id]))).curve(clips)

    def _checked(self, query: str | Query) -> Query:
        """See `checked`; clips that it names are known. Raises BadQuery."""
        query = checked(query)
        named = [term.value for term in query.terms if term.modality == "clip"]
        for clip_id in dict.fromkeys(named) if named else ():
            if not self.catalog.clips([clip_id]):
                raise BadQuery(f"the clip {clip_id} is not in this index", hint="search results list clip ids")
        return query

    def invalidate(self) -> None:
        """Drop what is cached of the index: its size, samples, backgrounds. Call it after the index changed."""
        self._tools.collections.clear()
        self._tools.backgrounds.clear()


class Search:
    """One search in progress. where: the filters of query and options, resolved."""

    def __init__(self, searcher: Searcher, query: Query, options: SearchOptions, where: Where) -> None:
        self._searcher, self._catalog = searcher, searcher.catalog
        self._query, self._options, self._where = query, options, where
        self._wanted = options.where if options.where is not None else query.where
        settings = searcher.settings
        self._settings = settings.model_copy(update={"fusion": options.fusion}) if options.fusion else settings
        self._need = options.offset + options.k
        self._text = positive_text(query)
        self._texts: dict[str, Mapping[str, TimedText]] = {}
        self._clips: dict[str, Sequence[Clip]] = {}  # of the videos looked at

    def moments(self) -> list[Moment]:
        """The answers after `offset`, at most k."""
        options = self._options
        answers: list[Moment] = []
        shown = Deduplicator()
        curve = self._searcher.curves.of(self._query)
        for sheet, order in self._rounds():
            last = answers[-1].score if answers and not options.diversity else math.inf
            for candidate, path in self._with_paths(order):
                repeated = options.group_by_video and candidate.video_id in shown
                if repeated or not shown.add(candidate.video_id, candidate.span):
                    continue
                answer = moment_of(candidate, sheet, self.channels, path, curve)
                # Later rounds start from weaker clips: their scores stay below those before. Confidence is their own.
                good = answer.confidence >= self._settings.min_confidence
                answers.append(replace(answer, score=min(answer.score, last), good_match=good))
                if len(answers) == self._need:
                    break
            if len(answers) == self._need:
                break
        answers = [self._with_sentences(moment) for moment in answers[options.offset :]]
        captions = self._catalog.captions([moment.clip_id for moment in answers])
        return [replace(m, caption=captions[m.clip_id]) if m.clip_id in captions else m for m in answers]

    def _with_paths(self, order: Iterable[MomentCandidate]) -> Iterator[tuple[MomentCandidate, Path]]:
        """Those whose video has a file, looked up for as many at once as are to be shown."""
        left = iter(order)
        while some := list(islice(left, self._need)):
            paths = self._catalog.paths_of(sorted({candidate.video_id for candidate in some}), self._wanted)
            yield from ((one, paths[one.video_id]) for one in some if one.video_id in paths)

    def _with_sentences(self, moment: Moment) -> Moment:
        """The moment with whole sentences as its texts, and the query's words marked in them."""
        if not moment.texts:
            return moment
        wide = Span(max(0.0, moment.span.start_s - SENTENCE_S), moment.span.end_s + SENTENCE_S)
        near = [clip.clip_id for clip in self._clips[moment.video_id] if clip.span.overlap_s(wide) > 0]
        found = self._texts_of(near)
        whole = {}
        for name, part in moment.texts.items():
            lines = (line for texts in found.values() if name in texts for line in texts[name].lines)
            whole[name] = whole_sentence(part, moment.span, lines)
        places = {name: marks(text, self._text) for name, text in whole.items()}
        return replace(moment, texts=whole, marks={name: found for name, found in places.items() if found})

    def curve(self, clips: Sequence[Clip]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(times_s, scores) of these clips of one video; empty if no channel has any."""
        sheet = self._sheet([clips]) if self.channels else None
        if sheet is None:
            return np.zeros(0), np.zeros(0)
        trust = {channel.name: channel.trust for channel in self.channels}
        return sheet.axis.times_s, sheet.joined(trust, smooth_s=self._settings.moments.smooth_s)

    @cached_property
    def channels(self) -> list[ChannelSearch]:
        """The channels that found something, ranked and weighed."""
        searcher, options, where = self._searcher, self._options, self._where
        weights = {name: weight for name, weight in self._settings.weights.items() if name in searcher.channels}
        weights.update(options.weights or {})
        chosen = chosen_channels(searcher.channels, options.channels, weights)
        if where.video_ids is not None and not where.video_ids:
            return []
        found = []
        for query in searcher._encoder.encode(self._query, chosen):
            channel = self._channel(query, weights.get(query.channel.name, 1.0))
            if channel is not None:
                channel.rank(self._need, None if where == Where() else where, self._texts_of)
                found += [channel] if channel.front else []  # filtered out is not unknown
        if self._settings.adaptive:
            weigh(found)
        return found

    def _channel(self, query: ChannelQuery, weight: float) -> ChannelSearch | None:
        """None for an empty channel."""
        tools = self._searcher._tools
        stored = tools.store.count(query.channel.collection)
        if stored == 0:
            return None
        if isinstance(query.vector, SparseVector):
            return WordChannelSearch(query, tools, stored=stored, weight=weight, text=self._text)
        if query.vector.ndim == 2:
            return LateChannelSearch(query, tools, stored=stored, weight=weight)
        return DenseChannelSearch(query, tools, stored=stored, weight=weight)

    def _rounds(self) -> Iterator[tuple[Sheet, Iterable[MomentCandidate]]]:
        """Ranked candidates of each round of `seeds` clips, so that a further page does not change those before."""
        by_z = self._settings.fusion == "evidence"
        rankings = {c.name: [(hit.clip_id, hit.z if by_z else hit.value) for hit in c.found] for c in self.channels}
        fused = fuse_channels(rankings, self.channels, self._settings)
        for start in range(0, len(fused), self._settings.seeds):
            ids = [clip_id for clip_id, _ in fused[start : start + self._settings.seeds]]
            known = self._catalog.clips(ids)  # what a crash left in the store alone is no answer
            sheet, order = self._round([known[i] for i in ids if i in known])
            if sheet is not None:
                yield sheet, order

    def _round(self, seeds: Sequence[Clip]) -> tuple[Sheet | None, Iterable[MomentCandidate]]:
        """Candidates made from these clips, ranked over all channels; no sheet if the filter leaves nothing."""
        settings, diversity = self._settings, self._options.diversity
        per_video: dict[str, list[Clip]] = {}
        for seed in seeds:
            if len(per_video) < settings.moments.videos or seed.video_id in per_video:
                per_video.setdefault(seed.video_id, []).append(seed)
        chosen = [seed for group in per_video.values() for seed in group]
        known = self._catalog.clips_of(list(per_video))
        self._clips.update(known)
        clips_of = {video_id: _allowed(known.get(video_id, ()), self._where) for video_id in per_video}
        sheet = self._sheet(windows(chosen, clips_of, context_s=settings.moments.context_s, around=settings.around))
        if sheet is None:
            return None, []
        for channel in self.channels:
            channel.measure([seed.clip_id for seed in chosen])
        verbatim = bool(quoted(self._text)) or len(self._text.split()) >= 3
        order = ranked(sheet, per_video, self.channels, settings, phrase_first=verbatim)
        return sheet, diverse(list(order), self.channels, diversity) if diversity else order

    def _sheet(self, groups: Sequence[Sequence[Clip]]) -> Sheet | None:
        """Windows of these clips with each channel's scores."""
        ids = [clip.clip_id for clips in groups for clip in clips]
        texts = self._texts_of(ids)
        for channel in self.channels:
            channel.load(ids)
        pieces = {channel.name: channel.pieces(groups, texts) for channel in self.channels}
        return Sheet.of(groups, pieces, self._where.within)

    def _texts_of(self, clip_ids: Sequence[str]) -> Texts:
        """Texts of clips by channel, read from the catalog once."""
        missing = [clip_id for clip_id in dict.fromkeys(clip_ids) if clip_id not in self._texts]
        if missing:
            found = self._catalog.texts(missing)
            self._texts.update({clip_id: found.get(clip_id, {}) for clip_id in missing})
        return {clip_id: self._texts[clip_id] for clip_id in clip_ids}


def _allowed(clips: Sequence[Clip], where: Where) -> Sequence[Clip]:
    """One video's clips that the filter allows; the video itself was checked before."""
    if where.within is None and not where.not_clips:
        return clips
    return [clip for clip in clips if where.allows(clip)]


_MOST = 1000  # clips that one example hides


def hides(query: Query) -> tuple[Query, list[str]]:
    """The query without the clips that it is to move away from, and their ids."""
    gone = [term for term in query.terms if term.modality == "clip" and term.weight < 0]
    kept = tuple(term for term in query.terms if term not in gone)
    return replace(query, terms=kept), [str(term.value) for term in gone]


def alike(store: Store, collections: Collections, channels: Iterable[Channel], clip_ids: Iterable[str]) -> set[str]:
    """Clips that are nearer to one of these than halfway between it and an ordinary clip.

    Args:
        store: Holds the vectors.
        collections: Statistics of the channels.
        channels: The first one that holds a clip judges it.
        clip_ids: The clips; they are part of the answer. Unknown ones hide nothing else.
    """
    dense = [channel for channel in channels if channel.encoder.space.kind == "dense"]
    found = set(clip_ids)
    for clip_id in list(found):
        for channel in dense:
            row = store.rows(channel.collection, [clip_id], segments=False).get(clip_id)
            if row is None or not isinstance(row.vector, np.ndarray):
                continue
            usual = float(np.median(collections.get(channel).sample @ row.vector))
            near = store.search(channel.collection, row.vector, k=_MOST)
            found |= {other for other, score in near if score > (1 + usual) / 2}
            break
    return found
