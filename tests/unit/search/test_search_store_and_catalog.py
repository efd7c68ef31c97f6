"""What the searcher asks of the store and the catalog, and follows as they change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from axes_index import DIM, AxesEncoder, Index

from vidembed.errors import StoreError
from vidembed.search.query import SearchOptions
from vidembed.types import Clip, Row, Span
from vidembed.vectors import pool, unit_rows


def test_an_empty_index_has_no_answers_and_store_errors_pass() -> None:
    index = Index()
    index.add_channel("vision", AxesEncoder())
    assert index.searcher().search("dog") == []
    index.add("vision", "walk", ["dog"])
    assert index.searcher().search("dog")[0].video_id == "walk"
    searcher = index.searcher()
    index.store.close()
    with pytest.raises(StoreError, match="closed"):
        searcher.search("dog")


def test_new_clips_are_seen_without_invalidating(index: Index) -> None:
    searcher = index.searcher()
    searcher.search("dog")
    index.add("vision", "puppy", ["dog"] * 4)
    assert "puppy" in {m.video_id for m in searcher.search("dog")}


def test_clips_the_catalog_lacks_are_no_answer(index: Index) -> None:
    for clip in index.clips_of(["walk"])["walk"]:
        del index.all_clips[clip.clip_id]
    assert "walk" not in {m.video_id for m in index.searcher().search("dog", SearchOptions(k=50))}


def _random_index(n_videos: int, clips_each: int) -> Index:
    rng = np.random.default_rng(5)
    index = Index()
    index.add_channel("vision", AxesEncoder())
    rows = []
    for v in range(n_videos):
        for i in range(clips_each):
            clip = Clip.make(f"v{v}", i, Span(i * 5.0, i * 5.0 + 5))
            index.all_clips[clip.clip_id] = clip
            segments = unit_rows(rng.normal(size=(5, DIM)))
            rows.append(Row(clip, pool(segments), segments.astype(np.float16), clip.span.start_s + np.arange(5) + 0.5))
    index.store.put(index.channels["vision"].collection, rows)
    return index


def test_the_work_beside_the_store_does_not_grow_with_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    index = _random_index(40, 100)
    by_video: dict[str, list[Clip]] = {}
    for clip in index.all_clips.values():
        by_video.setdefault(clip.video_id, []).append(clip)
    monkeypatch.setattr(index, "clips_of", lambda video_ids: {v: by_video.get(v, []) for v in video_ids})
    fetched = 0
    rows: Callable[..., dict[str, Row]] = index.store.rows

    def counted(collection: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        nonlocal fetched
        fetched += len(clip_ids)
        return rows(collection, clip_ids, segments=segments)

    searcher = index.searcher()
    searcher.search("bell", SearchOptions(k=10))  # takes the sample
    monkeypatch.setattr(index.store, "rows", counted)
    started = time.process_time()
    assert len(searcher.search("dog", SearchOptions(k=10))) == 10
    assert time.process_time() - started < 2.0  # takes about 0.05 s
    assert fetched <= 50 + 24 * 7
