"""A person's `Filter` into what a store can check: the video ids it allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from vidembed.types import Filter, Where


@dataclass(frozen=True)
class VideoFacts:
    """What filters look at. paths: every place where the same content lies, with "/" between folders."""

    video_id: str
    paths: tuple[str, ...]
    duration_s: float
    modified: tuple[float, ...]  # POSIX seconds, one per path


def resolve(wanted: Filter | None, videos: Iterable[VideoFacts]) -> Where:
    """The `Where` of a filter. video_ids stays None when nothing but `within` is asked, so stores need not check."""
    if wanted is None:
        return Where()
    conditions = (
        wanted.paths,
        wanted.videos,
        wanted.min_duration_s,
        wanted.max_duration_s,
        wanted.modified_after,
        wanted.modified_before,
    )
    if all(condition is None for condition in conditions):
        return Where(within=wanted.within)
    return Where(video_ids=frozenset(v.video_id for v in videos if allows(wanted, v)), within=wanted.within)


def allows(wanted: Filter, video: VideoFacts) -> bool:
    """Whether the video meets every condition; a video at several paths meets them if one of its copies does."""
    if wanted.videos is not None and video.video_id not in wanted.videos:
        return False
    if wanted.min_duration_s is not None and video.duration_s < wanted.min_duration_s:
        return False
    if wanted.max_duration_s is not None and video.duration_s > wanted.max_duration_s:
        return False
    return any(
        (wanted.paths is None or any(path_matches(path, glob) for glob in wanted.paths))
        and (wanted.modified_after is None or modified >= wanted.modified_after)
        and (wanted.modified_before is None or modified < wanted.modified_before)
        for path, modified in zip(video.paths, video.modified, strict=True)
    )


def path_matches(path: str, glob: str) -> bool:
    """Shell glob against the full path, its tail from any folder on, or the file name; "*" also crosses folders.

    "*.mkv", "videos/2024/*", "/home/me/videos/*"; a folder without a glob ("videos/2024") means all in it.
    """
    glob = glob.replace("\\", "/")
    if fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob}"):
        return True
    folder = glob.rstrip("/") + "/*"
    return fnmatchcase(path, folder) or fnmatchcase(path, f"*/{folder}")
