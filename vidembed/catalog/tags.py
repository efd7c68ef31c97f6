"""Tags of videos: what people noted of them, a value a key. They go with the content, so a renamed file keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vidembed.catalog.database import Database


class Tags:
    def __init__(self, db: Database) -> None:
        self._db = db

    def change(self, video_ids: Iterable[str], changes: Mapping[str, str | None]) -> None:
        """Set these tags of each video; None takes a tag away. Others stay."""
        with self._db.transaction():
            for video_id in video_ids:
                for key, value in changes.items():
                    if value is None:
                        self._db.run("DELETE FROM tags WHERE video_id = ? AND key = ?", (video_id, key))
                    else:
                        self._db.run(
                            "INSERT OR REPLACE INTO tags (video_id, key, value) VALUES (?, ?, ?)",
                            (video_id, key, value),
                        )

    def all(self) -> dict[str, dict[str, str]]:
        """video_id -> key -> value, keys in order; videos without any are left out."""
        found: dict[str, dict[str, str]] = {}
        for row in self._db.rows("SELECT video_id, key, value FROM tags ORDER BY video_id, key"):
            found.setdefault(row["video_id"], {})[row["key"]] = row["value"]
        return found
