"""Every sample of every made file is the picture that the ffmpeg program shows at that time.

It decodes all pictures in order, with no plan, no seek and no second thread of ours. Times are those of the commands
that made the files.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from awkward_media import CLOCKS, SHAPES
from media_factory import SAMPLES, Media, Sample, ffmpeg_program
from numpy.typing import NDArray
from odd_streams import FIELD_GREYS, ODD_STREAMS
from seen_media import KNOWN_TIMES

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable
from vidembed.media.reading.reader import open_video
from vidembed.protocols import StreamMode

SIDE_PX = 500  # as it is: only colours are converted
LARGEST_DIFFERENCE = 6.0  # mean of a picture, of 255
FILES = [*KNOWN_TIMES, *ODD_STREAMS]
THREADS = (1, 2, 4)
# Where we show what players show, and FFmpeg's program something else; and what cannot be decoded. Told elsewhere.
UNLIKE = (
    "empty_edit_0.mp4", "empty_edit_2.mp4", "ends_empty.mp4", "before_zero.mkv", "sheared.mp4", "size_changes.ts",
    "preview_first.mkv", "unflagged.mkv", "cover_first.mkv", "animated.avif", "unmarked_hd.mkv",
    "cropped.mkv", "clean_aperture.mp4",  # alike since FFmpeg 8
    "encrypted.mp4", "encrypted.m4a", "scrambled.ts", "nothing_left.m4b",
)  # fmt: skip
MISLEADING = [one for one in (*CLOCKS, *SHAPES) if one.size != (0, 0) and one.name not in UNLIKE]
MODES: tuple[tuple[StreamMode, float], ...] = (("adaptive", 1.0), ("fixed", 2.5), ("fixed", 1000.0), ("keyframes", 1.0))

assert len(FILES) > 25
assert {sample.name for sample in KNOWN_TIMES} <= {sample.name for sample in SAMPLES}


class Shown(NamedTuple):
    times_s: NDArray[np.float64]  # (T,)
    rgb: NDArray[np.uint8]  # (T, H, W, 3)


@cache
def by_ffmpeg(path: Path, size: tuple[int, int]) -> Shown:
    """All pictures of a file, from t = 0."""
    width, height = size
    show = f"showinfo,scale={width}:{height}:flags=bicubic+accurate_rnd+full_chroma_int"
    command = [ffmpeg_program(), "-hide_banner", "-nostdin", "-i", f"file:{path}", "-map", "0:v:0", "-vf", show]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    # A program that is linked statically cannot load the C library's tables for the text in transport streams.
    done = subprocess.run(command, capture_output=True, check=True, env=os.environ | {"GCONV_PATH": "/dev/null"})
    times_s = np.array([float(found) for found in re.findall(rb"pts_time:\s*(\S+)", done.stderr)])
    rgb = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    assert len(times_s) == len(rgb)
    return Shown(times_s - times_s[0], rgb)


def assert_same(sample: Sample, shown: Shown, times_s: list[float], rgb: list[NDArray[np.uint8]]) -> None:
    for time_s, picture in zip(times_s, rgb, strict=True):
        place = int(np.argmin(np.abs(np.array(sample.times_s) - time_s)))
        assert time_s == pytest.approx(sample.times_s[place], abs=2e-3), sample.name
        difference = np.abs(picture.astype(int) - shown.rgb[place]).mean()
        assert difference <= LARGEST_DIFFERENCE, f"{sample.name} at {time_s:.3f} s"


def settings(backend: str) -> MediaSettings:
    return MediaSettings(reader=backend)  # type: ignore[arg-type]


def reads(backend: str, sample: Sample) -> None:
    if backend == "decord" and not sample.decord:
        pytest.skip("decord refuses this file; test_decord_refuses covers it")


@pytest.mark.parametrize("sample", FILES, ids=lambda sample: sample.name)
def test_samples_are_ffmpegs_pictures_whatever_threads(media: Media, backend: str, sample: Sample) -> None:
    reads(backend, sample)
    path = media.path(sample.name)
    for mode, rate_hz in MODES:
        sampled = []
        for threads in THREADS:
            with open_video(path, settings(backend), threads=threads) as video:
                frames = list(video.stream(rate_hz=rate_hz, short_side_px=SIDE_PX, mode=mode))
            sampled.append([frame.time_s for frame in frames])
            height, width = frames[0].rgb.shape[:2]
            shown = by_ffmpeg(path, (width, height))
            assert len(shown.times_s) == len(sample.times_s)
            assert_same(sample, shown, sampled[-1], [frame.rgb for frame in frames])
        assert sampled[0] == sampled[1] == sampled[2], mode
        if rate_hz == 1000:
            assert sampled[0] == pytest.approx(sample.times_s, abs=2e-3)
        elif mode == "adaptive":
            assert len(sampled[0]) == len({int(time_s + 1e-6) for time_s in sample.times_s}), "one of each second"


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("sample", FILES, ids=lambda sample: sample.name)
def test_pictures_at_given_times_are_ffmpegs(media: Media, backend: str, sample: Sample, threads: int) -> None:
    """Near the end, back, and forwards again: each but the first after a seek."""
    reads(backend, sample)
    path = media.path(sample.name)
    last = len(sample.times_s) - 1
    with open_video(path, settings(backend), threads=threads) as video:
        for place in (last * 9 // 10, last * 3 // 10, last * 6 // 10, last // 20, last):
            asked_s = sample.times_s[place]
            found = video.frames([asked_s + 1e-3], short_side_px=SIDE_PX)
            height, width = found.rgb.shape[1:3]
            assert found.times_s[0] == pytest.approx(asked_s, abs=2e-3)
            assert_same(sample, by_ffmpeg(path, (width, height)), [asked_s], [found.rgb[0]])


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("sample", ODD_STREAMS, ids=lambda sample: sample.name)
def test_a_span_begins_where_it_is_asked_to(media: Media, sample: Sample, threads: int) -> None:
    from vidembed.types import Span

    span = Span(sample.times_s[-1] * 0.45, sample.times_s[-1] * 0.8)
    with open_video(media.path(sample.name), threads=threads) as video:
        frames = list(video.stream(rate_hz=1000, short_side_px=SIDE_PX, span=span))
    expected = [time_s for time_s in sample.times_s if span.contains(time_s)]
    assert [frame.time_s for frame in frames] == pytest.approx(expected, abs=2e-3)
    height, width = frames[0].rgb.shape[:2]
    shown = by_ffmpeg(media.path(sample.name), (width, height))
    assert_same(sample, shown, [frame.time_s for frame in frames], [frame.rgb for frame in frames])


@pytest.mark.parametrize("sample", MISLEADING, ids=lambda sample: sample.name)
def test_misleading_files_show_ffmpegs_pictures_whatever_threads(media: Media, backend: str, sample: Sample) -> None:
    """All of them, in their order; when they are shown, headers and stamps of these files do not say."""
    reads(backend, sample)
    path = media.path(sample.name)
    found = []
    for threads in THREADS:
        with open_video(path, settings(backend), threads=threads) as video:
            try:
                frames = list(video.stream(rate_hz=1000, short_side_px=SIDE_PX))
            except MediaUnreadable:
                if backend != "decord":
                    raise
                pytest.skip("decord refuses this file; test_decord_refuses covers it")
        height, width = frames[0].rgb.shape[:2]
        shown = by_ffmpeg(path, (width, height))
        assert len(frames) == len(shown.rgb)
        for frame, picture in zip(frames, shown.rgb, strict=True):
            assert np.abs(frame.rgb.astype(int) - picture).mean() <= LARGEST_DIFFERENCE, f"at {frame.time_s:.3f} s"
        found.append([frame.time_s for frame in frames])
    assert found[0] == found[1] == found[2]


def test_fields_are_greys_that_are_known(media: Media) -> None:
    """Luma 16 to 235 is black to white: 40 is (40 - 16) * 255 / 219 = 28, and so on, one grey a second."""
    with open_video(media.path("fields.ts"), threads=2) as video:
        frames = list(video.stream(rate_hz=1, short_side_px=64, mode="adaptive"))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 1, 2, 3, 4, 5], abs=1e-3)
    expected = [(grey - 16) * 255 / 219 for grey in FIELD_GREYS]
    assert [float(frame.rgb.mean()) for frame in frames] == pytest.approx(expected, abs=3)


def test_a_cut_without_a_keyframe_shows_its_first_picture(media: Media) -> None:
    with open_video(media.path("copied_cut.mp4")) as video:
        assert [frame.time_s for frame in video.stream(rate_hz=1, short_side_px=32, mode="keyframes")] == [0.0]
