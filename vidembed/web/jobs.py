"""Long work in the background, one after the other, with progress and a way to stop it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from vidembed.errors import InputError, VidembedError
from vidembed.index.pipeline.progress import Progress, ProgressCallback

_log = logging.getLogger(__name__)
_MAX_WAITING = 16
_KEEP_ENDED = 5

Work = Callable[[ProgressCallback], str]  # returns what to tell people


class Cancelled(VidembedError):
    """Somebody pressed cancel."""


@dataclass(eq=False)
class Job:
    """One piece of work. state: waiting, running, done, failed, cancelled. message: how it ended.

    keep: `cancel` does not drop it, since what a person wrote is in it.
    """

    title: str
    work: Work
    keep: bool = False
    state: str = "waiting"
    progress: Progress | None = None
    message: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Until it ended. Raises what stopped it, as an InputError with the reason."""
        self.over.wait()
        if self.state != "done":
            raise InputError(f"{self.title}: {self.state}", hint=self.message)

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")

    @property
    def share(self) -> float | None:
        """How much of the work is done, 0..1; None while unknown."""
        now = self.progress
        return None if now is None or now.total_s <= 0 else min(1.0, now.done_s / now.total_s)

    @property
    def left_s(self) -> float | None:
        """Seconds of work that are left, by the rate so far; None while unknown."""
        now = self.progress
        if now is None or now.rate <= 0 or now.done_s <= 0:
            return None
        return max(0.0, now.total_s - now.done_s) / now.rate


class Jobs:
    """A queue with one worker thread; the index takes one writer at a time anyway."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._ended: deque[Job] = deque(maxlen=_KEEP_ENDED)
        self._stop = threading.Event()  # for the job that runs
        self._closed = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, title: str, work: Work, *, keep: bool = False) -> Job:
        """Put work in the queue. Raises InputError when too much waits already."""
        job = Job(title, work, keep)
        with self._change:
            if self._closed:
                raise InputError("the server is stopping")
            if len(self._waiting) >= _MAX_WAITING:
                raise InputError(f"{_MAX_WAITING} jobs are waiting already", hint="try again when some are done")
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="vidembed-jobs", daemon=True)
                self._thread.start()
            self._change.notify_all()
        return job

    def all(self) -> list[Job]:
        """Ended ones, oldest first, then the running one, then those that wait."""
        with self._change:
            return [*self._ended, *([self._running] if self._running else []), *self._waiting]

    @property
    def busy(self) -> bool:
        with self._change:
            return self._running is not None or bool(self._waiting)

    def cancel(self) -> int:
        """Stop the running job at its next step and drop those that wait; how many."""
        with self._change:
            dropped = [job for job in self._waiting if not job.keep]
            for job in dropped:
                job.state, job.message = "cancelled", "not begun"
                job.over.set()
                self._ended.append(job)
                self._waiting.remove(job)
            self._stop.set()
            return len(dropped) + (self._running is not None)

    def forget(self) -> None:
        """Stop telling of what has ended."""
        with self._change:
            self._ended.clear()

    def wait(self, timeout_s: float) -> bool:
        """Until nothing runs or waits; False when that took too long."""
        with self._change:
            return self._change.wait_for(lambda: self._running is None and not self._waiting, timeout_s)

    def close(self, timeout_s: float = 30.0) -> None:
        """Cancel everything and wait for the worker to end."""
        self.cancel()
        with self._change:
            self._closed = True
            self._change.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _loop(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                job = self._running = self._waiting.popleft()
                self._stop.clear()
                job.state = "running"
            self._run(job)
            job.over.set()
            with self._change:
                self._running = None
                self._ended.append(job)
                self._change.notify_all()

    def _run(self, job: Job) -> None:
        def report(progress: Progress) -> None:
            job.progress = progress
            if self._stop.is_set() and progress.stage != "done":
                raise Cancelled("stopped")

        try:
            job.message = job.work(report)
            job.state = "done"
        except Cancelled:
            job.state, job.message = "cancelled", "what is done stays done; add again to go on"
        except VidembedError as error:
            job.state, job.message = "failed", f"{error.message}. {error.hint}".rstrip(". ")
        except Exception as error:
            # A bug: people see that it failed, the log gets the traceback, and the server lives on.
            _log.exception("job %s failed", job.title)
            job.state, job.message = "failed", f"{type(error).__name__}: {error}"
