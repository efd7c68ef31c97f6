"""The network of the starter captioner in torch, for training; vidembed/models/captioners/_decoder.py runs it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.models.captioners import _decoder
from vidembed.models.captioners._decoder import PAD, DecoderShape


class _Attention(nn.Module):
    def __init__(self, shape: DecoderShape, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = shape.heads, dropout
        self.query = nn.Linear(shape.width, shape.width)
        self.key_value = nn.Linear(shape.width, 2 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, W) -> two of (B, heads, S, W / heads)"""
        k, v = self.key_value(x).chunk(2, dim=-1)
        return self._split(k), self._split(v)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        out = F.scaled_dot_product_attention(
            self._split(self.query(x)), keys, values, mask, self.dropout if self.training else 0.0, causal
        )
        return self.out(out.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class _Layer(nn.Module):
    """Self-attention, attention to the picture (decoder only), feed-forward; each with its norm before it."""

    def __init__(self, shape: DecoderShape, dropout: float, *, crosses: bool) -> None:
        super().__init__()
        width = shape.width
        self.norms: Any = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if crosses else 2))
        self.own = _Attention(shape, dropout)
        self.cross: Any = _Attention(shape, dropout) if crosses else None
        self.up, self.down = nn.Linear(width, shape.inner), nn.Linear(shape.inner, width)
        self.drop = nn.Dropout(dropout)

    def feed(self, x: Tensor) -> Tensor:
        return x + self.drop(self.down(self.drop(F.gelu(self.up(self.norms[-1](x))))))


Memory = list[tuple[Tensor, Tensor]]  # per layer: keys and values of the picture tokens


class CaptionNet(nn.Module):
    """tokens (B, S, features) of one or more pictures -> next-word scores."""

    def __init__(self, shape: DecoderShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.mean = nn.Parameter(torch.zeros(shape.features), requires_grad=False)
        self.spread = nn.Parameter(torch.ones(shape.features), requires_grad=False)
        self.project = nn.Linear(shape.features, shape.width)
        self.places = nn.Parameter(torch.zeros(shape.tokens, shape.width))
        self.encoder = _Layer(shape, dropout, crosses=False)
        self.encoded = nn.LayerNorm(shape.width)
        self.words = nn.Embedding(shape.vocabulary, shape.width, padding_idx=PAD)
        self.positions = nn.Parameter(torch.randn(shape.positions, shape.width) * 0.02)
        self.layers: Any = nn.ModuleList(_Layer(shape, dropout, crosses=True) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.bias = nn.Parameter(torch.zeros(shape.vocabulary))
        self.drop = nn.Dropout(dropout)
        nn.init.normal_(self.words.weight, std=shape.width**-0.5)

    def look(self, pictures: Tensor) -> Tensor:
        """(B, P, tokens, features) of P pictures each -> (B, P * tokens, width)."""
        batch = pictures.shape[0]
        x = (pictures.flatten(0, 1) - self.mean) / self.spread
        x = self.drop(self.project(x)) + self.places
        own = self.encoder.norms[0](x)
        x = self.encoder.feed(x + self.drop(self.encoder.own(own, *self.encoder.own.keys_values(own))))
        return self.encoded(x).reshape(batch, -1, self.shape.width)  # type: ignore[no-any-return]

    def memory(self, seen: Tensor) -> Memory:
        return [layer.cross.keys_values(seen) for layer in self.layers]

    def forward(self, ids: Tensor, memory: Memory, mask: Tensor | None = None) -> Tensor:
        """All positions at once, for training. ids (B, L) -> (B, L, vocabulary) scores of the next word.

        mask: (B, 1, 1, S) bool, True where the memory may be looked at.
        """
        return self.scores(self.states(ids, memory, mask))

    def states(self, ids: Tensor, memory: Memory, mask: Tensor | None = None) -> Tensor:
        """As `forward`, before the words are scored: (B, L, width)."""
        x = self.drop(self.words(ids) * self.shape.width**0.5 + self.positions[: ids.shape[1]])
        for layer, kept in zip(self.layers, memory, strict=True):
            own = layer.norms[0](x)
            x = x + layer.drop(layer.own(own, *layer.own.keys_values(own), causal=True))
            x = x + layer.drop(layer.cross(layer.norms[1](x), *kept, mask))
            x = layer.feed(x)
        return self.norm(x)  # type: ignore[no-any-return]

    def scores(self, states: Tensor) -> Tensor:
        """(..., width) -> (..., vocabulary) scores of the next word."""
        return states @ self.words.weight.T + self.bias

    def step(self, ids: Tensor, at: int, memory: Memory, past: Memory, mask: Tensor | None) -> tuple[Tensor, Memory]:
        """One word further. ids (B,) at position `at`; past: cached keys and values. -> (B, vocabulary), new past."""
        x = (self.words(ids) * self.shape.width**0.5 + self.positions[at]).unsqueeze(1)
        now: Memory = []
        for i, (layer, kept) in enumerate(zip(self.layers, memory, strict=True)):
            own = layer.norms[0](x)
            keys, values = layer.own.keys_values(own)
            if past:
                keys, values = torch.cat([past[i][0], keys], 2), torch.cat([past[i][1], values], 2)
            now.append((keys, values))
            x = x + layer.own(own, keys, values)
            x = x + layer.cross(layer.norms[1](x), *kept, mask)
            x = layer.feed(x)
        return self.scores(self.norm(x[:, 0])), now

    def learnt(self) -> _decoder.CaptionNet:
        """The network as it is now, without torch."""
        return _decoder.CaptionNet({k: v.detach().numpy().copy() for k, v in self.state_dict().items()}, self.shape)
