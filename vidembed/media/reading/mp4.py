"""What the edit lists of an MP4 or QuickTime file hide: FFmpeg's library shows other pictures in their place.

Written by ISO/IEC 14496-12. Boxes are stepped over in the file; only so many of them are looked at.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vidembed.media.files import open_regular
from vidembed.types import Span

_MOST_BOXES = 10_000  # of one box; files have some hundreds of fragments at most before their index
_MOST_EDITS = 10_000
_NOTHING = -1  # media time of an empty edit

Box = tuple[bytes, int, int]  # kind, and where its inside begins and ends


def empty_edits(path: Path) -> dict[int, tuple[Span, ...]]:
    """When nothing of a track is shown behind its beginning: track number -> spans of the presentation, in seconds."""
    with open_regular(path) as file:
        whole = (0, os.fstat(file.fileno()).st_size)
        movie = next((box for box in _boxes(file, whole) if box[0] == b"moov"), None)
        inside = list(_boxes(file, movie[1:])) if movie else []
        heads = [box for box in inside if box[0] == b"mvhd"]
        if not heads or any(kind == b"mvex" for kind, _, _ in inside):  # FFmpeg follows no edit list of fragments
            return {}
        ticks_hz = _field(file, heads[0], version_0=12, version_1=20)
        tracks = [box for box in inside if box[0] == b"trak"]
        found = {number: spans for track in tracks for number, spans in _of_track(file, track, ticks_hz)}
    return {number: spans for number, spans in found.items() if spans}


def _of_track(file: BinaryIO, track: Box, ticks_hz: int) -> Iterator[tuple[int, tuple[Span, ...]]]:
    inside = list(_boxes(file, track[1:]))
    number = next((_field(file, box, version_0=12, version_1=20) for box in inside if box[0] == b"tkhd"), 0)
    for lists in (box for box in inside if box[0] == b"edts"):
        for edits in (box for box in _boxes(file, lists[1:]) if box[0] == b"elst"):
            yield number, tuple(_empty(_edits(file, edits), max(1, ticks_hz)))


def _empty(edits: list[tuple[int, int]], ticks_hz: int) -> Iterator[Span]:
    """Of (duration, media time) of each edit, the empty ones; without those at the beginning, which delay the track."""
    at, shown = 0, False
    for duration, media_time in edits:
        empty = media_time == _NOTHING
        if empty and shown and duration > 0:
            yield Span(at / ticks_hz, (at + duration) / ticks_hz)
        shown = shown or not empty
        at += duration


def _edits(file: BinaryIO, box: Box) -> list[tuple[int, int]]:
    data = _read(file, box, 8 + 20 * _MOST_EDITS)
    if len(data) < 8:
        return []
    each = struct.Struct(">QqI" if data[0] else ">IiI")
    (count,) = struct.unpack_from(">I", data, 4)
    rows = range(min(count, (len(data) - 8) // each.size))
    return [each.unpack_from(data, 8 + each.size * row)[:2] for row in rows]


def _field(file: BinaryIO, box: Box, *, version_0: int, version_1: int) -> int:
    """A number of four bytes at a place that depends on the box's version."""
    data = _read(file, box, 64)
    place = version_1 if data[:1] == b"\x01" else version_0
    return int.from_bytes(data[place : place + 4])


def _read(file: BinaryIO, box: Box, most: int) -> bytes:
    _, begin, end = box
    file.seek(begin)
    return file.read(min(most, end - begin))


def _boxes(file: BinaryIO, within: tuple[int, int]) -> Iterator[Box]:
    """Those one level deep."""
    place, end = within
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        if place + 8 > end or len(head) < 8:
            return
        size, begin = int.from_bytes(head[:4]), place + 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16]), place + 16
        next_place = end if size == 0 else place + size
        if next_place < begin or next_place > end:
            return
        yield head[4:8], begin, next_place
        place = next_place
