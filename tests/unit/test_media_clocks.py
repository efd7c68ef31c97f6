"""Time stamps that begin anew, headers that lie or guess, sound before pictures: what is shown and heard when."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

import numpy as np
import pytest
from awkward_media import CLOCKS
from media_factory import BLUE, RED, Media, Sample
from seen_media import COLOUR_TOLERANCE, colour_of

from vidembed.errors import MediaUnreadable, NoSuchStream
from vidembed.media.reading.probe import probe
from vidembed.media.reading.reader import open_video
from vidembed.protocols import VideoReader
from vidembed.types import Span

WHOLE = [sample for sample in CLOCKS if sample.duration_s > 0]
PICTURES = [sample for sample in WHOLE if sample.size != (0, 0)]
BARE = ("bare.m1v", "bare_b.m1v", "bare.m2v", "bare_b.m2v", "bare.m4v", "bare.mjpeg", "bare.h263", "bare.obu")
NAMES = {"red": RED, "blue": BLUE}


def shown(video: VideoReader, rate_hz: float = 10) -> list[tuple[float, str]]:
    """When each colour begins."""
    seen = [(frame.time_s, _name(frame.rgb)) for frame in video.stream(rate_hz=rate_hz, short_side_px=48)]
    return [next(run) for _, run in groupby(seen, key=lambda entry: entry[1])]


def _name(rgb: np.ndarray) -> str:
    return next(name for name, rgb_ in NAMES.items() if np.abs(colour_of(rgb) - rgb_).max() <= 2 * COLOUR_TOLERANCE)


def pitch(video: VideoReader, start_s: float, end_s: float) -> float:
    sound = video.audio(Span(start_s, end_s), rate_hz=16000).samples
    return float(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))) / (end_s - start_s)


@pytest.mark.parametrize("sample", WHOLE, ids=lambda sample: sample.name)
def test_the_length_is_what_is_there(media: Media, sample: Sample) -> None:
    info = probe(media.path(sample.name))
    assert info.duration_s == pytest.approx(sample.duration_s, abs=0.25 if "cut_off" in sample.name else 0.12)
    assert (info.width_px, info.height_px) == sample.size
    assert info.audio_rate_hz == sample.audio_rate_hz


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sample", PICTURES, ids=lambda sample: sample.name)
def test_pictures_go_on_to_the_end(media: Media, sample: Sample, threads: int) -> None:
    with open_video(media.path(sample.name), threads=threads) as video:
        times_s = [frame.time_s for frame in video.stream(rate_hz=100, short_side_px=24)]
    assert times_s == sorted(times_s)
    shown_until_s = {"ends_empty.mp4": 2.0, "stands.ogv": times_s[-1] + 0.1}.get(sample.name, sample.duration_s)
    assert times_s[-1] == pytest.approx(shown_until_s - 0.1, abs=0.25 if "cut_off" in sample.name else 0.12)
    begins_s = 6.0 if sample.name.startswith("picture_at_6s") else 0.0
    assert times_s[0] == pytest.approx(begins_s, abs=0.05)


@pytest.mark.parametrize("name", ["joined.ts", "joined.vob", "joined_ahead.ts"])
@pytest.mark.parametrize("threads", [1, 2])
def test_joined_recordings_follow_one_another(media: Media, name: str, threads: int) -> None:
    """Each part begins with its own time stamps: red and 440 Hz for 2 s, then blue and 1000 Hz for 2 s."""
    with open_video(media.path(name), threads=threads) as video:
        assert [colour for _, colour in shown(video)] == ["red", "blue"]
        assert shown(video)[1][0] == pytest.approx(2.0, abs=0.11)
        for time_s, colour in ((3.5, "blue"), (0.5, "red"), (2.5, "blue"), (1.5, "red"), (3.9, "blue")):
            found = video.frames([time_s], short_side_px=48)
            assert _name(found.rgb[0]) == colour
            assert found.times_s[0] == pytest.approx(time_s, abs=0.11)
        part = list(video.stream(rate_hz=10, short_side_px=48, span=Span(2.5, 3.0)))
        assert [round(frame.time_s, 1) for frame in part] == pytest.approx([2.5, 2.6, 2.7, 2.8, 2.9], abs=0.11)
        assert {_name(frame.rgb) for frame in part} == {"blue"}
        for begin_s, hz in ((0.5, 440), (2.5, 1000), (1.0, 440), (3.0, 1000)):
            assert pitch(video, begin_s, begin_s + 0.5) == pytest.approx(hz, abs=4)
        assert video.counts["missing"] == video.counts["corrupt"] == 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["empty_edit_0.mp4", "empty_edit_2.mp4"])
def test_an_empty_edit_shows_nothing(media: Media, name: str, threads: int) -> None:
    """From 0 to 1 s red, till 3 s nothing, then blue; green is in the file and is shown never."""
    with open_video(media.path(name), threads=threads) as video:
        seen = [(frame.time_s, _name(frame.rgb)) for frame in video.stream(rate_hz=100, short_side_px=48)]
        assert [time_s for time_s, colour in seen if colour == "red"] == pytest.approx([n / 10 for n in range(10)])
        blue = [time_s for time_s, colour in seen if colour == "blue"]
        # With B-frames, FFmpeg leaves out some of the first.
        assert blue == pytest.approx([n / 10 for n in range(30, 40)][-len(blue) :])
        assert len(seen) == 10 + len(blue) >= 17
        for time_s, at_s in ((2.5, 0.9), (3.7, 3.7), (0.5, 0.5), (1.5, 0.9)):
            assert video.frames([time_s], short_side_px=48).times_s[0] == pytest.approx(at_s, abs=1e-3)
        inside = list(video.stream(rate_hz=10, short_side_px=48, span=Span(1.5, 2.5)))
        assert [frame.time_s for frame in inside] == pytest.approx([0.9])
        for begin_s, hz in ((0.4, 440), (3.3, 1000)):
            assert pitch(video, begin_s, begin_s + 0.5) == pytest.approx(hz, abs=4)
        with pytest.raises(NoSuchStream, match="no sound between"):
            video.audio(Span(1.5, 2.5), rate_hz=16000)


def test_an_empty_edit_at_the_end_shows_nothing(media: Media) -> None:
    with open_video(media.path("ends_empty.mp4")) as video:
        assert shown(video) == [(0.0, "red"), (pytest.approx(1.0, abs=0.21), "blue")]
        assert list(video.stream(rate_hz=10, short_side_px=48))[-1].time_s == pytest.approx(1.9)


def test_pictures_that_go_on_under_another_number_are_counted(media: Media) -> None:
    """Red for 2 s; 10 pictures of blue behind it are in another track, as far as its format says."""
    with open_video(media.path("renumbered.ts")) as video:
        assert shown(video) == [(0.0, "red")]
        assert video.counts["missing"] == 10


def test_chained_ogg_is_heard_to_its_end(media: Media) -> None:
    with open_video(media.path("chained.ogg")) as video:
        for begin_s, hz in ((0.5, 440), (3.0, 1000), (1.0, 440), (2.2, 1000)):
            assert pitch(video, begin_s, begin_s + 0.5) == pytest.approx(hz, abs=4)


@pytest.mark.parametrize("name", ["picture_at_6s.mp4", "picture_at_6s.mkv", "picture_at_6s.ts"])
def test_sound_before_the_first_picture_is_not_lost(media: Media, name: str) -> None:
    with open_video(media.path(name)) as video:
        assert pitch(video, 0.5, 1.5) == pytest.approx(440, abs=2)
        assert pitch(video, 7.0, 7.5) == pytest.approx(440, abs=2)
        # Asked for an earlier time: the first picture.
        assert video.frames([1.0], short_side_px=48).times_s[0] == pytest.approx(6.0, abs=0.05)


@pytest.mark.parametrize("name", ["cut_off.mkv", "cut_off.webm", "cut_off.flv"])
def test_what_a_cut_off_file_lacks_is_counted(media: Media, name: str) -> None:
    """40 pictures are promised."""
    with open_video(media.path(name)) as video:
        found = len(list(video.stream(rate_hz=100, short_side_px=48)))
        assert 15 <= found <= 32
        assert video.counts["missing"] + found == pytest.approx(40, abs=1)


@pytest.mark.parametrize(
    "name", ["wmv2.wmv", "says_1s.mkv", "says_1s.flv", "picture_at_6s.mkv", "bare.mpg", "subtitles_go_on.mkv"]
)
def test_whole_files_lack_nothing(media: Media, name: str) -> None:
    with open_video(media.path(name)) as video:
        list(video.stream(rate_hz=1, short_side_px=48))
        assert video.counts["missing"] == video.counts["corrupt"] == 0


def test_sound_of_which_nothing_is_left_is_refused(media: Media) -> None:
    """Its index lists 8 s."""
    with pytest.raises(MediaUnreadable, match="no sound in it can be decoded"):
        probe(media.path("nothing_left.m4b"))


@pytest.mark.parametrize("name", ["bare.h264", "bare.hevc"])
@pytest.mark.parametrize("threads", [1, 2])
def test_pictures_without_time_stamps_take_their_rate(media: Media, name: str, threads: int) -> None:
    """30 red pictures, then 30 blue ones, at 30 a second."""
    with open_video(media.path(name), threads=threads) as video:
        assert video.info.fps == 30
        times_s = [frame.time_s for frame in video.stream(rate_hz=100, short_side_px=48)]
        assert times_s == pytest.approx([number / 30 for number in range(60)])
        assert shown(video, 30) == [(0.0, "red"), (pytest.approx(1.0), "blue")]
        for time_s, colour in ((1.5, "blue"), (0.5, "red")):
            assert _name(video.frames([time_s], short_side_px=48).rgb[0]) == colour


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("threads", [1, 2])
def test_bare_pictures_follow_one_another(media: Media, name: str, threads: int) -> None:
    """50 red pictures, then 50 blue ones, at 25 a second."""
    with open_video(media.path(name), threads=threads) as video:
        times_s = [frame.time_s for frame in video.stream(rate_hz=100, short_side_px=48)]
        # H.263 counts in steps of 1001 / 30000 s.
        assert times_s == pytest.approx([number / 25 for number in range(100)], abs=0.034 if "h263" in name else 1e-6)
        assert shown(video, 25) == [(0.0, "red"), (pytest.approx(2.0, abs=0.034), "blue")]
        for time_s, colour in ((3.5, "blue"), (0.5, "red"), (2.05, "blue"), (1.95, "red")):
            assert _name(video.frames([time_s], short_side_px=48).rgb[0]) == colour
        assert video.counts["corrupt"] == video.counts["missing"] == 0


def test_pictures_that_cannot_be_placed_are_counted(media: Media) -> None:
    with open_video(media.path("before_zero.mkv")) as video:
        assert shown(video) == [(0.0, "blue")]
        assert video.counts["corrupt"] == 10


def test_empty_packets_are_no_damage(media: Media) -> None:
    with open_video(media.path("stands.ogv")) as video:
        assert shown(video, 25) == [(0.0, "red"), (2.0, "blue")]
        assert _name(video.frames([3.9], short_side_px=48).rgb[0]) == "blue"
        assert video.counts["corrupt"] == video.counts["missing"] == 0


def test_a_recorder_that_counts_from_1970(media: Media) -> None:
    with open_video(media.path("recorder.dav")) as video:
        assert shown(video) == [(0.0, "red"), (pytest.approx(1.0), "blue")]
        assert _name(video.frames([1.5], short_side_px=48).rgb[0]) == "blue"


@pytest.mark.parametrize(("name", "fps"), [("ticks_600.avi", 10), ("camera.dv", 25), ("says_1s.avi", 10)])
def test_the_rate_is_that_of_pictures_not_of_ticks(media: Media, name: str, fps: int) -> None:
    assert probe(media.path(name)).fps == Fraction(fps)


def test_guessed_lengths_do_not_move_sound(media: Media) -> None:
    """Quiet for 10 s, then noise: by its first packets' bit rate the file would last minutes."""
    for name in ("no_xing.mp3", "adts.aac", "bare.ac3"):
        with open_video(media.path(name)) as video:
            assert video.audio(Span(12.0, 18.0), rate_hz=16000).rms > 0.04
            assert video.audio(Span(3.0, 8.0), rate_hz=16000).rms < 0.005
            with pytest.raises(NoSuchStream, match="no sound between"):
                video.audio(Span(21.0, 22.0), rate_hz=16000)
