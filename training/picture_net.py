"""The starter's picture tower in torch, for training: the network that `_efficientnet` describes, on tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vidembed.models.encoders import _efficientnet
from vidembed.models.encoders._efficientnet import BLOCKS, MIDDLE
from vidembed.models.encoders._engines import TorchOps
from vidembed.models.encoders.starter import TUNED_FROM

LAST = len(BLOCKS) - 1


class Backbone:
    """The untuned network, frozen."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        found = _efficientnet.load()
        self.weights = {name: torch.from_numpy(value).to(device) for name, value in found.items()}
        self._ops = TorchOps(device)

    def fine(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> the maps after block MIDDLE and after the last block that is not tuned."""
        x = _efficientnet.stem(self._ops, pixels, self.weights)
        middle = _efficientnet.through(self._ops, x, self.weights, 0, MIDDLE)
        return middle, _efficientnet.through(self._ops, middle, self.weights, MIDDLE + 1, TUNED_FROM - 1)

    def last(self, late: Tensor) -> Tensor:
        """The last map, as it would be without tuning, from `fine`'s second."""
        return _efficientnet.head(self._ops, _efficientnet.through(self._ops, late, self.weights, TUNED_FROM, LAST),
                                  self.weights)  # fmt: skip

    def class_scores(self, means: Tensor) -> Tensor:
        """(B, 1280) means of the last map -> (B, 1000) logits of its own classifier."""
        return means @ self.weights["classifier.weight"].T + self.weights["classifier.bias"]


class Tail(nn.Module):
    """The blocks that are tuned, and the head: a map after block TUNED_FROM - 1 -> (B, 1280, h, w).

    Its tensors are called blocks.I.PART and head, blocks counted from TUNED_FROM, as in the shipped file.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        chosen = {name: value for name, value in weights.items() if tuned(name)}
        self.values = nn.ParameterList(value.clone() for value in chosen.values())
        self.names = tuple(chosen)
        self._ops = TorchOps("cpu")

    def forward(self, late: Tensor) -> Tensor:
        weights = dict(zip(self.names, self.values, strict=True))
        return _efficientnet.head(self._ops, _efficientnet.through(self._ops, late, weights, TUNED_FROM, LAST), weights)

    def tensors(self) -> dict[str, Tensor]:
        """As they are shipped."""
        return {
            f"tail.{shipped_name(name)}": value.detach() for name, value in zip(self.names, self.values, strict=True)
        }


def tuned(name: str) -> bool:
    part, _, rest = name.partition(".")
    return part == "head" or (part == "blocks" and int(rest.partition(".")[0]) >= TUNED_FROM)


def shipped_name(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "blocks":
        parts[1] = str(int(parts[1]) - TUNED_FROM)
    return ".".join(parts)


def pooled_maps(last: Tensor, middle: Tensor) -> Tensor:
    """As `_efficientnet.pooled_maps`, on tensors."""
    cells = nn.functional.adaptive_avg_pool2d(middle.float(), 2).flatten(2).transpose(1, 2).flatten(1)
    return torch.cat([last.float().mean((2, 3)), cells], 1)
