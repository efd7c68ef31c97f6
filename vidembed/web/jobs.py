"""Work in the background, one job at a time, with progress and cancel; removals with undo and caption edits.

The index has one writer at a time. While a job runs, removals and edits wait in the queue, so the page does not block.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.errors import InputError, VidembedError
from vidembed.index.pipeline.run import Progress, ProgressCallback
from vidembed.types import Caption

if TYPE_CHECKING:
    from vidembed.index.contents import VideoRecord
    from vidembed.index.video_index import VideoIndex


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
        """Whether it is done, failed or cancelled."""
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
        """Whether a job runs or waits."""
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


_KEEP = 20
_UPLOAD_FOLDER = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Removed:
    """A video that was taken out, with what only people could say again."""

    token: str
    name: str
    paths: tuple[Path, ...]
    captions: tuple[Caption, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class Bin:
    """The videos taken out last: uploads keep their file for as long as they can be put back."""

    def __init__(self, index: VideoIndex, jobs: Jobs, uploads: Path) -> None:
        self._index, self._jobs, self._uploads = index, jobs, uploads
        self._held: dict[str, Removed] = {}
        self._lock = threading.Lock()

    def remove(self, record: VideoRecord) -> Removed:
        """Take the video out now, or after what runs; it can be put back."""
        video_id = record.info.video_id
        mine = tuple(caption for caption in self._index.captions(video_id) if caption.human)
        gone = Removed(secrets.token_urlsafe(8), record.info.path.name, record.paths, mine, dict(record.tags))

        def work(report: ProgressCallback) -> str:
            self._index.remove(video_id)
            return "taken out of the library"

        if self._jobs.busy:
            self._jobs.start(f"Removing {gone.name}", work)
        else:
            self._index.remove(video_id)
        with self._lock:
            self._held[gone.token] = gone
            dropped = [self._held.pop(token) for token in list(self._held)[:-_KEEP]]
        for old in dropped:
            self._discard(old)
        return gone

    def put_back(self, token: str) -> Removed:
        """Index the video again and give it back its captions by hand and tags. Raises InputError when it is gone."""
        with self._lock:
            gone = self._held.pop(token, None)
        if gone is None:
            raise InputError("this removal can no longer be undone", hint="add the file again")

        def work(report: ProgressCallback) -> str:
            run = self._index.add(list(gone.paths), progress=report)
            known = {clip.clip_id for caption in gone.captions[:1] for clip in self._index.clips(caption.clip.video_id)}
            self._index.save_captions([caption for caption in gone.captions if caption.clip.clip_id in known])
            if gone.tags:
                self._index.tag(list(gone.paths), gone.tags)
            return f"{gone.name} is back" if not run.failed else str(run)

        self._jobs.start(f"Putting {gone.name} back", work)
        return gone

    def _discard(self, gone: Removed) -> None:
        known = {row.path for row in self._index.catalog.videos.paths().values()}
        discard_uploads(self._uploads, [path for path in gone.paths if path.as_posix() not in known])


class Edits:
    """Captions by hand: saved at once, or after what runs."""

    def __init__(self, index: VideoIndex, jobs: Jobs) -> None:
        self._index, self._jobs = index, jobs
        self._waiting: dict[str, Caption] = {}
        self._lock = threading.Lock()

    def save(self, captions: Sequence[Caption]) -> bool:
        """Whether they are saved already; else they wait for the running work."""
        if not self._jobs.busy:
            self._index.save_captions(captions)
            return True
        with self._lock:
            if not self._waiting:
                self._jobs.start("Saving captions", self._flush, keep=True)
            self._waiting |= {caption.clip.clip_id: caption for caption in captions}
        return False

    def waiting(self) -> dict[str, Caption]:
        """Clip id -> the caption that will be saved."""
        with self._lock:
            return dict(self._waiting)

    def close(self) -> None:
        """Save what still waits; called when nothing runs any more."""
        self._flush(lambda progress: None)

    def _flush(self, report: ProgressCallback) -> str:
        saved = 0
        while waiting := self.waiting():
            saved += len(self._index.save_captions(list(waiting.values())))
            with self._lock:
                for clip_id, caption in waiting.items():
                    if self._waiting.get(clip_id) is caption:  # else it was corrected again meanwhile
                        del self._waiting[clip_id]
        return f"{saved} saved"


def discard_uploads(uploads: Path, paths: Iterable[Path]) -> None:
    """Delete files that were uploaded; other people's files stay where they are."""
    for path in paths:
        if path.is_relative_to(uploads):
            path.unlink(missing_ok=True)
            try:
                os.rmdir(path.parent)
            except OSError:
                continue  # something else is in there


def sweep_uploads(index: VideoIndex, uploads: Path) -> None:
    """Delete uploads that are in no library: taken out, or cut off before they were indexed."""
    known = {row.path for row in index.catalog.videos.paths().values()}
    held = (path for path in uploads.glob("*/*") if _UPLOAD_FOLDER.fullmatch(path.parent.name))
    discard_uploads(uploads, [path for path in held if path.as_posix() not in known])
