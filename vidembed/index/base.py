"""What an open index is made of, and what can be asked of it; `VideoIndex` adds what changes it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vidembed.config.schema import Config, Fusion
from vidembed.errors import BadQuery, MediaNotFound, did_you_mean
from vidembed.index.catalog.catalog import Catalog
from vidembed.index.channels import ChannelFactory, Lane, LazyChannels, lane
from vidembed.index.info import IndexInfo, VideoRecord
from vidembed.index.manifest import Manifest
from vidembed.index.parts import make_bank
from vidembed.index.queries import QueryLoader
from vidembed.index.stores import open_store
from vidembed.index.wanted import with_channel
from vidembed.protocols import Channel, Store
from vidembed.types import Caption, Clip, Failure, Filter, Moment, Query, Row, TimedText

if TYPE_CHECKING:
    from vidembed.index.captioning import CaptionedVideo
    from vidembed.index.checking import Witness
    from vidembed.index.duplicates import Duplicate
    from vidembed.index.lookup import Lookup
    from vidembed.search.searcher import Searcher
    from vidembed.search.sequence import Chain

_PER_STEP = 200  # moments of one query that a sequence is looked for in


class OpenIndex:
    """The reading half of a `VideoIndex`: its parts, searches, and what is in it."""

    def __init__(self, path: Path, config: Config, manifest: Manifest, *, readonly: bool = False) -> None:
        self.path = path
        self.config = config
        self.readonly = readonly
        self.catalog = Catalog(path / "catalog.sqlite", readonly=readonly)
        self.thumbnails = path / "thumbnails"
        self._manifest = manifest
        self._store: Store | None = None
        self._factory = ChannelFactory(config, caption_of=self._caption_of)
        self._loaded: dict[str, Channel] = {}
        self._lookup: Lookup | None = None
        self._searcher: Searcher | None = None
        self._witnesses: dict[str | None, Witness] = {}
        self._mutex = threading.RLock()

    # -- parts -------------------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The vectors, opened when first used. Raises IndexBusy when another process has them."""
        with self._mutex:
            if self._store is None:
                name = f"vidembed-{self._manifest.index_id[:12]}"
                self._store = open_store(self.config.store, folder=self.path / "vectors", namespace=name)
            return self._store

    @property
    def lanes(self) -> dict[str, Lane]:
        """The channels that hold vectors of these models, not loaded, in the order of the profile."""
        known = self._manifest.channels
        found = {name: lane(name, given) for name, given in self.config.channels.items() if name in known}
        return {name: entry for name, entry in found.items() if entry.fingerprint == known[name]["fingerprint"]}

    def serving(self, channel: str) -> str | None:
        """The collection that holds a channel's vectors, also where its model has changed since."""
        return self._manifest.collection(channel)

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels that hold vectors; each is loaded when first asked for."""
        return LazyChannels(self.lanes, self.load)

    def load(self, wanted: Lane) -> Channel:
        """The channel of a lane, loaded once."""
        with self._mutex:
            if wanted.collection not in self._loaded:
                self._loaded[wanted.collection] = self._factory.make(wanted)
            return self._loaded[wanted.collection]

    def serve(self, wanted: Lane) -> None:
        """From now on this lane answers for its channel."""
        entry = self._manifest.channels.get(wanted.name)
        if entry is not None and entry["fingerprint"] == wanted.fingerprint:
            return
        with self._mutex:
            given = wanted.settings.model_copy(update={"enabled": True})
            self.config = with_channel(self.config, wanted.name, given)
            self._manifest = self._manifest.with_lane(wanted)
            self._manifest.write(self.path)
            self._searcher = self._lookup = None

    # -- searching ---------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str | Query,
        *,
        k: int = 10,
        channels: Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
        where: Filter | None = None,
        group_by_video: bool = False,
        diversity: float = 0.0,
        offset: int = 0,
        fusion: Fusion | None = None,
    ) -> list[Moment]:
        """The k best moments, best first. A plain string is text. See `search.query.SearchOptions` for the options.

        `moment.confidence` below `config.search.min_confidence` means that it is no good match.
        Raises BadQuery, MediaNotFound and MediaUnreadable for what cannot be asked.
        """
        from vidembed.search.query import SearchOptions

        options = SearchOptions(
            k=k, offset=offset, channels=channels, weights=weights, where=where, group_by_video=group_by_video,
            diversity=diversity, fusion=fusion,
        )  # fmt: skip
        return self.searcher.search(query, options)

    def check(self, claim: str, moments: Sequence[Moment], *, model: str | None = None) -> list[Moment]:
        """The moments with their `agreement`, best first: a vision-language model is shown each and says yes or no.

        Slow and sharp, for the best of a search: `index.check(words, index.search(words, k=20), model="qwen3-vl-2b")`.
        model: a captioner that answers questions; None: the index's own. Ties keep their order. Raises ConfigError,
        model errors, and what reading the files raises.
        """
        from vidembed.index.checking import check, load_witness

        with self._mutex:
            if model not in self._witnesses:
                self._witnesses[model] = load_witness(self, model)
        return check(self, claim, moments, self._witnesses[model])

    def search_sequence(
        self, queries: Sequence[str | Query], *, gap_s: float = 60.0, k: int = 10, **options: Any
    ) -> list[Chain]:
        """Moments that follow each other in one video: the first query's, then the second's at most `gap_s` later, ...

        options: as of `search`, for every step. Raises BadQuery as `search` does, and for fewer than two queries.
        """
        from vidembed.search.sequence import follow

        return follow([self.search(query, k=_PER_STEP, **options) for query in queries], gap_s=gap_s, k=k)

    def curve(self, query: str | Query, video_id: str, **options: Any) -> tuple[Any, Any]:
        """(times_s, scores) of one video, (N,) float64 each: the timeline of how well it fits the query."""
        return self.searcher.curve(query, video_id, **options)

    def duplicates(self, *, channel: str = "vision", above: float = 0.8, min_s: float = 2.0) -> Iterator[Duplicate]:
        """Pairs of videos that are copies, whole or in part, with the stretches they share, found frame by frame.

        above: least cosine of two frames that are the same; min_s: shortest stretch that counts. Raises BadQuery.
        """
        from vidembed.index.duplicates import duplicates

        return duplicates(self, channel=channel, above=above, min_s=min_s)

    @property
    def searcher(self) -> Searcher:
        from vidembed.search.searcher import Searcher

        with self._mutex:
            if self._searcher is None:
                self._searcher = Searcher(
                    self.store,
                    self.channels,
                    self._texts(),
                    load=QueryLoader(self.config),
                    bank=make_bank(self.config, self._cache()),
                    settings=self.config.search,
                )
            return self._searcher

    # -- looking -----------------------------------------------------------------------------------------------------

    def videos(self) -> list[VideoRecord]:
        """Every video with its files, state, coverage and failures, by path."""
        from vidembed.index.info import videos

        return videos(self)

    def clips(self, video_id: str | None = None) -> list[Clip]:
        """The clips of one video, or of all, in order."""
        return self.catalog.videos.clips(video_id)

    def clip(self, clip_id: str) -> Clip:
        found = self.catalog.videos.clips_by_id([clip_id])
        if clip_id not in found:
            raise BadQuery(f"no clip {clip_id!r} in this index", hint="clip ids are in the results of a search")
        return found[clip_id]

    def texts(self, clip_id: str) -> dict[str, TimedText]:
        """channel -> what was said, written or captioned in the clip"""
        return dict(self._texts().texts([clip_id])[clip_id])

    def captions(self, video_id: str | None = None) -> list[Caption]:
        return self.catalog.captions.get(video_id)

    def captioned(self, videos: str | Path | Iterable[str | Path] | None = None) -> Iterator[CaptionedVideo]:
        """What is captioned already, video by video; nothing is captioned."""
        from vidembed.index.captioning import captioned_videos
        from vidembed.index.filling import select

        yield from captioned_videos(self, select(self.catalog, videos))

    def rows(self, channel: str, clip_ids: Sequence[str]) -> dict[str, Row]:
        """clip_id -> the stored vectors; clips without any are left out."""
        if channel not in self.lanes:
            raise BadQuery(f"no channel {channel!r} in this index", hint=did_you_mean(channel, self.lanes))
        return self.store.rows(self.lanes[channel].collection, clip_ids)

    def path_of(self, video_id: str) -> Path:
        """Where the video lies; one of its places when there are copies."""
        rows = self.catalog.videos.paths_of(video_id)
        if not rows:
            raise MediaNotFound(f"no video {video_id!r} in this index", hint="vidembed info --videos lists them")
        return Path(rows[0].path)

    def thumbnail(self, clip_id: str) -> Path | None:
        """The clip's JPEG, made now if it is not there; None for a clip without pictures."""
        from vidembed.index.info import thumbnail

        return thumbnail(self, clip_id)

    def failures(self) -> list[Failure]:
        return self.catalog.failures()

    def info(self) -> IndexInfo:
        """Counts, coverage of each lane, models, sizes. Opens no model and no store."""
        from vidembed.index.info import info

        return info(self, self._manifest)

    def close(self) -> None:
        with self._mutex:
            if self._store is not None:
                self._store.close()
                self._store = None
            self.catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"VideoIndex({str(self.path)!r}, profile {self._manifest.profile!r})"

    # -- inside ------------------------------------------------------------------------------------------------------

    def _invalidate(self) -> None:
        with self._mutex:
            if self._searcher is not None:
                self._searcher.invalidate()

    def _texts(self) -> Lookup:
        from vidembed.index.lookup import Lookup

        with self._mutex:
            if self._lookup is None:
                lanes = {name: entry.settings.source for name, entry in self.lanes.items()}
                kinds = {"captions": "caption", "speech": "speech", "ocr": "ocr"}
                self._lookup = Lookup(self.catalog, {n: kinds[s] for n, s in lanes.items() if s in kinds})
            return self._lookup

    def _cache(self) -> Path | None:
        return self.path / "cache" if os.access(self.path, os.W_OK) else None

    def _caption_of(self, clip_id: str) -> str | None:
        found = self.catalog.captions.of_many([clip_id])
        return found[clip_id].text if clip_id in found else None
