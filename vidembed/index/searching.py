"""What searches ask of an index: facts of the catalog, media of queries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.config.schema import Config
from vidembed.errors import BadQuery, VidembedError
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.videos import path_there
from vidembed.index.channels import ChannelSpec
from vidembed.media.images import as_rgb, load_image
from vidembed.media.reading.audio import load_audio
from vidembed.media.reading.reader import open_video
from vidembed.media.remote import name_of
from vidembed.media.segmenting.sampling import distinct, distinct_frames
from vidembed.search.filters import VideoFacts, allows_file, resolve
from vidembed.types import (
    AudioSamples,
    AudioVisual,
    Clip,
    Filter,
    FrameBatch,
    Image,
    Item,
    Span,
    Term,
    TextLine,
    TimedText,
    Where,
)

RATE_HZ = 48_000  # encoders bring sound down to their own rate
SHORT_SIDE_PX = 512
MAX_FRAMES = 64
MAX_SOUND_S = 600.0
_TEXT_KINDS = {"captions": "caption", "speech": "speech", "ocr": "ocr"}  # of a channel's source


class CatalogLookup:
    """The catalog as searches ask it (`search.searcher.Catalog`). Videos whose files are gone are no answers."""

    def __init__(self, catalog: Catalog, specs: Iterable[ChannelSpec], *, uncertain: bool = False) -> None:
        """uncertain: Captions marked so are shown with moments."""
        self._catalog, self._uncertain = catalog, uncertain
        sources = {spec.name: spec.settings.source for spec in specs}
        self._kind_of = {name: _TEXT_KINDS[source] for name, source in sources.items() if source in _TEXT_KINDS}

    def resolve(self, wanted: Filter | None) -> Where:
        """What a filter allows, among the videos that have a file."""
        wanted = wanted or Filter()
        if replace(wanted, within=None) != Filter():
            return resolve(_as_named(wanted), self._facts())
        if self._catalog.videos.gone():
            return Where(frozenset(self._catalog.videos.present_paths()), wanted.within)
        return Where(within=wanted.within)

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]:
        """Clips by id."""
        return self._catalog.videos.clips_by_id(clip_ids)

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        """All clips of each video."""
        return self._catalog.videos.clips_of_many(video_ids)

    def paths_of(self, video_ids: Sequence[str], wanted: Filter | None) -> Mapping[str, Path]:
        """A file of each video, one that the filter allows and that is there now, as far as there is one."""
        found = self._catalog.videos.paths_of_many(video_ids)
        if wanted is not None:
            asked = _as_named(wanted)
            for video_id, rows in found.items():
                found[video_id] = [row for row in rows if allows_file(asked, row.path, row.mtime_ns / 1e9)] or rows
        return {video_id: path_there(rows) for video_id, rows in found.items()}

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        """What each channel of texts has of each clip."""
        found = self._catalog.texts.of_many(clip_ids)
        captions = self._catalog.captions.of_many(clip_ids) if "caption" in self._kind_of.values() else {}
        answer: dict[str, dict[str, TimedText]] = {}
        for clip_id in clip_ids:
            kinds = dict(found.get(clip_id, {}))
            if clip_id in captions:
                caption = captions[clip_id]
                kinds["caption"] = TimedText((TextLine(caption.clip.span, caption.text),))
            answer[clip_id] = {channel: kinds[kind] for channel, kind in self._kind_of.items() if kind in kinds}
        return answer

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]:
        """Texts of captions by clip id; those marked as uncertain are left out, unless they are to be used."""
        return self._catalog.captions.texts_of(clip_ids, uncertain=self._uncertain)

    def _facts(self) -> Iterable[VideoFacts]:
        durations = {row.info.video_id: row.info.duration_s for row in self._catalog.videos.all()}
        tags = self._catalog.tags.all()
        for video_id, paths in self._catalog.videos.present_paths().items():
            modified = tuple(row.mtime_ns / 1e9 for row in paths)
            places = tuple(row.path for row in paths)
            yield VideoFacts(video_id, places, durations[video_id], modified, tags.get(video_id, {}))


def _as_named(wanted: Filter) -> Filter:
    """The filter with the whole paths of files and folders named from the current folder, or by "~"."""
    if wanted.paths is None:
        return wanted
    near = [path for path in wanted.paths if path.startswith((".", "~")) or os.path.lexists(path)]
    whole = [Path(os.path.abspath(os.path.expanduser(path))).as_posix() for path in near]
    return replace(wanted, paths=(*wanted.paths, *whole))


class QueryLoader:
    """Opens the pictures, sounds and videos of a query (`search.query.Load`).

    Calls raise BadQuery, MediaNotFound, MediaUnreadable.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, term: Term) -> Item:
        """The item that a term's value names."""
        if term.modality == "image":
            return self._image(term.value)
        if term.modality == "audio":
            return self._audio(term.value)
        if term.modality == "video":
            return self._video(term.value)
        raise BadQuery(f"a {term.modality} term has nothing to load")

    def _image(self, value: Any) -> Image:
        if isinstance(value, np.ndarray):
            if value.ndim != 3 or value.shape[2] != 3 or value.dtype != np.uint8 or not value.size:
                raise BadQuery(f"a picture must be (H, W, 3) uint8, got {value.shape} {value.dtype}")
            return value
        if hasattr(value, "convert"):  # a PIL picture; not imported to find out
            return as_rgb(value)
        return load_image(_path(value, "image"), limits=self._config.media.limits)

    def _audio(self, value: Any) -> AudioSamples:
        if isinstance(value, AudioSamples):
            return value
        return load_audio(_path(value, "audio"), RATE_HZ, limits=self._config.media.limits, max_s=MAX_SOUND_S)

    def _video(self, value: Any) -> AudioVisual:
        if isinstance(value, AudioVisual):
            return value
        path = _path(value, "video")
        with open_video(path, self._config.media) as video:
            frames = self._frames(video) if video.info.has_video else None
            sound = None
            if video.info.has_audio:
                try:
                    span = Span(0.0, min(video.info.duration_s, MAX_SOUND_S))
                    sound = video.audio(span, rate_hz=RATE_HZ)
                except VidembedError:
                    sound = None  # damaged or late sound: the pictures are still a query
        if frames is None and sound is None:
            raise BadQuery(f"{name_of(path)}: neither pictures nor sound to search with")
        return AudioVisual(frames, sound)

    def _frames(self, video: Any) -> FrameBatch | None:
        """Frames as an index samples them, but at most MAX_FRAMES, spread over the whole video."""
        sample = self._config.sample
        rate_hz = min(sample.rate_hz, MAX_FRAMES / max(video.info.duration_s, 1e-3))
        stream = video.stream(rate_hz=rate_hz, short_side_px=SHORT_SIDE_PX, mode=sample.mode)
        return distinct_frames(list(islice(distinct(stream, sample), 2 * MAX_FRAMES)), 2 * MAX_FRAMES)


def _path(value: Any, what: str) -> Path:
    if not isinstance(value, str | os.PathLike):
        own = {"image": "an array (H, W, 3) uint8", "audio": "AudioSamples", "video": "AudioVisual"}[what]
        raise BadQuery(f"a query of {what} takes a path or {own}, got {type(value).__name__}")
    return Path(value).expanduser()
