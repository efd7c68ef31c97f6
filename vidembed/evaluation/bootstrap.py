"""How sure a figure is: bootstrap intervals, and the comparison of two runs over the same queries."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Interval:
    """A figure with the bounds that hold it at 95 %."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Comparison:
    """Run b against run a over the same queries. p: chance of so large a difference if the runs were alike."""

    difference: Interval  # mean of b minus mean of a
    p: float
    better: int  # queries on which b is better
    worse: int
    same: int


def interval(
    values: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 2000,
) -> Interval:
    """Percentile bootstrap interval of the mean of per-query values (Efron 1979). NaN without values.

    groups: one label per value, such as its video. Then whole groups are drawn, because queries on the same video
    are not independent (the interval would be too narrow).
    """
    data = np.asarray(values, dtype=np.float64)
    if not len(data):
        return Interval(float("nan"), float("nan"), float("nan"))
    if groups is not None and len(groups) != len(data):
        raise ValueError(f"need one group per value, got {len(groups)} for {len(data)}")
    owners = range(len(data)) if groups is None else groups
    return interval_of(lambda at: float(data[at].mean()), owners, resamples=resamples)


def interval_of(
    figure: Callable[[NDArray[np.int64]], float],
    groups: Sequence[Hashable],
    *,
    resamples: int = 500,
) -> Interval:
    """Percentile bootstrap interval of a figure that is no mean, such as an area under a curve.

    Args:
        figure: Of the values at these places; draws for which it is NaN are left out.
        groups: One label per value; whole groups are drawn.
        resamples: Draws.
    """
    members = _members(groups)
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(members), len(members)) for _ in range(resamples))
    if len(members) < len(groups):
        draws = (np.concatenate([members[j] for j in draw]) for draw in draws)
    drawn = [figure(draw) for draw in draws]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(figure(np.arange(len(groups))), float(low), float(high))


def compare(
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    resamples: int = 2000,
) -> Comparison:
    """Paired comparison of per-query values, higher is better: bootstrap of the difference, randomisation test.

    The test flips the sign of each difference (with groups: of each group's together) at random (Fisher 1935); p has
    the observed arrangement counted in, so it is never 0.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"the runs must answer the same queries, got {first.shape} and {second.shape}")
    gain = second - first
    spread = interval(gain, groups=groups, resamples=resamples)
    sums = gain if groups is None else np.array([gain[m].sum() for m in _members(groups)])
    rng = np.random.default_rng(0)
    extreme = 0
    for _ in range(resamples):
        flipped = float(sums @ rng.choice([-1.0, 1.0], len(sums)))
        extreme += abs(flipped) >= abs(float(sums.sum())) - 1e-12
    return Comparison(
        difference=spread,
        p=(extreme + 1) / (resamples + 1),
        better=int(np.count_nonzero(gain > 0)),
        worse=int(np.count_nonzero(gain < 0)),
        same=int(np.count_nonzero(gain == 0)),
    )


def _members(groups: Sequence[Hashable]) -> list[NDArray[np.int64]]:
    places: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        places.setdefault(group, []).append(i)
    return [np.array(members, dtype=np.int64) for members in places.values()]
