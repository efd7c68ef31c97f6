"""`vidembed duplicates`: videos that are copies of one another, whole or in part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, JsonOption, err, opened, out, print_json
from vidembed.types import Span

_MEANING = {
    "same file": "the same file, byte for byte",
    "whole": "the same video",
    "part": "one is a part of the other",
    "shared": "a part in common",
}


def duplicates(
    index: IndexOption = Path(DEFAULT_INDEX),
    above: Annotated[float, typer.Option(help="Least cosine of two frames that are the same.", min=0.0, max=1.0)] = 0.8,
    min_s: Annotated[float, typer.Option("--min", help="Shortest part that counts, in seconds.", min=0.0)] = 2.0,
    channel: Annotated[str, typer.Option(help="The lane whose vectors are compared.")] = "vision",
    json: JsonOption = False,
) -> None:
    """Find videos that are copies of one another: other encodings, excerpts, common intros. Nothing is removed."""
    console, count = out(), 0
    with opened(index, readonly=True) as open_index:
        for pair in open_index.duplicates(channel=channel, above=above, min_s=min_s):
            count += 1
            if json:
                stretches = [
                    {"one": _times(s.one), "other": _times(s.other), "similarity": s.similarity} for s in pair.stretches
                ]
                record = {"kind": pair.kind, "one": str(pair.one), "other": str(pair.other)}
                print_json({**record, "shares": list(pair.shares), "stretches": stretches})
                continue
            console.print(f"{pair.kind}: {_MEANING[pair.kind]}", style="bold", markup=False)
            console.print(f"  {pair.one}\n  {pair.other}", markup=False, soft_wrap=True)
            for stretch in pair.stretches:
                console.print(f"    {stretch.one}  =  {stretch.other}   {stretch.similarity:.2f}", markup=False)
    if not json:
        err().print(f"{count} pair{'s' if count != 1 else ''}")


def _times(span: Span) -> list[float]:
    return [round(span.start_s, 3), round(span.end_s, 3)]
