"""Engines, devices and number formats that cannot be had, and running out of memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip_parts import encoder_of, picture, torch_model

from vidembed.errors import ConfigError
from vidembed.models.encoders import _torch


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

    encoder = encoder_of(folder)
    torch_model(encoder).visual = full
    with pytest.raises(MemoryError):
        encoder.encode("image", [picture(32, 32)])
    with pytest.raises(RuntimeError, match="shape"), _torch.running(torch.device("cpu")):
        raise RuntimeError("shape mismatch")
