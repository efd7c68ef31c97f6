"""`vidembed ask`, `extract` and `classify`: answers with proof, records by a schema, tags by your own words."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    IndexOption,
    JsonOption,
    SetOption,
    counted,
    err,
    opened,
    out,
    plain,
    print_json,
    say,
)
from vidembed.cli.naming import example
from vidembed.errors import InputError
from vidembed.types import Filter, format_time

if TYPE_CHECKING:
    from vidembed.index.evidence import Answer
    from vidembed.index.extracting import Record


def extract(
    schema: Annotated[Path, typer.Option(help="File with the JSON Schema of a record.")],
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders or globs. Default: all.")] = None,
    model: Annotated[str | None, typer.Option(help="Who tells what is no choice. Default: nobody.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address of that model; gets texts of the videos.")
    ] = None,
    tag: Annotated[
        bool, typer.Option("--tag", help="Tag each video with the choices that last longest, to search by.")
    ] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Print records with start and end that fit a JSON Schema, one a line."""
    wanted = _read(schema)
    missing: list[str] = []
    with opened(index, settings=settings, readonly=not tag) as open_index:
        found: list[Record] = []
        for record in open_index.extract(wanted, videos, model=model, endpoint=endpoint, left_out=missing.append):
            print_json(record.to_dict())
            found.append(record)
        if tag:
            tags = _longest(found, wanted)
            for video_id, values in tags.items():
                open_index.tag(video_id, values)
            say(f"tagged {counted(len(tags), 'video')}")
    for why in missing:
        plain(err(), f"left out: {why}")
    if missing:
        raise typer.Exit(3)


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--schema {file}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"--schema {file} is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise InputError(f"--schema {file}: a JSON Schema is an object")
    return read


def _longest(records: Sequence[Record], schema: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    """Video -> property -> the choice that is true of the most seconds; "unknown" is none."""
    choices = {name for name, one in schema["properties"].items() if isinstance(one, dict) and "enum" in one}
    seconds: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for record in records:
        for name in choices & record.values.keys():
            if record.values[name] != "unknown":
                seconds[record.video_id][name][str(record.values[name])] += record.span.duration_s
    return {
        video_id: {name: max(values, key=lambda value: values[value]) for name, values in named.items()}
        for video_id, named in seconds.items()
    }


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    model: Annotated[
        str | None,
        typer.Option(help="Who phrases the answer. Default: nobody, in the videos' words."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address, such as http://127.0.0.1:8000/v1; gets the evidence.")
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures", help="Show the model a frame of each moment.")] = False,
    path: Annotated[list[str] | None, typer.Option(help="Only files matching this glob; repeatable.")] = None,
    json: JsonOption = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Answer a question from what videos say, write and show. Without a model nothing is made up, and nothing sent."""
    if endpoint is not None and model is None:
        raise InputError("--endpoint needs --model", hint="the endpoint's name for the model")
    if pictures and model is None:
        raise InputError("--pictures needs --model", hint="a model that sees, of this machine or of an endpoint")
    with opened(index, settings=settings, readonly=True) as open_index:
        told = 0
        for answer in open_index.ask_stream(
            question,
            where=Filter(paths=tuple(path)) if path else None,
            model=model,
            endpoint=endpoint,
            pictures=pictures,
        ):
            told = told if json else _tell(answer, told)
    if json:
        print_json(answer.record())
        return
    if not answer.sentences:
        plain(out(), str(answer))
    _print_places(answer)


def _tell(answer: Answer, told: int) -> int:
    """Print the sentences that are new; returns how many there are now."""
    for line in str(answer).splitlines()[told:] if answer.sentences else []:
        plain(out(), line)
    sys.stdout.flush()
    return len(answer.sentences)


def _print_places(answer: Answer) -> None:
    """Where each number is."""
    cited = {e.number: e for sentence in answer.sentences for e in sentence.evidence}
    spans = {e.number: sentence.span for sentence in reversed(answer.sentences) for e in sentence.evidence}
    for number, e in sorted(cited.items()):
        span = spans[number]
        plain(out(), f"  [{number}] {format_time(span.start_s)}-{format_time(span.end_s)}  {e.moment.path}")
    if answer.dropped:
        plain(err(), f"left out, for want of proof: {' '.join(answer.dropped)}")


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
