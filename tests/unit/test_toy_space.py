"""The toy space: every expected number here is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vidembed.models import toy_space
from vidembed.models.toy_space import ToyEncoder
from vidembed.types import AudioSamples, AudioVisual, FrameBatch

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(*stripes: tuple[int, int, int]) -> np.ndarray:
    """(8, 4 per stripe, 3) vertical stripes of equal width."""
    return np.concatenate([np.full((8, 4, 3), colour, np.uint8) for colour in stripes], axis=1)


def tone(hz: float, *, rate_hz: int = 16_000, seconds: float = 0.5, level: float = 0.5) -> AudioSamples:
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return AudioSamples((level * np.sin(2 * np.pi * hz * time_s)).astype(np.float32), rate_hz)


def share(values: np.ndarray, name: str) -> float:
    return float(values[toy_space.NAMES.index(name)])


def test_colour_shares_are_the_share_of_pixels() -> None:
    shares = toy_space.colour_shares(picture(RED, RED, BLUE, (250, 250, 10)))
    assert share(shares, "red") == 0.5
    assert share(shares, "blue") == 0.25
    assert share(shares, "yellow") == 0.25  # the nearest colour, not an exact one
    assert shares.sum() == 1


def test_a_pixel_goes_to_the_nearest_colour_and_of_two_to_the_first() -> None:
    """Squared: (127, 63, 2) is 20102 from black, 20102 from gray, and gray is named before black."""
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 3), np.uint8)
    pixels = np.vstack([pixels, [(127, 63, 2), (255, 223, 191), (128, 128, 128)]]).astype(np.uint8)
    centres = np.array(list(toy_space.COLOURS.values()))
    nearest = ((pixels[:, None].astype(int) - centres) ** 2).sum(axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=toy_space.DIM) / len(pixels)
    assert toy_space.colour_shares(pixels) == pytest.approx(shares)
    assert share(toy_space.colour_shares(np.array([[[127, 63, 2]]], np.uint8)), "gray") == 1


@pytest.mark.parametrize(("hz", "band"), [(200, "low"), (440, "low"), (1000, "middle"), (3000, "high")])
def test_a_tone_is_in_its_band(hz: float, band: str) -> None:
    sound = tone(hz)
    assert share(toy_space.tone_shares(sound.samples, sound.rate_hz), band) > 0.999


def test_two_tones_share_by_energy() -> None:
    # Energy goes with the square of the level: 0.3^2 / (0.3^2 + 0.1^2) = 0.9.
    sound = tone(200, level=0.3).samples + tone(3000, level=0.1).samples
    shares = toy_space.tone_shares(sound, 16_000)
    assert share(shares, "low") == pytest.approx(0.9, abs=0.002)
    assert share(shares, "high") == pytest.approx(0.1, abs=0.002)


def test_silence_and_unknown_words_have_their_own_places() -> None:
    assert share(toy_space.tone_shares(np.zeros(100, np.float32), 8000), "silence") == 1
    assert share(toy_space.tone_shares(np.full(1, 0.5, np.float32), 8000), "silence") == 1  # no tone in one sample
    assert share(toy_space.word_counts("a dog in a lake"), "other") == 1
    assert share(toy_space.word_counts(""), "other") == 1


def test_words_are_counted_with_their_synonyms() -> None:
    counts = toy_space.word_counts("Grey, gray and RED: a deep tone; reddish other")
    assert {n: c for n, c in zip(toy_space.NAMES, counts, strict=True) if c} == {"gray": 2, "red": 1, "low": 1}


def test_cosines_of_pictures_and_words() -> None:
    encoder = ToyEncoder()
    pictures = encoder.encode("image", [picture(RED), picture(RED, BLUE)])
    words = encoder.encode("text", ["red", "blue", "red and blue"])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(pictures @ words.T, [[1, 0, half], [half, half, 1]], atol=1e-6)


def test_video_adds_picture_and_sound() -> None:
    frames = FrameBatch(np.stack([picture(RED, RED), picture(BLUE, BLUE)]), np.array([0.0, 1.0]))
    row = ToyEncoder().encode("video", [AudioVisual(frames, tone(200))])[0]
    # red 1/2, blue 1/2, low 1: length sqrt(1.5)
    assert share(row, "red") == pytest.approx(0.5 / np.sqrt(1.5), abs=1e-3)
    assert share(row, "low") == pytest.approx(1 / np.sqrt(1.5), abs=1e-3)
