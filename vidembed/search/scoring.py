"""Scores of many clips at once, seen through their units, and what is known of a collection as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.protocols import Channel, Store
from vidembed.search.calibration import Backgrounds, Null, null_of_bank, null_of_sample
from vidembed.types import Floats, Row
from vidembed.vectors import UnitScore

SAMPLE = 512  # clips that stand for a collection; ids are hashes, so the first ones are a fair sample
_SOFT = 50  # how many sampled clips make the query's own mean count half


def unit_matrix(rows: Sequence[Row]) -> tuple[Floats, NDArray[np.int64]]:
    """All units of the rows one below the other, (U, D) float32, and where each row's begin, (N,).

    A row without units is its own vector. The rows are dense, at least one.
    """
    parts = [row.units if row.units is not None and len(row.units) else row.vector[None] for row in rows]  # type: ignore[index]
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return np.concatenate(parts).astype(np.float32), starts


def pool_scores(scores: NDArray[np.float32], starts: NDArray[np.int64], how: UnitScore) -> NDArray[np.float32]:
    """(Q, U) cosines of queries with units into (Q, N) of clips; what `vectors.score_units` says for each, at once."""
    if how == "max":
        return np.maximum.reduceat(scores, starts, axis=1)
    if how == "topk":
        ends = [*starts[1:].tolist(), scores.shape[1]]
        best = [np.sort(scores[:, a:b], axis=1)[:, -3:].mean(axis=1) for a, b in zip(starts.tolist(), ends)]
        return np.stack(best, axis=1)
    top = np.maximum.reduceat(scores, starts, axis=1)
    lengths = np.diff([*starts.tolist(), scores.shape[1]])
    weights = np.exp((scores - np.repeat(top, lengths, axis=1)) / 0.1)
    soft = np.add.reduceat(weights * scores, starts, axis=1) / np.add.reduceat(weights, starts, axis=1)
    return np.asarray(soft, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Collection:
    """A channel's collection in numbers: how many clips, a sample of them, and the bank's scores on the sample.

    mean, spread, null are in units of cosine (mean, spread) and background deviations (null); None without a bank.
    """

    count: int
    sample: Floats  # (S, D)
    backgrounds: Backgrounds | None = None  # of the sample
    spread: float = 0.0  # common deviation of ordinary queries on a clip
    level: float = 0.0  # common soft maximum
    null: Null | None = None

    @classmethod
    def of(cls, count: int, sample: Floats, bank: Floats | None, *, temperature: float) -> Collection:
        if bank is None or not len(sample):
            return cls(count, sample)
        scores = bank @ sample.T
        backgrounds = Backgrounds.of(scores, temperature=temperature)
        spread = float(backgrounds.std.mean())
        z = backgrounds.z(scores, common=spread)
        z -= centring(z)[:, None]
        null = null_of_bank(z.max(axis=1), sampled=len(sample), indexed=count)
        return cls(count, sample, backgrounds, spread, float(backgrounds.soft_max.mean()), null)

    def query_level(self, vector: Floats) -> float:
        """What is taken off a query's z-scores because it scores high everywhere ("a video"); 0 in small indexes."""
        if self.backgrounds is None:
            return 0.0
        z = self.backgrounds.z(self.sample @ vector, common=self.spread)
        return float(centring(z[None])[0])

    def query_null(self, vector: Floats) -> tuple[float, float, Null | None]:
        """(mean, deviation, null) of this very query's cosines over the sample, for queries no bank fits."""
        scores = self.sample @ vector
        null = null_of_sample(scores, indexed=self.count)
        if null is None:
            return (float(scores.mean()) if len(scores) else 0.0), 0.1, None
        middle = float(np.median(scores))
        return middle, null.scale, null


def centring(z: NDArray[np.floating]) -> NDArray[np.float64]:
    """(Q,) half of each query's mean over (Q, S) sampled clips, less in a small sample, where it may be the answer."""
    n = z.shape[1]
    return 0.5 * np.asarray(z, dtype=np.float64).mean(axis=1) * n / (n + _SOFT)


class Collections:
    """`Collection` of each channel, made when first asked for and again when its number of clips changes."""

    def __init__(self, store: Store, bank: Callable[[Channel], Floats | None], *, temperature: float) -> None:
        self._store, self._bank, self._temperature = store, bank, temperature
        self._known: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def get(self, channel: Channel) -> Collection:
        count = self._store.count(channel.collection)
        with self._lock:
            known = self._known.get(channel.collection)
            if known is None or known.count != count:
                known = Collection.of(count, self._sample(channel), self._bank(channel), temperature=self._temperature)
                self._known[channel.collection] = known
            return known

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def _sample(self, channel: Channel) -> Floats:
        if channel.encoder.space.kind != "dense":
            return np.zeros((0, 1), dtype=np.float32)
        scan = self._store.scan(channel.collection, units=False, batch=SAMPLE)
        rows = next(iter(scan), [])
        vectors = [row.vector for row in rows if isinstance(row.vector, np.ndarray)]
        return np.stack(vectors) if vectors else np.zeros((0, channel.encoder.space.dim), dtype=np.float32)
