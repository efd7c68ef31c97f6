"""The other parts: media tools, store, executor, settings of search and runs. Heavy modules are imported when used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.schema import Config, RunSettings
from vidembed.errors import ConfigError, StoreUnavailable
from vidembed.files import write_bytes
from vidembed.index.pipeline.job import Tools
from vidembed.index.pipeline.run import RunOptions
from vidembed.protocols import Executor, Frame, Segmenter, VideoReader
from vidembed.types import Image, VideoInfo

if TYPE_CHECKING:
    from vidembed.index.channels import Lane
    from vidembed.index.pipeline.remote import Remote
    from vidembed.media.reading.container import Limits
    from vidembed.media.segmenting.kernel import Look
    from vidembed.search.calibration import BankVectors


def make_limits(config: Config) -> Limits:
    from vidembed.media.reading.container import Limits

    return Limits(**config.media.limits.model_dump())


def make_tools(config: Config, *, thumbnails: Path | None, workers: int = 1, look: Look | None = None) -> Tools:
    """The media room's services for a run. thumbnails: their folder, None = make none. look: see `look_of`."""
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
        save_thumbnail=None if thumbnails is None else _thumbnailer(config, thumbnails),
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


def thumbnail_path(folder: Path, clip_id: str) -> Path:
    return folder / clip_id[:2] / f"{clip_id}.jpg"


def _thumbnailer(config: Config, folder: Path) -> Callable[[Image, str], None]:
    from vidembed.media.images import jpeg

    given = config.thumbnails

    def save(rgb: Image, clip_id: str) -> None:
        if not thumbnail_path(folder, clip_id).exists():
            keep_thumbnail(folder, jpeg(rgb, long_side_px=given.long_side_px, quality=given.quality), clip_id)

    return save


def keep_thumbnail(folder: Path, content: bytes, clip_id: str) -> None:
    """Write a clip's JPEG. Raises StoreUnavailable."""
    target = thumbnail_path(folder, clip_id)
    try:
        write_bytes(target, content)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot write the thumbnail {target}: {error.strerror or error}", hint="is the disk full?"
        ) from error


def make_judged(lanes: Mapping[str, Lane], rerank: Mapping[str, float]) -> dict[str, float]:
    """channel -> weight in choosing captions: as set, or every lane of picture or sound whose model takes text."""
    able = [
        name
        for name, entry in lanes.items()
        if entry.settings.source in ("frames", "audio", "av")
        and entry.spec.kind == "encoder"
        and (not entry.spec.modalities or "text" in entry.spec.modalities)
    ]
    unknown = set(rerank) - set(able)
    if unknown:
        raise ConfigError(
            f"caption.rerank names {', '.join(sorted(unknown))}, which cannot compare a clip with text",
            hint=f"channels that can: {', '.join(able) or 'none'}",
        )
    return (
        {name: rerank.get(name, 0.0) for name in able if rerank.get(name, 0.0) > 0}
        if rerank
        else dict.fromkeys(able, 1.0)
    )


def make_executor(settings: RunSettings) -> Executor:
    """Raises MissingDependency."""
    if settings.executor == "ray":
        from vidembed.index.executors.ray import RayExecutor

        return RayExecutor(settings.workers, cpus=settings.worker_cpus, gpus=settings.worker_gpus)
    from vidembed.index.executors.local import SerialExecutor, ThreadExecutor

    serial = settings.executor == "serial" or settings.workers == 1
    return SerialExecutor() if serial else ThreadExecutor(settings.workers)


def make_remote(
    config: Config,
    lanes: Mapping[str, Lane],
    *,
    thumbnails: Path | None,
    captions_of: Callable[[Sequence[str]], Mapping[str, str]],
) -> Remote | None:
    """For executors whose workers share no memory with this process; None for the others."""
    if config.run.executor != "ray":
        return None
    from vidembed.index.pipeline.remote import Remote
    from vidembed.index.pipeline.worker import Worker

    settings = {name: lane.settings for name, lane in lanes.items()}
    collections = {name: lane.collection for name, lane in lanes.items()}
    work = Worker(config, settings, collections, thumbnails is not None)

    def keep(content: bytes, clip_id: str) -> None:
        assert thumbnails is not None
        keep_thumbnail(thumbnails, content, clip_id)

    return Remote(work, captions_of, keep)


def make_run_options(config: Config) -> RunOptions:
    elsewhere = {"executor", "workers", "worker_cpus", "worker_gpus"}
    return RunOptions(**config.run.model_dump(exclude=elsewhere))


def make_bank(config: Config, cache: Path | None) -> BankVectors:
    """Ordinary queries in each channel's space. cache: folder that keeps them, so that no search encodes them."""
    from vidembed.search.calibration import BankVectors, read_bank

    return BankVectors(read_bank(config.search.calibration.bank), folder=cache)


def find_videos(paths: Iterable[str | Path] | str | Path) -> list[Path]:
    from vidembed.media.files import find_videos as find

    return find(paths)


def list_tags(paths: Iterable[str | Path] | str | Path) -> dict[Path, dict[str, str]]:
    from vidembed.media.files import list_tags as find

    return find(paths)
