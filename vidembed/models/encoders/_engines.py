"""Engines of networks: OpenVINO on a CPU, torch on a GPU. A network is written once, over `Ops`.

Neither is imported before it computes.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError
from vidembed.types import Floats

PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}  # as OpenVINO names them
_DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_TORCH_AT_ONCE = 64  # items of a batch on a GPU
_log = logging.getLogger(__name__)


def checked_device(device: str) -> str:
    """The device's name. Raises ConfigError where there is no such name; whether it is there shows when it is used."""
    if not _DEVICES.fullmatch(device):
        raise ConfigError(f"unknown device {device!r}; allowed: auto, cpu, cuda, cuda:N, mps")
    return device


def is_cpu(device: str) -> bool:
    """True for "cpu", and for "auto" where there is no GPU that torch can use."""
    if device == "auto" and has_nvidia_gpu():
        import torch  # which may have been built for CPUs alone

        return not torch.cuda.is_available()
    return device in ("auto", "cpu")


@cache
def has_nvidia_gpu() -> bool:
    """Whether NVIDIA's driver is installed and counts a device."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int()
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False


def available() -> bool:
    """Whether the package is installed, without importing it."""
    return find_spec("openvino") is not None


def package() -> Any:
    """The package openvino, without its reports: imported as it is, it tells Intel so over the network, unasked.

    Where its telemetry package cannot be imported it uses a stub of its own; None in sys.modules makes it so.
    """
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            importlib.import_module("openvino")
        finally:
            del sys.modules["openvino_telemetry"]
    return importlib.import_module("openvino")


def built(network: Callable[[Any], Sequence[Any]], shape: Sequence[int]) -> Any:
    """A model of any batch size, from the function that makes its outputs' nodes from its input's (B, *shape)."""
    ov = package()
    given = ov.opset13.parameter([-1, *shape], np.float32)
    return ov.Model(list(network(given)), [given])


class Compiled:
    """A model compiled for this machine's CPU. Its inputs (B, ...) in, its outputs (B, ...) float32 out. Thread-safe.

    model: a model or the path of one. Each core takes a piece of the batch for itself, so that none waits for one that
    decoding has taken.
    """

    def __init__(self, model: Any, *, dtype: str = "float32", piece: int = 1, together: bool = False) -> None:
        """dtype: of the computation. Raises ConfigError for an unknown dtype.

        piece: items computed at once on each core, at most. For the starter's towers one takes 85 MB less than four and
        no more time. together: all cores compute one piece, for few items that somebody waits for.
        """
        if dtype not in PRECISIONS:
            raise ConfigError(f"unknown dtype {dtype!r}; allowed: {', '.join(PRECISIONS)}")
        hint = "LATENCY" if together else "THROUGHPUT"
        properties: dict[str, Any] = {"INFERENCE_PRECISION_HINT": PRECISIONS[dtype], "PERFORMANCE_HINT": hint}
        if threads := os.environ.get("OMP_NUM_THREADS", ""):  # as clusters set it
            properties["INFERENCE_NUM_THREADS"] = int(threads)
        compiled = package().Core().compile_model(model, "CPU", properties)
        self._queue = package().AsyncInferQueue(compiled)
        self._outputs, self._piece = len(compiled.outputs), piece
        self._lock = threading.Lock()  # the queue's requests and their memory are there once

    def __call__(self, *inputs: NDArray[Any]) -> list[Floats]:
        queue, count, outputs = self._queue, len(inputs[0]), self._outputs
        # As many for each core, and of one size: 12 items on two cores are 4 times 3, not 3 times 4.
        rounds = -(-count // (self._piece * len(queue)))
        parts = max(1, min(rounds * len(queue), count))
        pieces = list(zip(*(np.array_split(np.ascontiguousarray(x), parts) for x in inputs), strict=True))
        answers: list[list[Floats]] = [[] for _ in pieces]

        def keep(request: Any, place: int) -> None:  # without `self`: the queue holds it, and would never go
            found = (request.get_output_tensor(i).data for i in range(outputs))
            answers[place] = [np.array(one, dtype=np.float32) for one in found]

        with self._lock:
            queue.set_callback(keep)
            for place, piece in enumerate(pieces):
                queue.start_async(list(piece), place)
            queue.wait_all()
        return [np.concatenate(same) for same in zip(*answers, strict=True)]


class Ops(Protocol):
    """What a network is made of; values are (B, C, H, W) and are added with +."""

    def conv(self, x: Any, weight: Floats, bias: Floats, *, stride: int, pads: tuple[int, int], groups: int = 1) -> Any:
        """weight: (C', C / groups, K, K). pads: zeros before and after, the same both ways."""
        ...

    def relu(self, x: Any, most: float = np.inf) -> Any:
        """Values brought into 0..most."""
        ...


Network = Callable[[Ops, Any], Sequence[Any]]  # the maps that are asked for, from the input
Engine = Callable[[Floats], list[Floats]]  # (B, *shape) -> the maps of the whole batch; for any number of threads


def engine(network: Network, shape: tuple[int, int, int], *, device: str, dtype: str = "float32") -> Engine:
    """shape: (C, H, W) of the input. dtype: "float32" or, on a CPU, "bfloat16". Raises ConfigError."""
    if not is_cpu(device):
        return _Torch(network, device)
    if available():
        return Compiled(built(lambda x: network(_OpenVinoOps(), x), shape), dtype=dtype)
    _log.info("OpenVINO is not installed here; torch takes its place and is slower")
    return _Torch(network, "cpu")


class _OpenVinoOps:
    """Each call adds to the graph. Weights are taken over without a copy where they can be written."""

    def __init__(self) -> None:
        self._op = package().opset13

    def conv(self, x: Any, weight: Floats, bias: Floats, *, stride: int, pads: tuple[int, int], groups: int = 1) -> Any:
        op, (before, after) = self._op, pads
        how = ([stride, stride], [before, before], [after, after], [1, 1])
        if groups == 1:
            y = op.convolution(x, self._constant(weight), *how)
        else:
            y = op.group_convolution(x, self._constant(weight.reshape(groups, -1, *weight.shape[1:])), *how)
        return y + self._constant(bias.reshape(1, -1, 1, 1))

    def relu(self, x: Any, most: float = np.inf) -> Any:
        return self._op.relu(x) if most == np.inf else self._op.clamp(x, 0.0, most)

    def _constant(self, values: Floats) -> Any:
        return self._op.constant(np.require(values, np.float32, ["C", "W"]), shared_memory=True)


class TorchOps:
    """Computes at once. Weights go to the device when they are first met."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._known: dict[
            int, tuple[Floats, Any]
        ] = {}  # by the array's id; the array is held, so that it stays its own

    def conv(self, x: Any, weight: Floats, bias: Floats, *, stride: int, pads: tuple[int, int], groups: int = 1) -> Any:
        from torch.nn import functional as F

        before, after = pads
        if before != after:
            x, before = F.pad(x, (before, after, before, after)), 0
        return F.conv2d(x, self._tensor(weight), self._tensor(bias), stride, before, 1, groups)

    def relu(self, x: Any, most: float = np.inf) -> Any:
        return x.clamp(0.0, most)

    def _tensor(self, values: Any) -> Any:
        import torch

        if isinstance(values, torch.Tensor):  # being trained
            return values
        if id(values) not in self._known:
            self._known[id(values)] = values, torch.from_numpy(np.array(values)).to(self._device)
        return self._known[id(values)][1]


class _Torch:
    def __init__(self, network: Network, device: str) -> None:
        from vidembed.models.encoders._torch import pick_device

        self._device = pick_device(device)
        self._network, self._ops = network, TorchOps(self._device)

    def __call__(self, x: Floats) -> list[Floats]:
        import torch

        from vidembed.models.encoders._torch import running

        with running(self._device):
            parts = [
                [maps.float().cpu().numpy() for maps in self._network(self._ops, part.to(self._device))]
                for part in torch.split(torch.from_numpy(x), _TORCH_AT_ONCE)
            ]
        return [np.concatenate(same) for same in zip(*parts, strict=True)]
