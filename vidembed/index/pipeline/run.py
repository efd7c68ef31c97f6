"""A run over many files: plan, decode ahead, encode here, report how far it is. Never loses an item."""

from __future__ import annotations

import ctypes
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from vidembed import errors
from vidembed.config.schema import RunSettings
from vidembed.errors import InputError, VidembedError
from vidembed.index.catalog import Catalog
from vidembed.index.pipeline.ahead import events
from vidembed.index.pipeline.decode import CHUNK_BYTES, decode
from vidembed.index.pipeline.jobs import Chunk, FileChanged, Job, Outcome, Plan, Planner, Tools
from vidembed.index.pipeline.remote import Remote
from vidembed.index.pipeline.write import Writer
from vidembed.protocols import Channel, Executor, Store
from vidembed.types import Damage, Failure, RunReport


@dataclass(frozen=True)
class Progress:
    """Handed to the callback after each step. total_s: estimated from the videos done so far."""

    item: str  # path of the video in hand; "" at the end
    stage: str  # "index", "done"
    done_items: int
    total_items: int
    done_s: float  # seconds of video done
    total_s: float  # done_s / total_s never goes back
    rate: float  # seconds of video done per second


ProgressCallback = Callable[[Progress], None]


class Meter:
    """Counts files and seconds of video, and tells the callback.

    How long the videos are that nobody has opened yet is estimated from their bytes, by those that were opened. The
    share that is done never goes back.

    Args:
        callback: Told after each step.
        paths: All files of the run.
        settled: How many files need no work, so far.
    """

    def __init__(self, callback: ProgressCallback | None, *, paths: Sequence[Path], settled: Callable[[], int]) -> None:
        self._callback = callback
        self._sizes = {path.as_posix(): size_of(path) for path in paths} if callback is not None else {}
        self._total_items = len(paths)
        self._settled = settled
        self._started = time.perf_counter()
        self._done: dict[str, float] = {}  # path -> seconds of it that are encoded
        self._lengths: dict[str, float] = {}  # path -> its length, once it is opened
        self._finished: set[str] = set()
        self._share = 0.0

    def step(self, path: str, upto_s: float, duration_s: float) -> None:
        """The file is encoded up to this second."""
        self._lengths[path], self._done[path] = max(duration_s, upto_s), upto_s
        self._tell(path, "index")

    def finished(self, path: str, duration_s: float) -> None:
        """The file is done."""
        self._lengths[path] = self._done[path] = duration_s
        self._finished.add(path)
        self._tell(path, "index")

    def end(self) -> None:
        """The run is done."""
        self._share = 1.0
        self._tell("", "done")

    def _tell(self, item: str, stage: str) -> None:
        if self._callback is None:
            return
        done_s, done_items = sum(self._done.values()), len(self._finished) + self._settled()
        total_s = done_s if stage == "done" else self._total_s(self._total_items - done_items)
        if total_s > 0:
            self._share = min(1.0, max(self._share, done_s / total_s))
            total_s = done_s / self._share if self._share else total_s
        rate = done_s / max(time.perf_counter() - self._started, 1e-6)
        self._callback(Progress(item, stage, done_items, self._total_items, done_s, total_s, rate))

    def _total_s(self, left: int) -> float:
        """Seconds of all videos that need work; `left` files are not done."""
        known_s = sum(self._lengths.values())
        known = sum(self._sizes.get(path, 0) for path, length_s in self._lengths.items() if length_s > 0)
        unopened = [size for path, size in self._sizes.items() if path not in self._lengths]
        share = min(1.0, max(0, left - len(self._lengths.keys() - self._finished)) / max(len(unopened), 1))
        return known_s + (known_s / known * sum(unopened) * share if known else 0.0)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 for one that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


EVERY_S = 10.0


def trim_heap() -> bool:
    """Return what is free inside the C heap to the system; False where the C library cannot.

    Only glibc is asked (malloc_trim(3)): it keeps freed memory for later, and the tensors and pictures of a run leave
    some 100 MB of it in pieces between what lives on. Takes tens of milliseconds.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is None:
        return False
    trim(ctypes.c_size_t(0))
    return True


class HeapTrimmer:
    """Calls `trim_heap` every EVERY_S seconds: left alone, the free pieces of a run of hours come to 400 MB."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self) -> None:
        """Trim the heap if it is time."""
        if time.monotonic() - self._last >= EVERY_S:
            trim_heap()
            self._last = time.monotonic()


@dataclass(frozen=True, eq=False)
class Indexer:
    """Fills channels of videos. One run at a time; whoever calls `run` holds the index's write lock.

    Attributes:
        wanted: Channel -> collection to fill; known without loading a model.
        load: Gives a channel by name, asked when the first file needs it.
        forget: Removes a video from the index, for files that now hold another one.
        remote: Decode and encode on the executor's workers, elsewhere; None: decode on them, encode here.
    """

    catalog: Catalog
    store: Store
    tools: Tools
    wanted: Mapping[str, str]
    load: Callable[[str], Channel]
    executor: Executor
    settings: RunSettings
    forget: Callable[[str], None]
    remote: Remote | None = None

    def run(self, paths: Sequence[Path], *, progress: ProgressCallback | None = None) -> RunReport:
        """Index the files. Raises `errors.FATAL` at once, KeyboardInterrupt after removing what is half done."""
        run = _Run(self, paths, progress)
        self._pass(paths, run, again=False)
        changed = run.changed_files()
        if changed:
            self.tools.stop.clear()  # the end of the first pass set it
            self._pass(changed, run, again=True)
        run.settle_duplicates()
        for video_id in set(run.plan.replaced).intersection(self.catalog.videos.without_files()):
            self.forget(video_id)
        run.record_plan_failures()
        report = run.report()
        run.meter.end()
        return report

    def _pass(self, paths: Sequence[Path], run: _Run, *, again: bool) -> None:
        planner = Planner(self.catalog, self.tools.identify, self.wanted, self.load, again=again)
        jobs = planner.jobs(paths, run.plan)
        first = next(jobs, None)  # loads the models, before any thread starts and only if there is work
        if first is not None:
            run.go(self._events(chain([first], jobs)))
            trim_heap()  # the calibration's bank is encoded next, with a tower of its own

    def _events(self, jobs: Iterator[Job]) -> Iterator[Chunk | Outcome | None]:
        if self.remote is not None:
            return self.remote.events(jobs, self.executor)
        work = partial(decode, tools=self.tools, batch_size=self.settings.batch_size)
        return events(jobs, work, self.executor, ahead=self.settings.prefetch, stop=self.tools.stop)


class _Run:
    """The state of one run."""

    def __init__(self, indexer: Indexer, paths: Sequence[Path], progress: ProgressCallback | None) -> None:
        self._catalog = indexer.catalog
        self._settings = indexer.settings
        self._writer = Writer(indexer.catalog, indexer.store, on_failure=self._unexpected)
        self._waiting: list[Chunk] = []
        self._ended: list[Outcome] = []
        self._streak: Counter[tuple[str, str]] = Counter()  # (stage, kind) since the last success
        self.plan = Plan()
        self.meter = Meter(progress, paths=paths, settled=self.plan.settled)
        self._done: list[str] = []
        self._failed: list[Failure] = []
        self._damaged: list[Damage] = []
        self._failed_ids: dict[str, Failure] = {}
        self._changed: dict[str, Path] = {}  # video id -> its file, to be planned again
        self._counts: Counter[str] = Counter()
        self._clips = 0
        self._seconds = 0.0

    def go(self, stream: Iterator[Chunk | Outcome | None]) -> None:
        trim = HeapTrimmer()
        try:
            for event in stream:
                if isinstance(event, Chunk):
                    self._waiting.append(event)
                elif isinstance(event, Outcome):
                    self._ended.append(event)
                if event is None or self._enough() or not self._waiting:
                    self._flush()
                    trim()
            self._flush()
            self._writer.flush(at_once=True)
        except BaseException:
            stream.close()  # type: ignore[attr-defined]  # a generator: stops the workers before the store is touched
            self._writer.abandon()
            raise

    def _enough(self) -> bool:
        clips = sum(len(chunk.clips) for chunk in self._waiting)
        size = sum(chunk.size_bytes for chunk in self._waiting)
        return max(clips, len(self._ended)) >= self._settings.batch_size or size >= CHUNK_BYTES

    def _flush(self) -> None:
        """Encode what waits, then finish the videos that ended."""
        broken = {outcome.job.video_id for outcome in self._ended if outcome.error is not None}
        chunks = [chunk for chunk in self._waiting if chunk.job.video_id not in broken]
        self._waiting = []
        if chunks:
            self._writer.encode(chunks)
            for chunk in chunks:
                self.meter.step(chunk.job.path, chunk.clips[-1].span.end_s, chunk.duration_s)
        ended, self._ended = self._ended, []
        whole = [outcome for outcome in ended if outcome.error is None]
        if whole:
            self._finish(whole)
        for outcome in ended:
            self._counts.update({key: int(value) for key, value in outcome.counts.items()})
            if outcome.error is not None:
                self._fail(outcome, outcome.error)

    def _finish(self, outcomes: list[Outcome]) -> None:
        failures = {outcome.job.video_id: self._writer.failures(outcome) for outcome in outcomes}
        if self._settings.on_error == "raise":
            for found in failures.values():
                for failure in found:
                    raise VidembedError(f"{failure.item}: {failure.stage}: {failure.message}", hint=failure.hint)
        with self._catalog.transaction():
            self._writer.finish(outcomes)
            for outcome in outcomes:
                self.plan.link(self._catalog, outcome.job.file, outcome.job.video_id)
        self._writer.flush()
        for outcome in outcomes:
            assert outcome.info is not None
            self._done.append(outcome.job.path)
            self._failed += failures[outcome.job.video_id]
            damage = Damage.of(outcome.job.path, outcome.counts)
            if damage is not None:
                self._damaged.append(damage)
            self._clips += len(outcome.job.clips) or len(self._catalog.videos.clips(outcome.job.video_id))
            self._seconds += outcome.info.duration_s
            self.meter.finished(outcome.job.path, outcome.info.duration_s)
            if not failures[outcome.job.video_id]:
                self._streak.clear()

    def changed_files(self) -> list[Path]:
        """The files that changed before they were done, and those that were thought to be copies of them."""
        copies = [path.path for path, video_id in self.plan.duplicates if video_id in self._changed]
        self.plan.duplicates = [pair for pair in self.plan.duplicates if pair[1] not in self._changed]
        return [*self._changed.values(), *map(Path, copies)]

    def _fail(self, outcome: Outcome, error: Exception) -> None:
        if isinstance(error, FileChanged) and not outcome.job.again:
            self._writer.drop(outcome.job.video_id)
            self._changed[outcome.job.video_id] = Path(outcome.job.path)
            return
        if self._settings.on_error == "raise":
            raise error
        found = self._writer.fail(outcome)
        self._failed += found
        self._failed_ids[outcome.job.video_id] = found[0]
        self.meter.finished(outcome.job.path, 0.0)
        self._unexpected(found[0], error)

    def _unexpected(self, failure: Failure, error: Exception | None = None) -> None:
        """Stop when the same error, not one about the file itself, comes too often without a success between."""
        kind = getattr(errors, failure.kind, None)
        if isinstance(kind, type) and issubclass(kind, InputError):
            return
        stage = failure.stage.partition(":")[0]
        self._streak[stage, failure.kind] += 1
        times = self._streak[stage, failure.kind]
        if times >= self._settings.stop_after_same_error:
            raise VidembedError(
                f"stopped: the same error {times} times running ({stage}, {failure.kind}: {failure.message})",
                hint="what is done stays done; find the cause (--set run.on_error=raise shows it), then run again",
            ) from error

    def settle_duplicates(self) -> None:
        """Link duplicates of videos of this run, or fail them for the same reason."""
        duplicates, self.plan.duplicates = self.plan.duplicates, []  # each is counted once, by what it becomes
        for file, video_id in duplicates:
            if self._catalog.videos.get(video_id) is not None:
                self.plan.settle(self._catalog, file, video_id, self._catalog.videos.paths().get(file.path))
            else:
                cause = self._failed_ids[video_id]
                own = Path(file.path).name, Path(cause.item).name
                message = cause.message.replace(cause.item, file.path).replace(f"{own[1]}: ", f"{own[0]}: ", 1)
                failure = Failure(file.path, cause.stage, cause.kind, message, cause.hint)
                self._failed.append(failure)
                self._catalog.put_failure(failure)

    def record_plan_failures(self) -> None:
        """Record files that could not even be looked at."""
        for failure in self.plan.failed:
            if self._settings.on_error == "raise":
                raise InputError(failure.message, hint=failure.hint)
            self._catalog.put_failure(failure)

    def report(self) -> RunReport:
        return RunReport(
            done=tuple(self._done),
            unchanged=tuple(file.path for file in self.plan.unchanged),
            failed=(*self.plan.failed, *self._failed),
            clips=self._clips,
            seconds_of_video=self._seconds,
            counts=dict(sorted(self._counts.items())),
            damaged=tuple(self._damaged),
        )
