"""From ranked clips to moments: curves around the best clips, spans on them, spans ranked over all lanes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import Fusion, MomentSettings
from vidembed.search.channels import Found, Lane
from vidembed.search.fusion import fuse
from vidembed.search.moments import Proposal, proposals_of, propose_each, score_spans
from vidembed.search.windows import Sheet, Window
from vidembed.types import Clip, Span

_LAST_S = 99_999_999.0  # no video is as long
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

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Clip id -> its place in `found`, from 0."""
        return {hit.clip_id: place for place, hit in enumerate(self.found)}


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


def candidates(
    sheet: Sheet,
    seeds: Mapping[str, Sequence[Clip]],
    rankings: Sequence[LaneRanking],
    settings: MomentSettings,
    *,
    clip_share: float,
) -> list[Candidate]:
    """The windows' proposals that overlap a found clip; each found clip is in at least one of them. seeds: by video."""
    trust = {ranking.name: ranking.trust for ranking in rankings}
    curve, smoothed = sheet.joined(trust), sheet.joined(trust, smooth_s=settings.smooth_s)
    shots = [[clip.span for clip in window.clips] for window in sheet.windows]
    made = propose_each(sheet.axis, curve, smoothed, shots, settings=settings)
    chosen: list[tuple[int, Proposal, list[Clip]]] = []
    wholes: list[tuple[int, Span, list[Clip]]] = []
    bounds = zip(sheet.axis.low.tolist(), sheet.axis.high.tolist(), strict=True)
    for number, (window, proposals, (low, high)) in enumerate(zip(sheet.windows, made, bounds, strict=True)):
        limit = Span(low, high)
        here = [clip for clip in seeds[window.video_id] if clip.span.overlap_s(limit) > 0]
        inside = [(p, [clip for clip in here if clip.span.overlap_s(p.span) > 0]) for p in proposals]
        reached = {clip.clip_id for _, clips in inside for clip in clips}
        chosen += [(number, proposal, clips) for proposal, clips in inside if clips]
        for clip in here:
            if clip.clip_id not in reached:
                span = Span(max(clip.span.start_s, low), min(clip.span.end_s, high))
                overlapping = [other for other in here if other.span.overlap_s(span) > 0]
                wholes.append((number, span, overlapping))
                reached.update(other.clip_id for other in overlapping)
    if wholes:
        numbers, ends, clips_of = zip(*wholes)
        chosen += zip(numbers, proposals_of(sheet.axis, curve, numbers, ends), clips_of)
    if not chosen:
        return []
    stretches, spans = [number for number, _, _ in chosen], [proposal.span for _, proposal, _ in chosen]
    worth = score_spans(sheet.axis, sheet.z, stretches, spans, settings).round(9).T.tolist()
    highest = _highest(sheet, stretches, spans).T.tolist()
    found = []
    for (number, proposal, clips), worths, tops in zip(chosen, worth, highest, strict=True):
        values: dict[str, float] = {}
        odds: dict[str, float] = {}
        phrase = False
        for ranking, span_score, top in zip(rankings, worths, tops, strict=True):
            if top == -math.inf:
                continue
            of_clips = [ranking.by_id[clip.clip_id] for clip in clips if clip.clip_id in ranking.by_id]
            clip_z = max((hit.z for hit in of_clips), default=top)
            if top <= 0 and not of_clips:
                continue
            values[ranking.name] = clip_share * min(clip_z, top + 1) + (1 - clip_share) * span_score
            # A span without the clip's best part is no surer than what it has.
            odds[ranking.name] = ranking.lane.odds(min(clip_z, top) + ranking.lift)
            phrase |= any(hit.phrase for hit in of_clips) and top >= 6
        if values:
            window = sheet.windows[number]
            found.append(
                Candidate(
                    _key(window.video_id, proposal.span),
                    window,
                    proposal,
                    clips,
                    values,
                    confidence_of(odds, rankings),
                    phrase,
                )
            )
    return found


def _key(video_id: str, span: Span) -> str:
    """Sorts by time, of spans that begin together the longest first: of equal answers its parts are no others."""
    return f"{video_id}:{span.start_s:012.3f}:{_LAST_S - span.end_s:012.3f}"


def _highest(sheet: Sheet, stretches: Sequence[int], spans: Sequence[Span]) -> NDArray[np.float64]:
    """(L, S) the highest z of each lane inside each span; minus infinity where it says nothing."""
    z = np.where(sheet.cover > 0, sheet.z, -np.inf)
    starts, ends = sheet.axis.starts.tolist(), sheet.axis.ends.tolist()
    columns = []
    for number, span in zip(stretches, spans, strict=True):
        cells = sheet.axis.cells(number)
        first = bisect_right(ends, span.start_s, cells.start, cells.stop)
        last = bisect_right(starts, span.end_s - 1e-9, first, cells.stop)
        columns.append(z[:, first:last].max(axis=1, initial=-np.inf))
    return np.stack(columns, axis=1)


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
        top = max(known)
        parts.append(top + math.log(sum(math.exp(one - top) for one in known)))
    return 1 / (1 + math.exp(-min(max(max(parts), -60.0), 60.0)))


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
    better = Shown()
    for key, score in fused:
        if better.add(by_key[key]):
            kept.append((by_key[key], score))
    return _no_surer_than_better_ones(kept)


def _no_surer_than_better_ones(order: Sequence[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
    """Each is at least as sure as those after it: an answer put first because of its span is not the less sure one."""
    found: list[tuple[Candidate, float]] = []
    for candidate, score in reversed(order):
        least = found[-1][0].confidence if found else 0.0
        found.append((replace(candidate, confidence=max(candidate.confidence, least)), score))
    return found[::-1]


class Shown:
    """The answers so far, by video; each is to show something else than those before it."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {}

    def __contains__(self, video_id: object) -> bool:
        """Whether the video has an answer already."""
        return video_id in self._spans

    def add(self, candidate: Candidate) -> bool:
        """False, and nothing is added, for a span that mostly repeats an earlier one of its video."""
        span, earlier = candidate.proposal.span, self._spans.get(candidate.window.video_id, [])
        if any(_same(span, other) for other in earlier):
            return False
        self._spans[candidate.window.video_id] = [*earlier, span]
        return True


def _same(a: Span, b: Span) -> bool:
    """Whether two spans show mostly the same: half of their union, or nearly all of the shorter one."""
    return a.iou(b) > 0.5 or a.overlap_s(b) > 0.8 * min(a.duration_s, b.duration_s)
