"""What is in an index, and its care.

`vidembed info`, `tag`, `remove`, `relocate`, `cut`, `sheet`, `duplicates` and `store`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    IndexOption,
    JsonOption,
    SetOption,
    counted,
    err,
    failure_text,
    opened,
    out,
    plain,
    print_json,
)
from vidembed.cli.terminal import clock, path_text, width, wrapped
from vidembed.errors import InputError
from vidembed.types import Span, format_time, parse_time


def info(
    index: IndexOption = Path(DEFAULT_INDEX),
    videos: Annotated[bool, typer.Option("--videos", help="One line per video.")] = False,
    failures: Annotated[bool, typer.Option("--failures", help="List what failed, and why.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what is in an index: videos, clips, coverage of each channel, models, failures."""
    with opened(index, readonly=True) as open_index:
        facts = open_index.info()
        records = open_index.videos() if videos else []
        failed = open_index.failures() if failures else []
    if json:
        print_json(asdict(facts))
        for record in records:
            print_json(asdict(record))
        for failure in failed:
            print_json(vars(failure))
        return
    console = out()
    for line in str(facts).splitlines():
        plain(console, wrapped(line, indent=2))
    for record in records:
        head = f"{record.state:8} {clock(round(record.info.duration_s)):>8} {counted(record.clips, 'clip'):>10}  "
        more = [f"(damaged: {record.damage})"] if record.damage else []
        more += [f"(speech: {record.transcript})"] if record.transcript else []
        more += [f"{key}={value}" for key, value in record.tags.items()]
        plain(console, head + path_text(record.info.path, beside=len(head)) + _details(more, len(head)))
    for failure in failed:
        plain(console, failure_text(failure, sys.stdout))


def _details(details: Sequence[str], indent: int) -> str:
    """Each in a line of its own; in a pipe a video has one line."""
    if not width():
        return "".join(f"  {detail}" for detail in details)
    return "".join("\n" + wrapped(f"{'':{indent}}{detail}", indent=indent) for detail in details)


def tag(
    videos: Annotated[list[str], typer.Argument(help="Paths, folders, globs or video ids.")],
    values: Annotated[list[str] | None, typer.Option("--set", help="Set a tag: camera=front; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Remove a tag: camera; repeatable.")] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Tag videos, to search with --tag. The columns of a list (vidembed index LIST.csv) become tags, too."""
    changes: dict[str, str | None] = dict.fromkeys(remove or ())
    for item in values or ():
        key, equals, value = item.partition("=")
        if not equals or not value.strip():
            raise InputError(f"--set takes KEY=VALUE, got {item!r}", hint="for example --set camera=front")
        changes[key.strip()] = value.strip()
    if not changes:
        raise InputError("nothing to change", hint="give --set KEY=VALUE or --remove KEY")
    with opened(index) as open_index:
        count = open_index.tag(videos, changes)
    err().print(f"tagged {counted(count, 'video')}")


def remove(
    videos: Annotated[list[str], typer.Argument(help="Paths, globs or video ids.")],
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Remove videos from an index. The files stay."""
    with opened(index) as open_index:
        count = open_index.remove(videos)
    if not count:
        raise InputError(f"not in the index: {', '.join(videos)}", hint="vidembed info --videos lists what is in it")
    err().print(f"removed {counted(count, 'video')}")


def relocate(
    old: Annotated[Path, typer.Argument(help="The folder in which videos were.")],
    new: Annotated[Path, typer.Argument(help="The folder in which they are now.")],
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Say that a folder of videos has moved. An index that moved together with its videos finds them by itself."""
    with opened(index) as open_index:
        targets = [target for _, target in open_index.relocate(old, new)]
    lost = sum(not os.path.lexists(target) for target in targets)
    missing = f"; {lost} of them {'is' if lost == 1 else 'are'} not there" if lost else ""
    plain(err(), f"moved {counted(len(targets), 'file')}{missing}")


def ignore(
    paths: Annotated[list[str] | None, typer.Argument(help="Files, folders or globs. Default: list them.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Look at them again.")] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Leave known-bad files out of runs: they are not decoded, and no failure. What is in the index stays.

    Without PATHS it lists what is ignored.
    """
    if not paths:
        if undo:
            raise InputError("nothing to look at again", hint="vidembed ignore lists what is ignored")
        with opened(index, readonly=True) as open_index:
            held = open_index.catalog.places.get("ignored")
        for place in held:
            plain(out(), place)
        if not held:
            err().print("0 ignored")
        return
    with opened(index, create=False) as open_index:
        held = open_index.ignore(paths, undo=undo)
    err().print(f"{len(held)} ignored")


_TOLD_S = 0.01  # what a cut begins earlier or ends earlier than was asked for


def cut(
    video: Annotated[Path, typer.Argument(help="The video to cut from: a file or address.")],
    start: Annotated[str, typer.Argument(help="Start: seconds or m:ss.")],
    end: Annotated[str, typer.Argument(help="End: seconds or m:ss.")],
    out_file: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    exact: Annotated[
        bool,
        typer.Option("--exact/--lossless", help="Re-encode to cut at the frame, or copy from a keyframe."),
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Cut a span of a video into its own file."""
    from vidembed.media.editing.cut import cut as cut_span

    start_s, end_s = parse_time(start, name="START"), parse_time(end, name="END")
    if start_s >= end_s:
        raise InputError(f"START must be before END, got {start} and {end}")
    file = cut_span(video, Span(start_s, end_s), out_file, exact=exact, overwrite=overwrite)
    made = file.span
    encoded = "; encoded again, as a copy would show what players do not" if file.exact and not exact else ""
    early = f"; it begins at the keyframe {format_time(made.start_s)}" if start_s - made.start_s >= _TOLD_S else ""
    short = f"; the video ends at {format_time(made.end_s)}" if end_s - made.end_s >= _TOLD_S else ""
    plain(err(), f"wrote {out_file}{encoded}{early}{short}")


_MEANING = {
    "same file": "identical files",
    "whole": "the same video",
    "part": "one is part of the other",
    "shared": "they share a part",
}


def duplicates(
    index: IndexOption = Path(DEFAULT_INDEX),
    above: Annotated[float, typer.Option(help="Least cosine of two equal frames.", min=0.0, max=1.0)] = 0.8,
    min_s: Annotated[float, typer.Option("--min", help="Shortest shared part, in seconds.", min=0.0)] = 2.0,
    channel: Annotated[str, typer.Option(help="Channel whose vectors are compared.")] = "vision",
    json: JsonOption = False,
) -> None:
    """Find duplicate videos: other encodings, excerpts, common intros. Removes nothing."""
    console, count = out(), 0
    with opened(index, readonly=True) as open_index:
        for pair in open_index.duplicates(channel=channel, above=above, min_s=min_s):
            count += 1
            if json:
                stretches = [
                    {
                        "one": [*s.one.to_dict().values()],
                        "other": [*s.other.to_dict().values()],
                        "similarity": s.similarity,
                    }
                    for s in pair.stretches
                ]
                record = {"kind": pair.kind, "one": str(pair.one), "other": str(pair.other)}
                print_json({**record, "shares": list(pair.shares), "stretches": stretches})
                continue
            console.print(f"{pair.kind}: {_MEANING[pair.kind]}", style="bold", markup=False)
            for path in (pair.one, pair.other):
                plain(console, f"  {path_text(path, beside=2)}")
            for stretch in pair.stretches:
                plain(console, f"    {stretch.one}  =  {stretch.other}   {stretch.similarity:.2f}")
    if not json:
        err().print(counted(count, "pair"))


store = typer.Typer(help="Move or optimise the vector store.", no_args_is_help=True)


@store.command("move")
def move(
    to: Annotated[str, typer.Option("--to", help="URL of a Qdrant server, such as http://host:6333, or 'edge'.")],
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Copy all vectors to a Qdrant server (or back), compare the counts, then switch to it."""
    with opened(index) as open_index:
        counts = open_index.move_store(to, processes=min(4, os.cpu_count() or 1))
    for collection, count in counts.items():
        plain(err(), f"{collection}: {count} clips")
    plain(err(), f"the index now uses {to}")


@store.command("optimize")
def optimize(index: IndexOption = Path(DEFAULT_INDEX)) -> None:
    """Build the search graph and free the space of deleted vectors."""
    with opened(index) as open_index:
        open_index.optimize()
    err().print("done")


def sheet(
    what: Annotated[str, typer.Argument(metavar="VIDEO|QUERY", help="A file, an address: its shots. Else: a search.")],
    out_to: Annotated[Path, typer.Option("--out", "-o", help="Picture to write: .jpg, .png or .webp.")],
    most: Annotated[int, typer.Option("--tiles", help="At most so many tiles.", min=1, max=400)] = 60,
    columns: Annotated[int | None, typer.Option(help="Tiles side by side.", min=1)] = None,
    tile_px: Annotated[int, typer.Option("--width", help="Width of a tile in pixels.", min=32, max=1920)] = 320,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the picture if it exists.")] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Write a contact sheet: a tile for each shot of a video, or each moment found, with its time."""
    if out_to.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
        raise InputError(f"--out {str(out_to)!r}: no picture", hint="name a file that ends in .jpg, .png or .webp")
    from vidembed.config.load import load_config
    from vidembed.files import refuse_existing
    from vidembed.media.editing.sheet import Tile, contact_sheet
    from vidembed.media.kinds import MEDIA_EXTENSIONS
    from vidembed.media.remote import is_remote
    from vidembed.vectors import evenly_spaced

    refuse_existing(out_to, overwrite=overwrite)
    if Path(what).exists() or is_remote(what) or Path(what).suffix.lower() in MEDIA_EXTENSIONS:
        media = load_config(overrides=settings).media
        tiles = Tile.of_shots(what, media=media)
    else:
        with opened(index, settings=settings, readonly=True) as open_index:
            media = open_index.config.media
            tiles = Tile.of_moments(open_index.search(what, k=most))
    if not tiles:
        raise InputError(f"nothing to show for {what!r}", hint="give a video file, or words that an index knows")
    if len(tiles) > most:
        plain(err(), f"{most} of {len(tiles)} shots, evenly spaced; --tiles for more")
        tiles = [tiles[place] for place in evenly_spaced(len(tiles), most)]
    _save(contact_sheet(tiles, columns=columns, tile_px=tile_px, media=media), out_to, overwrite=overwrite)
    plain(err(), f"wrote {out_to}")


def _save(rgb: object, target: Path, *, overwrite: bool) -> None:
    import PIL.Image

    from vidembed.files import replacing, writing

    kind = {".jpg": "JPEG", ".jpeg": "JPEG"}.get(target.suffix.lower(), target.suffix[1:].upper())
    with writing(target), replacing(target, overwrite=overwrite) as part:
        PIL.Image.fromarray(rgb).save(part, format=kind, quality=85)  # type: ignore[arg-type]
