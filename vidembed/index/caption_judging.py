"""What an index knows to judge captions by: its clips' vectors, other clips, ordinary sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.captions.captioning import Judge
from vidembed.captions.subtitles import Cue, to_cues
from vidembed.captions.summarise import VideoSummary, summarise
from vidembed.errors import ConfigError
from vidembed.evaluation.captions import View
from vidembed.index.parts import make_bank, make_judged
from vidembed.search.calibration import encode_texts
from vidembed.types import Caption, Clip, Floats

if TYPE_CHECKING:
    from vidembed.index.base import OpenIndex

OTHERS = 64  # clips of the index that a caption must not fit as well
UNLIKE = 0.9  # cosine above which a clip is no "other" clip but the same scene again
MAX_LINES = 200  # spoken or written lines that take part in a summary


class Judging:
    """The judges of an index, for one video after the other: `look_up` its clips before they are judged."""

    def __init__(self, index: OpenIndex, names: Sequence[str]) -> None:
        self._index = index
        self._names = tuple(names)
        self._vectors: dict[str, dict[str, Floats]] = {}  # channel -> clip_id -> vector, of the video in hand
        self._others: dict[str, tuple[list[str], Floats]] = {}

    def judges(self) -> dict[str, Judge]:
        return {name: self._judge(name) for name in self._names}

    def look_up(self, clips: Sequence[Clip]) -> None:
        """The stored vectors of the video in hand."""
        ids = [clip.clip_id for clip in clips]
        for name in self._names:
            rows = self._index.store.rows(self._index.lanes[name].collection, ids, units=False)
            self._vectors[name] = {clip_id: np.asarray(row.vector) for clip_id, row in rows.items()}

    def _judge(self, name: str) -> Judge:
        channel = self._index.channels[name]
        bank = make_bank(self._index.config, None)(channel)
        if bank is None:
            raise ConfigError(f"caption.rerank names {name!r}, whose model takes no text", hint="leave it out")
        return Judge(
            embed=lambda texts: embed_texts(channel, texts),
            bank=bank,
            vector=lambda clip: self._vectors[name].get(clip.clip_id),
            others=lambda clip: self._unlike(name, clip),
        )

    def _unlike(self, name: str, clip: Clip) -> Floats:
        """(M, D) of a fixed sample of the index, without this clip and those of its scene."""
        if name not in self._others:
            # Clip ids are hashes: their first ones in order are a fair sample, the same in every run.
            ids = sorted(c.clip_id for c in self._index.clips())[:OTHERS]
            rows = self._index.store.rows(self._index.lanes[name].collection, ids, units=False)
            found = [clip_id for clip_id in ids if clip_id in rows]
            dim = self._index.channels[name].encoder.space.dim
            vectors = np.stack([np.asarray(rows[i].vector) for i in found]) if found else np.zeros((0, dim), np.float32)
            self._others[name] = (found, vectors)
        ids, vectors = self._others[name]
        own = self._vectors[name].get(clip.clip_id)
        if own is None or not len(vectors):
            return vectors
        unlike = (vectors @ own < UNLIKE) & np.array([clip_id != clip.clip_id for clip_id in ids])
        return vectors[unlike]


def caption_views(index: OpenIndex) -> dict[str, View]:
    """The channels that compare captions with clips (caption.rerank), for CLIPScore."""

    def view(name: str) -> View:
        entry = index.lanes[name]

        def vectors(clip_ids: Sequence[str]) -> dict[str, Floats]:
            rows = index.store.rows(entry.collection, clip_ids, units=False)
            return {clip_id: np.asarray(row.vector) for clip_id, row in rows.items()}

        return View(lambda texts: embed_texts(index.channels[name], texts), vectors)

    return {name: view(name) for name in make_judged(index.lanes, index.config.caption.rerank)}


def sum_up(index: OpenIndex, captions: Sequence[Caption], judge: str | None) -> VideoSummary | None:
    """Title, sentence and chapters from captions and what is said and written; judge: the channel that embeds them."""
    if not captions or judge is None:
        return None
    channel = index.channels[judge]
    return summarise(captions, embed=lambda texts: embed_texts(channel, texts), extra=told_lines(index, captions))


def cues_of(index: OpenIndex, captions: Sequence[Caption], judge: str | None) -> tuple[Cue, ...]:
    """Captions of one video as subtitles; neighbours that mean the same become one."""
    if judge is None:
        return tuple(to_cues(captions))
    channel = index.channels[judge]
    return tuple(to_cues(captions, embed=lambda texts: embed_texts(channel, texts)))


def told_lines(index: OpenIndex, captions: Sequence[Caption]) -> list[str]:
    """What is said and written in the clips, in order of time, each line once."""
    lines = [
        line.text
        for caption in captions
        for lane, text in index.texts(caption.clip.clip_id).items()
        if not lane.startswith("caption")
        for line in text.lines
    ]
    return list(dict.fromkeys(lines))[:MAX_LINES]


def embed_texts(channel: Any, texts: Sequence[str]) -> Floats:
    """(N, D) unit rows. Raises ConfigError when the channel's model takes no text."""
    rows = encode_texts(channel, texts)
    if rows is None:
        raise ConfigError(f"channel {channel.name!r} takes no text")
    return rows
