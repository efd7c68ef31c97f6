"""The files behind the page: only what the index holds, and only as it was when it was indexed."""

from __future__ import annotations

import os
import shutil
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.config.schema import LimitSettings
from vidembed.errors import MediaNotFound, MediaUnreadable
from vidembed.files import replacing
from vidembed.media.remote import COPIES, is_remote
from vidembed.types import Span

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
        """A remote file here, fetched now if it is not kept."""
        target = self._folder / f"{video_id}{path.suffix.partition('?')[0]}"
        with self._lock(target.name):
            if not target.exists():
                with COPIES.local(path, self._index.config.media.limits) as copy, replacing(target) as part:
                    shutil.move(copy, part)
                tidy(self._folder, _KEPT, self._max_bytes, keep=target)
        return target

    def plays(self, video_id: str) -> bool:
        """Whether browsers play the file itself, by all its codecs."""
        path = self.original(video_id)
        return _plays(path, self._index.config.media.limits, path.stat().st_mtime_ns)

    def piece(self, video_id: str, start_s: float) -> tuple[Path, Span]:
        """A small MP4 around this time, made now if it is not kept, and the stretch it covers."""
        source = self.original(video_id)
        row = self._index.catalog.videos.get(video_id)
        if row is None:
            raise MediaNotFound("this video is not in the library")
        span = piece_at(max(0.0, start_s), row.info.duration_s)
        target = self._folder / f"{video_id}-{round(span.start_s)}.mp4"
        with self._lock(target.name):
            if not target.exists():
                with self._slots:
                    self._make(source, span, target)
        os.utime(target)  # the least recently used go first
        return target, span

    def _make(self, source: Path, span: Span, target: Path) -> None:
        from vidembed.media.editing.cut import cut

        target.parent.mkdir(parents=True, exist_ok=True)
        cut(source, span, target, exact=True, overwrite=True, height_px=PROXY_HEIGHT_PX, timeout_s=PROXY_TIMEOUT_S)
        tidy(self._folder, _KEPT, self._max_bytes, keep=target)

    def _lock(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())


def tidy(folder: Path, pattern: str, max_bytes: int, *, keep: Path) -> None:
    """Drop the files that were used longest ago until the rest fits."""
    kept = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in kept:
        total += path.stat().st_size
        if total > max_bytes and path != keep:
            path.unlink(missing_ok=True)


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
    from vidembed.media.files import video_id

    return video_id(path)
