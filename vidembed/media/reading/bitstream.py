"""What the compressed pictures themselves say, where containers and packet flags say something else or nothing.

A keyframe flag may stand on a recovery point, whose pictures are whole only some seconds later, and a packet may hold
half a picture. Headers of NAL units and of slices (ITU-T H.264 7.3 and 7.4, H.265 7.3) tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Packet = bytes | memoryview  # or what else gives its bytes, as PyAV's packets do

_SLICE_BYTES = 24  # of a slice's header; more than its first fields can need
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})  # profiles
_INTRA_SLICES = frozenset({2, 4, 7, 9})  # I and SI
_IDR = 5


def unreferenced(codec: str, extradata: bytes | None) -> Callable[[Packet], bool]:
    """A test of a stream's packets: True for a picture that no other picture is decoded from.

    codec: FFmpeg's canonical name; for any but "h264" and "hevc" the answer is always False, as it is for what cannot
    be read. extradata: of the stream, which says how its NAL units are told apart.

    A decoder told to skip such pictures does so, but a thread of it takes each of them, and two threads then work like
    one: left out beforehand, a film sampled once a second took 0.83 of the time at 1080p and 0.71 at 480p on two cores.
    """
    if codec not in _HEADERS:
        return lambda packet: False
    refers, _ = _HEADERS[codec]
    units = _units_of(codec, extradata)

    def test(packet: Packet) -> bool:
        data = memoryview(packet).cast("B")
        answers = [answer for answer in (refers(data[place]) for place in units(data)) if answer is not None]
        return bool(answers) and not any(answers)

    return test


def begins_group(codec: str, extradata: bytes | None) -> Callable[[Any], bool]:
    """A test of packets: True where decoding can begin, and what follows is right from the first picture on.

    The flag is believed but for H.264, where it stands on recovery points of periodic intra refresh too, and HEVC.
    """
    if codec not in _HEADERS:
        return lambda packet: bool(packet.is_keyframe)
    units = _units_of(codec, extradata)
    whole = _h264_intra if codec == "h264" else _hevc_intra

    def test(packet: Any) -> bool:
        if not packet.is_keyframe:
            return False
        data = memoryview(packet).cast("B")
        answers = [answer for answer in (whole(data, place) for place in units(data)) if answer is not None]
        return all(answers)

    return test


def _h264_intra(data: memoryview, place: int) -> bool | None:
    """Whether a NAL unit is a slice that is made from no other picture; None for what is no slice."""
    kind = data[place] & 31
    if kind not in (1, 2):
        return True if kind == _IDR else None
    bits = _Bits(data[place + 1 : place + 1 + _SLICE_BYTES])
    bits.ue()
    return bits.ue() in _INTRA_SLICES


def _hevc_intra(data: memoryview, place: int) -> bool | None:
    kind = data[place] >> 1 & 63
    return None if kind > 31 else 16 <= kind <= 23


class _Field(NamedTuple):
    """The first slice of a field of a picture."""

    frame_num: int
    bottom: bool
    referred: bool


def fields_joined(extradata: bytes | None) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Join the packets of H.264 that hold one field each, as they come from recordings of interlaced television.

    Both fields of a picture become one packet with the times of the first; all others stay as they are.
    """
    units = _units_of("h264", extradata)
    sequence = _sequence(extradata, units)
    return iter if sequence is None else lambda packets: _joined(packets, units, sequence)


def _joined(packets: Iterable[Any], units: _Units, sequence: _Sequence) -> Iterator[Any]:
    before: tuple[Any, _Field] | None = None
    for packet in packets:
        field = _only_field(memoryview(packet).cast("B"), units, sequence) if packet.size else None
        if before is not None:
            first, first_field = before
            before = None
            if field is not None and _pairs(first_field, field):
                yield _both(first, packet)
                continue
            yield first
        if field is None:
            yield packet
        else:
            before = packet, field
    if before is not None:
        yield before[0]


def _pairs(first: _Field, second: _Field) -> bool:
    return first.frame_num == second.frame_num and first.bottom != second.bottom and first.referred == second.referred


def _both(first: Any, second: Any) -> Any:
    import av

    both = av.Packet(bytes(first) + bytes(second))
    both.pts, both.dts, both.time_base = first.pts, first.dts, first.time_base
    both.duration, both.is_keyframe = (first.duration or 0) + (second.duration or 0), first.is_keyframe
    return both


def _only_field(data: memoryview, units: _Units, sequence: _Sequence) -> _Field | None:
    """The field that a packet holds; None for whole pictures, for both fields, and for what is no picture."""
    found: set[_Field] = set()
    for place in units(data):
        if data[place] & 31 in (1, 2, _IDR):
            field = _field(data, place, sequence)
            if field is None:
                return None
            found.add(field)
    return found.pop() if len(found) == 1 else None


def _field(data: memoryview, place: int, sequence: _Sequence) -> _Field | None:
    bits = _Bits(data[place + 1 : place + 1 + _SLICE_BYTES])
    for _ in range(3):  # first macroblock, kind of slice, picture parameter set
        bits.ue()
    bits.take(2 if sequence.separate_planes else 0)
    frame_num = bits.take(sequence.frame_num_bits)
    if not bits.take(1):
        return None
    return _Field(frame_num, bool(bits.take(1)), bool(data[place] >> 5 & 3))


class _Sequence(NamedTuple):
    """What slice headers need of a sequence parameter set that allows fields."""

    frame_num_bits: int
    separate_planes: bool


def _sequence(extradata: bytes | None, units: _Units) -> _Sequence | None:
    """None where all pictures are whole frames, or nothing is known."""
    if not extradata:
        return None
    data = memoryview(extradata)
    # A configuration record holds its sequence parameter sets behind six bytes, each after its size of two bytes.
    places = [8] if extradata[0] == 1 else [place for place in units(data) if data[place] & 31 == 7]
    return _sequence_of(data[places[0] + 1 :]) if places else None


def _sequence_of(data: memoryview) -> _Sequence | None:
    bits = _Bits(data)
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    separate = profile in _WITH_CHROMA and _chroma_planes_apart(bits)
    frame_num_bits = bits.ue() + 4
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.ue()
        for _ in range(bits.ue()):
            bits.ue()
    bits.ue()  # reference frames
    bits.take(1)
    for _ in range(2):  # width and height
        bits.ue()
    return None if bits.take(1) else _Sequence(frame_num_bits, separate)


def _chroma_planes_apart(bits: _Bits) -> bool:
    chroma = bits.ue()
    separate = bool(bits.take(1)) if chroma == 3 else False
    for _ in range(2):  # bits of luma and chroma
        bits.ue()
    bits.take(1)
    if bits.take(1):  # scaling lists
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _pass_scaling_list(bits, 16 if number < 6 else 64)
    return separate


def _pass_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.ue()
            following = (last + (-(code // 2) if code % 2 == 0 else (code + 1) // 2)) % 256
        last = following or last


class _Bits:
    """Reads the bits of a NAL unit; behind its end there are zeros."""

    def __init__(self, data: memoryview) -> None:
        plain = bytes(data).replace(b"\0\0\3", b"\0\0")  # emulation prevention
        self._value, self._left = int.from_bytes(plain, "big"), 8 * len(plain)

    def take(self, count: int) -> int:
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else 0
        return shifted & ((1 << count) - 1)

    def ue(self) -> int:
        """An Exp-Golomb code."""
        zeros = 0
        while self._left > 0 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _h264_refers(header: int) -> bool | None:
    """Whether it is referred to (nal_ref_idc, ITU-T H.264 7.4.1); None for what is no slice of a picture."""
    return bool(header >> 5 & 3) if 1 <= header & 31 <= 5 else None


def _hevc_refers(header: int) -> bool | None:
    """As for H.264; sub-layer non-reference pictures have the even types up to 14 (ITU-T H.265, table 7-1)."""
    kind = header >> 1 & 63
    return None if kind > 31 else kind > 14 or kind % 2 == 1


# How to read a NAL unit's first byte, and where the configuration record has the length of their sizes.
_HEADERS = {"h264": (_h264_refers, 4), "hevc": (_hevc_refers, 21)}
_Units = Callable[[memoryview], Iterator[int]]  # the place of the first byte of each NAL unit


def _units_of(codec: str, extradata: bytes | None) -> _Units:
    """How a stream's NAL units are told apart. A configuration record (ISO/IEC 14496-15) begins with version 1."""
    _, size_at = _HEADERS[codec]
    if not extradata or extradata[0] != 1 or len(extradata) <= size_at:
        return _marked_units
    size_bytes = (extradata[size_at] & 3) + 1
    return lambda data: _sized_units(data, size_bytes)


def _sized_units(data: memoryview, size_bytes: int) -> Iterator[int]:
    """Each is preceded by its size."""
    place = 0
    while place + size_bytes < len(data):
        yield place + size_bytes
        place += size_bytes + int.from_bytes(data[place : place + size_bytes], "big")


def _marked_units(data: memoryview) -> Iterator[int]:
    """Each is preceded by 00 00 01 (Annex B)."""
    found = bytes(data)
    place = found.find(b"\0\0\1")
    while 0 <= place < len(found) - 3:
        yield place + 3
        place = found.find(b"\0\0\1", place + 3)
