"""Heads: small networks from a frozen encoder's features to a shared space. Imports torch: import it lazily."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.errors import ConfigError
from vidembed.types import Floats
from vidembed.vectors import unit_rows

HeadKind = Literal["linear", "mlp", "low_rank", "attention"]
HEAD_KINDS: tuple[str, ...] = get_args(HeadKind)


@dataclass(frozen=True)
class HeadSpec:
    """The architecture of a head: with its tensors, all that is needed to rebuild it.

    Kinds: linear: one projection. mlp: a projection plus a parallel hidden layer. low_rank: the identity plus a product
    of two thin matrices, for encoders that share a space already. attention: (T, in_dim) tokens pooled to their mean
    and to `queries` learned attention averages, then as mlp.

    Attributes:
        hidden: Size of the hidden layer (mlp, attention).
        rank: Size between the two matrices (low_rank).
        queries: Attention averages (attention).
    """

    kind: HeadKind
    in_dim: int
    out_dim: int
    hidden: int = 512
    rank: int = 16
    queries: int = 2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in HEAD_KINDS:
            raise ConfigError(f"unknown head {self.kind!r}; allowed: {', '.join(HEAD_KINDS)}")
        if min(self.in_dim, self.out_dim, self.hidden, self.rank, self.queries) < 1 or not 0 <= self.dropout < 1:
            raise ConfigError(f"a head needs sizes of at least 1 and 0 <= dropout < 1, got {self}")
        if self.kind == "low_rank" and self.in_dim != self.out_dim:
            raise ConfigError(
                f"a low_rank head keeps the size of its space, got {self.in_dim} -> {self.out_dim}",
                hint="use head 'linear' or 'mlp', or towers that share a space",
            )

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for the manifest."""
        return asdict(self)


class Head(nn.Module):
    """(B, in_dim) features, or (B, T, in_dim) for attention -> (B, out_dim) unit rows.

    Features are first centred and scaled by buffers that `standardize` sets from the training features.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.zeros(spec.in_dim))
        self.register_buffer("scale", torch.ones(spec.in_dim))
        wide = spec.in_dim
        if spec.kind == "attention":
            self.look = nn.Linear(spec.in_dim, spec.queries)
            nn.init.zeros_(self.look.weight)  # starts as the plain mean
            wide = spec.in_dim * (1 + spec.queries)
        if spec.kind == "low_rank":
            self.down = nn.Linear(wide, spec.rank, bias=False)
            self.up = nn.Linear(spec.rank, spec.out_dim, bias=False)
            nn.init.zeros_(self.up.weight)  # starts as the identity
        else:
            self.straight = nn.Linear(spec.in_dim, spec.out_dim)
        if spec.kind in ("mlp", "attention"):
            self.inner = nn.Linear(wide, spec.hidden)
            self.outer = nn.Linear(spec.hidden, spec.out_dim)
        self.dropout = nn.Dropout(spec.dropout)

    @torch.no_grad()
    def standardize(self, features: Tensor) -> None:
        """Set mean and scale from (N, in_dim) or (N, T, in_dim) training features; low_rank keeps its space."""
        if self.spec.kind == "low_rank":
            return
        flat = features.float().reshape(-1, self.spec.in_dim)
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(1 / flat.std(0, correction=0).clamp_min(1e-4))

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mean (B, in_dim), and the hidden layer's input: the mean and the attention averages."""
        if self.spec.kind != "attention":
            return x, x
        mean = x.mean(1)
        weights = self.look(x).softmax(1)  # over tokens
        averages = torch.einsum("btq,btd->bqd", weights, x).flatten(1)
        return mean, torch.cat([mean, averages], 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, D) features, or (N, T, D) tokens for "attention", to (N, dim)."""
        x = (features - self.mean) * self.scale
        if self.spec.kind == "low_rank":
            y = x + self.up(self.down(self.dropout(x)))
        else:
            mean, wide = self.pooled(x)
            y = self.straight(self.dropout(mean))
            if hasattr(self, "inner"):
                y = y + self.outer(self.dropout(F.gelu(self.inner(self.dropout(wide)))))
        return F.normalize(y, dim=-1)


def project(head: Head, features: Floats) -> Floats:
    """(N, F) or (N, T, F) features through a head in inference mode: (N, D) float32 unit rows."""
    with torch.inference_mode():
        device = next(head.parameters()).device
        rows = head.eval()(torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)).to(device))
    return unit_rows(rows.cpu().numpy())
