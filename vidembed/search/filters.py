"""A person's `Filter` into what a store can check: the video ids it allows."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from vidembed.errors import BadQuery
from vidembed.types import Filter, Where

_TAG = re.compile(r"\s*(?P<key>[^=!<>]+?)\s*(?:(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>.*?)\s*)?")
_ORDERS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass(frozen=True)
class VideoFacts:
    """What filters look at. paths: every place where the same content lies, with "/" between folders."""

    video_id: str
    paths: tuple[str, ...]
    duration_s: float
    modified: tuple[float, ...]  # POSIX seconds, one per path
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagCondition:
    """One condition on a tag. sign: "" = the video has it at all.

    = and != compare without case and know shell globs ("place=*beach*"); < <= > >= compare as numbers where both are,
    else as text, which suits dates such as 2026-01-31. A video without the tag meets only !=.
    """

    key: str
    sign: str = ""
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> TagCondition:
        """From "camera=front", "year>=2020" or "checked". Raises BadQuery."""
        found = _TAG.fullmatch(text)
        if found is None or (found["sign"] and not found["value"]):
            raise BadQuery(
                f"no condition on a tag: {text!r}", hint="write camera=front, place!=*beach*, year>=2020, or checked"
            )
        return cls(found["key"], found["sign"] or "", found["value"] or "")

    def allows(self, tags: Mapping[str, str]) -> bool:
        held = tags.get(self.key)
        if held is None:
            return self.sign == "!="
        if self.sign in _ORDERS:
            return bool(_ORDERS[self.sign](*_comparable(held, self.value)))
        alike = fnmatchcase(held.casefold(), self.value.casefold())
        return {"": True, "=": alike, "!=": not alike}[self.sign]


def _comparable(one: str, other: str) -> tuple[float, float] | tuple[str, str]:
    try:
        return float(one), float(other)
    except ValueError:
        return one, other


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
        wanted.tags,
    )
    tags = [TagCondition.parse(text) for text in wanted.tags or ()]
    if all(condition is None for condition in conditions):
        return Where(within=wanted.within)
    return Where(video_ids=frozenset(v.video_id for v in videos if allows(wanted, v, tags)), within=wanted.within)


def allows(wanted: Filter, video: VideoFacts, tags: Sequence[TagCondition]) -> bool:
    """Whether the video meets every condition; one at several paths does if one of its copies does.

    tags: those of `wanted`, read once for all videos.
    """
    if wanted.videos is not None and video.video_id not in wanted.videos:
        return False
    if wanted.min_duration_s is not None and video.duration_s < wanted.min_duration_s:
        return False
    if wanted.max_duration_s is not None and video.duration_s > wanted.max_duration_s:
        return False
    if not all(condition.allows(video.tags) for condition in tags):
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
