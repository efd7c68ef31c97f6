"""SubRip and WebVTT: writing and reading, exact to the millisecond."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from vidembed.captions.cues import Cue, clean
from vidembed.errors import InputError
from vidembed.files import write_text_atomically
from vidembed.types import Span

_TIMING = re.compile(r"(?:(\d+):)?(\d{2}):(\d{2})[,.](\d{3})\s*-->\s*(?:(\d+):)?(\d{2}):(\d{2})[,.](\d{3})")


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


def parse(text: str, *, name: str = "subtitles") -> list[Cue]:
    """Cues of SubRip or WebVTT text, in file order; styling tags are dropped, escapes undone.

    Raises InputError with the line number on a span that ends before it starts.
    """
    is_vtt = text.lstrip("\ufeff").startswith("WEBVTT")
    cues: list[Cue] = []
    timing: re.Match[str] | None = None
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        match = _TIMING.match(line.strip())
        if match:
            timing, lines = match, []
        elif timing and line.strip():
            lines.append(line.strip())
        elif timing:
            cues.append(_cue(timing, " ".join(lines), is_vtt=is_vtt, where=f"{name}, before line {number}"))
            timing = None
    return cues


def _cue(timing: re.Match[str], text: str, *, is_vtt: bool, where: str) -> Cue:
    h1, m1, s1, ms1, h2, m2, s2, ms2 = (int(group or 0) for group in timing.groups())
    start_ms = ((h1 * 60 + m1) * 60 + s1) * 1000 + ms1
    end_ms = ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2
    if end_ms <= start_ms:
        raise InputError(f"{where}: the cue ends before it starts ({timing.group(0)})")
    plain = re.sub(r"</?[a-zA-Z][^>]*>", "", text)
    return Cue(Span(start_ms / 1000, end_ms / 1000), html.unescape(plain) if is_vtt else plain)
