"""The picture stream of one opened file: from packets to frames with their times, and to the frame shown at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

from vidembed.config.schema import LimitSettings
from vidembed.media.reading.bitstream import begins_group, fields_joined, unreferenced
from vidembed.media.reading.container import discard_others, only_decoding_times, open_container, packets
from vidembed.media.reading.gops import EPSILON_S, Gop, GopPlan
from vidembed.media.reading.probe import Headers
from vidembed.media.segmenting.cuts import Look, Looker

_DEFAULT_FRAME_S = 0.04
_FAR_S = 10.0  # without an index: further ahead than this, seek instead of decoding on
_BACK_S = 2.0  # how far before a time to look again where a seek landed behind it; then four times as far

# Group by group these say all that a decoder needs. Of the others, the first packet may hold what all later ones need:
# an encoder's name, which tells its faults, or parameters that are sent once.
_COMPLETE = frozenset({"av1", "vp8", "vp9", "mjpeg", "prores", "dnxhd", "theora"})
# Their decoders make grey pictures of what refers to nothing, and do not say so.
_MAKE_UP = frozenset(
    {"mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "h263", "flv1", "wmv1", "wmv2", "wmv3", "vc1"}
    | {"mpeg1video", "mpeg2video"}
)

Decoded = tuple[Any, float]  # an av.VideoFrame and when it is shown, in seconds from the file's start


class FlagsLie(Exception):
    """A packet that is flagged as a keyframe is none: groups of this file cannot be told apart."""


class PictureStream:
    """Where one decoder stands in one file. Times are in seconds; for one thread at a time.

    counts: what is read, decoded, corrupt, missing and how often it seeks is added there.
    """

    def __init__(
        self, path: Path, headers: Headers, limits: LimitSettings, *, threads: int, counts: dict[str, int]
    ) -> None:
        assert headers.video_index is not None
        self._path, self._limits, self._threads = path, limits, threads
        self._index, self._clock = headers.video_index, headers.clock
        self._hidden = headers.hidden.get(headers.video_index, ())
        self.counts = counts
        self.frame_s = float(1 / headers.info.fps) if headers.info.fps else _DEFAULT_FRAME_S
        self._container: Any = None
        self._looker: Looker | None = None
        self._looks: list[Look] = []
        self._at_beginning = False  # as it was opened: nothing is read
        self.rewind()

    def rewind(self) -> None:
        """Open again: the one way back to the first picture that every format knows."""
        if self._at_beginning:
            return
        self.close()
        self._container = open_container(self._path, self._limits)
        self._stream = self._container.streams[self._index]
        self._context = self._stream.codec_context
        self._context.options = {"max_pixels": str(self._limits.max_pixels)}
        self._context.thread_type = "AUTO"
        self._context.thread_count = self._threads
        codec, extradata = self._context.codec.canonical_name, self._context.extradata
        self._codec = codec
        self._unreferenced, self.begins_group = unreferenced(codec, extradata), begins_group(codec, extradata)
        self._whole = fields_joined(extradata) if codec == "h264" else iter
        self._by_output = only_decoding_times(self._container, self._stream)
        self._fed_s: float | None = None  # when the packet is decoded that went in last
        self._found: Any = None
        self._ahead: list[Any] = []  # packets that were read to see where a seek landed
        self._first: Any = None
        self._begun = False  # the decoder knows what the first packet says
        self._awaits_intra = False
        self._keys_s: deque[float] = deque()  # when the keyframes that went into the decoder are shown
        self._tick = self._stream.time_base.as_integer_ratio()
        discard_others(self._container, self._stream)
        self._from_s = -inf  # what comes before is passed over
        self._shown = 0
        self._at_beginning = True

    def close(self) -> None:
        """Free its memory, once no thread of the decoder is at work.

        PyAV ends those threads while it holds Python's lock. One that waits for that lock, to log, would never end.
        """
        if self._container is not None:
            self._context.flush_buffers()
            self._container.close()

    def watch(self, on: bool = True) -> None:
        """From now on, take a look at every picture that is decoded, or at none."""
        self._looker = (self._looker or Looker()) if on else None
        self._looks = []

    def take_looks(self) -> list[Look]:
        """Those taken since the last call."""
        taken, self._looks = self._looks, []
        return taken

    def seek(self, time_s: float) -> None:
        """Stand on a keyframe before the time, or at the beginning; it may be none, or behind the time (MPEG-TS)."""
        import av

        self.counts["seeks"] += 1
        self._at_beginning = False
        if self._clock.edges or self._clock.times_s:  # the file's own stamps name more than one place, or none
            self.rewind()
            self._from_s = self._clock.key_before(time_s) if self._clock.edges else -inf
            return
        try:
            if time_s > 0:
                self._prepare()
                self._container.seek(self._stamp(time_s), stream=self._stream, backward=True)
                self._found, self._ahead = None, []
                self._awaits_intra = self._codec in _MAKE_UP
                return
        except av.error.FFmpegError:
            pass  # no keyframe before it, or a format that cannot seek
        self.rewind()

    def seek_before(self, time_s: float) -> None:
        """Stand where all pictures from the time on can be decoded."""
        back_s = 0.0
        while time_s > back_s and not self._clock.edges and not self._clock.times_s:
            self.seek(time_s - back_s)
            if self._can_begin_before(time_s):
                return
            back_s = max(_BACK_S, back_s * 4)
        self.seek(time_s if self._clock.edges else 0.0)

    def _can_begin_before(self, time_s: float) -> bool:
        """Go on to the next packet where decoding can begin; whether it is shown before the time."""
        read = self.counts["read"]
        packet = next(filter(self.begins_group, self.packets()), None)
        self.counts["read"] = read
        stamp = None if packet is None else packet.dts if self._by_output else packet.pts
        self._ahead = [packet]
        begins_s = self._seconds(stamp)
        return begins_s is not None and begins_s <= time_s + EPSILON_S

    def packets(self) -> Iterator[Any]:
        """From here to the end, and the empty one that flushes."""
        if self._found is None:
            self._found = self._whole(self._clock.carried_on(self._demuxed()))
        ahead, self._ahead = self._ahead, []
        for packet in chain(ahead, self._found):
            if self._from_s > -inf:
                time_s = self._seconds(packet.pts)
                if packet.size and (time_s is None or time_s < self._from_s - EPSILON_S or not packet.is_keyframe):
                    continue
                self._from_s = -inf
            self.counts["read"] += packet.size > 0
            yield packet

    def _demuxed(self) -> Iterator[Any]:
        self._at_beginning = False
        for packet in packets(self._container, self._stream, self.counts, "corrupt"):
            if packet.size == 0 and packet.pts is not None:
                continue  # the picture before it stands (Theora)
            if self._first is None:
                self._first = packet
            yield packet

    def packet_s(self, packet: Any) -> float | None:
        """When its picture is shown; None where that is not known, or where pictures are hidden."""
        time_s = None if self._by_output or self._clock.times_s else self._seconds(packet.pts)
        return None if time_s is None or self._hides(time_s) else time_s

    def decode(self, packet: Any | None) -> Iterator[Decoded]:
        """The frames that come out when this packet goes in; None = those that the decoder still holds."""
        import av

        if packet is not None:
            self._begun = True
            self._fed_s = self._seconds(packet.dts)
        try:
            frames = self._context.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self.counts["corrupt"] += 1
            return
        for frame in frames:
            time_s = self._frame_time_s(frame)
            if frame.is_corrupt or time_s is None:
                self.counts["corrupt"] += 1
                continue
            made_alone = _made_alone(frame)
            self._check_key(time_s, made_alone)
            if self._awaits_intra and not made_alone:
                continue
            self._awaits_intra = False
            if self._hides(time_s):
                continue
            self.counts["decoded"] += 1
            if self._looker is not None:
                self._looks.append(Look(time_s, self._looker.stamp(frame)))
            yield frame, time_s

    def decode_gop(self, gop: Gop, chosen: GopPlan) -> Iterator[Decoded]:
        """What a plan asks for and what it needs; the decoder may hold some of it back until it is drained.

        Raises:
            FlagsLie: The picture of the group's first packet is made from others.
        """
        if chosen.feed and not self._begun and gop.packets[chosen.feed[0]] is not self._first:
            self._prepare()
        if gop.planned and gop.times_s[0] is not None:
            self._keys_s.append(gop.times_s[0])
        for position in chosen.feed:
            packet, wanted = gop.packets[position], position in chosen.wanted or position in chosen.near
            # Of what no one asked for, only what other frames refer to is decoded.
            if wanted or not self._unreferenced(packet):
                if self._codec != "av1":  # its decoder asks once for all, when it opens
                    self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
                yield from self.decode(packet)
        self._context.skip_frame = "DEFAULT"

    def drain(self) -> Iterator[Decoded]:
        """What the decoder still holds; afterwards it is ready for a keyframe from anywhere."""
        yield from self.decode(None)
        self._context.flush_buffers()
        self._keys_s.clear()

    def _prepare(self) -> None:
        """Tell a decoder that begins elsewhere what the first packet of the file says."""
        if self._begun or self._codec in _COMPLETE:
            return
        import av

        self._begun = True
        self._context.skip_frame = "ALL"
        with suppress(av.error.FFmpegError):
            self._context.decode(self._first or next(self._demuxed(), None))
            self._context.decode(None)
        self._context.flush_buffers()
        self._context.skip_frame = "DEFAULT"

    def _check_key(self, time_s: float, made_alone: bool) -> None:
        while self._keys_s and self._keys_s[0] < time_s - EPSILON_S:
            self._keys_s.popleft()
        if not made_alone and self._keys_s and self._keys_s[0] <= time_s + EPSILON_S:
            raise FlagsLie

    def keyframe_s(self, time_s: float) -> float | None:
        """When the last keyframe at or before the time is shown, by the file's index; None where it has none."""
        if self._clock.edges or self._clock.times_s:
            return self._clock.key_before(time_s)
        index = self._stream.index_entries
        position = index.search_timestamp(self._stamp(time_s), backward=True) if len(index) > 1 else -1
        return (
            float(index[position].timestamp * self._stream.time_base) - self._clock.start_s if position >= 0 else None
        )

    def _hides(self, time_s: float) -> bool:
        return any(span.contains(time_s + EPSILON_S) for span in self._hidden)

    def _stamp(self, time_s: float) -> int:
        return round((time_s + self._clock.start_s) / self._stream.time_base)

    def _frame_time_s(self, frame: Any) -> float | None:
        if times_s := self._clock.times_s:
            self._shown += 1
            return times_s[self._shown - 1] if self._shown <= len(times_s) else None
        if self._by_output:
            # What comes out is in the order it is shown; when, the packet says that went in for it.
            self._fed_s = self._seconds(frame.dts) if frame.dts is not None else (self._fed_s or 0.0) + self.frame_s
            return self._fed_s
        return self._seconds(frame.pts if frame.pts is not None else frame.dts)

    def _seconds(self, stamp: int | None) -> float | None:
        ticks, per_s = self._tick  # integers: as exact as fractions, and ten times as fast
        return None if stamp is None else stamp * ticks / per_s - self._clock.start_s


class Position:
    """Where a stream stands, and the frames around the last answer.

    It goes forwards by decoding on, backwards and far ahead by the file's index.
    """

    def __init__(self, stream: PictureStream) -> None:
        self._stream = stream
        self.forget()

    def forget(self) -> None:
        """Someone else has moved the stream."""
        self._forward: Iterator[Decoded] | None = None
        self._before: Decoded | None = None
        self._after: Decoded | None = None

    def shown_at(self, time_s: float) -> Decoded | None:
        """The last frame with a time of at most time_s, or the first frame where there is none before."""
        if self._must_seek(time_s):
            back_s = 0.0
            while True:
                self.forget()
                self._stream.seek_before(time_s - back_s)
                self._forward = self._decode_on()
                self._after = next(self._forward, None)
                late = self._after is None or self._after[1] > time_s + EPSILON_S
                if not late or time_s - back_s <= 0:
                    break
                # An index that points too far ahead, or nothing decodable from there on: try from further back.
                back_s = max(_BACK_S, back_s * 4)
        assert self._forward is not None
        while self._after is not None and self._after[1] <= time_s + EPSILON_S:
            self._before, self._after = self._after, next(self._forward, None)
        return self._before if self._before is not None else self._after

    def _decode_on(self) -> Iterator[Decoded]:
        last_s = float("-inf")
        for packet in self._stream.packets():
            flushing = packet.size == 0 and packet.pts is None and packet.dts is None
            for frame, time_s in self._stream.decode(None if flushing else packet):
                if time_s > last_s:
                    last_s = time_s
                    yield frame, time_s

    def _must_seek(self, time_s: float) -> bool:
        if self._forward is None:
            return True
        if self._before is None:
            return self._after is None or time_s < self._after[1]
        if time_s < self._before[1] - EPSILON_S:
            return True
        if self._after is None or time_s < self._after[1]:
            return False
        key_s = self._stream.keyframe_s(time_s)
        if key_s is not None:
            return key_s > self._after[1] + self._stream.frame_s
        return time_s > self._after[1] + _FAR_S


def _made_alone(frame: Any) -> bool:
    """Whether the picture is made from no other, or does not say."""
    from av.video.frame import PictureType

    return frame.pict_type not in (PictureType.P, PictureType.B, PictureType.S, PictureType.SP)
