"""What every `VideoReader` must do, run over PyAV and decord on the same files with known truth."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest
from media_factory import BLUE, GREEN, RED, SAMPLES, Media, Sample

from vidembed.errors import ConfigError, MediaUnreadable, NoSuchStream
from vidembed.media import audio as sound
from vidembed.media.container import open_container
from vidembed.media.gops import slot_of
from vidembed.media.reader import BACKENDS, open_video
from vidembed.protocols import VideoReader
from vidembed.types import AudioSamples, Span

PICTURES = [sample for sample in SAMPLES if sample.colours]
KNOWN_TIMES = [sample for sample in PICTURES if len(sample.times_s) > 1]
COLOUR_TOLERANCE = 24  # of 255: lossy coding and the rounding of YUV

assert PICTURES
assert KNOWN_TIMES


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "decord" and importlib.util.find_spec("decord") is None:
        pytest.skip("decord has no wheel for this platform")
    return request.param


def opened(media: Media, name: str, backend: str) -> VideoReader:
    if backend == "decord" and not media.samples[name].decord:
        pytest.skip("decord refuses this file; test_decord_refuses covers it")
    return open_video(media.path(name), backend=backend, threads=1)


@pytest.fixture
def reader(media: Media, backend: str) -> Iterator[VideoReader]:
    with opened(media, "three_shots.mp4", backend) as video:
        yield video


def colour_of(rgb: np.ndarray) -> np.ndarray:
    """The colour in the middle of the picture."""
    return rgb[rgb.shape[0] // 2, rgb.shape[1] // 2].astype(int)


def assert_colour(rgb: np.ndarray, expected: tuple[int, int, int], where: str) -> None:
    found = colour_of(rgb)
    assert np.abs(found - expected).max() <= COLOUR_TOLERANCE, f"{where}: {found}, expected {expected}"


def truth(sample: Sample, time_s: float) -> tuple[int, int, int]:
    return [colour for start_s, colour in sample.colours if start_s <= time_s + 1e-3][-1]


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


@pytest.mark.parametrize(
    ("short_side_px", "shape"), [(24, (24, 32, 3)), (48, (48, 64, 3)), (500, (48, 64, 3)), (7, (7, 9, 3))]
)
def test_short_side_shrinks_and_never_enlarges(reader: VideoReader, short_side_px: int, shape: tuple[int, ...]) -> None:
    assert reader.frames([0.5], short_side_px=short_side_px).rgb.shape == (1, *shape)
    assert next(iter(reader.stream(rate_hz=1, short_side_px=short_side_px))).rgb.shape == shape


def test_odd_sizes_and_wide_pixels(media: Media, backend: str) -> None:
    with opened(media, "odd_size.mkv", backend) as video:
        assert video.frames([0.0], short_side_px=99).rgb.shape == (1, 49, 65, 3)
    with opened(media, "wide_pixels.mp4", backend) as video:
        # 64 x 48 pixels, each a third wider than high.
        assert video.frames([0.0], short_side_px=99).rgb.shape == (1, 48, 85, 3)


@pytest.mark.parametrize(
    ("degrees", "red_at", "blue_at"),
    [(90, (48, 5), (48, 42)), (270, (48, 42), (48, 5)), (180, (42, 48), (5, 48))],
    ids=["90", "270", "180"],
)
def test_rotation_is_applied(
    media: Media, backend: str, degrees: int, red_at: tuple[int, int], blue_at: tuple[int, int]
) -> None:
    """Coded with red above blue; counter-clockwise by 90 puts red on the left."""
    with opened(media, f"rotated{degrees}.mp4", backend) as video:
        rgb = video.frames([0.0], short_side_px=48).rgb[0]
        assert rgb.shape == (video.info.height_px, video.info.width_px, 3)
        assert np.abs(rgb[red_at].astype(int) - RED).max() <= COLOUR_TOLERANCE
        assert np.abs(rgb[blue_at].astype(int) - BLUE).max() <= COLOUR_TOLERANCE
        streamed = next(iter(video.stream(rate_hz=1, short_side_px=24))).rgb
    assert streamed.shape == ((24, 48, 3) if degrees == 180 else (48, 24, 3))


def test_counts_grow(reader: VideoReader) -> None:
    assert reader.counts["decoded"] == 0
    list(reader.stream(rate_hz=10, short_side_px=48))
    counts = reader.counts
    assert (counts["decoded"], counts["skipped"], counts["corrupt"], counts["missing"]) == (30, 0, 0, 0)


def test_what_nobody_asked_for_is_counted_as_skipped(reader: VideoReader) -> None:
    """30 frames with a keyframe every 0.5 s."""
    list(reader.stream(rate_hz=1, short_side_px=48, mode="keyframes"))
    assert (reader.counts["decoded"], reader.counts["skipped"]) == (3, 27)


def test_keyframes_cost_less_than_decoding(media: Media) -> None:
    """Keyframes every 0.5 s: at one frame a second only they are decoded."""
    decoded = {}
    for mode in ("fixed", "adaptive", "keyframes"):
        with open_video(media.path("three_shots.mp4"), threads=1) as video:
            list(video.stream(rate_hz=1, short_side_px=48, mode=mode))
            decoded[mode] = video.counts["decoded"]
    assert decoded == {"fixed": 3, "adaptive": 3, "keyframes": 3}
    with open_video(media.path("three_shots.mp4"), threads=1) as video:
        list(video.stream(rate_hz=5, short_side_px=48, mode="fixed"))
        assert 15 <= video.counts["decoded"] < 30  # what no other frame refers to is skipped


@pytest.mark.parametrize("arguments", [{"rate_hz": 0}, {"rate_hz": -1}, {"rate_hz": 1, "short_side_px": 0}])
def test_nonsense_is_refused(reader: VideoReader, arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"rate_hz|short_side_px"):
        list(reader.stream(**({"short_side_px": 48} | arguments)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one time"):
        reader.frames([], short_side_px=48)


def test_no_picture(media: Media, backend: str) -> None:
    with opened(media, "audio_only.m4a", backend) as video:
        with pytest.raises(NoSuchStream, match="no picture"):
            video.frames([0.0], short_side_px=48)
        with pytest.raises(NoSuchStream, match="no picture"):
            list(video.stream(rate_hz=1, short_side_px=48))
        assert video.audio(Span(0.5, 1.5), rate_hz=16000).rms > 0.05


@pytest.mark.parametrize("name", ["truncated.mp4", "bitrot.mp4"])
def test_damage_costs_only_what_is_damaged(media: Media, name: str) -> None:
    with open_video(media.path(name)) as video:
        times_s = [frame.time_s for frame in video.stream(rate_hz=10, short_side_px=48)]
        assert times_s[:5] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)
        assert len(times_s) < 10 * video.info.duration_s
        # Asked for a time that is gone: the last picture before it.
        assert video.frames([video.info.duration_s], short_side_px=48).times_s[0] == pytest.approx(
            times_s[-1], abs=0.11
        )
        if name == "truncated.mp4":
            assert video.counts["missing"] > 0
            assert video.counts["missing"] + len(times_s) == pytest.approx(30, abs=1)  # one is there in part
        if name == "bitrot.mp4":
            assert video.counts["missing"] == 0
            assert video.counts["corrupt"] > 0
            assert times_s[-1] > 3.5, "decoding goes on behind the damage"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if not s.decord], ids=lambda sample: sample.name)
def test_decord_refuses_what_it_would_get_wrong(media: Media, sample: Sample) -> None:
    pytest.importorskip("decord")
    with open_video(media.path(sample.name), backend="decord") as video:
        with pytest.raises(MediaUnreadable, match="not readable with decord") as caught:
            list(video.stream(rate_hz=10, short_side_px=48))
        assert "pyav" in caught.value.hint


def test_both_see_the_same_picture(media: Media) -> None:
    pytest.importorskip("decord")
    pictures = []
    for backend in BACKENDS:
        with open_video(media.path("three_shots.mp4"), backend=backend) as video:
            pictures.append(video.frames([0.4, 1.4, 2.4], short_side_px=24).rgb.astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 4


def test_unknown_reader(media: Media) -> None:
    with pytest.raises(ConfigError, match="unknown reader 'pyavv'") as caught:
        open_video(media.path("three_shots.mp4"), backend="pyavv")  # type: ignore[arg-type]
    assert "pyav" in caught.value.hint


# Sound. 440 Hz at ffmpeg's level of 1/8: rms 0.125 / sqrt(2) = 0.0884.


def pitch(audio: AudioSamples) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(np.argmax(spectrum) * audio.rate_hz / len(audio.samples))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000, 44100])
def test_audio_at_any_rate(media: Media, backend: str, rate_hz: int) -> None:
    with opened(media, "tone.mp4", backend) as video:
        audio = video.audio(Span(0.5, 1.75), rate_hz=rate_hz)
    assert len(audio.samples) == round(1.75 * rate_hz) - round(0.5 * rate_hz)
    assert (audio.rate_hz, audio.start_s) == (rate_hz, 0.5)
    assert pitch(audio) == pytest.approx(440, abs=2)
    assert audio.rms == pytest.approx(0.0884, rel=0.1)


def test_audio_of_neighbouring_spans_fits_together(media: Media, backend: str) -> None:
    with opened(media, "tone.mp4", backend) as video:
        whole = video.audio(Span(0.0, 3.0), rate_hz=16000).samples
        parts = [video.audio(Span(n / 4, (n + 1) / 4), rate_hz=16000).samples for n in range(12)]
        seeks = video.counts["seeks"]
        overlapping = [video.audio(Span(n / 4, n / 4 + 0.5), rate_hz=16000).samples for n in range(10)]
        assert video.counts["seeks"] <= seeks + 1, "windows that overlap need no seeking"
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-4)
    for number, window in enumerate(overlapping):
        np.testing.assert_allclose(window, whole[number * 4000 : number * 4000 + 8000], atol=1e-4)


def test_audio_from_the_middle_is_the_right_audio(media: Media, backend: str) -> None:
    """The pitch says the second: 200 Hz in the first, 300 Hz in the second, ..."""
    with opened(media, "ladder.mp4", backend) as video:
        for second in (8, 2, 9, 0, 5):
            audio = video.audio(Span(second + 0.2, second + 0.8), rate_hz=16000)
            assert pitch(audio) == pytest.approx(200 + 100 * second, abs=3)


def test_audio_shares_the_pictures_clock(media: Media, backend: str) -> None:
    with opened(media, "offset.mkv", backend) as video:
        assert video.audio(Span(0.5, 2.5), rate_hz=16000).rms == pytest.approx(0.0884, rel=0.1)
    with opened(media, "late_audio.mkv", backend) as video:
        audio = video.audio(Span(0.0, 3.0), rate_hz=16000)
        seconds = audio.samples.reshape(3, -1)
        assert np.abs(seconds[0][:-200]).max() == 0
        assert np.sqrt(np.mean(seconds[1] ** 2)) == pytest.approx(0.0884, rel=0.05)
        assert np.abs(seconds[2][200:]).max() == 0
    with opened(media, "late_video.mkv", backend) as video:
        # The sound began a second before the first picture.
        assert video.info.duration_s == pytest.approx(2.0, abs=0.05)
        assert video.audio(Span(0.0, 2.0), rate_hz=16000).rms == pytest.approx(0.0884, rel=0.05)


def test_no_sound_is_told_apart_from_silence(media: Media, backend: str) -> None:
    with opened(media, "three_shots.mp4", backend) as video, pytest.raises(NoSuchStream, match="no sound track"):
        video.audio(Span(0, 1), rate_hz=16000)
    with opened(media, "silent_track.mp4", backend) as video:
        assert video.audio(Span(0, 1), rate_hz=16000).rms < 1e-4
    with opened(media, "late_audio.mkv", backend) as video, pytest.raises(NoSuchStream, match="no sound between"):
        video.audio(Span(0.0, 0.5), rate_hz=16000)


def test_mono_is_mixed_to_full_scale(media: Media, backend: str) -> None:
    with opened(media, "loud_stereo.wav", backend) as video:
        samples = video.audio(Span(0, 1), rate_hz=16000).samples
        assert np.abs(samples).max() == pytest.approx(0.9, abs=0.01)
    with opened(media, "surround.mkv", backend) as video:
        audio = video.audio(Span(0, 1), rate_hz=16000)
        assert pitch(audio) == pytest.approx(1000, abs=2)
        # ITU-R BS.775 into mono: C weighs 1.41, L and R 1 each, the surrounds 0.71 each, LFE nothing; scaled to 1.
        assert np.abs(audio.samples).max() == pytest.approx(0.5 * 1.4142 / (1.4142 + 2 + 1.4142), abs=0.02)


def test_audio_track_is_chosen(media: Media, backend: str) -> None:
    path = media.path("two_tracks.mkv")
    for track, expected in ((None, 440), (0, 440), (1, 1000)):
        with open_video(path, backend=backend, audio_track=track) as video:
            assert pitch(video.audio(Span(0, 1), rate_hz=16000)) == pytest.approx(expected, abs=2)
    with pytest.raises(ConfigError, match="no audio track 2; it has 2"):
        open_video(path, backend=backend, audio_track=2)


def test_reading_on_does_not_start_over(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds in a hundred spans are one pass: opened once, never sought in."""
    opened_again = []
    monkeypatch.setattr(sound, "open_container", lambda *given: opened_again.append(1) or open_container(*given))
    with open_video(media.path("ladder.mp4")) as video:
        for number in range(100):
            video.audio(Span(number / 10, (number + 1) / 10), rate_hz=16000)
        assert len(opened_again) == 1
        assert video.counts["seeks"] == 0
