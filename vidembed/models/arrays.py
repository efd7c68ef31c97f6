"""What small networks need in numpy: tensors of safetensors and old torch files, and the usual functions."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections import OrderedDict
from functools import cached_property
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Floats

_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I64": np.dtype("<i8")}
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_AT_ONCE = 1 << 15  # values: what stays in a core's second cache
# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: the error function to 1.5e-7
_ERF = tuple(map(np.float32, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)))
_ERF_SCALE = np.float32(0.3275911)
_HALF, _ROOT_HALF = np.float32(0.5), np.float32(0.5**0.5)


def mapped(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors by name, read-only, read from the disk when they are first touched. Metadata: see `metadata`.

    Raises OSError, and ValueError for a file that is no safetensors file or is cut short.
    """
    header, start = _header(path)
    content = np.memmap(path, np.uint8, "r")
    return {name: _tensor(np.asarray(content), start, about) for name, about in header.items()}


def metadata(path: Path) -> dict[str, str]:
    """The file's metadata. Raises as `mapped`."""
    return _header(path, of="__metadata__")[0]


def floats(tensors: dict[str, NDArray[Any]], prefix: str = "") -> dict[str, Floats]:
    """Those with the prefix, without it, as float32; what is float32 already is not copied."""
    found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def gelu(x: Floats) -> Floats:
    """In place, x * P(X <= x) of the standard normal distribution; x is (N, M) and contiguous."""
    step = max(1, _AT_ONCE // x.shape[1])
    for start in range(0, len(x), step):
        part = x[start : start + step]
        y = np.abs(part)
        y *= _ROOT_HALF
        t = 1 / (1 + _ERF_SCALE * y)
        tail = t * _ERF[0]
        for factor in _ERF[1:]:
            tail += factor
            tail *= t
        y *= y
        np.negative(y, out=y)
        tail *= np.exp(y, out=y)  # 1 - erf(|x| / sqrt 2)
        np.subtract(1, tail, out=tail)
        np.copysign(tail, part, out=tail)
        tail += 1
        tail *= _HALF
        part *= tail
    return x


def softmax(x: Floats) -> Floats:
    """Over the last axis, in place."""
    x -= x.max(-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(-1, keepdims=True)
    return x


def _header(path: Path, *, of: str = "") -> tuple[dict[str, Any], int]:
    """The file's header, its metadata left out or alone, and where the tensors begin."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size <= path.stat().st_size - 8:
            raise ValueError("it is no safetensors file")
        header = json.loads(file.read(size))
    if of:
        return header.get(of) or {}, 8 + size
    return {name: about for name, about in header.items() if name != "__metadata__"}, 8 + size


def _tensor(content: NDArray[np.uint8], start: int, about: dict[str, Any]) -> NDArray[Any]:
    begin, end = about["data_offsets"]
    dtype = _DTYPES.get(about["dtype"])
    if dtype is None or end - begin != prod(about["shape"]) * dtype.itemsize or not 0 <= begin <= end <= len(content):
        raise ValueError(f"a tensor {about} does not fit")
    return content[start + begin : start + end].view(dtype).reshape(about["shape"])


class _Storage(NamedTuple):
    key: str
    dtype: str


class _Tensor(NamedTuple):
    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in values, not bytes


def _stored(storage: _Storage, start: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
    return _Tensor(storage, start, shape, strides)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _stored,
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


def read_torch(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors by name from a file of `torch.save` before version 1.6, without running what a pickle may ask for.

    Its format: pickles of a magic number, a version, facts of the machine, the tensors by name and the storages' keys,
    then each storage: its length as int64 and its values.

    Raises UnpicklingError, EOFError or ValueError for a file of another kind, or one cut short.
    """
    with path.open("rb") as file:
        magic, _version, _machine, tensors, keys = (_Unpickler(file).load() for _ in range(5))
        if magic != _TORCH_MAGIC:
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


class OneThread:
    """Numpy's matrix library on one thread, for any number of threads at once: the first to enter sets the limit.

    Its threads spin while they wait: on a busy machine two of them do the work of one for five times the processor
    time, and a query waits for both. The command line forbids them in the environment; a library may not, and limits
    them while it computes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
            return
        with self._lock:
            if not self._inside:
                self._limit = self._libraries.limit(limits=1)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if not self._inside:
                return
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()

    @cached_property
    def _libraries(self) -> Any:
        """Those that are loaded now; looking for them takes 10 ms."""
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController().select(user_api="blas")


one_thread = OneThread()
