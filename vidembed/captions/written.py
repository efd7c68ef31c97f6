"""A whole video in a language model's words: title, sentence and chapter names, where the captioner can write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

from vidembed.captions.cues import Cue, clean, is_degenerate
from vidembed.captions.summary import VideoSummary
from vidembed.errors import EncodingError

T = TypeVar("T")
MAX_SHOWN = 60  # cues, and as many lines, that the model is shown
MAX_CHARS = 200  # of one line of the answer
MAX_WORDS = 12  # of a title
_PART = re.compile(r"^\W*(title|summary|chapter\s+(\d+))\W*[:：]\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


@runtime_checkable
class Writer(Protocol):
    """A captioner that also answers requests in words alone."""

    name: str

    @property
    def can_write(self) -> bool: ...

    def write(self, request: str, *, seed: int = 0) -> str:
        """The answer; the same for the same seed where the model allows it."""
        ...


def write_summary(
    writer: Writer, extracted: VideoSummary, cues: Sequence[Cue], lines: Sequence[str] = (), *, seed: int = 0
) -> VideoSummary:
    """The extracted summary in the writer's words; where its chapters lie stays, and so does what it does not name.

    cues: the clips' captions; lines: what is said or written in the video. Raises EncodingError when the answer has
    none of the parts asked for.
    """
    answer = writer.write(request(extracted, cues, lines), seed=seed)
    title, sentence = "", ""
    names: dict[int, str] = {}
    for part, number, text in _PART.findall(answer):
        text = clean(text).strip('*_"“” ')[:MAX_CHARS]
        if is_degenerate(text):
            continue
        if number:
            names.setdefault(int(number), text)
        elif part.casefold() == "title":
            title = title or text
        else:
            sentence = sentence or text
    if not (title or sentence or names):
        raise EncodingError(
            f"{writer.name} wrote no title, summary or chapter but {clean(answer)[:80]!r}; the extracted one is kept",
            hint="a larger model follows the form better; caption.summary: extract asks no model",
        )
    chapters = tuple(
        replace(cue, text=_headline(names[i])) if i in names else cue
        for i, cue in enumerate(extracted.chapters, start=1)
    )
    return VideoSummary(_headline(title) or extracted.title, sentence or extracted.sentence, chapters, writer.name)


def request(extracted: VideoSummary, cues: Sequence[Cue], lines: Sequence[str]) -> str:
    """What the model is asked."""
    parts = ["Captions of one video, clip by clip, made by a machine, so some may be wrong:"]
    parts += [f"{_clock(cue.span.start_s)} {cue.text}" for cue in thinned(cues)]
    if lines:
        parts += ["", "Said or written in it:", *thinned(lines)]
    parts += [
        "",
        "Say what the whole video is about, from these lines alone. Answer with exactly these lines:",
        "Title: at most eight words",
        "Summary: one plain sentence",
    ]
    parts += [
        f"Chapter {i}: at most six words for {_clock(cue.span.start_s)} to {_clock(cue.span.end_s)}"
        for i, cue in enumerate(extracted.chapters, start=1)
    ]
    return "\n".join(parts)


def thinned(items: Sequence[T], most: int = MAX_SHOWN) -> list[T]:
    """At most so many of them, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[int((i + 0.5) * len(items) / most)] for i in range(most)]


def _headline(text: str) -> str:
    words = text.rstrip(" .").split()
    return " ".join(words[:MAX_WORDS]) + ("…" if len(words) > MAX_WORDS else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
