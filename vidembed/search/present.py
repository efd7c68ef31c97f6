"""Ranked candidates as people see them: `Moment` records with their evidence, in a diverse order if asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidembed.search.answers import Candidate, LaneRanking
from vidembed.search.diversity import maximal_marginal_relevance
from vidembed.search.lanes import Lane, Pieces
from vidembed.types import Clip, Floats, Hit, Moment, Span


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
