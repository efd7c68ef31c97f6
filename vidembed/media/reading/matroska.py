"""What a Matroska or WebM file says of its pictures and FFmpeg's library does not hand over: edges that are not shown.

Written by RFC 9559 and RFC 8794 (EBML). Only headers before the first cluster are read, and only so many bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vidembed.media.files import open_regular
from vidembed.media.reading.scaling import Edges

_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE0
_CROPS = (0x54CC, 0x54BB, 0x54DD, 0x54AA)  # PixelCropLeft, Top, Right, Bottom
_MOST_ELEMENTS = 1000  # before the tracks; files have ten
_MOST_BYTES = 4 << 20  # of the tracks
_UNKNOWN = 1 << 60  # size of an element that does not say; more than any other can have


def hidden_edges(path: Path) -> list[Edges]:
    """How many pixels of each edge are not shown, of each picture track in the file's order; empty where none says."""
    with open_regular(path) as file:
        tracks = _tracks(file)
    found = [_edges(tracks, video) for track in _inside(tracks, _TRACK) for video in _inside(tracks, _VIDEO, track)]
    return found if any(map(any, found)) else []


def _tracks(file: BinaryIO) -> bytes:
    """The inside of the Tracks element; empty where it does not lie before the pictures."""
    left_bytes = os.fstat(file.fileno()).st_size
    for _ in range(_MOST_ELEMENTS):
        head = file.read(12)
        element, size, begins = _head(head, 0)
        file.seek(begins - len(head), 1)
        if element == _TRACKS:
            return file.read(min(size, _MOST_BYTES))
        if element == _SEGMENT:
            continue
        if not element or element == _CLUSTER or size > left_bytes:
            break
        file.seek(size, 1)
    return b""


def _edges(data: bytes, video: tuple[int, int]) -> Edges:
    said = {
        element: int.from_bytes(data[begin : min(end, begin + 8)]) for element, begin, end in _children(data, video)
    }
    left, top, right, bottom = (said.get(name, 0) for name in _CROPS)
    return left, top, right, bottom


def _inside(data: bytes, wanted: int, within: tuple[int, int] | None = None) -> Iterator[tuple[int, int]]:
    """(begin, end) of the inside of each element of that kind."""
    return ((begin, end) for element, begin, end in _children(data, within or (0, len(data))) if element == wanted)


def _children(data: bytes, within: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """(element, begin, end) of each, one level deep."""
    place, end = within
    while place < end:
        element, size, begin = _head(data, place)
        if not element:
            return
        place = min(begin + size, end)
        yield element, begin, place


def _head(data: bytes, place: int) -> tuple[int, int, int]:
    """(element, size, where its inside begins); element 0 where there is none."""
    element, at = _number(data, place, keep_marker=True)
    size, begin = _number(data, at, keep_marker=False)
    return (element, size, begin) if element and begin > at else (0, 0, len(data))


def _number(data: bytes, place: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length, and where it ends; that is where it begins when there is none."""
    first = data[place] if place < len(data) else 0
    length = 9 - first.bit_length()
    if not first or place + length > len(data):
        return 0, place
    value = int.from_bytes(data[place : place + length])
    if keep_marker:
        return value, place + length
    value &= (1 << 7 * length) - 1
    return (_UNKNOWN if value == (1 << 7 * length) - 1 else value), place + length
