"""Moving: can be broken off and resumed, counts are compared, aliases come last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidembed.errors import IndexMismatch, StoreError
from vidembed.index.stores import move
from vidembed.index.stores.memory import MemoryStore
from vidembed.types import Clip, Row, Space, Span

NAME = "vision.00000001"


def rows(n: int, video: str = "v") -> list[Row]:
    return [
        Row(
            Clip.make(video, i, Span(i, i + 1)),
            np.array([1, i, 2], np.float32),
            np.ones((1, 3), np.float16),
            np.ones(1),
        )
        for i in range(n)
    ]


def filled(n: int = 10) -> MemoryStore:
    store = MemoryStore()
    store.create(NAME, Space("toy", 3))
    store.put(NAME, rows(n))
    store.set_alias("vision", NAME)
    return store


class Breaking(MemoryStore):
    """Loses its connection after some writes."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left = writes
        self.written = 0

    def put(self, collection: str, rows: Sequence[Row]) -> None:
        if self.left == 0:
            raise StoreError("gone")
        self.left -= 1
        self.written += len(rows)
        super().put(collection, rows)


def test_resumes_where_it_broke_off() -> None:
    source, target = filled(2500), Breaking(writes=2)
    with pytest.raises(StoreError, match="gone"):
        move(source, target, batch=900)
    assert (target.count(NAME), target.aliases()) == (2000, {})  # a thousand in a write
    target.left = 99
    seen: list[tuple[str, int, int]] = []
    assert move(source, target, batch=900, progress=lambda *step: seen.append(step)) == {NAME: 2500}
    assert target.written == 2500  # nothing twice
    assert target.aliases() == {"vision": NAME}
    assert seen == [(NAME, 900, 2500), (NAME, 1800, 2500), (NAME, 2500, 2500)]


def test_changed_rows_are_sent_again() -> None:
    source, target = filled(), Breaking(writes=99)
    move(source, target)
    first = source.rows(NAME, [rows(1)[0].clip.clip_id]).popitem()[1]
    source.put(NAME, [Row(first.clip, np.array([0, 0, 1], np.float32), first.segments, first.segment_times_s)])
    move(source, target)
    assert target.written == 11
    np.testing.assert_array_equal(target.rows(NAME, [first.clip.clip_id]).popitem()[1].vector, [0, 0, 1])


def test_rows_of_the_target_are_noticed_and_can_be_replaced() -> None:
    source, target = filled(), MemoryStore()
    target.create(NAME, Space("toy", 3))
    target.put(NAME, rows(2, "other"))
    with pytest.raises(StoreError, match="10 clips here and 12 in the target"):
        move(source, target)
    assert target.aliases() == {}
    assert move(source, target, replace=True) == {NAME: 10}
    assert target.count("vision") == 10


def test_only_some_collections_and_unknown_ones() -> None:
    source, target = filled(), MemoryStore()
    source.create("sound.00000002", Space("toy", 5))
    assert move(source, target, ["sound.00000002"]) == {"sound.00000002": 0}
    assert target.aliases() == {}
    with pytest.raises(StoreError, match="nothing-like-it"):
        move(source, target, ["nothing-like-it"])


def test_another_size_in_the_target_is_a_mismatch() -> None:
    target = MemoryStore()
    target.create(NAME, Space("toy", 4))
    with pytest.raises(IndexMismatch):
        move(filled(), target)
