"""CLAP on tiny random models: the same rows as transformers gives, fixed windows, any rate, never random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models_av
import torch

from vidembed.errors import EncodingError, WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders import _torch
from vidembed.models.encoders.dual import ClapEncoder
from vidembed.types import AudioSamples, FrameBatch, Space
from vidembed.vectors import unit_rows

RATE = 16_000


def tone(hz: float, seconds: float, rate_hz: int = RATE) -> AudioSamples:
    return AudioSamples(np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz).astype("f4"), rate_hz)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    return {
        fused: tiny_models_av.clap_folder(tmp_path_factory.mktemp(f"clap{fused}"), fused=fused)
        for fused in (False, True)
    }


@pytest.fixture(scope="module", params=[False, True], ids=["unfused", "fused"])
def fused(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def encoder(folders: dict[bool, Path], fused: bool) -> ClapEncoder:
    return registry.load_encoder(str(folders[fused]), device="cpu")  # type: ignore[return-value]


def reference(folder: Path) -> tuple[Any, Any, Any]:
    import transformers as t

    return (
        t.ClapModel.from_pretrained(folder).eval(),
        t.AutoFeatureExtractor.from_pretrained(folder),
        t.AutoTokenizer.from_pretrained(folder),
    )


def test_rows_are_those_of_transformers(folders: dict[bool, Path], encoder: ClapEncoder, fused: bool) -> None:
    model, extractor, tokenizer = reference(folders[fused])
    sound = tone(440, 1.0)
    with torch.inference_mode():
        inputs = extractor(sound.samples, sampling_rate=RATE, return_tensors="pt")
        inputs["is_longer"] = torch.tensor([[False]])  # the extractor says True for one random item of each batch
        audio = model.get_audio_features(**inputs).pooler_output.numpy()
        text = model.get_text_features(**tokenizer(["red car"], return_tensors="pt")).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode("audio", [sound]), unit_rows(audio), atol=1e-6)
    np.testing.assert_allclose(encoder.encode("text", ["red car"]), unit_rows(text), atol=1e-3)


def test_a_long_sound_is_seen_the_same_way_each_time(encoder: ClapEncoder) -> None:
    noise = AudioSamples(np.random.default_rng(0).standard_normal(5 * RATE).astype("f4") * 0.1, RATE)
    first = encoder.encode("audio", [noise])
    np.random.random(100)  # the processor draws its windows from the global generator
    np.testing.assert_array_equal(first, encoder.encode("audio", [noise]))


def test_without_fusion_the_middle_counts(folders: dict[bool, Path]) -> None:
    encoder = registry.load_encoder(str(folders[False]), device="cpu")
    rng = np.random.default_rng(1)
    ends = [rng.standard_normal(RATE).astype("f4") * 0.1 for _ in range(2)]
    middle = tone(600, 1.0).samples
    joined = AudioSamples(np.concatenate([ends[0], middle, ends[1]]), RATE)
    rows = encoder.encode("audio", [joined, AudioSamples(middle, RATE)])  # type: ignore[union-attr]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_fusion_shows_the_whole_shrunk_and_three_windows_of_it(folders: dict[bool, Path]) -> None:
    import transformers as t

    model, _, tokenizer = reference(folders[True])
    # The processor shrinks to 64 bands whatever its settings say, so it is only right for 64.
    extractor = t.ClapFeatureExtractor(feature_size=64, sampling_rate=RATE, hop_length=160, max_length_s=1)
    encoder = ClapEncoder(Space("clap", 24), model, extractor, tokenizer, torch.device("cpu"))
    sound = np.concatenate([tone(hz, 1.5).samples for hz in (200, 800, 3000)])
    made = encoder._fused(sound)
    theirs = extractor(sound, sampling_rate=RATE, return_tensors="np")["input_features"][0]
    assert made.shape == theirs.shape == (4, 101, 64)
    np.testing.assert_allclose(made[0], theirs[0], atol=1e-4)  # the shrunk whole is not random
    # The window of each third holds the tone of that third: its loudest band rises with the tone.
    loudest = [int(window.mean(axis=0).argmax()) for window in made[1:]]
    assert loudest == sorted(set(loudest))


def test_any_rate_is_brought_to_the_models(encoder: ClapEncoder) -> None:
    rows = encoder.encode("audio", [tone(440, 0.8, rate) for rate in (16_000, 48_000, 44_100, 8_000)])
    assert (rows @ rows[0]).min() > 0.99


@pytest.mark.parametrize(("rate", "to"), [(8_000, 48_000), (48_000, 8_000), (44_100, 16_000), (16_000, 16_000)])
def test_resampling_keeps_length_and_pitch(rate: int, to: int) -> None:
    made = _torch.resampled(tone(1000, 0.5, rate), to)
    assert len(made) == round(0.5 * to)
    assert np.abs(np.fft.rfft(made)).argmax() == 500  # 1000 Hz in half a second
    assert made.dtype == np.float32


def test_one_sample_is_enough(encoder: ClapEncoder) -> None:
    rows = encoder.encode("audio", [AudioSamples(np.array([0.5], dtype="f4"), 8_000)])
    assert np.isfinite(rows).all()


def test_pictures_are_no_sound(encoder: ClapEncoder) -> None:
    with pytest.raises(EncodingError, match="needs sound, got FrameBatch"):
        encoder.encode("audio", [FrameBatch(np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1))])


def test_missing_weights_are_never_made_up(folders: dict[bool, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in folders[False].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    state.pop("audio_projection.linear1.weight")
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsMissing, match=r"audio_projection\.linear1\.weight"):
        registry.load_encoder(str(tmp_path), device="cpu")


@pytest.mark.needs_weights
def test_real_weights_tell_sounds_apart() -> None:
    try:
        encoder = registry.load_encoder("clap-htsat-unfused", device="cpu", offline=True)
    except WeightsMissing as error:
        pytest.skip(error.message)
    rng = np.random.default_rng(0)
    t = np.arange(5 * 48_000) / 48_000
    sounds = [
        AudioSamples((0.2 * rng.standard_normal(len(t))).astype("f4"), 48_000),
        AudioSamples((0.5 * np.sin(2 * np.pi * 1000 * t)).astype("f4"), 48_000),
    ]
    audio = encoder.encode("audio", sounds)  # type: ignore[union-attr]
    text = encoder.encode("text", ["white noise", "a pure tone, a beep"])  # type: ignore[union-attr]
    assert (text @ audio.T).argmax(axis=1).tolist() == [0, 1]
