"""Videos, where their files lie, and their clips."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vidembed.index.catalog.database import Database
from vidembed.types import Clip, Span, VideoInfo

_INFO = """SELECT v.*, p.path, p.mtime_ns, p.missing FROM videos v
           LEFT JOIN paths p ON p.path = (SELECT path FROM paths q WHERE q.video_id = v.video_id
                                          ORDER BY q.missing, q.path LIMIT 1)"""


@dataclass(frozen=True)
class PathRow:
    """One file as it was when last looked at."""

    path: str
    video_id: str
    size_bytes: int
    mtime_ns: int
    missing: bool


@dataclass(frozen=True)
class VideoRow:
    """One video of the catalog. missing: no file with this content is where it was."""

    info: VideoInfo
    reader: str
    missing: bool
    counts: Mapping[str, int] = field(default_factory=dict)  # what the reader met: decoded, skipped, corrupt, ...


def path_there(rows: Sequence[PathRow]) -> Path:
    """Of one video's files, the first that is there now; the first of all where none is."""
    if len(rows) == 1:
        return Path(rows[0].path)
    return Path(next((row.path for row in rows if os.path.exists(row.path)), rows[0].path))


# Of a reader's counts, those that say something of the file.
_KEPT_COUNTS = ("decoded", "skipped", "corrupt", "missing", "audio_corrupt")


class Videos:
    """Videos by their content's id, the files that hold them, and the clips they were cut into."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- files -----------------------------------------------------------------------------------------------------

    def paths(self) -> dict[str, PathRow]:
        """Every known file by path."""
        return {row["path"]: _path(row) for row in self._db.rows("SELECT * FROM paths ORDER BY path")}

    def paths_of(self, video_id: str) -> list[PathRow]:
        """The files of one video, those that are there first."""
        return self.paths_of_many([video_id]).get(video_id, [])

    def paths_of_many(self, video_ids: Iterable[str]) -> dict[str, list[PathRow]]:
        """The same for many videos, in one request; those without a file are left out."""
        sql = "SELECT * FROM paths WHERE video_id IN ({}) ORDER BY missing, path"
        found: dict[str, list[PathRow]] = {}
        for row in self._db.rows_in(sql, video_ids):
            found.setdefault(row["video_id"], []).append(_path(row))
        return found

    def link(self, path: str, video_id: str, *, size_bytes: int, mtime_ns: int) -> str | None:
        """Note that this file holds this video; the id of another video it held before, if that lost its last file."""
        with self._db.transaction():
            before = self._db.one("SELECT video_id FROM paths WHERE path = ?", (path,))
            self._db.run(
                "INSERT OR REPLACE INTO paths (path, video_id, size_bytes, mtime_ns, missing) VALUES (?, ?, ?, ?, 0)",
                (path, video_id, size_bytes, mtime_ns),
            )
            if before is None or before["video_id"] == video_id:
                return None
            left = self._db.one("SELECT 1 FROM paths WHERE video_id = ?", (before["video_id"],))
            return None if left else str(before["video_id"])

    def mark_missing(self, paths: Iterable[str], *, missing: bool = True) -> None:
        """Note that these files are gone, or there again; their videos stay."""
        self._db.run_many("UPDATE paths SET missing = ? WHERE path = ?", ((int(missing), path) for path in paths))

    def unlink(self, paths: Iterable[str]) -> None:
        """Forget these files; their videos stay."""
        self._db.run_many("DELETE FROM paths WHERE path = ?", ((path,) for path in paths))

    def without_files(self) -> list[str]:
        """Ids of videos of which no file is left, not even a missing one."""
        rows = self._db.rows("SELECT video_id FROM videos WHERE video_id NOT IN (SELECT video_id FROM paths)")
        return [row["video_id"] for row in rows]

    # -- videos ----------------------------------------------------------------------------------------------------

    def put(self, info: VideoInfo, *, reader: str, counts: Mapping[str, int] | None = None) -> None:
        """Add a video, or update what is known of it; its clips and channel states stay.

        counts: a reader's (`protocols.VideoReader.counts`). Of several passes over one content, which look at more or
        less of it, the highest of each count is kept.
        """
        with self._db.transaction():
            before = self.get(info.video_id)
            known = {} if before is None else before.counts
            seen = {key: max(known.get(key, 0), (counts or {}).get(key, 0)) for key in _KEPT_COUNTS}
            kept = json.dumps({key: count for key, count in seen.items() if count})
            sizes = (info.size_bytes, info.duration_s, info.width_px, info.height_px, str(info.fps))
            sound = (info.audio_rate_hz, info.audio_channels)
            self._db.run(
                """INSERT INTO videos (video_id, size_bytes, duration_s, width_px, height_px, fps, audio_rate_hz,
                       audio_channels, codec, reader, added_at, counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (video_id) DO UPDATE SET counts = excluded.counts,
                       reader = CASE WHEN excluded.reader = '' THEN reader ELSE excluded.reader END""",
                (info.video_id, *sizes, *sound, info.codec, reader, time.time(), kept),
            )

    def get(self, video_id: str) -> VideoRow | None:
        """One video; None where it is unknown."""
        row = self._db.one(f"{_INFO} WHERE v.video_id = ?", (video_id,))
        return None if row is None else _video(row)

    def all(self) -> list[VideoRow]:
        """Every video, by path."""
        return [_video(row) for row in self._db.rows(f"{_INFO} ORDER BY p.path, v.video_id")]

    def delete(self, video_id: str) -> None:
        """Forget the video with its paths, clips, channel states, texts and captions."""
        with self._db.transaction():
            self._db.run("DELETE FROM pending WHERE video_id = ?", (video_id,))
            self._db.run("DELETE FROM videos WHERE video_id = ?", (video_id,))

    def totals(self) -> tuple[int, int, float]:
        """Count videos, clips and seconds of video."""
        sql = "SELECT count(*), (SELECT count(*) FROM clips), coalesce(sum(duration_s), 0) FROM videos"
        (row,) = self._db.rows(sql)
        return int(row[0]), int(row[1]), float(row[2])

    # -- clips -----------------------------------------------------------------------------------------------------

    def put_clips(self, clips: Sequence[Clip]) -> None:
        """Save the clips of videos that are in the catalog."""
        self._db.run_many(
            "INSERT OR REPLACE INTO clips (clip_id, video_id, position, start_s, end_s) VALUES (?, ?, ?, ?, ?)",
            ((c.clip_id, c.video_id, c.index, c.span.start_s, c.span.end_s) for c in clips),
        )

    def clips(self, video_id: str | None = None) -> list[Clip]:
        """The clips of one video, or of all, in order."""
        if video_id is None:
            return [_clip(row) for row in self._db.rows("SELECT * FROM clips ORDER BY video_id, position")]
        return self.clips_of_many([video_id]).get(video_id, [])

    def clips_of_many(self, video_ids: Iterable[str]) -> dict[str, list[Clip]]:
        """The clips of each video, in order, in one request; videos without any are left out."""
        found: dict[str, list[Clip]] = {}
        for row in self._db.rows_in("SELECT * FROM clips WHERE video_id IN ({}) ORDER BY position", video_ids):
            found.setdefault(row["video_id"], []).append(_clip(row))
        return found

    def clips_by_id(self, clip_ids: Iterable[str]) -> dict[str, Clip]:
        """Those of the clips that exist."""
        rows = self._db.rows_in("SELECT * FROM clips WHERE clip_id IN ({})", clip_ids)
        return {row["clip_id"]: _clip(row) for row in rows}

    def present_paths(self) -> dict[str, list[PathRow]]:
        """video_id -> its files that are there; videos whose files are all gone are left out."""
        found: dict[str, list[PathRow]] = {}
        for row in self.paths().values():
            if not row.missing:
                found.setdefault(row.video_id, []).append(row)
        return found

    def gone(self) -> frozenset[str]:
        """Ids of videos whose files are all gone."""
        sql = "SELECT video_id FROM videos WHERE video_id NOT IN (SELECT video_id FROM paths WHERE missing = 0)"
        return frozenset(row["video_id"] for row in self._db.rows(sql))


def _video(row: sqlite3.Row) -> VideoRow:
    info = VideoInfo(
        video_id=row["video_id"],
        path=Path(row["path"] or ""),
        size_bytes=row["size_bytes"],
        mtime_ns=row["mtime_ns"] or 0,
        duration_s=row["duration_s"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        fps=Fraction(row["fps"]),
        audio_rate_hz=row["audio_rate_hz"],
        audio_channels=row["audio_channels"],
        codec=row["codec"],
    )
    return VideoRow(info, row["reader"], row["path"] is None or bool(row["missing"]), json.loads(row["counts"]))


def _path(row: sqlite3.Row) -> PathRow:
    return PathRow(row["path"], row["video_id"], row["size_bytes"], row["mtime_ns"], bool(row["missing"]))


def _clip(row: sqlite3.Row) -> Clip:
    return Clip(row["clip_id"], row["video_id"], row["position"], Span(row["start_s"], row["end_s"]))
