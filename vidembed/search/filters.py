"""Resolve a `Filter` into what a store can check: the ids of allowed videos."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

from vidembed.errors import BadQuery, did_you_mean
from vidembed.files import composed
from vidembed.media.captured import GPS, SHOT, distance_km
from vidembed.types import Filter, Where
from vidembed.types.query import TAG_SEPARATOR

_TAG = re.compile(r"\s*(?P<key>[^=!<>]+?)\s*(?:(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>.*?)\s*)?")
_MOST_VALUES = 10  # of a tag that a message names
_ORDERS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass(frozen=True)
class VideoFacts:
    """What filters look at.

    Attributes:
        paths: Every path of the video's content, with "/" between folders.
        modified: POSIX seconds, one per path.
        tags: Name -> value.
    """

    video_id: str
    paths: tuple[str, ...]
    duration_s: float
    modified: tuple[float, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagCondition:
    """One condition on a tag. sign "": the video has the tag.

    = and != ignore case and take shell globs ("place=*beach*"); of several values, "dog; cat", = is met by one of
    them. < <= > >= compare numbers if both are, else text, which suits dates such as 2026-01-31. A video without the
    tag meets only !=.
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
                f"invalid tag condition {text!r}", hint="write camera=front, place!=*beach*, year>=2020, or checked"
            )
        return cls(found["key"], found["sign"] or "", found["value"] or "")

    def allows(self, tags: Mapping[str, str]) -> bool:
        """Whether a video with these tags meets the condition."""
        held = tags.get(self.key)
        if held is None:
            return self.sign == "!="
        if self.sign in _ORDERS:
            return bool(_ORDERS[self.sign](*_comparable(held, self.value)))
        alike = any(fnmatchcase(one.casefold(), self.value.casefold()) for one in {held, *held.split(TAG_SEPARATOR)})
        return {"": True, "=": alike, "!=": not alike}[self.sign]


def check_tags(conditions: Iterable[str], held: Iterable[Mapping[str, str]]) -> None:
    """Refuse a condition on a tag that no video has, or on a value that none has: most likely a typo.

    Args:
        conditions: As a person wrote them.
        held: The tags of each video.

    Raises:
        BadQuery: It names the tags and values there are.
    """
    values: dict[str, set[str]] = {}
    for tags in held:
        for key, value in tags.items():
            values.setdefault(key, set()).update(value.split(TAG_SEPARATOR))
    for condition in map(TagCondition.parse, conditions):
        if condition.key not in values:
            hint = did_you_mean(condition.key, values) if values else "no video has a tag: vidembed tag sets them"
            raise BadQuery(f"no video has the tag {condition.key!r}", hint=hint)
        known = sorted(values[condition.key])
        if condition.sign == "=" and not any(condition.allows({condition.key: value}) for value in known):
            more = f" and {len(known) - _MOST_VALUES} more" if len(known) > _MOST_VALUES else ""
            raise BadQuery(
                f"no video has {condition.key}={condition.value}",
                hint=f"{condition.key} is one of: {', '.join(known[:_MOST_VALUES])}{more}",
            )


def _comparable(one: str, other: str) -> tuple[float, float] | tuple[str, str]:
    try:
        return float(one), float(other)
    except ValueError:
        return one, other


def resolve(wanted: Filter | None, videos: Iterable[VideoFacts]) -> Where:
    """The videos that a filter allows. If it only sets `within`, video_ids is None and stores check no id."""
    if wanted is None:
        return Where()
    tags = [TagCondition.parse(text) for text in wanted.tags or ()]
    if replace(wanted, within=None) == Filter():
        return Where(within=wanted.within)
    return Where(video_ids=frozenset(v.video_id for v in videos if allows(wanted, v, tags)), within=wanted.within)


def allows(wanted: Filter, video: VideoFacts, tags: Sequence[TagCondition]) -> bool:
    """Whether the video meets every condition, at one of its paths. tags: those of `wanted`, parsed once."""
    if wanted.videos is not None and video.video_id not in wanted.videos:
        return False
    if wanted.min_duration_s is not None and video.duration_s < wanted.min_duration_s:
        return False
    if wanted.max_duration_s is not None and video.duration_s > wanted.max_duration_s:
        return False
    if not all(condition.allows(video.tags) for condition in tags) or not _allows_shot(wanted, video.tags):
        return False
    return any(allows_file(wanted, path, modified) for path, modified in zip(video.paths, video.modified, strict=True))


def _allows_shot(wanted: Filter, tags: Mapping[str, str]) -> bool:
    """Whether what the camera wrote meets the conditions; a video of which it wrote nothing meets none."""
    if wanted.shot_after is not None or wanted.shot_before is not None:
        try:
            shot_s = datetime.fromisoformat(tags.get(SHOT, "")).timestamp()
        except ValueError:
            return False
        if not (wanted.shot_after or -math.inf) <= shot_s < (wanted.shot_before or math.inf):
            return False
    if wanted.near is None:
        return True
    try:
        latitude, longitude = map(float, tags.get(GPS, "").split(","))
    except ValueError:
        return False
    return distance_km(wanted.near, (latitude, longitude)) <= wanted.within_km


def allows_file(wanted: Filter, path: str, modified: float) -> bool:
    """Whether one file of a video meets the conditions on files. modified: POSIX seconds."""
    return (
        (wanted.paths is None or any(path_matches(path, glob) for glob in wanted.paths))
        and (wanted.modified_after is None or modified >= wanted.modified_after)
        and (wanted.modified_before is None or modified < wanted.modified_before)
    )


def path_matches(path: str, glob: str) -> bool:
    """Match a shell glob against the full path, its end from any folder on, or the file name; "*" also crosses folders.

    Examples: "*.mkv", "videos/2024/*", "/home/me/videos/*"; "videos/2024" means everything in that folder. What is
    written as the path is, is that path, whatever its brackets mean in a glob.
    """
    path, glob = composed(path), composed(glob)
    if f"{path}/".startswith(f"{glob}/") or (glob[:1] != "/" and f"/{glob.strip('/')}/" in f"{path}/"):
        return True
    glob = glob.replace("\\", "/")
    if fnmatchcase(path, glob) or fnmatchcase(path, f"*/{glob}"):
        return True
    folder = glob.rstrip("/") + "/*"
    return fnmatchcase(path, folder) or fnmatchcase(path, f"*/{folder}")
