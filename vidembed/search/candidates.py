"""Spans around found clips, scored in each channel and ranked over all. Those that are looked at become objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import MomentSettings, SearchSettings
from vidembed.search.channels import ChannelSearch
from vidembed.search.curves import Places, Seconds, Sheet
from vidembed.search.fusion import fuse_channels
from vidembed.search.moments import Spans, best_time, propose_each, score_spans
from vidembed.types import Clip, Span
from vidembed.vectors import ranges

_GLANCE_S = 0.3  # what frames say of so short a span counts half; chosen on the tuning half of benchmarks/moments.py
_EXACT = 6.0  # z from which a span may have the query's exact words


@dataclass(eq=False)
class MomentCandidate:
    """A span that may become an answer.

    Attributes:
        window: Number of its window on the sheet.
        span: In the video.
        best_s: Time of the curve's maximum inside the span, before smoothing.
        score: The fused score, which it is ranked by.
        seeds: Clips found that it overlaps, at least one.
        highest: Each channel's highest z in it, -inf where it has none.
    """

    window: int
    span: Span
    best_s: float
    score: float
    seeds: Sequence[Clip]
    highest: Sequence[float]

    @property
    def video_id(self) -> str:
        """Of its seeds."""
        return self.seeds[0].video_id


def ranked(
    sheet: Sheet,
    seeds: Mapping[str, Sequence[Clip]],
    channels: Sequence[ChannelSearch],
    settings: SearchSettings,
    *,
    phrase_first: bool,
) -> Iterator[MomentCandidate]:
    """Spans that overlap a found clip, by fused score down, then video and time, without near repetitions.

    Args:
        sheet: Scores of the channels over the windows.
        seeds: Video id -> its clips found.
        channels: The channels, ranked and weighed.
        settings: Of the search.
        phrase_first: Spans with the query's exact words come before all others.
    """
    trust = {channel.name: channel.trust for channel in channels}
    curve = sheet.joined(trust)
    found = _Seeds.of(sheet, seeds)
    spans, owner, seed = _spans(sheet, found, sheet.joined(trust, smooth_s=settings.moments.smooth_s), settings.moments)
    worth = score_spans(sheet.axis, sheet.z, spans, settings.moments).round(9)
    highest = sheet.highest(spans.stretch, spans.starts, spans.ends)
    firsts = owner.searchsorted(np.arange(len(spans)))
    order = _distinct(spans, sheet)
    phrase = np.zeros(len(spans), dtype=bool)
    rankings = {}
    for channel, worths, tops in zip(channels, worth, highest, strict=True):
        values, here = _values(channel, found.clips, (seed, firsts), spans, worths, tops, settings.clip_share)
        places = np.flatnonzero(here[order])
        values = values[order][places]
        best = (-values).argsort(kind="stable")
        rankings[channel.name] = list(zip(places[best].tolist(), values[best].tolist()))
        if tops.max() >= _EXACT:
            exact = [i in channel.exact and channel.exact[i].phrase for i in (clip.clip_id for clip in found.clips)]
            phrase |= (tops >= _EXACT) & np.logical_or.reduceat(np.array(exact)[seed], firsts)
    fused = fuse_channels(rankings, channels, settings)
    if phrase_first and fused:
        lift = max(0.0, fused[0][1])
        fused = [(place, score + lift * bool(phrase[order[place]])) for place, score in fused]
        fused.sort(key=lambda pair: (-pair[1], pair[0]))
    better, until = Deduplicator(), np.append(firsts[1:], len(seed))
    for place, score in fused:
        i = int(order[place])
        own = [found.clips[j] for j in seed[firsts[i] : until[i]].tolist()]
        window, span = int(spans.stretch[i]), Span(float(spans.starts[i]), float(spans.ends[i]))
        if better.add(own[0].video_id, span):
            at_s = best_time(sheet.axis, curve, window, span)
            yield MomentCandidate(window, span, at_s, score, own, highest[:, i].tolist())


@dataclass(frozen=True, eq=False)
class _Seeds:
    """The found clips that each window has a part of, window by window. window, starts, ends: (S,)."""

    clips: list[Clip]
    window: Places
    starts: Seconds
    ends: Seconds

    @classmethod
    def of(cls, sheet: Sheet, seeds: Mapping[str, Sequence[Clip]]) -> _Seeds:
        bounds = zip(sheet.windows, sheet.axis.low.tolist(), sheet.axis.high.tolist(), strict=True)
        found = [
            (number, clip)
            for number, (clips, low, high) in enumerate(bounds)
            for clip in seeds[clips[0].video_id]
            if clip.span.start_s < high and low < clip.span.end_s
        ]
        times = np.array([(clip.span.start_s, clip.span.end_s) for _, clip in found], dtype=np.float64).reshape(-1, 2)
        return cls([clip for _, clip in found], np.array([n for n, _ in found], dtype=np.int64), *times.T)

    def overlapping(self, spans: Spans) -> tuple[Places, Places]:
        """(P,) and (P,): which span overlaps which seed, by span and then as the seeds were found."""
        begins, ends = (self.window.searchsorted(spans.stretch, side=side) for side in ("left", "right"))
        span, seed = ranges(begins, ends)
        over = (self.starts[seed] < spans.ends[span]) & (spans.starts[span] < self.ends[seed])
        return span[over], seed[over]


def _spans(
    sheet: Sheet, found: _Seeds, smoothed: NDArray[np.float64], settings: MomentSettings
) -> tuple[Spans, Places, Places]:
    """Spans with a seed, and which span has which; last, each seed that no other has, as a span of its own."""
    shots = [[clip.span for clip in clips] for clips in sheet.windows]
    spans = propose_each(sheet.axis, smoothed, shots, settings=settings)
    span, seed = found.overlapping(spans)
    reached = np.zeros(len(found.clips), dtype=bool)
    reached[seed] = True
    wholes = []
    for i in np.flatnonzero(~reached).tolist():
        if not reached[i]:
            window = int(found.window[i])
            start_s = max(float(found.starts[i]), float(sheet.axis.low[window]))
            end_s = min(float(found.ends[i]), float(sheet.axis.high[window]))
            wholes.append((window, start_s, end_s))
            reached |= (found.window == window) & (found.starts < end_s) & (start_s < found.ends)
    spans = spans[np.bincount(span, minlength=len(spans)) > 0].and_then(Spans.of(wholes))
    return spans, *found.overlapping(spans)


def _values(
    channel: ChannelSearch,
    clips: Sequence[Clip],
    seeds: tuple[Places, Places],
    spans: Spans,
    worths: NDArray[np.float64],
    tops: NDArray[np.float64],
    share: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(C,) what each span is worth in a channel, and whether anything.

    Args:
        channel: The channel.
        clips: The seeds.
        seeds: (P,) numbers of each span's seeds, and (C,) where each span's begin.
        spans: C spans.
        worths: (C,) their scores.
        tops: (C,) the channel's highest z in each.
        share: Of the clip's score in the value.
    """
    places = channel.places
    z = [channel.found[places[c.clip_id]].z if c.clip_id in places else -np.inf for c in clips]
    best = np.maximum.reduceat(np.array(z)[seeds[0]], seeds[1])
    has = best > -np.inf
    here = (tops > -np.inf) & (has | (tops > 0))
    lengths = spans.ends - spans.starts
    known = lengths / (lengths + unseen_s(channel))
    with np.errstate(invalid="ignore"):  # of -inf, which is not `here`
        clip_z = np.minimum(np.where(has, best, tops), tops + 1)
        return share * known * clip_z + (1 - share) * worths, here


def unseen_s(channel: ChannelSearch) -> float:
    """Of a short span few frames were seen, and their scores scatter: d seconds are known by d / (d + this)."""
    return _GLANCE_S if channel.glances else 0.0


def _distinct(spans: Spans, sheet: Sheet) -> Places:
    """Places of spans by video, start, then the longest first; of those equal to the millisecond the last."""
    videos = sorted({clips[0].video_id for clips in sheet.windows})
    number = {video_id: i for i, video_id in enumerate(videos)}
    video = np.array([number[clips[0].video_id] for clips in sheet.windows], dtype=np.int64)[spans.stretch]
    starts, ends = np.rint(spans.starts * 1000), np.rint(spans.ends * 1000)
    order = np.lexsort((-ends, starts, video))
    keys = np.stack([video, starts, ends])[:, order]
    return order[np.append((keys[:, 1:] != keys[:, :-1]).any(axis=0), True)]


class Deduplicator:
    """The answers so far, by video; rejects those that mostly repeat an earlier one."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {}

    def __contains__(self, video_id: object) -> bool:
        """Whether the video has an answer already."""
        return video_id in self._spans

    def add(self, video_id: str, span: Span) -> bool:
        """Whether the span is new; if so, it is added."""
        earlier = self._spans.setdefault(video_id, [])
        if any(_same(span, other) for other in earlier):
            return False
        earlier.append(span)
        return True


def _same(a: Span, b: Span) -> bool:
    """Whether two spans are mostly the same: over half of their union, or nearly all of the shorter one."""
    return a.iou(b) > 0.5 or a.overlap_s(b) > 0.8 * min(a.duration_s, b.duration_s)
