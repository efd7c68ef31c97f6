"""Pictures of moments, made when they are first looked at: the best frame, and the frames that play on hover."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidembed.errors import BadQuery, InputError, MediaNotFound, MediaUnreadable, NoSuchStream
from vidembed.files import write_bytes
from vidembed.types import Image, Span
from vidembed.web.courtesy import step_back
from vidembed.web.media import MediaFiles, tidy

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

FILM_FRAMES = 8
_SIDE_PX = 240  # the shorter one
_PART_SIDE_PX = 720  # of the picture that a part is taken from
_LEAST_PX = 24  # of a part
_QUALITY = 82
_REGION = re.compile(r"([0-9a-f]{32})@(\d{1,7}(?:\.\d+)?)" + "@" + ",".join([r"(\d(?:\.\d+)?)"] * 4))
Box = tuple[float, float, float, float]  # left, top, width, height, as shares of the picture


@dataclass(frozen=True)
class Region:
    """A part of a picture of a video of the library."""

    video_id: str
    at_s: float
    box: Box

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read "VIDEO@12.4@0.1,0.2,0.5,0.5". Raises InputError for anything else, and for what is outside."""
        found = _REGION.fullmatch(text)
        numbers = [float(number) for number in found.group(2, 3, 4, 5, 6)] if found else []
        if not found or min(numbers[3:]) <= 0 or numbers[1] + numbers[3] > 1.001 or numbers[2] + numbers[4] > 1.001:
            raise InputError("this is no part of a picture", hint="draw a box inside the picture")
        return cls(found.group(1), numbers[0], (numbers[1], numbers[2], numbers[3], numbers[4]))


class Pictures:
    """Makes and keeps them; those used longest ago go when they take too much room."""

    def __init__(self, index: VideoIndex, media: MediaFiles, folder: Path, *, max_bytes: int) -> None:
        self._index, self._media, self._folder, self._max_bytes = index, media, folder, max_bytes
        at_once = min(2, max(1, (os.cpu_count() or 1) // 2))  # searches need processors, too, and come first
        self._makers = ThreadPoolExecutor(at_once, "vidembed-pictures", initializer=step_back)

    def frame(self, video_id: str, at_s: float) -> Path | None:
        """A JPEG of what is shown at this second; None for a sound."""
        return self._made(video_id, [at_s])

    def film(self, video_id: str, span: Span) -> Path | None:
        """A JPEG of FILM_FRAMES frames of the span side by side, evenly spread; None for a sound."""
        return self._made(video_id, span.middles_s(FILM_FRAMES))

    def part(self, region: Region) -> Path:
        """A JPEG of a part of what is shown. Raises BadQuery where nothing is."""
        made = self._made(region.video_id, [region.at_s], region.box)
        if made is None:
            raise BadQuery("there is no picture at this second", hint="draw the box in another video")
        return made

    def _made(self, video_id: str, times_s: Sequence[float], box: Box | None = None) -> Path | None:
        row = self._index.catalog.videos.get(video_id)
        if row is None:
            raise MediaNotFound("this video is not in the library")
        if not row.info.has_video:
            return None
        last_s = max(0.0, row.info.duration_s - 0.001)
        times_ms = [round(1000 * min(max(0.0, time_s), last_s)) for time_s in times_s]
        part = "".join(f"-{round(1000 * share)}" for share in box or ())
        target = self._folder / video_id[:2] / f"{video_id}-{times_ms[0]}-{times_ms[-1]}{part}.jpg"
        if target.exists():
            return target
        times = [time_ms / 1000 for time_ms in times_ms]
        return self._makers.submit(self._make, target, self._media.original(video_id), times, box).result()

    def close(self) -> None:
        """Make no more; what is in hand ends."""
        self._makers.shutdown(wait=True, cancel_futures=True)

    def _make(self, target: Path, path: Path, times_s: Sequence[float], box: Box | None) -> Path | None:
        if target.exists():  # another one who looks has asked for it
            return target
        pictures = self._decoded(path, times_s, _PART_SIDE_PX if box else _SIDE_PX)
        if pictures is None:
            return None
        if box:
            pictures = [_part(picture, box) for picture in pictures]
        write_bytes(target, _jpeg(np.concatenate(pictures, axis=1)))
        tidy(self._folder, "*/*.jpg", self._max_bytes, keep=target)
        return target

    def _decoded(self, path: Path, times_s: Sequence[float], side_px: int) -> list[Image] | None:
        """One picture for each time; where two times share one it comes twice."""
        from vidembed.media.reading.reader import open_video

        try:
            with open_video(path, self._index.config.media, threads=1) as video:
                found = video.frames(times_s, short_side_px=side_px)
        except (NoSuchStream, MediaUnreadable):
            return None
        shown = np.searchsorted(found.times_s, np.asarray(times_s) + 1e-6, side="right") - 1
        return [found.rgb[max(0, place)] for place in shown.tolist()]


@cache
def preview() -> bytes:
    """A PNG for those who show links to the page: its sign, 1200 x 630 as they like it."""
    import PIL.Image
    import PIL.ImageDraw

    picture = PIL.Image.new("RGB", (1200, 630), "#4f46e5")
    PIL.ImageDraw.Draw(picture).polygon([(510, 195), (510, 435), (720, 315)], fill="white")
    made = io.BytesIO()
    picture.save(made, format="PNG", optimize=True)
    return made.getvalue()


def _part(picture: Image, box: Box) -> Image:
    """The box of a picture, at least _LEAST_PX wide and high where the picture is."""
    height, width = picture.shape[:2]
    left, right = _stretch(box[0], box[2], width)
    top, bottom = _stretch(box[1], box[3], height)
    return picture[top:bottom, left:right]


def _stretch(start: float, length: float, whole_px: int) -> tuple[int, int]:
    first, last = round(start * whole_px), round((start + length) * whole_px)
    missing = max(0, min(_LEAST_PX, whole_px) - (last - first))
    first = min(max(0, first - missing // 2), whole_px - min(_LEAST_PX, whole_px))
    return first, min(whole_px, max(last, first + min(_LEAST_PX, whole_px)))


def _jpeg(rgb: Image) -> bytes:
    import PIL.Image

    made = io.BytesIO()
    PIL.Image.fromarray(rgb).save(made, format="JPEG", quality=_QUALITY)
    return made.getvalue()
