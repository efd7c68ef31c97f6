"""The starter's picture and text towers: what the shipped weights know, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidembed.errors import BadQuery, ConfigError, WeightsMissing
from vidembed.models import registry
from vidembed.models.arrays import mapped
from vidembed.models.encoders import _efficientnet, _engines, minilm, starter
from vidembed.models.encoders._efficientnet import squared
from vidembed.models.encoders.starter import (
    BANK_FILE,
    FOLDER,
    FREE_SPACE,
    PICTURE_FILE,
    SPACE,
    TEXT_FILE,
    StarterEncoder,
    add_to_manifest,
)
from vidembed.models.registry import load_encoder
from vidembed.search.calibration import read_bank
from vidembed.types import Span, TextLine, TimedText


@pytest.fixture(scope="module")
def encoder() -> StarterEncoder:
    return StarterEncoder()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_the_registry_loads_it(encoder: StarterEncoder) -> None:
    found = load_encoder("starter", device="cpu")
    assert isinstance(found, StarterEncoder)
    assert found.space == SPACE == encoder.space
    assert {"text", "image"} <= found.modalities
    with pytest.raises(ConfigError, match="float32 or bfloat16"):
        load_encoder("starter", device="cpu", dtype="float16")
    with pytest.raises(ConfigError, match="unknown device 'gpu'"):
        load_encoder("starter", device="gpu")


def test_rows_are_unit_and_do_not_depend_on_the_batch(encoder: StarterEncoder) -> None:
    texts = ["a dog", "a woman in a red dress rides a bicycle through a crowded street in the rain", "snow"]
    together = encoder.encode("text", texts)
    assert together.shape == (3, SPACE.dim)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together, np.concatenate([encoder.encode("text", [t]) for t in texts]), atol=1e-5)
    pictures = [noise(64, 48), noise(30, 200, 1)]
    rows = encoder.encode("image", pictures)
    assert np.allclose(rows, np.concatenate([encoder.encode("image", [p]) for p in pictures]), atol=1e-4)
    assert encoder.encode("text", []).shape == encoder.encode("image", []).shape == (0, SPACE.dim)


@pytest.fixture(scope="module")
def free() -> StarterEncoder:
    found = load_encoder("starter-free", device="cpu")
    assert isinstance(found, StarterEncoder)
    return found


def test_the_free_heads_are_a_space_of_their_own(encoder: StarterEncoder, free: StarterEncoder) -> None:
    assert (free.space, free.modalities) == (FREE_SPACE, {"text", "image", "audio"})
    assert registry.find("starter-free").commercial
    assert not registry.find("starter").commercial
    assert registry.find("starter-free").revision != registry.find("starter").revision
    with pytest.raises(WeightsMissing, match=r"made for starter-v1 \(384\), this is starter-free-v1 \(384\)"):
        StarterEncoder(FOLDER, space=FREE_SPACE)


def test_the_free_heads_are_the_classifier_and_the_class_names(free: StarterEncoder) -> None:
    """Worked out anew: GELU of how far each class's score stands out, over centred sentence vectors of the names."""
    from vidembed.models.arrays import gelu

    picture = noise(80, 96)
    features = free.picture_features([picture])
    weights = _efficientnet.load()
    scores = features[:, :1280] @ weights["classifier.weight"].T + weights["classifier.bias"]
    outer = mapped(free.folder / PICTURE_FILE)["head.outer.weight"].astype(np.float32)
    row = (gelu((scores - scores.mean()) / np.float32(1.2) - np.float32(1)) @ outer.T)[0]
    assert free.encode("image", [picture])[0] @ row / np.linalg.norm(row) > 0.999
    assert abs(outer.sum(1)).max() < 0.05, "counted from the mean of the names"


@pytest.mark.parametrize(
    ("height", "width", "first", "last"),
    [
        (90, 120, 0, 119),  # 4:3 is seen whole
        (90, 160, 20, 139),  # 16:9 becomes 4:3
        (40, 160, 20, 139),  # no more than a quarter goes
        (160, 90, 20, 139),  # the same upright
    ],
)
def test_long_pictures_lose_their_ends(height: int, width: int, first: int, last: int) -> None:
    """Brightness is the place along the longer side, so the edges of what is seen tell where it was cut."""
    places = np.arange(max(height, width), dtype=np.uint8)
    picture = np.broadcast_to((places[:, None] if height > width else places)[..., None], (height, width, 3))
    seen = np.asarray(squared(Image.fromarray(np.ascontiguousarray(picture)), 256)).astype(int)
    ends = (seen[0, 128, 0], seen[-1, 128, 0]) if height > width else (seen[128, 0, 0], seen[128, -1, 0])
    assert ends == pytest.approx((first, last), abs=1)


def test_unfinished_texts_are_read_with_a_full_stop_too(encoder: StarterEncoder) -> None:
    dog, same, finished, asked = encoder.encode("text", ["a dog", "a dog  ", "a dog .", "where is the dog?"])
    plain = encoder._as_written(["a dog", "a dog .", "where is the dog?"])
    assert np.allclose(finished, plain[1], atol=1e-5)
    assert np.allclose(asked, plain[2], atol=1e-5)
    middle = plain[0] + plain[1]
    assert np.allclose(dog, middle / np.linalg.norm(middle), atol=1e-5)
    assert np.allclose(same, dog, atol=1e-5)


def test_sentences_of_like_meaning_are_near(encoder: StarterEncoder) -> None:
    dog, puppy, guitar = encoder.encode(
        "text", ["a dog runs across the grass", "a puppy is running in a field", "a man plays the guitar on a stage"]
    )
    assert dog @ puppy > 0.5 > dog @ guitar


@pytest.mark.parametrize("name", ["encoder", "free"])
def test_photographs_find_their_descriptions(name: str, request: pytest.FixtureRequest) -> None:
    encoder: StarterEncoder = request.getfixturevalue(name)
    datasets = pytest.importorskip("sklearn.datasets")
    photos = [np.ascontiguousarray(p) for p in datasets.load_sample_images().images]  # a temple in China, a flower
    texts = [
        "a large building with a curved roof",
        "a close up of a pink flower",
        "two dogs play in the snow",
        "a man on a surfboard",
    ]
    scores = encoder.encode("image", photos) @ encoder.encode("text", texts).T
    assert scores.argmax(1).tolist() == [0, 1]


def test_timed_text_is_its_words(encoder: StarterEncoder) -> None:
    timed = TimedText((TextLine(Span(0, 1), "a dog"), TextLine(Span(1, 2), "runs")))
    assert np.allclose(encoder.encode("text", [timed]), encoder.encode("text", ["a  dog\nruns"]), atol=1e-6)


def test_features_for_heads_and_captioners(encoder: StarterEncoder) -> None:
    pictures = [noise(40, 60)]
    features = encoder.picture_features(pictures)
    assert features.shape == (1, starter.PICTURE_FEATURES)
    assert np.allclose(encoder.place_pictures(features), encoder.encode("image", pictures), atol=1e-6)
    tokens = encoder.features("image", pictures)
    assert tokens.shape == (1, 16, 1280)
    scores = encoder.class_scores(tokens)
    assert scores.shape == (1, 1000)
    assert scores.sum() == pytest.approx(1, abs=1e-4)


def test_wrong_items_are_refused(encoder: StarterEncoder) -> None:
    with pytest.raises(BadQuery, match="non-empty"):
        encoder.encode("text", ["  "])
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8, got \(4, 4\) float64"):
        encoder.encode("image", [np.zeros((4, 4))])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="does not understand 'video'"):
        encoder.encode("video", [])


def copy_of(folder: Path) -> Path:
    for name in ("manifest.json", PICTURE_FILE, TEXT_FILE):
        shutil.copy(FOLDER / name, folder / name)
    return folder


def test_damaged_weights_are_refused_when_first_used(tmp_path: Path) -> None:
    folder = copy_of(tmp_path)
    data = bytearray((folder / TEXT_FILE).read_bytes())
    data[-1] ^= 1
    (folder / TEXT_FILE).write_bytes(data)
    with pytest.raises(WeightsMissing, match="SHA-256"):
        StarterEncoder(folder).encode("text", ["x"])
    (folder / TEXT_FILE).unlink()
    with pytest.raises(WeightsMissing, match="no text.safetensors"):
        StarterEncoder(folder).encode("text", ["x"])
    (folder / "manifest.json").write_text(json.dumps({"space": "other", "dim": 3, "files": {}}))
    with pytest.raises(WeightsMissing, match="made for other"):
        StarterEncoder(folder)
    with pytest.raises(WeightsMissing, match="no usable starter weights"):
        StarterEncoder(tmp_path / "none")


def test_a_head_without_a_tail_belongs_to_the_backbone_as_it_comes(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shipped = load_file(FOLDER / PICTURE_FILE)
    backbone = _efficientnet.load()
    untuned = {name: backbone[starter._untuned_name(name)] for name in shipped if name.startswith("tail.")}
    head = {name: tensor for name, tensor in shipped.items() if name.startswith("head.")}
    spec = json.loads((FOLDER / "manifest.json").read_text())["files"][PICTURE_FILE]["head"]

    def with_tail(name: str, tail: dict[str, np.ndarray]) -> StarterEncoder:
        folder = tmp_path / name
        folder.mkdir()
        save_file(head | tail, folder / PICTURE_FILE)
        add_to_manifest(folder, PICTURE_FILE, head=spec)
        return StarterEncoder(folder)

    pictures = [noise(50, 70, 2)]
    plain = with_tail("none", {}).encode("image", pictures)
    assert np.allclose(plain, with_tail("untuned", untuned).encode("image", pictures), atol=1e-5)
    moved = untuned | {"tail.head.bias": untuned["tail.head.bias"] + 1}
    assert not np.allclose(plain, with_tail("moved", moved).encode("image", pictures), atol=1e-2)
    with pytest.raises(WeightsMissing, match=r"picture\.safetensors does not fit"):
        with_tail("wrong", untuned | {"tail.head.bias": np.zeros(3, np.float32)}).encode("image", pictures)


def test_half_precision_is_near_where_it_is_asked_for(encoder: StarterEncoder) -> None:
    pictures = [noise(64, 48), noise(30, 200, 1)]
    half = StarterEncoder(dtype="bfloat16").encode("image", pictures)
    assert (half * encoder.encode("image", pictures)).sum(1).min() > 0.99


@pytest.mark.parametrize("name", ["starter", "starter-free"])
def test_kept_rows_of_the_query_bank_are_those_that_are_made(name: str) -> None:
    """Where this fails, the bank or a text tower has changed: run training/keep_bank.py."""
    encoder = load_encoder(name, device="cpu")
    assert isinstance(encoder, StarterEncoder)
    kept, made = encoder.kept_rows(read_bank()), encoder.encode("text", read_bank())
    assert kept is not None
    assert kept.dtype == np.float32
    assert (kept * made).sum(1).min() > 0.999999


def test_other_texts_are_not_kept_nor_those_of_another_tower_nor_damaged_ones(tmp_path: Path) -> None:
    folder, bank = copy_of(tmp_path), read_bank()
    shutil.copy(FOLDER / BANK_FILE, folder)
    assert StarterEncoder(folder).kept_rows(bank) is not None
    assert StarterEncoder(folder).kept_rows(bank[1:]) is None
    whole = (folder / BANK_FILE).read_bytes()
    (folder / BANK_FILE).write_bytes(whole[:-2] + b"xx")
    assert StarterEncoder(folder).kept_rows(bank) is None
    (folder / BANK_FILE).write_bytes(whole)
    content = json.loads((folder / "manifest.json").read_text())
    content["files"][TEXT_FILE]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(content))
    assert StarterEncoder(folder).kept_rows(bank) is None


def test_training_enters_a_file_without_touching_the_others(tmp_path: Path) -> None:
    folder = copy_of(tmp_path)
    before = json.loads((folder / "manifest.json").read_text())["files"]
    (folder / "extra.bin").write_bytes(b"abc")
    add_to_manifest(folder, "extra.bin", note="x")
    after = json.loads((folder / "manifest.json").read_text())["files"]
    assert after["extra.bin"] == {
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "note": "x"}  # fmt: skip
    assert {name: after[name] for name in (PICTURE_FILE, TEXT_FILE)} == {
        n: before[n] for n in (PICTURE_FILE, TEXT_FILE)
    }


def test_a_correction_is_added_to_its_matrix() -> None:
    """Beside the matrices, as corrections are kept, and added to them: the same vectors; what does not fit is named."""
    _, tokenizer = minilm.load_network()
    tensors = {n: v for n, v in mapped(minilm.weights_file()).items() if v.dtype == np.float32}
    random = np.random.default_rng(0)
    name, rows = "layers.5.self_attn.in_proj_weight", {"query": 0, "key": 384, "value": 768}
    parts = {f"{name}.up": random.normal(0, 0.1, (1152, 2)), f"{name}.down": random.normal(0, 0.1, (2, 384))}
    parts = {key: value.astype(np.float32) for key, value in parts.items()}
    merged = dict(tensors)
    for part, start in rows.items():
        matrix = f"encoder.layer.5.attention.self.{part}.weight"
        merged[matrix] = tensors[matrix] + parts[f"{name}.up"][start : start + 384] @ parts[f"{name}.down"]
    batch = tokenizer(["a dog runs", "snow"])
    beside = minilm.MiniLM(tensors, parts)(*batch)
    assert np.allclose(beside, minilm.MiniLM(merged)(*batch), atol=1e-5)
    assert not np.allclose(beside, minilm.MiniLM(tensors)(*batch), atol=1e-3)
    with pytest.raises(WeightsMissing, match=r"unknown tensor 'layers\.9\.linear1\.weight\.down'"):
        minilm.MiniLM(tensors, {"layers.9.linear1.weight.down": np.zeros((1, 1), np.float32)})
    with pytest.raises(WeightsMissing, match="does not fit the text tower"):
        minilm.MiniLM(tensors, {f"{name}.up": parts[f"{name}.up"], f"{name}.down": np.zeros((3, 384), np.float32)})


def test_the_device_is_told_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engines, "has_nvidia_gpu", lambda: False)
    assert [_engines.is_cpu(name) for name in ("auto", "cpu", "cuda", "cuda:1", "mps")] == [True, True] + [False] * 3


def test_torch_takes_the_place_of_an_engine_that_is_not_there(
    encoder: StarterEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs on GPUs runs the same network; here on the CPU."""
    monkeypatch.setattr(_engines, "available", lambda: False)
    pictures = [noise(64, 48), noise(30, 200, 1)]
    rows = StarterEncoder().encode("image", pictures)
    assert np.allclose(rows, encoder.encode("image", pictures), atol=1e-5)
