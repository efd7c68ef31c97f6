"""What a camera wrote into a file: when and where it was shot, and with what.

From the container's metadata: `creation_time` (MP4, MOV, Matroska), Apple's and Android's atoms, GoPro's handler
names, places as ISO 6709. The date of the file itself is another thing: a copy changes it.

Where a GoPro was comes from the telemetry beside its pictures (GPMF): GPS5 of HERO5 to 10, GPS9 from HERO11 on. The
format is GoPro's own (github.com/gopro/gpmf-parser): entries of a four-letter key, a type, a size, a number of samples,
and what these hold, filled up to four bytes; type 0 holds entries. Numbers are big-endian.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from vidembed.config.schema import LimitSettings
from vidembed.errors import VidembedError
from vidembed.media.reading.container import open_container

SHOT, GPS, CAMERA = "shot", "gps", "camera_model"  # names of the tags
_DATES = ("com.apple.quicktime.creationdate", "date_recorded", "creation_time", "date")
_PLACES = ("com.apple.quicktime.location.iso6709", "location", "location-eng")
_MAKERS = ("com.apple.quicktime.make", "com.android.manufacturer", "make", "make-eng")
_MODELS = ("com.apple.quicktime.model", "com.android.model", "model", "model-eng")
_UNSET = (1904, 1970)  # the years of clocks that were never set
_PLACE = re.compile(r"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)")
EARTH_KM = 6371.0


def captured(path: str | Path, limits: LimitSettings | None = None) -> dict[str, str]:
    """Tags of a file: `shot` (ISO 8601 with its offset), `gps` ("48.86,2.35"), `camera_model`; those it tells.

    Only the headers are read, and a GoPro's telemetry until a place is known; a file that cannot be opened tells
    nothing.
    """
    try:
        with open_container(path, limits or LimitSettings()) as container:
            metadata = [container.metadata, *(stream.metadata for stream in container.streams)]
            facts = facts_of([{key.lower(): value.strip() for key, value in one.items()} for one in metadata])
            if GPS not in facts and (place := place_of(container)) is not None:
                facts[GPS] = _written(place)
    except (VidembedError, OSError, ValueError, EOFError):  # as PyAV says damage
        return {}
    return facts


def facts_of(metadata: list[Mapping[str, str]]) -> dict[str, str]:
    """The tags in the metadata of a container and its streams, the container first; keys in lower case."""
    facts: dict[str, str] = {}
    dates = (date for value in _values(metadata, _DATES) if (date := _date(value)) is not None)
    places = (place for value in _values(metadata, _PLACES) if (place := point(value)) is not None)
    if (date := next(dates, None)) is not None:
        facts[SHOT] = date.isoformat(timespec="seconds")
    if (place := next(places, None)) is not None:
        facts[GPS] = _written(place)
    maker, model = (next(_values(metadata, keys), "") for keys in (_MAKERS, _MODELS))
    if not maker and any(one.get("handler_name", "").startswith("GoPro") for one in metadata):
        maker = "GoPro"
    camera = model if model.casefold().startswith(maker.casefold()) else f"{maker} {model}".strip()
    if camera:
        facts[CAMERA] = camera
    return facts


def _written(place: tuple[float, float]) -> str:
    return f"{place[0]:.5f},{place[1]:.5f}"


def _values(metadata: list[Mapping[str, str]], keys: tuple[str, ...]) -> Iterator[str]:
    return (one[key] for key in keys for one in metadata if one.get(key))


def _date(text: str) -> datetime | None:
    """None for what is no full date and time, and for clocks that were never set."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    if date.year in _UNSET or len(text) < len("2026-01-31T00:00"):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def point(text: str) -> tuple[float, float] | None:
    """Latitude and longitude in degrees of an ISO 6709 place: degrees, with minutes or with minutes and seconds."""
    found = _PLACE.match(text.strip())
    if found is None:
        return None
    latitude, longitude = _degrees(found[1], 2), _degrees(found[2], 3)
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _degrees(text: str, whole: int) -> float:
    """whole: digits of full degrees; two more are minutes, four more minutes and seconds."""
    sign, digits = -1.0 if text[0] == "-" else 1.0, text[1:]
    before = len(digits.partition(".")[0])
    if before <= whole:
        return sign * float(digits)
    if before == whole + 2:
        return sign * (float(digits[:whole]) + float(digits[whole:]) / 60)
    minutes, seconds = float(digits[whole : whole + 2]), float(digits[whole + 2 :])
    return sign * (float(digits[:whole]) + minutes / 60 + seconds / 3600)


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance between two places in degrees, by the haversine formula."""
    (lat_a, lon_a), (lat_b, lon_b) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    h = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(h)))


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
            return _in_degrees(struct.unpack_from(">2i", body), scales)
        elif key == "GPS9" and size == _GPS9.size:
            for values in _GPS9.iter_unpack(body):
                if values[8] >= _LEAST_FIX:
                    return _in_degrees(values, scales)
    return None


def place_of(container: Any) -> tuple[float, float] | None:
    """Latitude and longitude in degrees of a GoPro's file, an open PyAV container; None without a telemetry track."""
    tracks = [s for s in container.streams if s.metadata.get("handler_name", "").strip().startswith(_TRACK)]
    if not tracks:
        return None
    places = (place_in(bytes(packet)) for packet in islice(container.demux(tracks[0]), _PACKETS))
    return next((place for place in places if place is not None), None)


def _in_degrees(values: tuple[int, ...], scales: list[int]) -> tuple[float, float] | None:
    if len(scales) < 2 or not all(scales[:2]):
        return None
    latitude, longitude = values[0] / scales[0], values[1] / scales[1]
    known = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)
    return (latitude, longitude) if known else None
