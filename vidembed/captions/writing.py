"""Where captions are written: records, subtitles, a table. Checked before any work starts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

from vidembed.captions import records
from vidembed.captions.cues import to_cues
from vidembed.captions.subtitles import write_srt, write_vtt
from vidembed.captions.summary import VideoSummary
from vidembed.errors import InputError
from vidembed.files import write_text_atomically
from vidembed.types import Caption, Failure


class Captioned(Protocol):
    """What is written of one video."""

    @property
    def video_id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def captions(self) -> tuple[Caption, ...]: ...
    @property
    def summary(self) -> VideoSummary | None: ...
    @property
    def failures(self) -> tuple[Failure, ...]: ...


class Outputs:
    """Open for a run; a context manager. Raises InputError at once for a place that cannot be written.

    jsonl: appended to; a clip that has the same text there already is not written again, so a resumed run leaves
    every clip once. srt, vtt: folders, one file a video, named like it. csv: written whole at the end.
    sidecar: VIDEO.captions.srt beside each video.
    """

    def __init__(
        self,
        jsonl: Path | None = None,
        *,
        srt: Path | None = None,
        vtt: Path | None = None,
        csv: Path | None = None,
        sidecar: bool = False,
    ) -> None:
        self._srt, self._vtt, self._csv, self._sidecar = srt, vtt, csv, sidecar
        self._rows: list[tuple[Caption, Path]] = []
        self._names: dict[Path, str] = {}
        self._written: dict[tuple[str, str], str] = {}  # (kind, clip or video id) -> what its last record says
        for folder in (srt, vtt):
            if folder is not None:
                _make_folder(folder)
        if csv is not None:
            write_text_atomically(csv, ",".join(records.CSV_FIELDS) + "\n")
        self._jsonl: TextIO | None = None
        if jsonl is not None:
            if jsonl.exists():
                self._written = {_key(record): _content(record) for record in records.read(jsonl)}
            self._jsonl = records.open_for_append(jsonl)

    @property
    def any(self) -> bool:
        return bool(self._jsonl or self._srt or self._vtt or self._csv or self._sidecar)

    def write(self, video: Captioned) -> None:
        """All that is asked for of one video."""
        lines = [records.caption_record(caption, video.path) for caption in video.captions]
        if video.summary is not None:
            lines.append(records.summary_record(video.summary, video.path, video.video_id))
        lines += [records.failure_record(failure, video.path) for failure in video.failures]
        self._append(lines)
        self._rows += [(caption, video.path) for caption in video.captions] if self._csv else []
        if not video.captions or not (self._srt or self._vtt or self._sidecar):
            return
        cues = to_cues(video.captions)
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

    def close(self) -> None:
        if self._jsonl is not None:
            self._jsonl.close()
            self._jsonl = None
        if self._csv is not None:
            table = io.StringIO()
            records.write_csv(self._rows, table)
            write_text_atomically(self._csv, table.getvalue())

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _append(self, lines: Sequence[dict[str, object]]) -> None:
        if self._jsonl is None:
            return
        new = [line for line in lines if self._written.get(_key(line)) != _content(line)]
        records.append(self._jsonl, new)
        self._written |= {_key(line): _content(line) for line in new}

    def _name(self, path: Path) -> str:
        """The video's own name; a second one of that name in another folder gets a number."""
        if path not in self._names:
            taken = set(self._names.values())
            name, number = path.stem, 2
            while name in taken:
                name, number = f"{path.stem}-{number}", number + 1
            self._names[path] = name
        return self._names[path]


def _key(record: dict[str, object]) -> tuple[str, str]:
    place = record.get("clip_id") or record.get("item") or record.get("video_id")
    return str(record["kind"]), str(place)


def _content(record: dict[str, object]) -> str:
    return records.dump({key: value for key, value in record.items() if key != "path"})


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {str(folder)!r}: {error.strerror}"
        raise InputError(message, hint="choose a folder you may write") from error
