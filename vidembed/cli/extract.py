"""`vidembed extract`: records of videos that fit a JSON Schema."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, SetOption, counted, err, opened, plain, print_json, say
from vidembed.errors import InputError

if TYPE_CHECKING:
    from vidembed.index.extracting import Record


def extract(
    schema: Annotated[Path, typer.Option(help="File with the JSON Schema of a record.")],
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders or globs. Default: all.")] = None,
    model: Annotated[str | None, typer.Option(help="Who tells what is no choice. Default: nobody.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address of that model; gets texts of the videos.")
    ] = None,
    tag: Annotated[
        bool, typer.Option("--tag", help="Tag each video with the choices that last longest, to search by.")
    ] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Print records with start and end that fit a JSON Schema, one a line."""
    wanted = _read(schema)
    missing: list[str] = []
    with opened(index, settings=settings, readonly=not tag) as open_index:
        found: list[Record] = []
        for record in open_index.extract(wanted, videos, model=model, endpoint=endpoint, left_out=missing.append):
            print_json(record.to_dict())
            found.append(record)
        if tag:
            tags = _longest(found, wanted)
            for video_id, values in tags.items():
                open_index.tag(video_id, values)
            say(f"tagged {counted(len(tags), 'video')}")
    for why in missing:
        plain(err(), f"left out: {why}")
    if missing:
        raise typer.Exit(3)


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--schema {file}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"--schema {file} is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise InputError(f"--schema {file}: a JSON Schema is an object")
    return read


def _longest(records: Sequence[Record], schema: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    """Video -> property -> the choice that is true of the most seconds; "unknown" is none."""
    choices = {name for name, one in schema["properties"].items() if isinstance(one, dict) and "enum" in one}
    seconds: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for record in records:
        for name in choices & record.values.keys():
            if record.values[name] != "unknown":
                seconds[record.video_id][name][str(record.values[name])] += record.span.duration_s
    return {
        video_id: {name: max(values, key=lambda value: values[value]) for name, values in named.items()}
        for video_id, named in seconds.items()
    }
