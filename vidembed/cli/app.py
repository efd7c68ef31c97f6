"""The command tree. Each command imports what is heavy when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from vidembed._version import __version__
from vidembed.cli import (
    align,
    ask,
    caption,
    environment,
    evaluate,
    index,
    library,
    mcp,
    models,
    search,
    serve,
    sheet,
    shell,
    transcript,
)

app = typer.Typer(
    name="vidembed",
    help="Search inside videos and caption them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vidembed {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Search inside videos and caption them."""


app.command("index")(index.index)
app.command("search")(search.search)
app.command("shell")(shell.shell)
app.command("ask")(ask.ask)
app.command("caption")(caption.caption)
app.command("export")(caption.export)
app.command("duplicates")(library.duplicates)
app.command("cut")(library.cut)
app.command("sheet")(sheet.sheet)
app.command("transcript")(transcript.transcript)
app.command("info")(library.info)
app.command("tag")(library.tag)
app.command("remove")(library.remove)
app.command("demo")(serve.demo)
app.command("serve")(serve.serve)
app.command("doctor")(environment.doctor)
app.add_typer(models.app, name="models")
app.add_typer(align.app, name="align")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(environment.app, name="config")
app.add_typer(mcp.app, name="mcp")
app.add_typer(library.store, name="store")
