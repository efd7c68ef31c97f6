"""Which packets hold pictures that no other refers to: bytes written by hand, and a real stream."""

from __future__ import annotations

import pytest
from media_factory import Media

from vidembed.config.schema import LimitSettings
from vidembed.media.reading.bitstream import unreferenced
from vidembed.media.reading.container import open_container

AVC_4 = b"\x01\x64\x00\x1f\xff\xe1"  # avcC: sizes of 4 bytes (lowest two bits of the fifth byte, plus one)
AVC_2 = b"\x01\x64\x00\x1f\xfd\xe1"
HEVC_4 = b"\x01" + bytes(20) + b"\xff"
SLICE, REFERRED, SEI = b"\x01\x9e", b"\x41\x9a", b"\x06\x05"  # H.264: nal_ref_idc 0 and 2, and no picture at all


def sized(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)


def marked(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (sized(SLICE), True),
        (sized(REFERRED), False),
        (sized(SEI, SLICE, SLICE), True),
        (sized(SLICE, REFERRED), False),
        (sized(SEI), False),
        (b"", False),
        (b"\0\0", False),
        (b"\xff\xff\xff\xff\x01", True),  # a size beyond the end: its header is there
        (b"\0\0\0\0" * 3, False),  # units of no size
    ],
)
def test_h264_with_sizes(packet: bytes, expected: bool) -> None:
    assert unreferenced("h264", AVC_4)(packet) is expected
    assert unreferenced("h264", AVC_4)(memoryview(packet)) is expected


def test_sizes_of_two_bytes() -> None:
    assert unreferenced("h264", AVC_2)(sized(SEI, SLICE, size=2))
    assert not unreferenced("h264", AVC_2)(sized(SEI, REFERRED, size=2))


@pytest.mark.parametrize("extradata", [None, b"", b"\0\0\0\1\x67"])
def test_h264_with_start_codes(extradata: bytes | None) -> None:
    test = unreferenced("h264", extradata)
    assert test(marked(SEI, SLICE))
    assert test(b"\0\0\1" + SLICE)
    assert not test(marked(SLICE, REFERRED))
    assert not test(SLICE)
    assert not test(b"\0\0\1")


def test_hevc() -> None:
    """Types 0 (TRAIL_N), 1 (TRAIL_R), 8 (RASL_N), 19 (IDR) and 39 (SEI)."""
    test = unreferenced("hevc", HEVC_4)
    header = {kind: bytes([kind << 1, 1]) for kind in (0, 1, 8, 19, 39)}
    assert test(sized(header[0]))
    assert test(sized(header[39], header[8]))
    assert not test(sized(header[1]))
    assert not test(sized(header[19]))
    assert not test(sized(header[39]))


def test_other_codecs_say_nothing() -> None:
    assert not unreferenced("vp9", None)(sized(SLICE))
    assert not unreferenced("mpeg2video", b"\x01" * 40)(b"\0\0\1\0")


@pytest.mark.parametrize("name", ["three_shots.mp4", "hevc.mp4", "open_gop.mkv"])
def test_the_decoder_leaves_out_the_same(media: Media, name: str) -> None:
    """Told to skip what nothing refers to, it gives all pictures but those."""
    path = media.path(name)
    with open_container(path, LimitSettings()) as container:
        context = container.streams.video[0].codec_context
        test = unreferenced(context.codec.canonical_name, context.extradata)
        dropped = {packet.pts for packet in container.demux(video=0) if packet.size and test(packet)}
    with open_container(path, LimitSettings()) as container:
        container.streams.video[0].codec_context.skip_frame = "NONREF"
        given = {frame.pts for frame in container.decode(video=0)}
    assert dropped
    assert not dropped & given
    assert len(dropped | given) == 30
