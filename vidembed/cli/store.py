"""`vidembed store`: move an index's vectors between the embedded engine and a Qdrant server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, err, opened

app = typer.Typer(help="Move and tend the vector store.", no_args_is_help=True)


@app.command("move")
def move(
    to: Annotated[str, typer.Option("--to", help="Address of a Qdrant server, http://host:6333, or 'edge'.")],
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Copy all vectors to a Qdrant server (or back), compare the counts, then use it from now on."""
    with opened(index) as open_index:
        counts = open_index.move_store(to)
    for collection, count in counts.items():
        err().print(f"{collection}: {count} clips", markup=False)
    err().print(f"the index now uses {to}", markup=False)


@app.command("optimize")
def optimize(index: IndexOption = Path(DEFAULT_INDEX)) -> None:
    """Build the search graph and drop the space of deleted vectors."""
    with opened(index) as open_index:
        open_index.store.optimize()
    err().print("done")
