"""The child of `isolated`: reads one file after the other, and answers what its parent asks.

Requests come as JSON lines on stdin; answers go out as a JSON line, with the bytes of its arrays behind it. Nothing
that the child says is run as code by the parent, so that a file that takes over the decoder has gained little.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from vidembed.errors import VidembedError
from vidembed.media.reading.container import Limits
from vidembed.media.reading.reader import open_video
from vidembed.protocols import Frame, VideoReader
from vidembed.types import Span

Answer = tuple[dict[str, Any], list[np.ndarray[Any, Any]]]


class Server:
    """What the child has open."""

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

    def _open(self, path: str, limits: dict[str, Any], **options: Any) -> Answer:
        self._reader = open_video(Path(path), limits=Limits(**limits), **options)
        info = {**vars(self._reader.info), "path": path, "fps": str(self._reader.info.fps)}
        return {"info": info, "backend": self._reader.backend, "counts": dict(self._reader.counts)}, []

    def _stream(self, reader: VideoReader, *, span: list[float] | None, **options: Any) -> Answer:
        self._frames = reader.stream(span=Span(*span) if span else None, **options)
        return {}, []

    def _next(self, reader: VideoReader) -> Answer:
        frame = next(self._frames, None)
        return ({"time_s": None}, []) if frame is None else ({"time_s": frame.time_s}, [frame.rgb])

    def _shown(self, reader: VideoReader, times_s: list[float], short_side_px: int) -> Answer:
        found = reader.frames(times_s, short_side_px=short_side_px)
        return {}, [found.rgb, found.times_s]

    def _audio(self, reader: VideoReader, span: list[float], rate_hz: int) -> Answer:
        found = reader.audio(Span(*span), rate_hz=rate_hz)
        return {"rate_hz": found.rate_hz, "start_s": found.start_s}, [found.samples]


def serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """Until there are no more requests."""
    server = Server()
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
    # What libraries print must not come between the answers.
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, told)


if __name__ == "__main__":
    main()
