"""Parts of a sentence that are plainly filters: "red car, last week, longer than ten minutes".

Only what stands between commas or at the end, and says a length or a time by itself, is taken; the rest is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

_NUMBERS = {
    word: number
    for number, words in enumerate(
        ["zero", "one|a|an", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
    for word in words.split("|")
} | {"fifteen": 15, "twenty": 20, "thirty": 30, "forty-five": 45, "sixty": 60, "half an": 0.5, "half a": 0.5}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_NUMBER = rf"(?P<number>\d+(?:\.\d+)?|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_LENGTH = re.compile(
    r"(?:videos?\s+)?(?:(?P<more>longer than|at least|over|more than)"
    r"|(?P<less>shorter than|at most|under|less than|up to))"
    rf"\s+{_NUMBER}\s*(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hours?)(?P<long>\s+long)?",
    re.IGNORECASE,
)
_LAST = re.compile(rf"(?:from |of |in )?(?:the )?(?:last|past) {_NUMBER} (?P<what>days?|weeks?|months?|years?)", re.I)
_NAMED = re.compile(
    r"(?:from |of )?(?P<name>today|yesterday|(?:this|last) (?:week|month|year))"
    rf"|(?:(?P<how>in|from|since|before|after) )(?:(?P<month>{'|'.join(_MONTHS)}) )?"
    r"(?P<year>(?:19|20)\d\d)(?:-(?P<mm>\d\d))?",
    re.I,
)


@dataclass(frozen=True)
class PlainFilter:
    """One part of a sentence that limits a search.

    Attributes:
        words: As they stand in the sentence.
        means: What is understood, to be shown.
        min_duration_s, max_duration_s: Of the video.
        since, until: POSIX seconds, of when it was shot.
    """

    words: str
    means: str
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    since: float | None = None
    until: float | None = None


def plain_filters(text: str, *, now: datetime) -> tuple[str, list[PlainFilter]]:
    """The sentence without its plain filters, and these.

    Nothing is taken if nothing would be left to look for, or if there are quotation marks.

    now: With the zone that "last week" is meant in.
    """
    if any(mark in text for mark in '"“”„«»'):
        return text, []
    found: list[PlainFilter] = []
    parts = [part.strip() for part in re.split(r"[,;]", text)]
    kept = [part for part in parts if not _taken(part, found, now)]
    if kept:
        before = len(found)
        kept[-1] = _without_tail(kept[-1], found, now) if len(found) == before else kept[-1]
    left = ", ".join(part for part in kept if part)
    return (left, found) if left and found else (text, [])


def _taken(part: str, found: list[PlainFilter], now: datetime) -> bool:
    """Whether a part is a filter from end to end."""
    made = _filter_of(part, now)
    if made is not None:
        found.append(made)
    return made is not None


def _without_tail(part: str, found: list[PlainFilter], now: datetime) -> str:
    """The last part without a filter at its end: "cars from last week"."""
    words = part.split()
    for first in range(max(1, len(words) - 6), len(words)):
        made = _filter_of(" ".join(words[first:]), now)
        # "in 2024" at a sentence's end may be part of a title, "over ten minutes" how long something takes.
        if made is not None and not re.match(r"(?:over|under|more|less|at|up)\b|.*\d{4}", made.words, re.I):
            found.append(made)
            return " ".join(words[:first])
    return part


def _filter_of(words: str, now: datetime) -> PlainFilter | None:
    for pattern, make in _READERS:
        match = pattern.fullmatch(words.strip())
        if match is not None:
            return make(match, now)
    return None


def _number(match: re.Match[str]) -> float:
    word = match["number"].lower()
    return float(_NUMBERS[word]) if word in _NUMBERS else float(word)


def _length(match: re.Match[str], _: datetime) -> PlainFilter | None:
    number, unit = _number(match), match["unit"][0].lower()
    name = {"s": "s", "m": "min", "h": "h"}[unit]
    seconds = number * _UNITS[unit]
    if match["more"]:
        return PlainFilter(match[0], f"videos of at least {number:g} {name}", min_duration_s=seconds)
    return PlainFilter(match[0], f"videos of at most {number:g} {name}", max_duration_s=seconds)


def _last(match: re.Match[str], now: datetime) -> PlainFilter | None:
    days = {"d": 1, "w": 7, "m": 30, "y": 365}[match["what"][0].lower()]
    start = _midnight(now) - timedelta(days=days * _number(match))
    return _between(match[0], start, None)


def _named(match: re.Match[str], now: datetime) -> PlainFilter | None:
    today = _midnight(now)
    if match["name"]:
        which, _, unit = match["name"].lower().rpartition(" ")
        start, end = _period(unit, today, back=1 if which == "last" or unit == "yesterday" else 0)
        return _between(match[0], start, end)
    month = _MONTHS.index(match["month"].lower()) + 1 if match["month"] else int(match["mm"] or 0)
    if month > 12:
        return None
    start = today.replace(year=int(match["year"]), month=month or 1, day=1)
    end = start.replace(year=start.year + 1) if not month else _next_month(start)
    how = match["how"].lower()
    if how == "since":
        return _between(match[0], start, None)
    if how == "after":
        return _between(match[0], end, None)
    return _between(match[0], None, start) if how == "before" else _between(match[0], start, end)


def _period(unit: str, today: datetime, *, back: int) -> tuple[datetime, datetime | None]:
    """Start and end of this or the last day, week (from Monday), month or year; no end for what goes on."""
    if unit in ("today", "yesterday"):
        start = today - timedelta(days=back)
        return start, start + timedelta(days=1) if back else None
    if unit == "week":
        start = today - timedelta(days=today.weekday() + 7 * back)
        return start, start + timedelta(days=7) if back else None
    first = today.replace(day=1, month=1) if unit == "year" else today.replace(day=1)
    if not back:
        return first, None
    before = first - timedelta(days=1)
    return before.replace(day=1, month=1) if unit == "year" else before.replace(day=1), first


def _between(words: str, start: datetime | None, end: datetime | None) -> PlainFilter:
    parts = [f"since {start:%Y-%m-%d}"] if start else []
    parts += [f"before {end:%Y-%m-%d}"] if end else []
    since, until = (None if one is None else one.timestamp() for one in (start, end))
    return PlainFilter(words, " and ".join(parts), since=since, until=until)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _next_month(start: datetime) -> datetime:
    return (start.replace(day=1) + timedelta(days=32)).replace(day=1)


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], PlainFilter | None]], ...] = (
    (_LENGTH, _length), (_LAST, _last), (_NAMED, _named),
)  # fmt: skip
