"""Indexing on workers of a cluster: what is sent to them, what they send back. The driver alone writes.

An order is plain data: the file, the names of the channels, what the catalog knows of the video. The worker opens the
file, which must lie under the same path there, and encodes with models of its own. A delivery holds vectors, texts
and one small JPEG per clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vidembed.errors import MediaNotFound, VidembedError
from vidembed.index.executors import SerialExecutor
from vidembed.index.pipeline.ahead import Event, events
from vidembed.index.pipeline.decode import decode
from vidembed.index.pipeline.jobs import Chunk, Job, Outcome, PathStat, Tools
from vidembed.index.pipeline.write import encoded
from vidembed.protocols import Channel, Encoded, Executor
from vidembed.types import Clip, Failure, Item, TimedText


@dataclass(frozen=True)
class Order:
    """One video's work. captions: clip_id -> caption, for channels that embed them."""

    file: PathStat
    video_id: str
    channels: tuple[str, ...]
    clips: tuple[Clip, ...] = ()
    texts: Mapping[str, Mapping[str, TimedText | None]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    again: bool = False

    def __str__(self) -> str:
        return self.file.path


@dataclass(frozen=True, eq=False)
class Delivery:
    """Chunks with vectors in place of media, the outcome, and clip_id -> JPEG. The driver fills in the job."""

    chunks: tuple[Chunk, ...]
    outcome: Outcome
    thumbnails: Mapping[str, bytes]


Work = Callable[[Order], Delivery]


@dataclass(frozen=True)
class Remote:
    """The driver's side. captions_of: clip ids -> captions; keep_thumbnail: takes (JPEG, clip_id), None = none."""

    work: Work
    captions_of: Callable[[Sequence[str]], Mapping[str, str]]
    keep_thumbnail: Callable[[bytes, str], None] | None

    def events(self, jobs: Iterator[Job], executor: Executor) -> Iterator[Event]:
        """The events of all jobs, those of one job in order and together."""
        waiting: dict[str, Job] = {}

        def orders() -> Iterator[Order]:
            for job in jobs:
                waiting[job.video_id] = job
                yield self._order(job)

        for order, delivery in executor.map(self.work, orders()):
            job = waiting.pop(order.video_id)
            if isinstance(delivery, Failure):
                error = RuntimeError(f"{delivery.kind}: {delivery.message}")
                yield Outcome(job, None, error=error)
                continue
            if self.keep_thumbnail is not None:
                for clip_id, jpeg in delivery.thumbnails.items():
                    self.keep_thumbnail(jpeg, clip_id)
            for chunk in delivery.chunks:
                yield replace(chunk, job=job)
            yield replace(delivery.outcome, job=job)

    def _order(self, job: Job) -> Order:
        names = tuple(channel.name for channel in job.channels)
        captions = self.captions_of([clip.clip_id for clip in job.clips]) if job.clips else {}
        return Order(job.file, job.video_id, names, job.clips, job.texts, captions, job.again)


def fulfil(order: Order, channels: Mapping[str, Channel], tools: Tools, *, batch_size: int, prefetch: int) -> Delivery:
    """The worker's side: decode one video ahead and encode it. Raises `errors.FATAL` only."""
    own = tuple(channels[name] for name in order.channels)
    job = Job(order.file, order.video_id, own, order.clips, order.texts, order.again)
    plain = Job(order.file, order.video_id, ())  # models stay where they are
    chunks: list[Chunk] = []

    def work(job: Job) -> Iterator[Event]:
        return decode(job, tools, batch_size=batch_size)

    for event in events([job], work, SerialExecutor(), ahead=prefetch, stop=tools.stop):
        if isinstance(event, Chunk):
            items: dict[str, list[Item | Encoded | Failure | None]] = {
                channel.name: [*encoded(channel, event.items[channel.name], event.clips)] for channel in own
            }
            chunks.append(Chunk(plain, event.clips, items, event.texts, 0, event.duration_s))
        elif isinstance(event, Outcome):
            outcome = replace(event, job=plain, error=event.error and _sendable(event.error))
    return Delivery(tuple(chunks), outcome, {})


def absent(order: Order, machine: str) -> Delivery:
    """What a worker answers that has no such file, though the driver has."""
    error = MediaNotFound(
        f"{order.file.path}: not on the worker {machine}",
        hint="all machines must see the videos under the same path: mount the same folder on each",
    )
    return Delivery((), Outcome(Job(order.file, order.video_id, ()), None, error=error, stage="probe"), {})


def _sendable(error: Exception) -> Exception:
    """The error without its traceback; for one of another package, which may not be picklable, its text."""
    simple = type(error).__module__ == "builtins" and all(isinstance(part, str | int) for part in error.args)
    if isinstance(error, VidembedError) or simple:
        return error.with_traceback(None)
    return RuntimeError(f"{type(error).__name__}: {error}")
