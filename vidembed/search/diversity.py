"""Answers that differ from each other: maximal marginal relevance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError
from vidembed.types import Floats


def maximal_marginal_relevance(
    relevance: Sequence[float] | NDArray[np.float64], vectors: Floats, *, diversity: float, k: int | None = None
) -> list[int]:
    """Positions in the order to show: each next one has the best (1 - diversity) x relevance - diversity x likeness.

    relevance: (N,) any scale, brought to 0..1. vectors: (N, D) unit rows; likeness is the largest cosine with what was
    chosen before. diversity 0 keeps the order of relevance, 1 looks at likeness only. Ties keep the given order.
    Source: Carbonell and Goldstein, SIGIR 1998. Raises ConfigError if diversity is outside 0..1.
    """
    if not 0 <= diversity <= 1:
        raise ConfigError(f"diversity must be between 0 and 1, got {diversity}")
    worth = np.asarray(relevance, dtype=np.float64)
    n = len(worth)
    k = n if k is None else min(k, n)
    if n == 0:
        return []
    spread = worth.max() - worth.min()
    worth = (worth - worth.min()) / spread if spread > 0 else np.ones(n)
    likeness = np.zeros(n)
    left = np.ones(n, dtype=bool)
    order: list[int] = []
    while len(order) < k:
        value = np.where(left, (1 - diversity) * worth - diversity * likeness, -np.inf)
        best = int(np.argmax(value))
        order.append(best)
        left[best] = False
        cosines = vectors @ vectors[best]
        likeness = cosines.astype(np.float64) if len(order) == 1 else np.maximum(likeness, cosines)
    return order
