"""Moments of several queries that follow each other in one video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidembed.errors import BadQuery
from vidembed.types import Moment, Span

_LEAST = 1e-6  # a confidence of 0 has no logarithm
_SAME = 0.5  # chains that overlap this much tell of the same happening


@dataclass(frozen=True)
class Chain:
    """Moments of one video, one per step, in the order of the queries."""

    moments: tuple[Moment, ...]

    @property
    def video_id(self) -> str:
        """Of all steps."""
        return self.moments[0].video_id

    @property
    def path(self) -> Path:
        """Of the video."""
        return self.moments[0].path

    @property
    def span(self) -> Span:
        """From the first step's start to the last end."""
        return Span(self.moments[0].span.start_s, max(moment.span.end_s for moment in self.moments))

    @property
    def confidence(self) -> float:
        """0..1, of the least certain step."""
        return min(moment.confidence for moment in self.moments)

    @property
    def good_match(self) -> bool:
        """Whether every step is one."""
        return all(moment.good_match for moment in self.moments)

    @property
    def score(self) -> float:
        """Sum of the steps' log confidences; chains are ranked by it."""
        return sum(math.log(max(moment.confidence, _LEAST)) for moment in self.moments)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, each step as a moment."""
        return {
            "path": str(self.path),
            **self.span.to_dict(),
            "confidence": round(self.confidence, 4),
            "good_match": self.good_match,
            "steps": [moment.to_dict() for moment in self.moments],
        }


def follow(steps: Sequence[Sequence[Moment]], *, gap_s: float = 60.0, k: int = 10) -> list[Chain]:
    """Find the best chains of one moment per step, without those that overlap a better one of their video by half.

    Args:
        steps: Moments found for each query, in order. A step begins when the step before has ended.
        gap_s: Most seconds between the end of one step and the start of the next.
        k: Most chains.

    Returns:
        Chains by score down, then video and time.

    Raises:
        BadQuery: There are fewer than two steps, or gap_s < 0.
    """
    if len(steps) < 2 or not gap_s >= 0:
        raise BadQuery(f"a sequence needs at least 2 steps and a gap of at least 0 s, got {len(steps)} and {gap_s}")
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
    return 0 <= then.span.start_s - first.span.end_s <= gap_s
