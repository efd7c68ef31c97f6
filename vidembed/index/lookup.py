"""What a search looks up in the catalog (`search.Catalog`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vidembed.index.catalog.catalog import Catalog
from vidembed.search.catalog import VideoFacts, resolve
from vidembed.types import Clip, Filter, TextLine, TimedText, Where


class Lookup:
    """Videos whose files are gone are no answers. texts_of: channel -> lane of its texts, "caption" for captions."""

    def __init__(self, catalog: Catalog, texts_of: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._texts_of = texts_of

    def resolve(self, wanted: Filter | None) -> Where:
        gone = self._catalog.videos.gone()
        plain = replace(wanted, within=None) if wanted is not None else None
        if not gone and plain in (None, Filter()):
            return resolve(wanted, ())
        if plain in (None, Filter()):
            present = tuple(self._catalog.videos.present_paths())
            return resolve(replace(wanted or Filter(), videos=present), self._facts())
        return resolve(wanted, self._facts())

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]:
        return self._catalog.videos.clips_by_id(clip_ids)

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        return self._catalog.videos.clips_of_many(video_ids)

    def paths_of(self, video_ids: Sequence[str]) -> Mapping[str, Path]:
        return {
            video_id: Path(rows[0].path) for video_id, rows in self._catalog.videos.paths_of_many(video_ids).items()
        }

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        found = self._catalog.texts.of_many(clip_ids)
        captions = self._catalog.captions.of_many(clip_ids) if "caption" in self._texts_of.values() else {}
        answer: dict[str, dict[str, TimedText]] = {}
        for clip_id in clip_ids:
            lanes = dict(found.get(clip_id, {}))
            if clip_id in captions:
                caption = captions[clip_id]
                lanes["caption"] = TimedText((TextLine(caption.clip.span, caption.text),))
            answer[clip_id] = {channel: lanes[lane] for channel, lane in self._texts_of.items() if lane in lanes}
        return answer

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]:
        return {clip_id: caption.text for clip_id, caption in self._catalog.captions.of_many(clip_ids).items()}

    def _facts(self) -> Iterable[VideoFacts]:
        durations = {row.info.video_id: row.info.duration_s for row in self._catalog.videos.all()}
        tags = self._catalog.tags.all()
        for video_id, paths in self._catalog.videos.present_paths().items():
            modified = tuple(row.mtime_ns / 1e9 for row in paths)
            places = tuple(row.path for row in paths)
            yield VideoFacts(video_id, places, durations[video_id], modified, tags.get(video_id, {}))
