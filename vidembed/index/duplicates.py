"""Videos of an index that are copies of one another, whole or in part: another encoding, an excerpt, a common intro."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.errors import BadQuery, did_you_mean
from vidembed.search.duplicates import SharedStretch, Track, shared_stretches
from vidembed.types import Row, Span

if TYPE_CHECKING:
    from vidembed.index.base import OpenIndex

_NEIGHBOURS = 50  # clips looked at around each clip
_CLIP_SLACK = 0.25  # a clip's mean vector may be this much less alike than its best frames
_WHOLE = 0.75  # share of a video from which it counts as whole: titles and ends are often cut off or added


@dataclass(frozen=True)
class Duplicate:
    """Two videos that hold the same content. kind: "same file" (byte for byte, by size and ends), "whole" (each is in
    the other), "part" (one is whole in the other), "shared" (both have more besides).
    """

    one: Path
    other: Path
    kind: str
    stretches: tuple[SharedStretch, ...] = ()  # longest first; empty for the same file
    shares: tuple[float, float] = (1.0, 1.0)  # of each video's duration


def duplicates(
    index: OpenIndex, *, channel: str = "vision", above: float = 0.8, min_s: float = 2.0
) -> Iterator[Duplicate]:
    """See `VideoIndex.duplicates`."""
    if channel not in index.lanes:
        raise BadQuery(f"no channel {channel!r} in this index", hint=did_you_mean(channel, index.lanes))
    if index.store.collections()[index.lanes[channel].collection].kind != "dense":
        raise BadQuery(f"channel {channel!r} holds words; copies are found by vectors", hint="use channel vision")
    records = {record.info.video_id: record for record in index.videos()}
    for record in records.values():
        for copy in record.paths[1:]:
            yield Duplicate(record.paths[0], copy, "same file")

    @lru_cache(maxsize=2)  # pairs come in order, so that the first video stays
    def track(video_id: str) -> Track:
        clips = [clip.clip_id for clip in index.clips(video_id)]
        return Track.of_rows(list(index.rows(channel, clips).values()))

    pairs = _candidates(index, channel, least=above - _CLIP_SLACK)
    for one, other in sorted(sorted(pair, key=lambda video: records[video].info.path) for pair in pairs):
        stretches = shared_stretches(track(one), track(other), above=above, min_s=min_s)
        if stretches:
            infos = records[one].info, records[other].info
            spans = [s.one for s in stretches], [s.other for s in stretches]
            shares = tuple(_covered_s(part) / info.duration_s for part, info in zip(spans, infos, strict=True))
            yield Duplicate(infos[0].path, infos[1].path, _kind(*shares), tuple(stretches), (shares[0], shares[1]))


def _candidates(index: OpenIndex, channel: str, *, least: float) -> set[frozenset[str]]:
    """Pairs of videos with clips that are alike."""
    collection = index.lanes[channel].collection
    video_of = {clip.clip_id: clip.video_id for clip in index.clips()}
    pairs: set[frozenset[str]] = set()
    for rows in index.store.scan(collection):
        for row in rows:
            alike = _alike(index, collection, row, video_of, least)
            pairs |= {frozenset((row.clip.video_id, other)) for other in alike}
    return pairs


def _alike(index: OpenIndex, collection: str, row: Row, video_of: dict[str, str], least: float) -> set[str]:
    hits = index.store.search(collection, row.vector, k=_NEIGHBOURS)
    return {video_of[hit] for hit, score in hits if score >= least and hit in video_of} - {row.clip.video_id}


def _covered_s(spans: Sequence[Span]) -> float:
    """Seconds that at least one of the spans covers."""
    total, end = 0.0, 0.0
    for span in sorted(spans):
        total += max(0.0, span.end_s - max(span.start_s, end))
        end = max(end, span.end_s)
    return total


def _kind(one: float, other: float) -> str:
    whole = (one >= _WHOLE) + (other >= _WHOLE)
    return ("shared", "part", "whole")[whole]
