"""One thing after another: moments of several queries that follow each other in one video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidembed.errors import BadQuery
from vidembed.types import Moment, Span

_LEAST = 1e-6  # a confidence of 0 has no logarithm
_SAME = 0.5  # chains that overlap this much tell of the same happening


@dataclass(frozen=True)
class Chain:
    """Moments of one video, one a step, in the order asked for."""

    moments: tuple[Moment, ...]

    @property
    def video_id(self) -> str:
        return self.moments[0].video_id

    @property
    def path(self) -> Path:
        return self.moments[0].path

    @property
    def span(self) -> Span:
        """From the first step's start to the last end."""
        return Span(self.moments[0].span.start_s, max(moment.span.end_s for moment in self.moments))

    @property
    def confidence(self) -> float:
        """0..1, of the weakest step."""
        return min(moment.confidence for moment in self.moments)

    @property
    def score(self) -> float:
        """Sum of the logarithms of the steps' confidences: what chains are ranked by."""
        return sum(math.log(max(moment.confidence, _LEAST)) for moment in self.moments)


def follow(steps: Sequence[Sequence[Moment]], *, gap_s: float = 60.0, k: int = 10) -> list[Chain]:
    """The k best chains with one moment of every step, best first, then by video and time.

    steps: the moments found for each query, in the order in which things are to happen. A step's best frame comes
    after the one of the step before, and it starts at most `gap_s` after that one's end. Chains that overlap a better
    one of their video by half are left out. Raises BadQuery when there are fewer than two steps or gap_s < 0.
    """
    if len(steps) < 2 or not gap_s >= 0:
        raise BadQuery(f"a sequence takes two steps or more and a gap of 0 or more, got {len(steps)} and {gap_s}")
    chains = [Chain((moment,)) for moment in steps[0]]
    for step in steps[1:]:
        by_video: dict[str, list[Chain]] = {}
        for chain in chains:
            by_video.setdefault(chain.video_id, []).append(chain)
        chains = []  # the best one to each moment of this step
        for moment in step:
            before = [c for c in by_video.get(moment.video_id, ()) if _may_follow(c.moments[-1], moment, gap_s)]
            if before:
                chains.append(Chain((*max(before, key=lambda chain: chain.score).moments, moment)))
    found: list[Chain] = []
    for chain in sorted(chains, key=lambda c: (-c.score, c.video_id, c.span)):
        if not any(c.video_id == chain.video_id and c.span.iou(chain.span) >= _SAME for c in found):
            found.append(chain)
    return found[:k]


def _may_follow(first: Moment, then: Moment, gap_s: float) -> bool:
    return then.best_s > first.best_s and then.span != first.span and then.span.start_s - first.span.end_s <= gap_s
