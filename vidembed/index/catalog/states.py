"""Which channel of which video is filled, and what a killed run may have left half done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vidembed.index.catalog.database import Database

ChannelState = Literal["done", "absent", "failed"]
FINISHED = ("done", "absent")  # nothing is left to do


@dataclass(frozen=True)
class ChannelCounts:
    """Coverage of one collection: videos by state, and clips that have a vector."""

    done: int = 0
    absent: int = 0
    failed: int = 0
    stored: int = 0


class ChannelStates:
    """The state of each channel of each video; a channel is named by the collection of its vectors."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, video_id: str) -> dict[str, ChannelState]:
        """State by collection; a collection that is not there was never tried."""
        rows = self._db.rows("SELECT collection, state FROM channel_states WHERE video_id = ?", (video_id,))
        return {row["collection"]: row["state"] for row in rows}

    def all(self) -> dict[str, dict[str, ChannelState]]:
        """State by video id and collection."""
        found: dict[str, dict[str, ChannelState]] = {}
        for row in self._db.rows("SELECT video_id, collection, state FROM channel_states"):
            found.setdefault(row["video_id"], {})[row["collection"]] = row["state"]
        return found

    def begin(self, video_id: str, collections: Iterable[str]) -> None:
        """Mark channels as being written, before their first vector is."""
        rows = [(video_id, collection) for collection in collections]
        self._db.run_many("INSERT OR IGNORE INTO pending (video_id, collection) VALUES (?, ?)", rows)

    def finish(self, video_id: str, collection: str, state: ChannelState, stored: int) -> None:
        """Record a filled channel. It stays pending until `settled` says that its vectors survive a power loss.

        stored: clips that have a vector.
        """
        self._db.run(
            "INSERT OR REPLACE INTO channel_states (video_id, collection, state, stored) VALUES (?, ?, ?, ?)",
            (video_id, collection, state, stored),
        )

    def stored(self, video_id: str, collection: str) -> int | None:
        """Clips that have a vector, as the last `finish` said; None when there was none."""
        sql = "SELECT stored FROM channel_states WHERE video_id = ? AND collection = ?"
        row = self._db.one(sql, (video_id, collection))
        return None if row is None else int(row["stored"])

    def pending(self) -> list[tuple[str, str]]:
        """(video_id, collection) of work that was begun and is not surely on disk, or not surely out of the store."""
        return [(row[0], row[1]) for row in self._db.rows("SELECT video_id, collection FROM pending ORDER BY 1, 2")]

    def settled(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Store and catalog agree on these (video_id, collection): all there, or all gone."""
        self._db.run_many("DELETE FROM pending WHERE video_id = ? AND collection = ?", pairs)

    def forget(self, collection: str, video_id: str | None = None) -> None:
        """Forget the state of a collection, of one video or of all, so that it is filled again."""
        with self._db.transaction():
            if video_id is None:
                self._db.run("DELETE FROM channel_states WHERE collection = ?", (collection,))
                self._db.run("DELETE FROM pending WHERE collection = ?", (collection,))
            else:
                sql = "DELETE FROM channel_states WHERE collection = ? AND video_id = ?"
                self._db.run(sql, (collection, video_id))

    def counts(self) -> dict[str, ChannelCounts]:
        """Coverage by collection."""
        sql = "SELECT collection, state, count(*) n, sum(stored) s FROM channel_states GROUP BY 1, 2"
        found: dict[str, dict[str, int]] = {}
        for row in self._db.rows(sql):
            entry = found.setdefault(row["collection"], {"stored": 0})
            entry[row["state"]] = row["n"]
            entry["stored"] += row["s"]
        return {collection: ChannelCounts(**entry) for collection, entry in found.items()}
