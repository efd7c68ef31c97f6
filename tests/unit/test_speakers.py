"""Speakers told apart: by made-up vectors, by tones, and by the real weights where they are installed."""

from __future__ import annotations

import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from vidembed.config.schema import MediaSettings
from vidembed.errors import MissingDependency
from vidembed.index.transcripts import told_apart, with_speakers
from vidembed.models import voices
from vidembed.models.voices import VoiceEncoder, mel_frames
from vidembed.types import Floats, Span, TextLine, TimedText


def rows(*angles: float) -> Floats:
    """Unit vectors in a plane."""
    return np.array([[np.cos(np.radians(a)), np.sin(np.radians(a))] for a in angles], dtype=np.float32)


class TestToldApart:
    def test_voices_alike_are_one_speaker_numbered_by_their_first_line(self) -> None:
        assert told_apart(rows(80, 0, 5, 85, 3), [2, 2, 2, 2, 2]) == [1, 2, 2, 1, 2]

    def test_one_voice_is_one_speaker(self) -> None:
        assert told_apart(rows(0, 10, 5), [2, 2, 2]) == [1, 1, 1]
        assert told_apart(rows(0), [0.1]) == [1]

    def test_a_short_line_makes_no_speaker(self) -> None:
        assert told_apart(rows(0, 5, 60), [3, 3, 0.5]) == [1, 1, 1]

    def test_the_number_of_speakers_may_be_known(self) -> None:
        assert told_apart(rows(0, 20, 2, 22), [2, 2, 2, 2]) == [1, 1, 1, 1]
        assert told_apart(rows(0, 20, 2, 22), [2, 2, 2, 2], 2) == [1, 2, 1, 2]

    def test_many_lines_take_little(self) -> None:
        angles = np.tile([0.0, 90.0], 3000)
        assert told_apart(rows(*angles), [2.0] * 6000) == [1, 2] * 3000


def test_mel_frames_of_a_tone_lie_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32) * 0.5
    frames = mel_frames(tone)
    assert frames.shape == (101, 40)
    # Slaney's scale: 1 kHz is mel 15 of 45.2 (8 kHz), so of 40 triangles the one around 15 / 45.2 x 41 = 13.6.
    assert int(frames[50].argmax()) in (12, 13)


def test_quiet_sound_is_raised_and_loud_sound_stays() -> None:
    noise = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    loud = noise / np.sqrt(np.mean(noise**2)) * 0.1
    np.testing.assert_allclose(mel_frames(loud * 0.001), mel_frames(loud * 0.002), rtol=1e-4)
    assert mel_frames(loud * 2).sum() == pytest.approx(4 * mel_frames(loud).sum(), rel=1e-4)


def test_lines_get_the_speaker_of_their_sound(tmp_path: Path) -> None:
    """A low and a high tone take turns; a line without sound has no speaker."""
    rate = 16000
    seconds = np.arange(rate) / rate
    tones = [np.sin(2 * np.pi * hz * seconds) * 0.5 for hz in (200, 2000, 200, 2000)]
    with wave.open(str(tmp_path / "talk.wav"), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.concatenate([*tones, np.zeros(rate)]) * 32767).astype(np.int16).tobytes())
    lines = tuple(TextLine(Span(n, n + 1), f"line {n}") for n in range(5))

    def pitch(sounds: list[Floats]) -> Floats:
        return rows(*(90.0 * (np.abs(np.fft.rfft(sound)).argmax() > len(sound) / 16) for sound in sounds))

    told = with_speakers(TimedText(lines), tmp_path / "talk.wav", MediaSettings(), encode=pitch)  # type: ignore[arg-type]
    assert [line.speaker for line in told.lines] == [1, 2, 1, 2, None]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingDependency, match="resemblyzer") as caught:
        VoiceEncoder().encode([np.ones(16000, np.float32)])
    assert "vidembed[speakers]" in caught.value.hint


@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs the extra speakers")
def test_the_weights_make_unit_vectors_that_do_not_hang_on_the_batch() -> None:
    chance = np.random.default_rng(1)
    sounds = [chance.normal(size=n).astype(np.float32) * 0.1 for n in (8000, 16000, 60000)]
    made = VoiceEncoder().encode(sounds)
    assert made.shape == (3, 256)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(made[1:2], VoiceEncoder().encode(sounds[1:2]), atol=1e-5)
