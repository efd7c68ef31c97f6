"""Rows as a Qdrant server takes them: points of its client, and the client's own uploader for many."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from vidembed.index.stores._points import DENSE, UNITS, most_for_one_write, payload, vectors_of
from vidembed.types import Row, SparseVector

_MOST_NUMBERS = 1024 * 1024 - 1  # of one multivector: a server refuses more (1.19: MAX_MULTIVECTOR_FLATTENED_LEN)
_log = logging.getLogger(__name__)


def upload(client: QdrantClient, collection: str, rows: Sequence[Row], processes: int) -> None:
    """Send rows that fit, from several processes at once where there is enough; returns when all are written.

    Raises what the client raises, RuntimeError where one of its processes ended; some rows may be written then.
    """
    as_they_are = client.init_options.get("prefer_grpc")  # arrays become messages; JSON needs lists
    at_once = most_for_one_write(rows)
    client.upload_collection(
        collection,
        vectors=[(_arrays(row) if as_they_are else None) or point_of(row).vector for row in rows],
        payload=[payload(row) for row in rows],
        ids=[row.clip.clip_id for row in rows],
        batch_size=at_once,
        parallel=max(1, min(processes, len(rows) // at_once)),
        wait=True,
    )


def fitting(row: Row) -> Row:
    """The row with every second, third, ... of its segment embeddings, where a server would refuse them all."""
    if row.segments is None or row.segments.size <= _MOST_NUMBERS:
        return row
    step = -(-row.segments.size // (_MOST_NUMBERS // row.segments.shape[1] * row.segments.shape[1]))
    _log.warning(
        "clip %s of video %s has %d segment embeddings, more than a server takes: one of %d is kept; "
        "shorter clips (segment.max_s) would keep all",
        *(row.clip.span, row.clip.video_id, len(row.segments), step),
    )
    times_s, spans_s = row.segment_times_s, row.segment_spans_s
    return replace(
        row,
        segments=row.segments[::step],
        segment_times_s=None if times_s is None else times_s[::step],
        segment_spans_s=None if spans_s is None else spans_s[::step],
    )


def point_of(row: Row) -> models.PointStruct:
    """The client's point, which can be sent as JSON."""

    def words(indices: list[int], values: list[float]) -> models.SparseVector:
        return models.SparseVector(indices=indices, values=values)

    if row.segments is not None:  # 8 decimals give every float16 of a unit row back, in a third less JSON
        row = replace(row, segments=np.round(row.segments.astype(np.float64), 8))
    return models.PointStruct(id=row.clip.clip_id, vector=vectors_of(row, words), payload=payload(row))


def _arrays(row: Row) -> dict[str, Any] | None:
    """The vectors by name, as arrays; None for words."""
    if isinstance(row.vector, SparseVector):
        return None
    return {DENSE: row.vector} if row.segments is None else {DENSE: row.vector, UNITS: row.segments}
