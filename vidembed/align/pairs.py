"""Pairs of media and text, read from CSV, JSON Lines or Parquet; bad rows are reported with their line and skipped.

`PairLoader` opens their media: a picture, a sound, or the frames and sound of a clip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidembed import tables
from vidembed.config.schema import Config
from vidembed.errors import InputError, MediaNotFound, NoSuchStream
from vidembed.media.images import load_image
from vidembed.media.reading.reader import open_video
from vidembed.types import MODALITIES, AudioSamples, AudioVisual, FrameBatch, Item, Modality, Span

MAX_TEXT_CHARS = 10_000
_MEDIA_COLUMNS = ("media", "path", "file")
_TEXT_COLUMNS = ("text", "caption", "texts", "captions")
_TRAIN, _HELD_OUT = "train", ("val", "dev", "test")


@dataclass(frozen=True)
class Pair:
    """One item of media with all its right texts.

    span: the stretch of a sound or video; None is the whole file. split: "train", "val", "dev", "test" or "" when
    the file does not say. line: where the item first stands in its pairs file, from 1.
    """

    path: Path
    modality: Modality
    texts: tuple[str, ...]
    span: Span | None = None
    split: str = ""
    source: str = ""
    line: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two rows the same item."""
        span = "" if self.span is None else f"{round(self.span.start_s * 1000)}-{round(self.span.end_s * 1000)}"
        return str(self.path), self.modality, span


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why."""

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


@dataclass(frozen=True)
class Pairs:
    """The usable items, in the order of the files, and the rows left out."""

    items: tuple[Pair, ...]
    bad: tuple[BadRow, ...] = ()

    def split(self, *names: str) -> tuple[Pair, ...]:
        """The pairs of these splits, in order."""
        return tuple(item for item in self.items if item.split in names)


def read_pairs(paths: Path | str | Sequence[Path | str], *, modality: Modality | None = None) -> Pairs:
    """Read one or more pairs files (.csv, .jsonl, .parquet).

    Columns or keys: `media` (also path, file), relative to the pairs file; `text` (also caption), or in
    JSON Lines and Parquet `texts`, a list; optional `start_s` and `end_s`, `modality` and `split`. Rows of the same
    media, span and modality are one item with several texts. `modality` is for rows that do not name one.
    Raises MediaNotFound (no pairs file), MissingDependency (.parquet without pyarrow), InputError (unknown format, no
    usable row: the first reasons are named).
    """
    files = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(p) for p in paths]
    merged: dict[tuple[str, str, str], Pair] = {}
    bad: list[BadRow] = []
    for file in files:
        for line, row in _rows(file):
            try:
                if isinstance(row, ValueError):
                    raise row
                pair = _pair(row, base=file.parent, modality=modality, source=file.name, line=line)
                known = merged.get(pair.key)
                if known is not None and known.split != pair.split:
                    raise ValueError(f"the same media stands in split {known.split!r} and in {pair.split!r}")
            except ValueError as error:
                bad.append(BadRow(file.name, line, str(error)))
                continue
            merged[pair.key] = pair if known is None else _with_texts(known, pair.texts)
    if not merged:
        reasons = "; ".join(str(row) for row in bad[:3]) or "no rows"
        raise InputError(
            f"no usable pair in {', '.join(map(str, files))}: {reasons}",
            hint="each row needs media (a file that exists, relative to the pairs file) and text",
        )
    return Pairs(tuple(merged.values()), tuple(bad))


def _with_texts(pair: Pair, texts: Sequence[str]) -> Pair:
    joined = tuple(dict.fromkeys((*pair.texts, *texts)))  # the same text twice is one text
    return Pair(pair.path, pair.modality, joined, pair.span, pair.split, pair.source, pair.line)


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | ValueError]]:
    if not file.is_file():
        raise MediaNotFound(f"no pairs file {file}", hint="a .csv, .jsonl or .parquet with columns media and text")
    if file.suffix.lower() not in tables.EXTENSIONS:
        raise InputError(f"{file.name} is none of .csv, .jsonl, .parquet")
    try:
        yield from tables.rows(file)
    except ValueError as error:  # also what is no UTF-8
        raise InputError(f"{file} is not readable: {error}") from error


def _pair(row: Mapping[str, Any], *, base: Path, modality: Modality | None, source: str, line: int) -> Pair:
    media = next((row[c] for c in _MEDIA_COLUMNS if row.get(c)), None)
    if not isinstance(media, str) or not media.strip():
        raise ValueError(f"no media; allowed columns: {', '.join(_MEDIA_COLUMNS)}")
    texts = _texts(row)
    kind = row.get("modality") or modality
    if kind not in MODALITIES or kind == "text":
        raise ValueError(f"modality {kind!r}; allowed: image, audio, video")
    split = str(row.get("split") or "").strip().lower()
    if split not in ("", _TRAIN, *_HELD_OUT):
        raise ValueError(f"split {split!r}; allowed: train, val, dev, test or none")
    path = base / media.strip()
    if "\0" in media or not path.is_file():
        raise ValueError(f"missing media {media!r}")
    return Pair(path, kind, texts, _span(row), split, source, line)


def _texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    value = next((row[c] for c in _TEXT_COLUMNS if row.get(c)), None)
    values = value if isinstance(value, list) else [value]
    texts = tuple(dict.fromkeys(v.strip() for v in values if isinstance(v, str) and v.strip()))
    if not texts:
        raise ValueError(f"empty text; allowed columns: {', '.join(_TEXT_COLUMNS)}")
    if any(len(text) > MAX_TEXT_CHARS for text in texts):
        raise ValueError(f"a text of more than {MAX_TEXT_CHARS} characters")
    return texts


def _span(row: Mapping[str, Any]) -> Span | None:
    start, end = row.get("start_s"), row.get("end_s")
    if start in (None, "") and end in (None, ""):
        return None
    try:
        bounds = float(start or 0), float(end)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"span {start!r}..{end!r} is not two numbers of seconds") from None
    if not all(map(math.isfinite, bounds)):
        raise ValueError(f"span {start!r}..{end!r} is not finite")
    return Span(*bounds)


RATE_HZ = 48_000  # encoders resample to their own
FRAMES, SIDE_PX = 8, 256


class PairLoader:
    """`align`'s media loader. Raises MediaNotFound, MediaUnreadable, BadQuery, NoSuchStream for the pair in hand."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, pair: Pair) -> Item:
        """Load the medium of one pair."""
        if pair.modality == "image":
            return load_image(pair.path, limits=self._config.media.limits)
        with open_video(pair.path, self._config.media) as video:
            span = pair.span or Span(0.0, max(video.info.duration_s, 0.001))
            if pair.modality == "audio":
                return video.audio(span, rate_hz=RATE_HZ)
            sound: AudioSamples | None = None
            frames: FrameBatch | None = None
            if video.info.has_audio:
                try:
                    sound = video.audio(span, rate_hz=RATE_HZ)
                except NoSuchStream:
                    sound = None  # the track is elsewhere in the file
            if video.info.has_video:
                frames = video.frames(span.middles_s(FRAMES), short_side_px=SIDE_PX)
            return AudioVisual(frames, sound)
