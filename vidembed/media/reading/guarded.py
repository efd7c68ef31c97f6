"""A way out of a decoder that does not come back: each call to a reader has a time limit.

A decoder cannot be interrupted inside one frame, and files are untrusted: a damaged or hostile one may hold it for
ever. So the reader of a file works on a thread of its own. When a call takes too long, the file counts as unreadable
and the thread is left behind with what it holds; it is a daemon, so it does not keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from vidembed.errors import MediaUnreadable
from vidembed.protocols import Frame, StreamMode, VideoReader
from vidembed.types import AudioSamples, FrameBatch, Span

R = TypeVar("R")
_LOOK_EVERY_S = 0.5  # how soon a call that waits notices that nobody wants its answer any more
_END = object()


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
        """give_up: called when it is, to end what can be ended."""
        self._hand = _Hand(name, limit_s, stop, give_up)
        self._reader: VideoReader = self._hand.call(opens)
        self.info, self.backend = self._reader.info, self._reader.backend

    @property
    def counts(self) -> Mapping[str, int]:
        """See `protocols.VideoReader.counts`."""
        return self._reader.counts

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        """See `protocols.VideoReader.frames`."""
        return self._hand.call(lambda: self._reader.frames(times_s, short_side_px=short_side_px))

    def stream(
        self, *, rate_hz: float, short_side_px: int, span: Span | None = None, mode: StreamMode = "fixed"
    ) -> Iterator[Frame]:
        """See `protocols.VideoReader.stream`."""
        frames = self._reader.stream(rate_hz=rate_hz, short_side_px=short_side_px, span=span, mode=mode)
        while (frame := self._hand.call(lambda: next(frames, _END))) is not _END:
            assert isinstance(frame, Frame)
            yield frame

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        """See `protocols.VideoReader.audio`."""
        return self._hand.call(lambda: self._reader.audio(span, rate_hz=rate_hz))

    def close(self) -> None:
        self._hand.leave(self._reader.close)

    def __enter__(self) -> GuardedReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def within(
    limit_s: float,
    path: Path,
    work: Callable[[], R],
    *,
    stop: threading.Event | None = None,
    give_up: Callable[[], None] | None = None,
) -> R:
    """The result of one call about a file. Raises MediaUnreadable as `GuardedReader` does."""
    hand = _Hand(path.name, limit_s, stop, give_up)
    try:
        return hand.call(work)
    finally:
        hand.leave()


class _Hand:
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

    def leave(self, last: Callable[[], object] | None = None) -> None:
        """End the thread, after `last`: at once where nothing is unanswered, else whenever it comes back."""
        if last is not None and self._open:
            try:
                self.call(last)
            finally:
                self._calls.put(None)
            return
        if last is not None:
            self._calls.put((Future(), last))
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
            f"{self._name}: the decoder did not come back within {self._limit_s:g} s; it was left behind",
            hint="damaged, or made to hang decoders; if it is only slow, raise media.limits.decode_timeout_s",
        )
