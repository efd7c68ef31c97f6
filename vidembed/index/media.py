"""Media as the settings want it: opening videos, the tools of a run, thumbnails. Heavy modules load when used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.schema import Config, ThumbnailSettings
from vidembed.errors import ConfigError, StoreUnavailable
from vidembed.files import write_bytes
from vidembed.index.pipeline.jobs import Tools
from vidembed.protocols import Frame, Segmenter, VideoReader
from vidembed.types import Image, VideoInfo

if TYPE_CHECKING:
    from vidembed.media.reading.container import Limits
    from vidembed.media.segmenting.kernel import Look


def make_limits(config: Config) -> Limits:
    from vidembed.media.reading.container import Limits

    return Limits(**config.media.limits.model_dump())


def make_tools(
    config: Config,
    *,
    save_thumbnail: Callable[[Image, str], None] | None,
    workers: int = 1,
    look: Look | None = None,
) -> Tools:
    """The media room's services for a run. save_thumbnail: takes (picture, clip_id), None = make none.

    look: the frame encoder of segment.kind "changes" (`channels.look_of`).
    """
    from vidembed.media import files
    from vidembed.media.reading import probe
    from vidembed.media.reading.guarded import within
    from vidembed.media.segmenting import segment

    limits = make_limits(config)
    stop = threading.Event()

    def info_of(path: Path) -> VideoInfo:
        if config.media.isolate == "always":
            with open_video(config, path, stop=stop) as video:
                return video.info
        return within(limits.decode_timeout_s, path, lambda: probe.probe(path, limits), stop=stop)

    return Tools(
        identify=files.video_id,
        probe=info_of,
        open=lambda path: open_video(config, path, workers=workers, stop=stop),
        stop=stop,
        segmenter=make_segmenter(config, look=look),
        known_spans=partial(segment.KnownSpans, max_frames=_held_frames(config)),
        distinct=make_distinct(config),
        rate_hz=config.sample.rate_hz,
        mode=config.sample.mode,
        max_frames_per_clip=config.sample.max_frames_per_clip,
        save_thumbnail=save_thumbnail,
        thumbnail_px=config.thumbnails.long_side_px * 9 // 16,
    )


def open_video(config: Config, path: Path, *, workers: int = 1, stop: threading.Event | None = None) -> VideoReader:
    """A reader that gives up on a decoder that does not come back. stop: set it, and waiting calls end too."""
    from vidembed.media.reading.guarded import GuardedReader
    from vidembed.media.reading.reader import open_video as open_one

    limits = make_limits(config)
    how: dict[str, Any] = {
        "backend": config.media.reader,
        "limits": limits,
        "audio_track": config.media.audio_track,
        "threads": 1 if workers > 1 else 0,  # several videos at once keep the cores busy by themselves
    }
    opens: Callable[[], VideoReader] = partial(open_one, path, **how)
    give_up: Callable[[], None] | None = None
    if config.media.isolate == "always":
        from vidembed.media.reading.isolated import CHILDREN, IsolatedReader

        child = CHILDREN.take()
        opens, give_up = partial(IsolatedReader, child, path, **how), child.kill
    return GuardedReader(opens, path.name, limit_s=limits.decode_timeout_s, stop=stop, give_up=give_up)


def make_segmenter(config: Config, *, look: Look | None = None) -> Segmenter:
    """look: the tower that segment.kind "changes" needs. Raises ConfigError where that has none."""
    from vidembed.media.segmenting import segment
    from vidembed.media.segmenting.kernel import DEFAULT_CHANGE

    given = config.segment
    if given.kind == "changes" and look is None:
        raise ConfigError(
            "segment.kind: 'changes' needs a channel that encodes frames one by one",
            hint="switch one on, such as vision, or choose shots",
        )
    options: dict[str, dict[str, Any]] = {
        "windows": {"window_s": given.window_s, "overlap_s": given.overlap_s},
        "shots": {"min_s": given.min_s, "max_s": given.max_s},
        "changes": {
            "look": look,
            "min_s": given.min_s,
            "max_s": given.max_s,
            "change": given.change or DEFAULT_CHANGE,
        },
        "whole": {},
    }
    return segment.make_segmenter(given.kind, max_frames=_held_frames(config), **options[given.kind])


def _held_frames(config: Config) -> int:
    """Frames of one clip that are held at once: enough to choose from, few enough for any length."""
    return max(64, config.sample.max_frames_per_clip)


def make_distinct(config: Config) -> Callable[[Iterable[Frame]], Iterator[Frame]]:
    from vidembed.media.segmenting.sampling import distinct

    return iter if config.sample.mode == "fixed" else partial(distinct, threshold=config.sample.distinct)


class Thumbnails:
    """The JPEGs of an index, one a clip. Methods raise StoreUnavailable where a file cannot be written."""

    def __init__(self, folder: Path, settings: ThumbnailSettings) -> None:
        self.folder = folder
        self.settings = settings

    def path(self, clip_id: str) -> Path:
        """Where the clip's picture is, or would be."""
        return self.folder / clip_id[:2] / f"{clip_id}.jpg"

    def save(self, rgb: Image, clip_id: str) -> None:
        """Keep a picture, (H, W, 3) uint8, unless the clip has one."""
        if not self.path(clip_id).exists():
            self.write(self.jpeg(rgb), clip_id)

    def jpeg(self, rgb: Image) -> bytes:
        from vidembed.media.images import jpeg

        return jpeg(rgb, long_side_px=self.settings.long_side_px, quality=self.settings.quality)

    def write(self, content: bytes, clip_id: str) -> None:
        """Keep a JPEG made elsewhere."""
        target = self.path(clip_id)
        try:
            write_bytes(target, content)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write the thumbnail {target}: {error.strerror or error}", hint="is the disk full?"
            ) from error

    def remove(self, clip_id: str) -> None:
        self.path(clip_id).unlink(missing_ok=True)
