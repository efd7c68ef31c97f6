"""Fuse rankings into one, and weigh the channels they come from.

A ranking is a sequence of (id, score), best first, no id twice. Every fusion returns (id, fused score) by score down,
then id, so that runs agree; fusing a single ranking keeps its order. A weight of 0 leaves a ranking out; an id that a
ranking lacks gets nothing from it. Cosines of different spaces are never added raw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from vidembed.config.schema import Fusion, SearchSettings
from vidembed.errors import ConfigError
from vidembed.search.channels import ChannelSearch
from vidembed.search.confidence import confidence_from
from vidembed.search.query import FUSIONS

Id = TypeVar("Id", str, int)  # of a clip, or the place of a span
Ranking: TypeAlias = Sequence[tuple[Id, float]]
Weights: TypeAlias = Mapping[str, float]
_LEAST_TRUST = 0.1
_PERCEIVES = 0.1
# Exponent of a channel's odds in `share`. Chosen on the tuning half of benchmarks/fusion.py: from 0.6 on, captions are
# found no worse than by pictures alone; a higher one outvotes channels that are hardly less confident.
_SHARE_POWER = 0.6


def reciprocal_rank_fusion(
    rankings: Mapping[str, Ranking[Id]], *, k: int = 60, weights: Weights | None = None
) -> list[tuple[Id, float]]:
    """Sum of weight / (k + rank), rank from 1 (Cormack, Clarke, Buettcher, SIGIR 2009; k = 60 as there).

    Raises ConfigError if k < 1.
    """
    if k < 1:
        raise ConfigError(f"rrf_k must be at least 1, got {k}")
    return _weighted_sum(rankings, weights, lambda _, scores: 1.0 / (k + np.arange(1, len(scores) + 1)))


def zscore_fusion(rankings: Mapping[str, Ranking[Id]], *, weights: Weights | None = None) -> list[tuple[Id, float]]:
    """Weighted sum of scores in each ranking's standard deviations above its lowest score.

    Shifted so that the last item of a ranking counts like one that is not in it: otherwise an item below the mean would
    lose by having been found. A ranking of equal scores gives 0.5 each.
    """
    return _weighted_sum(rankings, weights, lambda _, scores: _standard_scores(scores))


def distribution_fusion(
    rankings: Mapping[str, Ranking[Id]], *, weights: Weights | None = None
) -> list[tuple[Id, float]]:
    """Distribution-based score fusion: each ranking is scaled so that mean -+ 3 standard deviations become 0 and 1.

    Source: Mazzeschi 2023, as in Qdrant's DBSF: sample deviation (n - 1), not clipped, 0.5 for a single item or equal
    scores.
    """
    return _weighted_sum(rankings, weights, lambda _, scores: _distribution_scores(scores))


def evidence_fusion(
    rankings: Mapping[str, Ranking[Id]], *, main: str | None = None, weights: Weights | None = None
) -> list[tuple[Id, float]]:
    """Weighted sum of log(1 + odds); scores are the log-odds of each hit.

    A ranking in which nothing stands out (odds far below 1) adds next to nothing, so a channel without an answer cannot
    outvote one that has it, and being in many rankings is worth nothing by itself. The `main` ranking, the one that
    covers most, adds its scores as they are: they order what no channel is sure of, and 0 is worth as much as absence.
    """
    return _weighted_sum(rankings, weights, lambda name, scores: scores if name == main else np.logaddexp(0.0, scores))


def fuse(
    method: Fusion,
    rankings: Mapping[str, Ranking[Id]],
    *,
    rrf_k: int = 60,
    weights: Weights | None = None,
    main: str | None = None,
) -> list[tuple[Id, float]]:
    """Fuse by the named method.

    Args:
        method: rrf, zscore, dbsf or evidence.
        rankings: Channel -> ranking.
        rrf_k: For rrf.
        weights: Channel -> weight; 1 where not named.
        main: For evidence: the channel that covers most.

    Raises:
        ConfigError: The method is unknown, or a weight is negative or not finite.
    """
    if method == "rrf":
        return reciprocal_rank_fusion(rankings, k=rrf_k, weights=weights)
    if method == "zscore":
        return zscore_fusion(rankings, weights=weights)
    if method == "dbsf":
        return distribution_fusion(rankings, weights=weights)
    if method == "evidence":
        return evidence_fusion(rankings, main=main, weights=weights)
    raise ConfigError(f"unknown fusion {method!r}; allowed: {', '.join(FUSIONS)}")


_Scores: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.float64]]"


def _weighted_sum(
    rankings: Mapping[str, Ranking[Id]], weights: Weights | None, normalise: Callable[[str, _Scores], _Scores]
) -> list[tuple[Id, float]]:
    total: dict[Id, float] = {}
    for name in sorted(rankings):  # a fixed order of summing: floats do not add up the same in every order
        weight = 1.0 if weights is None else float(weights.get(name, 1.0))
        if not math.isfinite(weight) or weight < 0:
            raise ConfigError(f"the weight of {name!r} must be finite and at least 0, got {weight}")
        ranking = rankings[name]
        if weight == 0 or not ranking:
            continue
        parts = weight * normalise(name, np.array([score for _, score in ranking], dtype=np.float64))
        for (item, _), part in zip(ranking, parts.tolist()):
            total[item] = total.get(item, 0.0) + part
    return _ordered(total)


def _ordered(total: Mapping[Id, float]) -> list[tuple[Id, float]]:
    return sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))


def _standard_scores(scores: _Scores) -> _Scores:
    spread = scores.std()
    if spread < 1e-12:
        return np.full(len(scores), 0.5)
    return (scores - scores.min()) / spread


def _distribution_scores(scores: _Scores) -> _Scores:
    spread = scores.std(ddof=1) if len(scores) > 1 else 0.0
    if spread < 1e-12:
        return np.full(len(scores), 0.5)
    return (scores - (scores.mean() - 3 * spread)) / (6 * spread)


def weigh(channels: Sequence[ChannelSearch]) -> None:
    """Set `trust` and `share` of each channel by its confidence in its best hits.

    The most confident channel counts in full, so that scores of a lone channel do not depend on its confidence. A
    channel in which nothing stands out must not decide the order: asked for a sound, the pictures, which cover most,
    would otherwise outvote the sound.
    """
    odds = [channel.odds(channel.best) + math.log(channel.heard) for channel in channels]
    sure = [max(channel.confidence(channel.best) * channel.heard, _LEAST_TRUST) for channel in channels]
    for channel, o, s in zip(channels, odds, sure):
        channel.trust = channel.weight * s / max(sure)
        channel.share = math.exp(_SHARE_POWER * (o - max(odds)))


def fuse_channels(
    rankings: Mapping[str, Ranking[Id]], channels: Sequence[ChannelSearch], settings: SearchSettings
) -> list[tuple[Id, float]]:
    """Fuse the channels' rankings by `search.fusion`. rankings: by channel; for evidence the scores are z."""
    if settings.fusion != "evidence" or not channels:
        trust = {channel.name: channel.trust for channel in channels}
        return fuse(settings.fusion, rankings, rrf_k=settings.rrf_k, weights=trust)
    # The odds hold the confidence in one hit; the share holds that in the query at all.
    # The first of equals, so the profile's order decides; not one that cannot perceive what is asked.
    main = max(channels, key=lambda one: (bool(rankings.get(one.name)), one.heard > _PERCEIVES, one.stored))
    odds = {}
    for channel in channels:
        # The main channel's zero is an ordinary query, the others' zero is an even chance of a match.
        lift, less = (0.0, channel.odds(0.0)) if channel is main else (channel.lift, 0.0)
        odds[channel.name] = [(key, channel.odds(z + lift) - less) for key, z in rankings[channel.name]]
    weights = {channel.name: channel.weight * channel.share for channel in channels}
    return fuse("evidence", odds, weights=weights, main=main.name)


def confidence_of(odds: Mapping[str, float], channels: Sequence[ChannelSearch]) -> float:
    """Probability, 0..1, that a moment is an answer. odds: channel -> log-odds, where it has any.

    Exact words count by themselves. Of channels that guess by similarity each may be the one that has it, by how surely
    it perceives what is asked: what is seen is not doubted because it is not heard, and what can hardly be heard adds
    little by its sound. How many clips they hold plays no part, and captions, which tell the same again, count only
    where nothing else does.
    """
    sure = max((confidence_from(odds[c.name]) for c in channels if not c.guesses and c.name in odds), default=0.0)
    first_hand = {c.name for c in channels if c.guesses and not c.told and c.name in odds}
    held = {c.name: c.weight * c.heard for c in channels if c.guesses and (not c.told or not first_hand)}
    most = max(held.values(), default=1.0)  # a channel of sound that is asked alone is believed
    none = math.prod(1 - held[name] / most * confidence_from(odds[name]) for name in held if name in odds)
    return max(sure, 1 - none)
