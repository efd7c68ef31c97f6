"""What is looked for, and where."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard

from vidembed.errors import BadQuery
from vidembed.types.media import Clip
from vidembed.types.time import Span

TAG_SEPARATOR = "; "  # between several values of one tag
EXCLUDED = -0.5  # the weight of what is not to be there: what is wanted leads


@dataclass(frozen=True)
class Filter:
    """What a search is limited to. None = no limit. Conditions are joined by AND.

    Raises BadQuery when it is made with a number that is none, or out of bounds.

    paths: shell globs matched against the full path and against the file name ("videos/2024/*", "*.mkv").
    tags: conditions on what people noted of a video: "camera=front", "place!=beach", "year>=2020", "checked" (has it).
    """

    paths: Sequence[str] | None = None
    videos: Sequence[str] | None = None  # video ids
    min_duration_s: float | None = None  # of the whole video
    max_duration_s: float | None = None
    modified_after: float | None = None  # POSIX seconds
    modified_before: float | None = None
    tags: Sequence[str] | None = None
    within: Span | None = None  # only clips that overlap this stretch of their video
    shot_after: float | None = None  # POSIX seconds, as the camera wrote it; the file's date is `modified`
    shot_before: float | None = None
    near: tuple[float, float] | None = None  # latitude and longitude in degrees, as the camera wrote it
    within_km: float = 1.0  # of `near`

    def __post_init__(self) -> None:
        for name in ("paths", "videos", "tags"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise TypeError(f"Filter.{name} takes a sequence of strings, got the string {value!r}")
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        for name in ("min_duration_s", "max_duration_s"):
            _check(name, getattr(self, name), at_least=0.0)
        for name in ("modified_after", "modified_before", "shot_after", "shot_before"):
            _check(name, getattr(self, name))
        _check("within_km", self.within_km, at_least=0.0)
        if self.within is not None and not isinstance(self.within, Span):
            raise BadQuery(f"within takes a Span, got {self.within!r}", hint="such as within=Span(30, 120)")
        if self.near is not None and not _on_earth(self.near):
            raise BadQuery(
                f"near takes a latitude of -90..90 and a longitude of -180..180, got {self.near!r}",
                hint="such as near=(48.86, 2.35)",
            )


def _check(name: str, value: object, at_least: float = -math.inf) -> None:
    if value is not None and not (_is_number(value) and value >= at_least):
        bound = "" if at_least == -math.inf else f" of at least {at_least:g}"
        raise BadQuery(f"{name} takes a number{bound}, got {value!r}", hint="None: no limit")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, numbers.Real) and math.isfinite(value)


def _on_earth(near: object) -> bool:
    return (
        isinstance(near, Sequence)
        and len(near) == 2
        and all(_is_number(part) and abs(part) <= most for part, most in zip(near, (90.0, 180.0), strict=True))
    )


@dataclass(frozen=True)
class Where:
    """A `Filter` resolved by the catalog into what a store can check by itself. None = no limit."""

    video_ids: frozenset[str] | None = None
    within: Span | None = None
    not_clips: frozenset[str] = frozenset()

    def allows(self, clip: Clip) -> bool:
        """The meaning of the filter, for stores that check in Python and as the oracle for those that do not."""
        if self.video_ids is not None and clip.video_id not in self.video_ids:
            return False
        if self.within is not None and clip.span.overlap_s(self.within) <= 0:
            return False
        return clip.clip_id not in self.not_clips


TermModality = Literal["text", "image", "audio", "video", "clip"]


@dataclass(frozen=True, eq=False)
class Term:
    """One part of a query. weight < 0 means "less like this"; modality "clip" takes a clip_id of the index.

    literal: a text is taken at its word: "without a hat" excludes no hats.
    value: text `str`; image path, PIL image or (H, W, 3) uint8; audio path or AudioSamples;
    video path or AudioVisual; clip `str`.
    """

    modality: TermModality
    value: Any
    weight: float = 1.0
    literal: bool = False


@dataclass(frozen=True, eq=False)
class Query:
    """What is looked for: terms that add up, so `Query.text("a dog") + Query.image("x.jpg") - Query.text("snow")`."""

    terms: tuple[Term, ...]
    where: Filter | None = None

    @classmethod
    def text(cls, value: str, *, where: Filter | None = None) -> Query:
        """Look for words."""
        return cls((Term("text", value),), where)

    @classmethod
    def image(cls, value: Any, *, where: Filter | None = None) -> Query:
        """Look for an image: a path, a PIL image or (H, W, 3) uint8."""
        return cls((Term("image", value),), where)

    @classmethod
    def audio(cls, value: Any, *, where: Filter | None = None) -> Query:
        """Look for a sound: a path or `AudioSamples`."""
        return cls((Term("audio", value),), where)

    @classmethod
    def video(cls, value: Any, *, where: Filter | None = None) -> Query:
        """Look for a video: a path or `AudioVisual`."""
        return cls((Term("video", value),), where)

    @classmethod
    def clip(cls, clip_id: str, *, where: Filter | None = None) -> Query:
        """More like this: by the stored vectors of a clip of the same index."""
        return cls((Term("clip", clip_id),), where)

    @classmethod
    def combined(
        cls,
        text: str | None = None,
        *,
        image: Any = None,
        audio: Any = None,
        video: Any = None,
        like: Sequence[str] = (),
        unlike: Sequence[str] = (),
        without: str | None = None,
    ) -> Query:
        """The sum of all that is given.

        Args:
            text: Words to look for.
            image: A picture to look for, as `Term` takes it.
            audio: A sound to look for.
            video: A video to look for.
            like: Ids of clips to find more of.
            unlike: Ids of clips to hide, and what is like them; weight -1 each.
            without: Words for what to exclude; weight -0.5, so that what is wanted leads.

        Raises:
            BadQuery: If nothing is given that can be looked for.
        """
        wanted = [
            (make, value)
            for make, value in ((cls.text, text), (cls.image, image), (cls.audio, audio), (cls.video, video))
            if value is not None
        ]
        parts = [make(value) for make, value in wanted] + [cls.clip(clip_id) for clip_id in like]
        if not parts:
            raise BadQuery("nothing to look for", hint="give words, an image, a sound, a video or a clip")
        parts += [-cls.clip(clip_id) for clip_id in unlike]
        if without:
            parts.append(cls.text(without) * EXCLUDED)
        return cls(tuple(term for part in parts for term in part.terms))

    def __mul__(self, weight: float) -> Query:
        return replace(self, terms=tuple(replace(t, weight=t.weight * weight) for t in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Query:
        return self * -1.0

    def __add__(self, other: Query) -> Query:
        if not isinstance(other, Query):
            raise BadQuery(f"only a Query adds to a query, got {other!r}", hint="such as + Query.text('a dog')")
        return Query(self.terms + other.terms, self.where if other.where is None else other.where)

    def __sub__(self, other: Query) -> Query:
        return self + (-other if isinstance(other, Query) else other)
