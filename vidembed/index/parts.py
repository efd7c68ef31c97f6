"""What an open index is made of: settings, catalog, store, channels. Every function of this room works on these."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from vidembed.config.schema import ChannelSettings, Config, StoreSettings
from vidembed.errors import BadQuery, ConfigError, IndexBusy, MediaNotFound, StoreError, did_you_mean
from vidembed.index import second_look
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.videos import path_there
from vidembed.index.channels import ChannelFactory, ChannelSpec, LazyChannels, channel_spec
from vidembed.index.manifest import Manifest
from vidembed.index.media import Thumbnails
from vidembed.index.searching import CatalogLookup, QueryLoader
from vidembed.index.stores import move, open_store
from vidembed.index.stores.shared import SharedStore
from vidembed.index.whereabouts import follow_index
from vidembed.protocols import Channel, Store
from vidembed.search.calibration import BankVectors, read_bank
from vidembed.search.confidence import curves_of
from vidembed.search.searcher import Searcher
from vidembed.types import Clip, Floats, RunReport


class IndexParts:
    """The parts of one open index. Safe for many threads; models and vectors are loaded when first used.

    Attributes:
        path: The index's folder.
        config: The settings that hold; `serve` and `move_store` replace them.
        manifest: What made the index, as `index.json` says it.
        catalog: Videos, clips, texts, captions, failures, and what is indexed of each video.
        thumbnails: The clips' JPEGs.
    """

    def __init__(self, path: Path, config: Config, manifest: Manifest, *, readonly: bool = False) -> None:
        self.path = path
        self.config = config
        self.manifest = manifest
        self.readonly = readonly
        self.catalog = Catalog(path / "catalog.sqlite", readonly=readonly)
        follow_index(self.catalog, path, readonly=readonly)
        self.thumbnails = Thumbnails(path / "thumbnails", config.thumbnails)
        self._factory = ChannelFactory(config, caption_of=self._caption_of)
        self._store: Store | None = None
        self._lookup: CatalogLookup | None = None
        self._searcher: Searcher | None = None
        self._lookers: dict[str | None, object] = {}
        self._banks: dict[tuple[str, ...], BankVectors] = {}
        self._copies = ExitStack()
        self._closed = False
        self._mutex = threading.RLock()
        self._write_mutex = threading.RLock()

    @property
    def store(self) -> Store:
        """The vectors, opened when first used; of the process that has them open, to be read, where there is one.

        Raises StoreError once the index is closed.
        """
        with self._mutex:
            if self._closed:
                raise StoreError(f"the index {str(self.path)!r} is closed", hint="open it again")
            if self._store is None:
                self._store = self._opened_store(self.config.store)
            return self._store

    @property
    def own_store(self) -> Store:
        """The vectors, to be changed. Raises IndexBusy while another process has them open."""
        store = self.store
        if isinstance(store, SharedStore):
            store.own()
        return store

    # -- channels ----------------------------------------------------------------------------------------------------

    @property
    def specs(self) -> dict[str, ChannelSpec]:
        """The channels that hold vectors of these models, not loaded, in the order of the profile."""
        known = self.manifest.channels
        given = {name: settings for name, settings in self.config.channels.items() if name in known}
        found = {name: channel_spec(name, settings, known[name]) for name, settings in given.items()}
        return {name: spec for name, spec in found.items() if spec.fingerprint == known[name]["fingerprint"]}

    def spec(self, channel: str) -> ChannelSpec:
        """One of `specs`. Raises BadQuery for a channel that holds no vectors."""
        specs = self.specs
        if channel not in specs:
            raise BadQuery(f"no channel {channel!r} in this index", hint=did_you_mean(channel, specs))
        return specs[channel]

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels of `specs`; each is loaded when first asked for."""
        return LazyChannels(self.specs, self.load)

    def load(self, spec: ChannelSpec) -> Channel:
        """The channel, loaded once."""
        return self._factory.load(spec)

    def serve(self, spec: ChannelSpec) -> None:
        """From now on the vectors of this spec answer for its channel."""
        entry = self.manifest.channels.get(spec.name)
        if entry is not None and entry["fingerprint"] == spec.fingerprint:
            return
        with self._mutex:
            given = spec.settings.model_copy(update={"enabled": True})
            self.config = _with_channel(self.config, spec.name, given)
            self.manifest = self.manifest.serving(spec)
            self.manifest.write(self.path)
            self._searcher = self._lookup = None

    def withdraw(self, channel: str, given: ChannelSettings) -> None:
        """Undo `serve` of a channel that was not in use before; given: its settings of then."""
        with self._mutex:
            self.config = _with_channel(self.config, channel, given)
            left = {name: entry for name, entry in self.manifest.channels.items() if name != channel}
            self.manifest = replace(self.manifest, channels=left)
            self.manifest.write(self.path)
            self._searcher = self._lookup = None

    def vectors(self, channel: str, clip_ids: Sequence[str]) -> dict[str, Floats]:
        """clip_id -> (D,) float32 of a dense channel; clips without one are left out."""
        rows = self.store.rows(self.specs[channel].collection, clip_ids, segments=False)
        return {clip_id: np.asarray(row.vector) for clip_id, row in rows.items()}

    # -- searches ----------------------------------------------------------------------------------------------------

    @property
    def lookup(self) -> CatalogLookup:
        """The catalog as searches ask it."""
        with self._mutex:
            if self._lookup is None:
                uncertain = self.config.caption.use_uncertain
                self._lookup = CatalogLookup(self.catalog, self.specs.values(), uncertain=uncertain)
            return self._lookup

    @property
    def searcher(self) -> Searcher:
        """Answers queries over the channels of `specs`."""
        with self._mutex:
            if self._searcher is None:
                self._searcher = Searcher(
                    self.store,
                    self.channels,
                    self.lookup,
                    load=QueryLoader(self.config),
                    bank=self.bank,
                    settings=self.config.search,
                    curves=curves_of(self.path, self.config.profile),
                )
            return self._searcher

    def searched_by(self, searcher: Searcher, config: Config) -> IndexParts:
        """The same parts with other settings and a searcher of its own; to be asked, not to be changed or closed."""
        made = copy(self)
        made.config, made._searcher = config, searcher
        return made

    def invalidate(self) -> None:
        """Tell searches that the index has changed."""
        with self._mutex:
            if self._searcher is not None:
                self._searcher.invalidate()

    def refresh(self, report: RunReport) -> None:
        """After a run: `invalidate`, and encode ordinary queries, so that no search has to wait for them."""
        self.invalidate()
        if report.done and self.config.search.calibration.enabled:
            for channel in self.channels.values():
                self.bank(channel)

    @cached_property
    def bank(self) -> BankVectors:
        """Ordinary queries in each channel's space."""
        return self.kept_bank(read_bank(self.config.search.calibration.bank))

    def kept_bank(self, texts: Sequence[str]) -> BankVectors:
        """Texts in each channel's space, kept in the index's folder; not added to when it is only read."""
        key = tuple(texts)
        if key not in self._banks:
            keep = not self.readonly and os.access(self.path, os.W_OK)
            self._banks[key] = BankVectors(key, folder=self.path / "cache", keep=keep)
        return self._banks[key]

    def looker(self, model: str | None) -> object:
        """The model that looks at moments again (`second_look.load`), loaded once."""
        with self._mutex:
            if model not in self._lookers:
                self._lookers[model] = second_look.load(self.config, model)
            return self._lookers[model]

    # -- what the catalog knows of one thing -------------------------------------------------------------------------

    def clip(self, clip_id: str) -> Clip:
        """One clip. Raises BadQuery for an unknown id."""
        found = self.catalog.videos.clips_by_id([clip_id])
        if clip_id not in found:
            raise BadQuery(f"no clip {clip_id!r} in this index", hint="clip ids are in the results of a search")
        return found[clip_id]

    def path_of(self, video_id: str) -> Path:
        """A file of the video, one that is there where there are several. Raises MediaNotFound."""
        rows = self.catalog.videos.paths_of(video_id)
        if not rows:
            raise MediaNotFound(f"no video {video_id!r} in this index", hint="vidembed info --videos lists them")
        return path_there(rows)

    # -- the store ---------------------------------------------------------------------------------------------------

    def move_store(self, to: str, *, processes: int) -> dict[str, int]:
        """See `VideoIndex.move_store`. Nothing changes unless every count agrees."""
        settings = _moved(self.config.store, to)
        if settings == self.config.store:
            raise ConfigError(f"the index keeps its vectors in {to} already")
        target = self._opened_store(settings)
        try:
            counts = move(self.store, target, processes=processes)
            manifest = replace(self.manifest, store=settings.model_dump(mode="json"))
            manifest.write(self.path)
        except BaseException:
            target.close()
            raise
        with self._mutex:
            self.store.close()
            self.manifest, self._store, self._searcher = manifest, target, None
            self.config = self.config.model_copy(update={"store": settings})
        return counts

    # -- the whole ---------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock: one writer at a time, among threads and among processes.

        Raises StoreError when the index is open for reading only, IndexBusy when another process holds the lock.
        """
        from filelock import FileLock, Timeout

        if self.readonly:
            raise StoreError(f"the index {str(self.path)!r} is open for reading only")
        with self._write_mutex:
            lock = FileLock(self.path / "write.lock", timeout=0)
            try:
                lock.acquire()
            except Timeout as error:
                raise IndexBusy(
                    f"another process is writing to the index {str(self.path)!r}", hint="wait until it is done"
                ) from error
            try:
                yield
            finally:
                lock.release()

    def close(self) -> None:
        """Close store and catalog, for good."""
        with self._mutex:
            self._closed = True
            if self._store is not None:
                self._store.close()
                self._store = None
            self.catalog.close()
            self._copies.close()

    def _caption_of(self, clip_id: str) -> str | None:
        return self.catalog.captions.texts_of([clip_id], uncertain=self.config.caption.use_uncertain).get(clip_id)

    def _opened_store(self, settings: StoreSettings) -> Store:
        namespace = f"vidembed-{self.manifest.index_id[:12]}"
        folder = self._vectors_folder(settings)
        if settings.kind != "edge":
            return open_store(settings, folder=folder, namespace=namespace)
        return SharedStore(lambda: open_store(settings, folder=folder, namespace=namespace), folder)

    def _vectors_folder(self, settings: StoreSettings) -> Path:
        """Of the embedded store, which cannot work without writing: where it may not, it works on a copy."""
        folder = self.path / "vectors"
        if not self.readonly or settings.kind != "edge" or not folder.is_dir() or os.access(folder, os.W_OK):
            return folder
        copy = Path(self._copies.enter_context(tempfile.TemporaryDirectory(prefix="vidembed-vectors-"))) / "vectors"
        shutil.copytree(folder, copy, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("*.lock", "*.pid"))
        for place, _, _ in os.walk(copy):
            os.chmod(place, 0o700)
        return copy


def _moved(now: StoreSettings, to: str) -> StoreSettings:
    if to == "edge":
        return now.model_copy(update={"kind": "edge", "url": None})
    if not to.startswith(("http://", "https://")):
        raise ConfigError(f"--to takes 'edge' or a server's address, got {to!r}", hint="such as http://localhost:6333")
    return now.model_copy(update={"kind": "server", "url": to})


def _with_channel(config: Config, name: str, given: ChannelSettings) -> Config:
    return config.model_copy(update={"channels": {**config.channels, name: given}})
