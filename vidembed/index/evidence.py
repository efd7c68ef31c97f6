"""What bears on a question: moments with their words, and answers whose sentences name theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vidembed.index.parts import IndexParts
from vidembed.media.remote import name_of
from vidembed.types import Moment, Span, TextLine

AROUND_S = 3.0  # a line this near a moment belongs to it


@dataclass(frozen=True)
class Evidence:
    """A moment that may bear on the question, with its words. number: as it is cited, from 1."""

    number: int
    moment: Moment
    said: tuple[TextLine, ...] = ()
    written: tuple[TextLine, ...] = ()
    caption: str = ""

    def record(self) -> dict[str, Any]:
        """What a model is told of it, as plain JSON values."""
        return {
            "number": self.number,
            "video": name_of(self.moment.path),
            **self.moment.span.to_dict(),
            **({"said": [line.text for line in self.said]} if self.said else {}),
            **({"written": [line.text for line in self.written]} if self.written else {}),
            **({"caption": self.caption} if self.caption else {}),
        }


@dataclass(frozen=True)
class Sentence:
    """One sentence of an answer. span: of the words it repeats, else of its moment."""

    text: str
    evidence: tuple[Evidence, ...]
    span: Span


@dataclass(frozen=True)
class Answer:
    """What a library tells about a question.

    Attributes:
        question: As asked.
        sentences: Empty where the library does not show it.
        evidence: What was looked at, best first.
        model: Who phrased it; "" = words of the videos themselves.
        dropped: Sentences of the model that cite no evidence, or evidence that there is not.
    """

    question: str
    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    model: str = ""
    dropped: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        if not self.sentences:
            return "The library does not show it."
        return "\n".join(f"{one.text} {' '.join(f'[{e.number}]' for e in one.evidence)}" for one in self.sentences)

    def record(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "question": self.question,
            "shown": bool(self.sentences),
            "sentences": [
                {
                    "text": one.text,
                    "citations": [e.number for e in one.evidence],
                    **one.span.to_dict(),
                }
                for one in self.sentences
            ],
            "evidence": [
                {
                    **e.record(),
                    "path": str(e.moment.path),
                    "clip_id": e.moment.clip_id,
                    "confidence": round(e.moment.confidence, 4),
                }
                for e in self.evidence
            ],
            "model": self.model or None,
            "dropped": list(self.dropped),
        }


def evidence_of(parts: IndexParts, number: int, moment: Moment) -> Evidence:
    """The moment with all that is said, written and captioned there."""
    clips = [
        clip.clip_id
        for clip in parts.catalog.videos.clips(moment.video_id)
        if clip.span.overlap_s(moment.span) > 0 or abs(clip.span.start_s - moment.span.end_s) <= AROUND_S
    ]
    found = parts.catalog.texts.of_many(clips)
    wide = Span(max(0.0, moment.span.start_s - AROUND_S), moment.span.end_s + AROUND_S)

    def lines(kind: str) -> tuple[TextLine, ...]:
        given = [line for texts in found.values() if kind in texts for line in texts[kind].lines]
        near = {line for line in given if line.span.overlap_s(wide) > 0}
        return tuple(sorted(near, key=lambda line: line.span))

    return Evidence(number, moment, lines("speech"), lines("ocr"), moment.caption or "")
