"""Frames and sound through PyAV (FFmpeg in the process): the default reader."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable
from vidembed.media.reading.audio import OpenFile
from vidembed.media.reading.forward import ForwardPass, GopDecoders
from vidembed.media.reading.gops import PLANNABLE, StreamRequest
from vidembed.media.reading.picture_stream import PictureStream, Position
from vidembed.media.reading.scaling import Scaler
from vidembed.media.reading.skipped import Skipped
from vidembed.media.segmenting.cuts import near_s
from vidembed.media.segmenting.shots import with_cuts
from vidembed.protocols import Frame, StreamMode
from vidembed.types import FrameBatch, Image, Span

_MAX_THREADS = 4  # each thread of a decoder holds a whole picture


class PyavReader(OpenFile):
    """One opened video (`protocols.VideoReader`)."""

    backend: str = "pyav"

    def __init__(self, path: str | Path, settings: MediaSettings | None = None, *, threads: int = 0) -> None:
        """threads: that decode; 0 = one a core, at most 4: with fewer, encoding waits for it on small machines."""
        super().__init__(path, settings)
        self._counts["read"] = 0
        self._threads = threads or min(_MAX_THREADS, os.cpu_count() or 1)
        self._pictures: _Pictures | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        known = dict(self._counts)
        return known | {"skipped": max(0, known.pop("read") - known["decoded"] - known["corrupt"])}

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        if not len(times_s):
            raise ValueError("frames needs at least one time")
        pictures = self._open()
        images: list[Image] = []
        shown_s: list[float] = []
        for time_s in sorted(times_s):
            found = pictures.shown_at(float(time_s), short_side_px)
            if found is not None and (not shown_s or found.time_s > shown_s[-1]):
                images.append(found.rgb)
                shown_s.append(found.time_s)
        if not images:
            raise MediaUnreadable(f"{self._path.name}: no picture can be decoded at {times_s[0]:.3f} s")
        return FrameBatch(np.stack(images), np.asarray(shown_s, dtype=np.float64))

    def stream(
        self,
        *,
        rate_hz: float,
        short_side_px: int,
        span: Span | None = None,
        mode: StreamMode = "fixed",
        cuts: bool = False,
    ) -> Iterator[Frame]:
        if not rate_hz > 0:
            raise ValueError(f"rate_hz must be positive, got {rate_hz}")
        pictures = self._open()
        served = False
        for frame in pictures.sample(rate_hz, short_side_px, mode, span, cuts):
            served = True
            yield frame
        if served or (span is not None and mode == "keyframes"):
            return
        # A picture that stands for longer than the span: what is on show when the span begins. Without a span: the
        # first one, where an edit list hides the only keyframe.
        found = pictures.shown_at(span.start_s if span is not None else 0.0, short_side_px)
        if found is not None:
            yield found
        elif span is None:
            raise MediaUnreadable(f"{self._path.name}: no picture can be decoded", hint="try playing it with ffplay")

    def close(self) -> None:
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None
        super().close()

    def _open(self) -> _Pictures:
        if self._pictures is None:
            plannable = self.info.codec in PLANNABLE
            self._pictures = _Pictures(self._decoder, self._threads, self._counts, plannable=plannable)
        return self._pictures

    def _decoder(self, threads: int, counts: dict[str, int]) -> tuple[PictureStream, Scaler]:
        scaler = Scaler(self._path, self._geometry())
        return PictureStream(self._path, self._headers, self._limits, threads=threads, counts=counts), scaler


class _Pictures:
    """The pictures of one file, by time or in one pass."""

    def __init__(
        self,
        opens: Callable[[int, dict[str, int]], tuple[PictureStream, Scaler]],
        threads: int,
        counts: dict[str, int],
        *,
        plannable: bool,
    ) -> None:
        """opens: a decoder of so many threads, given the counts to add to. plannable: see `gops.PLANNABLE`."""
        self._opens = opens
        self._stream, self._scaler = opens(threads, counts)
        self._position = Position(self._stream)
        self._gop_decoders = GopDecoders(threads, partial(opens, 1)) if threads > 1 else None
        self._plannable = plannable

    def sample(
        self, rate_hz: float, short_side_px: int, mode: StreamMode, span: Span | None, cuts: bool
    ) -> Iterator[Frame]:
        """The frame of each slot, in one forward pass (see `gops`)."""
        from_s, until_s = (span.start_s, span.end_s) if span else (-self._stream.frame_s, float("inf"))
        self._position.forget()
        if from_s > 0:
            self._stream.seek_before(from_s)
        else:
            self._stream.rewind()
        request = StreamRequest(rate_hz, short_side_px, mode, from_s, until_s, cuts)
        again = Skipped(lambda: self._opens(1, defaultdict(int))[0], self._stream.frame_s) if cuts else None
        forward = ForwardPass(
            self._stream, self._scaler, self._gop_decoders, request, plannable=self._plannable, again=again
        )
        if again is None:
            yield from forward.frames()
            return
        beside: list[_Pictures] = []  # opened only where a shot has no frame

        def shown_at(time_s: float) -> Frame | None:
            if not beside:
                beside.append(_Pictures(self._opens, 1, defaultdict(int), plannable=self._plannable))
            return beside[0].shown_at(time_s, short_side_px)

        try:
            yield from with_cuts(forward.frames(), forward.seen, shown_at, near_s=near_s(self._stream.frame_s))
        finally:
            again.close()
            for pictures in beside:
                pictures.close()

    def shown_at(self, time_s: float, short_side_px: int) -> Frame | None:
        """The last frame with a time of at most time_s, or the first frame where there is none before."""
        found = self._position.shown_at(time_s)
        return None if found is None else Frame(found[1], self._scaler.rgb(found[0], short_side_px))

    def close(self) -> None:
        self._position.forget()
        if self._gop_decoders is not None:
            self._gop_decoders.close()
        self._stream.close()
