"""The embedded store's folder: its lock, and the small JSON file that says which collections and aliases there are."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vidembed.errors import IndexBusy, IndexMismatch, StoreUnavailable
from vidembed.files import write_bytes
from vidembed.types import Space

_FORMAT = 1


@dataclass
class Manifest:
    """Which collections exist and which alias points where; the truth, folders beside it are swept."""

    collections: dict[str, Space] = field(default_factory=dict)
    quantization: dict[str, str | None] = field(default_factory=dict)  # by collection, as it was made
    aliases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Manifest:
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
