"""Every reader gives the frames of the times that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from media_factory import BLUE, GREEN, RED, Media, Sample
from seen_media import KNOWN_TIMES, assert_colour, opened, truth

from vidembed.media.reading.gops import slot_of
from vidembed.protocols import VideoReader
from vidembed.types import Span


def test_is_a_video_reader(reader: VideoReader, backend: str) -> None:
    assert isinstance(reader, VideoReader)
    assert reader.backend == backend


@pytest.mark.parametrize("sample", KNOWN_TIMES, ids=lambda sample: sample.name)
def test_stream_gives_every_frame_at_its_time(media: Media, backend: str, sample: Sample) -> None:
    with opened(media, sample.name, backend) as video:
        frames = list(video.stream(rate_hz=1000, short_side_px=48))
    assert [frame.time_s for frame in frames] == pytest.approx(sample.times_s, abs=2e-3)
    for frame in frames:
        assert frame.rgb.dtype == np.uint8
        assert_colour(frame.rgb, truth(sample, frame.time_s), f"{frame.time_s:.3f} s")


@pytest.mark.parametrize("mode", ["fixed", "adaptive", "keyframes"])
@pytest.mark.parametrize("rate_hz", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("sample", KNOWN_TIMES, ids=lambda sample: sample.name)
def test_stream_takes_one_frame_of_each_interval(
    media: Media, backend: str, sample: Sample, rate_hz: float, mode: str
) -> None:
    with opened(media, sample.name, backend) as video:
        frames = list(video.stream(rate_hz=rate_hz, short_side_px=48, mode=mode))
        decoded = video.counts["decoded"]
    slots = [slot_of(frame.time_s, rate_hz) for frame in frames]
    first = {}
    for time_s in sample.times_s:
        first.setdefault(slot_of(time_s, rate_hz), time_s)
    if mode == "fixed":
        assert [frame.time_s for frame in frames] == pytest.approx(list(first.values()), abs=2e-3)
    elif mode == "adaptive":
        assert slots == list(first)
    else:
        assert frames
        assert sorted(set(slots)) == slots
    assert decoded <= len(sample.times_s)
    for frame in frames:
        assert_colour(frame.rgb, truth(sample, frame.time_s), f"{frame.time_s:.3f} s")


@pytest.mark.parametrize("sample", KNOWN_TIMES, ids=lambda sample: sample.name)
def test_frames_are_found_by_time(media: Media, backend: str, sample: Sample) -> None:
    """At, just before and between the frames, forwards and after jumping back."""
    times_s = np.asarray(sample.times_s)
    asked = sorted({*times_s, *(times_s[1:] - 0.002), *((times_s[1:] + times_s[:-1]) / 2)})
    with opened(media, sample.name, backend) as video:
        for chosen in (asked, asked[len(asked) // 2 :: 3], asked[:5]):
            batch = video.frames(chosen, short_side_px=48)
            expected = sorted({times_s[np.searchsorted(times_s, time_s + 1e-4, side="right") - 1] for time_s in chosen})
            assert batch.times_s.tolist() == pytest.approx(expected, abs=2e-3)
            for rgb, time_s in zip(batch.rgb, batch.times_s, strict=True):
                assert_colour(rgb, truth(sample, time_s), f"{time_s:.3f} s")


def test_variable_rate_is_looked_up_by_timestamp(media: Media, backend: str) -> None:
    """Green lasts a thirtieth of a second in a file whose average rate says 2 frames a second."""
    with opened(media, "vfr.mp4", backend) as video:
        batch = video.frames([0.99, 1.01, 1.5, 5.0], short_side_px=48)
    assert batch.times_s.tolist() == pytest.approx([0.0, 1.0, 1.033, 2.0], abs=2e-3)
    for rgb, expected in zip(batch.rgb, (RED, GREEN, BLUE, GREEN), strict=True):
        assert_colour(rgb, expected, "variable rate")


def test_times_beyond_both_ends_give_the_first_and_last_frame(reader: VideoReader) -> None:
    assert reader.frames([0.0], short_side_px=48).times_s.tolist() == pytest.approx([0.0])
    assert reader.frames([99.0], short_side_px=48).times_s.tolist() == pytest.approx([2.9], abs=1e-3)


def test_one_frame_is_a_video(media: Media, backend: str) -> None:
    with opened(media, "one_frame.mp4", backend) as video:
        assert len(list(video.stream(rate_hz=1, short_side_px=48))) == 1
        assert len(video.frames([0.0, 0.05, 3.0], short_side_px=48)) == 1


def test_span_gives_what_the_whole_video_has_there(reader: VideoReader) -> None:
    whole = [frame.time_s for frame in reader.stream(rate_hz=5, short_side_px=48)]
    part = [frame.time_s for frame in reader.stream(rate_hz=5, short_side_px=48, span=Span(1.15, 2.05))]
    assert part == pytest.approx([1.2, 1.4, 1.6, 1.8, 2.0], abs=1e-3)
    assert set(np.round(part, 3)) <= set(np.round(whole, 3))


def test_span_inside_one_long_frame_gives_that_frame(media: Media, backend: str) -> None:
    with opened(media, "vfr.mp4", backend) as video:
        frames = list(video.stream(rate_hz=5, short_side_px=48, span=Span(0.3, 0.9)))
    assert [frame.time_s for frame in frames] == [0.0]
    assert_colour(frames[0].rgb, RED, "long frame")
