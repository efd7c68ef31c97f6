"""`Searcher`: a query in, moments out. It knows stores, channels and the catalog only through what is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SearchSettings
from vidembed.errors import BadQuery
from vidembed.protocols import Channel, Store
from vidembed.search.answers import (
    Candidate,
    LaneRanking,
    Shown,
    candidates,
    fuse_lanes,
    ranked,
    weigh,
)
from vidembed.search.calibration import BackgroundCache
from vidembed.search.catalog import Catalog, TextsOnce
from vidembed.search.channels import DenseLane, Lane, LaneTools, WordsLane
from vidembed.search.phrases import quoted
from vidembed.search.query import (
    Load,
    QueryEncoder,
    SearchOptions,
    check_query,
    chosen_channels,
    example_clips,
    positive_text,
)
from vidembed.search.results import diverse, moment_of
from vidembed.search.scoring import Collections
from vidembed.search.windows import Sheet, Window, windows
from vidembed.types import Clip, Filter, Floats, Moment, Query, Span, SparseVector, Where


class Searcher:
    """Answers queries over one index. Caches are dropped by `invalidate`, to be called after the index changed.

    bank: the vectors of ordinary text queries in a channel's space (see `calibration.BankVectors`), or None.
    load: opens the value of an image, audio or video term. channels: by name, in the order of the profile.
    """

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        catalog: Catalog,
        *,
        load: Load,
        bank: Callable[[Channel], Floats | None] | None = None,
        settings: SearchSettings | None = None,
    ) -> None:
        self._store = store
        self._channels = channels
        self._catalog = catalog
        self._settings = settings or SearchSettings()
        self._given = (load, bank)
        calibrated = self._settings.calibration.enabled and bank is not None
        self._bank: Callable[[Channel], Floats | None] = bank if calibrated and bank is not None else lambda _: None
        self._encoder = QueryEncoder(store, load)
        self._collections = Collections(store, self._bank, self._settings.calibration)
        self._backgrounds = BackgroundCache()

    def with_settings(
        self,
        settings: SearchSettings,
        *,
        store: Store | None = None,
        catalog: Catalog | None = None,
        channels: Mapping[str, Channel] | None = None,
    ) -> Searcher:
        """A searcher with other settings; where given, on other vectors, or with channels that encode queries anew."""
        load, bank = self._given
        return Searcher(
            store or self._store,
            channels or self._channels,
            catalog or self._catalog,
            load=load,
            bank=bank,
            settings=settings,
        )

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    def invalidate(self) -> None:
        """Forget what was remembered of the index: its size, samples, backgrounds of clips."""
        self._collections.clear()
        self._backgrounds.clear()

    def search(self, query: str | Query, options: SearchOptions | None = None) -> list[Moment]:
        """Find the moments that answer a query.

        Args:
            query: What is looked for; a string is text.
            options: How many, in which channels and videos, in what order.

        Returns:
            Moments by fused score down, then video and time; [] in an empty index or when the filter allows nothing.

        Raises:
            BadQuery: The query or a channel name makes no sense. Store errors pass through.
        """
        asked = options or SearchOptions()
        k, offset, diversity = asked.k, asked.offset, asked.diversity
        settings = (
            self._settings if asked.fusion is None else self._settings.model_copy(update={"fusion": asked.fusion})
        )
        query = _checked_query(query)
        merged = {**{n: w for n, w in settings.weights.items() if n in self._channels}, **(asked.weights or {})}
        limit = self._where(query, asked.where)
        if limit.video_ids is not None and not limit.video_ids:
            chosen_channels(self._channels, asked.channels, merged)  # a wrong name stays an error
            return []
        texts = TextsOnce(self._catalog)
        rankings = self._rankings(query, asked.channels, merged, limit, texts, settings, need=offset + k)
        answers: list[Moment] = []
        shown = Shown()
        for seeds in self._rounds(rankings, settings):
            last = answers[-1] if answers and not diversity else None
            order = self._round(query, seeds, rankings, limit, texts, settings, diversity)
            paths = self._catalog.paths_of(sorted({candidate.window.video_id for candidate, _ in order}))
            for candidate, score in order:
                if len(answers) == offset + k:
                    break
                video_id = candidate.window.video_id
                path = paths.get(video_id)
                if path is None or (asked.group_by_video and video_id in shown) or not shown.add(candidate):
                    continue
                # Later rounds start from weaker clips; nothing of theirs is to rise above those before.
                sure = candidate.confidence
                if last is not None:
                    score, sure = min(score, last.score), min(sure, last.confidence)
                answers.append(moment_of(candidate, rankings, path, score=score, confidence=sure))
            if len(answers) == offset + k:
                break
        return self._with_captions(answers[offset : offset + k])

    def curve(
        self,
        query: str | Query,
        video_id: str,
        *,
        channels: Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(times_s, scores), both (N,) float64: how well each stretch of one video fits; 0 is the background level.

        Raises BadQuery for a video that is not in the index, besides what `search` raises.
        """
        query = _checked_query(query)
        settings = self._settings
        clips = list(self._catalog.clips_of([video_id]).get(video_id, ()))
        if not clips:
            raise BadQuery(f"no video {video_id!r} in this index", hint="`vidembed info` lists the videos")
        merged = {**{n: w for n, w in settings.weights.items() if n in self._channels}, **(weights or {})}
        only = Where(video_ids=frozenset([video_id]))
        texts = TextsOnce(self._catalog)
        rankings = self._rankings(query, channels, merged, only, texts, settings, need=1)
        sheet = self._sheet([(video_id, clips)], rankings, texts)
        if sheet is None or not rankings:
            return np.zeros(0), np.zeros(0)
        trust = {ranking.name: ranking.trust for ranking in rankings}
        return sheet.axis.times_s, sheet.joined(trust, smooth_s=settings.moments.smooth_s)

    def _where(self, query: Query, where: Filter | None) -> Where:
        limit = self._catalog.resolve(where if where is not None else query.where)
        return replace(limit, not_clips=limit.not_clips | example_clips(query))

    def _rankings(
        self,
        query: Query,
        names: Sequence[str] | None,
        weights: Mapping[str, float],
        where: Where,
        texts: TextsOnce,
        settings: SearchSettings,
        *,
        need: int,
    ) -> list[LaneRanking]:
        """Each lane's clips, best first; channels without a single clip are left out."""
        text = positive_text(query)
        limit = settings.per_channel
        while limit < 2 * need:  # doubled, not fitted, so that neighbouring pages come from the same lists
            limit *= 2
        rankings = []
        tools = LaneTools(
            self._store,
            self._backgrounds,
            settings.calibration.temperature,
            settings.unit_score,
            max(settings.rescore, need),
        )
        for asked in self._encoder.encode(query, chosen_channels(self._channels, names, weights)):
            stored = self._store.count(asked.channel.collection)
            if stored == 0:
                continue
            lane: Lane
            if isinstance(asked.vector, SparseVector):
                lane = WordsLane(asked, text, self._store)
            else:
                collection = self._collections.get(asked.channel)
                lane = DenseLane(asked, collection, self._bank(asked.channel), tools)
            found = lane.rank(limit, None if where == Where() else where, texts)
            if found:
                weight = float(weights.get(lane.channel.name, 1.0))
                rankings.append(LaneRanking(lane, found, weight, weight, stored))
        return weigh(rankings) if settings.adaptive else rankings

    def _rounds(self, rankings: Sequence[LaneRanking], settings: SearchSettings) -> Iterator[list[Clip]]:
        """The fused ranking of clips in rounds of `seeds`, so that a further page does not change the ones before."""
        lists = {r.name: [(hit.clip_id, hit.value, hit.z) for hit in r.found] for r in rankings}
        fused = fuse_lanes(lists, rankings, fusion=settings.fusion, rrf_k=settings.rrf_k)
        for start in range(0, len(fused), settings.seeds):
            ids = [clip_id for clip_id, _ in fused[start : start + settings.seeds]]
            known = self._catalog.clips(ids)  # what a crash left in the store alone is no answer
            yield [known[i] for i in ids if i in known]

    def _round(
        self,
        query: Query,
        seeds: Sequence[Clip],
        rankings: Sequence[LaneRanking],
        where: Where,
        texts: TextsOnce,
        settings: SearchSettings,
        diversity: float,
    ) -> list[tuple[Candidate, float]]:
        """One round: moments made from these clips, ranked over all lanes."""
        per_video: dict[str, list[Clip]] = {}
        for seed in seeds:
            if len(per_video) < settings.moments.videos or seed.video_id in per_video:
                per_video.setdefault(seed.video_id, []).append(seed)
        chosen = [seed for group in per_video.values() for seed in group]
        known = self._catalog.clips_of(list(per_video))
        clips_of = {video_id: _allowed(known.get(video_id, ()), where) for video_id in per_video}
        parts = windows(chosen, clips_of, context_s=settings.moments.context_s, around=settings.around)
        sheet = self._sheet(parts, rankings, texts, where.within)
        found = (
            []
            if sheet is None
            else candidates(sheet, per_video, rankings, settings.moments, clip_share=settings.clip_share)
        )
        text = positive_text(query)
        verbatim = bool(quoted(text)) or len(text.split()) >= 3
        order = ranked(found, rankings, fusion=settings.fusion, rrf_k=settings.rrf_k, phrase_first=verbatim)
        return diverse(order, rankings, diversity) if diversity else order

    def _sheet(
        self,
        parts: Sequence[tuple[str, Sequence[Clip]]],
        rankings: Sequence[LaneRanking],
        texts: TextsOnce,
        within: Span | None = None,
    ) -> Sheet | None:
        """Windows of these clips, with what each lane says of them."""
        groups = [clips for _, clips in parts]
        ids = [clip.clip_id for clips in groups for clip in clips]
        known = texts(ids)
        for ranking in rankings:
            ranking.lane.load(ids)
        said = {ranking.name: ranking.lane.pieces(groups, known) for ranking in rankings}
        return Sheet.of(
            [
                Window(video_id, clips, {name: pieces[i] for name, pieces in said.items()})
                for i, (video_id, clips) in enumerate(parts)
            ],
            within,
        )

    def _with_captions(self, moments: list[Moment]) -> list[Moment]:
        captions = self._catalog.captions([moment.clip_id for moment in moments])
        return [replace(m, caption=captions[m.clip_id]) if m.clip_id in captions else m for m in moments]


def _checked_query(query: str | Query) -> Query:
    query = Query.text(query) if isinstance(query, str) else query
    check_query(query)
    return query


def _allowed(clips: Sequence[Clip], where: Where) -> Sequence[Clip]:
    """Those of one video's clips that may be shown. The video itself was allowed, or it had no hit."""
    if where.within is None and not where.not_clips:
        return clips
    return [clip for clip in clips if where.allows(clip)]
