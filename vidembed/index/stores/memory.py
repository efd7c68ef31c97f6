"""Exact search in numpy, in memory only: for tests, small throw-away indexes, and as the oracle of other stores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vidembed.index.stores._points as _points
from vidembed.types import Floats, Row, Space, SparseVector, Where
from vidembed.vectors import late_score, top_k


class _Collection:
    """Rows of one collection and, made when first needed, the matrix or the posting lists to search them."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.rows: dict[str, Row] = {}
        self._table: tuple[list[str], Floats] | None = None
        self._postings: dict[int, list[tuple[str, float]]] | None = None

    def changed(self) -> None:
        self._table = self._postings = None

    def table(self) -> tuple[list[str], Floats]:
        """Clip ids and their (N, D) vectors."""
        if self._table is None:
            vectors = [row.vector for row in self.rows.values()]
            matrix = np.stack(vectors) if vectors else np.zeros((0, self.space.dim), np.float32)  # type: ignore[arg-type]
            self._table = list(self.rows), matrix
        return self._table

    def postings(self) -> dict[int, list[tuple[str, float]]]:
        """Word -> (clip id, weight) of the clips that have it."""
        if self._postings is None:
            self._postings = {}
            for clip_id, row in self.rows.items():
                assert isinstance(row.vector, SparseVector)
                for index, value in zip(row.vector.indices.tolist(), row.vector.values.tolist(), strict=True):
                    self._postings.setdefault(index, []).append((clip_id, value))
        return self._postings


class MemoryStore(_points.LockedStore):
    """`protocols.Store` without disk. Clip ids may be any strings. Thread-safe."""

    def __init__(self) -> None:
        super().__init__("the store")
        self._collections: dict[str, _Collection] = {}
        self._aliases: dict[str, str] = {}

    @_points.locked
    def create(self, collection: str, space: Space) -> None:
        _points.check_new(collection, self._aliases)
        if collection in self._collections:
            _points.check_same(collection, self._collections[collection].space, space)
            return
        self._collections[collection] = _Collection(space)

    @_points.locked
    def put(self, collection: str, rows: Sequence[Row]) -> None:
        found = self._find(collection)
        for row in _points.checked(rows, found.space, uuids=False):
            found.rows[row.clip.clip_id] = row
        found.changed()

    @_points.locked
    def search(
        self, collection: str, vector: Floats | SparseVector, *, k: int, where: Where | None = None
    ) -> list[tuple[str, float]]:
        """Dense: cosine, in float64. Sparse: the sum over shared words of query weight x stored weight x IDF.

        Qdrant's IDF (`Modifier.IDF`): ln((N - n + 0.5) / (n + 0.5) + 1), N clips in the collection, n with the word.
        """
        found = self._find(collection)
        vector = _points.check_query(vector, found.space)
        if isinstance(vector, SparseVector):
            return _search_words(found, vector, k, where)
        if vector.ndim == 2:
            return _search_late(found, vector, k, where)
        ids, matrix = found.table()
        if where is not None:
            keep = [i for i, clip_id in enumerate(ids) if where.allows(found.rows[clip_id].clip)]
            ids, matrix = [ids[i] for i in keep], matrix[keep]
        return _search_matrix(ids, matrix, vector, k)

    @_points.locked
    def rows(self, collection: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        stored = self._find(collection).rows
        return {clip_id: _view(stored[clip_id], segments) for clip_id in clip_ids if clip_id in stored}

    def scan(self, collection: str, *, segments: bool = False, batch: int = 1000) -> Iterator[list[Row]]:
        ids = self._sorted_ids(collection)
        for start in range(0, len(ids), batch):
            found = self.rows(collection, ids[start : start + batch], segments=segments)
            if found:
                yield list(found.values())

    @_points.locked
    def delete(self, video_id: str, *, collection: str | None = None) -> None:
        for found in [self._find(collection)] if collection is not None else list(self._collections.values()):
            found.rows = {i: row for i, row in found.rows.items() if row.clip.video_id != video_id}
            found.changed()

    @_points.locked
    def count(self, collection: str) -> int:
        found = self._collections.get(self._aliases.get(collection, collection))
        return len(found.rows) if found else 0

    @_points.locked
    def collections(self) -> dict[str, Space]:
        return {name: found.space for name, found in sorted(self._collections.items())}

    @_points.locked
    def aliases(self) -> dict[str, str]:
        return dict(self._aliases)

    @_points.locked
    def set_alias(self, alias: str, collection: str) -> None:
        _points.check_alias(alias, collection, self._collections)
        self._aliases[alias] = collection

    @_points.locked
    def drop(self, collection: str) -> None:
        """Remove it and the aliases that point at it. Removing what is not there is no error."""
        self._collections.pop(collection, None)
        self._aliases = {alias: name for alias, name in self._aliases.items() if name != collection}

    @_points.locked
    def optimize(self) -> None:
        """Nothing to build."""

    @_points.locked
    def flush(self) -> None:
        """Nothing survives the process: this store is in memory only."""

    def close(self) -> None:
        self._closed = True
        self._collections.clear()

    @_points.locked
    def _sorted_ids(self, collection: str) -> list[str]:
        return sorted(self._find(collection).rows)

    def _find(self, name: str) -> _Collection:
        found = self._collections.get(self._aliases.get(name, name))
        if found is None:
            raise _points.unknown_collection(name, [*self._collections, *self._aliases])
        return found


def _view(row: Row, segments: bool) -> Row:
    return row if segments or row.segments is None else Row(row.clip, row.vector)


def _search_matrix(ids: list[str], matrix: Floats, vector: Floats, k: int) -> list[tuple[str, float]]:
    if k < 1 or not len(ids):
        return []
    rough = matrix @ vector
    keep: NDArray[Any] = np.arange(len(ids))
    if len(ids) > k:
        # BLAS rounds equal rows differently by their place in the matrix: all near the cut are scored once more.
        keep = np.flatnonzero(rough >= np.partition(rough, len(ids) - k)[len(ids) - k] - 1e-5)
    exact = np.einsum("nd,d->n", matrix[keep].astype(np.float64), vector.astype(np.float64))
    return top_k(np.clip(exact, -1, 1), [ids[int(i)] for i in keep], k)


def _search_late(found: _Collection, query: Floats, k: int, where: Where | None) -> list[tuple[str, float]]:
    allowed = (row for row in found.rows.values() if where is None or where.allows(row.clip))
    scores = {row.clip.clip_id: late_score(query, row.segments) for row in allowed if row.segments is not None}
    return top_k(np.clip(list(scores.values()), -1, 1), list(scores), k) if k > 0 else []


def _search_words(found: _Collection, query: SparseVector, k: int, where: Where | None) -> list[tuple[str, float]]:
    total = len(found.rows)
    scores: dict[str, float] = {}
    for index, weight in zip(query.indices.tolist(), query.values.tolist(), strict=True):
        having = found.postings().get(index, [])
        idf = math.log((total - len(having) + 0.5) / (len(having) + 0.5) + 1)
        for clip_id, value in having:
            scores[clip_id] = scores.get(clip_id, 0.0) + weight * value * idf
    if where is not None:
        scores = {clip_id: score for clip_id, score in scores.items() if where.allows(found.rows[clip_id].clip)}
    return top_k(np.asarray(list(scores.values()), dtype=np.float32), list(scores), k) if k > 0 else []
