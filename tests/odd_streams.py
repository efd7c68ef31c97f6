"""Streams whose flags and times say something else than their pictures, with known truth. Each has its command.

The pictures are FFmpeg's testsrc2, which change all the time, at 10 a second for 6 s unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from media_factory import Sample

SECONDS, RATE = 6, 10
_TIMES = tuple(number / RATE for number in range(SECONDS * RATE))


class _Bits:
    def __init__(self) -> None:
        self._bits: list[int] = []

    def u(self, size: int, value: int) -> _Bits:
        self._bits += [value >> place & 1 for place in range(size - 1, -1, -1)]
        return self

    def ue(self, *values: int) -> _Bits:
        """Exp-Golomb codes."""
        for value in values:
            size = (value + 1).bit_length()
            self.u(2 * size - 1, value + 1)
        return self

    def samples(self, values: bytes) -> _Bits:
        self._bits += [0] * (-len(self._bits) % 8)
        self._bits += np.unpackbits(np.frombuffer(values, "u1")).tolist()
        return self

    def unit(self, header: int) -> bytes:
        """A NAL unit, behind its start code."""
        found, zeros = bytearray(), 0
        for value in np.packbits([*self._bits, 1]).tobytes():
            if zeros >= 2 and value <= 3:
                found.append(3)
                zeros = 0
            found.append(value)
            zeros = zeros + 1 if value == 0 else 0
        return b"\0\0\0\1" + bytes([header]) + bytes(found)


# H.264, main profile, 64 x 64, fields: 4 x 2 macroblocks each. frame_num has four bits; order of output = of decoding.
_SEQUENCE = _Bits().u(8, 77).u(8, 0).u(8, 30).ue(0, 0, 2, 1).u(1, 0).ue(3, 1).u(1, 0).u(1, 0).u(1, 1).u(1, 0).u(1, 0)
_PICTURE = _Bits().ue(0, 0).u(2, 0).ue(0, 0, 0).u(3, 0).ue(0, 0, 0).u(3, 4)
PARAMETERS = _SEQUENCE.unit(0x67) + _PICTURE.unit(0x68)


def grey_field(grey: int, number: int) -> bytes:
    """The upper field of an IDR picture, all grey; its samples are not compressed."""
    bits = _Bits().ue(0, 7, 0).u(4, 0).u(1, 1).u(1, 0).ue(number % 2).u(2, 0).ue(0, 1)
    for _ in range(8):
        bits.ue(25).samples(bytes([grey]) * 256 + bytes([128]) * 128)
    return bits.unit(0x65)


def same_field(bottom: int, frame_num: int) -> bytes:
    """A field that repeats what was before it."""
    return _Bits().ue(0, 5, 0).u(4, frame_num).u(1, 1).u(1, bottom).u(3, 0).ue(0, 1, 8).unit(0x21)


FIELD_GREYS = (40, 90, 140, 190, 60, 110)  # of each second


def _fields_in_packets_of_their_own(path: Path) -> None:
    """25 pictures a second, one group and one grey a second; a packet for each field, as AVCHD and television have."""
    import av

    with av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 90000)
        for number in range(25 * SECONDS):
            second, place = divmod(number, 25)
            for bottom in (0, 1):
                key = place == 0 and not bottom
                data = PARAMETERS + grey_field(FIELD_GREYS[second], second) if key else same_field(bottom, place % 16)
                packet = av.Packet(b"\0\0\0\1\x09\xf0" + data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, stream.time_base, key
                packet.pts = packet.dts = 3600 * number + 1800 * bottom
                packet.duration = 1800
                target.mux(packet)


def _all_flagged(path: Path) -> None:
    """Say of every packet that it is a keyframe, as some old writers of ASF and AVI do."""
    import av

    plain = path.with_suffix(".plain" + path.suffix)
    path.rename(plain)
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream, packet.is_keyframe = stream, True
                target.mux(packet)
    plain.unlink()


def _by_an_old_encoder(path: Path) -> None:
    """Call the encoder x264 120: until 151 it coded 4:4:4 in another way, which decoders follow by its name."""
    path.write_bytes(path.read_bytes().replace(b"core 164", b"core 120"))


def _cut_at(seconds: float) -> Callable[[Path], None]:
    """Copy the packets from a time on, as FFmpeg cuts without encoding: an edit list hides what is before it."""

    def cut(path: Path) -> None:
        import subprocess

        from media_factory import ffmpeg_program

        whole = path.with_suffix(".whole.mp4")
        path.rename(whole)
        command = [ffmpeg_program(), "-v", "error", "-nostdin", "-ss", str(seconds), "-i", whole, "-c", "copy", path]
        subprocess.run(command, check=True)
        whole.unlink()

    return cut


def _moving(name: str, *coding: str, seconds: float = SECONDS, size: str = "96x64", **more: Any) -> Sample:
    source = ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={RATE}:duration={seconds}")
    times_s = tuple(number / RATE for number in range(round(seconds * RATE)))
    fields: dict[str, Any] = {"times_s": times_s, "decord": False} | more
    width, height = map(int, size.split("x"))
    return Sample(name, (*source, *coding), seconds, size=(width, height), **fields)


_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")


def _all() -> Iterator[Sample]:
    yield Sample("fields.ts", ("-f", "lavfi", "-i", "color=gray:s=64x64:r=25:d=0.1", *_X264, "-f", "mpegts"),
                 float(SECONDS), size=(64, 64), times_s=tuple(number / 25 for number in range(25 * SECONDS)),
                 decord=False, after=_fields_in_packets_of_their_own)  # fmt: skip
    # One IDR picture; each second another column of pictures begins to be coded anew.
    refresh = (*_X264, "-x264-params", "intra-refresh=1:keyint=10:bframes=0")
    yield _moving("refresh.mp4", *refresh)
    yield _moving("refresh.ts", *refresh, "-f", "mpegts")
    yield _moving("old_444.mp4", "-c:v", "libx264", "-preset", "medium", "-bf", "0", "-crf", "40", "-pix_fmt",
                  "yuv444p", "-g", "5", "-x264-params", "8x8dct=1:scenecut=0", seconds=3, size="32x32",
                  after=_by_an_old_encoder)  # fmt: skip
    yield _moving("all_flagged.avi", "-c:v", "msmpeg4", "-q:v", "3", "-g", "20", after=_all_flagged)
    yield _moving("all_flagged.wmv", "-c:v", "wmv2", "-q:v", "3", "-g", "20", after=_all_flagged)
    # libxvid packs a B-frame into the packet before it, and leaves a placeholder; the first two pictures are late.
    yield _moving("packed.avi", "-c:v", "libxvid", "-q:v", "3", "-bf", "2", "-g", "10", encoder="libxvid",
                  times_s=_TIMES[:-2])  # fmt: skip
    yield _moving("b_frames.avi", "-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "12")
    yield _moving("h264_b_frames.avi", *_X264, "-bf", "3", "-g", "20")
    yield _moving("h264_open.avi", *_X264, "-x264-params", "open-gop=1:b-pyramid=normal:bframes=3:keyint=20")
    yield _moving("av1_long.mkv", "-c:v", "libaom-av1", "-cpu-used", "8", "-g", "30", encoder="libaom-av1")
    yield _moving("mpeg4.ts", "-c:v", "mpeg4", "-q:v", "3", "-g", "20", "-f", "mpegts")
    yield _moving("mpeg4_b_frames.ts", "-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "20", "-f", "mpegts")
    yield _moving("copied_cut.mp4", *_X264, "-bf", "0", "-g", "600", times_s=_TIMES[:35], after=_cut_at(2.5))


ODD_STREAMS = tuple(_all())
