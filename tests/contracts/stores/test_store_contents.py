"""Every store gives back what was put, and only that: replaced, scanned, deleted, refused."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from store_rows import DENSE, NAME, SPEECH, WORDS, agree, make_rows, oracle, word_rows

from vidembed.errors import EncodingError
from vidembed.protocols import Store
from vidembed.types import Row, SparseVector


def test_put_replaces_by_clip_id(store: Store) -> None:
    rows = make_rows(10, segments=3)
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    for _ in range(2):  # read, and perhaps remembered
        assert store.rows(NAME, [rows[0].clip.clip_id])[rows[0].clip.clip_id].segments is not None
    fresh = make_rows(10, seed=1)  # same clips, other vectors, no segments
    store.put(NAME, [rows[0], fresh[0]])  # the last one wins
    store.put(NAME, fresh[1:])
    assert store.count(NAME) == 10
    agree(store.search(NAME, rows[4].vector, k=10), oracle(fresh).search(NAME, rows[4].vector, k=10))
    assert store.rows(NAME, [rows[0].clip.clip_id])[rows[0].clip.clip_id].segments is None


def test_rows_come_back_as_they_went_in(store: Store) -> None:
    rows = [*make_rows(6, segments=4), *make_rows(12)[6:]]
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
        if row.segments is None:
            assert got.segments is None
            continue
        assert got.segments is not None
        assert got.segments.dtype == np.float16
        np.testing.assert_array_equal(got.segments, row.segments)
        np.testing.assert_array_equal(got.segment_times_s, row.segment_times_s)
    bare = store.rows(NAME, asked, segments=False)
    assert all(row.segments is None and row.segment_times_s is None for row in bare.values())
    assert store.rows(NAME, []) == {}


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_scan_pages_through_all_rows_by_id(store: Store, batch: int) -> None:
    rows = make_rows(21, segments=2)
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    store.set_alias("vision", NAME)
    pages = list(store.scan("vision", batch=batch))
    assert all(0 < len(page) <= batch for page in pages)
    assert [r.clip.clip_id for page in pages for r in page] == sorted(r.clip.clip_id for r in rows)
    assert all(r.segments is None for page in pages for r in page)
    with_units = {r.clip.clip_id: r for page in store.scan(NAME, segments=True, batch=batch) for r in page}
    for row in rows:
        np.testing.assert_array_equal(with_units[row.clip.clip_id].segments, row.segments)


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
    for segments in (np.ones((2, 7), np.float16), np.zeros((1, 8), np.float16), np.full((1, 8), np.nan, np.float16)):
        with pytest.raises(EncodingError):
            store.put(NAME, [Row(row.clip, row.vector, segments, np.zeros(len(segments)))])
    assert store.count(NAME) == 0


def test_many_rows_are_loaded_from_a_stream(store: Store) -> None:
    rows = make_rows(1500, segments=2)
    store.create(NAME, DENSE)
    store.create(SPEECH, WORDS)
    store.load(NAME, iter(rows))
    store.load(SPEECH, iter(word_rows([[1, 2], [2]])))
    assert (store.count(NAME), store.count(SPEECH)) == (1500, 2)
    got = store.rows(NAME, [rows[1400].clip.clip_id])[rows[1400].clip.clip_id]
    assert got.clip == rows[1400].clip
    np.testing.assert_array_equal(got.segments, rows[1400].segments)
    np.testing.assert_array_equal(got.segment_times_s, rows[1400].segment_times_s)
    np.testing.assert_allclose(got.vector, rows[1400].vector, atol=1e-6)
    with pytest.raises(EncodingError):
        store.load(NAME, [make_rows(1)[0], Row(rows[0].clip, np.zeros(8, np.float32))])
    agree(store.search(NAME, rows[7].vector, k=3), oracle(rows).search(NAME, rows[7].vector, k=3))


def test_a_scan_with_segment_embeddings_finds_clips_of_any_size(store: Store) -> None:
    rows = [make_rows(6, segments=count)[i] for i, count in enumerate((1, 900, 3, 1, 700, 2))]
    store.create(NAME, DENSE)
    store.put(NAME, rows)
    found = {row.clip.clip_id: row for part in store.scan(NAME, segments=True, batch=4) for row in part}
    assert {clip_id: row.segments.shape for clip_id, row in found.items() if row.segments is not None} == {
        row.clip.clip_id: row.segments.shape for row in rows if row.segments is not None
    }
