"""Pictures of moments, made when they are first looked at: the best frame, and the frames that play on hover."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidembed.errors import MediaNotFound, MediaUnreadable, NoSuchStream
from vidembed.files import write_bytes
from vidembed.types import Image, Span
from vidembed.web.media import MediaFiles, tidy

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

FILM_FRAMES = 8
_SIDE_PX = 240  # the shorter one
_QUALITY = 82


class Pictures:
    """Makes and keeps them; those used longest ago go when they take too much room."""

    def __init__(self, index: VideoIndex, media: MediaFiles, folder: Path, *, max_bytes: int, at_once: int = 2) -> None:
        self._index, self._media, self._folder, self._max_bytes = index, media, folder, max_bytes
        self._slots = threading.BoundedSemaphore(at_once)

    def frame(self, video_id: str, at_s: float) -> Path | None:
        """A JPEG of what is shown at this second; None for a sound."""
        return self._made(video_id, [at_s])

    def film(self, video_id: str, span: Span) -> Path | None:
        """A JPEG of FILM_FRAMES frames of the span side by side, evenly spread; None for a sound."""
        return self._made(video_id, span.middles_s(FILM_FRAMES))

    def _made(self, video_id: str, times_s: Sequence[float]) -> Path | None:
        row = self._index.catalog.videos.get(video_id)
        if row is None:
            raise MediaNotFound("this video is not in the library")
        if not row.info.has_video:
            return None
        last_s = max(0.0, row.info.duration_s - 0.001)
        times_ms = [round(1000 * min(max(0.0, time_s), last_s)) for time_s in times_s]
        target = self._folder / video_id[:2] / f"{video_id}-{times_ms[0]}-{times_ms[-1]}.jpg"
        if target.exists():
            return target
        with self._slots:
            if not target.exists():
                pictures = self._decoded(self._media.original(video_id), [time_ms / 1000 for time_ms in times_ms])
                if pictures is None:
                    return None
                write_bytes(target, _jpeg(np.concatenate(pictures, axis=1)))
                tidy(self._folder, "*/*.jpg", self._max_bytes, keep=target)
        return target

    def _decoded(self, path: Path, times_s: Sequence[float]) -> list[Image] | None:
        """One picture for each time; where two times share one it comes twice."""
        from vidembed.media.reading.reader import open_video

        try:
            with open_video(path, self._index.config.media) as video:
                found = video.frames(times_s, short_side_px=_SIDE_PX)
        except (NoSuchStream, MediaUnreadable):
            return None
        shown = np.searchsorted(found.times_s, np.asarray(times_s) + 1e-6, side="right") - 1
        return [found.rgb[max(0, place)] for place in shown.tolist()]


def _jpeg(rgb: Image) -> bytes:
    import PIL.Image

    made = io.BytesIO()
    PIL.Image.fromarray(rgb).save(made, format="JPEG", quality=_QUALITY)
    return made.getvalue()
