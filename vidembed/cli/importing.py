"""`vidembed import captions`: captions that people wrote elsewhere; `vidembed caption --edit` and `--text`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, counted, opened, say, say_failures
from vidembed.cli.naming import example
from vidembed.cli.terminal import path_text
from vidembed.errors import InputError

if TYPE_CHECKING:
    from vidembed.types import Clip

app = typer.Typer(help="Take in what was made elsewhere.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Take in what was made elsewhere."""


@app.command("captions")
def captions(
    files: Annotated[
        list[Path], typer.Argument(help="Subtitles (.srt, .vtt, .ass), or an export (.jsonl, .csv, .parquet).")
    ],
    video: Annotated[
        str | None,
        typer.Option(help="Whose they are: path or id. Default: as the records say, or the video of that name."),
    ] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Import captions that people wrote. They are searchable at once, and no model replaces them."""
    left_out = 0
    with opened(index, create=False) as open_index:
        for file in files:
            found = open_index.import_captions(file, video)
            say_failures(found.left_out)
            left_out += len(found.left_out)
            kept = f", {found.unchanged} unchanged" if found.unchanged else ""
            lost = f", {len(found.left_out)} left out" if found.left_out else ""
            say(f"{file}: {counted(len(found.saved), 'caption')} imported{kept}{lost}")
    if left_out:
        raise typer.Exit(3)


def write_one(index: Path, clips: Sequence[str] | None, text: str) -> None:
    """Give one clip a caption."""
    if not clips or len(clips) != 1:
        raise InputError(
            "--text is the caption of one clip", hint="name it: FILE@1:23, a number of the last search, an id"
        )
    with opened(index, create=False) as open_index:
        (saved,) = open_index.write_captions({example(open_index, clips[0]): text})
        path = path_text(open_index.path_of(saved.clip.video_id), beside=40, stream=sys.stderr)
        say(f"captioned {path} at {saved.clip.span}")


def edit(index: Path, videos: Sequence[str] | None) -> None:
    """Open the captions of these videos in the person's editor and save what was changed."""
    from vidembed.captions.by_hand import read_sheet, sheet

    with opened(index, create=False) as open_index:
        held = {caption.clip.clip_id: caption.text for caption in open_index.captions(videos or None)}
        clips: dict[str, list[tuple[Clip, str]]] = {}
        for clip in open_index.clips(videos or None):
            clips.setdefault(clip.video_id, []).append((clip, held.get(clip.clip_id, "")))
        named = [(open_index.path_of(video_id), found) for video_id, found in clips.items()]
    file = Path(tempfile.mkdtemp(prefix="vidembed-captions-")) / "captions.txt"
    file.write_text(sheet(named), encoding="utf-8")
    while True:
        _open_editor(file)
        try:
            changed = read_sheet(file.read_text(encoding="utf-8"), named)
            with opened(index, create=False) as open_index:
                saved = open_index.write_captions(changed) if changed else []
            break
        except InputError as error:
            if sys.stdin.isatty() and typer.confirm(f"{error.message}. Edit again?", True, err=True):
                continue
            raise InputError(error.message, hint=f"nothing is saved; what you wrote is in {file}") from error
    shutil.rmtree(file.parent)
    say(f"{counted(len(saved), 'caption')} saved" if saved else "nothing changed")


def _open_editor(file: Path) -> None:
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    usual = "notepad" if sys.platform == "win32" else next(filter(shutil.which, ("nano", "vim", "vi")), "")
    if not chosen and not (usual and sys.stdin.isatty()):
        raise InputError(
            "no editor to open", hint="set EDITOR; or vidembed import captions FILE, or caption CLIP --text WORDS"
        )
    command = shlex.split(chosen, posix=sys.platform != "win32") if chosen else [usual]
    try:
        subprocess.run([*command, str(file)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"the editor {command[0]} failed: {error}", hint="set EDITOR to another") from error
