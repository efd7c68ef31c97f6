"""Rows with their unit vectors, kept for the next query: the engine hands vectors over number by number, which costs
tens of milliseconds for the hundreds of clips that one search looks at frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from cachetools import LRUCache

from vidembed.types import Row, SparseVector


class RowCache:
    """The rows used last, up to `capacity_bytes` of vectors. Safe to use from several threads."""

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
    return 500 + vector.nbytes + (0 if row.units is None else row.units.nbytes)
