"""Choose among candidate captions by comparing embeddings.

A raw cosine favours sentences that are close to everything ("a video of something"). So a candidate is scored by

fit         its cosine with the clip,
baseline    how well ordinary sentences fit the clip (mean and spread over a bank), which makes the fit a z-score,
            comparable between clips and channels (per-query score normalisation, related to QB-Norm),
specificity how much better it fits this clip than other clips of the index (the inverted-softmax idea of Smith et al.,
            ICLR 2017, with a mean in place of the log-sum-exp, which jumps when clips are few).

Agreement among the candidates can count too (minimum Bayes risk, Kumar and Byrne, NAACL 2004, with the cosine of two
candidates as the gain). It is off: with the starter captioner it changes CIDEr-D by no more than chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import CaptionSettings, ChoiceSettings
from vidembed.types import Candidate, Floats

BANK = "bank"  # origin of a candidate


@dataclass(frozen=True, eq=False)
class JudgeVectors:
    """One channel's view of one clip: unit rows of texts and clips in the same space.

    Attributes:
        texts: (N, D) the candidates.
        clip: (D,).
        bank: (B, D) ordinary sentences, B >= 2.
        others: (M, D) other clips, M >= 0.
        weight: Of the channel, above 0.
    """

    texts: Floats
    clip: Floats
    bank: Floats
    others: Floats
    weight: float = 1.0


@dataclass(frozen=True)
class Choice:
    """A ranking of candidates.

    Attributes:
        order: Places of the candidates, best first.
        score: Confidence in the best, 0..1.
        confident: Whether the score reaches `caption.min_confidence`.
        candidates: In the captioner's order, with the cosine per channel.
    """

    order: tuple[int, ...]
    score: float
    confident: bool
    candidates: tuple[Candidate, ...]


def choose(
    texts: Sequence[str],
    views: Mapping[str, JudgeVectors],
    settings: CaptionSettings,
    origins: Sequence[str] | None = None,
) -> Choice:
    """Rank the candidates of one clip. Ties keep the captioner's order.

    Args:
        texts: The candidates, at least one.
        views: Channel -> its view. Without one (the clip has no vector) the captioner's order stands, with score 0.
        settings: The settings under `caption`.
        origins: Of each text; "bank" for sentences of a bank.

    Raises:
        ValueError: There is no text.
    """
    if not texts:
        raise ValueError("choosing needs at least one candidate")
    rule = settings.choice
    evidence: list[dict[str, float]] = [{} for _ in texts]
    for name, view in views.items():
        for scores, value in zip(evidence, view.texts @ view.clip):
            scores[name] = round(float(value), 4)
    given = list(origins) if origins is not None else [""] * len(texts)
    from_bank = np.array([origin == BANK for origin in given])
    z = np.asarray(z_scores(views, len(texts), rule.specificity) - rule.bank_margin * from_bank, dtype=np.float32)
    ranked = _preferred(z, views, rule, from_bank) if views else -np.arange(len(texts), dtype=float)
    order = tuple(int(i) for i in np.argsort(-ranked, kind="stable"))
    score = logistic(float(z[order[0]]), rule) if views else 0.0
    candidates = tuple(Candidate(*parts) for parts in zip(texts, evidence, given, strict=True))
    return Choice(order, score, score >= settings.min_confidence, candidates)


def _preferred(
    z: Floats, views: Mapping[str, JudgeVectors], rule: ChoiceSettings, from_bank: NDArray[np.bool_]
) -> Floats:
    """(N,) what candidates are ranked by: z-scores, the captioner's order, agreement."""
    places = np.where(from_bank, np.cumsum(from_bank) - 1, np.cumsum(~from_bank) - 1)
    ranked = z - rule.prior * places + rule.consensus * agreement(views, ~from_bank)
    return np.asarray(ranked, dtype=np.float32)


def agreement(views: Mapping[str, JudgeVectors], own: NDArray[np.bool_]) -> Floats:
    """(N,) mean cosine of each text with the captioner's `own` other texts, over channels; 0 without any."""
    total, weights = np.zeros(len(own)), 0.0
    for view in views.values():
        cosines = view.texts @ view.texts[own].T  # (N, own)
        cosines[own, np.arange(int(own.sum()))] = 0.0
        others = own.sum() - own
        total += view.weight * cosines.sum(axis=1) / np.maximum(others, 1)
        weights += view.weight
    return np.asarray(total / weights if weights else total, dtype=np.float32)


def z_scores(views: Mapping[str, JudgeVectors], count: int, specificity: float) -> Floats:
    """(count,) weighted mean of the channels' z-scores of that many texts; zeros without a channel."""
    total = np.zeros(count, dtype=np.float32)
    for view in views.values():
        total += view.weight * _z_scores(view, specificity)
    return total / sum(view.weight for view in views.values()) if views else total


def logistic(z: float, rule: ChoiceSettings) -> float:
    """Map a z-score to 0..1."""
    return float(1.0 / (1.0 + np.exp(-rule.slope * (z - rule.middle_z))))


def _z_scores(view: JudgeVectors, specificity: float) -> Floats:
    """(N,) spreads above ordinary sentences on this clip, less `specificity` times the same on other clips."""
    ordinary = view.bank @ view.clip
    spread = max(float(ordinary.std()), 1e-3)
    z = (view.texts @ view.clip - float(ordinary.mean())) / spread
    if len(view.others):
        # A sentence that beats the bank on every clip says little about this one.
        bank_elsewhere = view.bank @ view.others.T  # (B, M)
        spread_elsewhere = np.maximum(bank_elsewhere.std(axis=0), 1e-3)
        z_elsewhere = (view.texts @ view.others.T - bank_elsewhere.mean(axis=0)) / spread_elsewhere
        z = z - specificity * z_elsewhere.mean(axis=1)
    return np.asarray(z, dtype=np.float32)
