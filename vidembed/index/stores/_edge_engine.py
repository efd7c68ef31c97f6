"""What surrounds Qdrant Edge: shard settings, filters, errors, the folder's lock, its collections, rows read last."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from cachetools import LRUCache
from filelock import FileLock, Timeout

import vidembed.index.stores._points as _points
from vidembed.errors import ConfigError, IndexBusy, IndexMismatch, StoreError, StoreUnavailable
from vidembed.files import write_bytes
from vidembed.index.stores._points import DENSE, OVERSAMPLING, UNITS, WORDS
from vidembed.types import Row, Space, SparseVector, Where


def quantization_config(name: str | None) -> edge.QuantizationConfigType | None:
    """The engine's settings for a preset; ConfigError for an unknown one."""
    memory = edge.Memory.Pinned
    if name is None:
        return None
    if name == "scalar":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=memory)
    if name == "binary":
        return edge.BinaryQuantizationConfig(memory=memory)
    bits = {
        "turbo1": edge.TurboQuantBitSize.Bits1,
        "turbo2": edge.TurboQuantBitSize.Bits2,
        "turbo4": edge.TurboQuantBitSize.Bits4,
    }
    if name not in bits:
        raise ConfigError(
            f"store.quantization: unknown preset {name!r}", hint=f"allowed: none, {', '.join(OVERSAMPLING)}"
        )
    return edge.TurboQuantQuantizationConfig(bits=bits[name], memory=memory)


def shard_config(
    space: Space,
    *,
    quantization: str | None,
    index_above_kb: int,
    memory: edge.Memory = edge.Memory.Cold,
    log: bool | None = None,
) -> edge.EdgeConfig:
    """Settings of a shard. Units are kept for re-scoring by id only, so no graph is built for them.

    memory: Where clip vectors are. Cold: read from the disk as they are needed, so that a small collection takes
    34 MB less (the engine's files grow by 32 MB) and no more time; Cached: read when the shard is opened, as a graph
    likes it, which goes through them in no order. log: Whether it writes ahead, fixed when it is made; None: as made.
    """
    optimizers = edge.EdgeOptimizersConfig(indexing_threshold=index_above_kb)
    if space.kind == "sparse":
        words = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
        return edge.EdgeConfig(sparse_vectors={WORDS: words}, optimizers=optimizers, wal_enabled=log)
    codes = quantization_config(quantization)
    clip = edge.EdgeVectorParams(space.dim, edge.Distance.Cosine, quantization_config=codes, memory=memory)
    segments = edge.EdgeVectorParams(
        space.dim,
        # Unit rows already; cosine would scale them again and change float16's last bit.
        edge.Distance.Dot,
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
        datatype=edge.VectorStorageDatatype.Float16,
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=10_000),
        memory=edge.Memory.Cold,
    )
    return edge.EdgeConfig(vectors={DENSE: clip, UNITS: segments}, optimizers=optimizers, wal_enabled=log)


def search_params(quantization: str | None, *, hnsw_ef: int) -> edge.SearchParams:
    """How dense vectors are searched: graph breadth, and exact scores for what the codes found."""
    codes = None
    if quantization is not None:
        codes = edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING[quantization])
    return edge.SearchParams(hnsw_ef=hnsw_ef, quantization=codes)


def word_params() -> edge.SearchParams:
    """IDF over the clips that are there now; the engine's shortcut also counts deleted ones until it merges."""
    return edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter()))


def create_shard(path: Path, config: edge.EdgeConfig) -> None:
    """A new shard with the payload indexes that filters need, closed again."""
    path.mkdir(parents=True)
    with mapped(f"making the collection in {path}"):
        shard = edge.EdgeShard.create(str(path), config)
        # Links of the graph for each stretch of time would take two to three times as long as the graph itself. Read
        # from the disk, or a million clips take 250 MB and 1.8 s of processor whenever they are opened.
        video, time = edge.KeywordIndexParams(on_disk=True), edge.FloatIndexParams(on_disk=True, enable_hnsw=False)
        for name, kind in (("video_id", video), ("start_s", time), ("end_s", time)):
            shard.update(edge.UpdateOperation.create_field_index(name, kind))
        shard.flush()
        shard.close()


def video_filter(video_id: str) -> edge.Filter:
    return edge.Filter(must=[edge.FieldCondition("video_id", match=edge.MatchValue(video_id))])


def filter_of(where: Where | None, *, with_videos: bool = True) -> edge.Filter | None:
    """The engine's form of a `Where`; with_videos=False leaves the list of videos to the caller."""
    if where is None:
        return None
    must: list[edge.ConditionType] = []
    if where.video_ids is not None and with_videos:
        must.append(edge.FieldCondition("video_id", match=edge.MatchAny(sorted(where.video_ids))))
    if where.within is not None:
        must.append(edge.FieldCondition("start_s", range=edge.RangeFloat(lt=where.within.end_s)))
        must.append(edge.FieldCondition("end_s", range=edge.RangeFloat(gt=where.within.start_s)))
    ids: set[edge.PointId] = set(_points.uuids(where.not_clips))
    if not must and not ids:
        return None
    return edge.Filter(must=must or None, must_not=[edge.HasIdCondition(ids)] if ids else None)


_SPARE_BYTES = 16 << 20
# In what the engine says when its files cannot be read or written, not when a request is wrong.
_BROKEN = ("IO Error", "os error", "deserialize", "Service runtime error", "Service internal error")


@contextmanager
def mapped(action: str) -> Iterator[None]:
    """The engine raises bare Exception, and pyo3's PanicException (a BaseException) when it breaks inside.

    WouldBlock            IndexBusy
    No space left         StoreUnavailable
    a panic, I/O errors   StoreUnavailable
    all else              StoreError
    """
    try:
        yield
    except (StoreError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        text = str(error)
        if "WouldBlock" in text:
            raise IndexBusy(f"{action}: another process has it open", hint="close the other one") from error
        if "No space left" in text or "os error 28" in text:
            raise StoreUnavailable(f"{action}: the disk is full", hint="free space and run again") from error
        if type(error).__name__ == "PanicException" or any(sign in text for sign in _BROKEN):
            raise StoreUnavailable(
                f"{action}: {text}",
                hint="damaged? delete this collection's folder (vectors/collections/NAME in the index), then run "
                "`vidembed index`: its vectors are made anew, all else stays",
            ) from error
        if isinstance(error, Exception):
            raise StoreError(f"{action}: {text}") from error
        raise


def check_room(folder: Path) -> None:
    """The engine writes to mapped files: on a full disk that ends the process. Raises StoreUnavailable before."""
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < _SPARE_BYTES:  # some network disks tell nothing of themselves
        raise StoreUnavailable(
            f"the disk of {folder} has {disk.free >> 20} MiB left; {_SPARE_BYTES >> 20} MiB are needed to write there",
            hint="free space, and run the same command again: what is done is kept",
        )


_FORMAT = 1


@dataclass
class CollectionTable:
    """Which collections exist and which alias points where: store.json. Folders that it does not name are removed."""

    collections: dict[str, Space] = field(default_factory=dict)
    quantization: dict[str, str | None] = field(default_factory=dict)  # by collection, as it was made
    aliases: dict[str, str] = field(default_factory=dict)

    def forget(self, collection: str) -> bool:
        """Take out a collection and the aliases that point at it; whether it was there."""
        self.quantization.pop(collection, None)
        self.aliases = {alias: name for alias, name in self.aliases.items() if name != collection}
        return self.collections.pop(collection, None) is not None

    @classmethod
    def read(cls, path: Path) -> CollectionTable:
        """Raises StoreUnavailable when it is damaged, IndexMismatch when a newer version wrote it."""
        try:
            data: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if data["format"] > _FORMAT:
                raise IndexMismatch(
                    f"{path} has format {data['format']}, this version of vidembed reads up to {_FORMAT}",
                    hint="update vidembed",
                )
            entries = data["collections"]
            return cls(
                {name: Space(**entry["space"]) for name, entry in entries.items()},
                {name: entry.get("quantization") for name, entry in entries.items()},
                dict(data["aliases"]),
            )
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreUnavailable(
                f"{path} is not readable: {error}",
                hint="restore it from a backup, or delete the folder and index anew",
            ) from error

    def write(self, path: Path) -> None:
        entries = {
            name: {"space": asdict(space), "quantization": self.quantization.get(name)}
            for name, space in self.collections.items()
        }
        text = json.dumps({"format": _FORMAT, "collections": entries, "aliases": self.aliases}, indent=1)
        write_bytes(path, text.encode(), durable=True)


def lock(folder: Path) -> FileLock:
    """Take the folder for this process; the operating system lets go when the process ends, however it ends.

    Raises IndexBusy when somebody else has it.
    """
    # Else only the thread that opened the store could let go of the folder: for others releasing does nothing.
    guard = FileLock(folder / "store.lock", timeout=0, thread_local=False)
    owner = folder / "store.pid"
    try:
        guard.acquire()
    except Timeout as error:
        try:
            who = f"process {int(owner.read_text('utf-8'))}"
        except (OSError, ValueError):
            who = "another process"
        if who == f"process {os.getpid()}":
            who = "this same process"
        raise IndexBusy(
            f"{folder} is in use by {who}",
            hint="close the app or command that has it open, or keep the vectors on a Qdrant server (store.url), "
            "which serves many at once",
        ) from error
    owner.write_text(str(os.getpid()), "utf-8")
    return guard


class RowCache:
    """The rows used last, up to `capacity_bytes` of vectors. Thread-safe.

    The engine hands vectors over number by number, which costs tens of milliseconds for the hundreds of clips that one
    search scores frame by frame.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._rows: LRUCache[tuple[str, str], Row] = LRUCache(capacity_bytes, _size)
        self._lock = threading.Lock()
        self._epoch = 0

    def find(self, collection: str, clip_ids: Sequence[str]) -> tuple[dict[str, Row], int]:
        """The rows that are here, and a mark to hand to `keep` with rows read from the engine after this call."""
        with self._lock:
            rows = ((clip_id, self._rows.get((collection, clip_id))) for clip_id in clip_ids)
            return {clip_id: row for clip_id, row in rows if row is not None}, self._epoch

    def keep(self, collection: str, rows: Iterable[Row], mark: int) -> None:
        """Add rows; nothing is added when something was written since the mark, for they may be old already."""
        with self._lock:
            if mark == self._epoch:
                fitting = (row for row in rows if _size(row) <= self._rows.maxsize)
                self._rows.update(((collection, row.clip.clip_id), row) for row in fitting)

    def forget(self, written: Callable[[str, Row], bool]) -> None:
        """Called after every write. written(collection, row): whether that row may be another now."""
        with self._lock:
            self._epoch += 1
            for key in [key for key, row in self._rows.items() if written(key[0], row)]:
                del self._rows[key]


def _size(row: Row) -> int:
    vector = row.vector.values if isinstance(row.vector, SparseVector) else row.vector
    return 500 + vector.nbytes + (0 if row.segments is None else row.segments.nbytes)
