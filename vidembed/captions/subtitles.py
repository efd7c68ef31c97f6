"""From clip captions to cues: what a viewer reads, one after the other, without stutter.

SubRip and WebVTT, exact to the millisecond.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidembed.files import write_text
from vidembed.types import Caption, Floats, Span


@dataclass(frozen=True)
class Cue:
    """One subtitle: a span and its text."""

    span: Span
    text: str


def clean(text: str) -> str:
    """One line, single spaces, no control characters: what a model returns, made fit for a subtitle."""
    return re.sub(r"\s+", " ", "".join(ch for ch in text if ch.isprintable() or ch.isspace())).strip()


def is_degenerate(text: str) -> bool:
    """True for an empty text or one that repeats itself: a word five times running or a phrase four times."""
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
    """Captions of one video in time order; neighbours that say the same become one cue.

    The same: equal words, or cosine of `embed` (texts -> (N, D) unit rows) at or above `same_above`. The text that
    stays is the better-scored one. Overlapping clips are cut where the next begins.
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
    write_text(Path(path), srt(cues))


def write_vtt(cues: Sequence[Cue], path: Path | str, *, chapters: bool = False) -> None:
    """Write WebVTT, whole or not at all. Raises InputError when the place cannot be written."""
    write_text(Path(path), vtt(cues, chapters=chapters))
