"""The SQLite file behind the catalog: migrations, a connection per thread, re-entrant transactions, mapped errors.

The tables are numbered migrations: a file is brought from its `user_version` to the newest, step by step. Migrations
are never edited: they say what older versions made.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidembed.errors import IndexBusy, IndexMismatch, StoreError, StoreUnavailable

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

    CREATE TABLE videos (
        video_id TEXT PRIMARY KEY,
        size_bytes INTEGER NOT NULL,
        duration_s REAL NOT NULL,
        width_px INTEGER NOT NULL,
        height_px INTEGER NOT NULL,
        fps TEXT NOT NULL,               -- a fraction, "30000/1001"
        audio_rate_hz INTEGER,
        audio_channels INTEGER,
        codec TEXT NOT NULL,
        reader TEXT NOT NULL,            -- which backend decoded it; "" = nothing was decoded yet
        added_at REAL NOT NULL
    );

    CREATE TABLE paths (                 -- copies of one video share its id
        path TEXT PRIMARY KEY,           -- absolute, with forward slashes
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        missing INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX paths_by_video ON paths (video_id);

    CREATE TABLE clips (
        clip_id TEXT PRIMARY KEY,
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        position INTEGER NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL
    );
    CREATE INDEX clips_by_video ON clips (video_id, position);

    CREATE TABLE lanes (                 -- one channel of one video, as one model made it
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        collection TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('done', 'absent', 'failed')),
        stored INTEGER NOT NULL,         -- clips with a vector
        PRIMARY KEY (video_id, collection)
    );
    CREATE INDEX lanes_by_collection ON lanes (collection, state);

    CREATE TABLE pending (               -- work in hand: what a killed run may have left half done in the store
        video_id TEXT NOT NULL,
        collection TEXT NOT NULL,
        PRIMARY KEY (video_id, collection)
    );

    CREATE TABLE texts (                 -- speech and on-screen text; body NULL = looked, and there is none
        clip_id TEXT NOT NULL REFERENCES clips ON DELETE CASCADE,
        lane TEXT NOT NULL,
        maker TEXT NOT NULL,
        body TEXT,
        PRIMARY KEY (clip_id, lane)
    );

    CREATE TABLE captions (
        clip_id TEXT PRIMARY KEY REFERENCES clips ON DELETE CASCADE,
        text TEXT NOT NULL,
        score REAL NOT NULL,
        model TEXT NOT NULL,
        confident INTEGER NOT NULL,
        human INTEGER NOT NULL,
        candidates TEXT NOT NULL
    );

    CREATE TABLE failures (
        item TEXT NOT NULL,
        stage TEXT NOT NULL,
        kind TEXT NOT NULL,
        message TEXT NOT NULL,
        hint TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (item, stage)
    );

    CREATE TABLE runs (
        run_id INTEGER PRIMARY KEY,
        started_at REAL NOT NULL,
        ended_at REAL NOT NULL,
        done INTEGER NOT NULL,
        unchanged INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        clips INTEGER NOT NULL,
        seconds_of_video REAL NOT NULL,
        counts TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE tags (                  -- what people noted of a video, and lists of videos with columns brought
        video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (video_id, key)
    );
    CREATE INDEX tags_by_key ON tags (key, value);
    """,
    """
    -- what the reader met in the file: frames decoded, skipped, corrupt, missing, packets of sound that are corrupt
    ALTER TABLE videos ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';
    """,
    """
    CREATE TABLE summaries (             -- a whole video in words, as its captions of that digest gave it
        video_id TEXT PRIMARY KEY REFERENCES videos ON DELETE CASCADE,
        basis TEXT NOT NULL,
        body TEXT NOT NULL
    );
    """,
    """
    DROP TABLE runs;                     -- written, never read
    DROP TABLE meta;                     -- never written
    """,
    """
    ALTER TABLE lanes RENAME TO channel_states;
    DROP INDEX lanes_by_collection;
    CREATE INDEX channel_states_by_collection ON channel_states (collection, state);
    ALTER TABLE texts RENAME COLUMN lane TO kind;
    ALTER TABLE texts RENAME COLUMN maker TO producer;
    """,
)

_BUSY_TIMEOUT_S = 30.0


class Database:
    """Safe for many threads: each has its own connection, so reads go on while another thread writes (WAL)."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        self.readonly = readonly
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        with mapped_errors(path):
            self._migrate()

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"the index {str(self.path.parent)!r} is closed")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path, readonly=self.readonly)
            self._local.connection, self._local.depth = connection, 0
            with self._guard:
                self._all.append(connection)
        return connection

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a query."""
        with mapped_errors(self.path):
            return self._connection().execute(sql, args).fetchall()

    def rows_in(self, sql: str, values: Iterable[Any]) -> list[sqlite3.Row]:
        """The rows of a query with `IN ({})`, asked in portions that SQLite's variable limit allows."""
        wanted, found = list(values), []
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            found += self.rows(sql.format(",".join("?" * len(part))), part)
        return found

    def one(self, sql: str, args: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, if any."""
        found = self.rows(sql, args)
        return found[0] if found else None

    def run(self, sql: str, args: Sequence[Any] = ()) -> int:
        """One statement in a transaction (the current one, where one is open); the number of rows it changed."""
        with self.transaction() as connection:
            return connection.execute(sql, args).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each of the rows, in a transaction."""
        with self.transaction() as connection:
            connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; an inner transaction of the same thread joins the outer one."""
        with mapped_errors(self.path):
            connection = self._connection()
            if self._local.depth == 0:
                connection.execute("BEGIN IMMEDIATE")
            self._local.depth += 1
            try:
                yield connection
            except BaseException:
                self._local.depth -= 1
                if self._local.depth == 0:
                    connection.execute("ROLLBACK")
                raise
            self._local.depth -= 1
            if self._local.depth == 0:
                connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connections of all threads; calls that follow raise StoreError."""
        with self._guard:
            self._closed = True
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _migrate(self) -> None:
        connection = self._connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise IndexMismatch(
                f"the catalog {self.path} has format {version}, this vidembed knows up to {len(MIGRATIONS)}",
                hint="a newer vidembed made it: upgrade with pip install -U vidembed",
            )
        if version == len(MIGRATIONS):
            return
        if self.readonly:  # what an older version made is brought up to date first: reading needs all tables
            Database(self.path).close()
            return
        connection.execute("BEGIN EXCLUSIVE")
        try:
            # Asked again inside the lock: another process may have just done it.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            for step in MIGRATIONS[version:]:
                for statement in _statements(step):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would commit the transaction they belong to."""
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    # Connections are used by one thread each; only close() may come from another.
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    if readonly:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a video is "done" only when that survives a power loss
    return connection


@contextmanager
def mapped_errors(path: Path) -> Iterator[None]:
    """Raise errors of sqlite3 as IndexBusy and StoreUnavailable."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise IndexBusy(
                f"the catalog {path} is locked by another process", hint="wait for it, or close the other program"
            ) from error
        raise StoreUnavailable(
            f"the catalog {path} cannot be used: {text}", hint="is the disk full, or the folder not writable?"
        ) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise StoreUnavailable(
            f"the catalog {path} is damaged: {error}", hint="restore the folder from a backup, or index again"
        ) from error
