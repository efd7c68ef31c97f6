"""The embedded store builds its graph in a process of its own: searches go on, writes wait, a crash loses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vidembed.index.stores._edge_building as building
from vidembed.errors import StoreUnavailable
from vidembed.index.stores._edge_engine import create_shard, shard_config
from vidembed.index.stores.qdrant_edge import QdrantEdgeStore
from vidembed.types import Clip, Row, Space, Span

NAME = "vision.00000001"
DIM = 64
pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders with open files cannot be renamed there")


def rows(first: int, count: int) -> list[Row]:
    vectors = np.random.default_rng(first).normal(size=(count, DIM)).astype(np.float32)
    clips = [Clip.make(f"v{i // 50}", i, Span(i, i + 1)) for i in range(first, first + count)]
    return [Row(clip, vector, vector[None].astype(np.float16), np.zeros(1)) for clip, vector in zip(clips, vectors)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(building, "APART_ABOVE", 0)
    with QdrantEdgeStore(tmp_path / "vectors", index_above_kb=100) as made:
        made.create(NAME, Space("toy", DIM))
        made.put(NAME, rows(0, 1000))
        yield made


def left_over(store: QdrantEdgeStore) -> list[str]:
    return [folder.name for folder in (store.path / "collections").iterdir() if folder.name != NAME]


def test_searches_go_on_and_writes_wait_while_the_graph_is_built(
    store: QdrantEdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = rows(0, 1000)[7].vector
    before = store.search(NAME, query, k=10)
    run, answers = subprocess.run, []
    writer = threading.Thread(target=lambda: store.put(NAME, rows(1000, 1)))

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        searcher = threading.Thread(target=lambda: answers.append(store.search(NAME, query, k=10)))
        searcher.start()
        searcher.join(60)
        writer.start()
        done = run(*args, **kwargs)
        assert writer.is_alive()
        assert store.count(NAME) == 1000
        return done

    monkeypatch.setattr(building.subprocess, "run", meanwhile)
    store.optimize()
    writer.join(60)
    assert answers == [before]
    assert store.search(NAME, query, k=10) == before
    assert store.count(NAME) == 1001
    assert left_over(store) == []
    graph = next((store.path / "collections" / NAME / "segments").glob("*/vector_index-clip/*"))
    assert graph.stat().st_size > 0


def test_a_second_time_there_is_nothing_to_do_and_nothing_is_replaced(store: QdrantEdgeStore) -> None:
    store.optimize()
    place = (store.path / "collections" / NAME).stat().st_ino
    store.optimize()
    assert (store.path / "collections" / NAME).stat().st_ino == place
    assert left_over(store) == []


def test_a_collection_with_a_write_ahead_log_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of older versions have one; new ones have none."""
    monkeypatch.setattr(building, "APART_ABOVE", 0)
    with QdrantEdgeStore(tmp_path / "vectors", index_above_kb=100) as store:
        store.create(NAME, Space("toy", DIM))
    folder = tmp_path / "vectors" / "collections" / NAME
    assert not list(folder.glob("wal/*"))
    shutil.rmtree(folder)
    create_shard(folder, shard_config(Space("toy", DIM), quantization=None, index_above_kb=100, log=True))
    with QdrantEdgeStore(tmp_path / "vectors", index_above_kb=100) as store:
        store.put(NAME, rows(0, 1000))
        store.optimize()
        assert store.count(NAME) == 1000
        assert list(folder.glob("segments/*/vector_index-clip/*"))
        assert list(folder.glob("wal/*"))


def test_when_the_process_fails_the_collection_stays_as_it_was(
    store: QdrantEdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.CompletedProcess([], 1, "", "memory allocation failed")
    monkeypatch.setattr(building.subprocess, "run", lambda *args, **kwargs: ended)
    with pytest.raises(StoreUnavailable, match=f"{NAME} failed: memory"):
        store.optimize()
    assert store.count(NAME) == 1000
    assert left_over(store) == []


def test_a_crash_while_it_takes_its_place_is_repaired(store: QdrantEdgeStore) -> None:
    folder = store.path / "collections"
    store.close()
    (folder / NAME).rename(folder / f".old-{NAME}")  # as between the two renames
    (folder / f".new-{NAME}-x1").mkdir()
    with QdrantEdgeStore(store.path) as again:
        assert again.count(NAME) == 1000
        assert left_over(again) == []


def test_copies_keep_their_holes(tmp_path: Path) -> None:
    original, copy = tmp_path / "a" / "deep", tmp_path / "b"
    original.mkdir(parents=True)
    with open(original / "file", "wb") as file:
        file.write(b"start")
        file.truncate(50_000_000)
        file.seek(30_000_000)
        file.write(b"middle")
    building._copy(original.parent, copy)
    content = (copy / "deep" / "file").read_bytes()
    assert content == (original / "file").read_bytes()
    assert building._bytes_on_disk(copy) <= building._bytes_on_disk(original.parent) + 8192
