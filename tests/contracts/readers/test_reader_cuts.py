"""Every reader tells where shots begin, to the frame, whatever it decodes for the frames that were asked for."""

from __future__ import annotations

import pytest
from media_factory import BLUE, GREEN, Media, Sample
from seen_media import KNOWN_TIMES, assert_colour, opened

from vidembed.config.schema import MediaSettings
from vidembed.demo import demo_videos
from vidembed.errors import MissingDependency
from vidembed.media.reading.pyav_reader import PyavReader
from vidembed.media.reading.reader import open_video
from vidembed.protocols import StreamMode, VideoReader
from vidembed.types import Span

THREE_SHOTS = [sample for sample in KNOWN_TIMES if len(sample.times_s) == 30 and len(sample.colours) == 3]
LATE = ["late.mp4", "late_gops.mp4", "late_intra.mov", "late_b.avi"]

assert len(THREE_SHOTS) > 10


def cuts(video: VideoReader, **asked: object) -> list[float]:
    frames = video.stream(short_side_px=32, cuts=True, **asked)  # type: ignore[arg-type]
    return [frame.cut_s for frame in frames if frame.cut_s is not None]


@pytest.mark.parametrize("mode", ["fixed", "adaptive"])
@pytest.mark.parametrize("sample", THREE_SHOTS, ids=lambda sample: sample.name)
def test_red_green_and_blue_begin_where_they_do(media: Media, backend: str, sample: Sample, mode: StreamMode) -> None:
    with opened(media, sample.name, backend) as video:
        assert cuts(video, rate_hz=0.7, mode=mode) == pytest.approx([1.0, 2.0], abs=2e-3)


@pytest.mark.parametrize("name", LATE)
def test_cuts_between_frames_are_told_to_the_frame(media: Media, backend: str, name: str) -> None:
    """Green from 1.2 to 1.64 s: no frame falls into it, so it gets one of its own."""
    with opened(media, name, backend) as video:
        frames = list(video.stream(rate_hz=1, short_side_px=32, cuts=True))
        assert [frame.time_s for frame in frames] == pytest.approx([0.0, 1.0, 1.2, 2.0, 3.0], abs=2e-3)
        assert [frame.cut_s for frame in frames] == [None, None, pytest.approx(1.2), pytest.approx(1.64), None]
        assert_colour(frames[2].rgb, GREEN, "the shot without a frame")
        assert_colour(frames[3].rgb, BLUE, "after it")


def test_the_demos_film_has_five_cuts(backend: str) -> None:
    """At the default rate, to two pictures; as PySceneDetect and TransNet see them."""
    try:
        (film,) = [path for path in demo_videos() if path.name == "bikes.mp4"]
    except MissingDependency:
        pytest.skip("the extra demo is not installed")
    with open_video(film, MediaSettings(reader=backend)) as video:  # type: ignore[arg-type]
        assert cuts(video, rate_hz=1, mode="adaptive") == pytest.approx([1.20, 3.04, 5.48, 7.48, 9.68], abs=0.081)


def test_a_shot_after_the_last_frame_that_was_asked_for_is_seen(media: Media, backend: str) -> None:
    """Blue from 2.68 s to the end at 2.88 s, in a group of pictures that no second begins in."""
    with opened(media, "last_shot.mp4", backend) as video:
        assert cuts(video, rate_hz=1, mode="adaptive") == pytest.approx([1.2, 2.68], abs=2e-3)
    with opened(media, "last_shot.mp4", backend) as video:
        assert cuts(video, rate_hz=1) == pytest.approx([1.2, 2.68], abs=2e-3)


def test_a_flash_is_no_cut_and_a_dissolve_is_one(media: Media, backend: str) -> None:
    with opened(media, "flash.mp4", backend) as video:
        assert cuts(video, rate_hz=1) == []
    with opened(media, "dissolve.mp4", backend) as video:
        (told_s,) = cuts(video, rate_hz=1)
        assert 2.1 <= told_s <= 2.9, "from 2 to 3 s"


def test_within_a_span_only_its_own(media: Media, backend: str) -> None:
    with opened(media, "three_shots.mp4", backend) as video:
        assert cuts(video, rate_hz=2, span=Span(1.5, 2.5)) == pytest.approx([2.0])


@pytest.mark.parametrize(
    "sample", [*THREE_SHOTS, "late.mp4", "late_gops.mp4"], ids=lambda sample: getattr(sample, "name", sample)
)
def test_frames_and_cuts_are_the_same_for_any_number_of_threads(media: Media, sample: Sample | str) -> None:
    told = []
    for threads in (1, 2, 4):
        with PyavReader(media.path(getattr(sample, "name", sample)), threads=threads) as video:
            frames = video.stream(rate_hz=1, short_side_px=32, mode="adaptive", cuts=True)
            told.append([(frame.time_s, frame.cut_s) for frame in frames])
    assert told[0] == told[1] == told[2]
    assert any(cut_s is not None for _, cut_s in told[0])


@pytest.mark.parametrize("mode", ["fixed", "adaptive", "keyframes"])
@pytest.mark.parametrize("rate_hz", [0.5, 3.0])
@pytest.mark.parametrize("sample", KNOWN_TIMES, ids=lambda sample: sample.name)
def test_looking_for_cuts_changes_no_frame(media: Media, sample: Sample, rate_hz: float, mode: StreamMode) -> None:
    """Each that comes without is there, at the same time; what is more begins a shot."""
    for threads in (1, 3):
        with PyavReader(media.path(sample.name), threads=threads) as video:
            plain = [frame.time_s for frame in video.stream(rate_hz=rate_hz, short_side_px=32, mode=mode)]
            watched = list(video.stream(rate_hz=rate_hz, short_side_px=32, mode=mode, cuts=True))
        assert [frame.time_s for frame in watched if frame.cut_s is None or frame.time_s in plain] == plain
