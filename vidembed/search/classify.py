"""Labels of clips with calibrated confidence: each clip against the labels and against ordinary queries, by itself.

The evidence of a label is how far its score is above those of the clip's nearest ordinary queries, in deviations of all
of them on that clip. One curve turns it into a probability (label_calibration.json). Neither the filter nor other clips
have a part in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidembed.search.calibration import near_level
from vidembed.search.labels import LabelGroup
from vidembed.types import Floats, Row
from vidembed.vectors import SegmentScore, pool_scores, segment_matrix

Doubles = NDArray[np.float64]
_HEARD = 0.5  # how surely a text names a sound before a channel of sound has a say in it


@dataclass(frozen=True)
class LabelCurve:
    """The logarithm of the odds as a straight line over the evidence."""

    slope: float
    intercept: float


@cache
def curves() -> Mapping[str, LabelCurve]:
    """The fitted curve of each kind of source; that of frames where there is no other."""
    file = resources.files("vidembed.search") / "label_calibration.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    return {name: LabelCurve(**data[name]) for name in ("frames", "audio")}


@dataclass(frozen=True, eq=False)
class LabelView:
    """One channel's look at labels.

    Attributes:
        texts: (L, D) a vector of each label.
        bank: (B, D) vectors of ordinary queries.
        heard: (L,) 0..1, how surely each label names what the channel can perceive.
        curve: Of its kind of source.
        pooling: How the scores of a clip's segments become one.
    """

    texts: Floats
    bank: Floats
    heard: Doubles
    curve: LabelCurve
    pooling: SegmentScore

    def odds(self, rows: Sequence[Row]) -> Doubles:
        """(L, N) logarithm of the odds of each label on N >= 1 clips; -inf for what the channel cannot perceive."""
        segments, starts = segment_matrix(rows)
        scores = pool_scores(np.concatenate([self.texts, self.bank]) @ segments.T, starts, self.pooling)
        own, bank = scores[: len(self.texts)].astype(np.float64), scores[len(self.texts) :].astype(np.float64)
        evidence = (own - near_level(bank)) / np.maximum(bank.std(axis=0), 1e-3)
        made = self.curve.slope * evidence + self.curve.intercept
        return np.where(self.heard[:, None] >= _HEARD, made, -np.inf)


def confidences(odds: Doubles, groups: Sequence[LabelGroup]) -> Doubles:
    """(L, N) probabilities from (L, N) log-odds, labels in the order of the groups.

    Of a group of which a clip has one label, the best shares the probability with its nearest rival and with "none of
    them"; the others have 0.
    """
    made = np.empty_like(odds)
    first = 0
    for group in groups:
        part = odds[first : first + len(group.labels)]
        here = slice(first, first + len(group.labels))
        if group.one:
            best, rival = (np.sort(np.vstack([part, np.full_like(part[:1], -np.inf)]), axis=0)[-n] for n in (1, 2))
            top = np.maximum(best, 0.0)
            shares = np.exp(best - top) / (np.exp(best - top) + np.exp(rival - top) + np.exp(-top))
            made[here] = np.where(part == best, shares, 0.0)
        else:
            made[here] = 1 / (1 + np.exp(-np.clip(part, -60.0, 60.0)))
        first += len(group.labels)
    return made


def shift_of_examples(accepted: Sequence[float], rejected: Sequence[float]) -> float:
    """What is added to a label's log-odds so that 0 tells its examples apart best, moved no more than needed.

    The border that most examples are on the right side of; half-way between the two examples around it.
    """
    yes, no = sorted(accepted), sorted(rejected)
    if not yes and not no:
        return 0.0
    values = sorted([*yes, *no])
    borders = [0.0, values[0] - 0.5, values[-1] + 0.5, *((a + b) / 2 for a, b in pairwise(values))]

    def wrong(border: float) -> int:
        return sum(value <= border for value in yes) + sum(value > border for value in no)

    return -min(borders, key=lambda border: (wrong(border), abs(border)))
