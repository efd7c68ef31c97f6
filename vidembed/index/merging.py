"""Indexes that were made apart (`vidembed index --shard`), merged into one: catalog, vectors and thumbnails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vidembed.config.load import Overrides, load_config, merged_layers, override_layer
from vidembed.errors import InputError
from vidembed.index.catalog.texts import FINISHED
from vidembed.index.manifest import check_layout, check_specs, new_index, read_manifest
from vidembed.index.opening import open_index
from vidembed.index.parts import IndexParts
from vidembed.index.pipeline.write import recover
from vidembed.types import Clip, Failure, RunReport

_CLIPS_AT_ONCE = 256  # a video has its clips copied together, however many they are
Step = Callable[[str, int, int], None]


def merge(
    shards: Sequence[str | Path], path: str | Path, *, overrides: Overrides | None = None, progress: Step | None = None
) -> RunReport:
    """Take all videos of other indexes into this one. Nothing is decoded or encoded; the shards stay as they are.

    Call it again after it broke off, or with further shards: what is there is not copied twice.

    Args:
        shards: Folders of indexes, made with the same settings.
        path: Folder of the index; made, with the settings of the first shard, where there is none.
        overrides: Single settings, such as {"store.kind": "server", "store.url": "http://localhost:6333"}.
        progress: Called with (video, done, total) of one shard.

    Returns:
        What was merged: files that are new here (done) and that were here before (unchanged), failures of the shards.

    Raises:
        InputError: A shard is no index, or is the index itself.
        IndexMismatch: A shard was cut in another way, or its vectors were made by other models; nothing of it is taken.
    """
    folder = Path(path).expanduser()
    folders = [Path(shard).expanduser() for shard in shards]
    for shard in folders:
        if read_manifest(shard) is None:
            raise InputError(
                f"no index at {str(shard)!r}", hint="make one: vidembed index LIST --shard 1/16 --index DIR"
            )
        if shard.resolve() == folder.resolve():
            raise InputError(f"{str(shard)!r} cannot be merged into itself", hint="give another --index")
    if read_manifest(folder) is None and folders:
        _start(folder, folders[0], overrides)
    total = RunReport()
    with open_index(folder, overrides=overrides) as target, target.parts.writing():
        recover(target.parts.catalog, target.parts.own_store)
        for shard in folders:
            with open_index(shard, readonly=True) as source:
                total = _sum(total, _Merge(source.parts, target.parts).run(progress))
        target.parts.refresh(total)
        if total.clips:
            target.parts.own_store.optimize()
    return total


def _start(folder: Path, shard: Path, overrides: Overrides | None) -> None:
    """An empty index with the settings of a shard, but a store of its own."""
    first = read_manifest(shard)
    assert first is not None
    stored = {name: value for name, value in first.stored_settings().items() if name != "store"}
    settings = load_config(first.profile, None, overrides, stored=stored)
    given = {name: value for name, value in first.settings.items() if name != "store"}
    new_index(folder, settings, merged_layers(given, override_layer(overrides)))


class _Merge:
    """One shard into one index."""

    def __init__(self, source: IndexParts, target: IndexParts) -> None:
        self._source, self._target = source, target

    def run(self, progress: Step | None) -> RunReport:
        source, target = self._source, self._target
        check_layout(target.manifest, source.config, source.path)
        check_specs(target.manifest, source.specs, source.path)
        self._prepare()
        here, states = target.catalog.states.all(), source.catalog.states.all()
        files = source.catalog.videos.paths()
        todo = {
            video_id: [name for name, state in known.items() if here.get(video_id, {}).get(name) not in FINISHED]
            for video_id, known in states.items()
        }
        done: list[str] = []
        mixed: list[str] = []
        clips = 0
        wanted = [video_id for video_id, collections in todo.items() if collections]
        for batch in self._batches(wanted):
            taken = [video_id for video_id in batch if self._take(video_id)]
            mixed += [video_id for video_id in batch if video_id not in taken]
            clips += self._copy(taken, todo)
            done += taken
            if progress is not None:
                progress(self._name(batch[-1]), len(done), len(wanted))
        for video_id in states.keys() - set(wanted):
            target.catalog.take(source.catalog, video_id)  # tags, captions and copies of files may be new
        known = target.catalog.videos.paths()
        failed = [_mixed(video_id, self._name(video_id)) for video_id in mixed]
        failed += [failure for failure in source.catalog.failures() if failure.item not in known]
        for failure in failed:
            target.catalog.put_failure(failure)
        target.catalog.places.add("given", source.catalog.places.get("given"))
        new = {path for path, row in files.items() if row.video_id in done}
        seconds = sum(row.info.duration_s for row in source.catalog.videos.all() if row.info.video_id in done)
        unchanged = tuple(path for path, row in files.items() if row.video_id not in {*done, *mixed})
        return RunReport(tuple(sorted(new)), unchanged, tuple(failed), clips, seconds)

    def _prepare(self) -> None:
        """Collections and aliases for all that the shard has; a channel that is new here is served from now on."""
        spaces, store = self._source.store.collections(), self._target.own_store
        for spec in self._source.specs.values():
            if spec.collection in spaces:
                store.create(spec.collection, spaces[spec.collection])
                if store.aliases().get(spec.name) != spec.collection:
                    store.set_alias(spec.name, spec.collection)
                self._target.serve(spec)

    def _batches(self, videos: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for video_id in videos:
            batch.append(video_id)
            size += len(self._source.catalog.videos.clips(video_id))
            if size >= _CLIPS_AT_ONCE:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _take(self, video_id: str) -> bool:
        """Copy what the catalog knows; False for a video that is here, cut in another way."""
        source, target = self._source.catalog, self._target.catalog
        here = target.videos.clips(video_id)
        if here and here != source.videos.clips(video_id):
            return False
        target.take(source, video_id)
        return True

    def _copy(self, videos: Sequence[str], todo: dict[str, list[str]]) -> int:
        """Copy vectors and thumbnails of these videos, then record their channels; the number of clips."""
        target, store = self._target.catalog, self._target.own_store
        clips: dict[str, list[Clip]] = self._source.catalog.videos.clips_of_many(videos)
        by_collection: dict[str, list[str]] = defaultdict(list)
        for video_id in videos:
            target.states.begin(video_id, todo[video_id])
            for collection in todo[video_id]:
                by_collection[collection].append(video_id)
        there = self._source.store.collections()
        for collection, ids in by_collection.items():
            wanted = [clip.clip_id for video_id in ids for clip in clips.get(video_id, ())]
            rows = self._source.store.rows(collection, wanted) if collection in there else {}
            if rows:
                store.put(collection, list(rows.values()))
        for clip in (clip for of_video in clips.values() for clip in of_video):
            picture = self._source.thumbnails.path(clip.clip_id)
            if picture.exists() and not self._target.thumbnails.path(clip.clip_id).exists():
                self._target.thumbnails.write(picture.read_bytes(), clip.clip_id)
        store.flush()
        pairs = [(video_id, collection) for collection, ids in by_collection.items() for video_id in ids]
        with target.transaction():
            for video_id, collection in pairs:
                state = self._source.catalog.states.of(video_id)[collection]
                stored = self._source.catalog.states.stored(video_id, collection)
                target.states.finish(video_id, collection, state, stored or 0)
            target.states.settled(pairs)
        return sum(len(of_video) for of_video in clips.values())

    def _name(self, video_id: str) -> str:
        rows = self._source.catalog.videos.paths_of(video_id)
        return rows[0].path if rows else video_id


def _mixed(video_id: str, name: str) -> Failure:
    message = "it is in the index already, cut into other clips"
    return Failure(
        name, "merge", "IndexMismatch", message, f"remove it from one of the two: vidembed remove {video_id}"
    )


def _sum(one: RunReport, other: RunReport) -> RunReport:
    return replace(
        one,
        done=(*one.done, *other.done),
        unchanged=(*one.unchanged, *other.unchanged),
        failed=(*one.failed, *other.failed),
        clips=one.clips + other.clips,
        seconds_of_video=one.seconds_of_video + other.seconds_of_video,
    )
