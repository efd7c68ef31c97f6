"""Where captions are written: JSON Lines with a versioned schema, subtitles, tables. Checked before any work starts.

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
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from vidembed.captions.run import CaptionedVideo
from vidembed.captions.subtitles import Cue, srt, vtt
from vidembed.captions.summarise import VideoSummary
from vidembed.errors import InputError
from vidembed.files import fitting, folded, refuse_existing, write_text, writing
from vidembed.media.kinds import MEDIA_EXTENSIONS
from vidembed.media.remote import distinct_names, is_remote
from vidembed.tables import TableWriter, safe_cell
from vidembed.types import Caption, Failure, Span

SCHEMA = 1
PARQUET_COLUMNS: dict[str, Any] = {
    "path": "string", "video_id": "string", "clip_id": "string", "start_s": "float64", "end_s": "float64",
    "text": "string", "score": "float64", "confident": "bool", "human": "bool", "model": "string",
    "candidates": [{"text": "string", "scores": {"map": "float64"}, "origin": "string"}],
}  # fmt: skip
CSV_FIELDS = ("path", "start_s", "end_s", "text", "score", "confident", "human", "model")


def caption_record(caption: Caption, path: Path | str) -> dict[str, Any]:
    """A clip's caption as a record of the schema."""
    return {
        "schema": SCHEMA,
        "kind": "caption",
        "path": str(path),
        "video_id": caption.clip.video_id,
        "clip_id": caption.clip.clip_id,
        **caption.clip.span.to_dict(),
        "text": caption.text,
        "score": round(caption.score, 4),
        "confident": caption.confident,
        "human": caption.human,
        "model": caption.model,
        "candidates": [{"text": c.text, "scores": dict(c.scores), "origin": c.origin} for c in caption.candidates],
    }


def summary_record(summary: VideoSummary, path: Path | str, video_id: str) -> dict[str, Any]:
    """A video's summary as a record of the schema."""
    return {
        "schema": SCHEMA,
        "kind": "summary",
        "path": str(path),
        "video_id": video_id,
        "title": summary.title,
        "sentence": summary.sentence,
        "chapters": [{**c.span.to_dict(), "text": c.text} for c in summary.chapters],
        "model": summary.model,
    }


def summary_from_record(record: Mapping[str, Any]) -> VideoSummary:
    """The summary in a record."""
    chapters = tuple(Cue(Span(c["start_s"], c["end_s"]), c["text"]) for c in record["chapters"])
    return VideoSummary(record["title"], record["sentence"], chapters, record.get("model", ""))


def failure_record(failure: Failure, path: Path | str) -> dict[str, Any]:
    """A failure as a record of the schema."""
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
    """A record as one line of JSON, without the newline."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, without a half-written last line. Raises InputError, naming the line, for others."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith("\n"):
                return
            try:
                record = json.loads(line)
                schema = record["schema"]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}:{number} is not a caption record") from error
            if schema != SCHEMA:
                raise InputError(
                    f"{path}:{number} has schema {schema}, this version writes {SCHEMA}",
                    hint="write to another file, or convert the old one first",
                )
            yield record


def append_records(handle: TextIO, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records and flush them, so that a crash costs at most the current line."""
    for record in records:
        handle.write(dump(record) + "\n")
    handle.flush()


def open_for_append(path: Path) -> TextIO:
    """Open JSON Lines for appending, without a half line left by a crash. Raises InputError."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as handle:
            handle.seek(0)
            handle.truncate(sum(len(line) for line in handle if line.endswith(b"\n")))
        return path.open("a", encoding="utf-8", newline="\n")


def open_table(path: Path) -> TextIO:
    """Open a new CSV file and write its header. Raises InputError."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w", encoding="utf-8", newline="")
    csv.writer(handle).writerow(CSV_FIELDS)
    return handle


def append_rows(handle: TextIO, rows: Iterable[tuple[Caption, Path]]) -> None:
    """Write one caption per row."""
    writer = csv.writer(handle)
    for caption, path in rows:
        record = caption_record(caption, path)
        writer.writerow([safe_cell(record[name]) for name in CSV_FIELDS])
    handle.flush()


class Outputs:
    """Output files of a run; a context manager. Memory: a few bytes per clip, some thousand rows for Parquet.

    Args:
        jsonl: "-" is the standard output. A file is appended to; unchanged records are not written again, so a resumed
            run leaves every clip once.
        srt, vtt: Folders; one file per video, with its name (`expect`).
        csv, parquet: New tables; the Parquet file appears when the run ends.
        sidecar: Write VIDEO.captions.srt beside each video.
        overwrite: Replace tables that exist, and subtitles that say something else.

    Raises:
        InputError: A path cannot be written, or a table exists.
    """

    def __init__(
        self,
        jsonl: Path | None = None,
        *,
        srt: Path | None = None,
        vtt: Path | None = None,
        csv: Path | None = None,
        parquet: Path | None = None,
        sidecar: bool = False,
        overwrite: bool = False,
    ) -> None:
        for table in (csv, parquet):
            refuse_existing(table, overwrite=overwrite)
        self._overwrite, self._csv = overwrite, csv
        self._srt, self._vtt, self._sidecar = srt, vtt, sidecar
        self._names: dict[Path, str] = {}
        self.unsure = 0  # videos without subtitles, since all their captions are uncertain
        self._written: dict[bytes, bytes] = {}  # digest of kind and clip or video id -> of what its last record says
        for folder in (srt, vtt):
            if folder is not None:
                with writing(folder):
                    folder.mkdir(parents=True, exist_ok=True)
        printed = jsonl == Path("-")
        if jsonl is not None and not printed and jsonl.exists():
            self._written = {_key(record): _content(record) for record in read_records(jsonl)}
        self._files = ExitStack()
        self._jsonl = sys.stdout if printed else None
        if jsonl is not None and not printed:
            self._jsonl = self._files.enter_context(open_for_append(jsonl))
        self._table = None if csv is None else self._files.enter_context(open_table(csv))
        self._rows = None if parquet is None else TableWriter(parquet, PARQUET_COLUMNS)

    @property
    def any(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._jsonl or self._table or self._rows or self._srt or self._vtt or self._sidecar)

    def expect(self, videos: Iterable[Path]) -> None:
        """Choose the names of subtitles for these videos and those before, so that no two share one.

        Given all videos of an index, the names are the same in every run.
        """
        self._names = distinct_names({*self._names, *videos})

    def write(self, video: CaptionedVideo) -> list[Failure]:
        """Write one video's captions to all outputs; returns what could not be written of its subtitles."""
        lines = [caption_record(caption, video.path) for caption in video.captions]
        if self._rows is not None:
            self._rows.add([{name: line[name] for name in PARQUET_COLUMNS} for line in lines])
        if video.summary is not None:
            lines.append(summary_record(video.summary, video.path, video.video_id))
        lines += [failure_record(failure, video.path) for failure in video.failures]
        self._append(lines)
        if self._table is not None:
            append_rows(self._table, [(caption, video.path) for caption in video.captions])
        if not video.captions or not (self._srt or self._vtt or self._sidecar):
            return []
        cues = video.cues
        if not cues:
            self.unsure += 1
            return []
        if video.path not in self._names:
            self.expect([video.path])
        name = self._names[video.path]
        files: dict[Path, str] = {}
        if self._srt is not None:
            files[self._srt / fitting(name, ".srt")] = srt(cues)
        if self._vtt is not None:
            files[self._vtt / fitting(name, ".vtt")] = vtt(cues)
            if video.summary is not None:
                files[self._vtt / fitting(name, ".chapters.vtt")] = vtt(video.summary.chapters, chapters=True)
        failed: list[Failure] = []
        if self._sidecar and is_remote(video.path):
            why, hint = "no subtitles can be written beside a video at an address", "--srt FOLDER writes them here"
            failed.append(Failure(str(video.path), "write", "InputError", why, hint))
        elif self._sidecar:
            # Players offer it like VIDEO.srt, which may be there already and hold what people say.
            own = video.path.name if _has_namesake(video.path) else video.path.stem
            files[video.path.with_name(fitting(own, ".captions.srt"))] = srt(cues)
        for path, text in files.items():
            try:
                self._put(path, text)
            except InputError as error:  # a file or folder that may not be written to costs its own video only
                failed.append(Failure(str(video.path), "write", "InputError", error.message, error.hint))
        return failed

    def _put(self, path: Path, text: str) -> None:
        if path.exists() and path.read_bytes() == text.encode():
            return
        refuse_existing(path, overwrite=self._overwrite)
        write_text(path, text)

    def failures(self, failed: Sequence[Failure]) -> int:
        """Record files that could not be indexed; returns their number."""
        self._append([failure_record(failure, failure.item) for failure in failed])
        return len(failed)

    def close(self, *, whole: bool = True) -> None:
        """Close the files. whole: False: the run broke off, so keep the previous Parquet file."""
        begun = self._table is not None and self._table.tell() > len(",".join(CSV_FIELDS)) + 2
        self._files.close()
        if self._csv is not None and not whole and not begun:
            self._csv.unlink(missing_ok=True)  # it would be in the way of the next run
        if self._rows is not None:
            self._rows.close(keep=whole)
            self._rows = None

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self.close(whole=kind is None)

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        if self._jsonl is None:
            return
        new = [line for line in lines if self._written.get(_key(line)) != _content(line)]
        append_records(self._jsonl, new)
        self._written |= {_key(line): _content(line) for line in new}


def _has_namesake(video: Path) -> bool:
    """Whether another video of that stem, such as IMG_1.MP4 for IMG_1.MOV, lies beside it."""
    others = (path for path in video.parent.iterdir() if path.suffix.lower() in MEDIA_EXTENSIONS)
    return any(path != video and folded(path.stem) == folded(video.stem) for path in others)


def _key(record: dict[str, Any]) -> bytes:
    place = record.get("clip_id") or record.get("item") or record.get("video_id")
    return _digest(f"{record['kind']} {place}")


def _content(record: dict[str, Any]) -> bytes:
    return _digest(dump({key: value for key, value in record.items() if key != "path"}))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=12).digest()
