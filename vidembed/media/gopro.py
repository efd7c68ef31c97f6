"""Where a GoPro was, from the telemetry beside its pictures (GPMF): GPS5 of HERO5 to 10, GPS9 from HERO11 on.

The format is GoPro's own (github.com/gopro/gpmf-parser): entries of a four-letter key, a type, a size, a number of
samples, and what these hold, filled up to four bytes; type 0 holds entries. Numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

_HEAD = struct.Struct(">4sBBH")
_TRACK = "GoPro MET"
_PACKETS = 120  # about a second each: the time until a place is known
_LEAST_FIX = 2  # 2 = latitude and longitude, 3 = height, too
_GPS9 = struct.Struct(">7i2H")
_MOST_NESTED = 8


def entries(data: bytes, depth: int = 0) -> Iterator[tuple[str, int, bytes]]:
    """(key, size of a sample, samples) of each entry, those inside others after it; damage ends it."""
    at = 0
    while at + _HEAD.size <= len(data):
        key, kind, size, count = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        body = data[at : at + size * count]
        if len(body) < size * count or not key.strip(b"\0"):
            return
        nested = kind == 0 and depth < _MOST_NESTED
        yield key.decode("latin-1"), size, b"" if nested else body
        if nested:
            yield from entries(body, depth + 1)
        at += -(-size * count // 4) * 4


def place_in(data: bytes) -> tuple[float, float] | None:
    """Latitude and longitude in degrees of a packet's first known place; None while there was no fix."""
    scales: list[int] = []
    fix = 0
    for key, size, body in entries(data):
        if key == "STRM":
            scales, fix = [], 0
        elif key == "GPSF" and len(body) >= 4:
            fix = int.from_bytes(body[:4], "big")
        elif key == "SCAL" and size in (2, 4):
            scales = [int.from_bytes(body[i : i + size], "big", signed=True) for i in range(0, len(body), size)]
        elif key == "GPS5" and size == 20 and body and fix >= _LEAST_FIX:
            return _degrees(struct.unpack_from(">2i", body), scales)
        elif key == "GPS9" and size == _GPS9.size:
            for values in _GPS9.iter_unpack(body):
                if values[8] >= _LEAST_FIX:
                    return _degrees(values, scales)
    return None


def place_of(container: Any) -> tuple[float, float] | None:
    """Latitude and longitude in degrees of a GoPro's file, an open PyAV container; None without a telemetry track."""
    tracks = [s for s in container.streams if s.metadata.get("handler_name", "").strip().startswith(_TRACK)]
    if not tracks:
        return None
    places = (place_in(bytes(packet)) for packet in islice(container.demux(tracks[0]), _PACKETS))
    return next((place for place in places if place is not None), None)


def _degrees(values: tuple[int, ...], scales: list[int]) -> tuple[float, float] | None:
    if len(scales) < 2 or not all(scales[:2]):
        return None
    latitude, longitude = values[0] / scales[0], values[1] / scales[1]
    known = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)
    return (latitude, longitude) if known else None
