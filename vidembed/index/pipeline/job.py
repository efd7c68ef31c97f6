"""The records that travel through a run: what is to be done for one video, a stretch of it decoded, how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidembed.protocols import Channel, Encoded, Frame, Segmenter, StreamMode, VideoReader
from vidembed.types import Clip, Failure, Image, Item, Span, TimedText, VideoInfo


@dataclass(frozen=True)
class Tools:
    """The media room's services, handed in by the composition root."""

    identify: Callable[[Path], str]  # the video id of a file
    probe: Callable[[Path], VideoInfo]
    open: Callable[[Path], VideoReader]
    segmenter: Segmenter
    known_spans: Callable[[Sequence[Span]], Segmenter]  # cuts where the index has cut before
    distinct: Callable[[Iterable[Frame]], Iterator[Frame]]  # marks frames that repeat the one kept before
    rate_hz: float
    mode: StreamMode
    max_frames_per_clip: int
    save_thumbnail: Callable[[Image, str], None] | None = None  # (picture, clip_id); None = make none
    thumbnail_px: int = 0
    stop: threading.Event = field(default_factory=threading.Event)  # set it: what waits for a decoder gives up


@dataclass(frozen=True)
class PathStat:
    """A file as it is now. path: absolute, with forward slashes."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, eq=False)
class Job:
    """One video and the channels it lacks. clips: as the index cut it before; empty = it is new."""

    file: PathStat
    video_id: str
    channels: tuple[Channel, ...]
    clips: tuple[Clip, ...] = ()
    texts: Mapping[str, Mapping[str, TimedText | None]] = field(default_factory=dict)  # kind -> clip_id -> known text

    @property
    def path(self) -> str:
        return self.file.path


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some clips in a row of one video. items: channel -> one entry per clip, to be encoded or encoded already."""

    job: Job
    clips: list[Clip]
    items: dict[str, list[Item | Encoded | Failure | None]]
    texts: dict[str, dict[str, TimedText | None]]  # kind -> clip_id -> newly found text
    size_bytes: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """How the decoding of one video ended. error None: all its chunks were delivered."""

    job: Job
    info: VideoInfo | None
    reader: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    error: Exception | None = None
    stage: str = "decode"
