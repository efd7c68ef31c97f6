"""Where something is inside a clip, in videos in which little changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from media_factory import colour, ffmpeg_program
from toy_index import filled

from vidembed import VideoIndex


def film(path: Path, *stretches: tuple[str, float], rate: int, **more: str) -> Path:
    """Each colour for its seconds, at so many pictures a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = [part for name, length_s in stretches for part in colour(name, length_s, rate=rate)]
    joined = "".join(f"[{number}:v]" for number in range(len(stretches)))
    graph = ["-filter_complex", f"{joined}concat=n={len(stretches)}:v=1:a=0{more.get('then', '')}[v]", "-map", "[v]"]
    codec = ["-fps_mode", "vfr", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-sc_threshold", "0"]
    command = [ffmpeg_program(), "-v", "error", "-nostdin", "-y", *inputs, *graph, *codec, f"file:{path}"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def test_what_a_fixed_camera_sees_for_three_seconds_is_told_to_the_second(tmp_path: Path) -> None:
    film(tmp_path / "videos" / "camera.mp4", ("black", 17), ("red", 3), ("black", 10), rate=10)
    for kind in ("shots", "whole"):
        with filled(tmp_path / kind, tmp_path / "videos", **{"segment.kind": kind}) as index:
            found = index.search("red", k=1)[0]
            assert found.span.start_s == pytest.approx(17.0, abs=0.6), kind
            assert found.span.end_s == pytest.approx(20.0, abs=0.6), kind
            assert found.best_s in (17.0, 18.0, 19.0), "when a frame was looked at"


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Three pictures in all: red for 12 s, green for 45 s, blue for 13 s."""
    drop = ",select='eq(n,0)+eq(n,12)+eq(n,57)+eq(n,69)'"
    film(tmp_path / "slides" / "slides.mp4", ("red", 12), ("lime", 45), ("blue", 13), rate=1, then=drop)
    return tmp_path / "slides"


@pytest.mark.parametrize("kind", ["shots", "windows", "changes", "whole"])
def test_each_clip_of_a_slide_show_has_a_vector_and_a_search_finds_its_slide(
    tmp_path: Path, slides: Path, kind: str
) -> None:
    with filled(tmp_path / "index", slides, **{"segment.kind": kind}) as index:
        spec = index.parts.specs["vision"]
        clips = index.clips()
        assert index.parts.store.count(spec.collection) == len(clips)
        assert clips[-1].span.end_s == pytest.approx(70.0, abs=1.1)
        for word, start_s, end_s in (("red", 0, 12), ("green", 12, 57), ("blue", 57, 70)):
            best = index.search(word, k=1)[0]
            assert start_s - 0.6 <= best.span.start_s <= best.best_s <= best.span.end_s <= end_s + 1.1, (kind, word)


def test_clips_between_the_pictures_of_a_slide_show_are_captioned(tmp_path: Path, slides: Path) -> None:
    with filled(tmp_path / "index", slides) as index:
        assert len(index.clips()) > 4
        assert_captioned(index)


def assert_captioned(index: VideoIndex) -> None:
    videos = list(index.caption())
    assert not [failure for video in videos for failure in video.failures]
    assert sum(len(video.captions) for video in videos) == len(index.clips())
