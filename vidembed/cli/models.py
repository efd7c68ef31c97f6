"""`vidembed models`: what can be used, under which licence, at what size."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from vidembed.cli.common import JsonOption, out, print_json


def models(
    name: Annotated[str | None, typer.Argument(help="Show all facts of one model.")] = None,
    json: JsonOption = False,
) -> None:
    """List the models that can be used by name, with modalities, sizes and licences. Loads nothing."""
    from vidembed import models as registry

    specs = [registry.find(name)] if name else list(registry.specs())
    if json:
        for spec in specs:
            print_json(asdict(spec))
        return
    from rich.table import Table

    console = out()
    if name:
        for key, value in asdict(specs[0]).items():
            console.print(f"{key:12} {value}", markup=False, soft_wrap=True)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "kind", "modalities", "GB", "licence", "extra"):
        table.add_column(column, overflow="fold")
    for spec in specs:
        modalities = ", ".join(sorted(spec.modalities))
        table.add_row(spec.name, spec.kind, modalities, f"{spec.size_gb:g}", spec.license, spec.extra or "")
    console.print(table)
