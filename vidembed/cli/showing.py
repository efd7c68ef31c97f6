"""How moments look: columns that fit a terminal, tab-separated and whole in a pipe.

A terminal gets middle-shortened, linked paths and bars; rich is imported for it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import typer

from vidembed.cli.terminal import clock, shown_path, width
from vidembed.config.schema import Config
from vidembed.media.remote import address, url
from vidembed.search.sequence import Chain
from vidembed.types import Moment, Span

_Row: TypeAlias = tuple[str, str, str, Path, str, list[str]]  # number, confidence, times, file, reason, words in bold
_LEVELS = "▁▂▃▄▅▆▇█"
_GAP = "  "
_LEAST_FILE, _LEAST_WHY = 16, 12  # columns, on the narrowest terminal
_VERBS = {"frames": "seen", "audio": "heard", "av": "seen", "captions": "captioned", "speech": "said", "ocr": "written"}


def show_moments(moments: Sequence[Moment], config: Config, *, offset: int = 0) -> None:
    """Print moments on standard output, one a line. offset: how many came before, for the numbers."""
    _show([_row(str(place), moment, config) for place, moment in enumerate(moments, start=offset + 1)])


def show_chains(chains: Sequence[Chain], config: Config) -> None:
    """Print chains, each with its steps below it."""
    rows: list[_Row] = []
    for place, chain in enumerate(chains, start=1):
        rows.append((str(place), f"{chain.confidence:.0%}", _times(chain.span), chain.path, "", []))
        for number, step in enumerate(chain.moments, start=1):
            rows.append(_row(f"{place}.{number}", step, config))
    _show(rows)


def _row(number: str, moment: Moment, config: Config) -> _Row:
    words = [moment.texts[channel][start:end] for channel, places in moment.marks.items() for start, end in places]
    return number, f"{moment.confidence:.0%}", _times(moment.span), moment.path, why(moment, config), words


def why(moment: Moment, config: Config) -> str:
    """What of the moment matched: "seen", "heard", 'said "..."', each with a bar of how sure its channel is."""
    parts: dict[str, str] = {}
    for channel, sure in moment.matched_by.items():
        text = " ".join(moment.texts.get(channel, "").split())
        source = config.channels[channel].source if channel in config.channels else ""
        if source == "captions" and not text:
            text = moment.caption or ""
        verb = _VERBS.get(source, channel)
        bar = _LEVELS[min(int(sure * len(_LEVELS)), len(_LEVELS) - 1)]
        parts.setdefault(f'{verb} "{text}"' if text else verb, bar)  # words and meaning of one line are one reason
    shown = [f"{bar} {reason}" for reason, bar in parts.items()]
    if moment.agreement is not None:
        shown.append(f"checked: yes {moment.agreement:.0%}")
    if moment.grounded is not None:
        shown.append(f"at {_times(moment.grounded)}")
    return ", ".join(shown)


def _times(span: Span) -> str:
    """To the second; what follows something begins where that ends."""
    start = round(span.start_s)
    return f"{clock(start)}-{clock(max(round(span.end_s), start + 1))}"


def _show(rows: Sequence[_Row]) -> None:
    """Rows of number, confidence, times, file and reason; on a terminal with the words that were asked for in bold."""
    columns = width()
    if columns is None:
        for number, sure, times, path, reason, _ in rows:
            typer.echo("\t".join((number, sure, times, address(path), reason)))
        return
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    heads = ("#", "sure", "when", "file", "matched by")
    starts = [row[:3] for row in rows]
    first = [max(len(cell) for cell in column) for column in zip(heads[:3], *starts, strict=True)]
    left = columns - sum(first) - 4 * len(_GAP)
    reasons = max(cell_len(row[4]) for row in rows)
    room = max(_LEAST_FILE, left - max(_LEAST_WHY, min(reasons, left * 3 // 5)))
    files = [shown_path(row[3], room) for row in rows]
    wide = max(len(heads[3]), *(cell_len(file) for file in files))
    room = max(_LEAST_WHY, left - wide)
    head = [name.rjust(size) for name, size in zip(heads, first, strict=False)]
    console.print(Text(_GAP.join((*head, heads[3].ljust(wide), heads[4])), "bold"), soft_wrap=True)
    for row, file, start in zip(rows, files, starts, strict=True):
        line = Text(_GAP.join(cell.rjust(size) for cell, size in zip(start, first, strict=True)) + _GAP)
        line.append(file, style=f"link {url(row[3])}")
        reason = row[4] if cell_len(row[4]) <= room else set_cell_size(row[4], room - 1).rstrip() + "…"
        told = Text(" " * (wide - cell_len(file)) + _GAP + reason if reason else "")
        told.highlight_words(row[5], "bold underline")
        line.append_text(told)
        console.print(line, soft_wrap=True)
