"""Open a video, with a time limit for every call to its decoder.

A decoder cannot be interrupted inside one frame, and files are untrusted: a damaged or hostile one may hold it for
ever. So the reader of a file works on a thread of its own. When a call takes too long, the file counts as unreadable
and the thread is left behind with what it holds; it is a daemon, so it does not keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable
from vidembed.media.reading.isolated import PROCESSES, IsolatedReader, open_here
from vidembed.media.remote import COPIES
from vidembed.protocols import Frame, StreamMode, VideoReader
from vidembed.types import AudioSamples, FrameBatch, Span, SubtitleTrack

R = TypeVar("R")
_LOOK_EVERY_S = 0.5  # how soon a waiting call notices that it was told to stop
_END = object()


def open_video(
    path: str | Path,
    settings: MediaSettings | None = None,
    *,
    threads: int = 0,
    stop: threading.Event | None = None,
) -> VideoReader:
    """Open one file. A context manager.

    Args:
        path: The file; of a remote one a copy is made, which is gone when the reader is closed.
        settings: Which reader, which sound track, in which process, within which limits.
        threads: That decode it; 0 = one a core, at most 4. Give 1 where several videos are decoded at once.
        stop: Set it, and calls that wait for the decoder end with MediaUnreadable.

    Raises:
        MediaNotFound: There is no such file.
        MediaUnreadable: It is damaged, not a media file, refused, beyond the limits, or takes too long.
        NoSuchStream: It holds neither picture nor sound.
        ConfigError: It has no sound track of that number.
        MissingDependency: The package of the reader is not installed.
    """
    path, settings = Path(path), settings or MediaSettings()
    with ExitStack() as held:
        copy = held.enter_context(COPIES.local(path, settings.limits))
        opens: Callable[[], VideoReader] = partial(open_here, copy, settings, threads=threads)
        give_up: Callable[[], None] | None = None
        if settings.isolate == "always":
            process = PROCESSES.take()
            opens, give_up = partial(IsolatedReader, process, copy, settings, threads=threads), process.kill
        reader = GuardedReader(opens, copy.name, limit_s=settings.limits.decode_timeout_s, stop=stop, give_up=give_up)
        reader.info = replace(reader.info, path=path)
        reader.held = held.pop_all()
    return reader


class GuardedReader:
    """A `protocols.VideoReader` around another one, with a time limit for every call.

    Raises MediaUnreadable when a call takes more than limit_s, or when `stop` is set while it waits; from then on for
    every call.
    """

    def __init__(
        self,
        opens: Callable[[], VideoReader],
        name: str,
        *,
        limit_s: float,
        stop: threading.Event | None = None,
        give_up: Callable[[], None] | None = None,
    ) -> None:
        """give_up: called when it gives up, to end what can be ended."""
        self._thread = CallThread(name, limit_s, stop, give_up)
        self._reader: VideoReader = self._thread.call(opens)
        self.info, self.backend = self._reader.info, self._reader.backend
        self.held = ExitStack()  # closed with it

    @property
    def counts(self) -> Mapping[str, int]:
        return self._reader.counts

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        return self._thread.call(lambda: self._reader.frames(times_s, short_side_px=short_side_px))

    def stream(
        self,
        *,
        rate_hz: float,
        short_side_px: int,
        span: Span | None = None,
        mode: StreamMode = "fixed",
        cuts: bool = False,
    ) -> Iterator[Frame]:
        frames = self._reader.stream(rate_hz=rate_hz, short_side_px=short_side_px, span=span, mode=mode, cuts=cuts)
        while (frame := self._thread.call(lambda: next(frames, _END))) is not _END:
            assert isinstance(frame, Frame)
            yield frame

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        return self._thread.call(lambda: self._reader.audio(span, rate_hz=rate_hz))

    def subtitles(self, *, pictures: bool = False) -> list[SubtitleTrack]:
        return self._thread.call(lambda: self._reader.subtitles(pictures=pictures))

    def close(self) -> None:
        with self.held:
            self._thread.leave(self._reader.close)

    def __enter__(self) -> GuardedReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class CallThread:
    """A thread that does one call after the other, and whoever waits for it."""

    def __init__(
        self, name: str, limit_s: float, stop: threading.Event | None, give_up: Callable[[], None] | None
    ) -> None:
        self._name, self._limit_s = name, limit_s
        self._give_up = give_up or (lambda: None)
        self._stop = stop or threading.Event()
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._open = True  # nothing asked is unanswered
        threading.Thread(target=self._run, name=f"vidembed-reader {name}", daemon=True).start()

    def call(self, work: Callable[[], R]) -> R:
        """The result of one call. Raises what it raises, or MediaUnreadable when it takes too long."""
        if not self._open:
            raise self._given_up()
        answer: Future[R] = Future()
        self._open = False
        self._calls.put((answer, work))
        left_s = self._limit_s
        while left_s > 0 and not answer.done() and not self._stop.is_set():
            step_s = min(_LOOK_EVERY_S, left_s)
            left_s -= step_s
            try:
                answer.exception(step_s)
            except TimeoutError:
                continue
        if not answer.done():
            self._give_up()
            raise self._given_up()
        self._open = True
        return answer.result()

    def leave(self, last: Callable[[], object]) -> None:
        """End the thread, after `last`: at once where nothing is unanswered, else whenever it comes back."""
        try:
            if self._open:
                self.call(last)
            else:
                self._calls.put((Future(), last))
        finally:
            self._calls.put(None)

    def _run(self) -> None:
        while (entry := self._calls.get()) is not None:
            answer, work = entry
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)

    def _given_up(self) -> MediaUnreadable:
        if self._stop.is_set():
            return MediaUnreadable(f"{self._name}: reading was stopped")
        return MediaUnreadable(
            f"{self._name}: the decoder did not answer within {self._limit_s:g} s and was given up",
            hint="damaged, or made to hang decoders; if it is only slow, raise media.limits.decode_timeout_s",
        )
