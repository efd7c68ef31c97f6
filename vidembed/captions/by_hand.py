"""Captions by people: read from subtitles and records, written in an editor, and laid over the clips of a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vidembed import tables
from vidembed.captions.subtitles import clean
from vidembed.errors import InputError
from vidembed.media import subtitles
from vidembed.types import Caption, Clip, Failure, Span

MAX_CHARACTERS = 1000
_HEAD = """\
# One clip a line: its time, then its caption. Change the captions, save, and close the editor.
# Lines that you leave as they are, or take away, change nothing.
"""


@dataclass(frozen=True)
class Written:
    """One caption of a file, and what the file says of its place: a clip, or a video and a time.

    Attributes:
        text: The caption.
        source: Where it stands, for messages: "captions.jsonl:3".
        span: Its time, where the file says it.
        clip_id: Its clip, where the file says it.
        video: Path or id of its video, where the file says it.
        by_model: The file says that a model wrote it.
    """

    text: str
    source: str
    span: Span | None = None
    clip_id: str = ""
    video: str = ""
    by_model: bool = False


@dataclass(frozen=True)
class Imported:
    """What came of a file of captions.

    Attributes:
        saved: The captions that are new, as a person's.
        unchanged: How many clips had theirs already.
        left_out: What belongs to no clip of the index, and why.
    """

    saved: tuple[Caption, ...]
    unchanged: int
    left_out: tuple[Failure, ...]


def by_person(clip: Clip, text: str, before: Caption | None = None) -> Caption:
    """A person's caption of a clip. The candidates of the one before stay, so that the choice can be looked up.

    Raises:
        InputError: The text is empty or endless.
    """
    text = clean(text)
    if not text:
        raise InputError("a caption needs some words")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"a caption has at most {MAX_CHARACTERS} characters, this one {len(text)}")
    if before is None:
        return Caption(clip, text, 1.0, (), "human", confident=True, human=True)
    return replace(before, text=text, score=1.0, model="human", confident=True, human=True)


# -- files -------------------------------------------------------------------------------------------------------------


def read_captions(path: Path) -> list[Written]:
    """The captions of a .srt, .vtt, .ass, .jsonl, .csv or .parquet file. Raises InputError, naming the line."""
    if path.suffix.lower() in subtitles.SUFFIXES:
        track = subtitles.read(path, path)
        return [Written(line.text, f"{path}: {line.span}", line.span) for line in track.lines]
    if path.suffix.lower() not in tables.EXTENSIONS:
        known = ", ".join((*subtitles.SUFFIXES, *tables.EXTENSIONS))
        raise InputError(f"{path}: not a captions file", hint=f"captions come from {known}")
    try:
        found = [
            _written(row, f"{path}:{number}") for number, row in _rows(path) if row.get("kind", "caption") == "caption"
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(
            f"{path}: {error}", hint='a line is {"start_s": 0, "end_s": 2, "text": "A dog runs"}'
        ) from error
    if not found:
        raise InputError(f"{path}: no caption in it")
    return found


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, row in tables.rows(path):
        if isinstance(row, ValueError):
            raise row
        if path.suffix.lower() == ".csv":
            if "text" not in row:
                raise ValueError("its header has no column 'text'")
            row = {name: tables.unquoted(cell) for name, cell in row.items()}
        if row.get("text") is not None or path.suffix.lower() not in tables.PARQUET:  # clips may have no caption
            yield number, row


def _written(row: Mapping[str, Any], source: str) -> Written:
    text, line = row.get("text"), source.rpartition(":")[2]
    if not isinstance(text, str):
        raise ValueError(f"line {line} has no text")
    span = None
    if row.get("start_s") not in (None, "") and row.get("end_s") not in (None, ""):
        try:
            span = Span(float(row["start_s"]), float(row["end_s"]))
        except (TypeError, ValueError) as error:
            raise ValueError(f"line {line}: {error}") from error
    clip_id, video = str(row.get("clip_id") or ""), str(row.get("path") or row.get("video_id") or "")
    if not clip_id and span is None:
        raise ValueError(f"line {line} has no time: start_s and end_s, in seconds")
    return Written(text, source, span, clip_id, video, by_model=str(row.get("human")).lower() == "false")


# -- an editor ---------------------------------------------------------------------------------------------------------


def sheet(videos: Iterable[tuple[Path, Sequence[tuple[Clip, str]]]]) -> str:
    """Clips and their captions as text to be edited; `read_sheet` reads it."""
    parts = [_HEAD]
    for path, clips in videos:
        parts.append(f"\n== {path}\n")
        parts += [f"{clip.span}  {clean(text)}\n" for clip, text in clips]
    return "".join(parts)


def read_sheet(text: str, videos: Iterable[tuple[Path, Sequence[tuple[Clip, str]]]]) -> dict[str, str]:
    """Clip id -> new text, of the lines that were changed.

    Args:
        text: What came from the editor.
        videos: What the sheet was made of.

    Raises:
        InputError: A line belongs to no clip, or a caption was emptied.
    """
    known = {str(path): {str(clip.span): (clip.clip_id, clean(was)) for clip, was in clips} for path, clips in videos}
    here: Mapping[str, tuple[str, str]] = {}
    changed = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("== ") and line[3:].strip() in known:
            here = known[line[3:].strip()]
            continue
        if not line.strip() or line.startswith("#"):
            continue
        time, _, words = line.strip().partition(" ")
        if time not in here:
            raise InputError(f"line {number} begins with the time of no clip: {line.strip()[:60]}")
        clip_id, was = here[time]
        if not words.strip() and was:
            raise InputError(f"line {number}: a caption needs some words")
        if clean(words) != was:
            changed[clip_id] = words
    return changed


# -- clips -------------------------------------------------------------------------------------------------------------


def over_clips(clips: Sequence[Clip], lines: Sequence[Written]) -> tuple[dict[str, list[Written]], list[Written]]:
    """Lay timed captions over the clips of their video.

    Each goes to the clip that it shares most time with; a clip that gets none takes the one that covers most of it,
    where that is half of it: `export` joins equal neighbours, and parts long captions. Several of one clip are joined.

    Returns:
        (clip id -> its captions in order of time, the captions that meet no clip).
    """
    found: dict[str, list[Written]] = {}
    lost = []
    timed = sorted(((line.span, line) for line in lines if line.span is not None), key=lambda pair: pair[0])
    for span, line in timed:
        nearest = max(clips, key=lambda clip: span.overlap_s(clip.span), default=None)
        if nearest is None or not span.overlap_s(nearest.span):
            lost.append(line)
        else:
            found.setdefault(nearest.clip_id, []).append(line)
    for clip in clips:
        if clip.clip_id not in found and timed:
            span, line = max(timed, key=lambda pair: pair[0].overlap_s(clip.span))
            if span.overlap_s(clip.span) * 2 >= clip.span.duration_s:
                found[clip.clip_id] = [line]
    return found, lost
