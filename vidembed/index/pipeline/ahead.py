"""Decode ahead of the encoder: workers fill a bounded queue, the calling thread empties it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator

from vidembed.index.pipeline.jobs import Chunk, Job, Outcome
from vidembed.protocols import Executor
from vidembed.types import Failure

Event = Chunk | Outcome
IDLE = None  # nothing is ready: a good moment to encode what is there


class _Stopped(Exception):
    """Tells a worker that its chunks are no longer wanted."""


def events(
    jobs: Iterable[Job],
    decode: Callable[[Job], Iterator[Event]],
    executor: Executor,
    *,
    ahead: int,
    stop: threading.Event | None = None,
) -> Iterator[Event | None]:
    """Decode jobs in the background. Closing the iterator ends the workers and waits until their files are closed.

    Args:
        jobs: Drawn from as workers are free.
        decode: Gives the chunks of one job and its outcome.
        executor: Where jobs are decoded.
        ahead: Events ready before they are asked for; 0 = decode on the calling thread, one job after the other.
        stop: Set when the iterator is closed, so that calls that wait for a decoder end.

    Yields:
        The events of all jobs, those of one job in order; IDLE (None) whenever the next one is not ready yet.
    """
    if ahead < 1:
        for job in jobs:
            yield from decode(job)
        return
    pump = _Pump(jobs, decode, executor, ahead, stop or threading.Event())
    try:
        yield from pump
    finally:
        pump.close()


class _Pump:
    def __init__(
        self,
        jobs: Iterable[Job],
        decode: Callable[[Job], Iterator[Event]],
        executor: Executor,
        ahead: int,
        stop: threading.Event,
    ) -> None:
        self._jobs = jobs
        self._decode = decode
        self._executor = executor
        self._ready: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=ahead)
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="vidembed-decode", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Event | None]:
        while True:
            try:
                kind, value = self._ready.get_nowait()
            except queue.Empty:
                yield IDLE
                kind, value = self._ready.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            assert isinstance(value, Chunk | Outcome)
            yield value

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for job, result in self._executor.map(self._work, self._until_stopped()):
                if isinstance(result, Failure) and not self._stop.is_set():
                    # decode() reports its own errors; what arrives here is a bug in it, and belongs to this job.
                    self._offer("event", Outcome(job, None, error=RuntimeError(f"{result.kind}: {result.message}")))
            self._offer("end", None)
        except _Stopped:
            return
        except BaseException as error:
            try:
                self._offer("error", error)
            except _Stopped:
                return

    def _until_stopped(self) -> Iterator[Job]:
        for job in self._jobs:
            if self._stop.is_set():
                return
            yield job

    def _work(self, job: Job) -> None:
        for event in self._decode(job):
            self._offer("event", event)

    def _offer(self, kind: str, value: object) -> None:
        while not self._stop.is_set():
            try:
                self._ready.put((kind, value), timeout=0.1)
                return
            except queue.Full:
                continue
        raise _Stopped
