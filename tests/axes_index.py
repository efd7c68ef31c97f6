"""A hand-made index for tests of search: eight axes of meaning, clips whose frames one can read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from vidembed.config.schema import MomentSettings, SearchSettings
from vidembed.index.stores.memory import MemoryStore
from vidembed.protocols import Channel
from vidembed.search.filters import VideoFacts, resolve
from vidembed.search.query import SearchOptions
from vidembed.search.searcher import Searcher
from vidembed.types import Clip, Filter, Moment, Query, Row, Space, Span, SparseVector, TimedText, Where
from vidembed.vectors import pool, unit_rows

AXES = ("dog", "beach", "bell", "cook", "night", "boat", "snow", "drum")
DIM = len(AXES)
SPACE = Space("axes", DIM)
VOCABULARY = ["thanks", "for", "watching", "boil", "the", "rice", "dog", "ring", "bell", "welcome", "back", "x"]


def meaning(text: str) -> np.ndarray:
    """The unit row of the axes a text names; a text that names none lies evenly between all."""
    named = np.array([float(axis in text.lower()) for axis in AXES], dtype=np.float32)
    return unit_rows((named if named.any() else np.ones(DIM))[None])[0]


class AxesEncoder:
    space = SPACE

    def encode_clips(self, items: object, clips: object) -> list[None]:
        raise NotImplementedError

    def encode_query(self, modality: str, value: Any) -> np.ndarray | None:
        if modality == "text":
            return meaning(value)
        return np.asarray(value, dtype=np.float32) if modality == "image" else None


class WordsEncoder:
    space = Space("words", 0, "sparse")

    def encode_clips(self, items: object, clips: object) -> list[None]:
        raise NotImplementedError

    def encode_query(self, modality: str, value: Any) -> SparseVector | None:
        if modality != "text":
            return None
        found = sorted({VOCABULARY.index(w) for w in value.lower().split() if w in VOCABULARY})
        return SparseVector(np.array(found, np.uint32), np.ones(len(found), np.float32)) if found else None


@dataclass
class Index:
    """Channels, store and catalog of a test."""

    store: MemoryStore = field(default_factory=MemoryStore)
    channels: dict[str, Channel] = field(default_factory=dict)
    all_clips: dict[str, Clip] = field(default_factory=dict)
    lines: dict[str, dict[str, TimedText]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    def add_channel(self, name: str, encoder: Any) -> None:
        source = SimpleNamespace(modality={"vision": "image", "sound": "audio"}.get(name, "text"))
        self.channels[name] = Channel(name, source, encoder, "0")  # type: ignore[arg-type]
        self.store.create(self.channels[name].collection, encoder.space)

    def add(self, channel: str, video: str, frames: Sequence[str], *, clip_s: float = 5.0, hz: float = 1.0) -> None:
        """A video whose frame i shows what frames[i] names, cut into clips of clip_s seconds."""
        times = (np.arange(len(frames)) + 0.5) / hz
        duration = len(frames) / hz
        rows = []
        for i, start in enumerate(np.arange(0, duration, clip_s)):
            clip = Clip.make(video, i, Span(float(start), float(min(start + clip_s, duration))))
            self.all_clips[clip.clip_id] = clip
            inside = [j for j, t in enumerate(times) if clip.span.contains(t)]
            segments = np.stack([meaning(frames[j]) for j in inside])
            rows.append(Row(clip, pool(segments), segments.astype(np.float16), times[inside]))
        self.store.put(self.channels[channel].collection, rows)

    def say(self, channel: str, video: str, text: TimedText) -> None:
        """Text of the one clip of `video` that holds its first line."""
        clip = next(c for c in self.clips_of([video])[video] if c.span.contains(text.lines[0].span.start_s))
        vector = self.channels[channel].encoder.encode_query("text", text.text)
        assert isinstance(vector, SparseVector)
        self.store.put(self.channels[channel].collection, [Row(clip, vector)])
        self.lines.setdefault(clip.clip_id, {})[channel] = text

    def searcher(self, settings: SearchSettings | None = None, *, bank: bool = True) -> Searcher:
        texts = [f"{a} {b}" for a in AXES for b in AXES]

        def vectors(channel: Channel) -> np.ndarray | None:
            return np.stack([meaning(t) for t in texts]) if channel.encoder.space == SPACE else None

        plain = SearchSettings(moments=MomentSettings(smooth_s=0, context_s=10))
        return Searcher(
            self.store,
            self.channels,
            self,
            load=lambda term: term.value,
            bank=vectors if bank else None,
            settings=settings or plain,
        )

    # what the catalog answers
    def resolve(self, wanted: Filter | None) -> Where:
        facts = [
            VideoFacts(v, (f"/videos/{v}.mp4",), max(c.span.end_s for c in self.clips_of([v])[v]), (0.0,))
            for v in sorted({c.video_id for c in self.all_clips.values()})
        ]
        return resolve(wanted, facts)

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]:
        return {i: self.all_clips[i] for i in clip_ids if i in self.all_clips}

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        return {v: [clip for clip in self.all_clips.values() if clip.video_id == v] for v in video_ids}

    def paths_of(self, video_ids: Sequence[str], wanted: Filter | None) -> Mapping[str, Path]:
        return {video_id: Path(f"/videos/{video_id}.mp4") for video_id in video_ids}

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        return {i: self.lines[i] for i in clip_ids if i in self.lines}

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]:
        return {i: self.told[i] for i in clip_ids if i in self.told}


def best(index: Index, query: str | Query, **options: Any) -> Moment:
    return index.searcher().search(query, SearchOptions(**options))[0]
