"""`vidembed transcript`: what is said in videos, or written on their pictures, as text and subtitles."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, ProfileOption, SetOption, counted, err, opened, plain
from vidembed.config.load import load_config
from vidembed.errors import InputError, MediaNotFound
from vidembed.media.remote import distinct_names, is_remote, name_of
from vidembed.types import TextLine, TimedText, format_time

if TYPE_CHECKING:
    from vidembed.captions.subtitles import Cue
    from vidembed.config.schema import MediaSettings
    from vidembed.index.transcripts import TextKind
    from vidembed.index.video_index import VideoIndex

Found = tuple[Path, TimedText]


def transcript(
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders or globs. Default: all.")] = None,
    out_to: Annotated[
        Path | None, typer.Option("--out", "-o", help="File (.srt, .vtt, .txt, .json), or folder for one per video.")
    ] = None,
    written: Annotated[bool, typer.Option("--written", help="On-screen text instead of speech.")] = False,
    speakers: Annotated[
        int | None, typer.Option(help="Say who spoke (Speaker 1, 2, ...), of so many; 0: find out how many.", min=0)
    ] = None,
    speaker: Annotated[int | None, typer.Option(help="Only what this one said: 2.", min=1)] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="srt, vtt, txt or json. Default: by --out, else txt.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    settings: SetOption = None,
) -> None:
    """Write out what is said: from the index, or, for a file that is in none, from its subtitles or its sound."""
    name = (form or (out_to.suffix.lstrip(".") if out_to is not None else "") or "txt").lower()
    if name not in FORMATS:
        raise InputError(f"unknown transcript format {name!r}", hint=f"one of: {', '.join(FORMATS)}")
    if written and (speakers is not None or speaker is not None):
        raise InputError("on-screen text has no speakers", hint="give --speakers without --written")
    known: list[Found] = []
    silent: list[str] = []
    there = (index / "index.json").is_file()
    with opened(index, settings=settings, readonly=True) if there else nullcontext() as open_index:
        indexed = {path for record in open_index.videos() for path in record.paths} if open_index else set()
        for path, text in _texts(videos, "ocr" if written else "speech", open_index, indexed, profile, settings):
            if text is not None and (speakers is not None or speaker is not None):
                config = open_index.config if open_index else load_config(profile=profile, overrides=settings)
                text = _spoken(text, path, config.media, speakers or None, speaker)
            known += [(path, text)] if text is not None else []
            silent += [name_of(path)] if text is None else []
    if silent:
        names = ", ".join(silent[:5]) + ", ..." * (len(silent) > 5)
        plain(err(), f"nothing {'written' if written else 'said'} in {counted(len(silent), 'video')}: {names}")
        kind = "ocr" if written else "speech"
        if open_index and not any(spec.settings.source == kind for spec in open_index.parts.specs.values()):
            plain(err(), f"no channel of {kind} is filled in this index: vidembed index --channels +{kind}")
    if out_to is None or str(out_to) == "-":
        sys.stdout.write(_together(known, name))
    elif known:
        _write(known, name, out_to, indexed, overwrite=overwrite)


def _spoken(text: TimedText, path: Path, media: MediaSettings, count: int | None, only: int | None) -> TimedText | None:
    """The text with its speakers, or the lines of one; None where that one says nothing."""
    from vidembed.index.transcripts import with_speakers

    told = with_speakers(text, path, media, count=count)
    lines = tuple(line for line in told.lines if only is None or line.speaker == only)
    return replace(told, lines=lines) if lines else None


def _texts(
    videos: Sequence[str] | None,
    kind: TextKind,
    open_index: VideoIndex | None,
    indexed: Collection[Path],
    profile: str | None,
    settings: Sequence[str] | None,
) -> Iterator[tuple[Path, TimedText | None]]:
    """Each video with its text: from the index where it is known there."""
    files = [Path(video) for video in videos or () if is_remote(video) or Path(video).is_file()]
    new, asked = files, list(videos or ())
    if open_index is not None:
        own = {_whole(path) for path in indexed}
        new = [file for file in files if _whole(file) not in own]
        asked = [video for video in asked if Path(video) not in new]
        if asked or not videos:
            yield from open_index.transcripts(asked or None, kind=kind)
    elif len(files) != len(asked) or not asked:
        raise MediaNotFound("there is no index here", hint="give video files, or --index FOLDER")
    if new and kind == "ocr":
        raise InputError(
            f"{new[0]} is not in the index", hint="vidembed index VIDEO --channels +ocr reads on-screen text"
        )
    for file in new:
        from vidembed.index.transcripts import transcribe

        yield file, transcribe(file, load_config(profile=profile, overrides=settings))


def _whole(path: Path) -> Path:
    return path if is_remote(path) else path.resolve()


def _write(found: Sequence[Found], name: str, target: Path, indexed: Collection[Path], *, overwrite: bool) -> None:
    """One file for all where the target names a file, else one per video in that folder."""
    from vidembed.files import fitting, replacing, writing

    if target.suffix.lstrip(".").lower() not in FORMATS or target.is_dir():
        with writing(target):
            target.mkdir(parents=True, exist_ok=True)
        names = distinct_names([*indexed, *(path for path, _ in found)])  # the same, whichever of them are asked for
        pieces = {target / fitting(names[path], f".{name}"): FORMATS[name](path, text) for path, text in found}
    elif len(found) > 1 and name in ("srt", "vtt"):
        raise InputError(f"{target} is one file for {len(found)} videos", hint="--out FOLDER writes one per video")
    else:
        pieces = {target: _together(found, name)}
    for path, text in pieces.items():
        with writing(path), replacing(path, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
        plain(err(), f"wrote {path}")


def _together(found: Sequence[Found], name: str) -> str:
    if name == "txt" and len(found) > 1:
        return "\n".join(f"# {path}\n{_txt(path, text)}" for path, text in found)
    return "".join(FORMATS[name](path, text) for path, text in found)


def _cues(text: TimedText) -> list[Cue]:
    from vidembed.captions.subtitles import Cue

    return [Cue(line.span, _named(line)) for line in text.lines if line.text.strip()]


def _named(line: TextLine) -> str:
    words = " ".join(line.text.split())
    return f"Speaker {line.speaker}: {words}" if line.speaker is not None else words


def _srt(_: Path, text: TimedText) -> str:
    from vidembed.captions.subtitles import srt

    return srt(_cues(text))


def _vtt(_: Path, text: TimedText) -> str:
    from vidembed.captions.subtitles import vtt

    return vtt(_cues(text))


def _txt(_: Path, text: TimedText) -> str:
    told = [(line.span.start_s, _named(line)) for line in text.lines]
    told += [(line.span.start_s, f"[{line}]") for line in text.unread]
    return "".join(f"{format_time(start_s)}  {words}\n" for start_s, words in sorted(told, key=lambda one: one[0]))


def _json(path: Path, text: TimedText) -> str:
    """One line: the video, the language, where it was taken from, and lines with the times of words where known."""
    lines = [
        {
            **line.span.to_dict(),
            "text": line.text,
            **({"speaker": line.speaker} if line.speaker is not None else {}),
            **({"confidence": round(line.confidence, 3)} if line.confidence is not None else {}),
            **({"words": [[round(a, 3), round(b, 3), word] for a, b, word in line.words]} if line.words else {}),
        }
        for line in text.lines
    ]
    record = {"path": str(path), "language": text.language, "origin": text.origin or "recognised", "lines": lines}
    if text.unread:
        record["unread"] = [{**line.span.to_dict(), "script": line.script} for line in text.unread]
    return json.dumps(record, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Path, TimedText], str]] = {"srt": _srt, "vtt": _vtt, "txt": _txt, "json": _json}
