"""Answers that differ from each other: maximal marginal relevance.

Ranked candidates as people see them: `Moment` records with their evidence, in a diverse order if asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError
from vidembed.search.answers import Candidate, LaneRanking
from vidembed.search.channels import Lane, Pieces
from vidembed.types import Clip, Floats, Hit, Moment, Span


def maximal_marginal_relevance(
    relevance: Sequence[float] | NDArray[np.float64], vectors: Floats, *, diversity: float, k: int | None = None
) -> list[int]:
    """Positions in the order to show: each next one has the best (1 - diversity) x relevance - diversity x likeness.

    relevance: (N,) any scale, brought to 0..1. vectors: (N, D) unit rows; likeness is the largest cosine with what was
    chosen before. diversity 0 keeps the order of relevance, 1 looks at likeness only. Ties keep the given order.
    Source: Carbonell and Goldstein, SIGIR 1998. Raises ConfigError if diversity is outside 0..1.
    """
    if not 0 <= diversity <= 1:
        raise ConfigError(f"diversity must be between 0 and 1, got {diversity}")
    worth = np.asarray(relevance, dtype=np.float64)
    n = len(worth)
    k = n if k is None else min(k, n)
    if n == 0:
        return []
    spread = worth.max() - worth.min()
    worth = (worth - worth.min()) / spread if spread > 0 else np.ones(n)
    likeness = np.zeros(n)
    left = np.ones(n, dtype=bool)
    order: list[int] = []
    while len(order) < k:
        value = np.where(left, (1 - diversity) * worth - diversity * likeness, -np.inf)
        best = int(np.argmax(value))
        order.append(best)
        left[best] = False
        cosines = vectors @ vectors[best]
        likeness = cosines.astype(np.float64) if len(order) == 1 else np.maximum(likeness, cosines)
    return order


def moment_of(
    candidate: Candidate, rankings: Sequence[LaneRanking], path: Path, *, score: float, confidence: float
) -> Moment:
    """The answer for a candidate, with the best hit of each lane and the lines of text that matched."""
    hits: list[Hit] = []
    words: dict[str, str] = {}
    for ranking in rankings:
        places = [ranking.places[clip.clip_id] for clip in candidate.seeds if clip.clip_id in ranking.places]
        if places:
            at = min(places)
            hits.append(Hit(ranking.found[at].clip_id, ranking.name, ranking.found[at].score, at + 1))
        line = _best_text(candidate.window.pieces[ranking.name], candidate.proposal.span)
        if line:
            words[ranking.name] = line
    return Moment(
        video_id=candidate.window.video_id,
        path=path,
        span=candidate.proposal.span,
        best_s=candidate.proposal.best_s,
        score=score,
        confidence=confidence,
        clip_id=_origin(candidate, hits).clip_id,
        hits=tuple(hits),
        texts=words,
    )


def _origin(candidate: Candidate, hits: Sequence[Hit]) -> Clip:
    """The found clip that shows the best time; of several, or where none does, the best ranked one."""
    ranks = {hit.clip_id: hit.rank for hit in sorted(hits, key=lambda hit: -hit.rank)}
    shown = [clip for clip in candidate.seeds if clip.span.contains(candidate.proposal.best_s)]
    return min(shown or candidate.seeds, key=lambda clip: (ranks.get(clip.clip_id, 1 << 30), clip.span, clip.clip_id))


def _best_text(pieces: Pieces, span: Span) -> str:
    """The line of a text lane that fits best inside the span, if it stands out at all."""
    best, text = 0.5, ""
    for start, end, z, what in zip(pieces.starts.tolist(), pieces.ends.tolist(), pieces.z.tolist(), pieces.what):
        if what and z > best and start < span.end_s and end > span.start_s:
            best, text = z, what
    return text


def diverse(
    order: Sequence[tuple[Candidate, float]], rankings: Sequence[LaneRanking], diversity: float
) -> list[tuple[Candidate, float]]:
    """The same candidates in the order of maximal marginal relevance, by the clip vectors of the first dense lane."""
    for ranking in rankings:
        vectors = [_vector(candidate, ranking.lane) for candidate, _ in order]
        there = [vector for vector in vectors if vector is not None]
        if there:
            blank = np.zeros_like(there[0])  # like nothing else: never held back
            rows = np.stack([blank if vector is None else vector for vector in vectors])
            picked = maximal_marginal_relevance([score for _, score in order], rows, diversity=diversity)
            return [order[i] for i in picked]
    return list(order)


def _vector(candidate: Candidate, lane: Lane) -> Floats | None:
    best = candidate.proposal.best_s
    for clip in sorted(candidate.seeds, key=lambda clip: not clip.span.contains(best)):
        vector = lane.vector_of(clip.clip_id)
        if vector is not None:
            return vector
    return None
