"""The starter's towers in torch, for training: `_efficientnet`, `_minilm` and `starter_sound` run the same networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from vidembed.models.arrays import mapped
from vidembed.models.encoders import _efficientnet, minilm, starter_sound
from vidembed.models.encoders._efficientnet import BLOCKS, MIDDLE
from vidembed.models.encoders._engines import TorchOps
from vidembed.models.encoders.minilm import HEADS, LAYERS, WIDTH
from vidembed.models.encoders.starter import TUNED_FROM
from vidembed.models.encoders.starter_sound import CHANNELS, FEATURES

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


_EPS = 1e-12
_OURS = {  # our name -> the file's, inside one layer
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


class MiniLM(nn.Module):
    """Token ids (B, L) and mask (B, L) bool, True on tokens -> token states (B, L, 384)."""

    def __init__(self, vocabulary: int = 30522, positions: int = 512) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(positions, WIDTH)
        self.segment = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=_EPS)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", _EPS, batch_first=True)
            for _ in range(LAYERS)
        )

    def embed(self, ids: Tensor) -> Tensor:
        """The states below the first layer."""
        positions = self.positions.weight[: ids.shape[1]]
        return self.norm(self.words(ids) + positions + self.segment)  # type: ignore[no-any-return]

    def run(self, states: Tensor, mask: Tensor, *, first: int = 0, last: int = LAYERS) -> Tensor:
        """States after layers first..last - 1."""
        for layer in self.layers[first:last]:
            states = layer(states, src_key_padding_mask=~mask)
        return states

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.run(self.embed(ids), mask)


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """The mean of the token states: MiniLM's own sentence vector before normalising. (B, L, D) -> (B, D)"""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


class LowRank(nn.Module):
    """A trainable correction up @ down of a frozen matrix (LoRA, Hu et al. 2021), as a torch parametrization."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


CORRECTED = ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight")


def add_corrections(net: MiniLM, *, first: int, rank: int) -> None:
    """Make the matrices of the layers from `first` on trainable through low-rank corrections."""
    for layer in net.layers[first:]:
        for name in CORRECTED:
            module, _, attribute = name.rpartition(".")
            owner = layer.get_submodule(module)
            correction = LowRank(getattr(owner, attribute), rank)
            parametrize.register_parametrization(owner, attribute, correction, unsafe=True)


def corrections(net: MiniLM) -> dict[str, Tensor]:
    """The trained corrections, as `correct` takes them: layers.I.MATRIX.down and .up."""
    found: dict[str, Tensor] = {}
    for name, value in net.state_dict().items():
        if name.endswith((".0.down", ".0.up")):
            owner, _, rest = name.partition(".parametrizations.")
            matrix, _, part = rest.split(".")
            found[f"{owner}.{matrix}.{part}"] = value
    return found


def load_sentences(folder: Path | None = None) -> MiniLM:
    """The network, frozen, from a sentence-transformers folder; None takes the pip package's."""
    state = {name: torch.from_numpy(value.copy()) for name, value in mapped(minilm.weights_file(folder)).items()}
    net = MiniLM(*(len(state[f"embeddings.{kind}_embeddings.weight"]) for kind in ("word", "position")))
    net.load_state_dict(_renamed(state))
    net.requires_grad_(False)
    return net.eval()


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    out = {
        "words.weight": state["embeddings.word_embeddings.weight"],
        "positions.weight": state["embeddings.position_embeddings.weight"],
        "segment": state["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": state["embeddings.LayerNorm.weight"],
        "norm.bias": state["embeddings.LayerNorm.bias"],
    }
    for i in range(LAYERS):
        theirs = f"encoder.layer.{i}"
        for kind in ("weight", "bias"):
            qkv = [state[f"{theirs}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            out[f"layers.{i}.self_attn.in_proj_{kind}"] = torch.cat(qkv)
            for ours, name in _OURS.items():
                out[f"layers.{i}.{ours}.{kind}"] = state[f"{theirs}.{name}.{kind}"]
    return out


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
