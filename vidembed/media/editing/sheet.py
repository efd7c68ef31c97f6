"""Contact sheets: one picture with a tile for each shot or moment, and when it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.config.schema import MediaSettings, SegmentSettings
from vidembed.errors import BadQuery, NoSuchStream
from vidembed.media.reading.reader import open_video
from vidembed.media.remote import name_of
from vidembed.media.segmenting.segment import Shots
from vidembed.types import Image, Moment, Span, format_time

_GAP_PX = 4
_LINE_PX = 18
_RATE_HZ = 1.0
MOST_TILES = 400


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet: what the video shows at at_s stands for the span."""

    path: Path
    span: Span
    at_s: float

    @classmethod
    def of_moments(cls, moments: Iterable[Moment]) -> list[Tile]:
        """What was found, each by its best frame."""
        return [cls(moment.path, moment.span, moment.best_s) for moment in moments]

    @classmethod
    def of_shots(cls, path: str | Path, *, media: MediaSettings | None = None) -> list[Tile]:
        """The shots of a file, each by its middle; long ones are not divided. Reads the file once.

        Raises:
            NoSuchStream: It has no picture.
            MediaUnreadable: It cannot be decoded.
        """
        path = Path(path)
        with open_video(path, media) as video:
            if not video.info.has_video:
                raise NoSuchStream(f"{name_of(path)} has no picture")
            duration_s = video.info.duration_s
            frames = video.stream(rate_hz=_RATE_HZ, short_side_px=64, mode="adaptive", cuts=True)
            whole = SegmentSettings(max_s=min(3600.0, max(1.0, duration_s + 1.0)))
            spans = [span for span, held in Shots(whole).clips(frames, duration_s=duration_s) if held]
        return [cls(path, span, span.middle_s) for span in spans]


def contact_sheet(
    tiles: Sequence[Tile], *, columns: int | None = None, tile_px: int = 320, media: MediaSettings | None = None
) -> Image:
    """Put the pictures of tiles side by side, in their order, each with its time below it.

    Args:
        tiles: What to show, at least one; of several files the names stand beside the times.
        columns: Tiles side by side; None: as many as rows.
        tile_px: Width of a tile, in pixels; its height is 9/16 of that, and pictures of other shapes fit inside.
        media: How files are opened.

    Returns:
        (H, W, 3) uint8.

    Raises:
        BadQuery: No tile, or too many.
        VidembedError: A file cannot be read.
    """
    import PIL.Image
    import PIL.ImageDraw
    import PIL.ImageFont

    if not 1 <= len(tiles) <= MOST_TILES:
        raise BadQuery(f"a sheet holds 1 to {MOST_TILES} tiles, got {len(tiles)}")
    columns = min(len(tiles), columns or math.ceil(math.sqrt(len(tiles))))
    wide, high = tile_px + _GAP_PX, tile_px * 9 // 16 + _LINE_PX + _GAP_PX
    sheet = PIL.Image.new("RGB", (columns * wide + _GAP_PX, math.ceil(len(tiles) / columns) * high + _GAP_PX), "white")
    draw, font = PIL.ImageDraw.Draw(sheet), PIL.ImageFont.load_default(_LINE_PX - 5)
    several = len({tile.path for tile in tiles}) > 1
    for path in dict.fromkeys(tile.path for tile in tiles):
        with open_video(path, media) as video:
            for place, tile in enumerate(tiles):
                if tile.path == path:
                    left, top = _GAP_PX + place % columns * wide, _GAP_PX + place // columns * high
                    shown = PIL.Image.fromarray(video.frames([tile.at_s], short_side_px=tile_px).rgb[0])
                    shown.thumbnail((tile_px, high - _LINE_PX - _GAP_PX))
                    sheet.paste(shown, (left + (tile_px - shown.width) // 2, top))
                    _write(draw, font, label(tile, several), left, top + high - _LINE_PX - _GAP_PX, tile_px)
    return np.asarray(sheet)


def label(tile: Tile, named: bool) -> str:
    """Start and end to a tenth of a second, and the file's name where named."""
    times = "-".join(format_time(round(time_s, 1))[:-2] for time_s in (tile.span.start_s, tile.span.end_s))
    return f"{times}  {name_of(tile.path)}" if named else times


def _write(draw: Any, font: Any, text: str, left: int, top: int, most_px: int) -> None:
    while len(text) > 1 and draw.textlength(text, font=font) > most_px:
        text = text[:-2] + "…"
    draw.text((left, top), text, fill="black", font=font)
