"""Whole videos in words, kept so that no model is asked twice; each knows what it was made from."""

from __future__ import annotations

from vidembed.catalog.database import Database


class Summaries:
    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, video_id: str, basis: str) -> str | None:
        """The JSON that was put, unless it was made from something else. basis: digest of what it is made from."""
        row = self._db.one("SELECT body FROM summaries WHERE video_id = ? AND basis = ?", (video_id, basis))
        return None if row is None else str(row["body"])

    def put(self, video_id: str, basis: str, body: str) -> None:
        """In place of the one before."""
        self._db.run(
            "INSERT OR REPLACE INTO summaries (video_id, basis, body) VALUES (?, ?, ?)", (video_id, basis, body)
        )
