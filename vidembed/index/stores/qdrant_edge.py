"""The default store: the Qdrant engine inside this process, a folder on disk, no server.

folder/store.json              collections, their spaces, aliases; replaced in one step
folder/store.lock, store.pid   one process at a time
folder/collections/NAME/       one Qdrant Edge shard each, opened when first used
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import qdrant_edge as edge

import vidembed.index.stores._points as _points
from vidembed.errors import StoreUnavailable
from vidembed.files import sync_folder
from vidembed.index.stores._answers import answers
from vidembed.index.stores._edge_building import built_apart, worth_a_process
from vidembed.index.stores._edge_engine import (
    CollectionTable,
    RowCache,
    check_room,
    create_shard,
    filter_of,
    lock,
    mapped,
    quantization_config,
    search_params,
    shard_config,
    video_filter,
    word_params,
)
from vidembed.index.stores._points import DENSE, UNITS, WORDS
from vidembed.types import Floats, Row, Space, SparseVector, Where


class QdrantEdgeStore(_points.LockedStore):
    """`protocols.Store` in a folder, for one process at a time. Thread-safe.

    Writes survive the end of the process, however it ends, and a power loss once `flush` has returned.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        quantization: str | None = None,
        index_above_kb: int = 40_000,
        hnsw_ef: int | None = None,
        cache_mb: int = 128,
    ) -> None:
        """Open the folder, or make it.

        Args:
            path: The folder.
            quantization: Smaller codes for new collections (docs/stores.md), searched first once `optimize` has built
                them. Hits are always scored again with the float32 vectors.
            index_above_kb: Up to so many vectors (by default about 20 000 of 512 dimensions) every search is exact;
                above, `optimize` builds an HNSW graph.
            hnsw_ef: Clips a graph search looks at, more is slower and closer to exact; None = 256, or 2 for each hit.
            cache_mb: Memory for rows that were read lately.

        Raises:
            ConfigError: The quantization is not known.
            IndexBusy: Another process has the folder open.
            StoreUnavailable: The folder is damaged or cannot be written.
        """
        quantization_config(quantization)  # an unknown preset is said now, not at the first collection
        super().__init__(f"the store in {path}")
        self.path = Path(path)
        self._quantization = quantization
        self._index_above_kb = index_above_kb
        self._hnsw_ef = hnsw_ef
        self._cache = RowCache(cache_mb * 1_000_000)
        self._counts: dict[str, int] = {}
        self._writes = 0
        self._shards: dict[str, edge.EdgeShard] = {}
        try:
            (self.path / "collections").mkdir(parents=True, exist_ok=True)
            self._folder_lock = lock(self.path)
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be written: {error}", hint="choose another folder") from error
        try:
            self._table = CollectionTable.read(self.path / "store.json")
            self._sweep()
        except BaseException:
            self._folder_lock.release()
            raise

    # --- collections and aliases -------------------------------------------------------------------------------

    @_points.writing
    @_points.locked
    def create(self, collection: str, space: Space) -> None:
        _points.check_new(collection, self._table.aliases)
        if collection in self._table.collections:
            _points.check_same(collection, self._table.collections[collection], space)
            return
        check_room(self.path)
        # Made aside and renamed when whole: a crash in between leaves a folder that the next start sweeps away.
        aside = self._folder(f".new-{collection}")
        shutil.rmtree(aside, ignore_errors=True)
        codes, above = self._quantization, self._index_above_kb
        # No write-ahead log, 67 MB in a copied folder: a run flushes before it calls anything done.
        create_shard(aside, shard_config(space, quantization=codes, index_above_kb=above, log=False))
        shutil.rmtree(self._folder(collection), ignore_errors=True)  # left by a crash, in no manifest
        os.replace(aside, self._folder(collection))
        sync_folder(aside.parent)
        self._table.collections[collection] = space
        self._table.quantization[collection] = self._quantization
        self._save()

    @_points.writing
    @_points.locked
    def drop(self, collection: str) -> None:
        """Remove it and the aliases that point at it. Removing what is not there is no error."""
        if not self._table.forget(collection):
            return
        self._save()
        self._written(lambda name, _: name == collection)
        shard = self._shards.pop(collection, None)
        if shard is not None:
            with mapped(f"closing {collection}"):
                shard.close()
        old = self._folder(f".old-{collection}")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(self._folder(collection), old)
        shutil.rmtree(old, ignore_errors=True)

    @_points.locked
    def collections(self) -> dict[str, Space]:
        return dict(sorted(self._table.collections.items()))

    @_points.locked
    def aliases(self) -> dict[str, str]:
        return dict(self._table.aliases)

    @_points.locked
    def set_alias(self, alias: str, collection: str) -> None:
        _points.check_alias(alias, collection, self._table.collections)
        self._table.aliases[alias] = collection
        self._save()

    # --- rows --------------------------------------------------------------------------------------------------

    @_points.writing
    def put(self, collection: str, rows: Sequence[Row]) -> None:
        name, space, shard = self._find(collection)
        ready = _points.checked(rows, space)
        check_room(self.path)
        try:
            with mapped(f"writing to {name}"):
                for piece in _points.writes(ready):
                    shard.update(edge.UpdateOperation.upsert_points([_point(row) for row in piece]))
        finally:
            ids = {row.clip.clip_id for row in ready}
            self._written(lambda collection, row: collection == name and row.clip.clip_id in ids)

    def search(
        self, collection: str, vector: Floats | SparseVector, *, k: int, where: Where | None = None
    ) -> list[tuple[str, float]]:
        name, space, shard = self._find(collection)
        checked = _points.check_query(vector, space)
        query, params = self._query(name, checked, k)

        def ask(limit: int, listed: bool) -> list[edge.ScoredPoint]:
            with mapped(f"searching {name}"):
                return shard.query(
                    edge.QueryRequest(
                        limit=limit,
                        query=query,
                        filter=filter_of(where, with_videos=listed),
                        params=params,
                        with_payload=False if listed else ["video_id"],
                    )
                )

        return answers(ask, lambda: shard.count(edge.CountRequest()), checked, k=k, where=where)

    def rows(self, collection: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        name, space, shard = self._find(collection)
        found, mark = self._cache.find(name, clip_ids) if segments else ({}, 0)
        missing = _points.uuids(clip_id for clip_id in clip_ids if clip_id not in found)
        if missing:
            with mapped(f"reading {name}"):
                names = _points.vector_names(space, segments=segments)
                read = [_row(r) for r in shard.retrieve(list(missing), True, names)]
            found.update((row.clip.clip_id, row) for row in read)
            if segments:
                self._cache.keep(name, read, mark)
        return {clip_id: found[clip_id] for clip_id in clip_ids if clip_id in found}

    def scan(self, collection: str, *, segments: bool = False, batch: int = 1000) -> Iterator[list[Row]]:
        name, space, shard = self._find(collection)
        offset: edge.PointId | None = None
        names = _points.vector_names(space, segments=segments)
        while True:
            with mapped(f"reading {name}"):
                records, offset = shard.scroll(
                    edge.ScrollRequest(offset=offset, limit=batch, with_payload=True, with_vector=names)
                )
                found = [_row(r) for r in records]
            if found:
                yield found
            if offset is None:
                return

    @_points.writing
    def delete(self, video_id: str, *, collection: str | None = None) -> None:
        for name in [collection] if collection is not None else list(self.collections()):
            _, _, shard = self._find(name)
            with mapped(f"deleting from {name}"):
                shard.update(edge.UpdateOperation.delete_points_by_filter(video_filter(video_id)))
        self._written(lambda _, row: row.clip.video_id == video_id)

    def count(self, collection: str) -> int:
        with self._lock:
            if self.aliases().get(collection, collection) not in self.collections():
                return 0
            name, _, shard = self._find(collection)
            known, mark = self._counts.get(name), self._writes
        if known is not None:
            return known
        with mapped(f"counting {name}"):
            counted = shard.count(edge.CountRequest(exact=True))
        with self._lock:
            if mark == self._writes:
                self._counts[name] = counted
        return counted

    # --- housekeeping ------------------------------------------------------------------------------------------

    @_points.writing
    def optimize(self) -> None:
        """Build the HNSW graph and the quantised codes of collections above the threshold; minutes for 100 000s.

        Searches go on meanwhile, but for the fraction of a second that opening the result takes; writes wait.
        """
        for name in self.collections():
            _, space, shard = self._find(name)
            if not worth_a_process(self._folder(name)):
                with mapped(f"optimizing {name}"):
                    shard.optimize()
                continue
            with mapped(f"flushing {name}"):
                shard.flush()
            codes = self._table.quantization.get(name)
            made = built_apart(self._folder(name), space, quantization=codes, index_above_kb=self._index_above_kb)
            if made is not None:
                self._swap(name, made)

    @_points.locked
    def _swap(self, name: str, made: Path) -> None:
        """Put another folder in a collection's place. Searches that have begun end in the old one's open files."""
        old = self._folder(f".old-{name}")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(self._folder(name), old)  # a crash from here on: `_sweep` puts it back
        os.replace(made, self._folder(name))
        sync_folder(old.parent)
        self._shards.pop(name, None)
        self._find(name)
        shutil.rmtree(old, ignore_errors=True)

    @_points.writing
    def flush(self) -> None:
        for name, shard in self._open_shards().items():
            with mapped(f"flushing {name}"):
                shard.flush()

    @_points.writing
    def close(self) -> None:
        """Flush what was written and let go of the folder; closing twice is no error."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                while self._shards:
                    name, shard = self._shards.popitem()
                    with mapped(f"closing {name}"):
                        if self._writes:  # a search pays for no write to the disk
                            shard.flush()
                        shard.close()
            finally:
                self._folder_lock.release()

    @_points.locked
    def _open_shards(self) -> dict[str, edge.EdgeShard]:
        return dict(self._shards)

    @_points.locked
    def _find(self, name: str) -> tuple[str, Space, edge.EdgeShard]:
        """Collection name, space and open shard behind a collection name or an alias."""
        name = self._table.aliases.get(name, name)
        space = self._table.collections.get(name)
        if space is None:
            raise _points.unknown_collection(name, [*self._table.collections, *self._table.aliases])
        shard = self._shards.get(name)
        if shard is None:
            with mapped(f"opening collection {name} in {self.path}"):
                shard = self._shards[name] = edge.EdgeShard.load(str(self._folder(name)))
        return name, space, shard

    def _written(self, rows: Callable[[str, Row], bool]) -> None:
        """Forget what was remembered of the store before a write; rows: see `RowCache.forget`."""
        with self._lock:
            self._writes += 1
            self._counts.clear()
        self._cache.forget(rows)

    def _query(self, name: str, vector: Floats | SparseVector, k: int) -> tuple[edge.Query, edge.SearchParams]:
        if isinstance(vector, SparseVector):
            words = edge.SparseVector(vector.indices.tolist(), vector.values.tolist())
            return edge.Query.Nearest(words, using=WORDS), word_params()
        if vector.ndim == 2:
            return edge.Query.Nearest(vector.tolist(), using=UNITS), edge.SearchParams(exact=True)
        params = search_params(self._table.quantization.get(name), hnsw_ef=_points.breadth(self._hnsw_ef, k))
        return edge.Query.Nearest(vector.tolist(), using=DENSE), params

    def _folder(self, name: str) -> Path:
        return self.path / "collections" / name

    def _save(self) -> None:
        try:
            self._table.write(self.path / "store.json")
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be written: {error}", hint="is the disk full?") from error

    def _sweep(self) -> None:
        """Remove what a crash left of collections half made, half dropped or half replaced; forget deleted ones."""
        for name in list(self._table.collections):
            if not self._folder(name).exists() and self._folder(f".old-{name}").exists():
                os.replace(self._folder(f".old-{name}"), self._folder(name))
            if not self._folder(name).exists():
                self._table.forget(name)
        for folder in (self.path / "collections").iterdir():
            if folder.name.startswith((".new-", ".old-")):
                shutil.rmtree(folder, ignore_errors=True)


def _point(row: Row) -> edge.Point:
    return edge.Point(row.clip.clip_id, _points.vectors_of(row, edge.SparseVector), _points.payload(row))


def _row(record: edge.Record) -> Row:
    vectors = record.vector if isinstance(record.vector, dict) else {}
    return _points.row_of(str(record.id), record.payload or {}, vectors)
