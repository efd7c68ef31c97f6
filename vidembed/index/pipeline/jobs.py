"""What a run has to do: its records, and the planner that recognises unchanged, renamed and duplicate files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from vidembed.batching import failure_of
from vidembed.errors import InputError, MediaUnreadable
from vidembed.files import check_printable, printable
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.texts import FINISHED
from vidembed.index.catalog.videos import PathRow
from vidembed.media.files import mtime_ns
from vidembed.media.remote import is_remote, status
from vidembed.protocols import Channel, Encoded, Frame, Segmenter, StreamMode, VideoReader
from vidembed.types import Clip, Failure, Image, Item, Span, TimedText, VideoInfo


def unnoted(path: Path) -> AbstractContextManager[None]:
    """Where nobody has to know which file was being decoded."""
    return nullcontext()


@dataclass(frozen=True)
class Tools:
    """The media services of a run (`index.media.make_tools`)."""

    identify: Callable[[Path], str]  # file -> video id
    open: Callable[[Path], VideoReader]
    segmenter: Segmenter
    known_spans: Callable[[Sequence[Span]], Segmenter]  # cuts where the index has cut before
    distinct: Callable[[Iterable[Frame]], Iterator[Frame]]  # marks frames that repeat the one kept before
    rate_hz: float
    mode: StreamMode
    max_frames_per_clip: int
    cuts: bool = False  # the reader looks for shots
    detect: Callable[[VideoReader], Iterable[float]] | None = None  # or this does: when shots begin, by a model
    save_thumbnail: Callable[[Image, str], None] | None = None  # (picture, clip_id); None = make none
    thumbnail_px: int = 0
    hold: Callable[[Path], AbstractContextManager[None]] = unnoted  # notes that it is being decoded
    stop: threading.Event = field(default_factory=threading.Event)  # set it, and calls that wait for a decoder end


@dataclass(frozen=True)
class PathStat:
    """A file of now. path: absolute, with forward slashes."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, eq=False)
class Job:
    """One video and the channels it lacks. clips: those in the index; empty = the video is new."""

    file: PathStat
    video_id: str
    channels: tuple[Channel, ...]
    clips: tuple[Clip, ...] = ()
    texts: Mapping[str, Mapping[str, TimedText | None]] = field(default_factory=dict)  # kind -> clip_id -> known text
    again: bool = False  # its file changed when this run first came to it

    @property
    def path(self) -> str:
        """Of the file."""
        return self.file.path


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive clips of one video. items: channel -> one entry per clip, to be encoded or encoded already."""

    job: Job
    clips: list[Clip]
    items: dict[str, list[Item | Encoded | Failure | None]]
    texts: dict[str, dict[str, TimedText | None]]  # kind -> clip_id -> newly found text
    size_bytes: int
    duration_s: float = 0.0  # of the video, as its headers say


@dataclass(frozen=True, eq=False)
class Outcome:
    """How decoding one video ended. error None: all its chunks were delivered."""

    job: Job
    info: VideoInfo | None
    reader: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    error: Exception | None = None
    stage: str = "decode"


@dataclass
class Plan:
    """What became of the files that need no decoding; filled while the planner's jobs are drawn."""

    unchanged: list[PathStat] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    duplicates: list[tuple[PathStat, str]] = field(default_factory=list)  # (file, id of a video that is a job itself)
    replaced: list[str] = field(default_factory=list)  # videos whose last file now holds another one

    def settled(self) -> int:
        """How many files these are."""
        return len(self.unchanged) + len(self.failed) + len(self.duplicates)

    def link(self, catalog: Catalog, file: PathStat, video_id: str) -> None:
        """Record that the file holds this video; another one that lost its last file by that is `replaced`."""
        replaced = catalog.videos.link(file.path, video_id, size_bytes=file.size_bytes, mtime_ns=file.mtime_ns)
        if replaced:
            self.replaced.append(replaced)

    def settle(self, catalog: Catalog, file: PathStat, video_id: str, row: PathRow | None) -> None:
        """Record a file whose video needs no work. row: what the catalog knew of it."""
        self.unchanged.append(file)
        if row != PathRow(file.path, video_id, file.size_bytes, file.mtime_ns, False):
            with catalog.transaction():
                catalog.clear_failures(file.path)
                self.link(catalog, file, video_id)


class FileChanged(MediaUnreadable):
    """A file is not the one that was planned: it was replaced, or is being written."""


def check_unchanged(job: Job, *, growing: bool) -> None:
    """Raise FileChanged when the file is another one than when the job was planned. growing: it may have become longer.

    What is recorded is the file that was planned, so the next run sees the change and looks again.
    """
    now = stat_of(Path(job.path))
    if now != job.file and not (growing and now.size_bytes > job.file.size_bytes):
        raise FileChanged(
            f"{job.path}: the file changed while it was being indexed", hint="index it again when it is complete"
        )


class Planner:
    """Goes through files and finds those that need work, without decoding any."""

    def __init__(
        self,
        catalog: Catalog,
        identify: Callable[[Path], str],
        wanted: Mapping[str, str],
        load: Callable[[str], Channel],
        *,
        again: bool = False,
    ) -> None:
        """identify, wanted, load: see `Tools.identify`, `Indexer.wanted` and `Indexer.load`; again: see `Job`."""
        self._catalog = catalog
        self._identify = identify
        self._wanted = wanted
        self._load = load
        self._again = again
        self._claimed: set[str] = set()

    def jobs(self, paths: Iterable[Path], plan: Plan) -> Iterator[Job]:
        """The jobs of these files; what becomes of the other files goes into the plan."""
        known = self._catalog.videos.paths()
        for path in paths:
            try:
                file = stat_of(path)
                video_id = self._video_id(path, file, known.get(file.path))
            except InputError as error:
                plan.failed.append(failure_of(error, item=printable(path.as_posix()), stage="probe"))
                continue
            if video_id in self._claimed:
                plan.duplicates.append((file, video_id))
                continue
            missing = self._missing(video_id)
            if missing:
                self._claimed.add(video_id)
                yield self._job(file, video_id, missing)
            else:
                plan.settle(self._catalog, file, video_id, known.get(file.path))

    def _video_id(self, path: Path, file: PathStat, row: PathRow | None) -> str:
        if row is not None and (row.size_bytes, row.mtime_ns) == (file.size_bytes, file.mtime_ns):
            return row.video_id
        return self._identify(path)

    def _missing(self, video_id: str) -> list[str]:
        if self._catalog.videos.get(video_id) is None:
            return list(self._wanted)
        states = self._catalog.states.of(video_id)
        return [name for name, collection in self._wanted.items() if states.get(collection) not in FINISHED]

    def _job(self, file: PathStat, video_id: str, names: Sequence[str]) -> Job:
        channels = tuple(self._load(name) for name in names)
        clips = tuple(self._catalog.videos.clips(video_id))
        texts: dict[str, Mapping[str, TimedText | None]] = {}
        for channel in channels:
            kind, producer = text_kind(channel)
            if kind and kind not in texts:
                texts[kind] = self._catalog.texts.known(video_id, kind, producer)
        return Job(file, video_id, channels, clips, texts, self._again)


def text_kind(channel: Channel) -> tuple[str, str]:
    """(kind, producer) of a channel whose source finds texts, such as ("speech", "speech:small:en:5"); else ("", "").

    The catalog keeps these texts. `producer` names all that they depend on, after the kind and a colon.
    """
    producer = str(getattr(channel.source, "producer", ""))
    return producer.partition(":")[0], producer


def stat_of(path: Path) -> PathStat:
    """The file of now. Raises InputError when it is gone or its name is not valid Unicode."""
    try:
        check_printable(path)
        if is_remote(path):
            return PathStat(path.as_posix(), *status(path))
        stat = os.stat(path)
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
    return PathStat(path.as_posix(), stat.st_size, mtime_ns(stat))
