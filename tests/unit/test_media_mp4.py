"""Edit lists byte by byte: whole, broken off, and with numbers that lie."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from vidembed.media.reading.mp4 import empty_edits
from vidembed.types import Span


def box(kind: bytes, *inside: bytes) -> bytes:
    data = b"".join(inside)
    return struct.pack(">I", 8 + len(data)) + kind + data


def edit_list(*edits: tuple[int, int], long: bool = False) -> bytes:
    rows = b"".join(struct.pack(">QqI" if long else ">IiI", *edit, 1 << 16) for edit in edits)
    return box(b"edts", box(b"elst", struct.pack(">BxxxI", long, len(edits)), rows))


def track(number: int, edits: bytes) -> bytes:
    return box(b"trak", box(b"tkhd", bytes(12), struct.pack(">I", number), bytes(68)), edits)


HEAD = box(b"mvhd", bytes(12), struct.pack(">I", 600), bytes(84))  # 600 ticks a second
# Nothing for 1 s, which only delays; 2 s of pictures, 3 s of nothing, 1 s of pictures, 1 s of nothing.
PICTURES = track(1, edit_list((600, -1), (1200, 0), (1800, -1), (600, 9000), (600, -1)))
SOUND = track(2, edit_list((600, 0), (300, -1), (600, 0), long=True))
PLAIN = track(3, edit_list((6000, 1024)))
FILE = box(b"ftyp", b"isom", bytes(4)) + box(b"moov", HEAD, PICTURES, SOUND, PLAIN)


def found(tmp_path: Path, data: bytes) -> dict[int, tuple[Span, ...]]:
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    return empty_edits(path)


def test_empty_edits_of_each_track(tmp_path: Path) -> None:
    """The first track: 1 + 2 = 3 s, for 3 s; 3 + 3 + 1 = 7 s, for 1 s. The second: 1 s, for half a second."""
    assert found(tmp_path, FILE) == {1: (Span(3, 6), Span(7, 8)), 2: (Span(1, 1.5),)}


def test_the_index_may_be_behind_pictures_of_any_size(tmp_path: Path) -> None:
    media = struct.pack(">I4sQ", 1, b"mdat", 16 + 5000) + bytes(5000)
    assert found(tmp_path, media + FILE) == found(tmp_path, FILE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(64),
        b"\xff" * 64,
        box(b"moov", box(b"mvhd")),
        box(b"moov", HEAD, PICTURES, box(b"mvex")),  # fragments: FFmpeg follows no edit list of those
        box(b"moov", HEAD, track(1, box(b"edts", box(b"elst", struct.pack(">II", 0, 1 << 31))))),
        struct.pack(">I4sQ", 1, b"mdat", (1 << 64) - 1) + FILE,
        struct.pack(">I4s", 8, b"free") * 20_000 + FILE,
    ],
)
def test_what_cannot_be_hides_nothing(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, data) == {}


def test_broken_off_anywhere(tmp_path: Path) -> None:
    assert all(found(tmp_path, FILE[:size]) == {} for size in range(len(FILE)))
