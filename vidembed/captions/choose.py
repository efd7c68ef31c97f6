"""Choosing among candidate captions by comparing embeddings. Pure numpy: texts and clips come as vectors.

A raw cosine favours sentences that are near everything ("a video of something"). So a candidate is judged three ways:

fit         its cosine with the clip,
baseline    how well ordinary sentences fit the clip (mean and spread over a bank): turns fit into a z-score, which is
            comparable between clips and channels (the per-query score normalisation of Pang et al., QB-Norm's cousin),
specificity how much better it fits this clip than the other clips of the run (the inverted-softmax idea of Smith et
            al., ICLR 2017, with a mean in place of the log-sum-exp: few clips make the latter jump).

What the candidates agree on can count too (minimum Bayes risk, Kumar and Byrne, NAACL 2004, with the cosine of two
candidates as the gain). It is off: with the starter captioner it changes CIDEr-D by no more than chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError
from vidembed.types import Candidate, Floats

BANK = "bank"  # origin of a candidate


@dataclass(frozen=True)
class ChoiceSettings:
    """How candidates are judged.

    weights: channel -> weight >= 0 of its z-score. specificity: 0 = fit alone, 1 = only
    what the clip has more of than other clips.
    prior: z-score units taken off per place in the captioner's own order, so that its favourite wins near-ties.
    consensus: z-score units gained at a mean cosine of 1 with the captioner's other candidates.
    bank_margin: z-score units taken off sentences of a bank, which are the best of many and so look better than they
    are: they win only where the captioner is far off.
    middle_z, slope: the logistic that maps a z-score to 0..1; a caption at `middle_z` gets 0.5. Fitted by
    benchmarks/caption_choice.py on Flickr8k to reaching half of what a person's caption typically reaches in CIDEr-D.
    min_score: below it the caption is flagged as not confident.
    """

    weights: Mapping[str, float]
    specificity: float = 0.5
    prior: float = 0.1
    consensus: float = 0.0
    bank_margin: float = 1.0
    middle_z: float = 3.7
    slope: float = 0.8
    min_score: float = 0.35

    def __post_init__(self) -> None:
        bad = {name: weight for name, weight in self.weights.items() if not (np.isfinite(weight) and weight >= 0)}
        if bad:
            raise ConfigError(f"caption.rerank weights must be finite and >= 0, got {bad}")


@dataclass(frozen=True, eq=False)
class Lane:
    """One channel's view: texts and clips in the same space.

    texts: (N, D) the candidates; clip: (D,); bank: (B, D) ordinary sentences, B >= 2;
    others: (M, D) other clips, M >= 0.
    """

    texts: Floats
    clip: Floats
    bank: Floats
    others: Floats


@dataclass(frozen=True)
class Choice:
    """The order of the candidates, best first, and how sure the best is."""

    order: tuple[int, ...]
    score: float  # 0..1 of the best
    confident: bool
    candidates: tuple[Candidate, ...]  # in the captioner's order, with the cosine per channel


def choose(
    texts: Sequence[str], lanes: Mapping[str, Lane], settings: ChoiceSettings, origins: Sequence[str] | None = None
) -> Choice:
    """Rank the candidates of one clip. Ties go to the captioner's own order. origins: "bank" for sentences of a bank.

    Without a lane (the clip has no vector in any channel used) the captioner's order stands, with score 0.
    Raises ValueError when there is no text.
    """
    if not texts:
        raise ValueError("choosing needs at least one candidate")
    used = {name: lane for name, lane in lanes.items() if settings.weights.get(name, 0.0) > 0}
    evidence: list[dict[str, float]] = [{} for _ in texts]
    for name, lane in used.items():
        for i, value in enumerate(lane.texts @ lane.clip):
            evidence[i][name] = round(float(value), 4)
    given = list(origins) if origins is not None else [""] * len(texts)
    from_bank = np.array([origin == BANK for origin in given])
    z = np.asarray(judged(len(texts), used, settings) - settings.bank_margin * from_bank, dtype=np.float32)
    ranked = preferred(z, used, settings, from_bank) if used else -np.arange(len(texts), dtype=float)
    order = tuple(int(i) for i in np.argsort(-ranked, kind="stable"))
    score = logistic(float(z[order[0]]), settings) if used else 0.0
    candidates = tuple(Candidate(*parts) for parts in zip(texts, evidence, given, strict=True))
    return Choice(order, score, score >= settings.min_score, candidates)


def preferred(z: Floats, lanes: Mapping[str, Lane], settings: ChoiceSettings, from_bank: NDArray[np.bool_]) -> Floats:
    """(N,) what decides: the z-scores with the captioner's own order and the agreement of its candidates."""
    places = np.where(from_bank, np.cumsum(from_bank) - 1, np.cumsum(~from_bank) - 1)
    ranked = z - settings.prior * places + settings.consensus * agreement(lanes, settings, ~from_bank)
    return np.asarray(ranked, dtype=np.float32)


def agreement(lanes: Mapping[str, Lane], settings: ChoiceSettings, own: NDArray[np.bool_]) -> Floats:
    """(N,) mean cosine of each text with the captioner's `own` others, over channels; 0 where there is no other."""
    total, weights = np.zeros(len(own)), 0.0
    for name, lane in lanes.items():
        cosines = lane.texts @ lane.texts[own].T  # (N, own)
        cosines[own, np.arange(int(own.sum()))] = 0.0
        others = own.sum() - own
        total += settings.weights[name] * cosines.sum(axis=1) / np.maximum(others, 1)
        weights += settings.weights[name]
    return np.asarray(total / weights if weights else total, dtype=np.float32)


def judged(count: int, lanes: Mapping[str, Lane], settings: ChoiceSettings) -> Floats:
    """(count,) z-scores of that many texts: the weighted mean over the channels used; zeros where none is."""
    used = {name: lane for name, lane in lanes.items() if settings.weights.get(name, 0.0) > 0}
    total = np.zeros(count, dtype=np.float32)
    for name, lane in used.items():
        total += settings.weights[name] * _z_scores(lane, lane.texts @ lane.clip, settings.specificity)
    return total / sum(settings.weights[name] for name in used) if used else total


def logistic(z: float, settings: ChoiceSettings) -> float:
    """A z-score as 0..1."""
    return float(1.0 / (1.0 + np.exp(-settings.slope * (z - settings.middle_z))))


def _z_scores(lane: Lane, fit: Floats, specificity: float) -> Floats:
    """(N,) spreads above what ordinary sentences reach on this clip, less what the candidate reaches on other clips."""
    ordinary = lane.bank @ lane.clip
    spread = max(float(ordinary.std()), 1e-3)
    z = (fit - float(ordinary.mean())) / spread
    if len(lane.others):
        # The same z-score on the other clips: a sentence that beats the bank everywhere says little about this one.
        bank_elsewhere = lane.bank @ lane.others.T  # (B, M)
        spread_elsewhere = np.maximum(bank_elsewhere.std(axis=0), 1e-3)
        z_elsewhere = (lane.texts @ lane.others.T - bank_elsewhere.mean(axis=0)) / spread_elsewhere
        z = z - specificity * z_elsewhere.mean(axis=1)
    return np.asarray(z, dtype=np.float32)
