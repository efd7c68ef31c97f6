"""What was said where an answer is: the whole sentence, though clips divide it, and the query's words in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vidembed.models.encoders import words as tokens
from vidembed.types import Span, TextLine

JOIN_S = 1.0  # parts of a sentence, or the same words on screen, that are closer than this are one line
_ENDS = (".", "!", "?", "…", "。", "！", "？", ":", ";")


def joined_speech(lines: Iterable[TextLine]) -> list[TextLine]:
    """Lines in order of time; what overlapping clips both have once, and parts of one sentence together."""
    joined: list[TextLine] = []
    for line in sorted(set(lines), key=lambda line: (line.span, line.text)):
        last = joined[-1] if joined else None
        goes_on = (
            last is not None
            and bool(last.words and line.words)
            and not last.text.rstrip().endswith(_ENDS)
            and line.span.start_s - last.span.end_s < JOIN_S
        )
        if last is not None and goes_on:
            joined[-1] = replace(
                last,
                span=last.span.union(line.span),
                text=f"{last.text.rstrip()} {line.text.lstrip()}",
                confidence=_least(last.confidence, line.confidence),
                words=last.words + line.words,
            )
        else:
            joined.append(line)
    return joined


def whole_sentence(part: str, span: Span, lines: Iterable[TextLine]) -> str:
    """The sentence that this text is a part of; the text itself where none is.

    Args:
        part: A line of one clip, or the words of several.
        span: Where it was said.
        lines: Of the clips around.
    """
    wanted = " ".join(part.split())
    found = (line.text for line in joined_speech(lines) if line.span.overlap_s(span) > 0)
    return min((text for text in found if wanted in " ".join(text.split())), key=len, default=part)


def marks(text: str, query: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of each of the query's words in the text, in characters; of misspelt ones where none is exact.

    Words are compared by their stems, as a channel of words does; those that only join others are not marked. Of
    scripts without spaces two characters in a row are a word.
    """
    asked = tokens.words(query)
    wanted = [word for word in asked if word not in tokens.STOP_WORDS] or asked
    there = tokens.words_at(text)
    stems = {tokens.stem(word, "english") for word in wanted}
    typos = frozenset().union(*map(tokens.misspelling_keys, wanted)) if wanted else frozenset()
    exact = [tokens.stem(word, "english") in stems for _, _, word in there]
    if not any(exact):
        exact = [not typos.isdisjoint(tokens.misspelling_keys(word)) for _, _, word in there]
    runs: list[tuple[int, int]] = []
    for (start, end, _), hit in zip(there, exact, strict=True):
        if hit and runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        elif hit:
            runs.append((start, end))
    alone = {word for word in wanted if len(wanted) == 1 or not tokens.is_unspaced(word)}
    return tuple(run for run in runs if run[1] - run[0] > 1 or tokens.fold(text[run[0] : run[1]]) in alone)


def marked(text: str, places: Sequence[tuple[int, int]], before: str, after: str) -> str:
    """The text with signs around the marked words."""
    for start, end in sorted(places, reverse=True):
        text = f"{text[:start]}{before}{text[start:end]}{after}{text[end:]}"
    return text


def _least(one: float | None, other: float | None) -> float | None:
    return min((value for value in (one, other) if value is not None), default=None)
