"""Where the vectors are kept: exact in memory, Qdrant Edge in a folder, or a Qdrant server. One contract for all.

Nothing heavy is imported here; `open_store` imports the engine that is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from vidembed.errors import ConfigError, missing_dependency
from vidembed.index.stores.move import move
from vidembed.protocols import Store

__all__ = ["STORE_KINDS", "Quantization", "StoreKind", "move", "open_store"]

StoreKind = Literal["qdrant", "edge", "server", "memory"]
STORE_KINDS: tuple[str, ...] = get_args(StoreKind)

# Codes that Qdrant keeps beside the float32 vectors; candidates found by them are always scored again exactly.
Quantization = Literal["scalar", "binary", "turbo1", "turbo2", "turbo4"]


def open_store(
    kind: StoreKind = "qdrant",
    *,
    path: str | Path | None = None,
    url: str | None = None,
    api_key: str | None = None,
    prefix: str = "vidembed",
    quantization: Quantization | None = None,
    **options: Any,
) -> Store:
    """Open a store. "qdrant" means the server where a url is given and the embedded engine in `path` otherwise.

    path: folder of the embedded engine, made if absent. url, api_key, prefix: the server, its key, and the name that
    all of this index's collections begin with. options go to the store's constructor (see the classes).
    Raises ConfigError on settings that do not fit together, IndexBusy when another process holds the folder,
    StoreUnavailable when the server does not answer or the folder is damaged.
    """
    if kind not in STORE_KINDS:
        raise ConfigError(f"store.kind: unknown kind {kind!r}", hint=f"allowed: {', '.join(STORE_KINDS)}")
    if kind == "qdrant":
        kind = "server" if url else "edge"
    if kind == "memory":
        from vidembed.index.stores.memory import MemoryStore

        return MemoryStore()
    if kind == "edge":
        if path is None:
            raise ConfigError("the embedded store needs a folder", hint="give path, or url for a server")
        try:
            from vidembed.index.stores.qdrant_edge import QdrantEdgeStore
        except ImportError as error:
            raise missing_dependency("qdrant_edge", extra="all", purpose="the embedded store") from error
        return QdrantEdgeStore(path, quantization=quantization, **options)
    if not url:
        raise ConfigError("store.url: the server store needs an address", hint="for example http://localhost:6333")
    try:
        from vidembed.index.stores.qdrant_server import QdrantServerStore
    except ImportError as error:
        raise missing_dependency("qdrant_client", extra="server", purpose="the server store") from error
    return QdrantServerStore(url, api_key=api_key, prefix=prefix, quantization=quantization, **options)
