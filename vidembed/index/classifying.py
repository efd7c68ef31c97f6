"""A person's own labels on the clips of an index: stretches with a label, and tags that filters know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.errors import BadQuery, InputError, did_you_mean
from vidembed.index.parts import IndexParts
from vidembed.protocols import Channel
from vidembed.search.calibration import encode_texts, hearable
from vidembed.search.classify import Doubles, LabelView, confidences, curves, shift_of_examples
from vidembed.search.labels import LabelGroup
from vidembed.types import Clip, Floats, Row, Span
from vidembed.types.query import TAG_SEPARATOR
from vidembed.vectors import pool

SURE = 0.5  # from which confidence on a clip has a label
_SOURCES = {"frames": "frames", "av": "frames", "audio": "audio"}  # of a channel -> whose curve it has
_GAP_S = 0.5  # between clips that become one stretch


@dataclass(frozen=True)
class LabelExample:
    """A clip that a person gave a label, or refused it."""

    label: str
    clip_id: str
    accepted: bool = True


@dataclass(frozen=True)
class Labelled:
    """A stretch of a video that has a label. confidence: 0..1, of its surest clip; best_s: the middle of that clip."""

    label: str
    group: str
    video_id: str
    path: Path
    span: Span
    best_s: float
    confidence: float
    clip_ids: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "label": self.label, "group": self.group, "path": str(self.path), "video_id": self.video_id,
            **self.span.to_dict(), "best_s": round(self.best_s, 3), "confidence": round(self.confidence, 4),
            "clip_ids": list(self.clip_ids),
        }  # fmt: skip


def classify(
    parts: IndexParts,
    videos: Sequence[str],
    groups: Sequence[LabelGroup],
    *,
    examples: Sequence[LabelExample] = (),
    threshold: float = SURE,
) -> list[Labelled]:
    """Stretches of these videos (ids) that have a label, by video, time and confidence; see `VideoIndex.classify`."""
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold must be between 0 and 1, got {threshold!r}", hint="the default is 0.5")
    names = [label.name for group in groups for label in group.labels]
    for example in examples:
        if example.label not in names:
            raise InputError(
                f"an example has the unknown label {example.label!r}", hint=did_you_mean(example.label, names)
            )
    clips = [clip for video_id in videos for clip in parts.catalog.videos.clips(video_id)]
    odds = _odds(parts, clips, groups, examples)
    sure = confidences(odds, groups)
    paths = parts.lookup.paths_of(videos, None)
    found = []
    number = 0
    for group in groups:
        for label in group.labels:
            for run in _runs(clips, sure[number] >= threshold):
                best = max(run, key=lambda at: float(sure[number][at]))
                first, last = clips[run[0]], clips[run[-1]]
                found.append(
                    Labelled(
                        label=label.name,
                        group=group.name,
                        video_id=first.video_id,
                        path=paths[first.video_id],
                        span=Span(first.span.start_s, last.span.end_s),
                        best_s=clips[best].span.middle_s,
                        confidence=float(sure[number][best]),
                        clip_ids=tuple(clips[at].clip_id for at in run),
                    )
                )
            number += 1
    order = {video_id: place for place, video_id in enumerate(videos)}
    return sorted(found, key=lambda one: (order[one.video_id], one.span, -one.confidence, one.group, one.label))


def tags_of(
    found: Sequence[Labelled], videos: Sequence[str], groups: Sequence[LabelGroup]
) -> dict[str, dict[str, str | None]]:
    """Video id -> group -> its labels, surest first; None where it has none, which takes an older tag away."""
    made: dict[str, dict[str, str | None]] = {
        video_id: dict.fromkeys(group.name for group in groups) for video_id in videos
    }
    for one in sorted(found, key=lambda one: (-one.confidence, one.label)):
        before = made[one.video_id][one.group]
        labels = before.split(TAG_SEPARATOR) if before else []
        if one.label not in labels:
            made[one.video_id][one.group] = TAG_SEPARATOR.join([*labels, one.label])
    return made


def _runs(clips: Sequence[Clip], has: Any) -> Iterator[list[int]]:
    """Places of clips that have the label and follow each other in one video."""
    run: list[int] = []
    for at in np.flatnonzero(has).tolist():
        before = clips[run[-1]] if run else None
        follows = before is not None and before.video_id == clips[at].video_id
        if run and not (follows and clips[at].span.start_s - clips[run[-1]].span.end_s <= _GAP_S):
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def _odds(
    parts: IndexParts, clips: Sequence[Clip], groups: Sequence[LabelGroup], examples: Sequence[LabelExample]
) -> Doubles:
    """(L, N) log-odds of each label on each clip, by the channel that is surest of it; -inf where none looks."""
    count = sum(len(group.labels) for group in groups)
    odds = np.full((count, len(clips)), -np.inf)
    looked = False
    for name, channel in _channels(parts, groups):
        mine = _asked_of(name, groups)
        view = _view(parts, channel, groups)
        if view is None or not mine.any():
            continue
        looked = True
        rows = parts.store.rows(channel.collection, [clip.clip_id for clip in clips])
        here = [at for at, clip in enumerate(clips) if clip.clip_id in rows]
        if not here:
            continue
        view, moved = _taught(
            view, parts.store.rows(channel.collection, [e.clip_id for e in examples]), groups, examples
        )
        found = np.where(mine[:, None], view.odds([rows[clips[at].clip_id] for at in here]) + moved[:, None], -np.inf)
        odds[:, here] = np.maximum(odds[:, here], found)
    if not looked:
        raise BadQuery("no channel of pictures or sound takes text", hint="vidembed info lists the channels")
    return odds


def _channels(parts: IndexParts, groups: Sequence[LabelGroup]) -> list[tuple[str, Channel]]:
    for name in {name for group in groups for name in group.channels or ()}:
        parts.spec(name)
    able = {name: spec for name, spec in parts.specs.items() if spec.settings.source in _SOURCES}
    return [(name, parts.load(spec)) for name, spec in able.items() if spec.model.kind == "encoder"]


def _asked_of(channel: str, groups: Sequence[LabelGroup]) -> Any:
    """(L,) whether the channel may look at each label."""
    return np.array([g.channels is None or channel in g.channels for g in groups for _ in g.labels], dtype=bool)


def _view(parts: IndexParts, channel: Channel, groups: Sequence[LabelGroup]) -> LabelView | None:
    """The channel's look at the labels; None where it takes no text."""
    bank = parts.bank(channel)
    rows = [encode_texts(channel, label.texts) for group in groups for label in group.labels]
    if bank is None or any(one is None for one in rows):
        return None
    texts = np.stack([pool(one) for one in rows if one is not None])
    kind = _SOURCES[parts.specs[channel.name].settings.source]
    heard = np.ones(len(texts))
    if kind == "audio":
        heard = hearable(texts, bank, parts.bank.sounds)
        # A group that names its channels is asked of them, whatever they make of the words.
        told = [g.channels is not None and channel.name in g.channels for g in groups for _ in g.labels]
        heard = np.where(told, 1.0, heard)
    return LabelView(texts, bank, heard, curves()[kind], parts.config.search.segment_score)


def _taught(
    view: LabelView, rows: Mapping[str, Row], groups: Sequence[LabelGroup], examples: Sequence[LabelExample]
) -> tuple[LabelView, Doubles]:
    """The view with labels drawn towards their accepted clips, and what is added to each label's log-odds.

    An accepted clip is judged without itself, as if it were new.
    """
    names = [label.name for group in groups for label in group.labels]
    texts, moved = view.texts.copy(), np.zeros(len(names))
    for number, name in enumerate(names):
        given = [e for e in examples if e.label == name and e.clip_id in rows]
        accepted = [e.clip_id for e in given if e.accepted]
        texts[number] = _towards(view.texts[number], [rows[i] for i in accepted])
        scores: dict[bool, list[float]] = {True: [], False: []}
        for example in given:
            others = [rows[i] for i in accepted if i != example.clip_id]
            alone = replace(view, texts=_towards(view.texts[number], others)[None], heard=view.heard[[number]])
            value = float(alone.odds([rows[example.clip_id]])[0, 0])
            if np.isfinite(value):
                scores[example.accepted].append(value)
        moved[number] = shift_of_examples(scores[True], scores[False])
    return replace(view, texts=texts), moved


def _towards(text: Floats, rows: Sequence[Row]) -> Floats:
    """The label's text, half-way to the mean of its accepted clips."""
    if not rows:
        return text
    return pool(np.stack([text, pool(np.stack([np.asarray(row.vector) for row in rows]))]))
