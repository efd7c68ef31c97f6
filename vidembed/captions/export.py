"""Where captions are written: records, subtitles, a table. Checked before any work starts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from vidembed.captions import records
from vidembed.captions.captioning import CaptionedVideo
from vidembed.captions.subtitles import write_srt, write_vtt
from vidembed.errors import InputError
from vidembed.parquet import TableWriter
from vidembed.types import Failure


class Outputs:
    """Open for a run; a context manager. Raises InputError at once for a place that cannot be written.

    jsonl: appended to; a clip that has the same text there already is not written again, so a resumed run leaves
    every clip once. srt, vtt: folders, one file a video, named like it. csv, parquet: a table, begun anew by every run
    (.parquet stands when the run ends). sidecar: VIDEO.captions.srt beside each video. What is kept in memory is a few
    bytes a clip, and some thousand rows for parquet.
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
    ) -> None:
        self._srt, self._vtt, self._sidecar = srt, vtt, sidecar
        self._names: dict[Path, str] = {}
        self._taken: set[str] = set()
        self._written: dict[bytes, bytes] = {}  # digest of kind and clip or video id -> of what its last record says
        for folder in (srt, vtt):
            if folder is not None:
                _make_folder(folder)
        self._table: TextIO | None = None
        self._jsonl: TextIO | None = None
        if jsonl is not None:
            if jsonl.exists():
                self._written = {_key(record): _content(record) for record in records.read(jsonl)}
            self._jsonl = records.open_for_append(jsonl)
        if csv is not None:
            self._table = records.open_table(csv)
        self._rows = None if parquet is None else TableWriter(parquet, records.PARQUET_COLUMNS)

    @property
    def any(self) -> bool:
        return bool(self._jsonl or self._table or self._rows or self._srt or self._vtt or self._sidecar)

    def write(self, video: CaptionedVideo) -> None:
        """All that is asked for of one video."""
        lines = [records.caption_record(caption, video.path) for caption in video.captions]
        if self._rows is not None:
            self._rows.add([{name: line[name] for name in records.PARQUET_COLUMNS} for line in lines])
        if video.summary is not None:
            lines.append(records.summary_record(video.summary, video.path, video.video_id))
        lines += [records.failure_record(failure, video.path) for failure in video.failures]
        self._append(lines)
        if self._table is not None:
            records.append_rows(self._table, [(caption, video.path) for caption in video.captions])
        if not video.captions or not (self._srt or self._vtt or self._sidecar):
            return
        cues = video.cues
        name = self._name(video.path)
        if self._srt is not None:
            write_srt(cues, self._srt / f"{name}.srt")
        if self._vtt is not None:
            write_vtt(cues, self._vtt / f"{name}.vtt")
            if video.summary is not None:
                write_vtt(video.summary.chapters, self._vtt / f"{name}.chapters.vtt", chapters=True)
        if self._sidecar:
            # Players offer it like VIDEO.srt, which may be there already and hold what people say.
            write_srt(cues, video.path.with_suffix(".captions.srt"))

    def failures(self, failed: Sequence[Failure]) -> int:
        """Files that could not even be indexed; how many."""
        self._append([records.failure_record(failure, failure.item) for failure in failed])
        return len(failed)

    def close(self, *, whole: bool = True) -> None:
        """whole False: the run broke off, so that no table of half of it takes the place of the last one."""
        if self._rows is not None:
            self._rows.close(keep=whole)
            self._rows = None
        if self._jsonl is not None:
            self._jsonl.close()
            self._jsonl = None
        if self._table is not None:
            self._table.close()
            self._table = None

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        self.close(whole=kind is None)

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        if self._jsonl is None:
            return
        new = [line for line in lines if self._written.get(_key(line)) != _content(line)]
        records.append(self._jsonl, new)
        self._written |= {_key(line): _content(line) for line in new}

    def _name(self, path: Path) -> str:
        """The video's own name; a second one of that name in another folder gets a number."""
        if path not in self._names:
            name, number = path.stem, 2
            while name in self._taken:
                name, number = f"{path.stem}-{number}", number + 1
            self._names[path] = name
            self._taken.add(name)
        return self._names[path]


def _key(record: dict[str, Any]) -> bytes:
    place = record.get("clip_id") or record.get("item") or record.get("video_id")
    return _digest(f"{record['kind']} {place}")


def _content(record: dict[str, Any]) -> bytes:
    return _digest(records.dump({key: value for key, value in record.items() if key != "path"}))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {str(folder)!r}: {error.strerror}"
        raise InputError(message, hint="choose a folder you may write") from error
