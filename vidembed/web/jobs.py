"""Work in the background, one job at a time, with progress and cancel; removals with undo and caption edits.

The index has one writer at a time. While a job runs, removals and edits wait in the queue, so the page does not block.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.errors import InputError, VidembedError
from vidembed.files import write_text
from vidembed.index.pipeline.run import Progress, ProgressCallback
from vidembed.media.remote import name_of
from vidembed.types import Caption
from vidembed.web.searches import Courtesy, step_back

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
    """One piece of work. state: waiting, running, stopping, done, failed, cancelled. message: how it ended.

    keep: `cancel` does not drop it, since what a person wrote is in it.
    """

    title: str
    work: Work
    keep: bool = False
    state: str = "waiting"
    progress: Progress | None = None
    share: float | None = None  # how much of the work is done, 0..1, never back; None while unknown
    message: str = ""
    job_id: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    over: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Until it ended. Raises what stopped it, as an InputError with the reason."""
        self.over.wait()
        if self.state != "done":
            raise InputError(f"{self.title}: {self.state}", hint=self.message)

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def left_s(self) -> float | None:
        """Seconds of work that are left, by the rate so far; None while unknown."""
        now = self.progress
        if now is None or now.rate <= 0 or now.done_s <= 0:
            return None
        return max(0.0, now.total_s - now.done_s) / now.rate

    def told(self, progress: Progress) -> None:
        """Take in how far the work is. Raises Cancelled where it is to stop."""
        self.progress = progress
        if progress.total_s > 0:
            self.share = max(self.share or 0.0, min(1.0, progress.done_s / progress.total_s))
        if self.stop.is_set() and progress.stage != "done":
            raise Cancelled("stopped")


class Jobs:
    """A queue with one worker thread, which gives way to searches; the index takes one writer at a time anyway."""

    def __init__(self, courtesy: Courtesy | None = None) -> None:
        self._courtesy = courtesy or Courtesy()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._ended: deque[Job] = deque(maxlen=_KEEP_ENDED)
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

    def soon(self, title: str, message: str, change: Callable[[], object]) -> bool:
        """A short change of the index, now or after what runs; whether it is done already. message: how it ended."""
        if not self.busy:
            change()
            return True

        def work(report: ProgressCallback) -> str:
            change()
            return message

        self.start(title, work, keep=True)
        return False

    def all(self) -> list[Job]:
        """Ended ones, oldest first, then the running one, then those that wait."""
        with self._change:
            return [*self._ended, *([self._running] if self._running else []), *self._waiting]

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._change:
            return self._running is not None or bool(self._waiting)

    def cancel(self, job_id: str | None = None) -> int:
        """Stop one job, or all: the running one at its next step; those that wait are dropped. Returns how many."""
        with self._change:
            dropped = [job for job in self._waiting if not job.keep and job_id in (None, job.job_id)]
            for job in dropped:
                job.state, job.message = "cancelled", "not begun"
                job.over.set()
                self._ended.append(job)
                self._waiting.remove(job)
            running = self._running
            if running is None or job_id not in (None, running.job_id):
                return len(dropped)
            running.state = "stopping"
            running.stop.set()
            return len(dropped) + 1

    def forget(self, job_id: str) -> None:
        """Stop telling of a job that has ended."""
        with self._change:
            kept = [job for job in self._ended if job.job_id != job_id]
            self._ended = deque(kept, maxlen=_KEEP_ENDED)

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
        step_back()
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                job = self._running = self._waiting.popleft()
                job.state = "running"
            self._run(job)
            job.over.set()
            with self._change:
                self._running = None
                self._ended.append(job)
                self._change.notify_all()

    def _told(self, job: Job, progress: Progress) -> None:
        job.told(progress)
        self._courtesy.give_way()

    def _run(self, job: Job) -> None:
        try:
            job.message = job.work(partial(self._told, job))
            job.state = "done"
        except Cancelled:
            job.state, job.message = "cancelled", "what is done stays done; add again to go on"
        except VidembedError as error:
            job.state, job.message = "failed", error.sentences
        except Exception as error:
            # A bug: people see that it failed, the log gets the traceback, and the server lives on.
            _log.exception("job %s failed", job.title)
            job.state, job.message = "failed", f"{type(error).__name__}: {error}"


_UPLOAD_FOLDER = re.compile(r"[0-9a-f]{16}")
KEEP_REMOVED_S = 24 * 3600.0


@dataclass(frozen=True)
class Removed:
    """A video that was taken out and can be put back until `until_s` (seconds since 1970)."""

    video_id: str
    name: str
    until_s: float


class Trash:
    """Videos that were taken out: left out of everything at once, forgotten for good after a day.

    Until then all that is known of them stays, so that putting one back takes no time and loses nothing. Kept in a
    file: a reload of the page or a restart of the server changes nothing.
    """

    def __init__(self, index: VideoIndex, jobs: Jobs, uploads: Path) -> None:
        self._index, self._jobs, self._uploads = index, jobs, uploads
        self._file = index.path / "removed.json"
        self._lock = threading.Lock()

    def all(self) -> list[Removed]:
        """What can be put back, the latest first; what was added again meanwhile is not among it."""
        held = [one for one in self._read().values() if self._is_out(one.video_id)]
        return sorted(held, key=lambda one: (-one.until_s, one.name))

    def remove(self, record: VideoRecord) -> Removed:
        """Take the video out now, or after what runs."""
        info = record.info
        gone = Removed(info.video_id, name_of(info.path), time.time() + KEEP_REMOVED_S)
        self._jobs.soon(f"Removing {gone.name}", "taken out of the library", lambda: self._index.hide([info.video_id]))
        with self._lock:
            self._write({**self._read(), info.video_id: gone})
        return gone

    def put_back(self, video_id: str) -> Removed:
        """Take the video in again, as it was. Raises InputError when it is gone for good."""
        with self._lock:
            held = self._read()
            gone = held.pop(video_id, None)
            if gone is None:
                raise InputError("this removal can no longer be undone", hint="add the file again")
            self._write(held)
        self._jobs.soon(f"Putting {gone.name} back", f"{gone.name} is back",
                 lambda: self._index.hide([video_id], hidden=False))  # fmt: skip
        return gone

    def forget(self, *, now_s: float | None = None) -> list[Removed]:
        """Forget for good what was taken out long enough ago, uploads with their file. Called when nothing runs."""
        now_s = time.time() if now_s is None else now_s
        with self._lock:
            held = self._read()
            old = [one for one in held.values() if one.until_s <= now_s]
            self._write({one.video_id: one for one in held.values() if one not in old}) if old else None
        for one in old:
            if not self._is_out(one.video_id):
                continue
            paths = [Path(row.path) for row in self._index.catalog.videos.paths_of(one.video_id)]
            self._index.remove(one.video_id)
            discard_uploads(self._uploads, paths)
        return old

    def _is_out(self, video_id: str) -> bool:
        row = self._index.catalog.videos.get(video_id)
        return row is not None and row.missing

    def _read(self) -> dict[str, Removed]:
        try:
            held = [Removed(**one) for one in json.loads(self._file.read_text("utf-8"))]
        except FileNotFoundError:
            return {}
        return {one.video_id: one for one in held}

    def _write(self, held: Mapping[str, Removed]) -> None:
        write_text(self._file, json.dumps([asdict(one) for one in held.values()]))


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
