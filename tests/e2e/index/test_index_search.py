"""Searching an index of real files; answers worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidembed import Filter, Query, VideoIndex
from vidembed.errors import BadQuery, MediaNotFound


def test_colours_tones_and_both(shared: VideoIndex) -> None:
    red = shared.search("red", k=1)[0]
    assert (red.path.name, red.span.start_s) == ("red_blue.mp4", 0.0)
    assert red.span.end_s == pytest.approx(2.0, abs=0.5)
    assert red.span.contains(red.best_s)
    assert red.hits[0].score == pytest.approx(1.0, abs=1e-3)
    blue = {moment.path.name for moment in shared.search("blue", k=2)}
    assert blue == {"red_blue.mp4", "high.mp4"}
    assert shared.search("high", k=1)[0].path.name == "high.mp4"
    assert shared.search("blue low", k=1)[0].path.name == "red_blue.mp4"
    assert shared.search("blue high", k=1)[0].path.name == "high.mp4"


def test_a_picture_a_sound_and_a_video_find_their_like(shared: VideoIndex, library: Path) -> None:
    green = np.zeros((8, 8, 3), np.uint8)
    green[..., 1] = 255
    assert shared.search(Query.image(green), k=1)[0].path.name == "green.mp4"
    assert shared.search(Query.audio(library / "sub" / "high.mp4"), k=1)[0].path.name == "high.mp4"
    assert shared.search(Query.video(library / "green.mp4"), k=1)[0].path.name == "green.mp4"


def test_every_clips_own_frame_finds_it_first(shared: VideoIndex) -> None:
    for clip in shared.clips():
        with shared_reader(shared, clip.video_id) as video:
            frame = video.frames([clip.span.middle_s], short_side_px=64).rgb[0]
        best = shared.search(Query.image(frame), k=1, channels=["vision"])[0]
        same = {row.clip_id for row in shared.clips() if colour_of(shared, row) == colour_of(shared, clip)}
        assert best.clip_id in same


def test_filters(shared: VideoIndex) -> None:
    assert {m.path.name for m in shared.search("blue", where=Filter(paths=("sub/*",)))} == {"high.mp4"}
    assert shared.search("blue", where=Filter(paths=("*.mkv",))) == []
    longer = shared.search("blue", where=Filter(min_duration_s=3.0))
    assert {m.path.name for m in longer} == {"red_blue.mp4"}
    assert all(m.video_id for m in shared.search("blue", group_by_video=True))


def test_more_like_this_leaves_the_clip_itself_out(shared: VideoIndex) -> None:
    clip = next(c for c in shared.clips() if shared.path_of(c.video_id).name == "high.mp4")
    found = shared.search(Query.clip(clip.clip_id), channels=["vision"], k=1)[0]
    assert (found.path.name, found.clip_id != clip.clip_id) == ("red_blue.mp4", True)


def test_the_curve_is_high_where_the_colour_is(shared: VideoIndex) -> None:
    video_id = next(c.video_id for c in shared.clips() if shared.path_of(c.video_id).name == "red_blue.mp4")
    times_s, scores = shared.curve("red", video_id)
    assert scores[times_s < 1.5].min() > scores[times_s > 2.5].max()


def test_bad_queries(shared: VideoIndex, tmp_path: Path) -> None:
    for query in ("", "  ", Query.clip("nobody")):
        with pytest.raises(BadQuery):
            shared.search(query)
    with pytest.raises(MediaNotFound):
        shared.search(Query.image(tmp_path / "absent.jpg"))
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(BadQuery, match="not a picture"):
        shared.search(Query.image(tmp_path / "text.jpg"))
    with pytest.raises(BadQuery, match="no channel 'speech'"):
        shared.search("red", channels=["speech"])


def shared_reader(index: VideoIndex, video_id: str) -> Any:
    from vidembed.media.reading.reader import open_video

    return open_video(index.path_of(video_id))


def colour_of(index: VideoIndex, clip: Any) -> str:
    """Which of the three files' looks a clip has: the blue halves look alike."""
    name = index.path_of(clip.video_id).name
    if name == "green.mp4":
        return "green"
    return "high" if name == "high.mp4" or clip.index == 1 else "red"
