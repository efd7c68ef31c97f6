"""Find videos that are duplicates, whole or in part (re-encodings, excerpts, shared intros), by their frame vectors.

Pairs of similar frames vote for the time lag between two videos. Only what stays similar at one lag counts, so videos
of the same kind of scene, or with nothing in common but black, are no duplicates. Source: temporal Hough voting, Douze,
Jegou, Schmid, "An image-based approach to video copy detection", IEEE Trans. Multimedia 2010.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidembed.protocols import Store
from vidembed.types import Clip, Floats, Row, Span, VideoInfo

_MAX_STRETCHES = 20  # of one pair of videos
_NEIGHBOURS = 50  # clips looked at around each clip
_CLIP_SLACK = 0.25  # cosine that clips' mean vectors may lack against their best frames
_BLANK = 0.95  # cosine with an empty picture; what is hardly lit has some tenths less
_WHOLE = 0.75  # share from which a video counts as whole: titles and ends are often cut or added


@dataclass(frozen=True, eq=False)
class Track:
    """A video's frames in order.

    Attributes:
        rows: (N, D) float32 unit rows.
        starts_s, ends_s: (N,) the time each stands for.
        blank: (N,) whether it shows nothing.
    """

    rows: Floats
    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    blank: NDArray[np.bool_]

    @classmethod
    def of_rows(cls, rows: Sequence[Row], blank: Floats | None = None) -> Track:
        """From one video's stored rows; a frame stands for the time until the next, or the clip's end.

        blank: (D,) a picture that shows nothing.
        """
        vectors, starts, ends = [], [], []
        for row in sorted(rows, key=lambda row: row.clip.span):
            span = row.clip.span
            segments, times = row.segments, row.segment_times_s
            if segments is None or times is None or not len(segments):
                segments, times = np.asarray(row.vector, np.float16)[None], np.array([span.start_s])
            edges = np.concatenate([[span.start_s], times[1:], [span.end_s]])
            vectors.append(np.asarray(segments, np.float32))
            starts.append(edges[:-1])
            ends.append(edges[1:])
        frames = np.concatenate(vectors)
        empty = np.zeros(len(frames), bool) if blank is None else frames @ blank >= _BLANK
        return cls(frames, np.concatenate(starts), np.concatenate(ends), empty)


@dataclass(frozen=True)
class SharedStretch:
    """The same content in two videos. similarity: mean cosine of the matching frames."""

    one: Span
    other: Span
    similarity: float


@dataclass(frozen=True, eq=False)
class _Run:
    """Matching pairs of frames at about one lag, in order. places: into the arrays of all pairs."""

    places: NDArray[np.int64]
    duration_s: float


def shared_stretches(
    one: Track, other: Track, *, above: float = 0.8, min_s: float = 2.0, slack_s: float = 2.0, gap_s: float = 4.0
) -> list[SharedStretch]:
    """Find what two videos share.

    Args:
        one: The frames of a video.
        other: The frames of another one.
        above: Least cosine of two matching frames. With the starter, frames of different videos of one kind of scene
            reach 0.7, a frame and a re-encoding of it 0.9.
        min_s: Shortest stretch.
        slack_s: How far lags may differ: twice the time between two frames, as each may lie anywhere in its second.
        gap_s: Longest time without a match inside a stretch (an overlaid caption, a damaged second).

    Returns:
        At most 20 stretches, longest first.
    """
    cosines = one.rows @ other.rows.T
    i, j = (axis.astype(np.int64) for axis in np.nonzero(cosines >= above))
    found: list[SharedStretch] = []
    while len(i) and len(found) < _MAX_STRETCHES:
        run = max(_runs(one, other, i, j, slack_s=slack_s, gap_s=gap_s), key=lambda run: run.duration_s)
        if run.duration_s < min_s:
            break
        at_one, at_other = i[run.places], j[run.places]
        if one.blank[at_one].all():  # black leaders, and ends
            seen = ~one.blank[i]
            i, j = i[seen], j[seen]
            continue
        found.append(
            SharedStretch(
                Span(float(one.starts_s[at_one.min()]), float(one.ends_s[at_one.max()])),
                Span(float(other.starts_s[at_other.min()]), float(other.ends_s[at_other.max()])),
                round(float(cosines[at_one, at_other].mean()), 4),
            )
        )
        inside = (i >= at_one.min()) & (i <= at_one.max()) | (j >= at_other.min()) & (j <= at_other.max())
        i, j = i[~inside], j[~inside]
    return found


def _runs(
    one: Track, other: Track, i: NDArray[np.int64], j: NDArray[np.int64], *, slack_s: float, gap_s: float
) -> Iterator[_Run]:
    """The longest run at each lag; windows of lags overlap by half, so that none is cut in two."""
    lags = other.starts_s[j] - one.starts_s[i]
    order = np.argsort(lags, kind="stable")
    step = slack_s / 2
    for low in np.unique(np.floor(lags / step)) * step:
        first, last = np.searchsorted(lags[order], [low, low + slack_s])
        places = order[first:last]
        places = places[np.lexsort((j[places], i[places]))]
        starts, ends = one.starts_s[i[places]], one.ends_s[i[places]]
        breaks = np.flatnonzero(starts[1:] - ends[:-1] > gap_s) + 1
        runs = np.split(places, breaks)
        lengths = [_length(one, other, i[run], j[run]) for run in runs]
        best = int(np.argmax(lengths))
        yield _Run(runs[best], lengths[best])


def _length(one: Track, other: Track, i: NDArray[np.int64], j: NDArray[np.int64]) -> float:
    """Seconds that a run covers, in the video in which it is shorter."""
    return float(min(one.ends_s[i.max()] - one.starts_s[i.min()], other.ends_s[j.max()] - other.starts_s[j.min()]))


@dataclass(frozen=True)
class Duplicate:
    """Two videos with the same content.

    Attributes:
        kind: "same file" (byte for byte, by size and ends), "whole" (each is in the other), "part" (one is in the
            other), "shared" (both have more).
        stretches: Longest first; none for the same file.
        shares: Of each video's duration, 0..1.
    """

    one: Path
    other: Path
    kind: str
    stretches: tuple[SharedStretch, ...] = ()
    shares: tuple[float, float] = (1.0, 1.0)


def duplicates(
    store: Store,
    collection: str,
    infos: Mapping[str, VideoInfo],
    clips: Sequence[Clip],
    *,
    above: float = 0.8,
    min_s: float = 2.0,
    blank: Floats | None = None,
) -> Iterator[Duplicate]:
    """Find pairs of videos that share stretches, by path.

    infos: by video id. blank: (D,) a picture that shows nothing; videos that share it alone share nothing.
    """
    ids: dict[str, list[str]] = {}
    for clip in clips:
        ids.setdefault(clip.video_id, []).append(clip.clip_id)

    @lru_cache(maxsize=2)  # pairs come in order, so that the first video stays
    def track(video_id: str) -> Track:
        return Track.of_rows(list(store.rows(collection, ids[video_id]).values()), blank)

    pairs = _alike(store, collection, {clip.clip_id: clip.video_id for clip in clips}, least=above - _CLIP_SLACK)
    for one, other in sorted(sorted(pair, key=lambda video: infos[video].path) for pair in pairs):
        stretches = shared_stretches(track(one), track(other), above=above, min_s=min_s)
        if stretches:
            first = _covered_s([stretch.one for stretch in stretches]) / infos[one].duration_s
            second = _covered_s([stretch.other for stretch in stretches]) / infos[other].duration_s
            kind = ("shared", "part", "whole")[(first >= _WHOLE) + (second >= _WHOLE)]
            yield Duplicate(infos[one].path, infos[other].path, kind, tuple(stretches), (first, second))


def _alike(store: Store, collection: str, video_of: Mapping[str, str], *, least: float) -> set[frozenset[str]]:
    """Pairs of videos that have similar clips."""
    pairs: set[frozenset[str]] = set()
    for rows in store.scan(collection):
        for row in rows:
            hits = store.search(collection, row.vector, k=_NEIGHBOURS)
            others = {video_of[hit] for hit, score in hits if score >= least and hit in video_of}
            pairs |= {frozenset((row.clip.video_id, other)) for other in others - {row.clip.video_id}}
    return pairs


def _covered_s(spans: Sequence[Span]) -> float:
    """Seconds that at least one of the spans covers."""
    total, end = 0.0, 0.0
    for span in sorted(spans):
        total += max(0.0, span.end_s - max(span.start_s, end))
        end = max(end, span.end_s)
    return total
