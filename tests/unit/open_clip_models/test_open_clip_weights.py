"""Weights and settings in a folder: never random ones, never code, and a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip_parts import encoder_of

from vidembed.errors import WeightsMissing


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
