"""Pictures that no other refers to, told from their packets: H.264 and HEVC say it in the header of each NAL unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Packet = bytes | memoryview  # or what else gives its bytes, as PyAV's packets do


def unreferenced(codec: str, extradata: bytes | None) -> Callable[[Packet], bool]:
    """A test of a stream's packets: True for a picture that no other picture is decoded from.

    codec: FFmpeg's canonical name; for any but "h264" and "hevc" the answer is always False, as it is for what cannot
    be read. extradata: of the stream, which says how its NAL units are told apart.

    A decoder told to skip such pictures does so, but a thread of it takes each of them, and two threads then work like
    one: left out beforehand, a film sampled once a second took 0.83 of the time at 1080p and 0.71 at 480p on two cores.
    """
    if codec not in _HEADERS:
        return lambda packet: False
    refers, size_at = _HEADERS[codec]
    # A configuration record (ISO/IEC 14496-15) begins with version 1, a start code with 0.
    record = extradata if extradata and extradata[0] == 1 and len(extradata) > size_at else None
    size_bytes = (record[size_at] & 3) + 1 if record else 0

    def test(packet: Packet) -> bool:
        data = memoryview(packet).cast("B")
        headers = _sized_units(data, size_bytes) if size_bytes else _marked_units(bytes(data))
        answers = [answer for answer in map(refers, headers) if answer is not None]
        return bool(answers) and not any(answers)

    return test


def _h264_refers(header: int) -> bool | None:
    """Whether it is referred to (nal_ref_idc, ITU-T H.264 7.4.1); None for what is no slice of a picture."""
    return bool(header >> 5 & 3) if 1 <= header & 31 <= 5 else None


def _hevc_refers(header: int) -> bool | None:
    """As for H.264; sub-layer non-reference pictures have the even types up to 14 (ITU-T H.265, table 7-1)."""
    kind = header >> 1 & 63
    return None if kind > 31 else kind > 14 or kind % 2 == 1


# How to read a NAL unit's first byte, and where the configuration record has the length of their sizes.
_HEADERS = {"h264": (_h264_refers, 4), "hevc": (_hevc_refers, 21)}


def _sized_units(data: memoryview, size_bytes: int) -> Iterator[int]:
    """The first byte of each NAL unit, each preceded by its size."""
    place = 0
    while place + size_bytes < len(data):
        yield data[place + size_bytes]
        place += size_bytes + int.from_bytes(data[place : place + size_bytes], "big")


def _marked_units(data: bytes) -> Iterator[int]:
    """The first byte of each NAL unit, each preceded by 00 00 01 (Annex B)."""
    place = data.find(b"\0\0\1")
    while 0 <= place < len(data) - 3:
        yield data[place + 3]
        place = data.find(b"\0\0\1", place + 3)
