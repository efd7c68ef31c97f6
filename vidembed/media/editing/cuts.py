"""Moments as cuts of an edit list: whole frames, with what an editor needs to find the files again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from vidembed.config.schema import LimitSettings
from vidembed.media.editing.timecode import (
    DEFAULT_RATE,
    can_drop,
    frame_of,
    is_drop,
    list_rate,
    nominal_rate,
    own_timecode,
)
from vidembed.media.remote import name_of, unsigned, url
from vidembed.types import Moment, VideoInfo

_REEL_CHARS = 8  # of CMX 3600
_NOT_REELS = frozenset({"AX", "BL", "BLACK", "BARS", ""})  # these mean something else


@dataclass(frozen=True)
class Cut:
    """One stretch of one file. timecode: of the file's first frame, as the file says; rate: nominal."""

    moment: Moment
    name: str
    url: str
    reel: str
    rate: Fraction
    duration_s: float
    size_px: tuple[int, int]  # (0, 0) = no picture
    has_audio: bool
    timecode: str | None

    @property
    def has_video(self) -> bool:
        """Whether there is a picture."""
        return self.size_px[0] > 0

    def frames(self, rate: Fraction) -> tuple[int, int]:
        """(first frame, number of frames) counted at a rate from the file's beginning; never empty."""
        first = round(self.moment.span.start_s * rate)
        return first, max(1, round(self.moment.span.end_s * rate) - first)

    def begins(self, rate: Fraction) -> int:
        """The number that the file's own timecode gives its first frame, counted at a rate."""
        return 0 if self.timecode is None else frame_of(self.timecode, rate, of_rate=self.rate)

    def drops(self, rate: Fraction) -> bool:
        """Whether its labels are drop frame at a rate: as the file says, else wherever that is defined."""
        return can_drop(rate) and (self.timecode is None or is_drop(self.timecode))


def cuts_of(
    moments: Sequence[Moment], infos: Mapping[str, VideoInfo], limits: LimitSettings, *, show_paths: bool
) -> list[Cut]:
    """The moments as cuts.

    Args:
        moments: In the order of the list.
        infos: Video id -> what is known of it; a video that is missing counts as 25 frames a second, with sound.
        limits: What files are opened for their timecode.
        show_paths: Name files by their whole path; otherwise by name alone.
    """
    reels = _reels(moment.path for moment in moments)
    timecodes = {path: own_timecode(path, limits) for path in reels}
    return [_cut(moment, infos.get(moment.video_id), reels, timecodes, show_paths) for moment in moments]


def rate_of(cuts: Sequence[Cut]) -> Fraction:
    """The rate of a list of these cuts: that of the first with a picture."""
    return list_rate(next((cut.rate for cut in cuts if cut.has_video), DEFAULT_RATE))


def _cut(
    moment: Moment,
    info: VideoInfo | None,
    reels: Mapping[Path, str],
    timecodes: Mapping[Path, str | None],
    show_paths: bool,
) -> Cut:
    path = moment.path
    return Cut(
        moment=moment,
        name=name_of(path),
        url=url(path) if show_paths else quote(name_of(path)),
        reel=reels[path],
        rate=nominal_rate(info.fps) if info is not None else DEFAULT_RATE,
        duration_s=info.duration_s if info is not None else moment.span.end_s,
        size_px=(info.width_px, info.height_px) if info is not None else (1920, 1080),
        has_audio=info is None or info.has_audio,
        timecode=timecodes[path],
    )


def _reels(paths: Iterable[Path]) -> dict[Path, str]:
    """A reel name for each file: the letters and digits of its name, made different where they are the same."""
    reels: dict[Path, str] = {}
    taken = set(_NOT_REELS)
    for path in dict.fromkeys(paths):
        name = stem = re.sub(r"[^A-Z0-9]", "", unsigned(path).stem.upper())[:_REEL_CHARS] or "FILE"
        number = 1
        while name in taken:
            number += 1
            name = f"{stem[: _REEL_CHARS - len(str(number))]}{number}"
        taken.add(name)
        reels[path] = name
    return reels
