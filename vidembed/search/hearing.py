"""Which texts a sound channel can hear: "a dog barking" it can, "a woman in a red dress" it cannot.

Told by the channel's own text vectors: the query bank's section of sounds against the rest of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Floats

_RIDGE = 1.0
_SHARP = 6.0  # of the logistic curve over the regression, whose targets are 0 and 1
_LEAST = 5  # sounds in the bank, below which nothing can be told


def hearable(texts: Floats, bank: Floats, sounds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) 0..1: how surely each text names something to hear.

    A ridge regression from the bank's vectors to whether a line names a sound, both kinds counting the same.

    Args:
        texts: (N, D) vectors.
        bank: (B, D) vectors of the query bank.
        sounds: (B,) which of its lines name sounds; with too few of them everything can be heard.
    """
    heard, rest = int(sounds.sum()), int((~sounds).sum())
    if heard < _LEAST or rest < _LEAST:
        return np.ones(len(texts))
    share = np.where(sounds, 0.5 / heard, 0.5 / rest) * len(bank)
    centre = (bank * share[:, None]).sum(axis=0) / share.sum()
    rows = (bank - centre).astype(np.float64)
    gram = rows.T @ (rows * share[:, None]) + _RIDGE * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, rows.T @ (share * (sounds - 0.5)))
    return np.asarray(1 / (1 + np.exp(-_SHARP * ((texts - centre) @ weights))))
