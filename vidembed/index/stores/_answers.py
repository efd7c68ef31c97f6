"""Rankings with a total order, from engines that break ties as they like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vidembed.types import Floats, SparseVector, Where

_TIE_SLACK = 16  # hits fetched beyond k, so that ties at the cut are seen in one request
_MOST_TIES = 10_000
_MANY_VIDEOS = 500  # above this, an engine's own id filter costs more than looking at more hits


def answers(
    ask: Callable[[int, bool], Sequence[Any]],
    count: Callable[[], int],
    query: Floats | SparseVector,
    *,
    k: int,
    where: Where | None,
) -> list[tuple[str, float]]:
    """The k best (clip_id, score) by score down, then clip_id: what `protocols.Store.search` promises.

    Engines break ties as they like. So more hits are fetched than asked for, and again more while the k-th score still
    ties with the last one (up to 10 000 more; then the choice among equals is the engine's).

    Args:
        ask: One search of the engine, given (limit, listed), which gives hits with id, score and payload. listed:
            under all conditions; else under all but the list of videos, with the payload's video_id.
        count: How many points there are.
        query: As it was checked.
        k: How many are wanted.
        where: The conditions.
    """
    if k < 1 or (where is not None and where.video_ids is not None and not where.video_ids):
        return []

    def score_of(hit: Any) -> float:
        if isinstance(query, SparseVector):
            return float(hit.score)
        return min(1.0, max(-1.0, hit.score / (len(query) if query.ndim == 2 else 1)))  # rounding can pass 1

    def fetch(limit: int, listed: bool = True) -> list[tuple[str, float, str]]:
        # Engines make room for as many as they are asked for.
        hits = ask(limit if limit <= 1000 else max(1, min(limit, count())), listed)
        return [(str(hit.id), score_of(hit), (hit.payload or {}).get("video_id", "")) for hit in hits]

    if where is not None and where.video_ids is not None and len(where.video_ids) >= _MANY_VIDEOS:
        # Look at more hits and keep those of the allowed videos, instead of handing the engine thousands of ids.
        limit = 4 * k + 64
        hits = fetch(limit, listed=False)
        kept = [hit for hit in hits if hit[2] in where.video_ids]
        if len(hits) < limit or (len(kept) >= k and kept[k - 1][1] > hits[-1][1]):
            return _ranked(kept, k)
    limit = k + _TIE_SLACK
    while True:
        hits = fetch(limit)
        whole = len(hits) < limit or hits[k - 1][1] > hits[-1][1]
        if whole or limit - k >= _MOST_TIES:
            return _ranked(hits, k)
        limit = min(limit * 4, k + _MOST_TIES)


def _ranked(hits: Sequence[tuple[str, float, str]], k: int) -> list[tuple[str, float]]:
    return sorted(((clip_id, score) for clip_id, score, _ in hits), key=lambda hit: (-hit[1], hit[0]))[:k]
