"""Which of the answers are given: filters, pages, one per video, diversity."""

from __future__ import annotations

import pytest
from axes_index import AXES, AxesEncoder, Index

from vidembed.config.schema import MomentSettings, SearchSettings
from vidembed.errors import BadQuery
from vidembed.search.query import SearchOptions
from vidembed.types import Filter, Query, Span


def test_filters(index: Index) -> None:
    searcher = index.searcher()
    assert {m.video_id for m in searcher.search("dog", SearchOptions(where=Filter(paths=("evening*",))))} == {"evening"}
    assert {m.video_id for m in searcher.search("dog", SearchOptions(where=Filter(videos=("kitchen",))))} == {"kitchen"}
    assert {m.video_id for m in searcher.search("dog", SearchOptions(where=Filter(max_duration_s=5)))} == {"short"}
    assert searcher.search("dog", SearchOptions(where=Filter(paths=("nowhere/*",)))) == []
    with pytest.raises(BadQuery):
        searcher.search(" ", SearchOptions(where=Filter(paths=("nowhere/*",))))
    within = searcher.search("dog", SearchOptions(where=Filter(videos=("walk",), within=Span(0, 13))))
    assert within
    assert all(m.span.end_s <= 13 for m in within)
    query = Query.text("dog", where=Filter(videos=("evening",)))
    assert searcher.search(query)[0].video_id == "evening"
    assert searcher.search(query, SearchOptions(where=Filter(videos=("walk",))))[0].video_id == "walk"


def test_pages_join_up(index: Index) -> None:
    searcher = index.searcher()
    whole = searcher.search("night beach", SearchOptions(k=6))
    pages = [
        moment
        for offset in range(0, 6, 2)
        for moment in searcher.search("night beach", SearchOptions(k=2, offset=offset))
    ]
    assert pages == whole
    assert searcher.search("night beach", SearchOptions(k=5, offset=500)) == []


def test_pages_join_up_beyond_a_round_of_seeds() -> None:
    index = Index()
    index.add_channel("vision", AxesEncoder())
    for i in range(30):
        index.add(
            "vision", f"v{i:02d}", [AXES[i % 8], AXES[(i + 1) % 8], f"{AXES[i % 8]} {AXES[(i + 2) % 8]}"], clip_s=1
        )
    searcher = index.searcher(SearchSettings(seeds=7, moments=MomentSettings(smooth_s=0)))
    whole = searcher.search("dog", SearchOptions(k=40))
    assert [m.score for m in whole] == sorted((m.score for m in whole), reverse=True)
    assert [m for offset in range(0, 40, 5) for m in searcher.search("dog", SearchOptions(k=5, offset=offset))] == whole
    assert len({(m.video_id, m.span) for m in whole}) == len(whole)


def test_one_answer_per_video(index: Index) -> None:
    found = index.searcher().search("beach", SearchOptions(k=10, group_by_video=True))
    assert sorted(m.video_id for m in found) == ["evening", "kitchen", "short", "walk"]
    assert found[0].video_id == "walk"


def test_diversity_brings_other_things_up() -> None:
    index = Index()
    index.add_channel("vision", AxesEncoder())
    for i in range(4):
        index.add("vision", f"same{i}", ["dog"] * 3)
    index.add("vision", "other", ["dog beach"] * 3)
    plain = [m.video_id for m in index.searcher().search("dog", SearchOptions(k=5))]
    diverse = [m.video_id for m in index.searcher().search("dog", SearchOptions(k=5, diversity=0.8))]
    assert plain.index("other") == 4
    assert diverse.index("other") == 1
    assert sorted(plain) == sorted(diverse)
