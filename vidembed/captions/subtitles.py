"""SubRip and WebVTT, exact to the millisecond."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from vidembed.captions.cues import Cue, clean
from vidembed.files import write_text_atomically


def timestamp(seconds: float, *, mark: str) -> str:
    """`00:01:02,345` with `mark` before the milliseconds; rounded once, in integer milliseconds."""
    total = round(seconds * 1000)
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, ms = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{mark}{ms:03d}"


def srt(cues: Iterable[Cue]) -> str:
    """SubRip text. An arrow inside a caption would read as a timing line, so it becomes a real arrow character;
    angle brackets become look-alikes, since players read them as styling and SubRip knows no escapes."""
    blocks = []
    for number, cue in enumerate(cues, start=1):
        text = clean(cue.text).replace("-->", "→").replace("<", "‹").replace(">", "›")
        blocks.append(
            f"{number}\n{timestamp(cue.span.start_s, mark=',')} --> {timestamp(cue.span.end_s, mark=',')}\n{text}\n"
        )
    return "\n".join(blocks)


def vtt(cues: Iterable[Cue], *, chapters: bool = False) -> str:
    """WebVTT text (W3C, section 4.2): `&`, `<` and `>` are escaped, which also disarms `-->`."""
    head = "WEBVTT\n\nNOTE chapters\n" if chapters else "WEBVTT\n"
    blocks = [head]
    for cue in cues:
        text = html.escape(clean(cue.text), quote=False)
        blocks.append(f"{timestamp(cue.span.start_s, mark='.')} --> {timestamp(cue.span.end_s, mark='.')}\n{text}\n")
    return "\n".join(blocks)


def write_srt(cues: Sequence[Cue], path: Path | str) -> None:
    """Write SubRip, whole or not at all. Raises InputError when the place cannot be written."""
    write_text_atomically(Path(path), srt(cues))


def write_vtt(cues: Sequence[Cue], path: Path | str, *, chapters: bool = False) -> None:
    """Write WebVTT, whole or not at all. Raises InputError when the place cannot be written."""
    write_text_atomically(Path(path), vtt(cues, chapters=chapters))
