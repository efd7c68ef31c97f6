"""From ranked clips to answers: spans around the best clips, ranked over all channels, and what was said there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import MomentSettings, SearchSettings
from vidembed.models.encoders import words as tokens
from vidembed.search.channels import ChannelSearch, Pieces
from vidembed.search.confidence import Curve, confidence_from
from vidembed.search.curves import Sheet
from vidembed.search.fusion import confidence_of, fuse_channels
from vidembed.search.moments import MomentCandidate, propose_each, score_spans, whole_spans
from vidembed.types import Clip, Floats, Hit, Moment, Span, TextLine

_GLANCE_S = 0.3  # what frames say of so short a span counts half; chosen on the tuning half of benchmarks/moments.py
JOIN_S = 1.0  # parts of a sentence, or the same words on screen, that are closer than this are one line
_ENDS = (".", "!", "?", "…", "。", "！", "？", ":", ";")


def candidates(
    sheet: Sheet, seeds: Mapping[str, Sequence[Clip]], channels: Sequence[ChannelSearch], settings: SearchSettings
) -> list[MomentCandidate]:
    """Spans that overlap a found clip, scored in each channel of the sheet.

    Args:
        sheet: Scores of the channels over the windows.
        seeds: Video id -> its clips found.
        channels: The channels, ranked and weighed.
        settings: Of the search.
    """
    found = list(_spans(sheet, seeds, channels, settings.moments))
    if not found:
        return []
    windows, spans = [candidate.window for candidate in found], [candidate.span for candidate in found]
    worth = score_spans(sheet.axis, sheet.z, windows, spans, settings.moments).round(9).T.tolist()
    for candidate, worths, tops in zip(found, worth, sheet.highest(windows, spans).T.tolist(), strict=True):
        candidate.highest = tops
        _value(candidate, worths, channels, settings.clip_share)
    return [candidate for candidate in found if candidate.values]


def _spans(
    sheet: Sheet, seeds: Mapping[str, Sequence[Clip]], channels: Sequence[ChannelSearch], settings: MomentSettings
) -> Iterator[MomentCandidate]:
    """Candidates with their seeds; last, each seed that no candidate overlaps, as a span of its own."""
    trust = {channel.name: channel.trust for channel in channels}
    curve, smoothed = sheet.joined(trust), sheet.joined(trust, smooth_s=settings.smooth_s)
    shots = [[clip.span for clip in clips] for clips in sheet.windows]
    proposed = propose_each(sheet.axis, curve, smoothed, shots, settings=settings)
    wholes: list[tuple[int, Span]] = []
    overlapping: list[list[Clip]] = []
    bounds = zip(sheet.axis.low.tolist(), sheet.axis.high.tolist(), strict=True)
    for number, (clips, found, (low, high)) in enumerate(zip(sheet.windows, proposed, bounds, strict=True)):
        here = _overlapping(seeds[clips[0].video_id], Span(low, high))
        reached: set[str] = set()
        for candidate in found:
            candidate.seeds = _overlapping(here, candidate.span)
            reached.update(clip.clip_id for clip in candidate.seeds)
            if candidate.seeds:
                yield candidate
        for clip in here:
            if clip.clip_id not in reached:
                wholes.append((number, Span(max(clip.span.start_s, low), min(clip.span.end_s, high))))
                overlapping.append(_overlapping(here, wholes[-1][1]))
                reached.update(other.clip_id for other in overlapping[-1])
    for candidate, inside in zip(whole_spans(sheet.axis, curve, wholes), overlapping, strict=True):
        candidate.seeds = inside
        yield candidate


def _overlapping(clips: Sequence[Clip], span: Span) -> list[Clip]:
    start_s, end_s = span.start_s, span.end_s
    return [clip for clip in clips if clip.span.start_s < end_s and start_s < clip.span.end_s]


def _value(
    candidate: MomentCandidate, worths: Sequence[float], channels: Sequence[ChannelSearch], share: float
) -> None:
    """Fill in values and phrase. worths: each channel's span score; share: of the clip's score in it."""
    ids = [clip.clip_id for clip in candidate.seeds]
    for channel, worth, top in zip(channels, worths, candidate.highest, strict=True):
        if top == -math.inf:
            continue
        places = channel.places
        found = [channel.found[places[clip_id]].z for clip_id in ids if clip_id in places]
        if found or top > 0:
            clip_z = max(found) if found else top
            known = _known(candidate.span, channel)
            candidate.values[channel.name] = share * known * min(clip_z, top + 1) + (1 - share) * worth
        if top >= 6:
            candidate.phrase |= any(channel.exact[clip_id].phrase for clip_id in ids if clip_id in channel.exact)


def _odds(candidate: MomentCandidate, channels: Sequence[ChannelSearch]) -> dict[str, float]:
    """Channel -> log-odds that the candidate is an answer, by this channel alone."""
    odds: dict[str, float] = {}
    for channel, top in zip(channels, candidate.highest, strict=True):
        here = [clip for clip in candidate.seeds if clip.clip_id in channel.exact]
        hits = [channel.exact[clip.clip_id] for clip in here]
        if top == -math.inf or (top <= 0 and not hits):
            continue
        held = [(hit, _known(clip.span, channel)) for clip, hit in zip(here, hits, strict=True)]
        odds[channel.name] = channel.believed(top, held, known=_known(candidate.span, channel))
    return odds


def _known(span: Span, channel: ChannelSearch) -> float:
    """How much is known of a span, 0..1: of a short one few frames were seen, and their scores scatter."""
    return span.duration_s / (span.duration_s + _GLANCE_S) if channel.glances else 1.0


def ranked(
    found: Sequence[MomentCandidate], channels: Sequence[ChannelSearch], settings: SearchSettings, *, phrase_first: bool
) -> Iterator[MomentCandidate]:
    """Candidates by fused score down, then video and time, without those that mostly repeat a better one."""
    by_key = {candidate.key: candidate for candidate in found}
    rankings = {}
    for channel in channels:
        values = [(c.key, c.values[channel.name]) for c in by_key.values() if channel.name in c.values]
        rankings[channel.name] = sorted(values, key=lambda pair: (-pair[1], pair[0]))
    fused = fuse_channels(rankings, channels, settings)
    if phrase_first and fused:
        lift = max(0.0, fused[0][1])
        fused = [(key, score + lift * by_key[key].phrase) for key, score in fused]
        fused.sort(key=lambda pair: (-pair[1], pair[0]))
    better = Deduplicator()
    for key, score in fused:
        by_key[key].score = score
        if better.add(by_key[key]):
            yield by_key[key]


class Deduplicator:
    """The answers so far, by video; rejects those that mostly repeat an earlier one."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {}

    def __contains__(self, video_id: object) -> bool:
        """Whether the video has an answer already."""
        return video_id in self._spans

    def add(self, candidate: MomentCandidate) -> bool:
        """Whether the candidate is new; if so, it is added."""
        earlier = self._spans.get(candidate.video_id, [])
        if any(_same(candidate.span, other) for other in earlier):
            return False
        self._spans[candidate.video_id] = [*earlier, candidate.span]
        return True


def _same(a: Span, b: Span) -> bool:
    """Whether two spans are mostly the same: over half of their union, or nearly all of the shorter one."""
    return a.iou(b) > 0.5 or a.overlap_s(b) > 0.8 * min(a.duration_s, b.duration_s)


def moment_of(
    candidate: MomentCandidate, sheet: Sheet, channels: Sequence[ChannelSearch], path: Path, curve: Curve
) -> Moment:
    """The answer for a candidate, with the best hit and line of text of each channel. curve: of confidence."""
    odds = _odds(candidate, channels)
    hits: list[Hit] = []
    words: dict[str, str] = {}
    for channel in channels:
        places = [channel.places[clip.clip_id] for clip in candidate.seeds if clip.clip_id in channel.places]
        if places:
            at = min(places)
            hits.append(Hit(channel.found[at].clip_id, channel.name, channel.found[at].score, at + 1))
        line = _best_text(sheet.pieces[channel.name], candidate)
        if line:
            words[channel.name] = line
    looked_at_s = sheet.looked_at(candidate.window, candidate.best_s)
    return Moment(
        video_id=candidate.video_id,
        path=path,
        span=candidate.span,
        best_s=looked_at_s if candidate.span.contains(looked_at_s) else candidate.best_s,
        score=candidate.score,
        confidence=curve.of(confidence_of(odds, channels)) if odds else 0.0,
        clip_id=_origin(candidate, hits).clip_id,
        hits=tuple(hits),
        texts=words,
        matched_by=_helped(odds),
    )


def _helped(odds: Mapping[str, float]) -> dict[str, float]:
    """Channels at least half as sure as the surest one, surest first. odds: channel -> log-odds."""
    sure = {name: confidence_from(one) for name, one in odds.items()}
    least = max(sure.values(), default=0.0) / 2
    return {name: sure[name] for name in sorted(sure, key=lambda name: -sure[name]) if sure[name] >= least}


def _origin(candidate: MomentCandidate, hits: Sequence[Hit]) -> Clip:
    """The seed that has the best time; of several, or if none has, the best ranked one."""
    ranks = {hit.clip_id: hit.rank for hit in sorted(hits, key=lambda hit: -hit.rank)}
    shown = [clip for clip in candidate.seeds if clip.span.contains(candidate.best_s)]
    return min(shown or candidate.seeds, key=lambda clip: (ranks.get(clip.clip_id, 1 << 30), clip.span, clip.clip_id))


def _best_text(pieces: Pieces, candidate: MomentCandidate) -> str:
    """The line of a text channel with the highest z in the span, above 0.5."""
    best, text, span = 0.5, "", candidate.span
    first, last = pieces.window.searchsorted([candidate.window, candidate.window + 1]).tolist()
    for i in range(first, last):
        if pieces.what[i] and pieces.z[i] > best and pieces.starts[i] < span.end_s and pieces.ends[i] > span.start_s:
            best, text = pieces.z[i], pieces.what[i]
    return text


def diverse(
    order: Sequence[MomentCandidate], channels: Sequence[ChannelSearch], diversity: float
) -> list[MomentCandidate]:
    """Reorder candidates by maximal marginal relevance over the vectors of the first dense channel."""
    for channel in channels:
        vectors = [_vector(candidate, channel) for candidate in order]
        there = [vector for vector in vectors if vector is not None]
        if there:
            blank = np.zeros_like(there[0])  # similar to nothing
            rows = np.stack([blank if vector is None else vector for vector in vectors])
            relevance = [candidate.score for candidate in order]
            return [order[i] for i in maximal_marginal_relevance(relevance, rows, diversity=diversity)]
    return list(order)


def _vector(candidate: MomentCandidate, channel: ChannelSearch) -> Floats | None:
    for clip in sorted(candidate.seeds, key=lambda clip: not clip.span.contains(candidate.best_s)):
        vector = channel.vector_of(clip.clip_id)
        if vector is not None:
            return vector
    return None


def maximal_marginal_relevance(
    relevance: Sequence[float] | NDArray[np.float64], vectors: Floats, *, diversity: float
) -> list[int]:
    """Places in a new order: each next item has the highest (1 - diversity) x relevance - diversity x similarity.

    relevance: (N,) any scale, N >= 1. vectors: (N, D) unit rows; similarity is the largest cosine with an item before.
    Ties keep the given order. Source: Carbonell and Goldstein, SIGIR 1998.
    """
    worth = np.asarray(relevance, dtype=np.float64)
    n = len(worth)
    spread = worth.max() - worth.min()
    worth = (worth - worth.min()) / spread if spread > 0 else np.ones(n)
    likeness = np.zeros(n)
    left = np.ones(n, dtype=bool)
    order: list[int] = []
    while len(order) < n:
        value = np.where(left, (1 - diversity) * worth - diversity * likeness, -np.inf)
        best = int(np.argmax(value))
        order.append(best)
        left[best] = False
        cosines = vectors @ vectors[best]
        likeness = cosines.astype(np.float64) if len(order) == 1 else np.maximum(likeness, cosines)
    return order


def joined_speech(lines: Iterable[TextLine]) -> list[TextLine]:
    """Lines in order of time; what overlapping clips both have once, and parts of one sentence together."""
    joined: list[TextLine] = []
    for line in sorted(set(lines), key=lambda line: (line.span, line.text)):
        last = joined[-1] if joined else None
        goes_on = (
            last is not None
            and bool(last.words and line.words)
            and not last.text.rstrip().endswith(_ENDS)
            and line.span.start_s - last.span.end_s < JOIN_S
        )
        if last is not None and goes_on:
            joined[-1] = replace(
                last,
                span=last.span.union(line.span),
                text=f"{last.text.rstrip()} {line.text.lstrip()}",
                confidence=_least(last.confidence, line.confidence),
                words=last.words + line.words,
            )
        else:
            joined.append(line)
    return joined


def whole_sentence(part: str, span: Span, lines: Iterable[TextLine]) -> str:
    """The sentence that this text is a part of; the text itself where none is.

    Args:
        part: A line of one clip, or the words of several.
        span: Where it was said.
        lines: Of the clips around.
    """
    wanted = " ".join(part.split())
    found = (line.text for line in joined_speech(lines) if line.span.overlap_s(span) > 0)
    return min((text for text in found if wanted in " ".join(text.split())), key=len, default=part)


def marks(text: str, query: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of each of the query's words in the text, in characters; of misspelt ones where none is exact.

    Words are compared by their stems, as a channel of words does; those that only join others are not marked. Of
    scripts without spaces two characters in a row are a word.
    """
    asked = tokens.words(query)
    wanted = [word for word in asked if word not in tokens.STOP_WORDS] or asked
    there = tokens.words_at(text)
    stems = {tokens.stem(word, "english") for word in wanted}
    typos = frozenset().union(*map(tokens.misspelling_keys, wanted)) if wanted else frozenset()
    exact = [tokens.stem(word, "english") in stems for _, _, word in there]
    if not any(exact):
        exact = [not typos.isdisjoint(tokens.misspelling_keys(word)) for _, _, word in there]
    runs: list[tuple[int, int]] = []
    for (start, end, _), hit in zip(there, exact, strict=True):
        if hit and runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        elif hit:
            runs.append((start, end))
    alone = {word for word in wanted if len(wanted) == 1 or not tokens.is_unspaced(word)}
    return tuple(run for run in runs if run[1] - run[0] > 1 or tokens.fold(text[run[0] : run[1]]) in alone)


def marked(text: str, places: Sequence[tuple[int, int]], before: str, after: str) -> str:
    """The text with signs around the marked words."""
    for start, end in sorted(places, reverse=True):
        text = f"{text[:start]}{before}{text[start:end]}{after}{text[end:]}"
    return text


def _least(one: float | None, other: float | None) -> float | None:
    return min((value for value in (one, other) if value is not None), default=None)
