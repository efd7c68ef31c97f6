"""Summarise a video: title, sentence, chapters.

Extracted from its captions by embeddings, so that nothing is invented; or written by a captioner that is a language
model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidembed.captions.subtitles import Cue, clean, is_degenerate
from vidembed.errors import EncodingError
from vidembed.types import Caption, Floats, Span
from vidembed.vectors import evenly_spaced

Embed = Callable[[Sequence[str]], Floats]  # texts -> (N, D) unit rows
T = TypeVar("T")
MAX_SHOWN = 60  # cues, and as many lines, in the prompt
MAX_CHARS = 200  # of one line of the answer
MAX_WORDS = 12  # of a title that a model writes
_TITLE_WORDS = 9  # of one made of a caption
_MOST_CHAPTERS, _LEAST_CHAPTER_S = 12, 20.0
_PART = re.compile(r"^\W*(title|summary|chapter\s+(\d+))\W*[:：]\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
# Where a long title may end: before words that begin a place or a further thing. English only; others get "…".
_JOINTS = re.compile(
    r"\s+(?=(?:in front of|on top of|next to|in|on|at|with|along|across|through|under|behind|beside|near|over|above|by|"
    r"into|down|up|from|to|and|while|as|who|that)\s)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class VideoSummary:
    """Summary of a video.

    Attributes:
        chapters: In order, from the first caption to the last.
        model: The language model that wrote it; "" if it was extracted.
    """

    title: str
    sentence: str
    chapters: tuple[Cue, ...]
    model: str = ""


def summarise(
    captions: Sequence[Caption],
    *,
    embed: Embed,
    extra: Sequence[str] = (),
) -> VideoSummary | None:
    """Extract a summary from a video's captions.

    Args:
        captions: Of its clips.
        embed: Texts -> (N, D) unit rows.
        extra: Transcript or on-screen lines; a short one close to the centre may become the title.

    Returns:
        The sentence is the caption closest to the centre, weighted by duration and score. None without captions.
    """
    ordered = [c for c in sorted(captions, key=lambda caption: caption.clip.span) if clean(c.text)]
    if not ordered:
        return None
    texts = [clean(caption.text) for caption in ordered]
    vectors = embed(texts)
    weights = np.asarray([c.clip.span.duration_s * max(c.score, 0.05) for c in ordered])
    centre = weights @ vectors / weights.sum()
    sentence = texts[int(np.argmax(vectors @ centre))]
    title = title_of(sentence)
    lines = [line for line in map(clean, extra) if 2 <= len(line.split()) <= 8]
    if lines:
        scores = embed(lines) @ centre
        best = int(np.argmax(scores))
        if float(scores[best]) >= float(np.quantile(vectors @ centre, 0.75)):
            title = lines[best]
    return VideoSummary(title, sentence, tuple(chapters(ordered, vectors)))


def chapters(captions: Sequence[Caption], vectors: Floats) -> list[Cue]:
    """Merge the most similar neighbouring captions into chapters (agglomerative clustering, in order of time).

    Stops when at most twelve chapters are left, each at least 20 seconds long, and no two neighbours are similar
    (cosine of their centres at or above 0.8). Each is named by the caption closest to its centre.
    """
    edges = list(range(len(captions) + 1))  # group g is captions[edges[g] : edges[g + 1]]
    sums = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors, axis=0, dtype=np.float64)])

    def centre(group: int) -> NDArray[np.float64]:
        total = sums[edges[group + 1]] - sums[edges[group]]
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-9))

    def likeness(group: int) -> float:
        return round(float(centre(group) @ centre(group + 1)), 6)

    def length_s(group: int) -> float:
        return captions[edges[group + 1] - 1].clip.span.end_s - captions[edges[group]].clip.span.start_s

    alike = [likeness(group) for group in range(len(captions) - 1)]  # each group and the next
    while alike:
        if len(edges) - 1 > _MOST_CHAPTERS or max(alike) >= 0.8:
            at = alike.index(max(alike))
        else:
            short = next((group for group in range(len(edges) - 1) if length_s(group) < _LEAST_CHAPTER_S), None)
            if short is None:
                break
            left = alike[short - 1] if short > 0 else -2.0
            right = alike[short] if short < len(alike) else -2.0
            at = short - 1 if left >= right else short
        del edges[at + 1], alike[at]
        for group in range(max(0, at - 1), min(at + 1, len(alike))):
            alike[group] = likeness(group)
    cues: list[Cue] = []
    starts_s = [captions[first].clip.span.start_s for first in edges[:-1]]
    for group, (start_s, end_s) in enumerate(pairwise([*starts_s, captions[-1].clip.span.end_s])):
        first, last = edges[group], edges[group + 1]
        name = captions[first + int(np.argmax(vectors[first:last] @ centre(group)))].text
        cues.append(Cue(Span(start_s, max(end_s, start_s + 0.001)), title_of(clean(name))))
    return cues


def title_of(sentence: str) -> str:
    """Shorten a sentence to a title: no leading article, no "is" before a participle, no full stop, capitalised.

    A long one ends before the last phrase that does not fit, else after nine words with "…".
    """
    text = re.sub(r"^(a|an|the)\s+", "", sentence.rstrip(" .!"), flags=re.IGNORECASE)
    text = re.sub(r"\b(?:is|are)\s+(?=\w+ing\b)", "", text, count=1)
    parts = _JOINTS.split(text)
    short = parts.pop(0)
    for part in parts:
        if len(short.split()) + len(part.split()) > _TITLE_WORDS:
            break
        short += f" {part}"
    words = short.split()
    if len(words) > _TITLE_WORDS or (len(words) < 3 and short != text):
        words = text.split()
        short = " ".join(words[:_TITLE_WORDS]) + ("…" if len(words) > _TITLE_WORDS else "")
    return short[:1].upper() + short[1:]


@runtime_checkable
class Writer(Protocol):
    """A captioner that also answers text requests."""

    name: str

    @property
    def can_write(self) -> bool:
        """Whether the loaded model can."""

    def write(self, request: str, *, seed: int = 0) -> str:
        """The answer; the same for the same seed if the model allows it."""


def write_summary(
    writer: Writer, extracted: VideoSummary, cues: Sequence[Cue], lines: Sequence[str] = (), *, seed: int = 0
) -> VideoSummary:
    """Rewrite an extracted summary with a language model. Chapters keep their times; parts not answered stay extracted.

    Args:
        writer: The model.
        extracted: The summary to rewrite.
        cues: The clips' captions.
        lines: What is said or written in the video.
        seed: Of the sampling.

    Raises:
        EncodingError: The answer has none of the parts asked for.
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
            hint="try a larger model, or set caption.summary=extract to call none",
        )
    chapters = tuple(
        replace(cue, text=_headline(names[i])) if i in names else cue
        for i, cue in enumerate(extracted.chapters, start=1)
    )
    return VideoSummary(_headline(title) or extracted.title, sentence or extracted.sentence, chapters, writer.name)


def request(extracted: VideoSummary, cues: Sequence[Cue], lines: Sequence[str]) -> str:
    """The prompt."""
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


def thinned(items: Sequence[T]) -> list[T]:
    """At most MAX_SHOWN items, evenly spaced."""
    if len(items) <= MAX_SHOWN:
        return list(items)
    return [items[i] for i in evenly_spaced(len(items), MAX_SHOWN, ends=False)]


def _headline(text: str) -> str:
    words = text.rstrip(" .").split()
    return " ".join(words[:MAX_WORDS]) + ("…" if len(words) > MAX_WORDS else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
