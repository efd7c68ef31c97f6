"""The networks of the starter's sound tower in torch, for training; `models.encoders.starter_sound` runs them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.models.encoders import starter_sound
from vidembed.models.encoders.starter_sound import CHANNELS, FEATURES


def log_mel(samples: Tensor) -> Tensor:
    """As the tower's own: (B, N) samples at 16 kHz -> (B, 1, 64, N / 160)."""
    return torch.from_numpy(starter_sound.log_mel(samples.numpy()))


class SoundNet(nn.Module):
    """(B, 1, 64, T) log-mel -> (B, 512) features: seven 3x3 convolutions, mean over bands, max + mean over time.

    The pooling is that of PANNs (Kong et al. 2020, arXiv:1912.10211).
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_in = 1
        for channels, stride in CHANNELS:
            layers += [nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            channels_in = channels
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(channels_in, FEATURES)

    def forward(self, mel: Tensor) -> Tensor:
        maps = self.body(mel).float().mean(2)
        return F.relu(self.out(maps.amax(2) + maps.mean(2)))


class SoundHead(nn.Module):
    """(B, 512) features -> (B, D), not normalised: a linear map plus one hidden layer beside it."""

    def __init__(self, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.straight = nn.Linear(FEATURES, dim)
        self.up = nn.Linear(FEATURES, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, features: Tensor) -> Tensor:
        return self.straight(features) + self.down(F.gelu(self.up(features)))


def tower_of(net: SoundNet, head: SoundHead) -> starter_sound.SoundTower:
    """The two as the tower that is shipped runs them, without torch."""
    parts = {"net": net, "head": head}
    state = {
        f"{part}.{k}": v.detach().numpy() for part, module in parts.items() for k, v in module.state_dict().items()
    }
    return starter_sound.SoundTower(starter_sound.folded(state))
