"""Frames and sound through PyAV (FFmpeg in the process): the default reader."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.errors import MediaUnreadable, NoSuchStream
from vidembed.media.audio import AudioTracks
from vidembed.media.container import mapped_errors, only, open_container, packets
from vidembed.media.gops import PLANNABLE, Gop, Plan, everything, group, plan, slot_of
from vidembed.media.hdr import BT2020, tone_map, transfer_of
from vidembed.media.limits import Limits
from vidembed.media.probe import Headers, read_headers
from vidembed.protocols import Frame, StreamMode
from vidembed.types import AudioSamples, FrameBatch, Image, Span

_EPSILON_S = 1e-6  # a time that came from a frame finds that frame again
_FAR_S = 10.0  # without an index: further ahead than this, seek instead of decoding on
_CUT_OFF_S = 0.5  # pictures that end this long before the header says so are missing, not rounded away
_MAX_THREADS = 4  # each thread of a decoder holds a whole picture


class PyavReader:
    """One opened video (`protocols.VideoReader`)."""

    backend: str = "pyav"

    def __init__(
        self, path: str | Path, limits: Limits | None = None, *, audio_track: int | None = None, threads: int = 0
    ) -> None:
        """threads: of the decoder; 0 = one a core, at most 4: with fewer, encoding waits for it on small machines."""
        self._path = Path(path)
        self._limits = limits or Limits()
        self._counts = {"read": 0, "decoded": 0, "corrupt": 0, "missing": 0, "seeks": 0, "audio_corrupt": 0}
        self._threads = threads or min(_MAX_THREADS, os.cpu_count() or 1)
        with open_container(self._path, self._limits) as container:
            self._headers = read_headers(container, self._path, self._limits)
        self.info = self._headers.info
        self._audio = AudioTracks(self._path, self._limits, self._headers, audio_track, self._counts)
        self._decoder: _Decoder | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """See `protocols.VideoReader.counts`."""
        known = dict(self._counts)
        return known | {"skipped": max(0, known.pop("read") - known["decoded"] - known["corrupt"])}

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        """See `protocols.VideoReader.frames`."""
        if not len(times_s):
            raise ValueError("frames needs at least one time")
        decoder = self._open()
        images: list[Image] = []
        shown_s: list[float] = []
        for time_s in sorted(times_s):
            found = decoder.shown_at(float(time_s))
            if found is None:
                continue
            frame, frame_s = found
            if not shown_s or frame_s > shown_s[-1]:
                images.append(decoder.rgb(frame, short_side_px))
                shown_s.append(frame_s)
        if not images:
            raise MediaUnreadable(f"{self._path.name}: no picture can be decoded at {times_s[0]:.3f} s")
        return FrameBatch(np.stack(images), np.asarray(shown_s, dtype=np.float64))

    def stream(
        self, *, rate_hz: float, short_side_px: int, span: Span | None = None, mode: StreamMode = "fixed"
    ) -> Iterator[Frame]:
        """See `protocols.VideoReader.stream`."""
        if not rate_hz > 0:
            raise ValueError(f"rate_hz must be positive, got {rate_hz}")
        decoder = self._open()
        served = False
        for frame, time_s in decoder.sample(rate_hz, mode, span):
            served = True
            yield Frame(time_s, decoder.rgb(frame, short_side_px))
        if served:
            return
        if span is None:
            raise MediaUnreadable(f"{self._path.name}: no picture can be decoded", hint="try playing it with ffplay")
        if mode != "keyframes":
            # A picture that stands for longer than the span: what is on show when the span begins.
            found = decoder.shown_at(span.start_s)
            if found is not None:
                yield Frame(found[1], decoder.rgb(found[0], short_side_px))

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        """See `protocols.VideoReader.audio`."""
        return self._audio.read(span, rate_hz=rate_hz)

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
        self._audio.close()

    def __enter__(self) -> PyavReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open(self) -> _Decoder:
        if self._headers.geometry is None or self._headers.video_index is None:
            raise NoSuchStream(f"{self._path.name}: has no picture", hint="it is sound only; use audio channels")
        if self._decoder is None:
            self._decoder = _Decoder(self._path, self._headers, self._limits, self._threads, self._counts)
        return self._decoder


class _Decoder:
    """The picture stream of one container and where it stands."""

    def __init__(self, path: Path, headers: Headers, limits: Limits, threads: int, counts: dict[str, int]) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        assert headers.geometry is not None
        assert headers.video_index is not None
        self._path, self._limits, self._threads, self._counts = path, limits, threads, counts
        self._index, self._geometry, self._start_s = headers.video_index, headers.geometry, headers.start_s
        self._frame_s = float(1 / headers.info.fps) if headers.info.fps else 0.04
        self._plannable = headers.info.codec in PLANNABLE
        self._reformatter = VideoReformatter()
        # Bicubic with its support widened for shrinking: what image towers were trained on.
        self._interpolation = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
        # Position of shown_at: the frames around the last answer.
        self._forward: Iterator[tuple[Any, float]] | None = None
        self._before: tuple[Any, float] | None = None
        self._after: tuple[Any, float] | None = None
        self._container: Any = None
        self._rewind()

    def _rewind(self) -> None:
        """Open anew: the one way back to the first picture that every format knows."""
        if self._container is not None:
            self._container.close()
        self._forward = self._before = self._after = None
        self._container = open_container(self._path, self._limits)
        self._stream = self._container.streams[self._index]
        self._context = self._stream.codec_context
        self._context.options = {"max_pixels": str(self._limits.max_pixels)}
        self._context.thread_type = "AUTO"
        self._context.thread_count = self._threads
        only(self._container, self._stream)

    def close(self) -> None:
        self._forward = self._before = self._after = None
        self._container.close()

    def rgb(self, frame: Any, short_side_px: int) -> Image:
        """(H, W, 3) uint8, scaled and turned in that order, so that only few pixels are turned."""
        width, height = self._geometry.scaled_size(short_side_px)
        transfer = transfer_of(frame)
        how: dict[str, Any] = {"format": "rgb48le", "src_colorspace": BT2020} if transfer else {"format": "rgb24"}
        with mapped_errors(self._path, "decoded"):
            scaled = self._reformatter.reformat(
                frame, width=width, height=height, interpolation=self._interpolation, threads=1, **how
            )
            pixels: Any = scaled.to_ndarray()
            return self._geometry.turn(tone_map(pixels, transfer) if transfer else np.asarray(pixels, dtype=np.uint8))

    def sample(self, rate_hz: float, mode: StreamMode, span: Span | None) -> Iterator[tuple[Any, float]]:
        """The frame of each slot, in one forward pass (see `gops`)."""
        from_s, until_s = (span.start_s, span.end_s) if span else (-self._frame_s, float("inf"))
        if from_s > 0:
            self._seek(from_s)
        else:
            self._rewind()
        # When the chosen frame of a slot is due; where it fails to decode, the next frame of the slot stands in.
        due: dict[int, float] = {}
        last = slot_of(from_s, rate_hz) - 1
        for frame, time_s in self._decode_planned(rate_hz, mode, from_s, until_s, due):
            slot = slot_of(time_s, rate_hz)
            if slot > last and from_s <= time_s < until_s and time_s > due.get(slot, -1e9) - _EPSILON_S:
                last = slot
                due.pop(slot, None)
                yield frame, time_s

    def _decode_planned(
        self, rate_hz: float, mode: StreamMode, from_s: float, until_s: float, due: dict[int, float]
    ) -> Iterator[tuple[Any, float]]:
        """All frames that come out of the decoder; notes in `due` which ones were chosen."""
        last = slot_of(from_s, rate_hz) - 1
        read, end_s = self._counts["read"], 0.0
        for gop in group(self._packets(), self._packet_s):
            if min((time_s for time_s in gop.times_s if time_s is not None), default=from_s) >= until_s:
                break
            if gop.planned and self._plannable:
                chosen = plan(gop, rate_hz=rate_hz, mode=mode, last_slot=last, from_s=from_s, until_s=until_s)
                due.update(chosen.wanted_s)
                last = max(last, *chosen.wanted_s) if chosen.wanted_s else last
            else:
                chosen = everything(gop)
            yield from self._decode_gop(gop, chosen)
            end_s = max(end_s, *(time_s for time_s in gop.times_s if time_s is not None), end_s)
        else:
            if from_s <= 0:
                self._note_end(self._counts["read"] - read, end_s)
        yield from self._drain()

    def _packets(self) -> Iterator[Any]:
        for packet in packets(self._container, self._stream, self._counts, "corrupt"):
            self._counts["read"] += packet.size > 0
            yield packet

    def _note_end(self, read: int, end_s: float) -> None:
        """Count the frames that the header of a file cut off before its end still lists."""
        stream = self._stream
        if stream.frames and stream.duration is not None:
            promised_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base) - self._start_s
            if promised_s - end_s > _CUT_OFF_S + self._frame_s:
                self._counts["missing"] = max(0, stream.frames - read)

    def _decode_gop(self, gop: Gop, chosen: Plan) -> Iterator[tuple[Any, float]]:
        for position in chosen.feed:
            # Of what no one asked for, only what other frames refer to is decoded.
            self._context.skip_frame = "DEFAULT" if position in chosen.wanted else "NONREF"
            yield from self._decode(gop.packets[position])
        self._context.skip_frame = "DEFAULT"
        if chosen.feed and len(chosen.feed) < len(gop.packets):
            # The next keyframe may tell the decoder to drop what it still holds (H.264, HEVC).
            yield from self._drain()

    def _drain(self) -> Iterator[tuple[Any, float]]:
        """What the decoder still holds; afterwards it is ready for a keyframe from anywhere."""
        yield from self._decode(None)
        self._context.flush_buffers()

    def _decode(self, packet: Any | None) -> Iterator[tuple[Any, float]]:
        import av

        try:
            frames = self._context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self._counts["corrupt"] += 1
            return
        for frame in frames:
            time_s = self._frame_time_s(frame)
            if frame.is_corrupt or time_s is None:
                self._counts["corrupt"] += 1
                continue
            self._counts["decoded"] += 1
            yield frame, time_s

    def _frame_time_s(self, frame: Any) -> float | None:
        stamp = frame.pts if frame.pts is not None else frame.dts
        return None if stamp is None else float(stamp * self._stream.time_base) - self._start_s

    def _packet_s(self, packet: Any) -> float | None:
        return None if packet.pts is None else float(packet.pts * self._stream.time_base) - self._start_s

    def _seek(self, time_s: float) -> None:
        """Stand on a keyframe before the time, or at the beginning."""
        import av

        self._counts["seeks"] += 1
        self._forward = self._before = self._after = None
        try:
            if time_s > 0:
                stamp = round((time_s + self._start_s) / self._stream.time_base)
                self._container.seek(stamp, stream=self._stream, backward=True)
                return
        except av.error.FFmpegError:
            pass  # no keyframe before it, or a format that cannot seek
        self._rewind()

    def shown_at(self, time_s: float) -> tuple[Any, float] | None:
        """The last frame with a time of at most time_s, or the first frame where there is none before."""
        if self._must_seek(time_s):
            back_s = 0.0
            while True:
                self._seek(time_s - back_s)
                self._forward = self._decode_on()
                self._after = next(self._forward, None)
                late = self._after is None or self._after[1] > time_s + _EPSILON_S
                if not late or time_s - back_s <= 0:
                    break
                # An index that points too far ahead, or nothing decodable from there on: try from further back.
                back_s = max(2.0, back_s * 4)
        assert self._forward is not None
        while self._after is not None and self._after[1] <= time_s + _EPSILON_S:
            self._before, self._after = self._after, next(self._forward, None)
        return self._before if self._before is not None else self._after

    def _decode_on(self) -> Iterator[tuple[Any, float]]:
        last_s = float("-inf")
        for packet in self._packets():
            flushing = packet.size == 0 and packet.pts is None and packet.dts is None
            for frame, time_s in self._decode(None if flushing else packet):
                if time_s > last_s:
                    last_s = time_s
                    yield frame, time_s

    def _must_seek(self, time_s: float) -> bool:
        if self._forward is None:
            return True
        if self._before is None:
            return self._after is None or time_s < self._after[1]
        if time_s < self._before[1] - _EPSILON_S:
            return True
        if self._after is None or time_s < self._after[1]:
            return False
        index = self._stream.index_entries
        if len(index) > 1:
            stamp = round((time_s + self._start_s) / self._stream.time_base)
            position = index.search_timestamp(stamp, backward=True)
            if position >= 0:
                key_s = float(index[position].timestamp * self._stream.time_base) - self._start_s
                return key_s > self._after[1] + self._frame_s
        return time_s > self._after[1] + _FAR_S
