"""Weights of an old torch file as numpy arrays, without torch and without running what a pickle may ask for.

The format of `torch.save` before version 1.6: pickles of a magic number, a version, facts of the machine, the tensors
by name and the storages' keys, then each storage: its length as int64 and its values.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C


class _Storage(NamedTuple):
    key: str
    dtype: str


class _Tensor(NamedTuple):
    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in values, not bytes


def _tensor(storage: _Storage, start: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
    return _Tensor(storage, start, shape, strides)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class _Unpickler(pickle.Unpickler):
    """Knows dictionaries and tensors; whatever else a pickle names is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}; allowed are tensors alone")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, *_ = pid
        return _Storage(key, dtype)


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors by name. Raises UnpicklingError, EOFError or ValueError for a file of another kind, or one cut short."""
    with path.open("rb") as file:
        magic, _version, _machine, tensors, keys = (_Unpickler(file).load() for _ in range(5))
        if magic != _MAGIC:
            raise pickle.UnpicklingError("it is no torch file of the old format")
        dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
        storages = {}
        for key in keys:
            (length,) = np.fromfile(file, "<i8", 1)
            storages[key] = np.fromfile(file, dtypes[key], length)
    return {name: _array(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def _array(tensor: _Tensor, values: NDArray[Any]) -> NDArray[Any]:
    size = values.itemsize  # numpy itself refuses what would reach outside of the values
    view: NDArray[Any] = np.ndarray(
        tensor.shape, values.dtype, values, tensor.start * size, [step * size for step in tensor.strides]
    )
    return np.ascontiguousarray(view).reshape(tensor.shape)
