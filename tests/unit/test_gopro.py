"""Places in GoPro's telemetry, from packets put together by hand."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from vidembed.media.captured import entries, place_in, place_of


def entry(key: str, kind: str, size: int, body: bytes) -> bytes:
    filled = body + b"\0" * (-len(body) % 4)
    code = 0 if kind == "" else ord(kind)
    return struct.pack(">4sBBH", key.encode(), code, size, len(body) // size) + filled


def gps5(fix: int, latitude: float, longitude: float) -> bytes:
    """One packet of a HERO5: no fix, then the same fix for two samples."""
    scale = entry("SCAL", "l", 4, struct.pack(">5i", 10_000_000, 10_000_000, 1000, 1000, 100))
    sample = struct.pack(">5i", round(latitude * 1e7), round(longitude * 1e7), 35_000, 0, 0)
    inside = entry("STNM", "c", 1, b"GPS (Lat., Long.)") + entry("GPSF", "L", 4, struct.pack(">I", fix))
    stream = entry("STRM", "", 1, inside + scale + entry("GPS5", "l", 20, sample * 2))
    other = entry("STRM", "", 1, entry("SCAL", "s", 2, struct.pack(">h", 418)) + entry("ACCL", "s", 6, bytes(12)))
    return entry("DEVC", "", 1, entry("DVID", "L", 4, struct.pack(">I", 1)) + other + stream)


def gps9(*samples: tuple[int, float, float]) -> bytes:
    scale = entry("SCAL", "l", 4, struct.pack(">9i", 10_000_000, 10_000_000, 1000, 1000, 100, 1, 1000, 100, 1))
    body = b"".join(
        struct.pack(">7i2H", round(lat * 1e7), round(lon * 1e7), 0, 0, 0, 9000, 1, 200, fix)
        for fix, lat, lon in samples
    )
    return entry("DEVC", "", 1, entry("STRM", "", 1, scale + entry("GPS9", "?", 32, body)))


def test_places_of_both_kinds() -> None:
    assert place_in(gps5(3, 48.8583701, 2.2944813)) == pytest.approx((48.8583701, 2.2944813))
    assert place_in(gps5(0, 48.86, 2.29)) is None  # no fix yet
    assert place_in(gps9((0, 0.0, 0.0), (3, -33.8568, 151.2153))) == pytest.approx((-33.8568, 151.2153))
    assert place_in(gps5(3, 0.0, 0.0)) is None  # nobody films there; a clock that waits for a fix says so


def test_damage_tells_nothing() -> None:
    whole = gps5(3, 48.86, 2.29)
    for end in range(0, len(whole) - 1, 7):
        assert place_in(whole[:end]) is None
    assert list(entries(b"\0" * 64)) == []
    assert place_in(whole.replace(struct.pack(">i", 10_000_000), bytes(4))) is None  # a scale of 0


def test_the_first_fix_of_the_telemetry_track_counts() -> None:
    # As cameras write them: the length of the name before it, HERO5's and MAX's.
    video = SimpleNamespace(metadata={"handler_name": "\tGoPro AVC"})
    track = SimpleNamespace(metadata={"handler_name": "\x0bGoPro MET  "})
    packets = [gps5(0, 1.0, 1.0), gps5(2, 48.86, 2.29), gps5(3, 50.0, 3.0)]
    container = SimpleNamespace(streams=[video, track], demux=lambda of: packets if of is track else [])
    assert place_of(container) == pytest.approx((48.86, 2.29))
    assert place_of(SimpleNamespace(streams=[video], demux=lambda of: packets)) is None
