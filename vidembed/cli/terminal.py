"""Text that fits a terminal: folded or cut at its margin, paths shortened. In a pipe everything stays whole."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TextIO

from vidembed.media.remote import address


def width(stream: TextIO | None = None) -> int | None:
    """Columns of the terminal that a stream (None = standard output) leads to; None: it leads elsewhere."""
    return shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else None


def wrapped(text: str, *, indent: int, stream: TextIO | None = None) -> str:
    """Text in lines that fit, those after the first indented."""
    columns = width(stream)
    if columns is None:
        return text
    return textwrap.fill(text, columns, subsequent_indent=" " * indent, break_on_hyphens=False)


def shortened(line: str) -> str:
    """A line of standard output, cut at the margin."""
    columns = width()
    return line if columns is None or len(line) <= columns else line[: columns - 1] + "…"


def path_text(path: str | Path, *, beside: int = 0, stream: TextIO | None = None) -> str:
    """A path that fits beside so many other characters of its line, by `shown_path`."""
    columns, path = width(stream), address(path)
    return path if columns is None else shown_path(Path(path), columns - beside)


def shown_path(path: Path, width: int) -> str:
    """A path from the working folder where it lies in it, cut in the middle so that the file's name stays.

    Args:
        path: Absolute.
        width: Most characters.
    """
    try:
        text = str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        text = str(path)
    if len(text) <= width:
        return text
    folder, slash, name = text.rpartition(os.sep)
    left = width - len(name) - len(slash) - 1
    if left >= 1:
        return f"{folder[:left]}…{slash}{name}"
    stem, keep = width // 2, width - width // 2 - 1
    return f"{name[:stem]}…{name[-keep:]}" if len(name) > width else name


def clock(seconds: int) -> str:
    """Such as "0:07", "12:30", "1:02:03"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
