"""Readers in this process, or in one of their own: a file that crashes its decoder then ends that process only.

A decoder process reads one file after the other; starting one costs about half a second. Requests go to it as JSON
lines; answers come back as a JSON line, with the bytes of its arrays behind it. Nothing that it says is run as code, so
that a file that takes over the decoder has gained little.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from vidembed import errors
from vidembed.config.schema import MediaSettings
from vidembed.errors import DecoderCrashed, MediaUnreadable, VidembedError
from vidembed.protocols import Frame, StreamMode, VideoReader
from vidembed.types import AudioSamples, FrameBatch, Span, SubtitleTrack, TextLine, VideoInfo

Arrays = list[np.ndarray[Any, Any]]
Answer = tuple[dict[str, Any], Arrays]
_KEPT = 4  # processes that wait for the next file
# Nothing else can come out of a reader, so nothing else is believed.
_DTYPES = frozenset({"uint8", "float32", "float64"})


def open_here(path: Path, settings: MediaSettings, *, threads: int = 0) -> VideoReader:
    """Open a file in this process, with the reader that the settings name. No call to it has a time limit."""
    if settings.reader == "decord":
        from vidembed.media.reading.decord_reader import DecordReader

        return DecordReader(path, settings, threads=threads)
    from vidembed.media.reading.pyav_reader import PyavReader

    return PyavReader(path, settings, threads=threads)


class DecoderProcess:
    """A process that decodes. Raises MediaUnreadable where it is gone, naming the file in hand."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vidembed.media.reading.isolated"],
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

    def ask(self, op: str, **values: Any) -> Answer:
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

    def _gone(self) -> DecoderCrashed:
        self.kill()
        return DecoderCrashed(
            f"{self.name}: it crashed the decoder (exit {self._process.returncode})",
            hint="the file is damaged, or made to crash decoders; leave it out",
        )


class IsolatedReader:
    """A `protocols.VideoReader` in a `DecoderProcess`, which is given back for the next file on `close`."""

    def __init__(self, process: DecoderProcess, path: Path, settings: MediaSettings, *, threads: int = 0) -> None:
        self._process = process
        process.name = path.name
        try:
            how = settings.model_dump(mode="json")
            told, _ = process.ask("open", path=str(path.absolute()), settings=how, threads=threads)
        except BaseException:
            PROCESSES.give(process)
            raise
        self.info = VideoInfo(**{**told["info"], "path": path, "fps": Fraction(told["info"]["fps"])})
        self.backend: str = told["backend"]
        self.counts: Mapping[str, int] = told["counts"]

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        _, (rgb, shown_s) = self._ask("shown", times_s=[float(time) for time in times_s], short_side_px=short_side_px)
        return FrameBatch(rgb, shown_s)

    def stream(
        self,
        *,
        rate_hz: float,
        short_side_px: int,
        span: Span | None = None,
        mode: StreamMode = "fixed",
        cuts: bool = False,
    ) -> Iterator[Frame]:
        self._ask("stream", rate_hz=rate_hz, short_side_px=short_side_px, span=_plain(span), mode=mode, cuts=cuts)
        while True:
            told, arrays = self._ask("next")
            if told["time_s"] is None:
                return
            yield Frame(told["time_s"], arrays[0], cut_s=told["cut_s"])

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        told, (samples,) = self._ask("audio", span=_plain(span), rate_hz=rate_hz)
        return AudioSamples(samples, told["rate_hz"], told["start_s"])

    def subtitles(self, *, pictures: bool = False) -> list[SubtitleTrack]:
        told, _ = self._ask("subtitles", pictures=pictures)
        return [
            SubtitleTrack(
                **{
                    **track,
                    "lines": tuple(TextLine(Span(*span), text) for span, text in track["lines"]),
                    "pictures": tuple(map(base64.b64decode, track["pictures"])),
                }
            )
            for track in told["tracks"]
        ]

    def close(self) -> None:
        try:
            self._process.ask("close")
        except MediaUnreadable:
            return  # gone; all that it gave is good
        PROCESSES.give(self._process)

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, op: str, **values: Any) -> Answer:
        told, arrays = self._process.ask(op, **values)
        self.counts = told["counts"]
        return told, arrays


class DecoderProcesses:
    """Those that wait for a file, so that not every file has to start one. Thread-safe."""

    def __init__(self) -> None:
        self._idle: list[DecoderProcess] = []
        self._lock = threading.Lock()

    def take(self) -> DecoderProcess:
        """One that waits, else a new one."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.lives:
                    return process
        return DecoderProcess()

    def give(self, process: DecoderProcess) -> None:
        """Keep it for the next file, or end it where enough wait."""
        with self._lock:
            if process.lives and len(self._idle) < _KEPT:
                self._idle.append(process)
                return
        process.kill()

    def end(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().kill()


PROCESSES = DecoderProcesses()
atexit.register(PROCESSES.end)


def _plain(span: Span | None) -> list[float] | None:
    return None if span is None else [span.start_s, span.end_s]


def _error(kind: str, message: str, hint: str) -> Exception:
    """The reader's error, if it is one of ours or of the two that readers raise for nonsense."""
    own = getattr(errors, kind, None)
    if isinstance(own, type) and issubclass(own, VidembedError):
        return own(message, hint=hint)
    return ValueError(message) if kind == "ValueError" else RuntimeError(f"{kind}: {message}")


# --- In the decoder process ---------------------------------------------------------------------------------------


class _Server:
    """What the decoder process has open."""

    def __init__(self) -> None:
        self._reader: VideoReader | None = None
        self._frames: Iterator[Frame] = iter(())

    def answer(self, asked: dict[str, Any]) -> Answer:
        op = asked.pop("op")
        if op == "open":
            return self._open(**asked)
        assert self._reader is not None
        if op == "close":
            self._reader.close()
            self._reader = None
            return {}, []
        told, arrays = getattr(self, f"_{op}")(self._reader, **asked)
        return {**told, "counts": dict(self._reader.counts)}, arrays

    def _open(self, path: str, settings: dict[str, Any], threads: int) -> Answer:
        self._reader = open_here(Path(path), MediaSettings(**settings), threads=threads)
        info = {**vars(self._reader.info), "path": path, "fps": str(self._reader.info.fps)}
        return {"info": info, "backend": self._reader.backend, "counts": dict(self._reader.counts)}, []

    def _stream(self, reader: VideoReader, *, span: list[float] | None, **options: Any) -> Answer:
        self._frames = reader.stream(span=Span(*span) if span else None, **options)
        return {}, []

    def _next(self, reader: VideoReader) -> Answer:
        frame = next(self._frames, None)
        if frame is None:
            return {"time_s": None}, []
        return {"time_s": frame.time_s, "cut_s": frame.cut_s}, [frame.rgb]

    def _shown(self, reader: VideoReader, times_s: list[float], short_side_px: int) -> Answer:
        found = reader.frames(times_s, short_side_px=short_side_px)
        return {}, [found.rgb, found.times_s]

    def _audio(self, reader: VideoReader, span: list[float], rate_hz: int) -> Answer:
        found = reader.audio(Span(*span), rate_hz=rate_hz)
        return {"rate_hz": found.rate_hz, "start_s": found.start_s}, [found.samples]

    def _subtitles(self, reader: VideoReader, pictures: bool) -> Answer:
        tracks = [
            {
                **vars(track),
                "lines": [(_plain(line.span), line.text) for line in track.lines],
                "pictures": [base64.b64encode(png).decode() for png in track.pictures],
            }
            for track in reader.subtitles(pictures=pictures)
        ]
        return {"tracks": tracks}, []


def serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    server = _Server()
    for line in asked:
        try:
            answer, arrays = server.answer(json.loads(line))
        except Exception as error:
            hint = error.hint if isinstance(error, VidembedError) else ""
            answer, arrays = {"error": [type(error).__name__, str(error), hint]}, []
        answer["arrays"] = [[str(array.dtype), list(array.shape)] for array in arrays]
        told.write(json.dumps(answer).encode() + b"\n")
        for array in arrays:
            told.write(np.ascontiguousarray(array).data)
        told.flush()


def main() -> None:
    """Run the decoder process."""
    # What libraries print must not come between the answers.
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, told)


if __name__ == "__main__":
    main()
