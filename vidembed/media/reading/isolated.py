"""Readers in a process of their own: a file that crashes or hangs its decoder ends that process, not this one.

A child reads many files, one after the other; starting one costs about half a second.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidembed import errors
from vidembed.errors import MediaUnreadable, VidembedError
from vidembed.media.reading.container import Limits
from vidembed.protocols import Frame, StreamMode
from vidembed.types import AudioSamples, FrameBatch, Span, VideoInfo

Arrays = list[np.ndarray[Any, Any]]
_KEPT = 4  # children that wait for the next file
# Nothing else can come out of a reader, so nothing else is believed.
_DTYPES = frozenset({"uint8", "float32", "float64"})


class Child:
    """A process that decodes. Raises MediaUnreadable where it is gone, naming the file in hand."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vidembed.media.reading._decoder_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.name = ""  # of the file in hand, for messages

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, whatever it does; who waits for its answer is told so."""
        self._process.kill()
        self._process.wait()

    def ask(self, op: str, **values: Any) -> tuple[dict[str, Any], Arrays]:
        """The answer to one request: a record, and arrays. Raises what the reader raised."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"op": op, **values}).encode() + b"\n")
            self._process.stdin.flush()
            told = json.loads(self._read_line())
            arrays = [self._read_array(dtype, shape) for dtype, shape in told.pop("arrays")]
        except (OSError, ValueError) as error:
            raise self._gone() from error
        if "error" in told:
            raise _error(*told["error"])
        return told, arrays

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._gone()
        return line

    def _read_array(self, dtype: str, shape: list[int]) -> np.ndarray[Any, Any]:
        assert self._process.stdout is not None
        if dtype not in _DTYPES:
            raise ValueError(f"no reader gives {dtype}")
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        content = self._process.stdout.read(size)
        if len(content) != size:
            raise self._gone()
        return np.frombuffer(bytearray(content), dtype).reshape(shape)

    def _gone(self) -> MediaUnreadable:
        self.kill()
        return MediaUnreadable(
            f"{self.name}: the decoder's process ended ({self._process.returncode})",
            hint="the file crashes decoders: damaged, or made to; leave it out",
        )


class IsolatedReader:
    """A `protocols.VideoReader` over a `Child`, which is given back for the next file when this one is closed."""

    def __init__(self, child: Child, path: Path, *, limits: Limits, **options: Any) -> None:
        """options: as in `reader.open_video`."""
        self._child = child
        child.name = path.name
        try:
            told, _ = child.ask("open", path=str(path.absolute()), limits=asdict(limits), **options)
        except BaseException:
            CHILDREN.give(child)
            raise
        self.info = VideoInfo(**{**told["info"], "path": path, "fps": Fraction(told["info"]["fps"])})
        self.backend: str = told["backend"]
        self.counts: Mapping[str, int] = told["counts"]

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        """See `protocols.VideoReader.frames`."""
        _, (rgb, shown_s) = self._ask("shown", times_s=[float(time) for time in times_s], short_side_px=short_side_px)
        return FrameBatch(rgb, shown_s)

    def stream(
        self, *, rate_hz: float, short_side_px: int, span: Span | None = None, mode: StreamMode = "fixed"
    ) -> Iterator[Frame]:
        """See `protocols.VideoReader.stream`."""
        self._ask("stream", rate_hz=rate_hz, short_side_px=short_side_px, span=_plain(span), mode=mode)
        while True:
            told, arrays = self._ask("next")
            if told["time_s"] is None:
                return
            yield Frame(told["time_s"], arrays[0])

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        """See `protocols.VideoReader.audio`."""
        told, (samples,) = self._ask("audio", span=_plain(span), rate_hz=rate_hz)
        return AudioSamples(samples, told["rate_hz"], told["start_s"])

    def close(self) -> None:
        try:
            self._child.ask("close")
        except MediaUnreadable:
            return  # gone; all that it gave is good
        CHILDREN.give(self._child)

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, op: str, **values: Any) -> tuple[dict[str, Any], Arrays]:
        told, arrays = self._child.ask(op, **values)
        self.counts = told["counts"]
        return told, arrays


class Children:
    """Those that wait for a file, so that not every file has to start one. Safe for many threads."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._lock = threading.Lock()

    def take(self) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.lives:
                    return child
        return Child()

    def give(self, child: Child) -> None:
        with self._lock:
            if child.lives and len(self._idle) < _KEPT:
                self._idle.append(child)
                return
        child.kill()

    def end(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().kill()


CHILDREN = Children()
atexit.register(CHILDREN.end)


def _plain(span: Span | None) -> list[float] | None:
    return None if span is None else [span.start_s, span.end_s]


def _error(kind: str, message: str, hint: str) -> Exception:
    """The reader's error, if it is one of ours or of the two that readers raise for nonsense."""
    own = getattr(errors, kind, None)
    if isinstance(own, type) and issubclass(own, VidembedError):
        return own(message, hint=hint)
    return ValueError(message) if kind == "ValueError" else RuntimeError(f"{kind}: {message}")
