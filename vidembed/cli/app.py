"""The command tree. A command's module is imported when it is called, and what is heavy in it when it runs."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Annotated, Any

import typer

from vidembed._version import __version__

_COMMANDS = {  # where each is, in the order of the help
    "index": "index:index",
    "merge": "index:merge",
    "search": "search:search",
    "shell": "shell:shell",
    "ask": "questions:ask",
    "caption": "caption:caption",
    "export": "caption:export",
    "duplicates": "library:duplicates",
    "cut": "library:cut",
    "sheet": "library:sheet",
    "transcript": "transcript:transcript",
    "extract": "questions:extract",
    "info": "library:info",
    "tag": "library:tag",
    "classify": "questions:classify",
    "remove": "library:remove",
    "relocate": "library:relocate",
    "ignore": "library:ignore",
    "demo": "serve:demo",
    "serve": "serve:serve",
    "plan": "environment:plan",
    "doctor": "environment:doctor",
}
_GROUPS = {
    "import": "importing:app",
    "models": "models:app",
    "align": "align:app",
    "evaluate": "evaluate:app",
    "config": "environment:app",
    "mcp": "serve:mcp_app",
    "store": "library:store",
}


def command_tree(first: str = "") -> typer.Typer:
    """The commands.

    Args:
        first: What the command line begins with. A command's name, or --version: no other command is imported.
    """
    app = typer.Typer(
        name="vidembed",
        help="Search inside videos and caption them.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    alone = first in _COMMANDS or first in _GROUPS or first == "--version"
    for name, place in _COMMANDS.items():
        if not alone or name == first:
            app.command(name)(_found(place))
    for name, place in _GROUPS.items():
        if not alone or name == first:
            app.add_typer(_found(place), name=name)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vidembed {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Search inside videos and caption them."""
    gc.enable()


def _found(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(f"vidembed.cli.{module}"), name)
