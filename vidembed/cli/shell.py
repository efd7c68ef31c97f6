"""`vidembed shell`: search after search with the models kept in memory."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, SetOption, counted, opened, say, say_error
from vidembed.cli.search import search
from vidembed.errors import VidembedError

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

_one = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
_one.command("search")(search)


def shell(index: IndexOption = Path(DEFAULT_INDEX), settings: SetOption = None) -> None:
    """Search again and again, with the models loaded once. Each line takes the options of `vidembed search`."""
    with opened(index, settings=settings, readonly=True) as open_index, _history():
        say(f"{counted(len(open_index), 'video')}; words search, `--help` lists the options, Ctrl-D ends")
        while True:
            try:
                line = input("> ").strip()
            except EOFError:
                break
            except KeyboardInterrupt:
                say("")
                continue
            if line in ("exit", "quit"):
                break
            if line:
                _run(line, open_index)


def _run(line: str, index: VideoIndex) -> None:
    try:
        _one(args=_words(line), obj=index, prog_name="search")
    except VidembedError as error:
        say_error(error)
    except SystemExit:  # after each search
        pass
    except KeyboardInterrupt:
        say("stopped")


def _words(line: str) -> list[str]:
    """The arguments of a line. Without options it is a text as it stands, so quotes mark an exact phrase."""
    if line.startswith("-") or " -" in line:
        with suppress(ValueError):  # an open quote, as in: a dog's toy -k 3
            return shlex.split(line)
        return line.split()
    return [line]


@contextmanager
def _history() -> Iterator[None]:
    """Lines of earlier shells on the arrow keys, where Python has readline."""
    file = Path(typer.get_app_dir("vidembed")) / "shell-history"
    try:
        import readline
    except ImportError:  # Windows: the terminal has its own
        yield
        return
    with suppress(OSError):
        readline.read_history_file(file)
    yield
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        readline.set_history_length(1000)
        readline.write_history_file(file)
