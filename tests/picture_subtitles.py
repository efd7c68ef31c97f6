"""Subtitles of pictures: PGS as Blu-rays have it, written by hand from drawn letters; FFmpeg makes the others of it.

The form is that of the patent US 2009/0185789 A1 as FFmpeg reads it: segments of a composition (0x16), its window
(0x17), its colours (0x14), its picture (0x15) and an end (0x80).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIZE = (640, 360)
NOTHING, LETTER, RIM = 0, 1, 2


def write_pgs(path: Path, cues: Iterable[tuple[float, float, str]], *, dark: bool = False) -> Path:
    """A .sup file. cues: (start_s, end_s, text), in order. dark: black letters without a rim, else white with one."""
    content = b""
    for number, (start_s, end_s, text) in enumerate(cues):
        pixels = drawn(text, rim=not dark)
        height, width = pixels.shape
        left, top = (SIZE[0] - width) // 2, SIZE[1] - height - 20
        window = struct.pack(">BBHHHH", 1, 0, left, top, width, height)
        place = struct.pack(">HBBHH", 0, 0, 0, left, top)
        colours = bytes([0, 0]) + bytes([LETTER, 16 if dark else 235, 128, 128, 255, RIM, 16, 128, 128, 255])
        packed = packed_rows(pixels)
        picture = struct.pack(">HBB", 0, 0, 0xC0) + (len(packed) + 4).to_bytes(3, "big")
        picture += struct.pack(">HH", width, height) + packed
        content += segment(0x16, start_s, composition(2 * number, objects=1) + place) + segment(0x17, start_s, window)
        content += segment(0x14, start_s, colours) + segment(0x15, start_s, picture) + segment(0x80, start_s, b"")
        content += segment(0x16, end_s, composition(2 * number + 1, objects=0)) + segment(0x17, end_s, window)
        content += segment(0x80, end_s, b"")
    path.write_bytes(content)
    return path


def drawn(text: str, *, rim: bool) -> NDArray[np.uint8]:
    """(H, W) numbers of colours of one or more lines."""
    font = ImageFont.load_default(28)
    width, height = (
        round(x) + 8 for x in ImageDraw.Draw(Image.new("L", SIZE)).multiline_textbbox((0, 0), text, font)[2:]
    )
    layers = []
    for stroke in (0, 2):
        layer = Image.new("L", (width, height))
        ImageDraw.Draw(layer).multiline_text((4, 4), text, 255, font, stroke_width=stroke)
        layers.append(np.asarray(layer) > 127)
    return np.where(layers[0], LETTER, np.where(layers[1] & rim, RIM, NOTHING)).astype(np.uint8)


def composition(number: int, *, objects: int) -> bytes:
    return struct.pack(">HHBHBBBB", *SIZE, 0x10, number, 0x80 if objects else 0, 0, 0, objects)


def segment(kind: int, time_s: float, body: bytes) -> bytes:
    return b"PG" + struct.pack(">IIBH", round(time_s * 90_000), 0, kind, len(body)) + body


def packed_rows(pixels: NDArray[np.uint8]) -> bytes:
    """Rows as runs of one colour: 0, the length in 6 or 14 bits, and the number where it is not 0."""
    packed = bytearray()
    for row in pixels:
        borders = [0, *(np.flatnonzero(np.diff(row)) + 1), len(row)]
        for begin, end in pairwise(borders):
            number, length = int(row[begin]), int(end - begin)
            long = 0x40 if length > 63 else 0
            counted = struct.pack(">H", length | 0x4000) if long else bytes([length])
            packed += b"\0" + bytes([counted[0] | (0x80 if number else 0)]) + counted[1:]
            packed += bytes([number]) if number else b""
        packed += b"\0\0"
    return bytes(packed)
