"""X-CLIP on a tiny random model: the rows of transformers, frames spread evenly in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_models_av
import torch

from vidembed.errors import EncodingError, WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders._torch import frames_of
from vidembed.protocols import Encoder
from vidembed.types import AudioSamples, AudioVisual, FrameBatch
from vidembed.vectors import unit_rows


def clip(times_s: list[float], seed: int = 0, height: int = 40, width: int = 60) -> AudioVisual:
    rgb = np.random.default_rng(seed).integers(0, 256, (len(times_s), height, width, 3), dtype=np.uint8)
    return AudioVisual(FrameBatch(rgb, np.array(times_s)), None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_av.xclip_folder(tmp_path_factory.mktemp("xclip"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return registry.load_encoder(str(folder), device="cpu")  # type: ignore[return-value]


def test_rows_are_those_of_transformers(folder: Path, encoder: Encoder) -> None:
    import transformers as t

    model = t.XCLIPModel.from_pretrained(folder).eval()
    processor = t.VideoMAEImageProcessor.from_pretrained(folder)
    item = clip([0, 1, 2, 3])
    assert item.frames is not None
    pixels = processor([list(item.frames.rgb)], return_tensors="pt", input_data_format="channels_last")
    assert pixels["pixel_values"].shape == (1, 4, 3, 32, 32)
    with torch.inference_mode():
        video = model.get_video_features(**pixels).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode("video", [item]), unit_rows(video), atol=1e-6)


def test_order_of_frames_counts(encoder: Encoder) -> None:
    forward = clip([0, 1, 2, 3])
    assert forward.frames is not None
    back = AudioVisual(FrameBatch(forward.frames.rgb[::-1].copy(), forward.frames.times_s), None)
    rows = encoder.encode("video", [forward, back])
    assert float(rows[0] @ rows[1]) < 0.9999


@pytest.mark.parametrize(
    ("times_s", "count", "chosen"),
    [
        ([0.0], 3, [0, 0, 0]),
        ([0, 1, 2, 3], 2, [0, 3]),
        ([0, 1, 2, 3, 4], 3, [0, 2, 4]),
        ([0, 8, 9, 10], 6, [0, 0, 0, 0, 1, 3]),  # at 0, 2, 4, 6, 8, 10 s: the first stays until 8 s
        ([5.0, 6.0], 4, [0, 0, 0, 1]),
        ([0, 1, 2], None, [0, 1, 2]),
    ],
)
def test_frames_are_even_in_time_not_in_number(times_s: list[float], count: int | None, chosen: list[int]) -> None:
    rgb = np.zeros((len(times_s), 1, 1, 3), np.uint8)
    rgb[:, 0, 0, 0] = np.arange(len(times_s))
    item = AudioVisual(FrameBatch(rgb, np.array(times_s, dtype=float)), None)
    assert frames_of(item, count)[:, 0, 0, 0].tolist() == chosen


def test_sound_alone_is_refused(encoder: Encoder) -> None:
    with pytest.raises(EncodingError, match="needs pictures"):
        encoder.encode("video", [AudioVisual(None, AudioSamples(np.zeros(8, dtype="f4"), 8000))])


@pytest.mark.needs_weights
def test_real_weights_tell_clips_apart() -> None:
    try:
        encoder = registry.load_encoder("xclip-base-patch32", device="cpu", offline=True)
    except WeightsMissing as error:
        pytest.skip(error.message)
    colours = [FrameBatch(np.full((8, 224, 224, 3), c, np.uint8), np.arange(8.0)) for c in ((200, 0, 0), (0, 0, 200))]
    video = encoder.encode("video", [AudioVisual(c, None) for c in colours])  # type: ignore[union-attr]
    text = encoder.encode("text", ["the colour red", "the colour blue"])  # type: ignore[union-attr]
    assert (text @ video.T).argmax(axis=1).tolist() == [0, 1]
