"""Fills an index: runs over files, re-encoding, forgetting. Held by `VideoIndex`; one writer at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.config.schema import Config
from vidembed.errors import MediaNotFound
from vidembed.index.channels import Lane, look_of
from vidembed.index.parts import (
    find_videos,
    list_tags,
    make_executor,
    make_remote,
    make_run_options,
    make_tools,
    thumbnail_path,
)
from vidembed.index.pipeline.plan import FINISHED
from vidembed.index.pipeline.progress import ProgressCallback
from vidembed.index.pipeline.run import Indexer
from vidembed.index.pipeline.write import recover
from vidembed.protocols import Channel
from vidembed.types import RunReport

if TYPE_CHECKING:
    from vidembed.index.catalog.catalog import Catalog
    from vidembed.index.video_index import VideoIndex

_log = logging.getLogger(__name__)
Paths = str | Path | Iterable[str | Path]


class Filling:
    """The writing half of a `VideoIndex`; its methods are called with the write lock held."""

    def __init__(self, index: VideoIndex) -> None:
        self._index = index
        self._catalog = index.catalog

    def add(
        self,
        paths: Paths,
        lanes: Mapping[str, Lane],
        *,
        config: Config,
        progress: ProgressCallback | None,
        prune: bool,
    ) -> RunReport:
        """See `VideoIndex.add`."""
        inputs = [paths] if isinstance(paths, str | Path) else list(paths)
        files = find_videos(inputs)
        under = _under(inputs)
        if not files and not any(under(path) for path in self._catalog.videos.paths()):
            raise MediaNotFound(
                f"no videos in {', '.join(str(given) for given in inputs) or 'an empty list'}",
                hint="folders are searched for the usual video and sound extensions; name other files directly",
            )
        self.make_whole(lanes)
        report = self._run(files, lanes, config=config, prepare=self._prepare, progress=progress)
        self._tag(list_tags(inputs))
        self._settle_gone(under, {path.as_posix() for path in files}, prune=prune)
        return report

    def reencode(self, lanes: Mapping[str, Lane], *, config: Config, progress: ProgressCallback | None) -> RunReport:
        """Fill the new lanes from every file that is there; each then serves if it covers what the old one did."""
        self.make_whole({})
        present = self._catalog.videos.present_paths()
        files = [Path(rows[0].path) for rows in present.values() if os.path.exists(rows[0].path)]

        def prepare(lane: Lane) -> Channel:
            channel = self._index.load(lane)
            self._index.store.create(lane.collection, channel.encoder.space)
            return channel

        for lane in lanes.values():
            prepare(lane)
        report = self._run(files, lanes, config=config, prepare=prepare, progress=progress)
        states = self._catalog.lanes.all()
        reached = {path.as_posix() for path in files}
        videos = [video_id for video_id, rows in present.items() if rows[0].path in reached]
        for lane in lanes.values():
            old = self._index.serving(lane.name)
            covered = [v for v in videos if old is None or states.get(v, {}).get(old) in FINISHED]
            if all(states.get(v, {}).get(lane.collection) in FINISHED for v in covered):
                self._serve(lane)
        return report

    def make_whole(self, lanes: Mapping[str, Lane]) -> None:
        """Take out what a killed run left, and notice vectors that are gone (a memory store, a deleted folder)."""
        store = self._index.store
        recover(self._catalog, store)
        counts = self._catalog.lanes.counts()
        for lane in lanes.values():
            known = counts.get(lane.collection)
            if known is not None and store.count(lane.collection) < known.stored:
                _log.warning("vectors of channel %s are gone from the store; they are made again", lane.name)
                self._catalog.lanes.forget(lane.collection)

    def forget(self, video_id: str) -> None:
        """Take a video out of catalog, store and thumbnails. A crash in between is mended by the next run."""
        lanes = list(self._catalog.lanes.of(video_id))
        clips = self._catalog.videos.clips(video_id)
        with self._catalog.transaction():
            for row in self._catalog.videos.paths_of(video_id):
                self._catalog.clear_failures(row.path)
            self._catalog.videos.delete(video_id)
            self._catalog.lanes.begin(video_id, lanes)
        recover(self._catalog, self._index.store, only=video_id)
        for clip in clips:
            thumbnail_path(self._index.thumbnails, clip.clip_id).unlink(missing_ok=True)

    def remove(self, given: Sequence[str]) -> int:
        """How many files (or videos, where ids are given) were taken out."""
        known = self._catalog.videos.paths()
        ids = {row.video_id for row in known.values()} | {row.info.video_id for row in self._catalog.videos.all()}
        videos = [item for item in given if item in ids]
        under = _under([item for item in given if item not in ids], globs=True)
        paths = [path for path in known if under(path)]
        self._catalog.videos.unlink(paths)
        for path in paths:
            self._catalog.clear_failures(path)
        for video_id in {*videos, *self._catalog.videos.without_files()}:
            self.forget(video_id)
        return len(videos) + len(paths)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _run(
        self,
        files: Sequence[Path],
        lanes: Mapping[str, Lane],
        *,
        config: Config,
        prepare: Callable[[Lane], Channel],
        progress: ProgressCallback | None,
    ) -> RunReport:
        index = self._index
        ready: dict[str, Channel] = {}

        def load(name: str) -> Channel:
            if name not in ready:
                ready[name] = prepare(lanes[name])
            return ready[name]

        thumbnails = index.thumbnails if config.thumbnails.enabled else None
        known = {**index.lanes, **lanes}
        look = look_of({name: lane.settings for name, lane in known.items()}, lambda name: index.load(known[name]))
        indexer = Indexer(
            self._catalog,
            index.store,
            make_tools(config, thumbnails=thumbnails, workers=config.run.workers, look=look),
            {name: lane.collection for name, lane in lanes.items()},
            load,
            executor=make_executor(config.run),
            options=make_run_options(config),
            forget=self.forget,
            remote=make_remote(config, lanes, thumbnails=thumbnails, captions_of=self._captions_of),
        )
        report = indexer.run(files, progress=progress)
        if report.clips:
            index.store.optimize()
        return report

    def _captions_of(self, clip_ids: Sequence[str]) -> dict[str, str]:
        return {clip_id: caption.text for clip_id, caption in self._catalog.captions.of_many(clip_ids).items()}

    def _prepare(self, lane: Lane) -> Channel:
        """Load the channel and make its collection the one that serves it."""
        channel = self._index.load(lane)
        store = self._index.store
        store.create(lane.collection, channel.encoder.space)
        if store.aliases().get(lane.name) != lane.collection:
            store.set_alias(lane.name, lane.collection)
        self._index.serve(lane)
        return channel

    def _serve(self, lane: Lane) -> None:
        store = self._index.store
        store.flush()
        store.set_alias(lane.name, lane.collection)
        self._index.serve(lane)
        for collection in store.collections():
            if collection.startswith(f"{lane.name}.") and collection != lane.collection:
                self._catalog.lanes.forget(collection)
                store.drop(collection)

    def _tag(self, tags: Mapping[Path, Mapping[str, str]]) -> None:
        known = self._catalog.videos.paths()
        for path, given in tags.items():
            if path.as_posix() in known:
                self._catalog.tags.change([known[path.as_posix()].video_id], given)

    def _settle_gone(self, under: Callable[[str], bool], found: set[str], *, prune: bool) -> None:
        """Files of the catalog that should have been found but are not there any more."""
        rows = [row for row in self._catalog.videos.paths().values() if under(row.path)]
        gone = [row.path for row in rows if row.path not in found and not os.path.lexists(row.path)]
        self._catalog.videos.mark_missing(gone)
        for failure in self._catalog.failures():
            if under(failure.item) and failure.item not in found and not os.path.lexists(failure.item):
                self._catalog.clear_failures(failure.item)
        if prune:
            self._catalog.videos.unlink(gone)
            for video_id in self._catalog.videos.without_files():
                self.forget(video_id)


def _under(inputs: Iterable[str | Path], *, globs: bool = False) -> Callable[[str], bool]:
    """Whether a catalog path is one of the inputs or lies below it; with `globs`, whether it matches one."""
    from fnmatch import fnmatchcase

    exact, patterns = set(), []
    for given in inputs:
        path = Path(os.path.abspath(Path(given).expanduser())).as_posix()
        exact.add(path)
        if globs and any(sign in path for sign in "*?[") and not os.path.lexists(path):
            patterns.append(path)
    folders = tuple(f"{path.rstrip('/')}/" for path in exact)

    def under(path: str) -> bool:
        return path in exact or path.startswith(folders) or any(fnmatchcase(path, glob) for glob in patterns)

    return under


def select(catalog: Catalog, given: str | Path | Iterable[str | Path] | None) -> list[str]:
    """Ids of the videos that are there, by path; of those given by path, folder, glob or id. None = all.

    Raises MediaNotFound for a name that fits no video.
    """
    present = {video_id: [row.path for row in rows] for video_id, rows in catalog.videos.present_paths().items()}
    ordered = sorted(present, key=lambda video_id: present[video_id][0])
    if given is None:
        return ordered
    chosen: set[str] = set()
    for name in [given] if isinstance(given, str | Path) else list(given):
        under = _under([name], globs=True)
        found = {v for v, paths in present.items() if v == str(name) or any(under(path) for path in paths)}
        if not found:
            raise MediaNotFound(f"no video of this index is {str(name)!r}", hint="vidembed info --videos lists them")
        chosen |= found
    return [video_id for video_id in ordered if video_id in chosen]


def folder_bytes(path: Path) -> int:
    """Bytes on disk of a file, or of all files below a folder; 0 when it does not exist."""
    files = [path] if path.is_file() else [Path(root, name) for root, _, names in os.walk(path) for name in names]
    total = 0.0
    for file in files:
        try:
            stat = os.lstat(file)
        except OSError:
            continue  # written anew while we look
        # The store's files have holes: what they take counts, not how long they are. Windows does not say.
        total += getattr(stat, "st_blocks", stat.st_size / 512) * 512
    return int(total)
