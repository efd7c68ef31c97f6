"""Every store is opened again, used by several threads and moved to another."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from store_rows import DENSE, NAME, SPEECH, WORDS, Opener, agree, make_rows, oracle, word_rows

from vidembed.errors import StoreError
from vidembed.index.stores import move
from vidembed.index.stores.memory import MemoryStore
from vidembed.protocols import Store


def test_reopening_finds_everything(opener: Opener) -> None:
    first = opener()
    if isinstance(first, MemoryStore):
        return  # nothing to reopen
    rows = make_rows(30, segments=2)
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
    rows, words = make_rows(23, segments=3), word_rows([[1], [1, 2], [5]])
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
        np.testing.assert_array_equal(got.segments, row.segments)
        np.testing.assert_array_equal(got.segment_times_s, row.segment_times_s)
    agree(back.search("vision", rows[1].vector, k=5), source.search("vision", rows[1].vector, k=5))
