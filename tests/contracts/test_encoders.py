"""The contract every Encoder keeps: unit rows in order, whatever the batch; clear refusals. Run over each family."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import tiny_models_av
import tiny_models_sentence

from vidembed.models import registry
from vidembed.protocols import Encoder
from vidembed.types import AudioSamples, AudioVisual, FrameBatch, Item, Modality

BUILDERS = {**tiny_models_av.BUILDERS, **tiny_models_sentence.BUILDERS}
WITHOUT_WEIGHTS = ("toy",)
FAMILIES = (*WITHOUT_WEIGHTS, "open_clip", "clip", "siglip", "metaclip_2", *BUILDERS)


@pytest.fixture(scope="session", params=FAMILIES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    family: str = request.param
    if family in WITHOUT_WEIGHTS:
        return registry.load_encoder(family)  # type: ignore[return-value]
    folder: Path = tmp_path_factory.mktemp(family)
    if family == "open_clip":
        tiny_models.open_clip_folder(folder)
        return registry.load_encoder(str(folder), device="cpu", engine="torch")  # type: ignore[return-value]
    if family in BUILDERS:
        BUILDERS[family](folder)
    else:
        tiny_models.dual_folder(folder, family)
    return registry.load_encoder(str(folder), device="cpu")  # type: ignore[return-value]


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Blocks of random colours: coarse enough to survive the resizing."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return blocks[rows][:, columns]


def sound(hz: float) -> AudioSamples:
    return AudioSamples(np.sin(2 * np.pi * hz * np.arange(8000) / 16_000).astype(np.float32), 16_000)


def items_of(modality: Modality) -> list[Item]:
    """Five items that differ, in sizes and lengths too."""
    if modality == "text":
        return ["red", "a blue car", "a dog runs in the lake", "green", "the yellow cat jumps"]
    if modality == "image":
        return [picture(i, h, w) for i, (h, w) in enumerate([(48, 64), (64, 48), (48, 64), (32, 32), (3, 200)])]
    if modality == "audio":
        return [sound(hz) for hz in (100, 700, 1500, 3000, 5000)]
    return [AudioVisual(FrameBatch(picture(i)[None], np.zeros(1)), sound(300)) for i in range(5)]


def modalities(encoder: Encoder) -> list[Modality]:
    assert encoder.modalities
    return sorted(encoder.modalities)


def test_rows_are_unit_float32(encoder: Encoder) -> None:
    for modality in modalities(encoder):
        rows = encoder.encode(modality, items_of(modality))
        assert rows.shape == (5, encoder.space.dim)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_different_items_have_different_rows(encoder: Encoder) -> None:
    for modality in modalities(encoder):
        items = items_of(modality)
        if encoder.space.name == "toy" and modality == "audio":
            items = [items[0], items[1], items[3]]  # one in each band
        rows = encoder.encode(modality, items)
        cosines = rows @ rows.T - 2 * np.eye(len(items))
        assert cosines.max() < 0.99999  # as near as random weights of PE-AV bring different sounds


def test_rows_do_not_depend_on_the_batch(encoder: Encoder) -> None:
    for modality in modalities(encoder):
        items = items_of(modality)
        together = encoder.encode(modality, items)
        alone = np.concatenate([encoder.encode(modality, [item]) for item in items])
        np.testing.assert_allclose(together, alone, atol=2e-5)


def test_rows_follow_the_order(encoder: Encoder) -> None:
    order = [3, 0, 4, 1, 2]
    for modality in modalities(encoder):
        items = items_of(modality)
        shuffled = encoder.encode(modality, [items[i] for i in order])
        np.testing.assert_allclose(shuffled, encoder.encode(modality, items)[order], atol=2e-5)


def test_the_same_twice_is_the_same(encoder: Encoder) -> None:
    for modality in modalities(encoder):
        items = items_of(modality)
        np.testing.assert_array_equal(encoder.encode(modality, items), encoder.encode(modality, items))


def test_nothing_in_nothing_out(encoder: Encoder) -> None:
    for modality in modalities(encoder):
        rows = encoder.encode(modality, [])
        assert rows.shape == (0, encoder.space.dim)
        assert rows.dtype == np.float32


def test_items_are_left_as_they_were(encoder: Encoder) -> None:
    if "image" not in encoder.modalities:
        pytest.skip("no pictures")
    image = picture(1)
    before = image.copy()
    encoder.encode("image", [image])
    np.testing.assert_array_equal(image, before)


def test_views_and_copies_are_the_same(encoder: Encoder) -> None:
    if "image" not in encoder.modalities:
        pytest.skip("no pictures")
    view = picture(1)[::-1, ::-1]  # as a reader may hand out: negative strides
    rows: Sequence[np.ndarray] = [encoder.encode("image", [i])[0] for i in (view, np.ascontiguousarray(view))]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


@pytest.mark.parametrize("modality", ["text", "image", "audio", "video", "smell"])
def test_other_modalities_are_refused(encoder: Encoder, modality: str) -> None:
    if modality in encoder.modalities:
        pytest.skip("understood")
    with pytest.raises(ValueError, match=f"not '{modality}'"):
        encoder.encode(modality, [])  # type: ignore[arg-type]


def test_long_text_is_cut_not_refused(encoder: Encoder) -> None:
    if "text" not in encoder.modalities:
        pytest.skip("no text")
    rows = encoder.encode("text", ["red " * 500, "blue", ""])
    assert rows.shape == (3, encoder.space.dim)
