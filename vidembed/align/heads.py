"""Heads that can be trained, in torch; what is learnt goes into `vidembed.models.heads.Head`. Import it lazily."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.models.heads import Head, HeadSpec


class TrainableHead(nn.Module):
    """A head's network, as `models.heads.Head` computes it.

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
        """(B, in_dim) or (B, T, in_dim) features -> (B, out_dim) unit rows."""
        x = (features - self.mean) * self.scale
        if self.spec.kind == "low_rank":
            y = x + self.up(self.down(self.dropout(x)))
        else:
            mean, wide = self.pooled(x)
            y = self.straight(self.dropout(mean))
            if hasattr(self, "inner"):
                y = y + self.outer(self.dropout(F.gelu(self.inner(self.dropout(wide)))))
        return F.normalize(y, dim=-1)

    def learnt(self) -> Head:
        """The head as it is now, without torch."""
        state = self.state_dict()
        return Head(self.spec, {name: value.detach().cpu().float().numpy() for name, value in state.items()})
