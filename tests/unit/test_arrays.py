"""Tensors read without a framework, and functions with values that other libraries give too."""

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from vidembed.models.arrays import floats, gelu, mapped, metadata, read_torch, softmax


def test_a_safetensors_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = {"a.x": np.arange(6, dtype=np.float32).reshape(2, 3), "a.y": np.array([1.5], np.float16),
               "b": np.arange(3), "empty": np.zeros((0, 4), np.float32)}  # fmt: skip
    save_file(written, tmp_path / "x.safetensors", metadata={"words": "[1]"})
    found = mapped(tmp_path / "x.safetensors")
    assert found.keys() == written.keys()
    for name, value in written.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    assert metadata(tmp_path / "x.safetensors") == {"words": "[1]"}
    assert {k: v.tolist() for k, v in floats(found, "a.").items()} == {"x": [[0, 1, 2], [3, 4, 5]], "y": [1.5]}
    with pytest.raises(ValueError, match="read-only"):
        found["b"][0] = 1


@pytest.mark.parametrize("keep", [0, 4, 20, -1])
def test_a_safetensors_file_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": np.ones(100, np.float32)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError):  # noqa: PT011 - of JSON too
        mapped(path)


def test_gelu_and_softmax() -> None:
    x = np.linspace(-9, 9, 4001, dtype=np.float32).reshape(1, -1)
    expected = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x[0].tolist()]
    np.testing.assert_allclose(gelu(x.copy())[0], expected, atol=2e-6)
    many = np.repeat(x, 30, axis=0)  # more than is computed at once
    np.testing.assert_array_equal(gelu(many), np.repeat(gelu(x.copy()), 30, axis=0))
    np.testing.assert_allclose(
        softmax(np.array([[0.0, math.log(3), -np.inf]], np.float32)), [[0.25, 0.75, 0]], atol=1e-6
    )


def test_an_old_torch_file_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    table = torch.arange(12.0).reshape(3, 4)
    tensors = OrderedDict(whole=table, turned=table.T, row=table[1], number=torch.tensor(7))
    torch.save(tensors, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    found = read_torch(tmp_path / "x.pth")
    assert list(found) == list(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value.numpy())
        assert found[name].shape == tuple(value.shape)


class _Sly:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("made",)


def test_an_old_torch_file_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": _Sly()}, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(pickle.UnpicklingError, match=r"posix\.mkdir|nt\.mkdir"):
        read_torch(tmp_path / "x.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("cut", [10, 200, -3])
def test_an_old_torch_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.pth"
    torch.save({"a": torch.ones(50)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError)):
        read_torch(path)


def test_a_torch_file_of_the_new_format_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "x.pth")
    with pytest.raises(pickle.UnpicklingError):
        read_torch(tmp_path / "x.pth")
