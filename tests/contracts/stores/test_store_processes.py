"""A real server under several processes: two writers, readers meanwhile, aliases that switch below them.

Run on one server or on a node of a cluster: VIDEMBED_REQUIRE=server VIDEMBED_TEST_QDRANT_URL=... (see docs/stores.md).
"""

from __future__ import annotations

import multiprocessing
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest
from store_rows import DENSE, NAME, make_rows

from vidembed.config.schema import StoreSettings
from vidembed.errors import IndexMismatch, StoreError
from vidembed.index.stores import open_store
from vidembed.protocols import Store
from vidembed.types import Space

pytestmark = [pytest.mark.needs_server, pytest.mark.timeout(120)]
OTHER = "vision.00000002"
ROWS = 600


def settings(namespace: str, prefer_grpc: bool) -> StoreSettings:
    return StoreSettings(
        kind="server",
        url=os.environ["VIDEMBED_TEST_QDRANT_URL"],
        namespace=namespace,
        prefer_grpc=prefer_grpc,
        grpc_port=int(os.environ.get("VIDEMBED_TEST_QDRANT_GRPC_PORT", "6334")),
        api_key_env="VIDEMBED_TEST_QDRANT_KEY" if "VIDEMBED_TEST_QDRANT_KEY" in os.environ else None,
        replicas=int(os.environ.get("VIDEMBED_TEST_QDRANT_REPLICAS", "1")),
    )


@pytest.fixture(params=[False, True], ids=["http", "grpc"])
def given(request: pytest.FixtureRequest) -> StoreSettings:
    if "VIDEMBED_TEST_QDRANT_URL" not in os.environ:
        pytest.skip("VIDEMBED_TEST_QDRANT_URL is not set")
    return settings(f"test-{uuid.uuid4().hex[:8]}", request.param)


@pytest.fixture
def store(given: StoreSettings) -> Iterator[Store]:
    opened = open_store(given)
    yield opened
    for name in opened.collections():
        opened.drop(name)
    opened.close()


@pytest.fixture
def processes() -> Iterator[Callable[..., Future[Any]]]:
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        yield pool.submit


def write(given: StoreSettings, first: int, last: int) -> None:
    """Makes the collection, too: whoever comes second finds it."""
    with open_store(given) as store:
        store.create(NAME, DENSE)
        for start in range(first, last, 20):
            store.put(NAME, make_rows(ROWS)[start : min(start + 20, last)])


def read(given: StoreSettings, times: int) -> list[str]:
    """What was wrong with searches for rows that are there from the start."""
    rows, wrong = make_rows(ROWS), []
    with open_store(given) as store:
        for i in range(times):
            row = rows[i % 20]
            try:
                found = store.search("vision", row.vector, k=1)
            except StoreError as error:
                wrong.append(str(error))
                continue
            if [clip_id for clip_id, _ in found] != [row.clip.clip_id]:
                wrong.append(f"{i}: {found}")
    return wrong


def test_two_writers_and_a_reader(given: StoreSettings, store: Store, processes: Callable[..., Future[Any]]) -> None:
    store.create(NAME, DENSE)
    store.put(NAME, make_rows(ROWS)[:20])
    store.set_alias("vision", NAME)
    jobs = [processes(write, given, 0, 400), processes(write, given, 300, ROWS), processes(read, given, 150)]
    assert [job.result() for job in jobs] == [None, None, []]
    rows = make_rows(ROWS)
    assert store.count(NAME) == ROWS  # what both wrote is there once
    assert set(store.rows(NAME, [row.clip.clip_id for row in rows])) == {row.clip.clip_id for row in rows}


def test_aliases_switch_below_readers(
    given: StoreSettings, store: Store, processes: Callable[..., Future[Any]]
) -> None:
    for name in (NAME, OTHER):
        store.create(name, DENSE)
        store.put(name, make_rows(ROWS)[:20])
    store.set_alias("vision", NAME)
    readers = [processes(read, given, 200) for _ in range(2)]
    switches = 0
    while not all(reader.done() for reader in readers):
        store.set_alias("vision", (OTHER, NAME)[switches % 2])
        switches += 1
    assert [reader.result() for reader in readers] == [[], []]
    assert switches > 5


def test_a_collection_of_an_older_version(given: StoreSettings, store: Store) -> None:
    """Before 0.1 without the space's name (servers below 1.16 keep none) and without payload indexes."""
    from qdrant_client import models

    from vidembed.index.stores._server import vector_settings
    from vidembed.index.stores.qdrant_server import QdrantServerStore

    assert isinstance(store, QdrantServerStore)
    dense, _ = vector_settings(DENSE, codes=None)
    store._client.create_collection(store._full(NAME), vectors_config=dense)
    assert store.collections() == {NAME: Space("", 8)}
    store.create(NAME, DENSE)  # takes it, and makes the indexes
    rows = make_rows(9, segments=2)
    store.put(NAME, rows)
    assert store.search(NAME, rows[4].vector, k=1)[0][0] == rows[4].clip.clip_id
    assert set(store._info(NAME).payload_schema) == {"video_id", "start_s", "end_s"}
    with pytest.raises(IndexMismatch, match="8 dimensions"):
        store.create(NAME, Space("toy", 16))
    payload = {"video_id": "v", "start_s": 0.0, "end_s": 1.0, "index": 0, "unit_times_s": [0.5]}  # no unit_spans_s
    point = models.PointStruct(id=str(uuid.uuid4()), vector={"clip": [1.0] * 8, "units": [[1.0] * 8]}, payload=payload)
    store._client.upsert(store._full(NAME), [point])
    row = store.rows(NAME, [str(point.id)])[str(point.id)]
    assert row.segment_times_s is not None
    assert (row.segment_times_s.tolist(), row.segment_spans_s) == ([0.5], None)
