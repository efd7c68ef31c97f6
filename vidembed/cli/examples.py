"""Clips named on the command line: by their number in the last search, by file and time, or by id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vidembed.errors import BadQuery, InputError
from vidembed.files import write_text
from vidembed.types import parse_time

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex


def example(index: VideoIndex, text: str) -> str:
    """The id of the clip that a person names by "2", "FILE@1:23" or its id.

    Raises:
        BadQuery: There was no such number in the last search of this index.
        InputError: What stands after @ is no time, or the file has no clip there.
    """
    if text.isdecimal():
        known = _remembered(index.path)
        if text not in known:
            raise BadQuery(
                f"the last search of {index.path} has no moment {text}",
                hint=f"it has {', '.join(known)}" if known else "search first, or name FILE@1:23",
            )
        return known[text]
    file, at, time = text.rpartition("@")
    if at and file:
        return index.clip_at(file, parse_time(time, name=f"the time after {file}@")).clip_id
    return text


def remember(index: Path, clips: Mapping[str, str]) -> None:
    """Keep the numbers of an answer list for the next `--like`. Nothing is kept where nothing can be written."""
    with suppress(OSError, InputError):
        _file(index).parent.mkdir(parents=True, exist_ok=True)
        write_text(_file(index), json.dumps(dict(clips)))


def _remembered(index: Path) -> dict[str, str]:
    try:
        return dict(json.loads(_file(index).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _file(index: Path) -> Path:
    """One for each index, so that a search of another one changes no numbers."""
    digest = hashlib.blake2b(str(index.resolve()).encode(), digest_size=8).hexdigest()
    return Path(typer.get_app_dir("vidembed")) / "last-search" / f"{digest}.json"
