"""Segments of clips, the frames, sound windows and lines they are made of: their vectors, scores and times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Clip, Floats, Row, TimedText
from vidembed.vectors import SegmentScore


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
    spans, times = [], []
    for clip, row in zip(clips, rows):
        own = np.array([clip.span.middle_s]) if row.segment_times_s is None else row.segment_times_s
        stored = row.segment_spans_s
        if stored is None:
            edges = np.concatenate([[-np.inf], (own[:-1] + own[1:]) / 2, [np.inf]])
            stored = np.stack([edges[:-1], edges[1:]], axis=1)
        spans.append(np.clip(stored, clip.span.start_s, clip.span.end_s))
        times.append(own)
    starts, ends = np.concatenate(spans).T
    return starts, ends, np.concatenate(times)


def lines_of(text: TimedText | None, row: Row, count: int) -> list[tuple[float, float, str]]:
    """The lines that a text channel's segments stand for, if one segment is one line; else the clip's whole text."""
    if text is None:
        return []
    spoken = [line for line in text.lines if line.text.strip()]
    if row.segment_times_s is not None and len(spoken) == count:
        return [(line.span.start_s, line.span.end_s, line.text.strip()) for line in spoken]
    return [(row.clip.span.start_s, row.clip.span.end_s, text.text)] if row.segment_times_s is None else []
