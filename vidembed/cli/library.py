"""`vidembed info`, `remove` and `cut`: what is in an index, and taking things out of it.

`vidembed duplicates`: videos that are copies of one another, whole or in part.

`vidembed store`: move an index's vectors between the embedded engine and a Qdrant server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, JsonOption, err, opened, out, print_json
from vidembed.errors import InputError
from vidembed.types import Span, format_time, parse_time


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
    from vidembed.media.editing.cut import cut as cut_span

    start_s, end_s = parse_time(start, name="START"), parse_time(end, name="END")
    if start_s >= end_s:
        raise InputError(f"START must be before END, got {start} and {end}")
    cut_span(video, Span(start_s, end_s), out_file, exact=exact, overwrite=overwrite)
    err().print(f"wrote {out_file}", markup=False)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


_MEANING = {
    "same file": "the same file, byte for byte",
    "whole": "the same video",
    "part": "one is a part of the other",
    "shared": "a part in common",
}


def duplicates(
    index: IndexOption = Path(DEFAULT_INDEX),
    above: Annotated[float, typer.Option(help="Least cosine of two frames that are the same.", min=0.0, max=1.0)] = 0.8,
    min_s: Annotated[float, typer.Option("--min", help="Shortest part that counts, in seconds.", min=0.0)] = 2.0,
    channel: Annotated[str, typer.Option(help="The lane whose vectors are compared.")] = "vision",
    json: JsonOption = False,
) -> None:
    """Find videos that are copies of one another: other encodings, excerpts, common intros. Nothing is removed."""
    console, count = out(), 0
    with opened(index, readonly=True) as open_index:
        for pair in open_index.duplicates(channel=channel, above=above, min_s=min_s):
            count += 1
            if json:
                stretches = [
                    {"one": _times(s.one), "other": _times(s.other), "similarity": s.similarity} for s in pair.stretches
                ]
                record = {"kind": pair.kind, "one": str(pair.one), "other": str(pair.other)}
                print_json({**record, "shares": list(pair.shares), "stretches": stretches})
                continue
            console.print(f"{pair.kind}: {_MEANING[pair.kind]}", style="bold", markup=False)
            console.print(f"  {pair.one}\n  {pair.other}", markup=False, soft_wrap=True)
            for stretch in pair.stretches:
                console.print(f"    {stretch.one}  =  {stretch.other}   {stretch.similarity:.2f}", markup=False)
    if not json:
        err().print(f"{count} pair{'s' if count != 1 else ''}")


def _times(span: Span) -> list[float]:
    return [round(span.start_s, 3), round(span.end_s, 3)]


app = typer.Typer(help="Move and tend the vector store.", no_args_is_help=True)


@app.command("move")
def move(
    to: Annotated[str, typer.Option("--to", help="Address of a Qdrant server, http://host:6333, or 'edge'.")],
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Copy all vectors to a Qdrant server (or back), compare the counts, then use it from now on."""
    with opened(index) as open_index:
        counts = open_index.move_store(to)
    for collection, count in counts.items():
        err().print(f"{collection}: {count} clips", markup=False)
    err().print(f"the index now uses {to}", markup=False)


@app.command("optimize")
def optimize(index: IndexOption = Path(DEFAULT_INDEX)) -> None:
    """Build the search graph and drop the space of deleted vectors."""
    with opened(index) as open_index:
        open_index.optimize()
    err().print("done")
