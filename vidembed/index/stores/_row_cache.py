"""Rows with their unit vectors, kept for the next query: the engine hands vectors over number by number, which costs
tens of milliseconds for the hundreds of clips that one search looks at frame by frame."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from vidembed.types import Row, SparseVector


class RowCache:
    """The rows used last, up to `capacity_bytes` of vectors. Safe to use from several threads."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._used = 0
        self._rows: OrderedDict[tuple[str, str], Row] = OrderedDict()
        self._lock = threading.Lock()
        self._epoch = 0

    def find(self, collection: str, clip_ids: Sequence[str]) -> tuple[dict[str, Row], int]:
        """The rows that are here, and a mark to hand to `keep` with rows read from the engine after this call."""
        with self._lock:
            found = {}
            for clip_id in clip_ids:
                row = self._rows.get((collection, clip_id))
                if row is not None:
                    self._rows.move_to_end((collection, clip_id))
                    found[clip_id] = row
            return found, self._epoch

    def keep(self, collection: str, rows: Iterable[Row], mark: int) -> None:
        """Add rows; nothing is added when something was written since the mark, for they may be old already."""
        with self._lock:
            if mark != self._epoch:
                return
            for row in rows:
                key = (collection, row.clip.clip_id)
                if key in self._rows:
                    continue
                self._rows[key] = row
                self._used += _size(row)
            while self._used > self._capacity:
                _, old = self._rows.popitem(last=False)
                self._used -= _size(old)

    def forget(self, written: Callable[[str, Row], bool] | None = None) -> None:
        """Called after every write. written(collection, row): whether that row may be another now; None: all may."""
        with self._lock:
            self._epoch += 1
            old = [key for key, row in self._rows.items() if written is None or written(key[0], row)]
            for key in old:
                self._used -= _size(self._rows.pop(key))


def _size(row: Row) -> int:
    vector = row.vector.values if isinstance(row.vector, SparseVector) else row.vector
    return 500 + vector.nbytes + (0 if row.units is None else row.units.nbytes)
