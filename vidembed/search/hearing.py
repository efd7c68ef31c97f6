"""Which texts a sound channel can hear: "a dog barking" it can, "a woman in a red dress" it cannot.

Told by the channel's own text vectors: the query bank's section of sounds against the rest of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Floats

_RIDGE = 1.0
_SHARP = 6.0  # of the logistic curve over the regression, whose targets are 0 and 1
Listener = Callable[[Floats], NDArray[np.float64]]
_LEAST = 5  # sounds in the bank, below which nothing can be told


def hearable(texts: Floats, bank: Floats, sounds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) 0..1: how surely each text names something to hear, by `listener`."""
    return listener(bank, sounds)(texts)


def listener(bank: Floats, sounds: NDArray[np.bool_]) -> Listener:
    """What tells of texts, (N, D) vectors, how surely each names something to hear, (N,) 0..1.

    A ridge regression from the bank's vectors to whether a line names a sound, both kinds counting the same.

    Args:
        bank: (B, D) vectors of the query bank.
        sounds: (B,) which of its lines name sounds; with too few of them everything can be heard.
    """
    heard, rest = int(sounds.sum()), int((~sounds).sum())
    if heard < _LEAST or rest < _LEAST:
        return lambda texts: np.ones(len(texts))
    share = np.where(sounds, 0.5 / heard, 0.5 / rest) * len(bank)
    centre = (bank * share[:, None]).sum(axis=0) / share.sum()
    rows = (bank - centre).astype(np.float64)
    gram = rows.T @ (rows * share[:, None]) + _RIDGE * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, rows.T @ (share * (sounds - 0.5)))
    return lambda texts: np.asarray(1 / (1 + np.exp(-_SHARP * ((texts - centre) @ weights))))


class Listeners:
    """A `listener` for each bank, made once: the same vectors come with every search. Thread-safe."""

    def __init__(self) -> None:
        self._made: list[tuple[Floats, Listener]] = []  # of each sound channel
        self._lock = threading.Lock()

    def of(self, bank: Floats, sounds: NDArray[np.bool_]) -> Listener:
        """The one for these very vectors."""
        with self._lock:
            made = next((one for rows, one in self._made if rows is bank), None)
            if made is None:
                made = listener(bank, sounds)
                self._made = [*self._made[-7:], (bank, made)]
            return made
