"""Qdrant as a server or cluster, through qdrant-client; many processes and machines can use one index.

A collection "vision.1f3a9c02" of an index with the namespace "holiday" is "holiday__vision.1f3a9c02" there; aliases are
the server's own, "holiday__vision".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from qdrant_client import QdrantClient, models

import vidembed.index.stores._points as _points
from vidembed.errors import ConfigError, StoreError
from vidembed.index.stores._answers import answers
from vidembed.index.stores._points import DENSE, UNITS, WORDS
from vidembed.index.stores._sending import fitting, point_of, upload
from vidembed.index.stores._server import (
    PAYLOAD_INDEXES,
    call,
    connect,
    filter_of,
    quantization_config,
    row_of,
    search_params,
    space_of,
    vector_settings,
    word_params,
)
from vidembed.types import Floats, Row, Space, SparseVector, Where

R = TypeVar("R")

_GRAPH_FROM_KB = 10_000  # of a segment: the server's own threshold
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """How the nodes of a server hold a new collection: parts (None = one a node), copies, copies a write waits for."""

    shards: int | None = None
    replicas: int = 1
    write_consistency: int = 1


class QdrantServerStore:
    """`protocols.Store` on a Qdrant server (`docker run -p 6333:6333 qdrant/qdrant`). Thread-safe."""

    def __init__(
        self,
        url: str = "",
        *,
        api_key: str | None = None,
        namespace: str = "vidembed",
        grpc_port: int | None = None,
        timeout_s: int = 60,
        layout: Layout = Layout(),
        quantization: str | None = None,
        hnsw_ef: int | None = None,
        waits_s: Sequence[float] = (0.25, 0.5, 1.0, 2.0),
        client: QdrantClient | None = None,
    ) -> None:
        """Connect.

        Args:
            url: Such as "http://localhost:6333".
            api_key: For Qdrant Cloud and protected servers.
            namespace: What this index's collections begin with, each index its own.
            grpc_port: Of the same host; call it, faster for large batches. None = HTTP alone.
            timeout_s: Longest wait for one call. It doubles, up to 4 times, each time an answer does not come in it.
            layout: Of new collections.
            quantization: Smaller codes kept in memory (docs/stores.md); turbo codes need Qdrant 1.18 or newer.
            hnsw_ef: Clips a graph search looks at, more is slower and closer to exact; None = 256, or 2 for each hit.
            waits_s: How long to wait before each further try of a call that gets no answer.
            client: A client to use instead of a new one; `close` does not close it.

        Raises:
            ConfigError: The namespace or the quantization is not allowed.
            StoreUnavailable: The server does not answer, or refuses the key.
        """
        _points.check_name(namespace, "store.namespace")
        if "__" in namespace or namespace.endswith("_"):  # or one index would see another's collections as its own
            raise ConfigError(
                f"store.namespace {namespace!r} is not allowed", hint="no double underscore, and none at the end"
            )
        self._prefix = f"{namespace}__"
        self._codes = quantization_config(quantization)
        self._quantization = quantization
        self._layout = layout
        self._hnsw_ef = hnsw_ef
        self._waits_s = waits_s
        self._where = url or "the Qdrant client"
        self._owned = client is None
        self._spaces: dict[str, Space] = {}
        self._closed = False
        if client is None:
            client = self._call("opening", lambda: connect(url, api_key, grpc_port, timeout_s))
        self._client = client
        more_s = [2 * timeout_s, 4 * timeout_s] if self._owned else []
        self._patience = iter([partial(connect, url, api_key, grpc_port, seconds) for seconds in more_s])
        self._replaced: list[QdrantClient] = []
        # The in-process imitation has no indexes and says so at every chance.
        options = client.init_options  # "location" may be an address, too
        self._real = options.get("location") != ":memory:" and options.get("path") is None
        self._call("opening", lambda: self._client.get_collections())

    # --- collections and aliases -------------------------------------------------------------------------------

    def create(self, collection: str, space: Space) -> None:
        _points.check_new(collection, self.aliases())
        full = self._full(collection)
        if not self._call("looking for a collection", lambda: self._client.collection_exists(full)):
            dense, sparse = vector_settings(space, codes=self._codes)
            try:
                self._call(
                    "making a collection",
                    lambda: self._client.create_collection(
                        full,
                        vectors_config=dense,
                        sparse_vectors_config=sparse,
                        shard_number=self._layout.shards,
                        replication_factor=self._layout.replicas,
                        write_consistency_factor=self._layout.write_consistency,
                        metadata={"vidembed": {"space": space.name, "kind": space.kind}},
                    ),
                )
            except StoreError:
                # Somebody else was faster, or the answer to our first try got lost on the way.
                if not self._call("looking for a collection", lambda: self._client.collection_exists(full)):
                    raise
        for name, kind in PAYLOAD_INDEXES.items() if self._real else ():
            self._index_payload(full, name, kind)
        self._spaces.pop(collection, None)
        _points.check_same(collection, self._space(collection), space)

    def _index_payload(self, full: str, name: str, kind: models.PayloadSchemaType | models.FloatIndexParams) -> None:
        self._call("making a payload index", lambda: self._client.create_payload_index(full, name, kind, wait=True))

    def drop(self, collection: str) -> None:
        """Remove it and the aliases that point at it. Removing what is not there is no error."""
        self._spaces.clear()
        if collection in self.collections():
            self._call("dropping a collection", lambda: self._client.delete_collection(self._full(collection)))
            self._spaces.clear()

    def collections(self) -> dict[str, Space]:
        listed = self._call("listing collections", lambda: self._client.get_collections()).collections
        names = sorted(c.name[len(self._prefix) :] for c in listed if c.name.startswith(self._prefix))
        return {name: self._space(name) for name in names}

    def aliases(self) -> dict[str, str]:
        listed = self._call("listing aliases", lambda: self._client.get_aliases()).aliases
        n = len(self._prefix)
        return {
            entry.alias_name[n:]: entry.collection_name[n:]
            for entry in sorted(listed, key=lambda entry: entry.alias_name)
            if entry.alias_name.startswith(self._prefix) and entry.collection_name.startswith(self._prefix)
        }

    def set_alias(self, alias: str, collection: str) -> None:
        _points.check_alias(alias, collection, self.collections())
        steps: list[Any] = []
        if alias in self.aliases():
            steps.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._full(alias))))
        steps.append(
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=self._full(collection), alias_name=self._full(alias))
            )
        )
        self._call("switching an alias", lambda: self._client.update_collection_aliases(steps))
        self._spaces.pop(alias, None)

    # --- rows --------------------------------------------------------------------------------------------------

    def put(self, collection: str, rows: Sequence[Row]) -> None:
        for piece in _points.writes(self._ready(collection, rows)):
            self._write(collection, [point_of(row) for row in piece])

    def _write(self, collection: str, points: list[models.PointStruct]) -> None:
        self._call("writing", lambda: self._client.upsert(self._full(collection), points, wait=True))

    def load(self, collection: str, rows: Iterable[Row], *, processes: int = 1) -> None:
        self._space(collection)
        self._build_graphs(collection, False)
        try:
            for block in _points.blocks(rows):
                ready = self._ready(collection, block)
                try:
                    upload(self._client, self._full(collection), ready, processes)
                except Exception as error:  # put goes on when the server is back, or says what is wrong
                    _log.info("writing one request after the other: %s", error)
                    self.put(collection, ready)
        finally:
            self._build_graphs(collection, True)

    def _ready(self, collection: str, rows: Sequence[Row]) -> list[Row]:
        return [fitting(row) for row in _points.checked(rows, self._space(collection))]

    def _build_graphs(self, collection: str, wanted: bool) -> None:
        """Whether the server builds graphs of this collection, also while rows come."""
        threshold = models.OptimizersConfigDiff(indexing_threshold=_GRAPH_FROM_KB if wanted else 0)
        self._call(
            "setting up a collection",
            lambda: self._client.update_collection(self._full(collection), optimizers_config=threshold),
        )

    def search(
        self, collection: str, vector: Floats | SparseVector, *, k: int, where: Where | None = None
    ) -> list[tuple[str, float]]:
        space = self._space(collection)
        checked = _points.check_query(vector, space)
        params: models.SearchParams | None
        if isinstance(checked, SparseVector):
            query: Any = models.SparseVector(indices=checked.indices.tolist(), values=checked.values.tolist())
            using, params = WORDS, word_params()
        elif checked.ndim == 2:
            query, using, params = checked.tolist(), UNITS, models.SearchParams(exact=True)
        else:
            query, using = checked.tolist(), DENSE
            wide = _points.breadth(self._hnsw_ef, k)
            params = search_params(self._quantization, hnsw_ef=wide) if self._real else None

        def ask(limit: int, listed: bool) -> list[models.ScoredPoint]:
            return self._call(
                "searching",
                lambda: self._client.query_points(
                    self._full(collection),
                    query=query,
                    using=using,
                    query_filter=filter_of(where, with_videos=listed),
                    search_params=params,
                    limit=limit,
                    with_payload=False if listed else ["video_id"],
                ),
            ).points

        return answers(ask, lambda: self.count(collection), checked, k=k, where=where)

    def rows(self, collection: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        space = self._space(collection)
        ids = [str(i) for i in _points.uuids(clip_ids)]
        names = _points.vector_names(space, segments=segments)
        records = self._call(
            "reading",
            lambda: self._client.retrieve(self._full(collection), ids, with_payload=True, with_vectors=names),
        )
        found = {str(r.id): row_of(r) for r in records}
        return {clip_id: found[clip_id] for clip_id in clip_ids if clip_id in found}

    def scan(self, collection: str, *, segments: bool = False, batch: int = 1000) -> Iterator[list[Row]]:
        names = _points.vector_names(self._space(collection), segments=False)
        offset: Any = None
        while True:
            records, offset = self._page(collection, batch, offset, names)
            rows = [row_of(record) for record in records]
            sizes = [len((record.payload or {}).get("unit_times_s", ())) for record in records]
            if segments and any(sizes):  # an answer of unknown size otherwise
                for ids in _points.reads([row.clip.clip_id for row in rows], sizes, rows[0].vector):
                    yield list(self.rows(collection, ids).values())
            elif rows:
                yield rows
            if offset is None:
                return

    def _page(self, collection: str, limit: int, offset: Any, names: list[str]) -> Any:
        return self._call(
            "reading",
            lambda: self._client.scroll(
                self._full(collection), limit=limit, offset=offset, with_payload=True, with_vectors=names
            ),
        )

    def delete(self, video_id: str, *, collection: str | None = None) -> None:
        condition = models.Filter(must=[models.FieldCondition(key="video_id", match=models.MatchValue(value=video_id))])
        for name in [collection] if collection is not None else list(self.collections()):
            self._space(name)
            self._delete(name, models.FilterSelector(filter=condition))

    def _delete(self, name: str, points: models.FilterSelector) -> None:
        self._call("deleting", lambda: self._client.delete(self._full(name), points_selector=points, wait=True))

    def count(self, collection: str) -> int:
        try:
            self._space(collection)
        except StoreError:
            if self._exists(collection):
                raise
            return 0
        return self._call("counting", lambda: self._client.count(self._full(collection), exact=True)).count

    # --- housekeeping ------------------------------------------------------------------------------------------

    def optimize(self) -> None:
        """The server builds its graphs by itself, in the background; again so after a `load` that was killed."""
        for name in self.collections() if self._real else ():
            if self._info(name).config.optimizer_config.indexing_threshold == 0:
                self._build_graphs(name, True)

    def _info(self, name: str) -> models.CollectionInfo:
        return self._call("reading a collection's settings", lambda: self._client.get_collection(self._full(name)))

    def flush(self) -> None:
        """Writes wait for the server's answer, which comes after its write-ahead log has them."""

    def close(self) -> None:
        if not self._closed and self._owned:
            for client in (*self._replaced, self._client):
                client.close()
        self._closed = True

    def __enter__(self) -> QdrantServerStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _full(self, name: str) -> str:
        return self._prefix + name

    def _exists(self, name: str) -> bool:
        return name in self.aliases() or self._call(
            "looking for a collection", lambda: self._client.collection_exists(self._full(name))
        )

    def _space(self, name: str) -> Space:
        """The space behind a collection or an alias, remembered for collections; other processes may move aliases."""
        space = self._spaces.get(name)
        if space is None:
            if not self._exists(name):
                raise _points.unknown_collection(name, [*self.collections(), *self.aliases()])
            space = space_of(self._info(name), name)
            if "." in name:  # by our naming a collection with its fingerprint, not an alias
                self._spaces[name] = space
        return space

    def _call(self, action: str, work: Callable[[], R]) -> R:
        if self._closed:
            raise StoreError("the store is closed")
        return call(work, f"{action} at {self._where}", self._waits_s, too_late=self._wait_longer)

    def _wait_longer(self) -> None:
        """Give the server twice the time from now on; calls of other threads end with the client they began with."""
        if (connected := next(self._patience, None)) is not None:
            self._replaced.append(self._client)
            self._client = connected()
