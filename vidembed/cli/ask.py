"""`vidembed ask`: a question answered from a library, each sentence with the moments that prove it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, JsonOption, SetOption, err, opened, out, plain, print_json
from vidembed.errors import InputError
from vidembed.types import Filter, format_time

if TYPE_CHECKING:
    from vidembed.index.evidence import Answer


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
