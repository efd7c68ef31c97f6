"""The server store's way with connections: retries, error mapping, namespaces. Answers are in the contract suite."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from vidembed.errors import ConfigError, IndexMismatch, StoreError, StoreUnavailable
from vidembed.index.stores import _points
from vidembed.index.stores._points import breadth
from vidembed.index.stores._server import call, connect
from vidembed.index.stores.qdrant_server import QdrantServerStore
from vidembed.types import Clip, Row, Space, Span

NAME = "vision.00000001"


def answer(status: int, text: str = "") -> UnexpectedResponse:
    return UnexpectedResponse(status, "", text.encode(), httpx.Headers())


def failing(errors: list[Exception]) -> Callable[[], str]:
    def work() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return work


def lost() -> Exception:
    return ResponseHandlingException(httpx.ConnectError("[Errno 111] Connection refused"))


def test_a_short_break_is_bridged() -> None:
    errors = [lost(), answer(503), answer(429)]
    assert call(failing(errors), "writing", (0, 0, 0)) == "done"
    assert errors == []


def test_a_long_break_is_unavailable_and_keeps_its_cause() -> None:
    errors = [lost() for _ in range(9)]
    with pytest.raises(StoreUnavailable, match="Connection refused") as caught:
        call(failing(errors), "writing", (0, 0, 0))
    assert len(errors) == 5
    assert "docker run" in caught.value.hint
    assert isinstance(caught.value.__cause__, ResponseHandlingException)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answer(401), StoreUnavailable, "API key"),
        (answer(403, "Forbidden: Global manage access is required"), StoreUnavailable, "refused this to the API key"),
        (answer(500, "No space left on device"), StoreUnavailable, "disk is full"),
        (answer(400, "Wrong input: Vector dimension error"), StoreError, "Wrong input"),
        (ValueError("Collection x not found"), StoreError, "not found"),
    ],
)
def test_errors_that_waiting_does_not_cure_are_said_at_once(
    error: Exception, kind: type[StoreError], words: str
) -> None:
    errors = [error, error]
    with pytest.raises(kind, match=words):
        call(failing(errors), "writing", (0, 0, 0))
    assert len(errors) == 1


def test_our_own_bugs_are_not_dressed_up() -> None:
    with pytest.raises(TypeError):
        call(failing([TypeError("a bug")]), "writing", (0, 0, 0))


@pytest.mark.parametrize("grpc", [False, True])
def test_nobody_listens(grpc: bool) -> None:
    url = "http://127.0.0.1:9"
    client = QdrantClient(url, grpc_port=9, prefer_grpc=grpc, timeout=2, check_compatibility=False)
    with pytest.raises(StoreUnavailable, match="no answer") as caught:
        QdrantServerStore(client=client, waits_s=(0,))
    client.close()
    assert "docker run -p 6333:6333" in caught.value.hint


@pytest.mark.parametrize("url", ["localhost:abc", "http://", "ftp://x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(StoreError):
        QdrantServerStore(url, waits_s=(), timeout_s=2)


def test_prefixes_keep_indexes_apart() -> None:
    client = QdrantClient(":memory:")
    first, second = QdrantServerStore(client=client, namespace="a"), QdrantServerStore(client=client, namespace="ab")
    space, row = Space("toy", 2), Row(Clip.make("v", 0, Span(0, 1)), np.array([1, 0], np.float32))
    first.create(NAME, space)
    first.put(NAME, [row])
    first.set_alias("vision", NAME)
    assert second.collections() == {}
    assert second.aliases() == {}
    second.create(NAME, space)
    second.delete("v")
    assert (first.count("vision"), second.count(NAME)) == (1, 0)
    second.drop(NAME)
    assert first.collections() == {NAME: space}
    assert [c.name for c in client.get_collections().collections] == [f"a__{NAME}"]


@pytest.mark.parametrize("namespace", ["", "a__b", "a_", "_a", "a/b"])
def test_namespaces_that_could_overlap_are_refused(namespace: str) -> None:
    with pytest.raises(ConfigError, match="store.namespace"):
        QdrantServerStore(client=QdrantClient(":memory:"), namespace=namespace)


def test_a_foreign_collection_is_not_touched() -> None:
    from qdrant_client import models

    client = QdrantClient(":memory:")
    client.create_collection("a__notes", models.VectorParams(size=3, distance=models.Distance.COSINE))
    store = QdrantServerStore(client=client, namespace="a")
    with pytest.raises(StoreError, match="not made by vidembed"):
        store.put("notes", [])


def test_large_rows_are_sent_in_small_requests() -> None:
    client = QdrantClient(":memory:")
    sizes: list[int] = []
    upsert = client.upsert

    def counting(name: str, points: list[Any], **options: Any) -> Any:
        sizes.append(len(points))
        return upsert(name, points, **options)

    client.upsert = counting  # type: ignore[method-assign]
    store = QdrantServerStore(client=client)
    store.create(NAME, Space("toy", 512))
    segments = np.full((100, 512), 0.044, np.float16)
    rows = [
        Row(Clip.make("v", i, Span(i, i + 1)), np.ones(512, np.float32), segments, np.arange(100.0)) for i in range(25)
    ]
    store.put(NAME, rows)
    assert sum(sizes) == 25
    assert max(sizes) <= 10  # 51 200 values each, half a million in a request


def test_four_hours_of_segments_in_one_clip_are_thinned_to_what_a_server_takes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server refuses 1024 * 1024 numbers in one multivector; the imitation takes any."""
    seconds, dim = 4 * 3600, 512
    segments = np.zeros((seconds, dim), np.float16)
    segments[np.arange(seconds), np.arange(seconds) % dim] = 1
    times = np.arange(float(seconds))
    clip = Clip.make("v", 0, Span(0, seconds))
    store = QdrantServerStore(client=QdrantClient(":memory:"))
    store.create(NAME, Space("toy", dim))
    store.put(NAME, [Row(clip, segments[0].astype(np.float32), segments, times)])
    row = store.rows(NAME, [clip.clip_id])[clip.clip_id]
    assert row.segments is not None
    assert row.segment_times_s is not None
    assert row.segments.shape == (1800, dim), "one of eight; 2047 of 512 numbers would fit"
    np.testing.assert_array_equal(row.segment_times_s, times[::8])
    np.testing.assert_array_equal(row.segments, segments[::8])
    assert "has 14400 segment embeddings, more than a server takes: one of 8 is kept" in caplog.text


def test_the_most_that_a_server_takes_is_sent_whole() -> None:
    clip, dim = Clip.make("v", 0, Span(0, 2047)), 512
    segments = np.full((2047, dim), dim**-0.5, np.float16)
    store = QdrantServerStore(client=QdrantClient(":memory:"))
    store.create(NAME, Space("toy", dim))
    store.put(NAME, [Row(clip, segments[0].astype(np.float32), segments, np.arange(2047.0))])
    row = store.rows(NAME, [clip.clip_id])[clip.clip_id]
    assert row.segments is not None
    assert row.segments.shape == (2047, dim)


def test_segments_come_back_to_the_last_bit_from_shorter_json() -> None:
    from vidembed.index.stores._sending import point_of

    rng = np.random.default_rng(0)
    segments = rng.normal(size=(50, 64))
    segments = (segments / np.linalg.norm(segments, axis=1, keepdims=True)).astype(np.float16)
    row = Row(Clip.make("v", 0, Span(0, 1)), segments[0].astype(np.float32), segments, np.arange(50.0))
    sent: Any = point_of(row).vector
    np.testing.assert_array_equal(np.asarray(sent["units"], np.float32).astype(np.float16), segments)
    assert max(len(repr(number)) for vector in sent["units"] for number in vector) <= len("-0.12345678")


def test_the_layout_of_a_cluster_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidembed.config.schema import StoreSettings
    from vidembed.index.stores import open_store

    client, asked = QdrantClient(":memory:"), {}
    create = client.create_collection

    def noted(name: str, **options: Any) -> Any:
        asked.update(options)
        return create(name, **options)

    monkeypatch.setattr(client, "create_collection", noted)
    monkeypatch.setattr("vidembed.index.stores.qdrant_server.connect", lambda *_: client)
    settings = StoreSettings(kind="server", url="http://localhost:6333", shards=6, replicas=2, write_consistency=2)
    open_store(settings).create(NAME, Space("toy", 2))
    wanted = {"shard_number": 6, "replication_factor": 2, "write_consistency_factor": 2}
    assert {name: asked[name] for name in wanted} == wanted
    with pytest.raises(ValueError, match="write_consistency 3 is more than the replicas, 2"):
        StoreSettings(kind="server", url="http://localhost:6333", replicas=2, write_consistency=3)


def test_limits_of_the_server_are_named_as_such() -> None:
    said = answer(400, '{"status":{"error":"Bad request: Limit exceeded 1000 > 10 for \\"limit\\". Help: Reduce it."}}')
    with pytest.raises(StoreError, match="Limit exceeded 1000 > 10") as caught:
        call(failing([said]), "searching", ())
    assert "strict mode" in caught.value.hint


LISTED = '{"result":{"collections":[{"name":"vidembed__vision.00000001"}]},"status":"ok","time":7.653e-6}'
INFO = (
    '{"result":{"status":"green","optimizer_status":"ok","indexed_vectors_count":0,"points_count":0,"segments_count":2,'
    '"config":{"params":{"vectors":{"clip":{"size":8,"distance":"Cosine","on_disk":false},"units":{"size":8,'
    '"distance":"Dot","hnsw_config":{"m":0},"on_disk":true,"datatype":"float16","multivector_config":{"comparator":'
    '"max_sim"}}},"shard_number":1,"replication_factor":1,"write_consistency_factor":1,"on_disk_payload":true},'
    '"hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":false},'
    '"optimizer_config":{"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,'
    '"max_segment_size":null,"memmap_threshold":null,"indexing_threshold":10000,"flush_interval_sec":5,'
    '"max_optimization_threads":null,"prevent_unoptimized":null},"wal_config":{"wal_capacity_mb":32,'
    '"wal_segments_ahead":0,"wal_retain_closed":1},"quantization_config":null,"metadata":{"vidembed":{"space":"toy"}}},'
    '"payload_schema":{"video_id":{"data_type":"keyword","points":0},"start_s":{"data_type":"float","points":0},'
    '"end_s":{"data_type":"float","points":0}},"update_queue":{"length":0}},"status":"ok","time":0.000422402}'
)
NO_ALIASES = '{"result":{"aliases":[]},"status":"ok","time":6.865e-6}'


@contextmanager
def recorded(answers: dict[str, str]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """An HTTP server with these answers of Qdrant 1.19.0 by path, and what it was asked: (path, key)."""
    asked: list[tuple[str, str | None]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("api-key")))
            body = answers.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_a_server_under_a_path_and_with_a_key(caplog: pytest.LogCaptureFixture) -> None:
    answers = {
        "/data/qdrant/collections": LISTED,
        f"/data/qdrant/collections/vidembed__{NAME}": INFO,
        f"/data/qdrant/collections/vidembed__{NAME}/exists": '{"result":{"exists":true},"status":"ok","time":5.085e-6}',
        "/data/qdrant/aliases": NO_ALIASES,
    }
    with recorded(answers) as (url, asked), QdrantServerStore(f"{url}/data/qdrant", api_key="secret") as store:
        assert store.collections() == {NAME: Space("toy", 8)}
    assert {path for path, _ in asked} <= set(answers)
    assert {key for _, key in asked} == {"secret"}
    assert caplog.text == ""  # to this machine itself a key may go in the clear


def test_a_collection_of_an_older_server_or_version_is_opened() -> None:
    """Servers before 1.16 keep no metadata, so the space's name is not known; its size and kind are."""
    older = INFO.replace(',"metadata":{"vidembed":{"space":"toy"}}', "")
    assert older != INFO
    answers = {
        "/collections": LISTED,
        f"/collections/vidembed__{NAME}": older,
        f"/collections/vidembed__{NAME}/exists": '{"result":{"exists":true},"status":"ok","time":5.085e-6}',
        "/aliases": NO_ALIASES,
    }
    with recorded(answers) as (url, _), QdrantServerStore(url) as store:
        assert store.collections() == {NAME: Space("", 8)}
        with pytest.raises(IndexMismatch, match="holds dense vectors of 8 dimensions"):
            _points.check_same(NAME, store.collections()[NAME], Space("toy", 16))


def test_a_client_made_with_an_address_alone_is_no_imitation() -> None:
    """QdrantClient("http://...") calls the address its location, which the imitation has, too."""
    with recorded({"/collections": LISTED}) as (url, _):
        client = QdrantClient(url, check_compatibility=False)
        assert QdrantServerStore(client=client)._real
        client.close()
    assert not QdrantServerStore(client=QdrantClient(":memory:"))._real


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://vectors.example:6333", True),
        ("https://vectors.example:6333", False),
        ("http://localhost:6333", False),
        ("http://[::1]:6333", False),
    ],
)
def test_a_key_without_encryption_is_warned_of(url: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    connect(url, "secret", None, 1).close()
    assert ("the API key goes to vectors.example unencrypted" in caplog.text) is warned
    assert "secret" not in caplog.text


def test_a_key_without_a_scheme_is_sent_encrypted() -> None:
    client: Any = connect("vectors.example:6333", "secret", None, 1)
    assert client._client.rest_uri == "https://vectors.example:6333"
    client.close()


@pytest.mark.parametrize(
    ("hnsw_ef", "k", "looked_at"), [(None, 10, 256), (None, 300, 600), (64, 10, 64), (64, 300, 64)]
)
def test_how_many_clips_a_graph_search_looks_at(hnsw_ef: int | None, k: int, looked_at: int) -> None:
    """A server in strict mode with search_max_hnsw_ef 64 refuses 256: store.hnsw_ef is never exceeded."""
    assert breadth(hnsw_ef, k) == looked_at


def test_a_rate_limit_is_no_silence() -> None:
    """As Qdrant 1.19.0 answers in strict mode; the hint does not ask whether it is up."""
    text = '{"status":{"error":"Rate limiting exceeded: Read rate limit exceeded, request larger than ..."}}'
    with pytest.raises(StoreUnavailable, match="Read rate limit exceeded") as caught:
        call(failing([answer(429, text)]), "searching", ())
    assert "strict mode" in caught.value.hint
