"""Arithmetic on unit rows: normalising, checking, pooling, exact search with a total order. Pure numpy.

Segments of clips (the frames, sound windows and lines they are made of): their vectors, scores and times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError, EncodingError
from vidembed.types import Clip, Floats, Row, TimedText

Pooling = Literal["mean", "max", "topk", "attention"]
POOLINGS: tuple[str, ...] = get_args(Pooling)


def unit_rows(rows: NDArray[Any]) -> Floats:
    """(N, D) rows scaled to length 1, float32. Raises EncodingError on zero or non-finite rows."""
    rows = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(rows.astype(np.float64), axis=-1, keepdims=True)
    if rows.size and (not np.all(np.isfinite(rows)) or np.any(norms < 1e-12)):
        bad = np.flatnonzero(~np.isfinite(norms[..., 0]) | (norms[..., 0] < 1e-12))
        raise EncodingError(
            f"vectors of rows {bad[:5].tolist()} are zero or not finite",
            hint="the input may be empty, or the model may overflow in half precision: try dtype float32",
        )
    return np.asarray(rows / norms, dtype=np.float32)


def check(rows: NDArray[Any], *, n: int, dim: int, who: str) -> Floats:
    """The rows, once they are proven (n, dim), float32, finite, of length 1 (to 1e-3). Raises EncodingError."""
    rows = np.asarray(rows)
    if rows.shape != (n, dim):
        raise EncodingError(f"{who} returned {rows.shape} for {n} items, expected {(n, dim)}")
    if rows.dtype != np.float32:
        raise EncodingError(f"{who} returned {rows.dtype}, expected float32")
    if n:
        norms = np.linalg.norm(rows, axis=1)
        bad = np.flatnonzero(~(np.abs(norms - 1) <= 1e-3))  # written so that NaN is bad
        if len(bad):
            raise EncodingError(f"{who} returned rows that are not unit vectors: rows {bad[:5].tolist()}")
    return rows


def late_score(query: Floats, segments: NDArray[Any]) -> float:
    """Mean over a query's (T, D) unit rows of their best cosine with (U, D) ones (Khattab and Zaharia 2020)."""
    return float((query @ np.asarray(segments, np.float32).T).max(axis=1).mean())


def pool(segments: NDArray[Any], how: Pooling = "mean") -> Floats:
    """One (D,) unit row from (U, D) unit rows, U >= 1.

    mean: their centre (CLIP4Clip's meanP, Luo et al. 2021). max: the largest value per dimension.
    topk: centre of the four segments nearest to the common centre. attention: a softmax of each segment's cosine with
    the centre, divided by 0.1, weighs it, so that outliers (blurred, black frames) count less.
    """
    segments = np.asarray(segments, dtype=np.float32)
    if segments.ndim != 2 or not len(segments):
        raise EncodingError(f"pooling needs (U, D) with U >= 1, got {segments.shape}")
    if how == "max":
        return unit_rows(segments.max(axis=0)[None])[0]
    centre = segments.mean(axis=0)
    if len(segments) > 1 and how in ("topk", "attention"):
        agreement = segments @ centre / max(float(np.linalg.norm(centre)), 1e-12)
        if how == "topk":
            best = np.argsort(-agreement, kind="stable")[:4]
            centre = segments[best].mean(axis=0)
        else:
            weights = np.exp((agreement - agreement.max()) / 0.1)
            centre = (weights / weights.sum()) @ segments
    elif how not in POOLINGS:
        raise ConfigError(f"unknown pooling {how!r}; allowed: {', '.join(POOLINGS)}")
    if float(np.linalg.norm(centre)) < 1e-6:  # opposite segments cancel out; any one of them is a fair stand-in
        centre = segments[0]
    return unit_rows(centre[None])[0]


SegmentScore = Literal["max", "softmax", "topk"]


def top_k(scores: NDArray[Any], ids: Sequence[str], k: int) -> list[tuple[str, float]]:
    """The k best (id, score) by score down, then id: a total order, so that runs agree."""
    scores = np.asarray(scores, dtype=np.float32)
    if len(scores) > k > 0:
        # All that tie with the k-th stay in, or the order of the input would choose among them.
        edge = np.partition(scores, len(scores) - k)[len(scores) - k]
        keep = np.flatnonzero(scores >= edge)
    else:
        keep = np.arange(len(scores))
    ranked = sorted(((ids[int(i)], float(scores[i])) for i in keep), key=lambda pair: (-pair[1], pair[0]))
    return ranked[: max(k, 0)]


def evenly_spaced(count: int, wanted: int, *, ends: bool = True) -> list[int]:
    """Positions of `wanted` of `count` things in a row; some repeat where more are wanted than there are.

    Args:
        count: How many there are, at least 1.
        wanted: How many positions to give.
        ends: True: from the first to the last. False: the middles of `wanted` equal parts.
    """
    if not ends:
        return [int((place + 0.5) * count / wanted) for place in range(wanted)]
    places: list[int] = np.linspace(0, count - 1, wanted).round().astype(int).tolist()
    return places


def combine(vectors: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """The unit row of a weighted sum: query arithmetic. Raises EncodingError when the terms cancel out."""
    total = np.einsum("n,nd->d", np.asarray(weights, dtype=np.float32), np.stack(vectors))
    return unit_rows(total[None])[0]


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The different values of (N,) int64, ascending; `np.unique` loads numpy.ma first, 25 ms of a cold search."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def ranges(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places in [begins[i], ends[i]) of N ranges, one range after the other: (P,) numbers i, and (P,) places."""
    counts = ends - begins
    number = np.repeat(np.arange(len(counts)), counts)
    return number, np.arange(len(number)) + np.repeat(begins - (counts.cumsum() - counts), counts)


def segment_matrix(rows: Sequence[Row]) -> tuple[Floats, NDArray[np.int64]]:
    """(U, D) float32 segment embeddings of N >= 1 dense rows (the vector where there are none), and (N,) starts."""
    parts = [row.segments if row.segments is not None and len(row.segments) else row.vector[None] for row in rows]  # type: ignore[index]
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return np.concatenate(parts).astype(np.float32), starts


def pool_scores(scores: NDArray[np.float32], starts: NDArray[np.int64], how: SegmentScore) -> NDArray[np.float32]:
    """(Q, N) cosines of queries with clips, from (Q, U) cosines with segments. starts: (N,) each clip's first segment.

    how: max: the best segment (MaxSim); topk: mean of the best three; softmax: mean weighted by exp(cosine / 0.1).
    """
    if how == "max":
        return np.maximum.reduceat(scores, starts, axis=1)
    if how == "topk":
        ends = [*starts[1:].tolist(), scores.shape[1]]
        best = [np.sort(scores[:, a:b], axis=1)[:, -3:].mean(axis=1) for a, b in zip(starts.tolist(), ends)]
        return np.stack(best, axis=1)
    top = np.maximum.reduceat(scores, starts, axis=1)
    lengths = np.diff([*starts.tolist(), scores.shape[1]])
    weights = np.exp((scores - np.repeat(top, lengths, axis=1)) / 0.1)
    soft = np.add.reduceat(weights * scores, starts, axis=1) / np.add.reduceat(weights, starts, axis=1)
    return np.asarray(soft, dtype=np.float32)


def stretches(
    clips: Sequence[Clip], rows: Sequence[Row]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Start, end and time of each segment: within its clip, else half-way to its neighbours where no span is stored."""
    given = zip(clips, (row.segment_times_s for row in rows), strict=True)
    times = [np.array([clip.span.middle_s]) if own is None else own for clip, own in given]
    counts = np.array([len(own) for own in times])
    ends_at = counts.cumsum()
    times_s = np.concatenate(times)
    between = np.append((times_s[:-1] + times_s[1:]) / 2, np.inf)
    between[ends_at - 1] = np.inf
    starts_s, ends_s = np.append(-np.inf, between[:-1]), between
    starts_s[ends_at - counts] = -np.inf
    for row, begin, end in zip(rows, (ends_at - counts).tolist(), ends_at.tolist()):
        if row.segment_spans_s is not None:
            starts_s[begin:end], ends_s[begin:end] = row.segment_spans_s.T
    low, high = np.repeat([(clip.span.start_s, clip.span.end_s) for clip in clips], counts, axis=0).T
    return np.clip(starts_s, low, high), np.clip(ends_s, low, high), times_s


def lines_of(text: TimedText | None, row: Row, count: int) -> list[tuple[float, float, str]]:
    """The lines that a text channel's segments stand for, if one segment is one line; else the clip's whole text."""
    if text is None:
        return []
    spoken = [line for line in text.lines if line.text.strip()]
    if row.segment_times_s is not None and len(spoken) == count:
        return [(line.span.start_s, line.span.end_s, line.text.strip()) for line in spoken]
    return [(row.clip.span.start_s, row.clip.span.end_s, text.text)] if row.segment_times_s is None else []
