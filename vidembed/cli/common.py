"""What every command shares: the two consoles, the options for an index, progress bars, tables, JSON lines."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from vidembed.cli.naming import complete_channels, complete_profiles
from vidembed.cli.terminal import path_text, wrapped
from vidembed.errors import ConfigError, InputError, VidembedError
from vidembed.types import Failure

if TYPE_CHECKING:
    from rich.console import Console

    from vidembed.index.pipeline.run import Progress, ProgressCallback
    from vidembed.index.video_index import VideoIndex

DEFAULT_INDEX = "vidembed-index"
ASK_ABOVE_GB = 2.0  # of models to fetch
_PANEL = "Index and settings"
_SHOWN: list[Console] = []  # of the bars on the terminal; lines of another console would be written into them

IndexOption = Annotated[
    Path, typer.Option("--index", "-i", envvar="VIDEMBED_INDEX", help="Folder of the index.", rich_help_panel=_PANEL)
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        help="Models and settings: see `config profiles`.",
        rich_help_panel=_PANEL,
        autocompletion=complete_profiles,
    ),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Your YAML, on top of the profile.", rich_help_panel=_PANEL)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, such as search.rrf_k=60; repeatable.", rich_help_panel=_PANEL),
]
ChannelsOption = Annotated[
    str | None,
    typer.Option(help="Channels to search, such as vision,sound. Default: all.", autocompletion=complete_channels),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.", rich_help_panel="Output")]


def err() -> Console:
    """The console for messages. Made at each call: tests swap sys.stderr. While a bar is shown, what is above it."""
    from rich.console import Console

    return _SHOWN[-1] if _SHOWN else Console(stderr=True, highlight=False)


def out() -> Console:
    """The console for answers that people read."""
    from rich.console import Console

    if _SHOWN and sys.stdout.isatty():
        return _SHOWN[-1]
    width = None if sys.stdout.isatty() else 400  # a pipe has no margin to fold at
    return Console(highlight=False, width=width)


def plain(console: Console, text: str) -> None:
    """Print text as it is: no markup, no folding."""
    console.print(text, markup=False, soft_wrap=True)


def say(text: str, *, style: str = "") -> None:
    """Print a message on standard error, as it is. style: colour of its first word on a terminal."""
    from rich.text import Text

    line = Text(text)
    if style:
        line.stylize(f"bold {style}", 0, len(text.partition(" ")[0]))
    err().print(line, soft_wrap=True)


def say_error(error: VidembedError) -> None:
    """Print what was wrong and what to do."""
    say(wrapped(f"error: {error.message}", indent=7, stream=sys.stderr), style="red")
    if error.hint:
        say(wrapped(f"hint: {error.hint}", indent=6, stream=sys.stderr), style="cyan")


def say_failures(failures: Sequence[Failure]) -> None:
    """Print each item that failed, with the reason and what to do."""
    for failure in failures:
        say(failure_text(failure, sys.stderr), style="red")
        if failure.hint:
            say(wrapped(f"       {failure.hint}", indent=7, stream=sys.stderr))


def failure_text(failure: Failure, stream: TextIO) -> str:
    """One failure in lines that fit; its file is named once."""
    from vidembed.media.remote import name_of, shown

    item = path_text(failure.item, beside=len(f"failed  ({failure.stage}):"), stream=stream)
    message = failure.message
    for name in (failure.item, shown(failure.item), name_of(Path(failure.item))):
        message = message.removeprefix(f"{name}: ")
    return wrapped(f"failed {item} ({failure.stage}): {message}", indent=7, stream=stream)


def print_json(record: Mapping[str, Any]) -> None:
    """Print one record as one line of JSON; non-ASCII stays readable, NaN is refused."""
    sys.stdout.write(json.dumps(record, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def counted(count: int, noun: str) -> str:
    """Number and noun, such as "1 video" or "2 videos"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def opened(index: Path, *, settings: Sequence[str] | None = None, create: bool = False, **options: Any) -> VideoIndex:
    """The index, open for one command; options as for `vidembed.open_index`."""
    import vidembed

    gc.disable()  # most modules are imported now, and nothing of them is garbage
    try:
        show_downloads(ask=True)
        found = vidembed.open_index(index, overrides=settings, create=create, **options)
    finally:
        gc.enable()
    if found.config.store.kind == "memory":
        say("warning: store.kind=memory: nothing stays after this command", style="yellow")
    return found


@contextmanager
def _stopping_said() -> Iterator[None]:
    """Ctrl-C says at once that it stops and what is kept, since what is in hand is finished first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)  # the second time it stops as it is
        say("stopping; what is done is kept, and the same command goes on from there", style="yellow")
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress_bar(unit: str = "videos") -> Iterator[ProgressCallback | None]:
    """A callback for indexing runs: a bar with rate and time left on a terminal, None elsewhere."""
    with _stopping_said(), _bar(unit) as update:
        if update is None:
            yield None
            return

        def step(state: Progress) -> None:
            rate = f"{state.rate:.1f}x real time" if state.rate else ""
            update(Path(state.item).name or "making ready to search", state.done_items, state.total_items, rate)

        yield step


@contextmanager
def step_bar(unit: str) -> Iterator[Any]:
    """A callback (what, done, total) for other long runs: a bar on a terminal, None elsewhere."""
    with _stopping_said(), _bar(unit) as update:
        yield update and (lambda what, done, total: update(Path(what).name, done, total, ""))


@contextmanager
def _above(console: Console) -> Iterator[None]:
    """Lines that are printed meanwhile appear above the bar of this console."""
    _SHOWN.append(console)
    try:
        yield
    finally:
        _SHOWN.pop()


@contextmanager
def _bar(unit: str) -> Iterator[Any]:
    console = err()
    if not console.is_terminal or os.environ.get("VIDEMBED_QUIET"):
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    left = TimeRemainingColumn(compact=True, elapsed_when_finished=True, table_column=Column(no_wrap=True))
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[rate]}"),
        left,
    )
    stays = sys.stdout.isatty()
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=stays, expand=True)
    with bar, _above(console):
        task = bar.add_task("starting", total=None, count="", rate="")

        def update(what: str, done: int, total: int, rate: str) -> None:
            count = f"{done}/{total} {unit}" if total else ""
            bar.update(task, completed=done, total=total or None, description=what, count=count, rate=rate)

        yield update


def show_downloads(*, ask: bool) -> None:
    """From now on models that are fetched have a bar of bytes on a terminal, and a line elsewhere.

    ask: On a terminal, before more than 2 GB.
    """
    from vidembed.models import fetching

    fetching.watch(lambda what, size: _download_bar(what, size, ask=ask))


@contextmanager
def _download_bar(what: str, size: int, *, ask: bool) -> Iterator[Callable[[int], None]]:
    from rich.errors import LiveError
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = err()
    line = f"fetching {what}: {size / 1e9:.2f} GB"
    if not console.is_terminal or os.environ.get("VIDEMBED_QUIET"):
        plain(console, line)
        yield lambda more: None
        return
    if (
        ask
        and size / 1e9 > ASK_ABOVE_GB
        and sys.stdin.isatty()
        and not typer.confirm(f"{line}. Go on?", True, err=True)
    ):
        raise ConfigError(f"{what} was not fetched", hint="a smaller model or profile: vidembed models")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())
    try:
        bar.start()
    except LiveError:  # older versions of rich show one bar at a time, and another is there
        plain(console, line)
    task = bar.add_task(what, total=size)
    try:
        yield lambda more: bar.advance(task, more)
    finally:
        bar.stop()


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
