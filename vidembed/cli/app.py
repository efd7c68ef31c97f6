"""The command tree. Each command lives in its own small module and imports what is heavy when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from vidembed.cli import align as align_command
from vidembed.cli import caption, doctor, evaluate, index, library, search, serve, settings
from vidembed.cli import library as duplicates
from vidembed.cli import library as store
from vidembed.cli import serve as demo
from vidembed.cli import settings as config_command

app = typer.Typer(
    name="vidembed",
    help="Search inside videos and caption them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from vidembed import __version__

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
app.command("caption")(caption.caption)
app.command("export")(caption.export)
app.command("duplicates")(duplicates.duplicates)
app.command("cut")(library.cut)
app.command("info")(library.info)
app.command("tag")(library.tag)
app.command("remove")(library.remove)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("models")(settings.models)
app.command("doctor")(doctor.doctor)
app.add_typer(align_command.app, name="align")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(config_command.app, name="config")
app.add_typer(store.app, name="store")
