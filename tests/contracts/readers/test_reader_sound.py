"""Every reader gives the sound of a span at any rate, on the pictures' clock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from media_factory import Media
from seen_media import opened

from vidembed.config.schema import MediaSettings
from vidembed.errors import ConfigError, NoSuchStream
from vidembed.media.reading import audio as sound
from vidembed.media.reading.container import open_container
from vidembed.media.reading.reader import open_video
from vidembed.types import AudioSamples, Span

# 440 Hz at ffmpeg's level of 1/8: rms 0.125 / sqrt(2) = 0.0884.


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
        # The sound begins a second before the first picture.
        assert video.info.duration_s == pytest.approx(3.0, abs=0.05)
        assert video.audio(Span(0.0, 3.0), rate_hz=16000).rms == pytest.approx(0.0884, rel=0.05)
        assert [frame.time_s for frame in video.stream(rate_hz=1, short_side_px=48)] == pytest.approx([1.0, 2.0])


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


def test_audio_track_is_chosen(media: Media, backend: Any) -> None:
    path = media.path("two_tracks.mkv")
    for track, expected in ((None, 440), (0, 440), (1, 1000)):
        with open_video(path, MediaSettings(reader=backend, audio_track=track)) as video:
            assert pitch(video.audio(Span(0, 1), rate_hz=16000)) == pytest.approx(expected, abs=2)
    with pytest.raises(ConfigError, match="no audio track 2; it has 2"):
        open_video(path, MediaSettings(reader=backend, audio_track=2))


def test_reading_on_does_not_start_over(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds in a hundred spans are one pass: opened once, never sought in."""
    opened_again = []
    with open_video(media.path("ladder.mp4")) as video:
        monkeypatch.setattr(sound, "open_container", lambda *given: opened_again.append(1) or open_container(*given))
        for number in range(100):
            video.audio(Span(number / 10, (number + 1) / 10), rate_hz=16000)
        assert len(opened_again) == 1
        assert video.counts["seeks"] == 0
