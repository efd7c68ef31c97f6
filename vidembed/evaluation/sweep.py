"""Many settings on the vectors an index holds: nothing is decoded or encoded again.

What can be tried: every `search.*` setting; `pool`, how a clip's vector is made of its frames' (mean, max, topk,
attention); `window_s`, clips of that length in place of those that were cut, made of the stored frames; `prompt`, what
text queries are put into before they are encoded: "{}", "a photo of {}", several joined by "|" and then averaged
("{}|a video of {}"), or "model" for the channel's own. For good, a prompt is set under `channels.NAME.templates`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from vidembed.config.schema import Config
from vidembed.errors import ConfigError, InputError, did_you_mean
from vidembed.evaluation.dataset import DataSet
from vidembed.evaluation.report import Report
from vidembed.evaluation.run import evaluate
from vidembed.index.stores.memory import MemoryStore
from vidembed.index.video_index import VideoIndex
from vidembed.protocols import Channel, Store
from vidembed.search.searcher import Catalog
from vidembed.types import Clip, Filter, Row, Span, TimedText, Where
from vidembed.vectors import Pooling, pool

Settings = Mapping[str, Any]
_MADE_ANEW = ("pool", "window_s")
_OTHERS = (*_MADE_ANEW, "prompt")
_OWN_PROMPT = "model"


def grid(values: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of `["search.fusion=rrf,evidence", "pool=mean,max"]`. Raises InputError for what is none."""
    axes: list[list[tuple[str, Any]]] = []
    for given in values:
        name, equals, listed = given.partition("=")
        if not equals or not name.strip() or not listed.strip():
            raise InputError(f"--try takes SETTING=VALUE,VALUE, got {given!r}", hint="search.fusion=rrf,evidence")
        name = name.strip()
        axes.append([(name, part.strip() if name == "prompt" else _value(part.strip())) for part in listed.split(",")])
    return [dict(combination) for combination in itertools.product(*axes)]


def sweep_settings(
    index: VideoIndex, dataset: DataSet, combinations: Sequence[Settings], *, channels: Sequence[str] | None = None
) -> Iterator[tuple[Settings, Report]]:
    """Each combination with its report. Raises ConfigError for an unknown setting or a value out of bounds."""
    configs = [_config(index.config, combination) for combination in combinations]  # all are checked before any runs
    made: dict[tuple[Any, Any], tuple[Store, Catalog] | None] = {}
    for combination, config in zip(combinations, configs):
        key = (combination.get("pool"), combination.get("window_s"))
        if key not in made:
            made[key] = None if key == (None, None) else _made_again(index, *key)
        asked = _prompted(index.parts.channels, str(combination.get("prompt", _OWN_PROMPT)))
        yield combination, evaluate(_variant(index, config, made[key], asked), dataset, channels=channels)


def _variant(
    index: VideoIndex, config: Config, vectors: tuple[Store, Catalog] | None, channels: Mapping[str, Channel]
) -> VideoIndex:
    """The index with other settings, on its own vectors or on some made of them, its texts put into other prompts."""
    own = index.parts.searcher
    store, catalog = vectors or (own.store, own.catalog)
    searcher = replace(own, settings=config.search, store=store, catalog=catalog, channels=channels)
    return VideoIndex(index.parts.searched_by(searcher, config))


class Recut:
    """The catalog with other clips; what belongs to the old ones (texts, captions) is not there."""

    def __init__(self, old: Catalog, clips: Sequence[Clip]) -> None:
        self._old = old
        self._by_id = {clip.clip_id: clip for clip in clips}
        self._of: dict[str, list[Clip]] = {}
        for clip in clips:
            self._of.setdefault(clip.video_id, []).append(clip)

    def resolve(self, wanted: Filter | None) -> Where:
        return self._old.resolve(wanted)

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]:
        return {i: self._by_id[i] for i in clip_ids if i in self._by_id}

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        return {video_id: self._of[video_id] for video_id in video_ids if video_id in self._of}

    def paths_of(self, video_ids: Sequence[str], wanted: Filter | None) -> Mapping[str, Path]:
        return self._old.paths_of(video_ids, wanted)

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        return {clip_id: {} for clip_id in clip_ids}

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]:
        return {}


def _made_again(index: VideoIndex, how: Pooling | None, window_s: float | None) -> tuple[Store, Catalog]:
    """Rows of the dense channels pooled again, in the old clips or in windows of `window_s`."""
    old = {clip.clip_id: clip for clip in index.clips()}
    cut = _windows(list(old.values()), window_s) if window_s else old
    by_video: dict[str, list[Clip]] = {}
    for clip in dict.fromkeys(cut.values()):
        by_video.setdefault(clip.video_id, []).append(clip)
    store = MemoryStore()
    for channel in index.parts.channels.values():
        store.create(channel.collection, channel.encoder.space)
        segments: dict[str, list[tuple[float, Any]]] = {}
        for batch in index.parts.store.scan(channel.collection, segments=True):
            if channel.encoder.space.kind != "dense":
                if window_s is None:
                    store.put(channel.collection, batch)
                continue
            for row in batch:
                times = row.segment_times_s if row.segment_times_s is not None else np.array([row.clip.span.middle_s])
                rows = row.segments if row.segments is not None else np.asarray(row.vector)[None]
                segments.setdefault(row.clip.video_id, []).extend(zip(times.tolist(), rows, strict=True))
        for video_id, parts in segments.items():
            parts.sort(key=lambda part: part[0])
            times_s = np.array([time for time, _ in parts])
            vectors = np.stack([vector for _, vector in parts]).astype(np.float32)
            made = []
            for clip in by_video.get(video_id, []):
                inside = (times_s >= clip.span.start_s) & (times_s < clip.span.end_s)
                if inside.any():
                    own = vectors[inside]
                    made.append(Row(clip, pool(own, how or "mean"), own.astype(np.float16), times_s[inside]))
            store.put(channel.collection, made)
    # The searcher's own catalog still knows videos and paths.
    catalog = index.parts.searcher.catalog
    return store, catalog if window_s is None else Recut(catalog, list(dict.fromkeys(cut.values())))


def _windows(clips: Sequence[Clip], window_s: float) -> dict[str, Clip]:
    ends: dict[str, float] = {}
    for clip in clips:
        ends[clip.video_id] = max(ends.get(clip.video_id, 0.0), clip.span.end_s)
    made: dict[str, Clip] = {}
    for video_id, end_s in ends.items():
        count = max(1, int(np.ceil(end_s / window_s - 0.25)))  # a rest under a quarter joins the last window
        for i in range(count):
            stop_s = end_s if i == count - 1 else (i + 1) * window_s
            clip = Clip.make(video_id, i, Span(i * window_s, stop_s))
            made[clip.clip_id] = clip
    return made


def _config(config: Config, combination: Settings) -> Config:
    fields = config.model_dump()
    for name, value in combination.items():
        if name in _OTHERS:
            _check_other(name, value)
            continue
        known = [path for path, _ in config.flat() if path.startswith("search.")]
        if name not in known:
            raise ConfigError(
                f"{name!r} cannot be tried on stored vectors",
                hint=did_you_mean(name, [*known, *_OTHERS]) or "search.* settings, pool, window_s and prompt can",
            )
        *trail, last = name.split(".")
        section = fields
        for part in trail:
            section = section[part]
        section[last] = value
    try:
        return Config.model_validate(fields)
    except ValueError as error:
        raise ConfigError(f"{dict(combination)} is out of bounds: {error}") from error


def _prompted(channels: Mapping[str, Channel], prompt: str) -> Mapping[str, Channel]:
    """The channels with text queries put into these templates; those that put nothing around them stay as they are."""
    if prompt == _OWN_PROMPT:
        return channels
    made = {}
    for name, channel in channels.items():
        templated = getattr(channel.encoder, "with_templates", None)
        made[name] = channel if templated is None else replace(channel, encoder=templated(prompt.split("|")))
    return made


def _check_other(name: str, value: Any) -> None:
    if name == "prompt" and value != _OWN_PROMPT and any(part.count("{}") != 1 for part in str(value).split("|")):
        raise ConfigError(
            f"a prompt holds {{}} once, where the query goes, got {value!r}",
            hint=f'"a photo of {{}}", several joined by "|", or "{_OWN_PROMPT}" for the channel\'s own',
        )
    if name == "pool" and value not in get_args(Pooling):
        raise ConfigError(f"unknown pooling {value!r}; allowed: {', '.join(get_args(Pooling))}")
    if name == "window_s" and not (isinstance(value, int | float) and 0.1 <= value <= 3600):
        raise ConfigError(f"window_s must be between 0.1 and 3600, got {value!r}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
