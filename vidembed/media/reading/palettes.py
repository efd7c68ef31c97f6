"""Brightness and opacity of the colours of subtitle pictures, from their packets: the decoder gives numbers alone.

PGS (Blu-ray), DVB subtitles (ETSI EN 300 743, section 7.2.4) and the subpictures of DVDs (VobSub).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Palette = NDArray[np.uint8]  # (256, 2): brightness and opacity of each number
CODECS = frozenset({"pgssub", "dvbsub", "dvdsub"})  # FFmpeg's decoders
_PGS_PALETTE, _PGS_COMPOSITION = 0x14, 0x16
_DVB_SYNC, _DVB_COLOURS = 0x0F, 0x12
_DVD_LENGTHS = {0x00: 0, 0x01: 0, 0x02: 0, 0x03: 2, 0x04: 2, 0x05: 6, 0x06: 4}  # bytes after a command


class Palettes:
    """The colours in force in one track; they hold until a later packet says otherwise."""

    def __init__(self, codec: str, header: bytes) -> None:
        """codec: one of `CODECS`; header: the track's, which has a DVD's colours."""
        self._codec, self._header = codec, header
        self._known: dict[int, Palette] = {}

    def of(self, packet: bytes) -> Palette:
        """The colours of a packet's picture; bright on nothing where it does not say. Damage changes no colour."""
        found = {"pgssub": self._pgs, "dvbsub": self._dvb, "dvdsub": self._dvd}[self._codec](packet)
        if found is None:
            found = np.full((256, 2), 255, np.uint8)
            found[0] = 0
        return found

    def _pgs(self, packet: bytes) -> Palette | None:
        number = 0
        for kind, body in _segments(packet, ">BH"):
            if kind == _PGS_COMPOSITION and len(body) > 9:
                number = body[9]
            elif kind == _PGS_PALETTE and body:
                palette = self._known.setdefault(body[0], np.zeros((256, 2), np.uint8))
                for entry, bright, _, _, opaque in struct.iter_unpack("5B", body[2 : 2 + (len(body) - 2) // 5 * 5]):
                    palette[entry] = bright, opaque
        return self._known.get(number)

    def _dvb(self, packet: bytes) -> Palette | None:
        begin = packet.find(bytes([_DVB_SYNC]))
        for kind, body in _segments(packet[max(begin, 0) :], ">xBxxH"):
            if kind == _DVB_COLOURS:
                palette = self._known[0] = np.zeros((256, 2), np.uint8)
                at = 2
                while at + 4 <= len(body):
                    whole = body[at + 1] & 1
                    if whole and at + 6 > len(body):
                        break
                    bright = body[at + 2] if whole else body[at + 2] & 0xFC
                    clear = body[at + 5] if whole else (body[at + 3] & 3) * 85
                    palette[body[at]] = bright, 255 - clear if bright else 0
                    at += 6 if whole else 4
        return self._known.get(0)

    def _dvd(self, packet: bytes) -> Palette | None:
        sixteen = [int(rgb, 16) for rgb in re.findall(rb"[0-9a-fA-F]{6}", self._header.partition(b"palette:")[2])]
        at = int.from_bytes(packet[2:4], "big") + 4  # of the first commands, after their date and the next ones' place
        colours, opacities = None, None
        while at < len(packet) and (command := packet[at]) in _DVD_LENGTHS:
            given = packet[at + 1 : at + 1 + _DVD_LENGTHS[command]]
            if command == 0x03:
                colours = _nibbles(given)
            elif command == 0x04:
                opacities = _nibbles(given)
            at += 1 + _DVD_LENGTHS[command]
        if colours is None or opacities is None or len(sixteen) < 16:
            return None
        palette = np.zeros((256, 2), np.uint8)
        for entry, (colour, opaque) in enumerate(zip(colours, opacities, strict=True)):
            red, green, blue = sixteen[colour].to_bytes(3, "big")
            palette[entry] = round(0.299 * red + 0.587 * green + 0.114 * blue), opaque * 17
        return palette


def _segments(packet: bytes, header: str) -> Iterator[tuple[int, bytes]]:
    """(kind, body) of each whole segment. header: how its kind and length are packed."""
    at, size = 0, struct.calcsize(header)
    while at + size <= len(packet):
        kind, length = struct.unpack_from(header, packet, at)
        yield kind, packet[at + size : at + size + length]
        at += size + length


def _nibbles(two: bytes) -> list[int]:
    """The four half bytes, the last one first: it is of colour number 0."""
    return [two[1] & 15, two[1] >> 4, two[0] & 15, two[0] >> 4] if len(two) == 2 else [0, 0, 0, 0]
