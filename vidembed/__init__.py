"""vidembed: search inside videos and caption them.

    import vidembed as ve

    with ve.open_index("./holiday") as index:
        print(index.add("videos/"))
        for moment in index.search("a dog jumps into a lake", k=5):
            print(moment.path, moment.span, moment.confidence)

Importing this loads nothing heavy; names are fetched when first used.
"""

from __future__ import annotations

from importlib import import_module

from vidembed._version import __version__

TYPE_CHECKING = False  # as `typing` has it, which takes 5 ms of the process that watches over a run

# Public name -> the module it is fetched from when first used (PEP 562).
_PUBLIC = {
    "AudioSamples": "vidembed.types",
    "AudioVisual": "vidembed.types",
    "Caption": "vidembed.types",
    "CaptionedVideo": "vidembed.captions.run",
    "Clip": "vidembed.types",
    "Config": "vidembed.config.schema",
    "Duplicate": "vidembed.search.duplicates",
    "Failure": "vidembed.types",
    "Filter": "vidembed.types",
    "FrameBatch": "vidembed.types",
    "Hit": "vidembed.types",
    "Imported": "vidembed.captions.by_hand",
    "IndexInfo": "vidembed.index.counts",
    "Moment": "vidembed.types",
    "Progress": "vidembed.index.pipeline.run",
    "Query": "vidembed.types",
    "RunReport": "vidembed.types",
    "Span": "vidembed.types",
    "TextLine": "vidembed.types",
    "Tile": "vidembed.media.editing.sheet",
    "TimedText": "vidembed.types",
    "VideoIndex": "vidembed.index.video_index",
    "VideoInfo": "vidembed.types",
    "VideoRecord": "vidembed.index.contents",
    "VidembedError": "vidembed.errors",
    "caption": "vidembed.index.opening",
    "contact_sheet": "vidembed.media.editing.sheet",
    "load_config": "vidembed.config.load",
    "open_index": "vidembed.index.opening",
    "to_cues": "vidembed.captions.subtitles",
    "write_srt": "vidembed.captions.subtitles",
    "write_vtt": "vidembed.captions.subtitles",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from typing import Any

    from vidembed.captions.by_hand import Imported as Imported
    from vidembed.captions.run import CaptionedVideo as CaptionedVideo
    from vidembed.captions.subtitles import to_cues as to_cues
    from vidembed.captions.subtitles import write_srt as write_srt
    from vidembed.captions.subtitles import write_vtt as write_vtt
    from vidembed.config.load import Config as Config
    from vidembed.config.load import load_config as load_config
    from vidembed.errors import VidembedError as VidembedError
    from vidembed.index.contents import VideoRecord as VideoRecord
    from vidembed.index.counts import IndexInfo as IndexInfo
    from vidembed.index.opening import caption as caption
    from vidembed.index.opening import open_index as open_index
    from vidembed.index.pipeline.run import Progress as Progress
    from vidembed.index.video_index import VideoIndex as VideoIndex
    from vidembed.media.editing.sheet import Tile as Tile
    from vidembed.media.editing.sheet import contact_sheet as contact_sheet
    from vidembed.search.duplicates import Duplicate as Duplicate
    from vidembed.types import AudioSamples as AudioSamples
    from vidembed.types import AudioVisual as AudioVisual
    from vidembed.types import Caption as Caption
    from vidembed.types import Clip as Clip
    from vidembed.types import Failure as Failure
    from vidembed.types import Filter as Filter
    from vidembed.types import FrameBatch as FrameBatch
    from vidembed.types import Hit as Hit
    from vidembed.types import Moment as Moment
    from vidembed.types import Query as Query
    from vidembed.types import RunReport as RunReport
    from vidembed.types import Span as Span
    from vidembed.types import TextLine as TextLine
    from vidembed.types import TimedText as TimedText
    from vidembed.types import VideoInfo as VideoInfo


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'vidembed' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
