"""One embedded store, many processes: the one that has it open answers the others over a local connection.

Qdrant Edge changes its files in place, so no second process can read them beside the first, and a copy would be torn
or old. Readers therefore ask the owner: it listens on a local socket (a named pipe on Windows) whose address and key
lie in `owner.json` beside the vectors, readable by this user alone; the connection is authenticated by HMAC before
anything is unpickled. When the owner is gone a reader opens the store itself and answers the others.
"""

from __future__ import annotations

import builtins
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed import errors
from vidembed.errors import IndexBusy, StoreUnavailable, VidembedError
from vidembed.protocols import Store
from vidembed.types import Floats, Row, Space, SparseVector, Where

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, Listener

_READING = frozenset({"search", "rows", "scan", "count", "collections", "aliases"})
_TRIES = 100  # of finding an owner or becoming it, _PAUSE_S apart
_PAUSE_S = 0.05
_SERVE_AFTER_S = 0.5  # a command that is done sooner need not listen: who comes meanwhile waits for it
_LOST = (EOFError, ConnectionError, OSError)

_log = logging.getLogger(__name__)


class StoreServer:
    """Answers other processes out of an open store, on threads of its own, until it is closed."""

    def __init__(self, store: Store, folder: Path) -> None:
        """Listen. Raises OSError where nothing can be listened on or written to the folder."""
        from multiprocessing.connection import Listener

        self._store, self._file = store, folder / "owner.json"
        self._closed = False
        self._connections: set[Connection] = set()
        self._hanging_up = threading.Lock()
        key = secrets.token_bytes(32)
        self._listener: Listener = Listener(backlog=16, authkey=key)
        try:
            _write_private(self._file, {"address": self._listener.address, "key": key.hex(), "pid": os.getpid()})
        except OSError:
            self._listener.close()
            raise
        threading.Thread(target=self._accept, name="vidembed-store", daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more: readers that are connected look for another owner."""
        self._closed = True
        self._file.unlink(missing_ok=True)
        self._listener.close()
        for connection in list(self._connections):
            self._hang_up(connection)

    def _hang_up(self, connection: Connection) -> None:
        with self._hanging_up:  # closed by two threads, its number may be another file's by then
            connection.close()

    def _accept(self) -> None:
        from multiprocessing import AuthenticationError

        while True:
            try:
                connection = self._listener.accept()
            except AuthenticationError:
                continue
            except _LOST:
                if self._closed:
                    return
                continue  # a reader that was killed while it connected
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        self._connections.add(connection)
        try:
            while not self._closed:
                name, args, options = connection.recv()
                self._one(connection, name, args, options)
        except (*_LOST, TypeError):  # the reader is done; TypeError: closed while it waits
            pass
        finally:
            self._hang_up(connection)
            self._connections.discard(connection)

    def _one(self, connection: Connection, name: str, args: Any, options: Any) -> None:
        try:
            if name not in _READING:
                raise ValueError(f"{name!r} is not for readers")
            found = getattr(self._store, name)(*args, **options)
            if name == "scan":
                for rows in found:
                    connection.send(("part", rows))
                found = None
        except VidembedError as error:
            if self._closed:  # the store with it: not this reader's fault
                return
            connection.send(("error", (type(error).__name__, error.message, error.hint)))
        except Exception as error:  # the reader's to see; the owner goes on
            connection.send(("error", (type(error).__name__, str(error), "")))
        else:
            connection.send(("done", found))


class SharedStore:
    """`protocols.Store`, of this process or, while another one has it open, of that one, for reading.

    Thread-safe. What writes raises IndexBusy while another process has the store.
    """

    def __init__(self, open_own: Callable[[], Store], folder: Path) -> None:
        """Open it, or find who has it.

        Args:
            open_own: Opens the store in this process; raises IndexBusy while another has it.
            folder: The store's.

        Raises:
            IndexBusy: Another process has the store open, but does not answer.
            StoreUnavailable: The store cannot be opened.
        """
        self._open_own, self._folder = open_own, folder
        self._lock = threading.RLock()
        self._own: Store | None = None
        self._server: StoreServer | None = None
        self._later: threading.Timer | None = None
        self._closed = False
        self._idle: list[Connection] = []
        self._find()

    @property
    def owned(self) -> bool:
        """Whether this process has the store open."""
        return self._own is not None

    def own(self) -> None:
        """Open the store in this process, to write. Raises IndexBusy while another process has it."""
        with self._lock:
            if not self.owned:
                self._take()

    # -- reading -----------------------------------------------------------------------------------------------------

    def search(
        self, collection: str, vector: Floats | SparseVector, *, k: int, where: Where | None = None
    ) -> list[tuple[str, float]]:
        """As `Store.search`."""
        found: list[tuple[str, float]] = self._ask("search", collection, vector, k=k, where=where)
        return found

    def rows(self, collection: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        """As `Store.rows`."""
        found: dict[str, Row] = self._ask("rows", collection, list(clip_ids), segments=segments)
        return found

    def scan(self, collection: str, *, segments: bool = False, batch: int = 1000) -> Iterator[list[Row]]:
        """As `Store.scan`. Raises StoreUnavailable when the owner ends meanwhile."""
        own = self._own
        if own is not None:
            yield from own.scan(collection, segments=segments, batch=batch)
            return
        connection = self._connection()
        connection.send(("scan", (collection,), {"segments": segments, "batch": batch}))
        try:
            while (part := _received(connection)) is not None:
                yield part
        except _LOST as error:
            raise StoreUnavailable("the process that had the index open has ended", hint="ask again") from error
        self._idle.append(connection)

    def count(self, collection: str) -> int:
        """As `Store.count`."""
        return int(self._ask("count", collection))

    def collections(self) -> dict[str, Space]:
        """As `Store.collections`."""
        found: dict[str, Space] = self._ask("collections")
        return found

    def aliases(self) -> dict[str, str]:
        """As `Store.aliases`."""
        found: dict[str, str] = self._ask("aliases")
        return found

    # -- writing -----------------------------------------------------------------------------------------------------

    def create(self, collection: str, space: Space) -> None:
        """As `Store.create`."""
        self._mine().create(collection, space)

    def put(self, collection: str, rows: Sequence[Row]) -> None:
        """As `Store.put`."""
        self._mine().put(collection, rows)

    def load(self, collection: str, rows: Iterable[Row], *, processes: int = 1) -> None:
        """As `Store.load`."""
        self._mine().load(collection, rows, processes=processes)

    def delete(self, video_id: str, *, collection: str | None = None) -> None:
        """As `Store.delete`."""
        self._mine().delete(video_id, collection=collection)

    def set_alias(self, alias: str, collection: str) -> None:
        """As `Store.set_alias`."""
        self._mine().set_alias(alias, collection)

    def drop(self, collection: str) -> None:
        """As `Store.drop`."""
        self._mine().drop(collection)

    def optimize(self) -> None:
        """As `Store.optimize`."""
        self._mine().optimize()

    def flush(self) -> None:
        """As `Store.flush`."""
        self._mine().flush()

    def close(self) -> None:
        """As `Store.close`; readers of this process's store look for another owner."""
        with self._lock:
            self._closed = True
            if self._later is not None:
                self._later.cancel()
            if self._server is not None:
                self._server.close()
            if self._own is not None:
                self._own.close()
            while self._idle:
                self._idle.pop().close()

    # -- who has it --------------------------------------------------------------------------------------------------

    def _mine(self) -> Store:
        self.own()
        assert self._own is not None
        return self._own

    def _ask(self, name: str, *args: Any, **options: Any) -> Any:
        while True:
            own = self._own
            if own is not None:
                return getattr(own, name)(*args, **options)
            try:
                connection = self._connection()
                connection.send((name, args, options))
                found = _received(connection)
            except _LOST:
                self._find()  # the owner has ended
                continue
            self._idle.append(connection)
            return found

    def _connection(self) -> Connection:
        if self._closed:
            raise errors.StoreError(f"the store in {self._folder} is closed")
        try:
            return self._idle.pop()
        except IndexError:
            return _connected(self._folder)

    def _find(self) -> None:
        """Become the owner, or reach the one there is. Between two owners there may be none for a moment."""
        with self._lock:
            pause = threading.Event()
            while self._idle:
                self._idle.pop().close()
            for last in range(_TRIES - 1, -1, -1):
                try:
                    self._take()
                    return
                except IndexBusy as busy:
                    try:
                        self._idle.append(_connected(self._folder))
                        return
                    except _LOST:
                        if not last:
                            raise busy from None
                pause.wait(_PAUSE_S)

    def _take(self) -> None:
        if self._closed:  # who still asks must not keep the next one out
            raise errors.StoreError(f"the store in {self._folder} is closed")
        self._own = self._open_own()
        while self._idle:
            self._idle.pop().close()
        self._later = threading.Timer(_SERVE_AFTER_S, self._serve)
        self._later.daemon = True
        self._later.start()

    def _serve(self) -> None:
        with self._lock:
            if self._closed or self._own is None:
                return
            try:
                self._server = StoreServer(self._own, self._folder)
            except OSError as error:  # a read-only folder
                _log.debug("other processes cannot read %s meanwhile: %s", self._folder, error)


def _connected(folder: Path) -> Connection:
    """A connection to the owner. Raises one of _LOST where there is none."""
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Client

    try:
        told = json.loads((folder / "owner.json").read_text(encoding="utf-8"))
        return Client(told["address"], authkey=bytes.fromhex(told["key"]))
    except (ValueError, KeyError, TypeError, AuthenticationError) as error:  # of an owner that was killed
        raise ConnectionError(str(error)) from error


def _received(connection: Connection) -> Any:
    """The next part of an answer, or the answer; raises what the owner raised."""
    kind, value = connection.recv()
    if kind != "error":
        return value
    name, message, hint = value
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, VidembedError):
        raise known(message, hint=hint)
    plain = getattr(builtins, name, RuntimeError)
    raise (plain if plain in (ValueError, TypeError, KeyError) else RuntimeError)(message)


def _write_private(path: Path, facts: Mapping[str, Any]) -> None:
    """Write JSON that only this user can read."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(facts, file)
    part.replace(path)
