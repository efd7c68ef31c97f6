"""`vidembed mcp`: the index as tools for agents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, SetOption, err, opened, plain

app = typer.Typer(help="Offer the index to agents as tools (Model Context Protocol).")

RootOption = Annotated[list[Path] | None, typer.Option(help="Folder whose videos may be indexed; repeatable.")]
ClipsOption = Annotated[Path | None, typer.Option("--clips", help="Folder for clips that are cut.")]


@app.callback(invoke_without_command=True)
def mcp(
    context: typer.Context,
    index: IndexOption = Path(DEFAULT_INDEX),
    root: RootOption = None,
    clips: ClipsOption = None,
    http: Annotated[
        int | None, typer.Option(help="Serve on this port of 127.0.0.1, at /mcp. Default: standard input and output.")
    ] = None,
    settings: SetOption = None,
) -> None:
    """Offer search, answers, transcripts, captions and frames as tools; with --root indexing, with --clips cutting."""
    if context.invoked_subcommand is not None:
        return
    from vidembed.agents import server

    with opened(index, settings=settings, readonly=not root, create=bool(root)) as open_index:
        made = server(open_index, roots=tuple(root or ()), clips_to=clips, port=http or 8765)
        made.run("streamable-http" if http is not None else "stdio")


@app.command("config")
def config(
    client: Annotated[str, typer.Argument(help="claude, cursor or vscode.")],
    index: IndexOption = Path(DEFAULT_INDEX),
    root: RootOption = None,
    clips: ClipsOption = None,
) -> None:
    """Print the entry for a client's settings file."""
    from vidembed.agents import client_entry

    arguments = ["--index", str(index.absolute())]
    for folder in root or ():
        arguments += ["--root", str(folder.absolute())]
    if clips is not None:
        arguments += ["--clips", str(clips.absolute())]
    typer.echo(client_entry(client, arguments))
    if not (index / "index.json").is_file():
        plain(err(), f"no index is there yet: {index}; make it with vidembed index VIDEOS --index {index}")
