"""What is found: the right stretch of the right video, in the right order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from axes_index import DIM, AxesEncoder, Index, best

from vidembed.config.schema import MomentSettings, SearchSettings
from vidembed.errors import BadQuery
from vidembed.search.query import SearchOptions
from vidembed.types import Query, Span


def test_the_moment_is_found_with_its_borders(index: Index) -> None:
    found = best(index, "a dog")
    assert found.video_id == "walk"
    assert found.path == Path("/videos/walk.mp4")
    # Frames 15 to 21 show the dog alone, 12 to 14 the dog on the beach.
    assert found.span.iou(Span(12, 22)) > 0.65
    assert 15 <= found.best_s < 22
    assert found.span.contains(found.best_s)
    assert index.all_clips[found.clip_id].span.overlap_s(found.span) > 0
    (hit,) = found.hits
    assert (hit.channel, hit.rank) == ("vision", 1)
    assert hit.score == pytest.approx(1.0, abs=1e-3)


def test_a_video_of_one_frame_is_found(index: Index) -> None:
    found = best(index, "a bell")
    assert (found.video_id, found.span, found.best_s) == ("short", Span(0, 1), 0.5)


def test_a_video_that_matches_all_through_is_one_answer(index: Index) -> None:
    found = index.searcher().search("someone cooks")
    assert (found[0].video_id, found[0].span) == ("kitchen", Span(0, 20))
    assert sum(m.video_id == "kitchen" for m in found) == 1


def test_answers_are_sorted_and_spans_never_empty(index: Index) -> None:
    found = index.searcher().search("beach", SearchOptions(k=50))
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    assert all(m.span.duration_s > 0 and m.span.contains(m.best_s) for m in found)
    assert found == index.searcher().search("beach", SearchOptions(k=50))


def test_a_picture_is_a_query(index: Index) -> None:
    query = Query.image(np.eye(DIM, dtype=np.float32)[0])
    assert best(index, query).video_id == "walk"
    assert 0 <= best(index, query).confidence <= 1


def test_negatives_take_away(index: Index) -> None:
    plain = best(index, Query.text("night beach"))
    assert plain.video_id == "evening"
    assert 10 <= plain.best_s < 15
    without = best(index, Query.text("night beach") - Query.text("night"))
    assert without.video_id == "walk"
    assert index.all_clips[without.clip_id].span.end_s <= 10 or without.span.start_s >= 20


def test_more_like_this_leaves_the_example_out(index: Index) -> None:
    example = next(c for c in index.clips_of(["kitchen"])["kitchen"] if c.index == 1)
    found = index.searcher().search(Query.clip(example.clip_id), SearchOptions(k=5))
    assert found[0].video_id == "kitchen"
    assert all(example.clip_id not in {m.clip_id, *(h.clip_id for h in m.hits)} for m in found)


def test_captions_go_along(index: Index) -> None:
    found = best(index, "cook")
    index.told[found.clip_id] = "someone cooks"
    assert best(index, "cook").caption == "someone cooks"


def test_curve_of_a_video(index: Index) -> None:
    times, scores = index.searcher().curve("a dog", "walk")
    assert times.shape == scores.shape
    assert np.all(np.diff(times) > 0)
    assert 15 <= times[int(np.argmax(scores))] < 22
    assert scores[times < 12].max() < scores[(times > 15) & (times < 22)].min()
    with pytest.raises(BadQuery, match="no video 'nothing'"):
        index.searcher().curve("a dog", "nothing")


def test_one_channel_keeps_the_order_of_its_clips(index: Index) -> None:
    # Clips as far apart as videos, so that each is a moment of its own: their order is the channel's.
    index = Index()
    index.add_channel("vision", AxesEncoder())
    for i in range(8):
        frames = ["dog"] * (8 - i) + ["cook"] * i
        index.add("vision", f"v{i}", [" ".join(frames[:1]), *frames[1:]], clip_s=8)
    found = index.searcher(SearchSettings(moments=MomentSettings(smooth_s=0)), bank=False).search(
        "dog", SearchOptions(k=8, group_by_video=True)
    )
    assert [m.video_id for m in found][:7] == [f"v{i}" for i in range(7)]


def test_a_sound_track_alone_lifts_no_clip() -> None:
    """Few short clips, some with sound: being listed by a second channel must not beat showing what was asked for."""
    made = Index()
    made.add_channel("vision", AxesEncoder())
    made.add_channel("sound", AxesEncoder())
    for i, seen in enumerate(["dog", "dog", "dog", "beach", "beach", "cook", "cook", "night"]):
        made.add("vision", f"{seen}{i}", [seen], clip_s=1)
        if seen != "dog":
            made.add("sound", f"{seen}{i}", ["snow" if i % 2 else "boat"], clip_s=1)
    assert {m.video_id for m in made.searcher().search("dog", SearchOptions(k=3))} == {"dog0", "dog1", "dog2"}
    assert {m.video_id for m in made.searcher().search("boat", SearchOptions(k=2))} == {"beach4", "cook6"}
