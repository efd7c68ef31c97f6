"""What the embedded store keeps beside the engine: its lock, the table of its collections, and the rows read last."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cachetools import LRUCache
from filelock import FileLock, Timeout

from vidembed.errors import IndexBusy, IndexMismatch, StoreUnavailable
from vidembed.files import write_bytes
from vidembed.types import Row, Space, SparseVector

_FORMAT = 1


@dataclass
class CollectionTable:
    """Which collections exist and which alias points where: store.json. Folders that it does not name are removed."""

    collections: dict[str, Space] = field(default_factory=dict)
    quantization: dict[str, str | None] = field(default_factory=dict)  # by collection, as it was made
    aliases: dict[str, str] = field(default_factory=dict)

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
    guard = FileLock(folder / "store.lock", timeout=0)
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
