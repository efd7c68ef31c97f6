"""One suite for every store, with the exact memory store as the oracle."""

from __future__ import annotations

import math
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vidembed.errors import ConfigError, EncodingError, IndexMismatch, StoreError
from vidembed.protocols import Store
from vidembed.stores import move, open_store
from vidembed.stores.memory import MemoryStore
from vidembed.types import Clip, Row, Space, Span, SparseVector, Where

DENSE = Space("toy", 8)
WORDS = Space("words", 0, "sparse")
NAME = "vision.00000001"
SPEECH = "speech.00000002"

Opener = Callable[[], Store]


def _memory(tmp_path: Path) -> Opener:
    store = MemoryStore()
    return lambda: store


def _edge(tmp_path: Path) -> Opener:
    return lambda: open_store("edge", path=tmp_path / "vectors")


def _edge_graph(tmp_path: Path) -> Opener:
    """Everything above 1 kB is indexed, so that `optimize` builds the graph even for a few rows."""
    return lambda: open_store("edge", path=tmp_path / "vectors", index_above_kb=1)


def _client(tmp_path: Path) -> Opener:
    from qdrant_client import QdrantClient

    from vidembed.stores.qdrant_server import QdrantServerStore

    client = QdrantClient(":memory:")
    return lambda: QdrantServerStore(client=client)


def _server(tmp_path: Path) -> Opener:
    url = os.environ.get("VIDEMBED_TEST_QDRANT_URL")
    if not url:
        pytest.skip("VIDEMBED_TEST_QDRANT_URL is not set")
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    return lambda: open_store("server", url=url, prefix=prefix)


@pytest.fixture(
    params=[_memory, _edge, _edge_graph, _client, pytest.param(_server, marks=pytest.mark.needs_server)],
    ids=["memory", "edge", "edge-graph", "client", "server"],
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


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def make_rows(n: int, *, seed: int = 0, videos: int = 5, units: int = 0, length_s: float = 2.0) -> list[Row]:
    """n clips, the i-th in video i % videos, one after another there."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        index = i // videos
        clip = Clip.make(f"video-{i % videos}", index, Span(index * length_s, (index + 1) * length_s))
        many = unit(rng.normal(size=(units, 8))).astype(np.float16) if units else None
        times = (index * length_s + 0.1 * np.arange(units)) if units else None
        rows.append(Row(clip, unit(rng.normal(size=8)), many, times))
    return rows


def word_rows(texts: list[list[int]], video: str = "v") -> list[Row]:
    """A row per list of word numbers, each word with weight 1 + its place."""
    rows = []
    for i, words in enumerate(texts):
        vector = SparseVector(np.array(words, np.uint32), 1 + np.arange(len(words), dtype=np.float32))
        rows.append(Row(Clip.make(f"{video}{i}", 0, Span(0, 1)), vector))
    return rows


def agree(got: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [clip_id for clip_id, _ in got] == [clip_id for clip_id, _ in expected]
    assert [s for _, s in got] == pytest.approx([s for _, s in expected], abs=2e-6)


def oracle(rows: list[Row], space: Space = DENSE) -> MemoryStore:
    memory = MemoryStore()
    memory.create(NAME, space)
    memory.put(NAME, rows)
    return memory


def test_scores_are_cosines_in_order(store: Store) -> None:
    store.create(NAME, Space("flat", 2))
    clips = [Clip.make("v", i, Span(i, i + 1)) for i in range(3)]
    vectors = [(1, 0), (0, 1), (3, 4)]  # the last of length 5: stored as a unit vector
    store.put(NAME, [Row(c, np.array(v, np.float32)) for c, v in zip(clips, vectors, strict=True)])
    hits = store.search(NAME, np.array([2, 0], np.float32), k=3)
    agree(hits, [(clips[0].clip_id, 1.0), (clips[2].clip_id, 0.6), (clips[1].clip_id, 0.0)])
    assert all(-1 <= score <= 1 for _, score in hits)


def test_agrees_with_the_oracle_whatever_the_filter(store: Store) -> None:
    rows = make_rows(300)
    store.create(NAME, DENSE)
    store.put(NAME, rows[:170])
    store.put(NAME, rows[170:])
    store.optimize()
    exact = oracle(rows)
    skip = frozenset(r.clip.clip_id for r in rows[:40]) | {"not-a-uuid"}
    many = frozenset(f"video-{i}" for i in range(1, 900))
    wheres = [
        None,
        Where(),
        Where(video_ids=frozenset({"video-1", "video-3"})),
        Where(video_ids=frozenset({"nobody"})),
        Where(video_ids=frozenset()),
        Where(video_ids=many),
        Where(video_ids=many, within=Span(0, 3)),
        Where(video_ids=frozenset({"video-4"} | {f"other-{i}" for i in range(900)})),
        Where(within=Span(3.0, 6.0)),
        Where(not_clips=skip),
        Where(video_ids=frozenset({"video-0"}), within=Span(1, 5), not_clips=skip),
    ]
    for query in (make_rows(1, seed=7)[0].vector, rows[5].vector):
        for where in wheres:
            for k in (1, 10, 1000):
                agree(store.search(NAME, query, k=k, where=where), exact.search(NAME, query, k=k, where=where))


def test_within_means_overlap_and_borders_do_not_touch(store: Store) -> None:
    rows = make_rows(5, videos=1)  # 0-2, 2-4, 4-6, 6-8, 8-10
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    hits = store.search(NAME, rows[0].vector, k=9, where=Where(within=Span(4.0, 6.5)))
    assert {clip_id for clip_id, _ in hits} == {rows[2].clip.clip_id, rows[3].clip.clip_id}


def test_ties_are_broken_by_id_even_at_the_cut(store: Store) -> None:
    same = make_rows(1)[0].vector
    rows = [Row(r.clip, same) for r in make_rows(120)]
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    store.optimize()
    ids = sorted(r.clip.clip_id for r in rows)
    for k in (1, 3, 50, 119, 120, 500):
        assert [clip_id for clip_id, _ in store.search(NAME, same, k=k)] == ids[:k]


def test_k_below_one_and_empty_collection(store: Store) -> None:
    store.create(NAME, DENSE)
    query = make_rows(1)[0].vector
    assert store.search(NAME, query, k=5) == []
    assert list(store.scan(NAME)) == []
    store.put(NAME, [])
    store.put(NAME, make_rows(3))
    assert store.search(NAME, query, k=0) == []
    assert store.search(NAME, query, k=-1) == []


def test_put_replaces_by_clip_id(store: Store) -> None:
    rows = make_rows(10, units=3)
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    for _ in range(2):  # read, and perhaps remembered
        assert store.rows(NAME, [rows[0].clip.clip_id])[rows[0].clip.clip_id].units is not None
    fresh = make_rows(10, seed=1)  # same clips, other vectors, no units
    store.put(NAME, [rows[0], fresh[0]])  # the last one wins
    store.put(NAME, fresh[1:])
    assert store.count(NAME) == 10
    agree(store.search(NAME, rows[4].vector, k=10), oracle(fresh).search(NAME, rows[4].vector, k=10))
    assert store.rows(NAME, [rows[0].clip.clip_id])[rows[0].clip.clip_id].units is None


def test_rows_come_back_as_they_went_in(store: Store) -> None:
    rows = [*make_rows(6, units=4), *make_rows(12)[6:]]
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    asked = [r.clip.clip_id for r in reversed(rows)]
    found = store.rows(NAME, [*asked, str(uuid.uuid4()), "not-a-uuid"])
    assert list(found) == asked
    for row in rows:
        got = found[row.clip.clip_id]
        assert got.clip == row.clip
        assert isinstance(got.vector, np.ndarray)
        assert got.vector.dtype == np.float32
        np.testing.assert_allclose(got.vector, row.vector, atol=1e-6)
        if row.units is None:
            assert got.units is None
            continue
        assert got.units is not None
        assert got.units.dtype == np.float16
        np.testing.assert_array_equal(got.units, row.units)
        np.testing.assert_array_equal(got.unit_times_s, row.unit_times_s)
    bare = store.rows(NAME, asked, units=False)
    assert all(row.units is None and row.unit_times_s is None for row in bare.values())
    assert store.rows(NAME, []) == {}


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_scan_pages_through_all_rows_by_id(store: Store, batch: int) -> None:
    rows = make_rows(21, units=2)
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    store.set_alias("vision", NAME)
    pages = list(store.scan("vision", batch=batch))
    assert all(0 < len(page) <= batch for page in pages)
    assert [r.clip.clip_id for page in pages for r in page] == sorted(r.clip.clip_id for r in rows)
    assert all(r.units is None for page in pages for r in page)
    with_units = {r.clip.clip_id: r for page in store.scan(NAME, units=True, batch=batch) for r in page}
    for row in rows:
        np.testing.assert_array_equal(with_units[row.clip.clip_id].units, row.units)


def test_delete_removes_one_video_from_one_or_all_collections(store: Store) -> None:
    rows = make_rows(20)
    other = "sound.00000003"
    for name in (NAME, other):
        store.create(name, DENSE)
        store.put(name, rows)
    assert len(store.rows(NAME, [rows[1].clip.clip_id])) == 1
    store.delete("video-1", collection=NAME)
    assert store.rows(NAME, [rows[1].clip.clip_id]) == {}
    assert (store.count(NAME), store.count(other)) == (16, 20)
    store.delete("video-2")
    assert (store.count(NAME), store.count(other)) == (12, 16)
    store.delete("nobody")
    left = [r for r in rows if r.clip.video_id not in ("video-1", "video-2")]
    agree(store.search(NAME, rows[0].vector, k=99), oracle(left).search(NAME, rows[0].vector, k=99))


BAD_VECTORS = {
    "zero": np.zeros(8, np.float32),
    "nan": np.array([1, 2, np.nan, 0, 0, 0, 0, 0], np.float32),
    "infinite": np.array([1, np.inf, 0, 0, 0, 0, 0, 0], np.float32),
    "short": np.ones(7, np.float32),
    "matrix": np.ones((1, 8), np.float32),
    "sparse": SparseVector(np.array([1], np.uint32), np.array([1], np.float32)),
}


@pytest.mark.parametrize("bad", list(BAD_VECTORS))
def test_bad_vectors_are_refused_and_nothing_is_written(store: Store, bad: str) -> None:
    store.create(NAME, DENSE)
    good = make_rows(4)
    with pytest.raises(EncodingError):
        store.put(NAME, [*good[:3], Row(good[3].clip, BAD_VECTORS[bad])])
    assert store.count(NAME) == 0
    with pytest.raises(EncodingError):
        store.search(NAME, BAD_VECTORS[bad], k=1)


def test_bad_units_are_refused(store: Store) -> None:
    store.create(NAME, DENSE)
    row = make_rows(1)[0]
    for units in (np.ones((2, 7), np.float16), np.zeros((1, 8), np.float16), np.full((1, 8), np.nan, np.float16)):
        with pytest.raises(EncodingError):
            store.put(NAME, [Row(row.clip, row.vector, units, np.zeros(len(units)))])
    assert store.count(NAME) == 0


def test_a_collection_of_another_shape_is_a_mismatch(store: Store) -> None:
    store.create(NAME, DENSE)
    store.create(NAME, DENSE)
    with pytest.raises(IndexMismatch, match="8 dimensions"):
        store.create(NAME, Space("toy", 9))
    with pytest.raises(IndexMismatch):
        store.create(NAME, WORDS)
    assert store.collections() == {NAME: DENSE}


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "ä", "x" * 200, "-x", "a\x00b", "a\n"])
def test_names_that_could_escape_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ConfigError):
        store.create(name, DENSE)


def test_unknown_collections(store: Store) -> None:
    store.create(NAME, DENSE)
    row = make_rows(1)[0]
    for call in (
        lambda: store.search("vison", row.vector, k=1),
        lambda: store.put("vison", [row]),
        lambda: store.rows("vison", [row.clip.clip_id]),
        lambda: list(store.scan("vison")),
        lambda: store.set_alias("vision", "vison"),
    ):
        with pytest.raises(StoreError, match="vison"):
            call()
    assert store.count("vison") == 0
    store.drop("vison")


def test_alias_switches_in_one_step_and_goes_with_its_collection(store: Store) -> None:
    old, new = make_rows(5), make_rows(7, seed=3)
    second = "vision.00000009"
    store.create(NAME, DENSE)
    store.create(second, DENSE)
    store.put(NAME, old)
    store.put(second, new)
    store.set_alias("vision", NAME)
    assert store.aliases() == {"vision": NAME}
    assert store.count("vision") == 5
    store.set_alias("vision", second)
    assert store.aliases() == {"vision": second}
    assert store.count("vision") == 7
    agree(store.search("vision", new[2].vector, k=3), oracle(new).search(NAME, new[2].vector, k=3))
    with pytest.raises(StoreError):
        store.set_alias(NAME, second)
    with pytest.raises(StoreError):
        store.create("vision", DENSE)
    store.drop(second)
    assert store.aliases() == {}
    assert store.count("vision") == 0
    assert store.collections() == {NAME: DENSE}


def test_sparse_scores_are_computed_by_hand(store: Store) -> None:
    """Three clips with words {1}, {1, 2}, {3}: IDF of word 1 is ln(1.5/2.5 + 1), of word 2 ln(2.5/1.5 + 1)."""
    rows = word_rows([[1], [1, 2], [3]])
    store.create(SPEECH, WORDS)
    store.put(SPEECH, rows)
    query = SparseVector(np.array([1, 2, 77], np.uint32), np.array([1, 0.5, 9], np.float32))
    idf1, idf2 = math.log(1.5 / 2.5 + 1), math.log(2.5 / 1.5 + 1)
    expected = [(rows[1].clip.clip_id, 1 * idf1 + 0.5 * 2 * idf2), (rows[0].clip.clip_id, idf1)]
    agree(store.search(SPEECH, query, k=10), expected)
    with pytest.raises(EncodingError):
        store.search(SPEECH, np.ones(8, np.float32), k=1)


def test_sparse_agrees_with_the_oracle_through_changes(store: Store) -> None:
    rng = np.random.default_rng(5)
    texts = [sorted(rng.choice(30, size=rng.integers(1, 6), replace=False).tolist()) for _ in range(80)]
    rows, exact = word_rows(texts), MemoryStore()
    queries = [SparseVector(np.array(w, np.uint32), np.ones(len(w), np.float32)) for w in ([3], [1, 5], [2, 9, 29])]
    for each in (store, exact):
        each.create(SPEECH, WORDS)
        each.put(SPEECH, rows)
        for i in range(0, 40, 2):
            each.delete(f"v{i}")
        each.put(SPEECH, word_rows([[7, 8]] * 5))  # replaces the first five
        each.optimize()
    wheres = [None, Where(video_ids=frozenset(f"v{i}" for i in range(60)))]
    wheres.append(Where(not_clips=frozenset(r.clip.clip_id for r in rows[50:])))
    for query in queries:
        for where in wheres:
            for k in (1, 5, 100):
                got = store.search(SPEECH, query, k=k, where=where)
                expected = exact.search(SPEECH, query, k=k, where=where)
                # Equal sums can differ in the last bit between engines, so only the scores' order is compared.
                assert [s for _, s in got] == pytest.approx([s for _, s in expected], rel=1e-5)
                if k == 100:
                    assert dict(got) == pytest.approx(dict(expected), rel=1e-5)
    found = store.rows(SPEECH, [rows[70].clip.clip_id])[rows[70].clip.clip_id].vector
    assert isinstance(found, SparseVector)
    np.testing.assert_array_equal(found.indices, texts[70])
    with pytest.raises(EncodingError):
        store.put(SPEECH, [Row(rows[0].clip, rows[0].vector, np.ones((1, 8), np.float16), np.zeros(1))])


def test_reopening_finds_everything(opener: Opener) -> None:
    first = opener()
    if isinstance(first, MemoryStore):
        return  # nothing to reopen
    rows = make_rows(30, units=2)
    first.create(NAME, DENSE)
    first.create(SPEECH, WORDS)
    first.put(NAME, rows)
    first.put(SPEECH, word_rows([[1], [2]]))
    first.set_alias("vision", NAME)
    first.optimize()
    first.flush()
    first.close()
    first.close()
    with pytest.raises(StoreError):
        first.count(NAME)
    second = opener()
    assert second.collections() == {NAME: DENSE, SPEECH: WORDS}
    assert second.aliases() == {"vision": NAME}
    assert (second.count("vision"), second.count(SPEECH)) == (30, 2)
    agree(second.search("vision", rows[3].vector, k=9), oracle(rows).search(NAME, rows[3].vector, k=9))
    for name in second.collections():
        second.drop(name)
    second.close()


def test_threads_may_search_while_one_writes(store: Store, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.id == "client":
        pytest.skip("qdrant-client's in-process imitation of a server is for one thread")
    rows = make_rows(200)
    store.create(NAME, DENSE)
    store.put(NAME, rows[:50])
    problems: list[BaseException] = []

    def look() -> None:
        try:
            for row in rows[:30]:
                hits = store.search(NAME, row.vector, k=1)
                assert hits[0][0] == row.clip.clip_id
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for start in range(50, 200, 10):
        store.put(NAME, rows[start : start + 10])
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.count(NAME) == 200


def test_move_there_and_back(store: Store) -> None:
    rows, words = make_rows(23, units=3), word_rows([[1], [1, 2], [5]])
    source, back = MemoryStore(), MemoryStore()
    source.create(NAME, DENSE)
    source.create(SPEECH, WORDS)
    source.put(NAME, rows)
    source.put(SPEECH, words)
    source.set_alias("vision", NAME)
    assert move(source, store, batch=5) == {NAME: 23, SPEECH: 3}
    assert move(store, back, batch=4) == {NAME: 23, SPEECH: 3}
    assert back.aliases() == {"vision": NAME}
    for row in rows:
        got = back.rows(NAME, [row.clip.clip_id])[row.clip.clip_id]
        assert got.clip == row.clip
        np.testing.assert_array_equal(got.units, row.units)
        np.testing.assert_array_equal(got.unit_times_s, row.unit_times_s)
    agree(back.search("vision", rows[1].vector, k=5), source.search("vision", rows[1].vector, k=5))
