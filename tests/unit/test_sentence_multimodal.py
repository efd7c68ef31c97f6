"""EmbeddingGemma 2 and Qwen3-VL-Embedding: one space for all inputs, the library's rows, times of frames, short rows.

Unit rows, order and independence of the batch are in tests/contracts/test_encoders.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models_sentence
from PIL import Image

from vidembed.models import registry
from vidembed.protocols import Encoder
from vidembed.types import AudioSamples, AudioVisual, FrameBatch, Item, Modality
from vidembed.vectors import unit_rows

pytest.importorskip("sentence_transformers")

FAMILIES = list(tiny_models_sentence.BUILDERS)
DIM = {"embedding_gemma2": 24, "qwen3_vl_embedding": 32}
KINDS = {
    "embedding_gemma2": {"text", "image", "audio", "video"},
    "qwen3_vl_embedding": {"text", "image", "video"},
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_sentence.BUILDERS[family](tmp_path_factory.mktemp(family))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load(folder)


def load(folder: Path, **options: Any) -> Encoder:
    return registry.load_encoder(str(folder), device="cpu", **options)  # type: ignore[return-value]


def clip(colours: list[tuple[int, int, int]], step_s: float = 0.5) -> FrameBatch:
    rgb = np.stack([np.full((48, 64, 3), colour, np.uint8) for colour in colours])
    return FrameBatch(rgb, np.arange(len(colours)) * step_s)


RED_TO_BLUE = clip([(255, 0, 0), (200, 0, 50), (50, 0, 200), (0, 0, 255)])
HUM = AudioSamples(np.sin(np.arange(16_000) / 20).astype(np.float32), 16_000)
ITEMS: dict[Modality, Item] = {"text": "red car", "image": RED_TO_BLUE.rgb[0], "video": RED_TO_BLUE, "audio": HUM}


def test_every_input_lands_in_one_space(family: str, encoder: Encoder) -> None:
    assert encoder.modalities == KINDS[family]
    assert encoder.space.dim == DIM[family]
    rows = np.concatenate([encoder.encode(modality, [ITEMS[modality]]) for modality in sorted(encoder.modalities)])
    assert rows.shape == (len(KINDS[family]), DIM[family])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert (rows @ rows.T - 2 * np.eye(len(rows))).max() < 0.9999


def test_rows_are_the_librarys(folder: Path, encoder: Encoder) -> None:
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(folder), device="cpu")
    theirs = np.concatenate([library.encode(["red car"]), library.encode([Image.fromarray(RED_TO_BLUE.rgb[0])])])
    ours = [encoder.encode("text", ["red car"])[0], encoder.encode("image", [RED_TO_BLUE.rgb[0]])[0]]
    np.testing.assert_allclose(ours, unit_rows(theirs), atol=1e-5)


def test_shortened_rows_are_the_first_values_of_every_input(folder: Path, encoder: Encoder) -> None:
    short = load(folder, dim=8)
    assert short.space.dim == 8
    for modality in encoder.modalities:
        whole = encoder.encode(modality, [ITEMS[modality]])
        np.testing.assert_allclose(short.encode(modality, [ITEMS[modality]]), unit_rows(whole[:, :8]), atol=1e-5)


def test_the_order_of_frames_and_a_single_one_are_seen(encoder: Encoder) -> None:
    backwards = replace(RED_TO_BLUE, rgb=RED_TO_BLUE.rgb[::-1].copy())
    one = RED_TO_BLUE.take([0])
    rows = encoder.encode("video", [RED_TO_BLUE, backwards, one])
    assert (rows @ rows.T - 2 * np.eye(3)).max() < 0.99999


def test_times_count_from_the_clips_begin(encoder: Encoder) -> None:
    later = replace(RED_TO_BLUE, times_s=RED_TO_BLUE.times_s + 3600)
    rows = encoder.encode("video", [RED_TO_BLUE, later])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_sound_joins_the_clip_only_where_asked_for(family: str, folder: Path, encoder: Encoder) -> None:
    both = AudioVisual(RED_TO_BLUE, HUM)
    seen = encoder.encode("video", [RED_TO_BLUE])
    np.testing.assert_allclose(encoder.encode("video", [both]), seen, atol=1e-6)
    joined = load(folder, with_sound=True).encode("video", [both])
    hears = "audio" in KINDS[family]
    assert (float(joined[0] @ seen[0]) < 0.9999) == hears
    if hears:
        heard = encoder.encode("audio", [HUM])
        np.testing.assert_allclose(encoder.encode("video", [AudioVisual(None, HUM)]), heard, atol=1e-5)


def test_a_clip_is_one_frame_a_second_and_none_twice(encoder: Encoder) -> None:
    """The frames between whole seconds are left out; at most `frames` are seen."""
    seconds = RED_TO_BLUE.take([0, 2])
    rows = encoder.encode("video", [RED_TO_BLUE, seconds])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_more_frames_than_the_limit_are_thinned_evenly(folder: Path) -> None:
    long = clip([(10 * i, 0, 255 - 10 * i) for i in range(9)], step_s=1.0)
    rows = load(folder, frames=3).encode("video", [long, long.take([0, 4, 8])])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)
