"""One suite for every store: each test that takes `store` or `opener` runs over all of them."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_rows import Opener

from vidembed.config.schema import StoreSettings
from vidembed.index.stores import open_store
from vidembed.index.stores.memory import MemoryStore
from vidembed.protocols import Store


def _memory(tmp_path: Path) -> Opener:
    store = MemoryStore()
    return lambda: store


def _edge(tmp_path: Path) -> Opener:
    return lambda: open_store(StoreSettings(), folder=tmp_path / "vectors")


def _edge_graph(tmp_path: Path) -> Opener:
    """Everything above 1 kB is indexed, so that `optimize` builds the graph even for a few rows."""
    from vidembed.index.stores.qdrant_edge import QdrantEdgeStore

    return lambda: QdrantEdgeStore(tmp_path / "vectors", index_above_kb=1)


def _client(tmp_path: Path) -> Opener:
    from qdrant_client import QdrantClient

    from vidembed.index.stores.qdrant_server import QdrantServerStore

    client = QdrantClient(":memory:")
    return lambda: QdrantServerStore(client=client)


def _server(tmp_path: Path, prefer_grpc: bool = False) -> Opener:
    url = os.environ.get("VIDEMBED_TEST_QDRANT_URL")
    if not url:
        pytest.skip("VIDEMBED_TEST_QDRANT_URL is not set")
    settings = StoreSettings(
        kind="server",
        url=url,
        namespace=f"test-{uuid.uuid4().hex[:8]}",
        prefer_grpc=prefer_grpc,
        grpc_port=int(os.environ.get("VIDEMBED_TEST_QDRANT_GRPC_PORT", "6334")),
        api_key_env="VIDEMBED_TEST_QDRANT_KEY" if "VIDEMBED_TEST_QDRANT_KEY" in os.environ else None,
    )
    return lambda: open_store(settings)


def _server_grpc(tmp_path: Path) -> Opener:
    return _server(tmp_path, prefer_grpc=True)


@pytest.fixture(
    params=[
        *(_memory, _edge, _edge_graph, _client),
        *(pytest.param(server, marks=pytest.mark.needs_server) for server in (_server, _server_grpc)),
    ],
    ids=["memory", "edge", "edge-graph", "client", "server", "server-grpc"],
)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    # Hundreds of small stores that sync each step: in memory where the system has such a folder.
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(prefix="vidembed-test-", dir=memory if usable else None) as folder:
        yield request.param(Path(folder))


@pytest.fixture
def store(opener: Opener) -> Iterator[Store]:
    opened = opener()
    yield opened
    for name in opened.collections():
        opened.drop(name)
    opened.close()
