"""transformers dual towers from folders: the reference vectors, never random weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch

from vidembed.errors import ConfigError, WeightsMissing
from vidembed.models import registry
from vidembed.models.encoders._torch import Tower
from vidembed.models.encoders.dual import DualEncoder
from vidembed.types import Item, Space

FAMILIES = ("clip", "siglip", "metaclip_2")


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.dual_folder(tmp_path_factory.mktemp(request.param), request.param)


def encoder_of(folder: Path) -> DualEncoder:
    found: Any = registry.load_encoder(str(folder), device="cpu")
    return found


def test_vectors_are_those_of_the_reference(folder: Path) -> None:
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    images = [np.random.default_rng(i).integers(0, 256, (40 + i, 50, 3), dtype=np.uint8) for i in range(3)]
    texts = ["a red car", "the dog jumps in the lake"]
    padding = "max_length" if model.config.model_type == "siglip" else True
    tokens = AutoTokenizer.from_pretrained(folder)(
        texts, padding=padding, max_length=12, truncation=True, return_tensors="pt"
    )
    pixels = AutoImageProcessor.from_pretrained(folder)(images=images, return_tensors="pt")
    with torch.inference_mode():
        expected = [model.get_image_features(**pixels), model.get_text_features(**tokens)]
    encoder = encoder_of(folder)
    for modality, items, output in zip(("image", "text"), (images, texts), expected, strict=True):
        reference = torch.nn.functional.normalize(output.pooler_output, dim=-1).numpy()
        np.testing.assert_allclose(encoder.encode(modality, items), reference, atol=1e-5)  # type: ignore[arg-type]


def test_a_space_is_named_by_the_content(folder: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(folder, tmp_path / folder.name))
    assert encoder_of(moved).space == encoder_of(folder).space
    from safetensors.torch import load, save_file

    tensors = load((moved / "model.safetensors").read_bytes())
    save_file({k: v * 1.01 for k, v in tensors.items()}, moved / "model.safetensors", metadata={"format": "pt"})
    assert encoder_of(moved).space != encoder_of(folder).space


def test_missing_truncated_and_partial_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load, save_file

    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    file = copy / "model.safetensors"
    content = file.read_bytes()
    tensors = load(content)  # not load_file: it maps the file, which is written over below
    first = sorted(k for k in tensors if k.endswith("weight"))[0]

    file.write_bytes(content[:3000])
    with pytest.raises(WeightsMissing, match="do not load"):
        encoder_of(copy)
    # transformers itself would warn and go on with random numbers in these two
    save_file({k: v for k, v in tensors.items() if k != first}, file, metadata={"format": "pt"})
    with pytest.raises(WeightsMissing, match=f"1 weights are missing or of another shape, such as {first}"):
        encoder_of(copy)
    save_file({**tensors, first: torch.zeros(2, 2)}, file, metadata={"format": "pt"})
    with pytest.raises(WeightsMissing, match="do not load"):
        encoder_of(copy)
    file.unlink()
    with pytest.raises(WeightsMissing, match=str(copy)):
        encoder_of(copy)


@pytest.mark.parametrize("file", ["preprocessor_config.json", "tokenizer.json"])
def test_a_missing_processor_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    for name in (file, "tokenizer_config.json") if file == "tokenizer.json" else (file,):
        (copy / name).unlink()
    with pytest.raises(WeightsMissing):
        encoder_of(copy)


def test_siglip_is_asked_in_lower_case(tmp_path: Path) -> None:
    """As SigLIP 2 was trained; the tokenizer of its checkpoints keeps the case."""
    encoder = registry.load_encoder(str(tiny_models.dual_folder(tmp_path, "siglip")), device="cpu")
    rows = encoder.encode("text", ["A RED Car", "a red car", "A BLUE Car"])  # type: ignore[union-attr]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert float(rows[0] @ rows[2]) < 0.9999


def test_float16_that_overflows_is_refused_with_the_way_out() -> None:
    class Overflows(Tower):
        def _text(self, items: Sequence[Item]) -> torch.Tensor:
            return torch.full((len(items), 2), torch.inf, dtype=torch.float16)

    tower = Overflows(Space("big", 2), torch.nn.Linear(1, 1).half(), torch.device("cpu"), frozenset({"text"}))
    with pytest.raises(ConfigError, match="big overflows in float16") as caught:
        tower.encode("text", ["a"])
    assert "bfloat16 or float32" in caught.value.hint
