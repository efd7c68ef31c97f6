"""What every command shares: the two consoles, the options for an index, the progress bar, JSON lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vidembed.errors import InputError, VidembedError

if TYPE_CHECKING:
    from vidembed.index.pipeline.progress import Progress
    from vidembed.index.video_index import VideoIndex

DEFAULT_INDEX = "vidembed-index"

IndexOption = Annotated[
    Path,
    typer.Option("--index", "-i", envvar="VIDEMBED_INDEX", help="Folder of the index.", rich_help_panel="Index"),
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="Models and settings to use; see `vidembed config profiles`."),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Your own YAML on top of the profile.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, such as search.rrf_k=60; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")]


def err() -> Console:
    """Where people are talked to. Made at each call: tests swap sys.stderr."""
    return Console(stderr=True, highlight=False)


def out() -> Console:
    """Where tables for people go when they are the answer itself."""
    width = None if sys.stdout.isatty() else 400  # a pipe has no margin to fold at
    return Console(highlight=False, width=width)


def say_error(error: VidembedError) -> None:
    from rich.markup import escape

    console = err()
    console.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        console.print(f"[bold]hint:[/] {escape(error.hint)}", soft_wrap=True)


def print_json(record: Mapping[str, Any]) -> None:
    """One record as one line of JSON; not-ASCII stays readable, NaN is refused."""
    sys.stdout.write(json.dumps(record, ensure_ascii=False, allow_nan=False, default=str) + "\n")


@contextmanager
def opened(
    index: Path,
    *,
    profile: str | None = None,
    config: Path | None = None,
    settings: Sequence[str] | None = None,
    create: bool = False,
    readonly: bool = False,
    outdated: bool = False,
) -> Iterator[VideoIndex]:
    """The index, open for one command. Without `create` a folder that is no index is an error."""
    import vidembed

    if not create and not (index / "index.json").exists():
        raise InputError(
            f"no index at {str(index)!r}",
            hint=f"make one with: vidembed index VIDEOS --index {index}, or name yours with --index",
        )
    with vidembed.open_index(
        index,
        profile=profile,
        config=config,
        overrides=settings,
        create=create,
        readonly=readonly,
        outdated=outdated,
    ) as opened_index:
        yield opened_index


@contextmanager
def progress_bar(unit: str = "videos") -> Iterator[Any]:
    """A callback for long runs: a bar with rate and time left on a terminal, silence elsewhere."""
    console = err()
    if not console.is_terminal or os.environ.get("VIDEMBED_QUIET"):
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="")

        def update(state: Progress) -> None:
            rate = f"{state.rate:.1f}x real time" if state.rate else ""
            name = Path(state.item).name if state.item else ""
            bar.update(
                task,
                completed=state.done_items,
                total=state.total_items or None,
                description=f"{name[:40]} {state.stage}"[:60],
                rate=rate,
            )

        yield update


@contextmanager
def caption_bar() -> Iterator[Any]:
    """As `progress_bar`, for runs that tell (path, done, in all)."""
    with progress_bar("clips") as update:
        if update is None:
            yield None
            return
        from vidembed.index.pipeline.progress import Progress

        yield lambda path, done, total: update(Progress(path, "caption" if path else "", done, total, 0.0, 0.0, 0.0))


def parse_pairs(items: Sequence[str] | None, *, option: str) -> dict[str, float] | None:
    """`["vision=1", "sound=0.5"]` as a mapping; None when nothing was given."""
    if not items:
        return None
    pairs: dict[str, float] = {}
    for item in items:
        name, equals, value = item.partition("=")
        try:
            pairs[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise InputError(f"{option} takes NAME=NUMBER, got {item!r}", hint=f"for example {option} vision=1.0")
    return pairs


def parse_names(text: str | None) -> list[str] | None:
    """`"vision, sound"` as a list; None when nothing was given."""
    return [name.strip() for name in text.split(",") if name.strip()] if text else None
