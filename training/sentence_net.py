"""all-MiniLM-L6-v2 in torch, with low-rank corrections that can be trained; `vidembed.models.encoders._minilm` runs it.

Written over torch's own TransformerEncoderLayer, which is BERT's layer exactly (post-norm, gelu).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vidembed.arrays import mapped
from vidembed.models.encoders import _minilm
from vidembed.models.encoders._minilm import HEADS, LAYERS, WIDTH

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


def load(folder: Path | None = None) -> MiniLM:
    """The network, frozen, from a sentence-transformers folder; None takes the pip package's."""
    state = {name: torch.from_numpy(value.copy()) for name, value in mapped(_minilm.weights_file(folder)).items()}
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
