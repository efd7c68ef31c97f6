"""`vidembed index`: make or update an index from videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ConfigOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    SetOption,
    err,
    opened,
    parse_names,
    print_json,
    progress_bar,
)
from vidembed.errors import InputError
from vidembed.types import RunReport


def index(
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, files or globs; or a list: .txt (one a line), .csv, .jsonl, .parquet (columns are tags)."
        ),
    ] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    channels: Annotated[
        str | None, typer.Option(help="Lanes to fill: 'vision,sound', or '+speech,+ocr' on top of the profile's.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Videos decoded side by side.", min=1)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and index what is added or changed.")] = False,
    reencode: Annotated[
        str | None,
        typer.Option(help="Encode these lanes ('vision,sound') anew, with the models that --profile or --set names."),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Forget videos whose files are gone.")] = False,
    json: JsonOption = False,
) -> None:
    """Index videos: cut them into clips, embed picture and sound, store the vectors.

    Running it again does only what is missing. Failed files are listed with the reason and tried again next time.
    """
    if reencode is not None:
        _reencode(index, reencode, profile, config, settings, workers, as_json=json)
        return
    if not videos:
        raise InputError("nothing to index", hint="name folders, files or globs: vidembed index VIDEOS")
    with opened(index, profile=profile, config=config, settings=settings, create=True) as open_index:
        if watch:
            err().print("watching; stop with Ctrl-C")
            open_index.watch(videos, channels=parse_names(channels), report=lambda run: _show(run, index, as_json=json))
            return
        with progress_bar() as update:
            report = open_index.add(
                videos, channels=parse_names(channels), progress=update, workers=workers, prune=prune
            )
    _show(report, index, as_json=json)
    if report.failed:
        raise typer.Exit(3)


def _reencode(
    index: Path,
    channels: str,
    profile: str | None,
    config: Path | None,
    settings: list[str] | None,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    """The index opens as it is: the new settings are for these channels alone, the old vectors serve meanwhile."""
    with opened(index, outdated=True) as open_index, progress_bar() as update:
        report = open_index.reencode(
            parse_names(channels) or [],
            profile=profile,
            config=config,
            overrides=settings,
            progress=update,
            workers=workers,
        )
    _show(report, index, as_json=as_json)
    if report.failed:
        raise typer.Exit(3)


def _show(report: RunReport, where: Path, *, as_json: bool) -> None:
    console = err()
    for failure in report.failed:
        console.print(
            f"[red]failed[/] {escape(failure.item)} ({failure.stage}): {escape(failure.message)}", soft_wrap=True
        )
        if failure.hint:
            console.print(f"       {failure.hint}", markup=False, soft_wrap=True)
    for damage in report.damaged:
        console.print(f"[yellow]damaged[/] {escape(damage.item)}: {damage}", soft_wrap=True)
    if report.damaged:
        rest = "the rest of it is" if len(report.damaged) == 1 else "the rest of them is"
        console.print(f"{report.damage()}; {rest} in the index", soft_wrap=True)
    console.print(f"{report}; {report.clips} clips, {report.seconds_of_video:.1f} s of video, index in {where}")
    if as_json:
        print_json(
            {
                "done": list(report.done),
                "unchanged": list(report.unchanged),
                "failed": [vars(failure) for failure in report.failed],
                "clips": report.clips,
                "seconds_of_video": round(report.seconds_of_video, 3),
                "counts": dict(report.counts),
                "damaged": [vars(damage) for damage in report.damaged],
            }
        )
