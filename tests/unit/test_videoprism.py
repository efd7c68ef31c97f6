"""VideoPrism on a tiny random model: the rows of transformers, its own picture and text preparation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models_av
import torch

from vidembed.errors import WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders.dual import canonical
from vidembed.protocols import Encoder
from vidembed.types import AudioVisual, FrameBatch
from vidembed.vectors import unit_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_av.videoprism_folder(tmp_path_factory.mktemp("videoprism"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return registry.load_encoder(str(folder), device="cpu")  # type: ignore[return-value]


def grey(level: int, n: int = 4, height: int = 36, width: int = 36) -> FrameBatch:
    return FrameBatch(np.full((n, height, width, 3), level, np.uint8), np.arange(n, dtype=float))


def test_pictures_are_scaled_to_0_1_and_nothing_else(folder: Path, encoder: Encoder) -> None:
    import transformers as t

    model = t.VideoPrismClipModel.from_pretrained(folder).eval()
    rgb = np.random.default_rng(0).integers(0, 256, (4, 36, 36, 3), dtype=np.uint8)
    pixels = torch.from_numpy(rgb).permute(0, 3, 1, 2)[None].float() / 255  # by hand: no mean, no crop
    with torch.inference_mode():
        video = model.get_video_features(pixels).pooler_output.reshape(1, -1).numpy()
    item = AudioVisual(FrameBatch(rgb, np.arange(4.0)), None)
    np.testing.assert_allclose(encoder.encode("video", [item]), unit_rows(video), atol=2e-6)


def test_the_whole_picture_is_squashed(encoder: Encoder) -> None:
    wide = grey(90, width=120)
    wide.rgb[:, :, :10] = 255  # an edge that a crop would lose
    rows = encoder.encode("video", [AudioVisual(grey(90, width=120), None), AudioVisual(wide, None)])
    assert float(rows[0] @ rows[1]) < 0.9999


@pytest.mark.parametrize(
    ("text", "made"),
    [("Hello, World!", "hello world."), ("  A  CAT_and a dog.. ", "a cat and a dog."), ("Über-Straße", "über straße.")],
)
def test_texts_are_made_as_in_training(text: str, made: str) -> None:
    assert canonical(text) == made


def test_text_rows_are_those_of_transformers(folder: Path, encoder: Encoder) -> None:
    import transformers as t

    model = t.VideoPrismClipModel.from_pretrained(folder).eval()
    tokenizer = t.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(["red car ."], padding="max_length", max_length=12, return_tensors="pt")
    with torch.inference_mode():
        text = model.get_text_features(inputs["input_ids"], inputs["attention_mask"]).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode("text", ["Red, CAR"]), unit_rows(text), atol=1e-6)


@pytest.mark.needs_weights
def test_real_weights_tell_clips_apart() -> None:
    try:
        encoder = registry.load_encoder("videoprism-lvt-base", device="cpu", offline=True)
    except WeightsMissing as error:
        pytest.skip(error.message)
    colours = [FrameBatch(np.full((16, 288, 288, 3), c, np.uint8), np.arange(16.0)) for c in ((200, 0, 0), (0, 0, 200))]
    video = encoder.encode("video", [AudioVisual(c, None) for c in colours])  # type: ignore[union-attr]
    text = encoder.encode("text", ["a video of the colour red.", "a video of the colour blue."])  # type: ignore[union-attr]
    assert (text @ video.T).argmax(axis=1).tolist() == [0, 1]
