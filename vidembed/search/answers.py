"""From ranked clips to moments: curves around the best clips, spans on them, spans ranked over all lanes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vidembed.search.fusion import Fusion, fuse
from vidembed.search.lanes import Found, Lane, Pieces
from vidembed.search.moments import (
    Curve,
    MomentSettings,
    Proposal,
    best_time,
    merge_pieces,
    propose,
    score_spans,
    smooth,
)
from vidembed.types import Clip, Span

_BEST = 5  # hits by which a lane is judged as a whole
_LEAST_TRUST = 0.1
# A lane counts by this power of its odds. Chosen on the tuning half of benchmarks/fusion.py: from 0.6 on, captions are
# found no worse than by the pictures alone; a higher power outvotes lanes that are hardly less sure.
_SHARE_POWER = 0.6


@dataclass(frozen=True, eq=False)
class LaneRanking:
    """A lane with what it found. weight: asked for; trust: weight x how sure the lane is that it has an answer.

    stored: clips it holds in all. share: of its weight, what its evidence counts beside that of the surest lane.
    """

    lane: Lane
    found: Sequence[Found]
    weight: float
    trust: float
    stored: int = 1
    share: float = 1.0

    @property
    def name(self) -> str:
        return self.lane.channel.name

    @cached_property
    def lift(self) -> float:
        """What the lane's best hits are surer of being a match than their z says; the same for all of its hits."""
        best = self.found[:_BEST]
        return max(hit.sure for hit in best) - max(hit.z for hit in best)

    @cached_property
    def by_id(self) -> Mapping[str, Found]:
        return {hit.clip_id: hit for hit in self.found}


@dataclass(frozen=True, eq=False)
class Window:
    """Neighbouring clips of one video, with each lane's pieces over them."""

    video_id: str
    clips: Sequence[Clip]
    pieces: Mapping[str, Pieces]

    def curve(self, trust: Mapping[str, float], within: Span | None = None, *, smooth_s: float = 0.0) -> Curve | None:
        """The lanes' z-scores over time, weighed by trust; a lane that says nothing of a stretch counts 0 there.

        smooth_s: of the lanes of pictures and sounds alone; lines of text keep their borders, and one that fits less
        than nothing at all counts like nothing, or the silence around it would seem the better answer.
        """
        grid = self.grid(within)
        if grid is None:
            return None
        total = np.zeros(len(grid) - 1)
        for name, pieces in self.pieces.items():
            lane, _ = self.lane_curve(name, grid)
            total += trust[name] * (smooth(lane, smooth_s).scores if pieces.sampled else np.maximum(lane.scores, 0.0))
        return Curve(grid, total / max(sum(trust[name] for name in self.pieces), 1e-9))

    def lane_curve(self, name: str, grid: np.ndarray) -> tuple[Curve, np.ndarray]:
        values, cover = _on_grid(self.pieces[name], grid)
        return Curve(grid, values), cover

    def grid(self, within: Span | None = None) -> np.ndarray | None:
        """All borders of pieces and clips, rounded to milliseconds; None when nothing is left inside `within`."""
        low = min(clip.span.start_s for clip in self.clips)
        high = max(clip.span.end_s for clip in self.clips)
        if within is not None:
            low, high = max(low, within.start_s), min(high, within.end_s)
        if high - low < 1e-3:
            return None
        borders = [edge for clip in self.clips for edge in (clip.span.start_s, clip.span.end_s)]
        parts = [np.array(borders), *(a for p in self.pieces.values() for a in (p.starts, p.ends))]
        return np.unique(np.round(np.clip(np.concatenate([*parts, [low, high]]), low, high), 3))


def _on_grid(pieces: Pieces, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = np.round(np.clip(pieces.starts, grid[0], grid[-1]), 3)
    ends = np.round(np.clip(pieces.ends, grid[0], grid[-1]), 3)
    inside = ends > starts
    return merge_pieces(starts[inside], ends[inside], pieces.z[inside], grid)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposed span with what each lane makes of it."""

    key: str  # video and span: the tie-breaker
    window: Window
    proposal: Proposal
    seeds: Sequence[Clip]  # the found clips it overlaps
    values: Mapping[str, float]  # lane -> worth, for the fusion
    confidence: float
    phrase: bool


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


def candidates(
    window: Window,
    seeds: Sequence[Clip],
    rankings: Sequence[LaneRanking],
    settings: MomentSettings,
    *,
    within: Span | None,
    clip_share: float,
) -> Iterator[Candidate]:
    """The window's proposals that overlap a found clip; each found clip is in at least one of them."""
    trust = {ranking.name: ranking.trust for ranking in rankings}
    curve = window.curve(trust, within)
    if curve is None:
        return
    bounds = Span(float(curve.edges[0]), float(curve.edges[-1]))
    here = [clip for clip in seeds if clip.span.overlap_s(bounds) > 0]
    smoothed = window.curve(trust, within, smooth_s=settings.smooth_s)
    made = propose(curve, shots=[c.span for c in window.clips], settings=settings, smoothed=smoothed)
    proposals = [p for p in made if any(p.span.overlap_s(clip.span) > 0 for clip in here)]
    for clip in here:
        if not any(p.span.overlap_s(clip.span) > 0 for p in proposals):
            proposals.append(_whole_clip(clip, curve, bounds))
    spans = [p.span for p in proposals]
    if not spans:
        return
    per_lane = {}
    for ranking in rankings:
        lane_curve, cover = window.lane_curve(ranking.name, curve.edges)
        per_lane[ranking.name] = (score_spans(lane_curve, spans, settings), lane_curve, cover)
    for i, proposal in enumerate(proposals):
        inside = [clip for clip in here if clip.span.overlap_s(proposal.span) > 0]
        first, last = np.searchsorted(curve.edges, [proposal.span.start_s, proposal.span.end_s - 1e-9], side="right")
        values: dict[str, float] = {}
        odds: dict[str, float] = {}
        phrase = False
        for ranking in rankings:
            span_scores, lane_curve, cover = per_lane[ranking.name]
            stretch = slice(max(first - 1, 0), max(last, first))
            if not np.any(cover[stretch] > 0):
                continue
            top = float(lane_curve.scores[stretch][cover[stretch] > 0].max())
            of_clips = [ranking.by_id[clip.clip_id] for clip in inside if clip.clip_id in ranking.by_id]
            clip_z = max((hit.z for hit in of_clips), default=top)
            if top <= 0 and not of_clips:
                continue
            values[ranking.name] = clip_share * min(clip_z, top + 1) + (1 - clip_share) * float(span_scores[i])
            # A span without the clip's best part is no surer than what it has.
            odds[ranking.name] = ranking.lane.odds(min(clip_z, top) + ranking.lift)
            phrase |= any(hit.phrase for hit in of_clips) and top >= 6
        if values:
            key = f"{window.video_id}:{proposal.span.start_s:012.3f}:{proposal.span.end_s:012.3f}"
            yield Candidate(key, window, proposal, inside, values, confidence_of(odds, rankings), phrase)


def confidence_of(odds: Mapping[str, float], rankings: Sequence[LaneRanking]) -> float:
    """0..1 from each lane's odds. Words that are there are there; of the lanes that guess, any one may be meant.

    So the odds of guessing lanes are averaged by how many clips each holds: what sounds like an elephant and does not
    look like one may still be one, but less surely than where both lanes agree, and a lane of few clips, in which
    something is near everything, does not make an answer of it.
    """
    parts = [odds[r.name] for r in rankings if not r.lane.guesses and r.name in odds]
    held = {r.name: r.stored * r.weight for r in rankings if r.lane.guesses}
    known = [odds[name] + math.log(held[name] / sum(held.values())) for name in held if name in odds]
    if known:
        parts.append(float(np.logaddexp.reduce(known)))
    return float(1 / (1 + np.exp(-np.clip(max(parts), -60.0, 60.0))))


def weigh(rankings: Sequence[LaneRanking]) -> list[LaneRanking]:
    """The rankings with trust and share by how sure each lane is of its best hits.

    The surest lane counts in full, so that a lone lane's scores do not depend on how sure it is. A lane in which
    nothing stands out must not decide the order with what it is not sure of: asked for a sound, the pictures, which
    cover most, would otherwise outvote the sound.
    """
    if not rankings:
        return []
    best = [max(hit.sure for hit in ranking.found[:_BEST]) for ranking in rankings]
    odds = [ranking.lane.odds(one) for ranking, one in zip(rankings, best)]
    sure = [max(ranking.lane.confidence(one), _LEAST_TRUST) for ranking, one in zip(rankings, best)]
    return [
        replace(r, trust=r.weight * s / max(sure), share=math.exp(_SHARE_POWER * (o - max(odds))))
        for r, o, s in zip(rankings, odds, sure)
    ]


def fuse_lanes(
    lists: Mapping[str, Sequence[tuple[str, float, float]]],
    rankings: Sequence[LaneRanking],
    *,
    fusion: Fusion,
    rrf_k: int,
) -> list[tuple[str, float]]:
    """(id, fused score), best first, of each lane's (id, value to rank by, z), best first."""
    if fusion == "evidence" and rankings:
        # How sure a lane is of one hit is in the odds already; the share says how sure it is of the query at all.
        main = max(rankings, key=lambda r: r.stored)  # the first of equals, so the profile's order decides
        odds = {}
        for r in rankings:
            # The main lane is measured from an ordinary query, the others from what makes a match.
            lift, less = (0.0, r.lane.odds(0.0)) if r is main else (r.lift, 0.0)
            odds[r.name] = [(key, r.lane.odds(z + lift) - less) for key, _, z in lists[r.name]]
        return fuse(fusion, odds, weights={r.name: r.weight * r.share for r in rankings}, main=main.name)
    plain = {name: [(key, value) for key, value, _ in ranking] for name, ranking in lists.items()}
    return fuse(fusion, plain, rrf_k=rrf_k, weights={r.name: r.trust for r in rankings})


def _whole_clip(clip: Clip, curve: Curve, bounds: Span) -> Proposal:
    span = Span(max(clip.span.start_s, bounds.start_s), min(clip.span.end_s, bounds.end_s))
    return Proposal(span, best_time(curve, span), 0.0, float(score_spans(curve, [span])[0]))


def ranked(
    found: Sequence[Candidate], rankings: Sequence[LaneRanking], *, fusion: Fusion, rrf_k: int, phrase_first: bool
) -> list[tuple[Candidate, float]]:
    """Candidates by fused score down, then video and time; spans that mostly repeat a better one are left out."""
    by_key = {candidate.key: candidate for candidate in found}
    lists = {}
    for ranking in rankings:
        values = [(c.key, c.values[ranking.name]) for c in by_key.values() if ranking.name in c.values]
        ordered = sorted(values, key=lambda pair: (-pair[1], pair[0]))
        lists[ranking.name] = [(key, value, value) for key, value in ordered]
    fused = fuse_lanes(lists, rankings, fusion=fusion, rrf_k=rrf_k)
    if phrase_first and fused:
        lift = max(0.0, fused[0][1])
        fused = [(key, score + lift * by_key[key].phrase) for key, score in fused]
        fused.sort(key=lambda pair: (-pair[1], pair[0]))
    kept: list[tuple[Candidate, float]] = []
    for key, score in fused:
        candidate = by_key[key]
        if not any(repeats(candidate, better) for better, _ in kept):
            kept.append((candidate, score))
    return _no_surer_than_better_ones(kept)


def _no_surer_than_better_ones(order: Sequence[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
    """Each is at least as sure as those after it: an answer put first because of its span is not the less sure one."""
    found: list[tuple[Candidate, float]] = []
    for candidate, score in reversed(order):
        least = found[-1][0].confidence if found else 0.0
        found.append((replace(candidate, confidence=max(candidate.confidence, least)), score))
    return found[::-1]


def repeats(one: Candidate, other: Candidate) -> bool:
    """Whether two spans of a video show mostly the same: half of their union, or nearly all of the shorter one."""
    if one.window.video_id != other.window.video_id:
        return False
    a, b = one.proposal.span, other.proposal.span
    return a.iou(b) > 0.5 or a.overlap_s(b) > 0.8 * min(a.duration_s, b.duration_s)
