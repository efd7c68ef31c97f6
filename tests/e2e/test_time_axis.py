"""When things are seen, through an index: pictures that change once, that stand long, that come hours apart."""

from __future__ import annotations

import subprocess
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from media_factory import ffmpeg_program

from vidembed import open_index
from vidembed.media.editing.sheet import Tile
from vidembed.types import Span

TOY: dict[str, Any] = {"channels.sound.enabled": False, "store.kind": "memory"}
# Blue for 12 s, red for 45 s, lime for 12 s; each is one picture, but for one more 1 s before the end.
SLIDES = (
    "color=blue:s=64x48:r=1:d=69,drawbox=c=red:t=fill:enable='between(t,12,56)',drawbox=c=lime:t=fill:enable='gte(t,57)',"
    "select='eq(n,0)+eq(n,12)+eq(n,57)+eq(n,68)'"
)


def made(path: Path, graph: str, *more: str) -> Path:
    command = [ffmpeg_program(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", graph, *more]
    coding = ["-fps_mode", "passthrough", "-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, *coding, str(path)], check=True)
    return path


def test_a_fixed_camera_tells_when_something_comes_and_goes(tmp_path: Path) -> None:
    """Red from 17 to 20 s of 30 s, in one clip."""
    red = "color=gray:s=64x48:r=10:d=30,drawbox=c=red:t=fill:enable='between(t,17,19.99)'"
    film = made(tmp_path / "camera.mp4", red)
    with open_index(tmp_path / "index", profile="toy", overrides=TOY | {"segment.kind": "whole"}) as index:
        assert index.add(film).clips == 1
        best = index.search("a red thing")[0]
    assert (best.span.start_s, best.span.end_s) == (pytest.approx(17, abs=0.1), pytest.approx(20, abs=0.1))
    assert best.best_s == pytest.approx(17, abs=0.01), "a picture that was looked at"


def test_the_starter_tells_when_it_is_red_though_grey_looks_red_to_it(tmp_path: Path) -> None:
    """The same film: "red" once was all 30 s, as grey is nearer to red than to most other words."""
    red = "color=gray:s=320x240:r=10:d=30,drawbox=c=red:t=fill:enable='between(t,17,19.99)'"
    film = made(tmp_path / "camera.mp4", red)
    with open_index(tmp_path / "index", profile="starter", overrides=TOY) as index:
        assert not index.add(film).failed
        for words in ("red", "plain red", "something red"):
            best = index.search(words)[0]
            assert (best.span.start_s, best.span.end_s) == (pytest.approx(17, abs=0.1), pytest.approx(20, abs=0.1))


def test_slides_are_cut_where_they_change_and_found_to_their_ends(tmp_path: Path) -> None:
    film = made(tmp_path / "slides.mp4", SLIDES)
    settings = TOY | {"segment.kind": "shots", "segment.max_s": 20.0}
    with open_index(tmp_path / "index", profile="toy", overrides=settings) as index:
        assert not index.add(film).failed
        spans = [clip.span for clip in index.clips(film)]
        assert spans == [Span(0, 12), Span(12, 32), Span(32, 52), Span(52, 57), Span(57, 69)]
        best = index.search("a red thing")[0]
        assert best.span == Span(12, 57)
        list(index.caption())
        told = [caption.text for caption in index.captions(film)]
    assert [text.split(" frames")[0] for text in told] == ["blue", "red", "red", "red", "green"]


def test_hours_between_two_pictures_are_no_thousands_of_clips(tmp_path: Path) -> None:
    jump = "color=red:s=64x48:r=10:d=2,settb=1/10,setpts='if(eq(N,0),0,N+1080000)'"  # 30 hours
    film = made(tmp_path / "jump.mp4", jump, "-enc_time_base", "1:10")
    with open_index(tmp_path / "index", profile="toy", overrides=TOY) as index:
        report = index.add(film)
        (video,) = index.videos()
    assert video.info.duration_s == pytest.approx(108_002, abs=1)
    assert (report.clips, report.failed) == (2, ())


def test_captions_thumbnails_moments_and_chapters_follow_the_shots(tmp_path: Path) -> None:
    """Blue for 25.4 s, red for 22.2 s, lime for 21.4 s; clips are 20 s long at most."""
    drawn = "".join(
        f",drawbox=c={colour}:t=fill:enable='between(t,{begin_s},{end_s})'"
        for colour, begin_s, end_s in (("red", 25.4, 47.5), ("lime", 47.6, 70))
    )
    film = made(tmp_path / "film.mp4", f"color=blue:s=64x48:r=10:d=69{drawn}", "-g", "40")
    borders_s = [0.0, 25.4, 47.6, 69.0]
    with open_index(tmp_path / "index", profile="toy", overrides=TOY | {"segment.kind": "shots"}) as index:
        assert not index.add(film).failed
        clips = index.clips(film)
        assert {clip.span.start_s for clip in clips} >= set(borders_s[:-1])
        shown = []
        for clip in clips:
            thumbnail = index.thumbnail(clip.clip_id)
            assert thumbnail is not None
            with PIL.Image.open(thumbnail) as picture:
                shown.append(["red", "lime", "blue"][int(np.argmax(np.asarray(picture).mean((0, 1))))])
        shots = [["blue", "red", "lime"][bisect_right(borders_s, clip.span.middle_s) - 1] for clip in clips]
        assert shown == shots
        list(index.caption())
        (told,) = index.captioned(film)
        named = [caption.text.split(" frames")[0] for caption in told.captions]
        assert named == [colour.replace("lime", "green") for colour in shots]
        assert told.summary is not None
        assert [cue.span for cue in told.summary.chapters] == [Span(*both) for both in pairwise(borders_s)]
        assert index.search("a red thing")[0].span == Span(25.4, 47.6)
    assert [tile.span for tile in Tile.of_shots(film)] == [Span(*both) for both in pairwise(borders_s)]
