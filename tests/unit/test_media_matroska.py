"""Headers of Matroska byte by byte, whole, broken off, and with sizes that lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidembed.media.reading.matroska import hidden_edges

EBML = b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01"  # EBMLVersion 1
UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"
VOID = b"\xec\x83abc"
CLUSTER = b"\x1f\x43\xb6\x75\x81\x00"


def element(name: bytes, *inside: bytes) -> bytes:
    data = b"".join(inside)
    return name + (0x10000000 | len(data)).to_bytes(4) + data


def track(*video: bytes) -> bytes:
    return element(b"\xae", b"\xd7\x81\x01", VOID, *([element(b"\xe0", *video)] if video else []))


SIZE = b"\xb0\x81\x40\xba\x81\x30"  # PixelWidth 64, PixelHeight 48
SOUND = track()
CROPPED = track(SIZE, b"\x54\xbb\x81\x0c", b"\x54\xaa\x82\x01\x02", b"\x54\xcc\x81\x03", b"\x54\xdd\x81\x05")
TRACKS = element(b"\x16\x54\xae\x6b", SOUND, track(SIZE), CROPPED)
WHOLE = EBML + b"\x18\x53\x80\x67" + UNKNOWN + VOID + TRACKS + CLUSTER


def found(tmp_path: Path, data: bytes) -> list[tuple[int, int, int, int]]:
    path = tmp_path / "film.mkv"
    path.write_bytes(data)
    return hidden_edges(path)


def test_edges_of_each_picture_track(tmp_path: Path) -> None:
    """Left 3, top 12, right 5, bottom 0x0102 = 258; of the second of two picture tracks."""
    assert found(tmp_path, WHOLE) == [(0, 0, 0, 0), (3, 12, 5, 258)]


def test_a_file_that_hides_nothing(tmp_path: Path) -> None:
    tracks = element(b"\x16\x54\xae\x6b", track(SIZE))
    assert found(tmp_path, EBML + b"\x18\x53\x80\x67" + UNKNOWN + tracks) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 64,
        b"\xff" * 64,
        EBML,
        EBML + b"\x18\x53\x80\x67" + UNKNOWN + CLUSTER + TRACKS,  # behind the pictures
        EBML
        + b"\x18\x53\x80\x67"
        + UNKNOWN
        + b"\xec\x01\xff\xff\xff\xff\xff\xff\xfe"
        + TRACKS,  # 2^56 bytes of nothing
        EBML + b"\x18\x53\x80\x67" + UNKNOWN + b"\xec\x80" * 2000 + TRACKS,
        (b"\x18\x53\x80\x67" + UNKNOWN) * 2000 + TRACKS,
    ],
)
def test_what_is_no_matroska_hides_nothing(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, data) == []


def test_broken_off_anywhere(tmp_path: Path) -> None:
    """What is not there hides nothing."""
    for size in range(len(WHOLE)):
        for edges in found(tmp_path, WHOLE[:size]):
            assert all(have <= said for have, said in zip(edges, (3, 12, 5, 258), strict=True))
