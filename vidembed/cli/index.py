"""`vidembed index`: make or update an index from videos."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ConfigOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    SetOption,
    counted,
    err,
    opened,
    parse_names,
    plain,
    print_json,
    progress_bar,
    say_failures,
    step_bar,
)
from vidembed.cli.naming import complete_channels
from vidembed.cli.terminal import clock, path_text, width, wrapped
from vidembed.errors import InputError
from vidembed.types import RunReport

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

_MOST_LINES = 20  # of files that are elsewhere


def index(
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, files, globs or addresses (s3://, https://); or a list: .txt, .csv, .jsonl or .parquet, "
            "whose columns become tags. Default: those of earlier runs."
        ),
    ] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    channels: Annotated[
        str | None,
        typer.Option(
            help="Channels to fill: vision,sound; or +speech,+ocr on top of the profile's.",
            autocompletion=complete_channels,
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Videos decoded in parallel.", min=1)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep running; index new and changed files.")] = False,
    reencode: Annotated[
        str | None,
        typer.Option(
            help="Re-encode these channels (vision,sound) with the models of --profile and --set; "
            "old vectors stay live meanwhile.",
            autocompletion=complete_channels,
        ),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove videos whose files are gone.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="N/M", help="Only part N of M of the files, for `vidembed merge`: 1/16 ... 16/16."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Index videos: cut them into clips, encode images and sound, store the vectors.

    A second run does only what is missing; without VIDEOS it brings all that is known up to date. Failed files are
    listed with the reason and retried next time.
    """
    given: dict[str, Any] = {"profile": profile, "config": config}
    if reencode is not None:
        if videos:
            raise InputError("--reencode means the whole index, not some videos", hint="leave the videos out")
        if watch or prune or channels or shard:
            raise InputError(
                "--reencode goes without --watch, --prune, --channels and --shard", hint="run them after it"
            )
        with opened(index, outdated=True) as open_index, progress_bar() as update:
            report = open_index.reencode(
                parse_names(reencode) or [], overrides=settings, progress=update, workers=workers, **given
            )
            _say_unread(open_index)
        _finish(report, index, as_json=json)
        return
    if not videos and not (index / "index.json").exists():
        raise InputError("nothing to index", hint="name folders, files or globs: vidembed index VIDEOS")
    if watch and prune:
        raise InputError("--watch hides what is gone, and keeps it", hint="vidembed index --prune forgets it, once")
    if shard and (watch or prune):
        raise InputError("--shard goes without --watch and --prune", hint="give them to the merged index")
    wanted = parse_names(channels)
    if workers:
        settings = [*(settings or ()), f"run.workers={workers}"]
    with opened(index, settings=settings, create=True, **given) as open_index:
        if watch:
            err().print("watching for new and changed files; stop with Ctrl-C")
            open_index.watch(videos or None, channels=wanted, report=lambda run: _show(run, index, as_json=json))
            return
        with progress_bar() as update:
            report = open_index.add(videos or None, channels=wanted, progress=update, prune=prune, shard=_shard(shard))
        _say_unread(open_index)
    _finish(report, index, as_json=json)


def merge(
    shards: Annotated[list[Path], typer.Argument(help="Folders that `vidembed index --shard` made.")],
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Merge indexes that were made apart into one, whose vectors may lie on a server; nothing is encoded again.

    A new index has the settings of the first shard. What is there already is not copied twice.
    """
    from vidembed.index.merging import merge as merged

    with step_bar("videos") as step:
        report = merged(shards, index, overrides=settings, progress=step)
    _finish(report, index, as_json=json)


def _shard(text: str | None) -> tuple[int, int] | None:
    """`"3/16"` as (3, 16)."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard takes N/M with N from 1 to M, got {text!r}", hint="for example --shard 3/16")
    return int(found[1]), int(found[2])


def _say_unread(open_index: VideoIndex) -> None:
    if open_index.catalog.texts.unread():
        plain(err(), open_index.info().unread_notice)


def _finish(report: RunReport, where: Path, *, as_json: bool) -> None:
    _show(report, where, as_json=as_json)
    if report.failed:
        raise typer.Exit(3)


def _fitting(path: str, beside: int) -> str:
    return path_text(path, beside=beside, stream=sys.stderr)


def _say_where(report: RunReport) -> None:
    """What was moved or renamed, a folder of many files in one line; what is gone or forgotten."""
    from vidembed.index.whereabouts import renamed

    moves = Counter(renamed(old, new) for old, new in report.moved)
    columns = (width(sys.stderr) or 0) // 2 + len("moved  ->  (1000 files)") // 2 + 1
    lines = [
        f"moved {_fitting(old, columns)} -> {_fitting(new, columns)} ({counted(files, 'file')})"
        for (old, new), files in moves.items()
    ]
    lines += [f"gone {_fitting(path, 6)}" for path in report.gone]
    lines += [f"forgotten {_fitting(path, 11)}" for path in report.forgotten]
    for line in lines[:_MOST_LINES]:
        plain(err(), line)
    if len(lines) > _MOST_LINES:
        plain(err(), f"... and {len(lines) - _MOST_LINES} more; --json names all")


def _show(report: RunReport, where: Path, *, as_json: bool) -> None:
    console = err()
    say_failures(report.failed)
    for damage in report.damaged:
        item = path_text(damage.item, beside=len("damaged :"), stream=sys.stderr)
        plain(console, wrapped(f"damaged {item}: {damage}", indent=8, stream=sys.stderr))
    _say_where(report)
    if report.damaged:
        plain(console, f"{report.damage()}; everything else was indexed")
    ended = f"{report}; {counted(report.clips, 'clip')}, {clock(round(report.seconds_of_video))} of video"
    plain(console, wrapped(f"{ended}, index in {where}", indent=0, stream=sys.stderr))
    if as_json:
        print_json(
            {
                "done": list(report.done),
                "unchanged": list(report.unchanged),
                "moved": [list(pair) for pair in report.moved],
                "gone": list(report.gone),
                "ignored": list(report.ignored),
                "forgotten": list(report.forgotten),
                "failed": [vars(failure) for failure in report.failed],
                "clips": report.clips,
                "seconds_of_video": round(report.seconds_of_video, 3),
                "counts": dict(report.counts),
                "damaged": [vars(damage) for damage in report.damaged],
            }
        )
