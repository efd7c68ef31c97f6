"""The network of the starter captioner: picture tokens in, words out. A small transformer (Vaswani et al. 2017).

Pre-norm, tied word embeddings, keys and values kept while writing. In numpy; training/caption_net.py is the same
network in torch, to be trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.models.arrays import gelu, softmax
from vidembed.types import Floats

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
_EPS = np.float32(1e-5)

Memory = list[tuple[Floats, Floats]]  # per layer: keys and values, (B, heads, S, width / heads)
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of the network; kept in the weights' metadata."""

    vocabulary: int
    features: int = 1280  # of one picture token
    tokens: int = 16  # of one picture
    width: int = 256
    heads: int = 4
    inner: int = 512
    layers: int = 2
    positions: int = 32  # words of the longest caption, start and end included


class CaptionNet:
    """Tokens of one or more pictures -> next-word scores."""

    def __init__(self, tensors: Mapping[str, Floats], shape: DecoderShape) -> None:
        """tensors: float32 or float16, by the names of the trained network. Raises KeyError, ValueError."""
        self.shape = shape
        self._tensors = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        found = {name: self._tensors[name].shape for name in ("words.weight", "project.weight", "positions")}
        size = shape.width
        if found != {
            "words.weight": (shape.vocabulary, size), "project.weight": (size, shape.features),
            "positions": (shape.positions, size),
        } or f"layers.{shape.layers - 1}.up.weight" not in self._tensors:  # fmt: skip
            raise ValueError(f"the tensors {found} are not those of {asdict(shape)}")

    def look(self, pictures: Floats) -> Floats:
        """(P, tokens, features) of P pictures -> (P * tokens, width)."""
        tensors = self._tensors
        x = self._linear("project", (pictures - tensors["mean"]) / tensors["spread"]) + tensors["places"]
        own = self._norm("encoder.norms.0", x)
        x = x + self._attention("encoder.own", own, *self._keys_values("encoder.own", own))
        return self._norm("encoded", self._fed("encoder", "norms.1", x)).reshape(-1, self.shape.width)

    def memory(self, seen: Floats) -> Memory:
        """(B, S, width) -> what the layers look at while writing."""
        return [self._keys_values(f"layers.{i}.cross", seen) for i in range(self.shape.layers)]

    def step(self, ids: Rows, at: int, memory: Memory, past: Memory, mask: Mask | None) -> tuple[Floats, Memory]:
        """One word further. ids (B,) at position `at`; past: what `step` gave last, [] at first.

        mask: (B, 1, 1, S), True where the memory may be looked at. -> (B, vocabulary) scores, the new past.
        """
        words = self._tensors["words.weight"]
        x = (words[ids] * np.float32(self.shape.width**0.5) + self._tensors["positions"][at])[:, None]
        now: Memory = []
        for i, kept in enumerate(memory):
            name = f"layers.{i}"
            own = self._norm(f"{name}.norms.0", x)
            keys, values = self._keys_values(f"{name}.own", own)
            if past:
                keys, values = np.concatenate([past[i][0], keys], 2), np.concatenate([past[i][1], values], 2)
            now.append((keys, values))
            x = x + self._attention(f"{name}.own", own, keys, values)
            x = x + self._attention(f"{name}.cross", self._norm(f"{name}.norms.1", x), *kept, mask)
            x = self._fed(name, "norms.2", x)
        scores: Floats = self._norm("norm", x[:, 0]) @ words.T + self._tensors["bias"]
        return scores, now

    def _keys_values(self, name: str, x: Floats) -> tuple[Floats, Floats]:
        """(B, S, width) -> two of (B, heads, S, width / heads)."""
        keys, values = np.split(self._linear(f"{name}.key_value", x), 2, axis=-1)
        return self._heads(keys), self._heads(values)

    def _attention(self, name: str, x: Floats, keys: Floats, values: Floats, mask: Mask | None = None) -> Floats:
        scores = self._heads(self._linear(f"{name}.query", x)) @ keys.swapaxes(2, 3)
        scores *= np.float32(keys.shape[-1] ** -0.5)
        if mask is not None:
            scores = np.where(mask, scores, np.float32(-np.inf))
        seen = (softmax(scores) @ values).swapaxes(1, 2)
        return self._linear(f"{name}.out", seen.reshape(*x.shape))

    def _heads(self, x: Floats) -> Floats:
        return x.reshape(*x.shape[:2], self.shape.heads, -1).swapaxes(1, 2)

    def _fed(self, name: str, norm: str, x: Floats) -> Floats:
        inner = self._linear(f"{name}.up", self._norm(f"{name}.{norm}", x))
        return x + self._linear(f"{name}.down", gelu(inner.reshape(-1, inner.shape[-1])).reshape(inner.shape))

    def _linear(self, name: str, x: Floats) -> Floats:
        return x @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]

    def _norm(self, name: str, x: Floats) -> Floats:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + _EPS)
        return x * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
