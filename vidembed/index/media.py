"""Media for an index: the services that a run needs, and thumbnails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from vidembed.config.schema import Config, MediaSettings, ThumbnailSettings
from vidembed.errors import StoreUnavailable
from vidembed.files import write_bytes
from vidembed.index.pipeline.in_hand import InHand
from vidembed.index.pipeline.jobs import Tools, unnoted
from vidembed.media.files import video_id
from vidembed.media.images import jpeg
from vidembed.media.reading.reader import open_video
from vidembed.media.remote import COPIES
from vidembed.media.segmenting import FrameEncoder, make_segmenter
from vidembed.media.segmenting.sampling import distinct
from vidembed.media.segmenting.segment import MAX_CLIP_FRAMES, KnownSpans
from vidembed.protocols import VideoReader
from vidembed.types import Image


def make_tools(
    config: Config,
    *,
    save_thumbnail: Callable[[Image, str], None] | None,
    workers: int = 1,
    encode_frames: FrameEncoder | None = None,
    in_hand: InHand | None = None,
) -> Tools:
    """Bind the media services to the settings, for one run.

    Args:
        config: The settings.
        save_thumbnail: Takes (picture, clip_id); None = make no thumbnails.
        workers: Videos decoded side by side.
        encode_frames: The image encoder for segment.kind "changes" (`channels.frame_encoder`).
        in_hand: Notes the files being decoded; those that an earlier run died of are decoded apart.
    """
    stop = threading.Event()
    noted = in_hand.hold if in_hand is not None else unnoted

    @contextmanager
    def hold(path: Path) -> Iterator[None]:
        with noted(path), COPIES.kept(path):
            yield

    # Several videos at once keep the cores busy by themselves; without `prefetch` the run shall have one alone.
    threads = 1 if workers > 1 or not config.run.prefetch else 0
    # Of one clip at once: enough to choose from, few enough for any length.
    held_frames = max(MAX_CLIP_FRAMES, config.sample.max_frames_per_clip)

    def settings(path: Path) -> MediaSettings:
        return config.media if in_hand is None else in_hand.media(path, config.media)

    return Tools(
        identify=video_id,
        open=lambda path: open_video(path, settings(path), threads=threads, stop=stop),
        hold=hold,
        stop=stop,
        segmenter=make_segmenter(config.segment, max_frames=held_frames, encode=encode_frames),
        known_spans=partial(KnownSpans, max_frames=held_frames),
        distinct=partial(distinct, settings=config.sample),
        rate_hz=config.sample.rate_hz,
        mode=config.sample.mode,
        cuts=config.segment.kind == "shots" and config.segment.detector == "builtin",
        detect=_detector(config),
        max_frames_per_clip=config.sample.max_frames_per_clip,
        save_thumbnail=save_thumbnail,
        thumbnail_px=config.thumbnails.long_side_px * 9 // 16,
    )


def _detector(config: Config) -> Callable[[VideoReader], Iterable[float]] | None:
    """A model that finds where shots begin; None where the reader does."""
    if config.segment.kind != "shots" or config.segment.detector == "builtin":
        return None
    from vidembed.media.segmenting.transnet import TransNet
    from vidembed.models.encoders._torch import pick_device

    # On Apple GPUs the package's own word is that the net finds other shots.
    chosen = str(pick_device(config.device))
    return TransNet("cpu" if chosen == "mps" else chosen).cuts


class Thumbnails:
    """The JPEGs of an index, one per clip. Methods raise StoreUnavailable when a file cannot be written."""

    def __init__(self, folder: Path, settings: ThumbnailSettings) -> None:
        self.folder = folder
        self.settings = settings

    def path(self, clip_id: str) -> Path:
        """The clip's file, whether it exists or not."""
        return self.folder / clip_id[:2] / f"{clip_id}.jpg"

    def save(self, rgb: Image, clip_id: str) -> None:
        """Save a picture, (H, W, 3) uint8, unless the clip has one."""
        if not self.path(clip_id).exists():
            self.write(jpeg(rgb, self.settings), clip_id)

    def write(self, content: bytes, clip_id: str) -> None:
        """Save a JPEG made elsewhere."""
        target = self.path(clip_id)
        try:
            write_bytes(target, content)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write the thumbnail {target}: {error.strerror or error}", hint="is the disk full?"
            ) from error

    def remove(self, clip_id: str) -> None:
        """Delete the clip's file, if there is one."""
        self.path(clip_id).unlink(missing_ok=True)
