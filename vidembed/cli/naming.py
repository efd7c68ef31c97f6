"""What people name on the command line: profiles, models, channels and tags, which the shell completes, and clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vidembed.errors import BadQuery, InputError, VidembedError
from vidembed.files import write_text
from vidembed.types import parse_time

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex


def complete_profiles(incomplete: str) -> list[tuple[str, str]]:
    """Bundled profiles with what they are."""
    from vidembed.config.load import profiles

    return [(name, text) for name, text in profiles().items() if name.startswith(incomplete)]


def complete_models(incomplete: str) -> list[str]:
    """Models known by name."""
    from vidembed.models import registry

    return sorted({spec.name for spec in registry.specs() if spec.name.startswith(incomplete)})


def complete_channels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Channels of the index, after those that are already typed: "vision,so"."""
    before, comma, last = incomplete.rpartition(",")
    start = before + comma + last[: len(last) - len(last.lstrip("+-"))]
    with suppress(VidembedError, OSError), _index(ctx) as index:
        names = index.config.channels
        return [start + name for name in names if (start + name).startswith(incomplete)]
    return []


def complete_tags(ctx: typer.Context, incomplete: str) -> list[str]:
    """Tags of the index with their values."""
    with suppress(VidembedError, OSError), _index(ctx) as index:
        held = {f"{key}={value}" for tags in index.catalog.tags.all().values() for key, value in tags.items()}
        return sorted(one for one in held if one.startswith(incomplete))
    return []


def _index(ctx: typer.Context) -> VideoIndex:
    from vidembed.index.opening import open_index

    return open_index(Path(ctx.params.get("index") or "vidembed-index"), readonly=True)


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
