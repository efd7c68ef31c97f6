"""Scores of many clips at once, seen through their units, and what is known of a collection as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import CalibrationSettings
from vidembed.protocols import Channel, Store
from vidembed.search.calibration import (
    Null,
    Scale,
    near_level,
    null_of_bank,
    null_of_sample,
    soft_maximum,
)
from vidembed.types import Floats, Row
from vidembed.vectors import UnitScore

SAMPLE = 512  # clips that stand for a collection; ids are hashes, so the first ones are a fair sample


def unit_matrix(rows: Sequence[Row]) -> tuple[Floats, NDArray[np.int64]]:
    """All units of the rows one below the other, (U, D) float32, and where each row's begin, (N,).

    A row without units is its own vector. The rows are dense, at least one.
    """
    parts = [row.units if row.units is not None and len(row.units) else row.vector[None] for row in rows]  # type: ignore[index]
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return np.concatenate(parts).astype(np.float32), starts


def pool_scores(scores: NDArray[np.float32], starts: NDArray[np.int64], how: UnitScore) -> NDArray[np.float32]:
    """(Q, U) cosines of queries with units into (Q, N) of clips seen through their units.

    max: the best unit (MaxSim); topk: the mean of the three best; softmax: the mean weighed by exp(cosine / 0.1).
    """
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
    """A channel's collection in numbers: how many clips, a sample of them, and what ordinary queries score there."""

    count: int
    sample: Floats  # (S, D)
    scale: Scale | None = None  # None without a bank
    null: Null | None = None  # in z
    near_null: Null | None = None  # in usual deviations above each clip's `near_level`

    @classmethod
    def of(cls, count: int, sample: Floats, bank: Floats | None, *, temperature: float, hubness: float) -> Collection:
        if bank is None or not len(sample):
            return cls(count, sample)
        scores = bank @ sample.T
        scale = Scale.of_bank(scores, temperature=temperature, hubness=hubness)
        z = scale.z(scale.corrected(scores, soft_maximum(scores, temperature=temperature)))
        above = (scores - near_level(scores)) / scale.spread
        null, near_null = (
            null_of_bank(values.max(axis=1), sampled=len(sample), indexed=count) for values in (z, above)
        )
        return cls(count, sample, scale, null, near_null)

    def for_query(self, vector: Floats) -> tuple[Scale, Null | None]:
        """Scale and null of this very query from its cosines over the sample, for queries that no bank fits."""
        scores = self.sample @ vector
        null = null_of_sample(scores, indexed=self.count)
        if null is None:
            return Scale(float(scores.mean()) if len(scores) else 0.0, 0.1), None
        scale = Scale(float(np.median(scores)), null.scale)
        return scale, Null((null.location - scale.mean) / scale.spread, 1.0)


class Collections:
    """`Collection` of each channel, made when first asked for and again when its number of clips changes."""

    def __init__(self, store: Store, bank: Callable[[Channel], Floats | None], settings: CalibrationSettings) -> None:
        self._store, self._bank, self._settings = store, bank, settings
        self._known: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def get(self, channel: Channel) -> Collection:
        count = self._store.count(channel.collection)
        with self._lock:
            known = self._known.get(channel.collection)
            if known is None or known.count != count:
                known = Collection.of(
                    count,
                    self._sample(channel),
                    self._bank(channel),
                    temperature=self._settings.temperature,
                    hubness=self._settings.hubness,
                )
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
