"""What is known of channels and clips: which channel of a video is filled, texts of clips and of whole videos."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vidembed.index.catalog.database import Database
from vidembed.types import Candidate, Caption, Clip, Span, TextLine, TimedText, UnreadLine
from vidembed.types.query import TAG_SEPARATOR

ChannelState = Literal["done", "absent", "failed"]
PlaceKind = Literal["given", "ignored"]
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


class Texts:
    """Spoken and on-screen texts of clips, by kind ("speech", "ocr") and what produced them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, kind: str, producer: str, texts: Mapping[str, TimedText | None]) -> None:
        """Save clip_id -> text; None is kept too: the clip was looked at and has none."""
        self._db.run_many(
            "INSERT OR REPLACE INTO texts (clip_id, kind, producer, body) VALUES (?, ?, ?, ?)",
            (
                (clip_id, kind, producer, None if text is None else _text_to_json(text))
                for clip_id, text in texts.items()
            ),
        )

    def of_many(self, clip_ids: Iterable[str]) -> dict[str, dict[str, TimedText]]:
        """Text by clip id and kind."""
        found: dict[str, dict[str, TimedText]] = {}
        sql = "SELECT clip_id, kind, body FROM texts WHERE body IS NOT NULL AND clip_id IN ({})"
        for row in self._db.rows_in(sql, clip_ids):
            found.setdefault(row["clip_id"], {})[row["kind"]] = _text_from_json(row["body"])
        return found

    def origins(self, kind: str) -> dict[str, str]:
        """video_id -> the subtitles its texts were taken from; "" = recognised. Videos without texts are left out."""
        rows = self._db.rows(
            """SELECT c.video_id, max(coalesce(json_extract(t.body, '$.origin'), '')) origin
               FROM texts t JOIN clips c USING (clip_id) WHERE t.kind = ? AND t.body IS NOT NULL GROUP BY c.video_id""",
            (kind,),
        )
        return {row["video_id"]: row["origin"] for row in rows}

    def unread(self) -> dict[str, int]:
        """Script -> lines on screen that were not read, most first."""
        rows = self._db.rows(
            """SELECT json_extract(line.value, '$[2]') script, count(*) n FROM texts, json_each(body, '$.unread') line
               WHERE kind = 'ocr' AND body IS NOT NULL GROUP BY script ORDER BY n DESC, script"""
        )
        return {row["script"]: row["n"] for row in rows}

    def known(self, video_id: str, kind: str, producer: str) -> dict[str, TimedText | None]:
        """clip_id -> what this producer found, for the clips of a video it has been through."""
        rows = self._db.rows(
            """SELECT t.clip_id, t.body FROM texts t JOIN clips c USING (clip_id)
               WHERE c.video_id = ? AND t.kind = ? AND t.producer = ?""",
            (video_id, kind, producer),
        )
        return {row["clip_id"]: None if row["body"] is None else _text_from_json(row["body"]) for row in rows}


class Captions:
    """The chosen caption of each clip, with its candidates."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, captions: Sequence[Caption]) -> list[Caption]:
        """Save them; those that were saved. A model's caption never replaces a person's."""
        saved = []
        with self._db.transaction():
            clip_ids = [caption.clip.clip_id for caption in captions]
            held = self._db.rows_in("SELECT clip_id FROM captions WHERE human = 1 AND clip_id IN ({})", clip_ids)
            by_people = {row["clip_id"] for row in held}
            for caption in captions:
                if caption.human or caption.clip.clip_id not in by_people:
                    self._write(caption)
                    saved.append(caption)
        return saved

    def delete(self, clip_ids: Iterable[str]) -> None:
        """Forget the captions of these clips, of people too."""
        self._db.run_many("DELETE FROM captions WHERE clip_id = ?", ((clip_id,) for clip_id in clip_ids))

    def get(self, video_id: str | None = None) -> list[Caption]:
        """The captions of one video, or of all, in order of time."""
        limit, args = ("", ()) if video_id is None else ("WHERE c.video_id = ?", (video_id,))
        sql = f"SELECT * FROM captions JOIN clips c USING (clip_id) {limit} ORDER BY c.video_id, c.position"
        return [_caption(row) for row in self._db.rows(sql, args)]

    def of_many(self, clip_ids: Iterable[str]) -> dict[str, Caption]:
        """Caption by clip id, for the clips that have one."""
        rows = self._db.rows_in("SELECT * FROM captions JOIN clips c USING (clip_id) WHERE clip_id IN ({})", clip_ids)
        return {row["clip_id"]: _caption(row) for row in rows}

    def texts_of(self, clip_ids: Iterable[str], *, uncertain: bool) -> dict[str, str]:
        """Text of the caption by clip id, for the clips that have one. uncertain: Also of those marked as uncertain."""
        rows = self._db.rows_in("SELECT clip_id, text, confident FROM captions WHERE clip_id IN ({})", clip_ids)
        return {row["clip_id"]: row["text"] for row in rows if uncertain or row["confident"]}

    def _write(self, caption: Caption) -> None:
        candidates = json.dumps([[c.text, dict(c.scores), c.origin] for c in caption.candidates], ensure_ascii=False)
        facts = (caption.text, caption.score, caption.model, caption.confident, caption.human, candidates)
        self._db.run(
            """INSERT OR REPLACE INTO captions (clip_id, text, score, model, confident, human, candidates)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (caption.clip.clip_id, *facts),
        )


class Summaries:
    """Whole videos in words, kept so that no model is asked twice; each knows what it was made from."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, video_id: str, basis: str) -> str | None:
        """The JSON that was put, unless it was made from something else. basis: digest of what it is made from."""
        row = self._db.one("SELECT body FROM summaries WHERE video_id = ? AND basis = ?", (video_id, basis))
        return None if row is None else str(row["body"])

    def put(self, video_id: str, basis: str, body: str) -> None:
        """Save a video's summary as JSON, in place of the one before. basis: see `get`."""
        self._db.run(
            "INSERT OR REPLACE INTO summaries (video_id, basis, body) VALUES (?, ?, ?)", (video_id, basis, body)
        )


class Tags:
    """What people noted of videos: a value a key. Tags go with the content, so a renamed file keeps them."""

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

    def of_many(self, video_ids: Iterable[str]) -> list[tuple[str, str]]:
        """(key, value) of each tag of these videos."""
        rows = self._db.rows_in("SELECT key, value FROM tags WHERE video_id IN ({})", video_ids)
        return [(row["key"], row["value"]) for row in rows]

    def counts(self) -> dict[str, dict[str, int]]:
        """Key -> value -> how many videos have it, most first; of several values each counts."""
        found: dict[str, Counter[str]] = {}
        for tags in self.all().values():
            for key, value in tags.items():
                found.setdefault(key, Counter()).update(value.split(TAG_SEPARATOR))
        return {key: dict(sorted(found[key].items(), key=lambda one: (-one[1], one[0]))) for key in sorted(found)}


class Places:
    """Places on disk that people named: "given" to be indexed, or "ignored"."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, kind: PlaceKind) -> list[str]:
        """Paths, in order."""
        return [row["path"] for row in self._db.rows("SELECT path FROM places WHERE kind = ? ORDER BY path", (kind,))]

    def add(self, kind: PlaceKind, paths: Iterable[str]) -> None:
        """Keep these paths."""
        rows = [(kind, path) for path in paths]
        self._db.run_many("INSERT OR IGNORE INTO places (kind, path) VALUES (?, ?)", rows)

    def remove(self, kind: PlaceKind, paths: Iterable[str]) -> None:
        """Forget these paths."""
        self._db.run_many("DELETE FROM places WHERE kind = ? AND path = ?", [(kind, path) for path in paths])


def _text_to_json(text: TimedText) -> str:
    lines = [[ln.span.start_s, ln.span.end_s, ln.text, ln.confidence, ln.words] for ln in text.lines]
    more: dict[str, Any] = {"origin": text.origin} if text.origin else {}
    if text.unread:
        more["unread"] = [[line.span.start_s, line.span.end_s, line.script] for line in text.unread]
    return json.dumps({"language": text.language, "lines": lines, **more}, ensure_ascii=False)


def _text_from_json(body: str) -> TimedText:
    data = json.loads(body)
    lines = tuple(_line(*entry) for entry in data["lines"])
    unread = tuple(UnreadLine(Span(start_s, end_s), script) for start_s, end_s, script in data.get("unread", ()))
    return TimedText(lines, data["language"], data.get("origin", ""), unread)


def _line(start_s: float, end_s: float, text: str, confidence: float | None, words: list[Any]) -> TextLine:
    return TextLine(Span(start_s, end_s), text, confidence, tuple((w[0], w[1], w[2]) for w in words))


def _caption(row: sqlite3.Row) -> Caption:
    clip = Clip(row["clip_id"], row["video_id"], row["position"], Span(row["start_s"], row["end_s"]))
    candidates = tuple(Candidate(text, scores, origin) for text, scores, origin in json.loads(row["candidates"]))
    return Caption(
        clip, row["text"], row["score"], candidates, row["model"], bool(row["confident"]), bool(row["human"])
    )
