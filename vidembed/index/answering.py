"""Answers with proof: the moments that bear on a question, and sentences that each name theirs.

Without a model the sentences are those that were said, written or captioned. A model the user names may phrase them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from vidembed.captions.summarise import Writer
from vidembed.errors import BadQuery, ConfigError
from vidembed.index.evidence import Answer, Evidence, Sentence, evidence_of
from vidembed.index.parts import IndexParts
from vidembed.index.phrasing import phrased, pictures_of
from vidembed.media.remote import name_of
from vidembed.models.encoders.words import stem, words
from vidembed.search.calibration import encode_texts
from vidembed.search.query import SearchOptions
from vidembed.types import Filter, Moment, TextLine, format_time

MOMENTS = 8  # that are looked for
SENTENCES = 3  # of an answer without a model
LEAST = 0.4  # of a line's score, below which it tells nothing of the question
# What only asks; it says nothing of the thing asked about.
_ASKING_WORDS = """
    a an and are as at be by can could did do does for from had has have how i in is it me of on or our say says shown
    that the their there they this to was we were what when where which who whom whose why will with would you
"""
_ASKING = frozenset(_ASKING_WORDS.split())
# Of these, what a thing may begin with.
_KEPT = frozenset(["a", "an", "at", "by", "for", "from", "in", "of", "on", "our", "the", "their", "this", "to", "with"])
# What is asked about a thing, not the thing: a colourful picture is near to "what colour is the parrot".
_ASKED_FOR = re.compile(
    r"^\s*(?:(?:what|which)\s+(?:colou?r|size|shape|kind|sort|type|brand|number)s?(?:\s+of)?|how\s+(?:many|much|tall|big|large|"
    r"long|high|wide|deep|heavy|old|fast|far|often|small))\b",
    re.IGNORECASE,
)


def ask(
    parts: IndexParts, question: str, *, where: Filter | None, writer: Writer | None, pictures: bool = False
) -> Iterator[Answer]:
    """Find what bears on a question, and answer with it; longer answers as sentences come, the last one is whole.

    Args:
        parts: The index.
        question: In plain words.
        where: Which videos may answer.
        writer: Phrases the answer; None = the words of the videos. It is not asked where there is no evidence.
        pictures: Show it a frame of each moment, too.

    Raises:
        BadQuery: The question is empty.
        ConfigError: The writer's model cannot write, or is shown no pictures.
        ModelError: The writer's model or endpoint fails.
    """
    if not isinstance(question, str) or not question.strip():
        raise BadQuery("a question takes some words", hint="for example: what did they decide about the budget?")
    if writer is not None and not writer.can_write:
        raise ConfigError(f"{writer.name} does not write text", hint="name an endpoint, or a vision-language model")
    found = parts.searcher.search(question, SearchOptions(k=MOMENTS, where=where))
    evidence = tuple(evidence_of(parts, number, moment) for number, moment in enumerate(found, start=1))
    ranked = _ranked_lines(parts, question, evidence)
    # A moment counts when something in it tells of the question, or when the search is sure that it shows it.
    telling = {owner.number for score, _, owner in ranked if score >= LEAST}
    shown = _shown(parts, question, [e for e in evidence if e.number not in telling], where)
    kept = tuple(e for e in evidence if e.number in telling | shown)
    if not kept:
        yield Answer(question, (), evidence)
    elif writer is None:
        yield Answer(question, _own_words(ranked, kept), evidence)
    else:
        frames = pictures_of(parts, kept) if pictures else []
        yield from phrased(writer, Answer(question, (), evidence), kept, frames)


def _subject(question: str) -> str:
    """What a question is about, without what is asked of it: "What colour is the parrot?" -> "the parrot"."""
    left = _ASKED_FOR.sub("", question).strip(" ?!.").split()
    while left and left[0].casefold() in _ASKING - _KEPT:
        left.pop(0)
    while left and left[-1].casefold() in _ASKING:
        left.pop()
    return " ".join(left)


def _shown(parts: IndexParts, question: str, evidence: Sequence[Evidence], where: Filter | None) -> set[int]:
    """Numbers of the moments that the search is sure of, for the question and for what it is about alone."""
    floor = parts.config.search.min_confidence
    sure = [e for e in evidence if e.moment.confidence >= floor]
    subject = _subject(question)
    if not sure or subject in ("", question.strip(" ?!.")):
        return {e.number for e in sure}
    again = [m for m in parts.searcher.search(subject, SearchOptions(k=MOMENTS, where=where)) if m.confidence >= floor]
    return {e.number for e in sure if any(_overlap(e.moment, other) for other in again)}


def _overlap(one: Moment, other: Moment) -> bool:
    return one.video_id == other.video_id and one.span.overlap_s(other.span) > 0


def _own_words(ranked: Sequence[tuple[float, TextLine, Evidence]], kept: Sequence[Evidence]) -> tuple[Sentence, ...]:
    """The lines that tell most; where none does, the moments themselves."""
    numbers = {e.number for e in kept}
    lines = [(line, owner) for score, line, owner in ranked if score >= LEAST and owner.number in numbers]
    if not lines:
        return tuple(Sentence(_description(e), (e,), e.moment.span) for e in kept[:SENTENCES])
    seen: dict[str, Sentence] = {}
    for line, owner in lines:
        key = " ".join(words(line.text))
        if key not in seen and len(seen) < SENTENCES:
            seen[key] = Sentence(line.text.strip(), (owner,), line.span)
    return tuple(seen.values())


def _ranked_lines(
    parts: IndexParts, question: str, evidence: Sequence[Evidence]
) -> list[tuple[float, TextLine, Evidence]]:
    """Each line with how much it tells of the question, 0..1: the question's words in it, and nearness of meaning."""
    lines = [
        (line, e)
        for e in evidence
        for line in (*e.said, *e.written, *([TextLine(e.moment.span, e.caption)] if e.caption else []))
    ]
    if not lines:
        return []
    wanted = _content(question)
    shares = [len(wanted & _content(line.text)) / max(1, len(wanted)) for line, _ in lines]
    near = _nearness(parts, question, [line.text for line, _ in lines])
    scores = [max(share, (share + cosine) / 2, cosine - 0.15) for share, cosine in zip(shares, near, strict=True)]
    order = sorted(range(len(lines)), key=lambda i: (-scores[i], lines[i][1].number, lines[i][0].span))
    return [(scores[i], *lines[i]) for i in order]


def _nearness(parts: IndexParts, question: str, texts: Sequence[str]) -> list[float]:
    """Cosines of the question with texts in the space of a channel of texts; zeros without one."""
    for name, spec in parts.specs.items():
        if spec.settings.source in ("speech", "ocr", "captions") and spec.model.kind != "words":
            rows = encode_texts(parts.channels[name], [question, *texts])
            if rows is not None:
                return [float(value) for value in np.maximum(rows[1:] @ rows[0], 0.0)]
    return [0.0] * len(texts)


def _content(text: str) -> set[str]:
    return {stem(word, "english") for word in words(text) if word not in _ASKING}


def _description(e: Evidence) -> str:
    what = e.caption.rstrip(". ") or "Seen or heard"
    return f"{what}, in {name_of(e.moment.path)} at {format_time(e.moment.span.start_s)}."
