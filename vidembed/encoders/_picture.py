"""Pictures as the starter's picture tower sees them; training and inference both come through here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PILImage

from vidembed.encoders._efficientnet import SIDE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vidembed.types import Image

LONGEST_SHAPE = 4 / 3  # longer pictures are cut
MOST_CUT = 0.25  # of the longer side: makes 16:9 into 4:3


def prepare(images: Sequence[Image]) -> Tensor:
    """(H, W, 3) uint8 pictures of any sizes -> (B, 3, 256, 256) float32, channels-last, as the network expects.

    Long ones are cut, see `squared`.
    """
    import torch

    rows = [np.asarray(squared(PILImage.fromarray(image), SIDE_PX)) for image in images]
    pixels = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2)  # strides of channels-last
    return network_scale(pixels.float())


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


def network_scale(pixels: Tensor) -> Tensor:
    """0..255 -> the scaling EfficientNet-Lite was trained with."""
    return (pixels - 127.0) / 128.0


def grid(maps: Tensor, side: int) -> NDArray[np.float32]:
    """(B, C, H, W) maps averaged over a side x side grid: (B, side * side, C)."""
    from torch.nn import functional as F

    cells: NDArray[np.float32] = F.adaptive_avg_pool2d(maps.float(), side).flatten(2).transpose(1, 2).cpu().numpy()
    return cells


def pooled_maps(last: Tensor, middle: Tensor) -> Tensor:
    """(B, 1760) float32: the means of the last map, then those of a 2 x 2 grid of the last one at stride 16."""
    import torch
    from torch.nn import functional as F

    cells = F.adaptive_avg_pool2d(middle.float(), 2).flatten(2).transpose(1, 2).flatten(1)
    return torch.cat([last.float().mean((2, 3)), cells], 1)
