"""Windows: the stretch of a video around found clips, with what each lane says of it, laid over one set of edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.search.lanes import Pieces
from vidembed.search.moments import Curve, Seconds, merge_pieces, smooth_rows
from vidembed.types import Clip, Span


@dataclass(frozen=True, eq=False)
class LaneCurves:
    """The lanes' z-scores over the same cells. edges: (N + 1,) seconds; z, cover: (L, N), in the order of names.

    cover: how many pieces a lane has there; z is 0 where there is none. sampled: (L,) as in `lanes.Pieces`.
    """

    names: tuple[str, ...]
    edges: Seconds
    z: NDArray[np.float64]
    cover: NDArray[np.float64]
    sampled: NDArray[np.bool_]

    def joined(self, trust: Mapping[str, float], *, smooth_s: float = 0.0) -> Curve:
        """Their mean, weighed by trust; a lane that says nothing of a stretch counts 0 there.

        smooth_s: of the lanes of pictures and sounds alone; lines of text keep their borders, and one that fits less
        than nothing at all counts like nothing, or the silence around it would seem the better answer.
        """
        rows = np.where(self.sampled[:, None], self.z, np.maximum(self.z, 0.0))
        if smooth_s and self.sampled.any():
            rows[self.sampled] = smooth_rows(self.edges, rows[self.sampled], smooth_s)
        weights = np.array([trust[name] for name in self.names])
        mean = weights @ rows / max(float(weights.sum()), 1e-9)
        return Curve(self.edges, mean.round(9))  # a level stretch is level: the last bits of its sums make no peaks


@dataclass(frozen=True, eq=False)
class Window:
    """Neighbouring clips of one video, with each lane's pieces over them."""

    video_id: str
    clips: Sequence[Clip]
    pieces: Mapping[str, Pieces]

    def curves(self, within: Span | None = None) -> LaneCurves | None:
        """Each lane over all borders of pieces and clips; None when nothing is left inside `within`."""
        grid = self._grid(within)
        if grid is None:
            return None
        rows = [_on_grid(pieces, grid) for pieces in self.pieces.values()]
        empty = np.zeros((0, len(grid) - 1))
        z, cover = (np.stack(part) for part in zip(*rows)) if rows else (empty, empty)
        sampled = np.array([pieces.sampled for pieces in self.pieces.values()], dtype=bool)
        return LaneCurves(tuple(self.pieces), grid, z, cover, sampled)

    def _grid(self, within: Span | None) -> Seconds | None:
        """The borders, rounded to milliseconds."""
        low = min(clip.span.start_s for clip in self.clips)
        high = max(clip.span.end_s for clip in self.clips)
        if within is not None:
            low, high = max(low, within.start_s), min(high, within.end_s)
        if high - low < 1e-3:
            return None
        borders = [edge for clip in self.clips for edge in (clip.span.start_s, clip.span.end_s)]
        parts = [np.array([low, high, *borders]), *(a for p in self.pieces.values() for a in (p.starts, p.ends))]
        return np.unique(_rounded(np.concatenate(parts), low, high))


def _rounded(times_s: Seconds, low: float, high: float) -> Seconds:
    return np.minimum(np.maximum(times_s, low), high).round(3)


def _on_grid(pieces: Pieces, grid: Seconds) -> tuple[Seconds, Seconds]:
    starts, ends = (_rounded(times_s, grid[0], grid[-1]) for times_s in (pieces.starts, pieces.ends))
    inside = ends > starts
    return merge_pieces(starts[inside], ends[inside], pieces.z[inside], grid)


def windows(
    seeds: Sequence[Clip], clips_of: Mapping[str, Sequence[Clip]], *, context_s: float, around: int
) -> dict[str, list[list[Clip]]]:
    """The seeds and up to `around` neighbours on either side within context_s, per video, cut where clips are missing.

    So the work is bounded by the number of seeds, however long the video is.
    """
    answer: dict[str, list[list[Clip]]] = {}
    for video_id in dict.fromkeys(seed.video_id for seed in seeds):
        ordered = sorted(clips_of[video_id], key=lambda clip: (clip.span, clip.clip_id))
        place = {clip.clip_id: i for i, clip in enumerate(ordered)}
        wanted: set[int] = set()
        for seed in seeds:
            at = place.get(seed.clip_id)
            if seed.video_id != video_id or at is None:
                continue
            for i in range(max(0, at - around), min(len(ordered), at + around + 1)):
                near = ordered[i].span
                if near.start_s < seed.span.end_s + context_s and near.end_s > seed.span.start_s - context_s:
                    wanted.add(i)
        groups: list[list[Clip]] = []
        for i in sorted(wanted):
            # A gap of more than a second between clips is a hole that no curve should bridge.
            if groups and ordered[i].span.start_s <= max(c.span.end_s for c in groups[-1]) + 1.0:
                groups[-1].append(ordered[i])
            else:
                groups.append([ordered[i]])
        answer[video_id] = groups
    return answer
