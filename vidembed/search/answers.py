"""From ranked spans to answers: how sure each is, in what order they are shown, and what was said there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidembed.models.encoders import words as tokens
from vidembed.search.candidates import MomentCandidate, unseen_s
from vidembed.search.channels import ChannelSearch, Pieces
from vidembed.search.confidence import Curve, confidence_from
from vidembed.search.curves import Sheet
from vidembed.search.fusion import confidence_of
from vidembed.types import Clip, Floats, Hit, Moment, Span, TextLine

JOIN_S = 1.0  # parts of a sentence, or the same words on screen, that are closer than this are one line
_ENDS = (".", "!", "?", "…", "。", "！", "？", ":", ";")


def _odds(candidate: MomentCandidate, channels: Sequence[ChannelSearch]) -> dict[str, float]:
    """Channel -> log-odds that the candidate is an answer, by this channel alone."""
    odds: dict[str, float] = {}
    for channel, top in zip(channels, candidate.highest, strict=True):
        here = [clip for clip in candidate.seeds if clip.clip_id in channel.exact]
        hits = [channel.exact[clip.clip_id] for clip in here]
        if top == -math.inf or (top <= 0 and not hits):
            continue
        unseen = unseen_s(channel)
        known, *shares = (
            span.duration_s / (span.duration_s + unseen) for span in (candidate.span, *(c.span for c in here))
        )
        odds[channel.name] = channel.believed(top, list(zip(hits, shares, strict=True)), known=known)
    return odds


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
