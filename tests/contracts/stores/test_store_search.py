"""Every store finds what the exact memory store finds: cosines, filters, ties, words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from store_rows import DENSE, NAME, SPEECH, WORDS, agree, make_rows, oracle, word_rows

from vidembed.errors import EncodingError
from vidembed.index.stores.memory import MemoryStore
from vidembed.protocols import Store
from vidembed.types import Clip, Row, Space, Span, SparseVector, Where


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


def test_late_interaction_is_the_mean_over_the_querys_rows_of_their_best_cosine(store: Store) -> None:
    """Three screens of two vectors each. Rows x and y: the first clip has both, the second x alone, the third 0.6 x."""
    x, y, between = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
    space = Space("screens", 2, "late")
    store.create(NAME, space)
    rows = []
    for i, parts in enumerate([[x, y], [x, x], [between, [-1.0, 0.0]]]):
        clip = Clip.make(f"video-{i}", 0, Span(0, 2))
        rows.append(Row(clip, np.array(between, np.float32), np.array(parts, np.float16), np.ones(2)))
    store.put(NAME, rows)
    store.optimize()
    query = np.array([x, y], np.float32)
    hits = store.search(NAME, query, k=3)
    assert [clip_id for clip_id, _ in hits] == [rows[i].clip.clip_id for i in (0, 2, 1)]
    assert [score for _, score in hits] == pytest.approx([1.0, (0.6 + 0.8) / 2, (1 + 0) / 2], abs=1e-3)
    only = store.search(NAME, query[1:], k=1, where=Where(video_ids=frozenset({"video-1", "video-2"})))
    assert only == [(rows[2].clip.clip_id, pytest.approx(0.8, abs=1e-3))]
    assert store.collections()[NAME] == space
    agree(store.search(NAME, np.array(between, np.float32), k=1), [(min(r.clip.clip_id for r in rows), 1.0)])
    with pytest.raises(EncodingError, match=r"the query has shape \(1, 3\), the space 'screens' needs \(T >= 1, 2\)"):
        store.search(NAME, np.ones((1, 3), np.float32), k=1)
    store.create(SPEECH, Space("flat", 2))
    with pytest.raises(EncodingError, match="has shape"):
        store.search(SPEECH, query, k=1)
