"""`vidembed serve`: the web page; `mcp`: the index as tools for agents.

`vidembed demo`: index the videos that pip packages bring, and search them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ConfigOption,
    IndexOption,
    ProfileOption,
    SetOption,
    err,
    opened,
    out,
    plain,
    progress_bar,
)
from vidembed.cli.showing import show_moments
from vidembed.demo import DEMO_QUERIES, demo_channels, demo_videos
from vidembed.errors import InputError, missing_dependency

AUTH_ENV = "VIDEMBED_AUTH"


def serve(
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all networks.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 7860,
    root: Annotated[
        list[Path] | None, typer.Option(help="Folder from which videos may be added by path; repeatable.")
    ] = None,
    root_path: Annotated[str, typer.Option(help="Prefix under which a reverse proxy serves the page.")] = "",
    auth: Annotated[
        str | None, typer.Option(help=f"USER:PASSWORD. Others can see it: better use ${AUTH_ENV} or --auth-file.")
    ] = None,
    auth_file: Annotated[Path | None, typer.Option(help="File whose first line is USER:PASSWORD.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Host name of the page behind a proxy; repeatable.")
    ] = None,
    readonly: Annotated[bool, typer.Option("--readonly", help="Search only; no changes.")] = False,
    max_upload_mb: Annotated[int, typer.Option(help="Largest upload, in MB.", min=1)] = 2048,
    max_uploads: Annotated[int, typer.Option(help="Most files in one upload.", min=1)] = 50,
    ask_model: Annotated[
        str | None, typer.Option(help="Who phrases answers to questions. Default: nobody, in the videos' words.")
    ] = None,
    ask_endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address of that model; gets the evidence.")
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Offer search and captions as MCP tools.")] = False,
) -> None:
    """Open a web page to add, search and caption videos."""
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise missing_dependency("gradio", extra="app", purpose="the web page")
    password = read_auth(auth, auth_file)
    from vidembed.web import AppSettings, ServerSettings
    from vidembed.web import serve as run

    server = ServerSettings(host=host, port=port, auth=password, hosts=tuple(allow_host or ()), mcp=mcp)
    if not server.on_loopback and password is None:
        err().print("[yellow]warning[/]: anyone on the network can use this page; set a password with --auth-file")
    app = AppSettings(
        roots=tuple(root or ()),
        readonly=readonly,
        show_paths=server.on_loopback and not allow_host,
        max_upload_mb=max_upload_mb,
        max_uploads=max_uploads,
        root_path=root_path,
        ask_model=ask_model,
        ask_endpoint=ask_endpoint,
    )
    with opened(index, profile=profile, config=config, settings=settings, create=True) as open_index:
        plain(err(), f"open http://{host}:{port}{app.root_path}/ in a browser; stop with Ctrl-C")
        run(open_index, app, server, quiet=True)


def read_auth(auth: str | None, file: Path | None) -> tuple[str, str] | None:
    """The login, from the option, the file or the environment, in this order.

    Raises:
        InputError: If the file cannot be read, or the login is not USER:PASSWORD.
    """
    text = auth
    if text is None and file is not None:
        try:
            text = file.read_text(encoding="utf-8").splitlines()[0]
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise InputError(f"--auth-file {str(file)!r} cannot be read or is empty") from error
    if text is None:
        text = os.environ.get(AUTH_ENV)
    if text is None:
        return None
    user, colon, password = text.strip().partition(":")
    if not (user and colon and password):
        raise InputError("a login must be USER:PASSWORD, both not empty")
    return user, password


# Without the environment variable: the demo never writes into an index of one's own.
DemoIndexOption = Annotated[Path, typer.Option("--index", "-i", help="Folder of the demo's index.")]


def demo(
    index: DemoIndexOption = Path("demo-index"),
    profile: ProfileOption = None,
    query: Annotated[list[str] | None, typer.Option(help="Your own query; repeatable.")] = None,
    k: Annotated[int, typer.Option("-k", help="Moments per query.", min=1)] = 3,
) -> None:
    """Index a few real videos and search them."""
    videos = demo_videos()
    err().print(f"indexing {len(videos)} videos into {index}")
    with opened(index, profile=profile, create=True) as open_index:
        with progress_bar() as update:
            report = open_index.add(videos, channels=demo_channels(open_index.config.channels), progress=update)
        err().print(str(report))
        for text in query or DEMO_QUERIES:
            out().print(f"\n[bold]{text}[/]")
            show_moments(open_index.search(text, k=k), open_index.config)
    err().print(f"\nyour own: vidembed index VIDEOS && vidembed search WORDS   (this index: --index {index})")
    if report.failed:
        raise typer.Exit(3)


mcp_app = typer.Typer(help="Offer the index to agents as tools (Model Context Protocol).")

RootOption = Annotated[list[Path] | None, typer.Option(help="Folder whose videos may be indexed; repeatable.")]
ClipsOption = Annotated[Path | None, typer.Option("--clips", help="Folder for clips that are cut.")]


@mcp_app.callback(invoke_without_command=True)
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


@mcp_app.command("config")
def config(
    client: Annotated[str, typer.Argument(help="claude, cursor or vscode.")],
    index: IndexOption = Path(DEFAULT_INDEX),
    root: RootOption = None,
    clips: ClipsOption = None,
) -> None:
    """Print the entry for a client's settings file."""
    arguments = ["--index", str(index.absolute())]
    for folder in root or ():
        arguments += ["--root", str(folder.absolute())]
    if clips is not None:
        arguments += ["--clips", str(clips.absolute())]
    typer.echo(_client_entry(client, arguments))
    if not (index / "index.json").is_file():
        plain(err(), f"no index is there yet: {index}; make it with vidembed index VIDEOS --index {index}")


_CLIENTS = ("claude", "cursor", "vscode")


def _client_entry(client: str, arguments: list[str]) -> str:
    """What a client's settings file needs, as JSON. Raises InputError for an unknown client."""
    command = {"command": sys.executable, "args": ["-m", "vidembed", "mcp", *arguments]}
    if client == "vscode":
        return json.dumps({"servers": {"vidembed": {"type": "stdio", **command}}}, indent=2)
    if client in _CLIENTS:
        return json.dumps({"mcpServers": {"vidembed": command}}, indent=2)
    raise InputError(f"no entry is known for {client!r}", hint=f"one of: {', '.join(_CLIENTS)}")
