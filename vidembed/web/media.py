"""The files behind the page: only what the index holds, and only as it was when it was indexed.

Pictures of moments are made when they are first looked at: the best frame, and the frames that play on hover.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidembed.config.schema import LimitSettings
from vidembed.errors import BadQuery, InputError, MediaNotFound, MediaUnreadable, NoSuchStream
from vidembed.files import replacing, write_bytes
from vidembed.media.files import video_id as content_id
from vidembed.media.remote import COPIES, is_remote, unsigned
from vidembed.types import Image, Span
from vidembed.web.searches import step_back

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

# What current browsers play, by file extension; anything else, and whatever a browser then still refuses, goes
# through a transcoded piece.
BROWSER_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/mp4", ".ogv": "video/ogg",
    ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".wav": "audio/wav", ".ogg": "audio/ogg", ".oga": "audio/ogg",
    ".opus": "audio/ogg", ".flac": "audio/flac", ".aac": "audio/aac", ".gif": "image/gif",
}  # fmt: skip
# Current browsers show nothing of other pictures (HEVC, ProRes, MPEG-4 part 2, Theora), and play films with other
# sound (AC-3, DTS, ALAC, ADPCM) in silence, without an error.
BROWSER_CODECS = frozenset({"h264", "vp8", "vp9", "av1", ""})
BROWSER_SOUNDS = frozenset({"aac", "mp3", "opus", "vorbis", "flac", ""})
_BROWSER_PIXELS = frozenset({"yuv420p", "yuvj420p", "yuva420p", ""})
_WAV_SOUNDS = frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"})
PIECE_S = 90.0  # length of a transcoded piece
STEP_S = 30.0  # pieces begin on this grid, so that neighbouring moments share them
LEAD_S = 5.0  # a piece begins at least this much before the moment
PROXY_HEIGHT_PX = 480
_KEPT = "[!.]*"  # pieces and copies, but for those in the making
PROXY_TIMEOUT_S = 120.0


def plays_in_browsers(path: Path, codec: str, sound: str = "", pixels: str = "") -> bool:
    """Whether the file itself may be tried first.

    Args:
        path: The file.
        codec: Of its pictures, ffmpeg's name; "" = none.
        sound: Of its sound; "" = none, or not known yet.
        pixels: ffmpeg's name of their format; "" = none, or not known yet.
    """
    suffix = path.suffix.lower()
    if suffix not in BROWSER_TYPES or suffix == ".gif" or codec not in BROWSER_CODECS:
        return False
    if codec == "h264" and pixels not in _BROWSER_PIXELS:
        return False
    return sound in BROWSER_SOUNDS or (suffix == ".wav" and sound in _WAV_SOUNDS)


def piece_at(start_s: float, duration_s: float) -> Span:
    """The stretch that is transcoded for a moment that starts here; never empty."""
    begin = max(0.0, STEP_S * ((start_s - LEAD_S) // STEP_S))
    begin = min(begin, max(0.0, duration_s - 0.1))
    return Span(begin, max(min(begin + PIECE_S, duration_s), begin + 0.1))


class MediaFiles:
    """Finds originals by video id, keeps transcoded pieces and copies of remote files. No path comes from outside."""

    def __init__(self, index: VideoIndex, folder: Path, *, max_bytes: int, at_once: int = 2) -> None:
        self._index = index
        self._folder = folder
        self._max_bytes = max_bytes
        self._slots = threading.BoundedSemaphore(at_once)
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def original(self, video_id: str) -> Path:
        """The file that holds this video now. Raises MediaNotFound when none does.

        Its content is compared with the id, which is a hash of it: a file or link that was swapped for another since
        it was indexed is not served, wherever it leads. Of a remote file a copy is kept beside the pieces.
        """
        for row in self._index.catalog.videos.paths_of(video_id):
            path = Path(row.path)
            try:
                path = self._copy(path, video_id) if is_remote(path) else path
                stat = os.stat(path)
                found = _content_id(str(path), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            except (OSError, MediaNotFound, MediaUnreadable):
                continue
            if found == video_id:
                return path
        raise MediaNotFound("this video is not in the library, or its file has changed or gone")

    def _copy(self, path: Path, video_id: str) -> Path:
        """A remote file here, fetched now if it is not kept. Raises MediaNotFound for what has changed."""
        target = self._folder / f"{video_id}{unsigned(path).suffix}"
        with self._lock(target.name):
            if not target.exists():
                if content_id(path) != video_id:
                    raise MediaNotFound(f"{path}: it has changed")
                with COPIES.local(path, self._index.config.media.limits) as copy, replacing(target) as part:
                    _shared(copy, part)
                tidy(self._folder, _KEPT, self._max_bytes, keep=target)
            _use(target)
        return target

    def plays(self, video_id: str) -> bool:
        """Whether browsers play the file itself, by all its codecs."""
        path = self.original(video_id)
        return _plays(path, self._index.config.media.limits, path.stat().st_mtime_ns)

    def piece(self, video_id: str, start_s: float) -> tuple[Path, Span]:
        """A small MP4 around this time, made now if it is not kept, and the stretch it covers."""
        row = self._index.catalog.videos.get(video_id)
        if row is None:
            raise MediaNotFound("this video is not in the library")
        span = piece_at(max(0.0, start_s), row.info.duration_s)
        target = self._folder / f"{video_id}-{round(span.start_s)}.mp4"
        with self._lock(target.name):
            if not target.exists():
                source = self.original(video_id)
                with self._slots:
                    self._make(source, span, target)
        _use(target)
        return target, span

    def _make(self, source: Path, span: Span, target: Path) -> None:
        from vidembed.media.editing.cut import cut

        target.parent.mkdir(parents=True, exist_ok=True)
        cut(source, span, target, exact=True, overwrite=True, height_px=PROXY_HEIGHT_PX, timeout_s=PROXY_TIMEOUT_S)
        tidy(self._folder, _KEPT, self._max_bytes, keep=target)

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())


def _use(path: Path) -> None:
    """Note that a file is used now, for `tidy`; when it was written stays, since its content is known by that."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def tidy(folder: Path, pattern: str, max_bytes: int, *, keep: Path) -> None:
    """Drop the files that were used longest ago until the rest fits. Others may do the same meanwhile."""
    kept: list[tuple[float, int, Path]] = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            stat = path.stat()
            kept.append((stat.st_atime, stat.st_size, path))
    total = 0
    for _, size, path in sorted(kept, reverse=True):
        total += size
        if total > max_bytes and path != keep:
            with suppress(OSError):  # on Windows, one that is being sent stays until the next time
                path.unlink()


def _shared(source: Path, target: Path) -> None:
    """A file under a second name, without a copy where one disk holds both: others may still read the first."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@lru_cache(maxsize=4096)
def _plays(path: Path, limits: LimitSettings, *state: int) -> bool:
    """From the headers, read again only when the file changed."""
    from vidembed.media.reading.container import open_container
    from vidembed.media.reading.probe import picture_stream

    with open_container(path, limits) as container:
        picture = picture_stream(container)
        sound = next((stream.codec_context.name for stream in container.streams.audio if stream.codec_context), "")
        if picture is None:
            return plays_in_browsers(path, "", sound)
        context = picture.codec_context
        return plays_in_browsers(path, context.codec.canonical_name, sound, context.pix_fmt or "")


@lru_cache(maxsize=4096)
def _content_id(path: str, *state: int) -> str:
    """The id of the content, read again only when the file changed."""
    return content_id(path)


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
