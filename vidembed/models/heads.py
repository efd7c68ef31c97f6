"""Heads: small networks from a frozen encoder's features to a shared space. In numpy; `align.heads` trains them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from vidembed.errors import ConfigError
from vidembed.models.arrays import gelu, softmax
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

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The tensors it has, by name."""
        wide = self.in_dim * (1 + self.queries) if self.kind == "attention" else self.in_dim
        found: dict[str, tuple[int, ...]] = {"mean": (self.in_dim,), "scale": (self.in_dim,)}
        if self.kind == "low_rank":
            return found | {"down.weight": (self.rank, self.in_dim), "up.weight": (self.out_dim, self.rank)}
        layers = {"straight": (self.out_dim, self.in_dim)}
        if self.kind == "attention":
            layers["look"] = (self.queries, self.in_dim)
        if self.kind != "linear":
            layers |= {"inner": (self.hidden, wide), "outer": (self.out_dim, self.hidden)}
        for name, shape in layers.items():
            found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return found


class Head:
    """A network as its spec says, with the tensors that were trained."""

    def __init__(self, spec: HeadSpec, tensors: Mapping[str, Floats]) -> None:
        """Raises ValueError when the tensors are not those of the spec."""
        shapes = {name: value.shape for name, value in tensors.items()}
        if shapes != spec.shapes():
            raise ValueError(f"a head {spec.kind} has the tensors {spec.shapes()}, got {shapes}")
        self.spec = spec
        self._tensors = {name: np.asarray(value, np.float32) for name, value in tensors.items()}

    def __call__(self, features: Floats) -> Floats:
        """(N, in_dim) features, or (N, T, in_dim) tokens for "attention", -> (N, out_dim) unit rows."""
        tensors = self._tensors
        x = (np.asarray(features, np.float32) - tensors["mean"]) * tensors["scale"]
        if self.spec.kind == "low_rank":
            return unit_rows(x + x @ tensors["down.weight"].T @ tensors["up.weight"].T)
        wide = x
        if self.spec.kind == "attention":
            weights = softmax(self._layer("look", x).swapaxes(1, 2).copy())  # over tokens: (N, queries, T)
            averages = (weights @ x).reshape(len(x), -1)
            x = x.mean(1)
            wide = np.concatenate([x, averages], axis=1)
        y = self._layer("straight", x)
        if self.spec.kind != "linear":
            y += self._layer("outer", gelu(self._layer("inner", wide)))
        return unit_rows(y)

    def _layer(self, name: str, x: Floats) -> Floats:
        y: Floats = x @ self._tensors[f"{name}.weight"].T
        y += self._tensors[f"{name}.bias"]
        return y
