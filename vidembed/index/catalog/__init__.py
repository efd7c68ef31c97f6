"""The catalog: what is indexed, by what, and what failed. One SQLite file; the store can be rebuilt from it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from vidembed.index.catalog.database import Database
from vidembed.index.catalog.texts import Captions, ChannelStates, Places, Summaries, Tags, Texts
from vidembed.index.catalog.videos import Videos
from vidembed.types import Failure

_ITS_CLIPS = "clip_id IN (SELECT clip_id FROM clips WHERE video_id = ?)"
_OF_A_VIDEO = {  # table -> its rows of one video; in an order that foreign keys allow
    "videos": "video_id = ?",
    "paths": "video_id = ?",
    "clips": "video_id = ?",
    "tags": "video_id = ?",
    "summaries": "video_id = ?",
    "texts": _ITS_CLIPS,
    "captions": _ITS_CLIPS,
}


class Catalog:
    """The tables by concept, over one file, which is made unless `readonly`. Safe for many threads."""

    def __init__(self, path: str | Path, *, readonly: bool = False) -> None:
        self._db = Database(Path(path), readonly=readonly)
        self.videos = Videos(self._db)
        self.states = ChannelStates(self._db)
        self.tags = Tags(self._db)
        self.texts = Texts(self._db)
        self.captions = Captions(self._db)
        self.summaries = Summaries(self._db)
        self.places = Places(self._db)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What happens inside is saved together or not at all."""
        with self._db.transaction():
            yield

    def version(self) -> int:
        """A number that differs after every change, whichever thread or process made it."""
        return self._db.version()

    def home(self) -> str | None:
        """Where the index's folder was when this was last noted."""
        row = self._db.one("SELECT folder FROM home")
        return None if row is None else str(row["folder"])

    def rename(self, moves: Collection[tuple[str, str]], *, home: str | None = None) -> None:
        """Note new paths of files and places, (old, new), with what failed of them; home: where the index is, too."""
        with self._db.transaction():
            known = self.videos.paths()
            self.videos.unlink(old for old, new in moves if new in known)
            self._db.run_many("UPDATE paths SET path = ? WHERE path = ?", ((new, old) for old, new in moves))
            self._db.run_many(
                "UPDATE OR REPLACE failures SET item = ? WHERE item = ?", ((new, old) for old, new in moves)
            )
            self._db.run_many(
                "UPDATE OR REPLACE places SET path = ? WHERE path = ?", ((new, old) for old, new in moves)
            )
            if home is not None:
                self._db.run("DELETE FROM home")
                self._db.run("INSERT INTO home (folder) VALUES (?)", (home,))

    def take(self, other: Catalog, video_id: str) -> None:
        """Copy all that another catalog knows of a video, but how far its channels are; what is known here stays."""
        with self._db.transaction():
            for table, which in _OF_A_VIDEO.items():
                for row in other._db.rows(f"SELECT * FROM {table} WHERE {which}", (video_id,)):
                    names = ", ".join(row.keys())
                    marks = ", ".join("?" * len(row))
                    self._db.run(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", tuple(row))

    def detach(self) -> None:
        """From now on work on a copy, which ends with this object; nothing is written to the file."""
        self._db.detach()

    def put_failure(self, failure: Failure) -> None:
        """Record why an item failed, in place of the record of the same item and stage."""
        self._db.run(
            "INSERT OR REPLACE INTO failures (item, stage, kind, message, hint, at) VALUES (?, ?, ?, ?, ?, ?)",
            (failure.item, failure.stage, failure.kind, failure.message, failure.hint, time.time()),
        )

    def clear_failures(self, item: str) -> None:
        """Forget the failures of an item, because it is tried again."""
        self._db.run("DELETE FROM failures WHERE item = ?", (item,))

    def failures(self) -> list[Failure]:
        """All recorded failures, by item and stage."""
        rows = self._db.rows("SELECT item, stage, kind, message, hint FROM failures ORDER BY item, stage")
        return [Failure(*row) for row in rows]

    def close(self) -> None:
        """Close every connection; calls that follow raise StoreError."""
        self._db.close()
