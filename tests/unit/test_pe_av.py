"""PE-AV on a tiny random model: three spaces, each with the rows of the model's own forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models_av
import torch

from vidembed.errors import ConfigError, EncodingError, WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders import pe_av
from vidembed.models.encoders.pe_av import PeAvEncoder
from vidembed.types import AudioSamples, AudioVisual, FrameBatch, Item
from vidembed.vectors import unit_rows

RATE = 16_000
FRAMES = FrameBatch(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8), np.arange(4.0))
SOUND = AudioSamples(np.sin(0.2 * np.arange(4000)).astype("f4"), RATE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_av.pe_av_folder(tmp_path_factory.mktemp("pe_av"))


@pytest.fixture(scope="module")
def encoders(folder: Path) -> dict[str, PeAvEncoder]:
    return {
        target: registry.load_encoder(str(folder), device="cpu", target=target, frames=4)
        for target in ("video", "audio", "audio_video")
    }  # type: ignore[return-value]


@pytest.fixture(scope="module")
def outputs(folder: Path) -> Any:
    """The model's own forward pass over the text "red", the frames and the sound."""
    import transformers as t

    model = pe_av._model_class().from_pretrained(folder).eval()
    processor = t.AutoProcessor.from_pretrained(folder)
    inputs = {
        **processor.tokenizer(["red"], return_tensors="pt"),
        **processor.feature_extractor([SOUND.samples], sampling_rate=RATE, return_tensors="pt"),
        **processor.video_processor(
            videos=[FRAMES.rgb], do_sample_frames=False, input_data_format="channels_last", return_tensors="pt"
        ),
    }
    inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        return model(**inputs)


@pytest.mark.parametrize("target", ["video", "audio", "audio_video"])
def test_rows_are_those_of_the_forward_pass(encoders: dict[str, PeAvEncoder], outputs: Any, target: str) -> None:
    encoder = encoders[target]
    item: Item = SOUND if target == "audio" else AudioVisual(FRAMES, SOUND)
    modality = "audio" if target == "audio" else "video"
    media = unit_rows(outputs[f"{target}_embeds"].numpy())
    text = unit_rows(outputs[f"text_{target}_embeds"].numpy())
    np.testing.assert_allclose(encoder.encode(modality, [item]), media, atol=1e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(encoder.encode("text", ["red"]), text, atol=1e-5)


def test_each_target_is_a_space_and_they_share_the_weights(encoders: dict[str, PeAvEncoder]) -> None:
    assert len({encoder.space for encoder in encoders.values()}) == 3
    assert len({id(encoder._model) for encoder in encoders.values()}) == 1


def test_sound_counts_where_it_should(encoders: dict[str, PeAvEncoder]) -> None:
    other = AudioSamples(np.sin(1.3 * np.arange(4000)).astype("f4"), RATE)
    items = [AudioVisual(FRAMES, SOUND), AudioVisual(FRAMES, other)]
    seen, both = (encoders[target].encode("video", items) for target in ("video", "audio_video"))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.allclose(both[0], both[1], atol=1e-5)


def test_a_clip_without_sound_is_as_a_muted_one(encoders: dict[str, PeAvEncoder]) -> None:
    muted = AudioSamples(np.zeros(3 * RATE, dtype="f4"), RATE)  # the frames span three seconds
    rows = encoders["audio_video"].encode("video", [AudioVisual(FRAMES, None), AudioVisual(FRAMES, muted)])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_a_clip_without_pictures_is_refused(encoders: dict[str, PeAvEncoder]) -> None:
    with pytest.raises(EncodingError, match="needs pictures"):
        encoders["audio_video"].encode("video", [AudioVisual(None, SOUND)])


def test_an_unknown_target_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="allowed: video, audio, audio_video"):
        registry.load_encoder(str(folder), device="cpu", target="smell")


def test_a_frame_hears_each_event_where_it_is(tmp_path: Path) -> None:
    """A sound's vector is the mean of the vectors of its frames, so its product with a text is the mean of theirs."""
    import transformers as t

    folder = tiny_models_av.pe_a_frame_folder(tmp_path)
    encoder = registry.load_encoder(str(folder), device="cpu")
    model = t.PeAudioFrameLevelModel.from_pretrained(folder).eval()
    inputs = t.AutoFeatureExtractor.from_pretrained(folder)([SOUND.samples], sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        frames = model.get_audio_embeds(**inputs)[0].numpy()
    assert len(frames) == len(SOUND.samples) // 8
    (row,) = encoder.encode("audio", [SOUND])  # type: ignore[union-attr]
    np.testing.assert_allclose(row * np.linalg.norm(frames.mean(0)), frames.mean(0), atol=1e-5)
    assert encoder.modalities == {"text", "audio"}


@pytest.mark.needs_weights
def test_real_weights_tell_sounds_apart() -> None:
    try:
        encoder = registry.load_encoder("pe-av-small-16-frame", device="cpu", offline=True, target="audio")
    except WeightsMissing as error:
        pytest.skip(error.message)
    t = np.arange(5 * 48_000) / 48_000
    sounds = [
        AudioSamples((0.2 * np.random.default_rng(0).standard_normal(len(t))).astype("f4"), 48_000),
        AudioSamples((0.5 * np.sin(2 * np.pi * 1000 * t)).astype("f4"), 48_000),
    ]
    audio = encoder.encode("audio", sounds)  # type: ignore[union-attr]
    text = encoder.encode("text", ["white noise", "a pure tone, a beep"])  # type: ignore[union-attr]
    assert (text @ audio.T).argmax(axis=1).tolist() == [0, 1]
