"""The starter's sound tower: its front end by hand-computable tones, its vectors by invariances and known sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vidembed.errors import WeightsMissing
from vidembed.models.encoders import starter_sound as sound
from vidembed.models.registry import load_encoder
from vidembed.protocols import Encoder
from vidembed.types import AudioSamples, Floats

RATE_HZ = sound.RATE_HZ


def tone(hz: float, seconds: float, *, rate_hz: int = RATE_HZ, level: float = 0.3) -> Floats:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> Floats:
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def trained(dim: int = 8, hidden: int = 16) -> dict[str, Floats]:
    """Tensors of a network as training leaves them, with random values."""
    random = np.random.default_rng(3)

    def layer(*shape: int) -> Floats:
        return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    found, before = dict[str, Floats](), 1
    for i, (channels, _) in enumerate(sound.CHANNELS):
        found[f"net.body.{3 * i}.weight"] = layer(channels, before, 3, 3)
        norm = {
            "weight": 1 + 0.1 * layer(channels),
            "bias": 0.1 * layer(channels),
            "running_mean": 0.1 * layer(channels),
        }
        norm["running_var"] = np.square(1 + 0.1 * layer(channels))
        found |= {f"net.body.{3 * i + 1}.{name}": value for name, value in norm.items()}
        before = channels
    shapes = {
        "net.out": (512, before),
        "head.straight": (dim, 512),
        "head.up": (hidden, 512),
        "head.down": (dim, hidden),
    }
    for name, shape in shapes.items():
        found |= {f"{name}.weight": layer(*shape), f"{name}.bias": 0.1 * layer(shape[0])}
    return found


@pytest.fixture(scope="module")
def tower() -> sound.SoundTower:
    return sound.SoundTower(sound.folded(trained()))


def band_of(hz: float) -> int:
    """The band whose centre on the mel scale is nearest, from the definition: 64 centres between the two ends."""
    low, high = (1127 * np.log(1 + f / 700) for f in (sound.LOW_HZ, sound.HIGH_HZ))
    return round((1127 * np.log(1 + hz / 700) - low) / (high - low) * 65) - 1


@pytest.mark.parametrize("hz", [250.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_its_own_band(hz: float) -> None:
    mel = sound.log_mel(tone(hz, 2.0)[None])
    assert mel.shape == (1, 1, 64, 200)  # a frame each 10 ms
    assert abs(int(mel[0, 0, :, 100].argmax()) - band_of(hz)) <= 1


def test_each_filter_peaks_between_its_neighbours() -> None:
    filters = sound.mel_filters()
    assert filters.shape == (257, 64)
    assert filters.min() >= 0
    assert filters.max() <= 1
    wide = filters[:, 20:]  # narrow ones may fall between two bins of 31 Hz
    assert np.all(np.diff(wide.argmax(0)) > 0)


def test_windows_cover_the_sound_and_end_with_it() -> None:
    samples = np.arange(int(4.5 * RATE_HZ), dtype=np.float32)
    cut = sound.windows(samples)
    assert [w[0] / RATE_HZ for w in cut] == [0.0, 1.0, 2.0, 2.5]
    assert cut[-1][-1] == samples[-1]
    assert len(sound.windows(samples[: 2 * RATE_HZ])) == 1
    short = sound.windows(samples[:100])
    assert short.shape == (1, 2 * RATE_HZ)
    assert np.array_equal(short[0, :100], samples[:100])
    assert not short[0, 100:].any()


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 48_000])
def test_resampling_keeps_pitch_and_length(rate_hz: int) -> None:
    out = sound.at_rate(AudioSamples(tone(440.0, 1.0, rate_hz=rate_hz), rate_hz))
    assert abs(len(out) - RATE_HZ) <= 40
    spectrum = np.abs(np.fft.rfft(out[:RATE_HZ], n=RATE_HZ))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_rows_are_units_in_order_and_do_not_depend_on_the_batch(tower: sound.SoundTower) -> None:
    sounds = [
        AudioSamples(tone(500, 0.5), RATE_HZ),
        AudioSamples(noise(7.3), RATE_HZ),
        AudioSamples(tone(90, 2.0), RATE_HZ),
    ]
    together = tower.encode(sounds)
    assert together.shape == (3, 8)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([tower.encode([s]) for s in sounds])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(tower.encode(sounds), together)
    assert tower.encode([]).shape == (0, 8)


def test_a_long_sound_is_the_mean_of_its_windows(tower: sound.SoundTower) -> None:
    samples = np.concatenate([tone(300, 2.0), noise(2.0)])
    parts = tower.encode([AudioSamples(samples[i * RATE_HZ : (i + 2) * RATE_HZ], RATE_HZ) for i in range(3)])
    mean = parts.mean(axis=0)
    np.testing.assert_allclose(
        tower.encode([AudioSamples(samples, RATE_HZ)])[0], mean / np.linalg.norm(mean), atol=1e-5
    )


def test_pauses_do_not_count(tower: sound.SoundTower) -> None:
    bark, pause = noise(2.0), np.zeros(4 * RATE_HZ, np.float32)
    rows = tower.encode([AudioSamples(bark, RATE_HZ), AudioSamples(np.concatenate([bark, pause]), RATE_HZ)])
    halves = tower.encode([AudioSamples(np.concatenate([bark[RATE_HZ:], pause[:RATE_HZ]]), RATE_HZ)])
    expected = rows[0] + halves[0]
    np.testing.assert_allclose(rows[1], expected / np.linalg.norm(expected), atol=1e-4)


def test_loudness_does_not_matter(tower: sound.SoundTower) -> None:
    loud, soft = tower.encode([AudioSamples(noise(2.0, level), RATE_HZ) for level in (0.2, 0.01)])
    assert float(loud @ soft) > 0.9999


def test_silence_gets_a_finite_vector(tower: sound.SoundTower) -> None:
    row = tower.encode([AudioSamples(np.zeros(1000, np.float32), RATE_HZ)])
    assert np.isfinite(row).all()


def test_weights_survive_the_file_in_half_precision(tower: sound.SoundTower, tmp_path: Path) -> None:
    save_file({name: value.astype(np.float16) for name, value in trained().items()}, tmp_path / "sound.safetensors")
    again = sound.load(tmp_path / "sound.safetensors")
    sounds = [AudioSamples(noise(3.0), RATE_HZ)]
    assert float(again.encode(sounds)[0] @ tower.encode(sounds)[0]) > 0.999


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.safetensors"
    path.write_bytes(b"not weights at all")
    with pytest.raises(WeightsMissing, match="no sound tower"):
        sound.load(path)
    save_file({"head.up.weight": np.zeros((2, 2), np.float32)}, path)
    with pytest.raises(WeightsMissing, match="no sound tower"):
        sound.load(path)
    save_file(trained() | {"net.body.3.weight": np.zeros((32, 24, 5, 5), np.float32)}, path)
    with pytest.raises(WeightsMissing, match=r"conv\.1\.weight is \(32, 24, 5, 5\)"):
        sound.load(path)


@pytest.fixture(scope="module", params=["starter", "starter-free"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return load_encoder(request.param, device="cpu")


@pytest.mark.parametrize(
    ("samples", "right"),
    [
        (noise(4.0), "white noise"),
        (np.tile(np.concatenate([tone(1000, 0.12), np.zeros(int(0.5 * RATE_HZ), np.float32)]), 6), "beeping"),
    ],
    ids=["noise", "beeps"],
)
def test_the_shipped_towers_name_made_sounds(encoder: Encoder, samples: Floats, right: str) -> None:
    others = ["a dog is barking", "a baby is crying", "someone plays the piano", "a car engine", "a person is speaking"]
    scores = encoder.encode("text", [right, *others]) @ encoder.encode("audio", [AudioSamples(samples, RATE_HZ)])[0]
    assert int(scores.argmax()) == 0
