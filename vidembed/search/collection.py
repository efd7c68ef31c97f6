"""Statistics of a channel's collection: what ordinary queries, and its own clips, score on a sample of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from cachetools import FIFOCache
from numpy.typing import NDArray

from vidembed.config.schema import CalibrationSettings
from vidembed.protocols import Channel, Store
from vidembed.search.calibration import (
    USUAL,
    Bank,
    Doubles,
    Null,
    Scale,
    near_level,
    null_of_bank,
    null_of_sample,
    soft_maximum,
)
from vidembed.search.confidence import Curves
from vidembed.types import Floats

SAMPLE = 512  # clips that stand for a collection; ids are hashes, so the first ones are a fair sample
_USUAL_SHARE = 0.5  # of a clip's near level, taken off its scores where confidence was fitted; each query has its own
_DRAWN = 8  # clips, of usual cosines, that a clip's own cohort is drawn towards


@dataclass(frozen=True, eq=False)
class Collection:
    """Statistics of a channel's collection.

    Attributes:
        count: Clips in it.
        sample: (S, D) vectors of some of them.
        scale: None without a bank.
        null: Of z.
        near_null: Of deviations above each clip's `near_level`.
        owners: (S,) the video of each row of the sample.
    """

    count: int
    sample: Floats
    scale: Scale | None = None
    null: Null | None = None
    near_null: Null | None = None
    owners: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        count: int,
        sample: Floats,
        bank: Floats | None,
        settings: CalibrationSettings,
        owners: Sequence[str] = (),
        fitted: bool = False,
    ) -> Collection:
        """From a sample of the collection, the bank in its space, (B, D), and the sample's videos.

        fitted: Whether confidence was fitted for these vectors: clips are then ranked as they are believed.
        """
        if bank is None or not len(sample):
            return cls(count, sample, owners=tuple(owners))
        scores = bank @ sample.T
        near = near_level(scores)
        background = near if fitted else soft_maximum(scores, temperature=settings.temperature)
        hubness = _USUAL_SHARE if fitted else settings.hubness
        scale = Scale.of_bank(scores, background, hubness=hubness)
        z = scale.z(scale.corrected(scores, background))
        above = (scores - near) / scale.spread
        null, near_null = (
            null_of_bank(values.max(axis=1), sampled=len(sample), indexed=USUAL) for values in (z, above)
        )
        return cls(count, sample, scale, null, near_null, tuple(owners))

    @cached_property
    def usual(self) -> tuple[float, float]:
        """Mean and deviation of the cosines between sampled clips of different videos."""
        apart = np.not_equal.outer(self.owners, self.owners)
        cosines = (self.sample @ self.sample.T)[apart] if apart.any() else np.zeros(0)
        return (float(cosines.mean()), max(float(cosines.std()), 0.02)) if len(cosines) else (0.0, 0.1)

    def cohort_levels(self, scores: NDArray[np.floating], owners: Sequence[str]) -> Doubles:
        """(N, 2) mean and deviation of what the sample's clips of other videos score on N clips, drawn to `usual`.

        The Z-norm of speaker verification (Reynolds 1997; Auckenthaler et al. 2000), for queries that are no text: a
        clip that is like everything answers nothing.

        Args:
            scores: (S, N) of the sample's clips on these.
            owners: (N,) their videos.
        """
        apart = np.not_equal.outer(self.owners, list(owners))
        values = np.where(apart, np.asarray(scores, dtype=np.float64), 0.0)
        usual, deviation = self.usual
        count = apart.sum(axis=0) + _DRAWN
        mean = (values.sum(axis=0) + _DRAWN * usual) / count
        squares = (np.where(apart, values - mean, 0.0) ** 2).sum(axis=0)
        return np.stack([mean, np.sqrt((squares + _DRAWN * deviation**2) / count)], axis=1)

    def for_query(self, vector: Floats, *, alike: bool) -> tuple[Scale, Null | None]:
        """Scale and null from this query's scores over the sample, for queries that no bank fits.

        alike: The query is of the clips' kind: scores are deviations above `cohort_levels`.
        """
        scores = self.sample @ vector
        if alike and len(scores):
            mean, deviation = self.cohort_levels(self.sample @ self.sample.T, self.owners).T
            return Scale(), null_of_sample((scores - mean) / deviation, indexed=USUAL)
        return usual_of(scores)


def usual_of(scores: NDArray[np.floating]) -> tuple[Scale, Null | None]:
    """Scale and null of one query from its (N,) scores on clips; no null for a few clips."""
    null = null_of_sample(scores, indexed=USUAL)
    if null is None:
        return Scale(float(scores.mean()) if len(scores) else 0.0, 0.1), None
    scale = Scale(float(np.median(scores)), null.scale)
    return scale, Null((null.location - scale.mean) / scale.spread, 1.0)


class Collections:
    """`Collection` of each channel, computed when first needed and again when its number of clips changes."""

    def __init__(self, store: Store, bank: Bank, settings: CalibrationSettings, curves: Curves | None = None) -> None:
        self._store, self._bank, self._settings, self._curves = store, bank, settings, curves or Curves()
        self._known: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def get(self, channel: Channel) -> Collection:
        """Statistics of the channel as it is now."""
        count = self._store.count(channel.collection)
        with self._lock:
            known = self._known.get(channel.collection)
            if known is None or known.count != count:
                sample, owners = self._sample(channel)
                fitted = self._curves.shown_in(channel) is not None
                known = Collection.of(count, sample, self._bank(channel), self._settings, owners, fitted)
                self._known[channel.collection] = known
            return known

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._known.clear()

    def _sample(self, channel: Channel) -> tuple[Floats, list[str]]:
        """(S, D) vectors of some clips, and their videos."""
        none = np.zeros((0, channel.encoder.space.dim or 1), dtype=np.float32)
        if channel.encoder.space.kind != "dense":
            return none, []
        scan = self._store.scan(channel.collection, segments=False, batch=SAMPLE)
        rows = [row for row in next(iter(scan), []) if isinstance(row.vector, np.ndarray)]
        return np.stack([row.vector for row in rows]) if rows else none, [row.clip.video_id for row in rows]  # type: ignore[misc]


class BackgroundCache:
    """Backgrounds of clips seen before, by collection and clip; the oldest go first. Thread-safe."""

    def __init__(self, limit: int = 500_000) -> None:
        self._known: FIFOCache[tuple[str, str], float | list[float]] = FIFOCache(limit)
        self._lock = threading.Lock()

    def get(self, collection: str, clip_ids: Sequence[str], make: Callable[[list[str]], Doubles]) -> Doubles:
        """(N,) or (N, M) float64, in order; `make` computes the unknown ones in one call, a number or row each."""
        with self._lock:
            known = {clip_id: self._known.get((collection, clip_id)) for clip_id in clip_ids}
        missing = [clip_id for clip_id, value in known.items() if value is None]
        if missing:
            fresh = dict(zip(missing, make(missing).tolist(), strict=True))
            known.update(fresh)
            with self._lock:
                self._known.update({(collection, clip_id): value for clip_id, value in fresh.items()})
        return np.array([known[clip_id] for clip_id in clip_ids], dtype=np.float64)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._known.clear()
