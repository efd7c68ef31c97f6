"""What an evaluation asks: queries with their right answers, media, reference captions; and our own file of queries.

`queries.jsonl`, one object a line:

    {"text": "a dog jumps into a lake", "video": "lake.mp4", "start_s": 12.0, "end_s": 15.5}
    {"text": "thanks for watching", "video": "a.mp4", "channel": "ocr"}                  # anywhere in the video
    {"text": "a bark", "channel": "audio", "answers": [{"video": "a.mp4", "start_s": 1, "end_s": 2}]}
    {"image": "queries/dog.jpg", "video": "lake.mp4"}                                  # or "audio": a sound file
    {"text": "a spaceship lands", "no_answer": true}                                    # nothing in the index matches

Exactly one of `text`, `image`, `audio`; exactly one of `video`, `answers`, `no_answer`. `video` is a path (relative to
the media folder or to the file), a file name, or a video id. `channel` says what the query is about (vision, audio,
speech, ocr) and only groups the report. `id` is optional and must not occur twice. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import InputError
from vidembed.evaluation.annotations import Annotation, jsonl_records
from vidembed.evaluation.metrics import Stretch
from vidembed.media.kinds import MEDIA_EXTENSIONS
from vidembed.types import Span

QueryModality = Literal["text", "image", "audio"]
Task = Literal["corpus", "video", "pictures"]  # search all videos; the given video; rank pictures by their vectors


@dataclass(frozen=True)
class Answer:
    """A right answer: a medium by its key, with the spans that match; no span = the medium as a whole."""

    video: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, eq=False)
class EvalQuery:
    """One question. value: the text, or the file of an image or sound. No answers = nothing matches it.

    saliency: (clips, people) ratings 0..4 of 2-second clips (QVHighlights). segments: first and last 5-second segment
    that each annotator chose (DiDeMo). example: a picture or clip that goes with the text (MomentSeeker). relevance:
    grade of each judged video, above 0 for answers (MultiVENT); empty where nothing is graded.
    """

    query_id: str
    modality: QueryModality
    value: str | Path
    answers: tuple[Answer, ...]
    channel: str | None = None
    saliency: NDArray[np.float64] | None = None
    segments: tuple[tuple[int, int], ...] = ()
    example: Path | None = None
    relevance: Mapping[str, float] = field(default_factory=dict)

    @property
    def videos(self) -> frozenset[str]:
        """The videos that hold a right answer."""
        return frozenset(answer.video for answer in self.answers)

    @property
    def stretches(self) -> list[Stretch]:
        """The true spans, for the moment metrics; empty when only whole videos are asked for."""
        return [Stretch(a.video, span.start_s, span.end_s) for a in self.answers for span in a.spans]


@dataclass(frozen=True, eq=False)
class DataSet:
    """Queries over media. media: key -> file, None where the file is missing; in the order of the annotation.

    protocol: how papers use it, for the report. references: key -> human captions. task: where answers are looked for.
    broken: rows of the annotation file that were left out, each with file, line and reason.
    """

    name: str
    protocol: str
    queries: tuple[EvalQuery, ...]
    media: Mapping[str, Path | None]
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    task: Task = "corpus"
    broken: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of the media that were not found; they are part of every report."""
        return tuple(key for key, path in self.media.items() if path is None)

    def present(self) -> DataSet:
        """The part whose media are there: an answer needs its file, a query one answer or none from the start."""
        there = {key: path for key, path in self.media.items() if path is not None}
        queries = []
        for query in self.queries:
            answers = tuple(answer for answer in query.answers if answer.video in there)
            if answers or not query.answers:
                queries.append(replace(query, answers=answers))
        kept = {key: texts for key, texts in self.references.items() if key in there}
        return replace(self, queries=tuple(queries), media=there, references=kept)

    def counts(self) -> dict[str, int]:
        """Media and queries, there and missing: what a report states beside its figures."""
        part = self.present()
        return {
            "media": len(self.media),
            "media missing": len(self.missing),
            "queries": len(self.queries),
            "queries left out": len(self.queries) - len(part.queries),
            "broken rows left out": len(self.broken),
            "queries without an answer": sum(not query.answers for query in part.queries),
        }


class MediaFolder:
    """Files of a folder, found by path, name or stem, upper and lower case alike in the ending only.

    Last of all without media endings and dots at the end: "a.mov" may lie there as "a.mov.mp4", "a..mp4" or "a.webm".
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._names: dict[str, Path] = {}
        self._stems: dict[str, Path] = {}
        self._bare: dict[str, Path] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise InputError(f"no such media folder: {folder}")
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
            self._names.setdefault(path.relative_to(folder).as_posix(), path)
            self._names.setdefault(path.name, path)
            if path.suffix.lower() in _SUFFIXES:
                self._stems.setdefault(path.stem, path)
                self._bare.setdefault(bare_name(path.name), path)

    def find(self, *names: str) -> Path | None:
        """The file for the first of these names that is there: as a path, a name, or a name without its ending."""
        for name in names:
            found = self._names.get(name) or self._stems.get(name) or self._stems.get(_without_ending(name))
            if found is not None:
                return found
        return next((self._bare[bare] for bare in map(bare_name, names) if bare in self._bare), None)


_SUFFIXES = MEDIA_EXTENSIONS | {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def bare_name(name: str) -> str:
    """A name without its media endings ("a.mov.mp4" is "a") and without dots at the end."""
    shorter = _without_ending(name.rstrip("."))
    return shorter if shorter == name else bare_name(shorter)


def _without_ending(name: str) -> str:
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in _SUFFIXES else name


def read_queries(file: Path, media: Path | None = None, *, known: Iterable[str] | None = None) -> DataSet:
    """Our own `queries.jsonl` (see the module's text). media: where the videos lie; default: the file's folder.

    known: ids and paths of the videos of an index. With it, a video that is in neither is an error ("unknown video");
    without it, a video that is not found is listed as missing.
    Raises InputError, naming file and line, for whatever is wrong.
    """
    folder = MediaFolder(media if media is not None else file.parent)
    indexed = None if known is None else _by_name(known)
    videos: dict[str, Path | None] = {}
    queries: list[EvalQuery] = []
    seen: dict[str, None] = {}
    for number, record in enumerate(jsonl_records(file), start=1):
        query_id = record.key("id") if "id" in record else f"q{number}"
        unique(query_id, seen, record, "query id")
        modality, value = _asked(record, file.parent)
        answers = []
        for video, spans in _answers(record):
            key = _place(video, folder, indexed, file.parent, record, videos)
            answers.append(Answer(key, spans))
        channel = record.text("channel") if "channel" in record else None
        queries.append(EvalQuery(query_id, modality, value, tuple(answers), channel))
    if not queries:
        raise InputError(f"{file} has no query in it")
    return DataSet(file.stem, "own queries", tuple(queries), videos)


def _asked(record: Annotation, folder: Path) -> tuple[QueryModality, str | Path]:
    given: list[QueryModality] = [name for name in ("text", "image", "audio") if name in record.fields]  # type: ignore[misc]
    if len(given) != 1:
        raise record.wrong(f"a query has exactly one of text, image, audio; got {', '.join(given) or 'none'}")
    modality = given[0]
    value = record.text(modality)
    if modality == "text":
        return modality, value
    path = folder / value
    if not path.is_file():
        raise record.wrong(f"no such {modality} file: {path}")
    return modality, path


def _answers(record: Annotation) -> Sequence[tuple[str, tuple[Span, ...]]]:
    given = [name for name in ("video", "answers", "no_answer") if name in record.fields]
    if len(given) != 1:
        raise record.wrong(f"a query has exactly one of video, answers, no_answer; got {', '.join(given) or 'none'}")
    if given == ["no_answer"]:
        if record.fields["no_answer"] is not True:
            raise record.wrong(f"no_answer must be true or left out, got {record.fields['no_answer']!r}")
        return []
    if given == ["video"]:
        return [_answer(record.fields, record)]
    answers = record.list("answers")
    if not answers:
        raise record.wrong("answers is empty", hint='write "no_answer": true for a query that nothing matches')
    return [_answer(answer, record) for answer in answers]


def _answer(fields: Any, record: Annotation) -> tuple[str, tuple[Span, ...]]:
    if not isinstance(fields, Mapping) or not isinstance(fields.get("video"), str) or not fields["video"].strip():
        raise record.wrong(f"an answer needs the field 'video', got {str(fields)[:60]!r}")
    bounds = [name in fields for name in ("start_s", "end_s")]
    if not any(bounds):
        return fields["video"], ()
    if not all(bounds):
        raise record.wrong("a span needs both start_s and end_s")
    return fields["video"], (record.span(fields["start_s"], fields["end_s"]),)


def _place(
    video: str,
    folder: MediaFolder,
    indexed: Mapping[str, str] | None,
    beside: Path,
    record: Annotation,
    videos: dict[str, Path | None],
) -> str:
    """The key of a video; its file is noted in `videos`."""
    path = folder.find(video) or next((p for p in (Path(video), beside / video) if p.is_file()), None)
    if indexed is not None:
        names = [video, Path(video).name, *([str(path), str(path.resolve())] if path else [])]
        key = next((indexed[name] for name in names if name in indexed), None)
        if key is None:
            raise record.wrong(f"unknown video {video!r}: it is not in the index", hint="index it, or correct the name")
        videos.setdefault(key, path or Path(key))
        return key
    videos.setdefault(video, path)
    return video


def _by_name(known: Iterable[str]) -> dict[str, str]:
    """Ids and paths as given, and file names where only one path has that name."""
    given = list(known)
    names: dict[str, str] = {}
    twice: set[str] = set()
    for entry in given:
        name = Path(entry).name
        if name in names and names[name] != entry:
            twice.add(name)
        names.setdefault(name, entry)
    return {**{n: e for n, e in names.items() if n not in twice}, **{entry: entry for entry in given}}


def unique(key: str, seen: dict[str, None], record: Annotation, what: str) -> None:
    """Notes the key; raises InputError when it was there before."""
    if key in seen:
        raise record.wrong(f"duplicate {what} {key!r}")
    seen[key] = None
