"""Where the vectors are kept: exact in memory, Qdrant Edge in a folder, or a Qdrant server. One contract for all.

Nothing heavy is imported here; `open_store` imports the engine that is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import StoreSettings
from vidembed.errors import ConfigError, StoreError, missing_dependency
from vidembed.protocols import Store
from vidembed.types import Row, SparseVector

__all__ = ["move", "open_store"]


def open_store(settings: StoreSettings, *, folder: str | Path | None = None, namespace: str = "vidembed") -> Store:
    """Open the store that the settings name.

    Args:
        settings: Which store, and how to reach it.
        folder: Where the embedded engine keeps its files; made if absent.
        namespace: What all collections on a server begin with, where the settings name nothing else.

    Raises:
        ConfigError: The settings do not fit together, or the variable that holds the API key is not set.
        IndexBusy: Another process has the folder open.
        StoreUnavailable: The server does not answer, or the folder is damaged.
    """
    if settings.kind == "memory":
        from vidembed.index.stores.memory import MemoryStore

        return MemoryStore()
    quantization = None if settings.quantization == "none" else settings.quantization
    if settings.kind == "edge":
        if folder is None:
            raise ConfigError("the embedded store needs a folder", hint="give one, or store.url for a server")
        try:
            from vidembed.index.stores.qdrant_edge import QdrantEdgeStore
        except ImportError as error:
            raise missing_dependency("qdrant_edge", extra="all", purpose="the embedded store") from error
        return QdrantEdgeStore(folder, quantization=quantization, hnsw_ef=settings.hnsw_ef)
    try:
        from vidembed.index.stores.qdrant_server import Layout, QdrantServerStore
    except ImportError as error:
        raise missing_dependency("qdrant_client", extra="server", purpose="the server store") from error
    return QdrantServerStore(
        settings.url or "",
        api_key=_api_key(settings.api_key_env),
        namespace=settings.namespace or namespace,
        quantization=quantization,
        timeout_s=max(1, round(settings.timeout_s)),
        grpc_port=settings.grpc_port if settings.prefer_grpc else None,
        hnsw_ef=settings.hnsw_ef,
        layout=Layout(settings.shards, settings.replicas, settings.write_consistency),
    )


def _api_key(variable: str | None) -> str | None:
    if variable is not None and not os.environ.get(variable):
        raise ConfigError(
            f"store.api_key_env names {variable}, which is not set", hint=f"export {variable}=... before starting"
        )
    return None if variable is None else os.environ[variable]


def move(
    source: Store,
    target: Store,
    collections: Sequence[str] | None = None,
    *,
    batch: int = 256,
    replace: bool = False,
    processes: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, int]:
    """Copy collections with their aliases to another store; the source stays as it is.

    An interrupted move can be called again: rows that are already there and equal are not sent twice. Aliases are set
    only after every count agrees.

    Args:
        source: The store to read from.
        target: The store to write to.
        collections: Which ones; None = all.
        batch: Clips read and written at once.
        replace: Drop the target's collections of the same name first.
        processes: That send at once to a server's empty collection; more than one needs a main module that can be
            imported (`if __name__ == "__main__"`).
        progress: Called with (collection, clips done, clips in all) after each batch.

    Returns:
        Clips per collection.

    Raises:
        StoreError: A collection does not exist, or a count differs at the end.
        IndexMismatch: The target holds vectors of another size or kind under that name.
    """
    spaces = source.collections()
    names = list(spaces) if collections is None else list(collections)
    for name in names:
        if name not in spaces:
            raise StoreError(f"no collection {name!r} to move", hint=f"there are: {', '.join(spaces) or 'none'}")
    counts: dict[str, int] = {}
    for name in names:
        if replace:
            target.drop(name)
        target.create(name, spaces[name])
        counts[name] = _copy(source, target, name, batch, processes, progress or (lambda *_: None))
    target.flush()
    for name, expected in counts.items():
        if (got := target.count(name)) != expected:
            raise StoreError(
                f"collection {name!r} has {expected} clips here and {got} in the target; aliases were not changed",
                hint="the target holds rows of its own, or another program writes to it: move again with replace=True",
            )
    for alias, name in source.aliases().items():
        if name in counts:
            target.set_alias(alias, name)
    target.optimize()
    return counts


def _copy(
    source: Store, target: Store, name: str, batch: int, processes: int, progress: Callable[[str, int, int], None]
) -> int:
    total, done = source.count(name), 0

    def missing() -> Iterator[Row]:
        nonlocal done
        for rows in source.scan(name, segments=True, batch=batch):
            there = {} if empty else target.rows(name, [row.clip.clip_id for row in rows])
            yield from (row for row in rows if not _same(row, there.get(row.clip.clip_id)))
            done += len(rows)
            progress(name, done, max(total, done))

    empty = target.count(name) == 0
    target.load(name, missing(), processes=processes)
    return done


def _same(row: Row, other: Row | None) -> bool:
    if other is None or row.clip != other.clip:
        return False
    pairs = [(row.segment_times_s, other.segment_times_s), (row.segment_spans_s, other.segment_spans_s)]
    if not (_close(row.segments, other.segments, 1e-3) and all(_close(one, two) for one, two in pairs)):
        return False
    one, two = row.vector, other.vector
    if isinstance(one, SparseVector) and isinstance(two, SparseVector):
        return np.array_equal(one.indices, two.indices) and _close(one.values, two.values)
    return not isinstance(one, SparseVector) and not isinstance(two, SparseVector) and _close(one, two)


def _close(one: NDArray[Any] | None, other: NDArray[Any] | None, tolerance: float = 1e-5) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and bool(np.allclose(one, other, atol=tolerance))
