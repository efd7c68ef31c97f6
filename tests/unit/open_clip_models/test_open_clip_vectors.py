"""open_clip models give the reference pipeline's pixels and vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from open_clip_parts import MEAN, STD, encoder_of, picture, torch_model
from PIL import Image as PILImage

from vidembed.models.encoders._open_clip_torch import prepared_on
from vidembed.models.encoders._pictures import Preparation
from vidembed.models.encoders._torch import as_stored


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(90, 160), (161, 91), (32, 32), (20, 24), (48, 333)])
def test_pixels_are_those_of_open_clips_own_transform(mode: Any, interpolation: Any, size: tuple[int, int]) -> None:
    import open_clip

    image = picture(*size)
    reference = open_clip.image_transform(
        32, is_train=False, mean=MEAN, std=STD, resize_mode=mode, interpolation=interpolation, fill_color=7
    )(PILImage.fromarray(image))
    prepare = Preparation((32, 32), MEAN, STD, interpolation, mode, 7)
    np.testing.assert_allclose(prepare([image])[0], reference, atol=1e-5)
    # On a GPU: one grey level of 255, in the normalised scale, and rarely even that.
    on_gpu = prepared_on(prepare, [image], torch.device("cpu"))[0]
    difference = (on_gpu - reference).abs() * torch.tensor(STD).view(3, 1, 1) * 255
    assert difference.max() <= 1.01
    assert difference.mean() < 0.05


def test_pictures_of_mixed_sizes_keep_their_places() -> None:
    prepare = Preparation((16, 16), MEAN, STD, resize_mode="squash")
    images = [picture(20, 30, 1), picture(40, 20, 2), picture(20, 30, 3)]
    alone = np.concatenate([prepare([image]) for image in images])
    np.testing.assert_array_equal(prepare(images), alone)
    on_gpu = prepared_on(prepare, images, torch.device("cpu")).numpy()
    assert np.abs(on_gpu - alone).max() <= 1.01 / 255 / min(STD)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be \(H, W, 3\) uint8"):
        Preparation((16, 16), MEAN, STD)([bad])


def test_vectors_are_those_of_open_clip_itself(folder: Path) -> None:
    import open_clip

    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}", return_transform=True)
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    images, texts = [picture(90, 160), picture(64, 64, 2)], ["a red car", "two dogs"]
    with torch.inference_mode():
        pixels = torch.stack([preprocess(PILImage.fromarray(image)) for image in images])
        expected_images = model.eval().encode_image(pixels, normalize=True).numpy()
        expected_texts = model.encode_text(tokenize(texts), normalize=True).numpy()
    encoder = encoder_of(folder)
    assert (encoder.encode("image", images) * expected_images).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(encoder.encode("text", texts), expected_texts, atol=1e-5)


def test_preprocessing_comes_with_the_weights(tmp_path: Path) -> None:
    odd = {"mean": [0.1, 0.2, 0.3], "resize_mode": "longest", "interpolation": "bilinear", "fill_color": 9}
    encoder = encoder_of(tiny_models.open_clip_folder(tmp_path, preprocess=odd))
    assert encoder.prepare == Preparation((32, 32), (0.1, 0.2, 0.3), (0.25,) * 3, "bilinear", "longest", 9)


def test_branches_are_fused_and_the_vectors_stay(tmp_path: Path) -> None:
    import open_clip

    folder = tiny_models.open_clip_folder(tmp_path, fast=True)
    original = open_clip.create_model(f"local-dir:{folder}").eval()
    encoder = encoder_of(folder)
    assert batch_norms(original.visual) > 50
    assert batch_norms(torch_model(encoder).visual) == 0
    images = [picture(64, 64), picture(80, 60, 3)]
    with torch.inference_mode():
        expected = original.encode_image(torch.from_numpy(encoder.prepare(images)), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode("image", images), expected, atol=1e-4)


def test_a_text_is_encoded_without_making_the_image_tower(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidembed.models.encoders._conversion.convert_pictures", lambda *_: pytest.fail("it was made"))
    assert encoder_of(folder, engine="auto").encode("text", ["a red car"]).shape[0] == 1


def test_weights_are_the_files(folder: Path) -> None:
    from safetensors.torch import load_file

    model = torch_model(encoder_of(folder)).model
    stored = load_file(folder / "open_clip_model.safetensors")
    assert len(stored) > 20
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, stored[name], rtol=0, atol=0)


def test_models_made_as_stored_draw_no_random_numbers_and_copy_nothing() -> None:
    before = torch.get_rng_state()
    given = {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}
    with as_stored():
        layer = torch.nn.Linear(2, 3)
        layer.load_state_dict(given)
        half = torch.nn.Linear(2, 3, dtype=torch.float16)
        half.load_state_dict(given)  # of another dtype: copied, as ever
    assert torch.equal(torch.get_rng_state(), before)
    assert layer.weight.data_ptr() == given["weight"].data_ptr()
    assert layer(torch.ones(1, 2)).tolist() == [[2.0, 2.0, 2.0]]
    assert half.weight.dtype == torch.float16
    assert half.weight.tolist() == [[1.0, 1.0]] * 3


def test_padding_behind_the_end_of_a_text_is_not_computed_and_the_vectors_stay(tmp_path: Path) -> None:
    encoder = encoder_of(tiny_models.open_clip_folder(tmp_path, fast=True))
    model, texts = torch_model(encoder).model, ["a red car", "two dogs"]
    with torch.inference_mode():
        whole = model.encode_text(torch_model(encoder).tokenizer(texts), normalize=True).numpy()
    seen: list[int] = []
    model.text.token_embedding.register_forward_pre_hook(lambda _, tokens: seen.append(tokens[0].shape[1]))
    np.testing.assert_allclose(encoder.encode("text", texts), whole, atol=1e-6)
    assert seen == [5]  # begin, three words, end


def batch_norms(module: torch.nn.Module) -> int:
    return sum(isinstance(part, torch.nn.BatchNorm2d) for part in module.modules())


def test_half_precision_agrees(folder: Path) -> None:
    images = [picture(90, 160), picture(64, 64, 2)]
    full, half = encoder_of(folder), encoder_of(folder, dtype="bfloat16")
    for modality, items in (("image", images), ("text", ["a red car", "two dogs"])):
        cosines = (full.encode(modality, items) * half.encode(modality, items)).sum(axis=1)  # type: ignore[arg-type]
        assert 0.99 < cosines.min() < 1.001
