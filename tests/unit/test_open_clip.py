"""open_clip models from folders and files: the reference pipeline's vectors, never random weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from PIL import Image as PILImage

from vidembed import models
from vidembed.encoders import _openvino, _torch
from vidembed.encoders._pixels import Preparation
from vidembed.encoders.open_clip import OpenClipEncoder, load
from vidembed.errors import ConfigError, UnknownModel, WeightsMissing
from vidembed.model_spec import ModelSpec

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with a hard edge, as pictures have."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / 9 + seed) * 100 + 128, np.cos(y / 7) * 100 + 128, (x > width / 2) * 255.0]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.open_clip_folder(tmp_path_factory.mktemp("open_clip"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def encoder_of(folder: Path, **options: Any) -> OpenClipEncoder:
    found: Any = models.load_encoder(str(folder), **{"device": "cpu", "engine": "torch", **options})
    return found


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(90, 160), (161, 91), (32, 32), (20, 24), (48, 333)])
def test_pixels_are_those_of_open_clips_own_transform(mode: Any, interpolation: Any, size: tuple[int, int]) -> None:
    import open_clip

    image = picture(*size)
    reference = open_clip.image_transform(
        32, is_train=False, mean=MEAN, std=STD, resize_mode=mode, interpolation=interpolation, fill_color=7
    )(PILImage.fromarray(image))
    prepared = Preparation((32, 32), MEAN, STD, interpolation, mode, 7)([image])[0]
    # One grey level of 255, in the normalised scale, and rarely even that.
    difference = (prepared - reference).abs() * torch.tensor(STD).view(3, 1, 1) * 255
    assert difference.max() <= 1.01
    assert difference.mean() < 0.05


def test_pictures_of_mixed_sizes_keep_their_places() -> None:
    prepare = Preparation((16, 16), MEAN, STD, resize_mode="squash")
    images = [picture(20, 30, 1), picture(40, 20, 2), picture(20, 30, 3)]
    torch.testing.assert_close(prepare(images), torch.cat([prepare([image]) for image in images]))
    assert prepare(images).is_contiguous(memory_format=torch.channels_last)


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
    assert batch_norms(encoder._model.visual) == 0
    images = [picture(64, 64), picture(80, 60, 3)]
    with torch.inference_mode():
        expected = original.encode_image(encoder.prepare(images), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode("image", images), expected, atol=1e-4)


def batch_norms(module: torch.nn.Module) -> int:
    return sum(isinstance(part, torch.nn.BatchNorm2d) for part in module.modules())


def test_half_precision_agrees(folder: Path) -> None:
    images = [picture(90, 160), picture(64, 64, 2)]
    full, half = encoder_of(folder), encoder_of(folder, dtype="bfloat16")
    for modality, items in (("image", images), ("text", ["a red car", "two dogs"])):
        cosines = (full.encode(modality, items) * half.encode(modality, items)).sum(axis=1)  # type: ignore[arg-type]
        assert 0.99 < cosines.min() < 1.001


def _needs_openvino() -> None:
    if not _openvino.available():
        pytest.skip("the extra openvino is not installed")


def test_openvino_agrees_and_is_converted_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _needs_openvino()
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path))
    images = [picture(90, 160), picture(64, 64, 2), picture(33, 35, 4)]
    expected = encoder_of(folder).encode("image", images)
    exact = encoder_of(folder, engine="openvino", dtype="float32")
    assert exact.engine == "openvino"
    np.testing.assert_allclose(exact.encode("image", images), expected, atol=1e-4)
    np.testing.assert_allclose(exact.encode("image", images[:1]), expected[:1], atol=1e-4)
    monkeypatch.setattr(_openvino, "_translated", lambda *_: pytest.fail("converted again"))
    fast = encoder_of(folder, engine="openvino")
    assert (fast.encode("image", images) * expected).sum(axis=1).min() >= 0.998


def test_openvino_gives_torchs_numbers_for_convolutions_with_several_outputs_a_channel(tmp_path: Path) -> None:
    """They are taken apart for OpenVINO; and a batch longer than a piece comes back in order."""
    _needs_openvino()
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(3, 12, 3, stride=2, padding=1, groups=3)
    nested = torch.nn.Sequential(torch.nn.Conv2d(12, 24, 3, groups=12, bias=False), torch.nn.ReLU())
    tower = torch.nn.Sequential(plain, nested, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
    pixels = torch.rand(2 * _openvino.PIECE + 1, 3, 16, 16)
    with torch.inference_mode():
        expected = tower(pixels)
    compiled = _openvino.compile_tower(tower, (16, 16), dtype="float32", cache=tmp_path)
    torch.testing.assert_close(compiled(pixels), expected, rtol=1e-4, atol=1e-5)
    assert tower[0] is plain  # the tower itself stays as it was
    assert plain.groups == 3


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    """Imported as it is, it would send an event, for which it makes a client id in the home folder."""
    _needs_openvino()
    code = (
        "import sys, torch; from vidembed.encoders import _openvino; "
        "_openvino._package().convert_model(torch.nn.ReLU(), example_input=torch.zeros(1, 2)); "
        "print('openvino' in sys.modules, 'openvino_telemetry' in sys.modules)"
    )
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | home
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["True", "False"]
    assert not (tmp_path / "intel").exists()


def test_openvino_falls_back_to_float32_where_half_precision_disagrees(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs_openvino()
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path))
    monkeypatch.setattr(_openvino, "AGREEMENT", 1.1)  # nothing agrees that well
    tower: Any = encoder_of(folder, engine="openvino")._tower
    assert tower.precision == "f32"


def test_missing_weights_are_named(copy: Path) -> None:
    (copy / "open_clip_model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match=r"open_clip_model\.safetensors") as caught:
        encoder_of(copy)
    assert str(copy) in caught.value.message


@pytest.mark.parametrize("keep", [0, 7, 5000])
def test_truncated_weights_are_refused(copy: Path, keep: int) -> None:
    file = copy / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsMissing, match="do not load"):
        encoder_of(copy)


def test_a_missing_or_misshapen_tensor_is_refused(copy: Path) -> None:
    from safetensors.torch import load, save_file

    file = copy / "open_clip_model.safetensors"
    tensors = load(file.read_bytes())  # not load_file: it maps the file, which is written over below
    save_file({k: v for k, v in tensors.items() if k != "visual.conv1.weight"}, file)
    with pytest.raises(WeightsMissing, match="Error"):
        encoder_of(copy)
    save_file({**tensors, "visual.conv1.weight": torch.zeros(3, 3)}, file)
    with pytest.raises(WeightsMissing, match="Error"):
        encoder_of(copy)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was run",))


def test_pickles_are_not_run(copy: Path) -> None:
    (copy / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": Evil()}, copy / "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsMissing, match="do not load"):
        encoder_of(copy)


def test_torch_checkpoints_load_as_data(copy: Path) -> None:
    from safetensors.torch import load_file

    expected = encoder_of(copy).encode("text", ["a red car"])
    file = copy / "open_clip_model.safetensors"
    torch.save({"state_dict": load_file(file)}, copy / "open_clip_pytorch_model.bin")
    file.unlink()
    np.testing.assert_array_equal(encoder_of(copy).encode("text", ["a red car"]), expected)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_broken_config_is_refused(copy: Path, content: str) -> None:
    (copy / "open_clip_config.json").write_text(content)
    with pytest.raises(WeightsMissing):
        encoder_of(copy)


def test_unknown_preprocessing_is_refused(copy: Path) -> None:
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["interpolation"] = "lanczos"
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsMissing, match="lanczos"):
        encoder_of(copy)


def test_a_checkpoint_file_for_a_named_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The architecture is open_clip's own, made small, so that nothing big is built."""
    import open_clip
    from open_clip import factory

    folder = tiny_models.open_clip_folder(tmp_path / "source")
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(factory._MODEL_CONFIGS, "Tiny-8", {k: v for k, v in config.items() if k != "custom_text"})
    file = tmp_path / "only" / "tiny.safetensors"
    file.parent.mkdir()
    shutil.copy(folder / "open_clip_model.safetensors", file)
    encoder: Any = models.load_encoder(f"open_clip:Tiny-8/{file}", device="cpu", engine="torch")
    np.testing.assert_array_equal(encoder.encode("text", ["red"]), encoder_of(folder).encode("text", ["red"]))
    # No settings beside the file and no published tags: CLIP's own preprocessing.
    assert encoder.prepare.mean == open_clip.OPENAI_DATASET_MEAN
    assert encoder.space.name.startswith("tiny-")


def test_names_open_clip_does_not_know() -> None:
    with pytest.raises(UnknownModel, match="no architecture 'ViT-B-23'") as caught:
        models.load_encoder("open_clip:ViT-B-23/openai", offline=True)
    assert "ViT-B-32" in caught.value.hint
    with pytest.raises(UnknownModel, match="no pretrained tag 'laion9b'") as caught:
        models.load_encoder("open_clip:ViT-B-32/laion9b", offline=True)
    assert "laion2b_s34b_b79k" in caught.value.hint


def test_a_tag_without_weights_here_names_its_repository() -> None:
    with pytest.raises(WeightsMissing) as caught:
        models.load_encoder("open_clip:PE-Core-T-16-384/meta", offline=True)
    assert "hf download timm/PE-Core-T-16-384" in caught.value.hint


def test_a_tag_that_has_only_an_address_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    cfg = {"url": "https://example.org/weights.pt", "hf_hub": ""}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda arch, tag: cfg)
    with pytest.raises(WeightsMissing, match=r"https://example.org/weights\.pt") as caught:
        models.load_encoder("open_clip:RN50/mine", offline=True)
    assert "open_clip:RN50/PATH" in caught.value.hint


def test_registry_records_match_open_clip() -> None:
    import open_clip

    records = [spec for spec in models.specs("encoder") if spec.factory.startswith("vidembed.encoders.open_clip")]
    assert len(records) >= 10
    for spec in records:
        arch = spec.options["arch"]
        cfg, model = open_clip.get_pretrained_cfg(arch, spec.options["tag"]), open_clip.get_model_config(arch)
        assert cfg["hf_hub"].rstrip("/") == spec.repo, spec.name
        assert spec.space is not None
        assert model["embed_dim"] == spec.space.dim, spec.name
        assert model["vision_cfg"]["image_size"] == spec.input.image_px, spec.name
        assert model["text_cfg"].get("context_length", 77) == spec.input.max_tokens, spec.name


def test_wrong_settings_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="unknown engine 'onnx'"):
        encoder_of(folder, engine="onnx")
    with pytest.raises(ConfigError, match="unknown device 'gpu'"):
        encoder_of(folder, device="gpu")
    with pytest.raises(ConfigError, match="unknown dtype 'int8'"):
        encoder_of(folder, dtype="int8")
    with pytest.raises(ConfigError, match="no option 'quantise'"):
        encoder_of(folder, quantise=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_an_absent_gpu_is_said() -> None:
    with pytest.raises(ConfigError, match="0 CUDA devices"):
        _torch.pick_device("cuda")
    assert _torch.pick_device("auto").type in ("cpu", "mps")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_out_of_memory_is_a_memory_error(folder: Path, error: Exception) -> None:
    def full(_: Sequence[Any]) -> None:
        raise error

    encoder: Any = encoder_of(folder)
    encoder._tower = full
    with pytest.raises(MemoryError):
        encoder.encode("image", [picture(32, 32)])
    with pytest.raises(RuntimeError, match="shape"), _torch.running(torch.device("cpu")):
        raise RuntimeError("shape mismatch")


def test_the_factory_takes_a_record(folder: Path) -> None:
    spec = ModelSpec(name="mine", kind="encoder", factory="vidembed.encoders.open_clip:load", path=folder)
    assert load(spec, device="cpu", engine="torch").encode("text", ["red"]).shape == (1, 24)
