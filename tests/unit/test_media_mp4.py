"""Edit lists and clean apertures byte by byte: whole, broken off, and with numbers that lie."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from vidembed.media.reading.mp4 import empty_edits, hidden_edges
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


def shot_at(*numbers: int, size: tuple[int, int] = (720, 480), kind: bytes = b"clap") -> bytes:
    """A picture track with the number 7: width, height, right, down of its aperture, a denominator after each."""
    entry = box(
        b"avc1", struct.pack(">24xHH50x", *size), box(b"pasp", bytes(8)), box(kind, struct.pack(">8I", *numbers))
    )
    table = box(b"stbl", box(b"stsd", struct.pack(">II", 0, 1), entry))
    head = box(b"tkhd", bytes(12), struct.pack(">I", 7), bytes(68))
    return box(b"moov", HEAD, PICTURES, box(b"trak", head, box(b"mdia", box(b"minf", table))))


def edges_of(tmp_path: Path, data: bytes) -> dict[int, tuple[int, int, int, int]]:
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    return hidden_edges(path)


@pytest.mark.parametrize(
    ("numbers", "edges"),
    [
        ((704, 1, 480, 1, 0, 1, 0, 1), (8, 0, 8, 0)),
        ((704, 1, 960, 2, 0, 1, 0, 1), (8, 0, 8, 0)),
        ((700, 1, 470, 1, (1 << 32) - 4, 2, 3, 1), (8, 8, 12, 2)),  # 2 columns left, 3 lines down
        ((35210, 50, 480, 1, 0, 1, 0, 1), (8, 0, 8, 0)),  # 704.2: 7.9 on either side
    ],
)
def test_the_clean_aperture(tmp_path: Path, numbers: tuple[int, ...], edges: tuple[int, ...]) -> None:
    assert edges_of(tmp_path, shot_at(*numbers)) == {7: edges}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 64,
        shot_at(720, 1, 480, 1, 0, 1, 0, 1),  # all of it
        shot_at(0, 1, 480, 1, 0, 1, 0, 1),  # nothing of it
        shot_at(704, 0, 480, 1, 0, 1, 0, 1),
        shot_at(721, 1, 480, 1, 0, 1, 0, 1),
        shot_at(704, 1, 480, 1, 9, 1, 0, 1),  # a column beyond the right edge
        shot_at(704, 1, 400, 1, 0, 1, (1 << 32) - 41, 1),  # a line above the first
        shot_at(704, 1, 480, 1, 0, 1, 0, 1, size=(0, 0)),
        shot_at(704, 1, 480, 1, 0, 1, 0, 1, kind=b"clip"),
    ],
)
def test_an_aperture_that_cannot_be_hides_nothing(tmp_path: Path, data: bytes) -> None:
    assert edges_of(tmp_path, data) == {}


def test_an_aperture_broken_off_anywhere(tmp_path: Path) -> None:
    whole = shot_at(704, 1, 480, 1, 0, 1, 0, 1)
    assert all(edges_of(tmp_path, whole[:size]) == {} for size in range(len(whole)))
