"""Captions as records: JSON Lines with a versioned schema, CSV, sidecar files.

Schema 1, one object a line, UTF-8:
  {"schema": 1, "kind": "caption", "path", "video_id", "clip_id", "start_s", "end_s", "text", "score", "confident",
   "human", "model", "candidates": [{"text", "scores": {channel: cosine}, "origin"}]}
  {"schema": 1, "kind": "summary", "path", "video_id", "title", "sentence", "chapters": [{"start_s", "end_s", "text"}],
   "model"}
  {"schema": 1, "kind": "failure", "path", "item", "stage", "error", "message", "hint"}
Times are seconds with three decimals; score is calibrated, 0..1; unknown keys are to be ignored by readers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from vidembed.captions.subtitles import Cue
from vidembed.captions.summarise import VideoSummary
from vidembed.errors import InputError
from vidembed.types import Caption, Failure, Span

SCHEMA = 1
PARQUET_COLUMNS: dict[str, Any] = {
    "path": "string", "video_id": "string", "clip_id": "string", "start_s": "float64", "end_s": "float64",
    "text": "string", "score": "float64", "confident": "bool", "human": "bool", "model": "string",
    "candidates": [{"text": "string", "scores": {"map": "float64"}, "origin": "string"}],
}  # fmt: skip
CSV_FIELDS = ("path", "start_s", "end_s", "text", "score", "confident", "human", "model")


def caption_record(caption: Caption, path: Path | str) -> dict[str, Any]:
    """One clip's caption as a record of the schema."""
    return {
        "schema": SCHEMA,
        "kind": "caption",
        "path": str(path),
        "video_id": caption.clip.video_id,
        "clip_id": caption.clip.clip_id,
        "start_s": round(caption.clip.span.start_s, 3),
        "end_s": round(caption.clip.span.end_s, 3),
        "text": caption.text,
        "score": round(caption.score, 4),
        "confident": caption.confident,
        "human": caption.human,
        "model": caption.model,
        "candidates": [{"text": c.text, "scores": dict(c.scores), "origin": c.origin} for c in caption.candidates],
    }


def summary_record(summary: VideoSummary, path: Path | str, video_id: str) -> dict[str, Any]:
    """A whole video's words as a record of the schema."""
    return {
        "schema": SCHEMA,
        "kind": "summary",
        "path": str(path),
        "video_id": video_id,
        "title": summary.title,
        "sentence": summary.sentence,
        "chapters": [
            {"start_s": round(c.span.start_s, 3), "end_s": round(c.span.end_s, 3), "text": c.text}
            for c in summary.chapters
        ],
        "model": summary.model,
    }


def summary_from_record(record: Mapping[str, Any]) -> VideoSummary:
    """What `summary_record` was given."""
    chapters = tuple(Cue(Span(c["start_s"], c["end_s"]), c["text"]) for c in record["chapters"])
    return VideoSummary(record["title"], record["sentence"], chapters, record.get("model", ""))


def failure_record(failure: Failure, path: Path | str) -> dict[str, Any]:
    """What could not be captioned, and why, as a record of the schema."""
    return {
        "schema": SCHEMA,
        "kind": "failure",
        "path": str(path),
        "item": failure.item,
        "stage": failure.stage,
        "error": failure.kind,
        "message": failure.message,
        "hint": failure.hint,
    }


def dump(record: Mapping[str, Any]) -> str:
    """One line of JSON, without the newline."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file. A half-written last line (a crash) is left out; anything else wrong names its line."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                return
            try:
                record = json.loads(line)
                schema = record["schema"]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}:{number} is no caption record") from error
            if schema != SCHEMA:
                raise InputError(
                    f"{path}:{number} has schema {schema}, this version writes {SCHEMA}",
                    hint="write to another file, or convert the old one first",
                )
            yield record


def append(handle: TextIO, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records and hand them to the system, so that a crash costs at most the line in hand."""
    for record in records:
        handle.write(dump(record) + "\n")
    handle.flush()


def open_for_append(path: Path) -> TextIO:
    """The file, open at its end; a half line left by a crash is cut off first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _drop_half_line(path)
        return path.open("a", encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"cannot write {str(path)!r}: {error.strerror}"
        raise InputError(message, hint="choose a file you may write") from error


def _drop_half_line(path: Path) -> None:
    with path.open("rb+") as handle:
        size = handle.seek(0, 2)
        position = size
        while position > 0:
            step = min(4096, position)
            handle.seek(position - step)
            at = handle.read(step).rfind(b"\n")
            if at >= 0:
                handle.truncate(position - step + at + 1)
                return
            position -= step
        handle.truncate(0)


def open_table(path: Path) -> TextIO:
    """A CSV file, begun anew with its header. Raises InputError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        message = f"cannot write {str(path)!r}: {error.strerror}"
        raise InputError(message, hint="choose a file you may write") from error
    csv.writer(handle).writerow(CSV_FIELDS)
    return handle


def append_rows(handle: TextIO, rows: Iterable[tuple[Caption, Path]]) -> None:
    """One caption a row."""
    writer = csv.writer(handle)
    for caption, path in rows:
        record = caption_record(caption, path)
        writer.writerow([_safe_cell(record[name]) for name in CSV_FIELDS])
    handle.flush()


def _safe_cell(value: Any) -> Any:
    # A spreadsheet runs cells that start like a formula; a leading quote makes it text (OWASP, CSV injection).
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
