"""The SQLite file behind the catalog: migrations, a connection per thread, re-entrant transactions, mapped errors.

The tables are numbered migrations (migrations/*.sql): a file is brought from its `user_version` to the newest, step by
step. What is in a release is never edited: it says what that version made.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from vidembed.errors import IndexBusy, IndexMismatch, StoreError, StoreUnavailable

_STEPS = [
    step for step in files("vidembed.index.catalog").joinpath("migrations").iterdir() if step.name.endswith(".sql")
]
MIGRATIONS = tuple(step.read_text(encoding="utf-8") for step in sorted(_STEPS, key=lambda step: step.name))

_BUSY_TIMEOUT_S = 30.0


class Database:
    """Safe for many threads: each has its own connection, so reads go on while another thread writes (WAL)."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        self.readonly = readonly
        self._file = path  # what is opened: without the right to write perhaps a copy
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._watch: sqlite3.Connection | None = None
        self._guard = threading.Lock()
        self._closed = False
        with mapped_errors(path):
            if readonly and not _can_be_read(path):
                self._use_copy()
            self._migrate()

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"the index {str(self.path.parent)!r} is closed")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self._file, readonly=self.readonly and self._copy is None)
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

    def version(self) -> int:
        """A number that differs after every change of the file, whichever thread or process made it."""
        with mapped_errors(self.path), self._guard:
            if self._closed:
                raise StoreError(f"the index {str(self.path.parent)!r} is closed")
            if self._watch is None:  # one that never writes: a connection is not told of its own changes
                self._watch = _connect(self._file, readonly=self.readonly and self._copy is None)
                self._all.append(self._watch)
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the connections of all threads; calls that follow raise StoreError."""
        with self._guard:
            self._closed = True
            for connection in self._all:
                connection.close()
            self._all.clear()
            if self._copy is not None:
                self._copy.cleanup()

    def detach(self) -> None:
        """From now on work on a copy that ends with this object; before other threads have asked anything."""
        if self._copy is None:
            with self._guard:
                for connection in self._all:
                    connection.close()
                self._all.clear()
            self._local, self._watch = threading.local(), None
            self._use_copy()

    def _use_copy(self) -> None:
        """Work on a copy, which ends with this object: the file itself needs a write before it can be read."""
        self._copy = tempfile.TemporaryDirectory(prefix="vidembed-catalog-", ignore_cleanup_errors=True)
        for part in ("", "-wal"):
            source = self.path.with_name(self.path.name + part)
            if source.exists():
                shutil.copyfile(source, Path(self._copy.name) / source.name)
        self._file = Path(self._copy.name) / self.path.name

    def _migrate(self) -> None:
        connection = self._connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise IndexMismatch(
                f"the catalog {self.path} has format {version}, this vidembed reads up to {len(MIGRATIONS)}",
                hint="a newer vidembed made it: upgrade with pip install -U vidembed",
            )
        if version == len(MIGRATIONS):
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


def _can_be_read(path: Path) -> bool:
    """Whether the catalog can be read without writing a byte: it has this version's tables, and no open journal."""
    try:
        connection = _connect(path, readonly=True)
        try:
            return bool(connection.execute("PRAGMA user_version").fetchone()[0] >= len(MIGRATIONS))
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return not path.exists()  # a missing file is said by the next call


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    # Connections are used by one thread each; only close() may come from another.
    name = _readonly_uri(path) if readonly else path.absolute().as_uri()
    connection = sqlite3.connect(name, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=True)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    if readonly:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a video is "done" only when that survives a power loss
    return connection


def _readonly_uri(path: Path) -> str:
    """Where no file can be made, SQLite has to be told that nobody writes, or it wants one to lock the catalog with."""
    uri = path.absolute().as_uri()
    if os.access(path.parent, os.W_OK):
        return uri
    journal = path.with_name(f"{path.name}-wal")
    settled = not journal.exists() or journal.stat().st_size == 0
    return f"{uri}?mode=ro{'&immutable=1' if settled else ''}"


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
