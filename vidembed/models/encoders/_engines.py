"""Who computes the starter's convolutions: OpenVINO on a CPU, torch on a GPU. A network is written once, over `Ops`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from vidembed.models.encoders import _devices, _openvino
from vidembed.types import Floats

_TORCH_AT_ONCE = 64  # items of a batch on a GPU
_log = logging.getLogger(__name__)


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
    if not _devices.is_cpu(device):
        return _Torch(network, device)
    if _openvino.available():
        return _openvino.Compiled(_openvino.built(lambda x: network(_OpenVinoOps(), x), shape), dtype=dtype)
    _log.info("OpenVINO is not installed here; torch takes its place and is slower")
    return _Torch(network, "cpu")


class _OpenVinoOps:
    """Each call adds to the graph. Weights are taken over without a copy where they can be written."""

    def __init__(self) -> None:
        self._op = _openvino.package().opset13

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
