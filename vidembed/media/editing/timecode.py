"""Frame rates as editors know them, and timecodes (SMPTE ST 12-1): labels of frames, drop frame or not."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

from vidembed.config.schema import LimitSettings
from vidembed.errors import VidembedError

_NTSC = Fraction(1000, 1001)
STANDARD = (
    24 * _NTSC, Fraction(24), Fraction(25), 30 * _NTSC, Fraction(30), Fraction(48), Fraction(50), 60 * _NTSC,
    Fraction(60),
)  # fmt: skip
DEFAULT_RATE = Fraction(25)
_NEAR = Fraction(1, 200)  # averages of real files lie this near to what their camera was set to
_LABEL = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d\d)")
_DAY_H = 24


def nominal_rate(fps: Fraction) -> Fraction:
    """The rate that a file's average stands for: 29.949 is 30000/1001, 12.5 stays; 25 where there is no picture."""
    if fps < 1:
        return DEFAULT_RATE
    near = min(STANDARD, key=lambda rate: abs(rate - fps))
    half = Fraction(round(2 * fps), 2)  # 12.5, 15, 120
    if abs(near - fps) <= near * _NEAR or abs(half - fps) > half * _NEAR / 2:
        return near
    return half


def list_rate(rate: Fraction) -> Fraction:
    """The rate of an edit list over files of this rate: the same, or a multiple or part that editors know."""
    for factor in (Fraction(1), Fraction(2), Fraction(3), Fraction(1, 2), Fraction(1, 4), Fraction(1, 5)):
        if rate * factor in STANDARD:
            return rate * factor
    return DEFAULT_RATE


def can_drop(rate: Fraction) -> bool:
    """Whether drop frame is defined for the rate: 29.97 and 59.94."""
    return rate in (30 * _NTSC, 60 * _NTSC)


def label(frame: int, rate: Fraction, *, drop: bool = False) -> str:
    """`hh:mm:ss:ff` of a frame, or `hh:mm:ss;ff` where two of 30 numbers are left out each minute but the tenth."""
    base = math.ceil(rate)
    if drop:
        left_out = base // 15
        tens, rest = divmod(frame, base * 600 - 9 * left_out)
        frame += left_out * (9 * tens + max(0, rest - left_out) // (base * 60 - left_out))
    seconds, frames = divmod(frame, base)
    minute, second = divmod(seconds, 60)
    hour, minute = divmod(minute, 60)
    return f"{hour % _DAY_H:02d}:{minute:02d}:{second:02d}{';' if drop else ':'}{frames:02d}"


def frame_of(timecode: str, rate: Fraction, *, of_rate: Fraction | None = None) -> int:
    """The number of the frame with this label.

    Args:
        timecode: `hh:mm:ss:ff`; a `;` before the frames means drop frame, where the rate has that.
        rate: Of the frames that are counted.
        of_rate: Of the file whose label it is, if another: its frames within the second are brought to `rate`.
    """
    found = _LABEL.fullmatch(timecode)
    if found is None:
        raise ValueError(f"no timecode: {timecode!r}")
    hours, minutes, seconds, frames = (int(found[i]) for i in (1, 2, 3, 5))
    base, own = math.ceil(rate), math.ceil(of_rate or rate)
    frames = min(frames, own - 1) * base // own
    minutes += 60 * hours
    count = (60 * minutes + seconds) * base + frames
    if is_drop(timecode) and can_drop(rate):
        count -= base // 15 * (minutes - minutes // 10)
    return count


def is_drop(timecode: str) -> bool:
    """Whether a label is drop frame."""
    return ";" in timecode or "," in timecode or "." in timecode


def own_timecode(path: Path, limits: LimitSettings) -> str | None:
    """The label of a file's first frame, as its camera wrote it; None where it has none or cannot be read."""
    from vidembed.media.reading.container import open_container

    try:
        with open_container(path, limits) as container:
            parts = [container.metadata, *(stream.metadata for stream in container.streams)]
    except VidembedError:
        return None
    for part in parts:
        for key, value in part.items():
            if key.lower() == "timecode" and _LABEL.fullmatch(value):
                return str(value)
    return None
