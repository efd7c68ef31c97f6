"""What an MP4 or QuickTime file says of its tracks and FFmpeg's library does not hand over: what is not to be shown.

Written by ISO/IEC 14496-12: edit lists and the clean aperture. Boxes are stepped over in the file; only so many of them
are looked at.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from vidembed.media.files import open_regular
from vidembed.media.reading.scaling import NO_EDGES, Edges
from vidembed.types import Span

_MOST_BOXES = 10_000  # of one box; files have some hundreds of fragments at most before their index
_MOST_EDITS = 10_000
_NOTHING = -1  # media time of an empty edit
_DESCRIPTIONS = (b"mdia", b"minf", b"stbl", b"stsd")  # one in the other
_PICTURE_ENTRY = struct.Struct(">24xHH50x")  # width and height of a sample entry; boxes follow
_APERTURE = struct.Struct(">IIIIiIiI")  # width, height, and how far right and down: a numerator and a denominator each

Box = tuple[bytes, int, int]  # kind, and where its inside begins and ends


def empty_edits(path: Path) -> dict[int, tuple[Span, ...]]:
    """When nothing of a track is shown behind its beginning: track number -> spans of the presentation, in seconds."""
    with open_regular(path) as file:
        inside = _movie(file)
        heads = [box for box in inside if box[0] == b"mvhd"]
        if not heads or any(kind == b"mvex" for kind, _, _ in inside):  # FFmpeg follows no edit list of fragments
            return {}
        ticks_hz = max(1, _field(file, heads[0], version_0=12, version_1=20))
        found = {
            number: tuple(_empty(_edits(file, edits), ticks_hz))
            for number, track in _tracks(file, inside)
            for edits in _within(file, track, b"edts", b"elst")
        }
    return {number: spans for number, spans in found.items() if spans}


def hidden_edges(path: Path) -> dict[int, Edges]:
    """How many pixels of each edge are not shown: track number -> edges, without tracks that show all of them."""
    with open_regular(path) as file:
        found = {
            number: edges
            for number, track in _tracks(file, _movie(file))
            for descriptions in _within(file, track, *_DESCRIPTIONS)
            if any(edges := _outside_aperture(file, descriptions))
        }
    return found


def _outside_aperture(file: BinaryIO, descriptions: Box) -> Edges:
    """The edges outside the clean aperture of the first description, none where it has none or one that cannot be."""
    kind, begin, end = descriptions
    entry = next(_boxes(file, (begin + 8, end)), None)
    if entry is None or entry[2] - entry[1] < _PICTURE_ENTRY.size:
        return NO_EDGES
    size_px = _PICTURE_ENTRY.unpack(_read(file, entry, _PICTURE_ENTRY.size))
    apertures = (box for box in _boxes(file, (entry[1] + _PICTURE_ENTRY.size, entry[2])) if box[0] == b"clap")
    data = _read(file, next(apertures, (kind, 0, 0)), _APERTURE.size)
    if len(data) < _APERTURE.size:
        return NO_EDGES
    numbers = _APERTURE.unpack(data)
    if not all(numbers[1::2]):
        return NO_EDGES
    *clean_px, right_px, down_px = map(Fraction, numbers[::2], numbers[1::2])
    sides = [
        (round((whole - clean) / 2 + moved), round((whole - clean) / 2 - moved))
        for whole, clean, moved in zip(size_px, clean_px, (right_px, down_px), strict=True)
    ]
    (left, right), (top, bottom) = sides
    fits = all(min(pair) >= 0 and sum(pair) < whole for pair, whole in zip(sides, size_px, strict=True))
    return (left, top, right, bottom) if fits else NO_EDGES


def _movie(file: BinaryIO) -> list[Box]:
    """What is inside the movie box; nothing where there is none."""
    whole = (0, os.fstat(file.fileno()).st_size)
    movie = next((box for box in _boxes(file, whole) if box[0] == b"moov"), None)
    return list(_boxes(file, movie[1:])) if movie else []


def _tracks(file: BinaryIO, movie: list[Box]) -> Iterator[tuple[int, Box]]:
    """The number of each track, and its box."""
    for track in (box for box in movie if box[0] == b"trak"):
        for head in _within(file, track, b"tkhd"):
            yield _field(file, head, version_0=12, version_1=20), track


def _within(file: BinaryIO, box: Box, kind: bytes, *deeper: bytes) -> Iterator[Box]:
    """The boxes of that kind one level deep; with more kinds, those inside each of them."""
    for found in [one for one in _boxes(file, box[1:]) if one[0] == kind]:
        yield from _within(file, found, *deeper) if deeper else (found,)


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
