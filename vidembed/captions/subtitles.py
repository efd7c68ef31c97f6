"""Subtitles from clip captions: SubRip and WebVTT, exact to the millisecond."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidembed.files import write_text
from vidembed.types import Caption, Floats, Span


@dataclass(frozen=True)
class Cue:
    """One subtitle: a span and its text."""

    span: Span
    text: str


def clean(text: str) -> str:
    """One line, single spaces, no control characters."""
    return re.sub(r"\s+", " ", "".join(ch for ch in text if ch.isprintable() or ch.isspace())).strip()


def is_degenerate(text: str) -> bool:
    """Whether a text is empty or repeats a word five times or a phrase four times in a row."""
    words = clean(text).casefold().split()
    if not words:
        return True
    for size, times in ((1, 5), (2, 4), (3, 4), (4, 4)):
        for start in range(len(words) - size * times + 1):
            phrase = words[start : start + size]
            if all(words[start + i * size : start + (i + 1) * size] == phrase for i in range(times)):
                return True
    return False


def to_cues(
    captions: Iterable[Caption],
    *,
    embed: Callable[[Sequence[str]], Floats] | None = None,
    same_above: float = 0.95,
    max_gap_s: float = 1.0,
) -> list[Cue]:
    """Turn captions of one video into cues in order of time; neighbours that mean the same become one.

    Args:
        captions: Overlapping clips are cut where the next begins.
        embed: Texts -> (N, D) unit rows; None = only equal words mean the same.
        same_above: Least cosine of texts that mean the same; the text with the better score stays.
        max_gap_s: Longest gap between cues that may be merged.
    """
    ordered = sorted(captions, key=lambda caption: (caption.clip.span, caption.clip.clip_id))
    texts = [clean(caption.text) for caption in ordered]
    vectors = embed(texts) if embed is not None and len(texts) > 1 else None
    cues: list[Cue] = []
    keeper = -1  # position of the caption whose text the last cue shows
    for i, caption in enumerate(ordered):
        if not texts[i]:
            continue
        span = caption.clip.span
        if cues and span.start_s - cues[-1].span.end_s <= max_gap_s:
            equal = texts[i].casefold() == texts[keeper].casefold()
            near = vectors is not None and float(vectors[i] @ vectors[keeper]) >= same_above
            if equal or near:
                if caption.score > ordered[keeper].score:
                    keeper = i
                cues[-1] = Cue(cues[-1].span.union(span), texts[keeper])
                continue
            if span.start_s < cues[-1].span.end_s and cues[-1].span.start_s < span.start_s:
                cues[-1] = Cue(Span(cues[-1].span.start_s, span.start_s), cues[-1].text)
        cues.append(Cue(span, texts[i]))
        keeper = i
    return cues


def timestamp(seconds: float, *, mark: str) -> str:
    """`00:01:02,345` with `mark` before the milliseconds; rounded once, in integer milliseconds."""
    total = round(seconds * 1000)
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, ms = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{mark}{ms:03d}"


_LEAST_S = 0.5  # shorter cues flicker
LINE_CHARS, LINES = 42, 2  # what fits a screen and is read in time (Netflix and BBC guidelines)


def laid_out(cue: Cue) -> list[Cue]:
    """A long text as several cues of at most two lines each, one after the other, in proportion to their length."""
    lines = textwrap.wrap(clean(cue.text), LINE_CHARS, break_on_hyphens=False)
    pages = ["\n".join(lines[at : at + LINES]) for at in range(0, len(lines), LINES)]
    if len(pages) < 2 or cue.span.duration_s < len(pages) * _LEAST_S:
        return [Cue(cue.span, "\n".join(lines))] if lines else []
    ends = np.cumsum([len(page) for page in pages]) / sum(len(page) for page in pages)
    times = [cue.span.start_s, *(cue.span.start_s + ends * cue.span.duration_s).tolist()[:-1], cue.span.end_s]
    return [Cue(Span(*times[at : at + 2]), page) for at, page in enumerate(pages)]


def srt(cues: Iterable[Cue]) -> str:
    """SubRip text. It has no escapes, so arrows and angle brackets become similar characters that players ignore."""
    blocks = []
    shown = (part for cue in cues for part in laid_out(cue))
    for number, cue in enumerate(shown, start=1):
        text = cue.text.replace("-->", "→").replace("<", "‹").replace(">", "›")
        blocks.append(
            f"{number}\n{timestamp(cue.span.start_s, mark=',')} --> {timestamp(cue.span.end_s, mark=',')}\n{text}\n"
        )
    return "\n".join(blocks)


def vtt(cues: Iterable[Cue], *, chapters: bool = False) -> str:
    """WebVTT text (W3C, section 4.2): `&`, `<` and `>` are escaped, which covers `-->` too."""
    head = "WEBVTT\n\nNOTE chapters\n" if chapters else "WEBVTT\n"
    blocks = [head]
    shown = cues if chapters else (part for cue in cues for part in laid_out(cue))
    for cue in shown:
        text = html.escape(clean(cue.text) if chapters else cue.text, quote=False)
        blocks.append(f"{timestamp(cue.span.start_s, mark='.')} --> {timestamp(cue.span.end_s, mark='.')}\n{text}\n")
    return "\n".join(blocks)


def write_srt(cues: Sequence[Cue], path: Path | str) -> None:
    """Write SubRip, all or nothing. Raises InputError."""
    write_text(Path(path), srt(cues))


def write_vtt(cues: Sequence[Cue], path: Path | str, *, chapters: bool = False) -> None:
    """Write WebVTT, all or nothing.

    Args:
        cues: In order of time.
        path: The file to write or replace.
        chapters: Note in the head that the cues are chapters.

    Raises:
        InputError: The file cannot be written.
    """
    write_text(Path(path), vtt(cues, chapters=chapters))
