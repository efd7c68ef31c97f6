"""What all stores share: a lock, checks of what comes in, the payload of a point, and rows in pieces."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError, EncodingError, IndexMismatch, StoreError, did_you_mean
from vidembed.types import Clip, Floats, Row, Space, Span, SparseVector
from vidembed.vectors import unit_rows

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="LockedStore")

# Names of the vectors of a point: the clip's own, the multivector it was pooled from, weighted words.
DENSE, UNITS, WORDS = "clip", "units", "words"

# With quantised vectors, codes are searched first; this many times more candidates are then scored again exactly.
OVERSAMPLING = {"scalar": 2.0, "turbo4": 2.0, "turbo2": 3.0, "turbo1": 4.0, "binary": 4.0}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,119}")
_FLOATS_PER_WRITE = 500_000  # 2 MB in memory, about 5 MB as JSON; servers refuse bodies above 32 MB


class LockedStore:
    """What the stores in this process share: a lock, and that nothing works once they are closed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._write_lock = threading.RLock()
        self._closed = False

    def close(self) -> None:
        """Let go of what it holds. Twice is no error."""
        self._closed = True

    def put(self, collection: str, rows: Sequence[Row]) -> None:
        """As `protocols.Store.put`."""
        raise NotImplementedError

    def load(self, collection: str, rows: Iterable[Row], *, processes: int = 1) -> None:
        """As `protocols.Store.load`, in this process."""
        for block in writes(rows):
            self.put(collection, block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def locked(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Run a method of a `LockedStore` with its lock held. Raises StoreError when it is closed."""

    @wraps(method)
    def call(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            if self._closed:
                raise StoreError(f"{self._name} is closed")
            return method(self, *args, **kwargs)

    return call  # type: ignore[return-value]  # mypy sees the wrapper's `self` as positional or named


def writing(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Run a method of a `LockedStore` while no other writes; searches go on. Always taken before the lock."""

    @wraps(method)
    def call(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._write_lock:
            return method(self, *args, **kwargs)

    return call  # type: ignore[return-value]  # as above


def check_name(name: str, what: str = "collection name") -> str:
    """The name, once it is proven safe as a folder name and as a server's collection name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{what} {name!r} is not usable",
            hint="allowed: up to 120 letters, digits and . _ + -, beginning with a letter or digit",
        )
    return name


def check_new(collection: str, aliases: Collection[str]) -> None:
    """Whether a collection may have this name. Raises ConfigError, StoreError."""
    check_name(collection)
    if collection in aliases:
        raise StoreError(f"{collection!r} is an alias")


def check_alias(alias: str, collection: str, known: Collection[str]) -> None:
    """Whether the alias may point at the collection. Raises ConfigError, StoreError."""
    check_name(alias, "alias name")
    if collection not in known:
        raise unknown_collection(collection, known)
    if alias in known:
        raise StoreError(f"{alias!r} is the name of a collection and cannot be an alias")


def unknown_collection(name: str, known: Collection[str]) -> StoreError:
    return StoreError(
        f"no collection {name!r} in the store", hint=did_you_mean(name, known) if known else "the store is empty"
    )


def check_same(collection: str, have: Space, want: Space) -> None:
    """Raises IndexMismatch when an existing collection has another size or kind than the one asked for."""
    if (have.dim, have.kind) != (want.dim, want.kind):
        raise IndexMismatch(
            f"collection {collection!r} holds {have.kind} vectors of {have.dim} dimensions ({have.name}), "
            f"asked for {want.kind} of {want.dim} ({want.name})",
            hint="index again into a new collection, or drop the old one",
        )


def checked(rows: Sequence[Row], space: Space, *, uuids: bool = True) -> list[Row]:
    """The rows with unit vectors, ready to store; the last of a repeated clip_id wins.

    Raises EncodingError for the first vector that is zero, not finite, of the wrong size or of the wrong kind.
    """
    ready: dict[str, Row] = {}
    for row in rows:
        if uuids:
            _check_uuid(row.clip.clip_id)
        vector = check_vector(row.vector, space, who=f"the vector of clip {row.clip.clip_id}")
        if row.segments is not None:
            _check_segments(row.segments, space, row.clip.clip_id)
        ready.pop(row.clip.clip_id, None)
        ready[row.clip.clip_id] = replace(row, vector=vector)
    return list(ready.values())


def check_vector(
    vector: Floats | SparseVector, space: Space, *, who: str = "the query vector"
) -> Floats | SparseVector:
    """A (D,) float32 unit row or a SparseVector that fits the space; EncodingError otherwise."""
    if isinstance(vector, SparseVector) != (space.kind == "sparse"):
        kind = "sparse" if isinstance(vector, SparseVector) else "dense"
        raise EncodingError(f"{who} is {kind}, the collection's space {space.name!r} is {space.kind}")
    if isinstance(vector, SparseVector):
        if not np.all(np.isfinite(vector.values)):
            raise EncodingError(f"{who} has values that are not finite")
        return vector
    if np.shape(vector) != (space.dim,):
        raise EncodingError(f"{who} has shape {np.shape(vector)}, the space {space.name!r} needs {(space.dim,)}")
    try:
        return unit_rows(np.asarray(vector)[None])[0]
    except EncodingError as error:
        raise EncodingError(f"{who} is zero or not finite", hint=error.hint) from error


def check_query(vector: Floats | SparseVector, space: Space) -> Floats | SparseVector:
    """As `check_vector`; in a late space (T, D) unit rows too."""
    if space.kind != "late" or isinstance(vector, SparseVector) or np.ndim(vector) != 2:
        return check_vector(vector, space)
    if not len(vector) or vector.shape[1] != space.dim:
        raise EncodingError(f"the query has shape {vector.shape}, the space {space.name!r} needs (T >= 1, {space.dim})")
    return unit_rows(vector)


def _check_segments(segments: NDArray[Any], space: Space, clip_id: str) -> None:
    if space.kind == "sparse":
        raise EncodingError(f"clip {clip_id} brings segment embeddings, but the space {space.name!r} is sparse")
    if segments.ndim != 2 or segments.shape[1] != space.dim or not len(segments):
        raise EncodingError(
            f"segment embeddings of clip {clip_id} are {segments.shape}, the space needs (U >= 1, {space.dim})"
        )
    norms = np.linalg.norm(segments.astype(np.float32), axis=1)
    if not np.all(norms > 1e-6) or not np.all(np.isfinite(norms)):
        raise EncodingError(f"segment embeddings of clip {clip_id} hold rows that are zero or not finite")


def _check_uuid(clip_id: str) -> None:
    try:
        canonical = str(uuid.UUID(clip_id))
    except ValueError:
        canonical = ""
    if canonical != clip_id:
        raise EncodingError(f"clip id {clip_id!r} is not a UUID in its usual form", hint="make clips with Clip.make")


def uuids(clip_ids: Iterable[str]) -> list[uuid.UUID]:
    """Those that can be point ids; others are in no store anyway."""
    ids = []
    for clip_id in clip_ids:
        try:
            ids.append(uuid.UUID(clip_id))
        except ValueError:
            continue
    return ids


def breadth(hnsw_ef: int | None, k: int) -> int:
    """How many clips a graph search for k hits looks at: what the settings say, else enough for a recall near 1."""
    return hnsw_ef or max(256, 2 * k)


def payload(row: Row) -> dict[str, Any]:
    """What is stored beside the vectors, and filtered by."""
    clip = row.clip
    entry: dict[str, Any] = {
        "video_id": clip.video_id,
        "start_s": clip.span.start_s,
        "end_s": clip.span.end_s,
        "index": clip.index,
    }
    if row.segment_times_s is not None:
        entry["unit_times_s"] = row.segment_times_s.tolist()
    if row.segment_spans_s is not None:
        entry["unit_spans_s"] = row.segment_spans_s.tolist()
    return entry


def vector_names(space: Space, *, segments: bool) -> list[str]:
    """What to ask for when rows are read."""
    if space.kind == "sparse":
        return [WORDS]
    return [DENSE, UNITS] if segments else [DENSE]


def vectors_of(row: Row, words: Callable[[list[int], list[float]], Any]) -> dict[str, Any]:
    """A point's vectors by name. words: makes the engine's sparse vector from indices and values."""
    if isinstance(row.vector, SparseVector):
        return {WORDS: words(row.vector.indices.tolist(), row.vector.values.tolist())}
    segments = {} if row.segments is None else {UNITS: row.segments.tolist()}
    return {DENSE: row.vector.tolist(), **segments}


def row_of(clip_id: str, entry: Mapping[str, Any], vectors: Mapping[str, Any]) -> Row:
    """The row again, from a point's id, payload and the vectors that were asked for."""
    try:
        clip = Clip(
            clip_id, entry["video_id"], int(entry["index"]), Span(float(entry["start_s"]), float(entry["end_s"]))
        )
        words = vectors.get(WORDS)
        vector: Floats | SparseVector
        if words is not None:
            vector = SparseVector(np.asarray(words.indices, np.uint32), np.asarray(words.values, np.float32))
        else:
            vector = np.asarray(vectors[DENSE], dtype=np.float32)
        if UNITS not in vectors:
            return Row(clip, vector)
        segments = np.asarray(vectors[UNITS], dtype=np.float16)
        spans_s = entry.get("unit_spans_s")  # what was written by an older version has none
        return Row(
            clip,
            vector,
            segments,
            np.asarray(entry["unit_times_s"], dtype=np.float64),
            None if spans_s is None else np.asarray(spans_s, dtype=np.float64),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"the stored entry of clip {clip_id} is not readable: {error!r}",
            hint="was the collection written by another program? Index into another one",
        ) from error


def blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in stretches of some 64 MB."""
    return _pieces(rows, 32 * _FLOATS_PER_WRITE, 32_000)


def writes(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in pieces small enough for one request or one entry of a write-ahead log."""
    return _pieces(rows, _FLOATS_PER_WRITE, 1000)


def reads(clip_ids: Sequence[str], segments: Sequence[int], vector: Floats | SparseVector) -> Iterator[list[str]]:
    """The ids in pieces whose rows, with so many segment embeddings each, fit into one answer."""
    dim = 0 if isinstance(vector, SparseVector) else len(vector)
    room, piece = 4 * _FLOATS_PER_WRITE, list[str]()
    for clip_id, count in zip(clip_ids, segments, strict=True):
        if piece and count * dim > room:
            yield piece
            room, piece = 4 * _FLOATS_PER_WRITE, []
        piece.append(clip_id)
        room -= count * dim
    yield piece


def most_for_one_write(rows: Sequence[Row]) -> int:
    """How many of these rows fit into one request, whichever they are."""
    return max(1, min(1000, _FLOATS_PER_WRITE // max(map(_size, rows))))


def _size(row: Row) -> int:
    """About how many numbers are sent for it."""
    own = 2 * len(row.vector.values) if isinstance(row.vector, SparseVector) else len(row.vector)
    return own + 64 + (0 if row.segments is None else row.segments.size)


def _pieces(rows: Iterable[Row], numbers: int, most: int) -> Iterator[list[Row]]:
    piece: list[Row] = []
    room = numbers
    for row in rows:
        size = _size(row)
        if piece and (size > room or len(piece) >= most):
            yield piece
            piece, room = [], numbers
        piece.append(row)
        room -= size
    if piece:
        yield piece
