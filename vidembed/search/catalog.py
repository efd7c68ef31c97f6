"""What a search looks up beside vectors: clips, videos, texts and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from vidembed.search.lanes import Texts
from vidembed.types import Clip, Filter, TimedText, Where


class Catalog(Protocol):
    """What a search looks up. Unknown ids are left out of the answers."""

    def resolve(self, wanted: Filter | None) -> Where: ...

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]: ...

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        """All clips of each video."""
        ...

    def paths_of(self, video_ids: Sequence[str]) -> Mapping[str, Path]:
        """Where each video lies; one that was taken out since its clips were found is left out."""
        ...

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        """clip id -> channel name -> the text that this channel indexed of the clip (speech, on-screen text...)"""
        ...

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]: ...


class TextsOnce:
    """Texts of clips, read from the catalog once each during a search."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[str, Mapping[str, TimedText]] = {}

    def __call__(self, clip_ids: Sequence[str]) -> Texts:
        missing = [clip_id for clip_id in dict.fromkeys(clip_ids) if clip_id not in self._known]
        if missing:
            found = self._catalog.texts(missing)
            self._known.update({clip_id: found.get(clip_id, {}) for clip_id in missing})
        return {clip_id: self._known[clip_id] for clip_id in clip_ids}
