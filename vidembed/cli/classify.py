"""`vidembed classify`: tags from a list of your own words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    IndexOption,
    JsonOption,
    SetOption,
    counted,
    opened,
    out,
    plain,
    print_json,
    say,
)
from vidembed.cli.examples import example
from vidembed.errors import InputError
from vidembed.types import format_time


def classify(
    labels: Annotated[
        Path, typer.Option("--labels", help="Your labels: a text file with one a line, or YAML with groups.")
    ],
    videos: Annotated[
        list[str] | None, typer.Argument(help="Paths, folders, globs or video ids. Default: all.")
    ] = None,
    one: Annotated[
        bool, typer.Option("--one", help="At most one label a clip (of a text file; YAML says one_of).")
    ] = False,
    threshold: Annotated[float, typer.Option(help="Confidence from which a clip has a label.", min=0.0, max=1.0)] = 0.5,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help="A clip with a label: dog=lake.mp4@1:23; repeatable.")
    ] = None,
    reject: Annotated[
        list[str] | None, typer.Option("--reject", help="A clip without it: dog=street.mp4@0:05; repeatable.")
    ] = None,
    tag: Annotated[bool, typer.Option("--tag/--no-tag", help="Keep the labels as tags of the videos.")] = True,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Tag videos with your own words; what is none of them stays without. Then: vidembed search --tag label=dog."""
    from vidembed.index.classifying import LabelExample

    with opened(index, settings=settings, readonly=not tag) as open_index:
        given = [(text, accepted) for many, accepted in ((accept, True), (reject, False)) for text in many or ()]
        examples = []
        for text, accepted in given:
            label, equals, place = text.partition("=")
            if not equals or not place.strip():
                raise InputError(f"an example is LABEL=FILE@TIME, got {text!r}", hint="--accept dog=lake.mp4@1:23")
            examples.append(LabelExample(label.strip(), example(open_index, place.strip()), accepted))
        found = open_index.classify(labels, videos, one=one, threshold=threshold, examples=examples, save=tag)
        chosen = len(open_index.videos()) if not videos else None
    for stretch in found:
        if json:
            print_json(stretch.to_dict())
            continue
        when = f"{format_time(stretch.span.start_s)}-{format_time(stretch.span.end_s)}"
        plain(out(), f"{stretch.confidence:4.0%}  {stretch.group}={stretch.label}  {when}  {stretch.path}")
    if not json:
        tagged = counted(len({stretch.video_id for stretch in found}), "video")
        of = f" of {chosen}" if chosen is not None else ""
        say(f"{len(found)} labelled in {tagged}{of}")
