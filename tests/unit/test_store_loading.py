"""Many rows to a server: no graphs meanwhile, the client's uploader, one request after another when it fails."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException
from store_rows import DENSE, NAME, make_rows

from vidembed.errors import StoreUnavailable
from vidembed.index.stores._points import most_for_one_write, reads
from vidembed.index.stores.qdrant_server import QdrantServerStore
from vidembed.types import Clip, Row, Span


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The imitation, which notes what it is asked; it has no settings that could be changed."""
    made: Any = QdrantClient(":memory:")
    made.asked = []
    upload = made.upload_collection

    def uploading(name: str, **options: Any) -> None:
        made.asked.append((len(options["ids"]), options["batch_size"], options["parallel"]))
        upload(name, **options)

    def updating(name: str, optimizers_config: Any) -> None:
        made.asked.append(optimizers_config.indexing_threshold)

    monkeypatch.setattr(made, "upload_collection", uploading)
    monkeypatch.setattr(made, "update_collection", updating)
    return made


def test_graphs_are_built_after_loading(client: Any) -> None:
    store = QdrantServerStore(client=client)
    store.create(NAME, DENSE)
    store.load(NAME, iter(make_rows(2500)), processes=4)
    assert client.asked == [0, (2500, 1000, 2), 10_000]  # two processes: there are two and a half requests
    assert store.count(NAME) == 2500


def test_what_the_uploader_does_not_get_through_is_written_piece_by_piece(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, **options: Any) -> None:
        raise RuntimeError("Thread unexpectedly terminated")  # as the client says it of its processes

    monkeypatch.setattr(client, "upload_collection", broken)
    store = QdrantServerStore(client=client, waits_s=())
    store.create(NAME, DENSE)
    store.load(NAME, make_rows(1200))
    assert store.count(NAME) == 1200
    monkeypatch.setattr(client, "upsert", lost)
    with pytest.raises(StoreUnavailable, match="Connection refused"):
        store.load(NAME, make_rows(10))
    assert client.asked == [0, 10_000, 0, 10_000]  # graphs again, also after a failure


def lost(*_: Any, **__: Any) -> None:
    raise ResponseHandlingException(httpx.ConnectError("[Errno 111] Connection refused"))


def test_an_answer_that_comes_too_late_is_waited_for_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[Any] = []

    def connect(url: str, key: str | None, port: int | None, timeout_s: int) -> QdrantClient:
        made: Any = QdrantClient(":memory:")
        made.timeout_s = timeout_s
        clients.append(made)
        if timeout_s < 28:
            monkeypatch.setattr(made, "get_aliases", late)
        return made

    monkeypatch.setattr("vidembed.index.stores.qdrant_server.connect", connect)
    with QdrantServerStore("http://localhost:6333", timeout_s=7, waits_s=(0, 0, 0)) as store:
        assert store.aliases() == {}
        assert [made.timeout_s for made in clients] == [7, 14, 28]
        monkeypatch.setattr(clients[-1], "get_aliases", late)
        with pytest.raises(StoreUnavailable, match="timed out"):
            store.aliases()
        assert len(clients) == 3  # no longer than four times


def late() -> None:
    raise ResponseHandlingException(httpx.ReadTimeout("timed out"))


def test_requests_and_answers_stay_below_what_a_server_takes() -> None:
    """32 MB; a number takes 13 bytes as JSON at most."""
    clip = Clip.make("v", 0, Span(0, 2000))
    small = Row(clip, np.ones(512, np.float32))
    large = Row(clip, small.vector, np.ones((2000, 512), np.float16), np.arange(2000.0))
    assert most_for_one_write([small]) == 500_000 // (512 + 64)
    assert most_for_one_write([small, large, small]) == 1
    ids = [f"clip-{i}" for i in range(5)]
    assert list(reads(ids, [2000, 2000, 1, 1, 2000], small.vector)) == [ids[:1], ids[1:4], ids[4:]]
    assert list(reads(ids, [0] * 5, small.vector)) == [ids]
