"""`vidembed info`, `remove` and `cut`: what is in an index, and taking things out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, JsonOption, err, opened, out, parse_time, print_json
from vidembed.errors import InputError
from vidembed.types import Span, format_time


def info(
    index: IndexOption = Path(DEFAULT_INDEX),
    videos: Annotated[bool, typer.Option("--videos", help="One line a video.")] = False,
    failures: Annotated[bool, typer.Option("--failures", help="What could not be done, and why.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what an index holds: videos, clips, coverage of each lane, models, failures."""
    with opened(index, readonly=True) as open_index:
        facts = open_index.info()
        records = open_index.videos() if videos else []
        failed = open_index.failures() if failures else []
    if json:
        print_json(_plain(facts))
        for record in records:
            print_json(_plain(record))
        for failure in failed:
            print_json(vars(failure))
        return
    console = out()
    console.print(str(facts), markup=False)
    for record in records:
        console.print(
            f"{record.state:8} {format_time(record.info.duration_s):>12} {record.clips:5} clips  {record.info.path}"
            + (f"  (damaged: {record.damage})" if record.damage else "")
            + "".join(f"  {key}={value}" for key, value in record.tags.items()),
            markup=False,
            soft_wrap=True,
        )
    for failure in failed:
        console.print(
            f"{failure.item} ({failure.stage}) {failure.kind}: {failure.message}", markup=False, soft_wrap=True
        )


def tag(
    videos: Annotated[list[str], typer.Argument(help="Paths, folders, globs or video ids.")],
    values: Annotated[list[str] | None, typer.Option("--set", help="camera=front; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Take this tag away; may be repeated.")] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Note something of videos, to search by with --tag. The columns of a list (vidembed index LIST.csv) do, too."""
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
    err().print(f"tagged {count} video{'s' if count != 1 else ''}")


def remove(
    videos: Annotated[list[str], typer.Argument(help="Paths, globs or video ids; the files stay where they are.")],
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Take videos out of an index. The files themselves are never touched."""
    with opened(index) as open_index:
        count = open_index.remove(videos)
    err().print(f"removed {count} video{'s' if count != 1 else ''}")
    if not count:
        raise typer.Exit(2)


def cut(
    video: Annotated[Path, typer.Argument(help="The video to cut from.")],
    start: Annotated[str, typer.Argument(help="Start: seconds or m:ss.")],
    end: Annotated[str, typer.Argument(help="End: seconds or m:ss.")],
    out_file: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    exact: Annotated[
        bool, typer.Option("--exact/--lossless", help="Encode anew to the frame, or copy from the nearest key frame.")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")] = False,
) -> None:
    """Cut a span of a video into its own file."""
    from vidembed.media.cut import cut as cut_span

    start_s, end_s = parse_time(start, option="START"), parse_time(end, option="END")
    if start_s >= end_s:
        raise InputError(f"START must be before END, got {start} and {end}")
    cut_span(video, Span(start_s, end_s), out_file, exact=exact, overwrite=overwrite)
    err().print(f"wrote {out_file}", markup=False)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)
