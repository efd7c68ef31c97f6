"""What was said in a video, line by line with word times; filtered, cut into sentences and sliced by clip."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, pairwise
from operator import itemgetter

from vidembed.errors import VidembedError
from vidembed.types import Span, TextLine, TimedText


@dataclass(frozen=True)
class Word:
    """One spoken word; text as the model writes it, with the space before it where the language has one."""

    start_s: float
    end_s: float
    text: str
    probability: float = 1.0

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2


@dataclass(frozen=True)
class Utterance:
    """A stretch of words that belong together, and the language they were heard as. Never empty."""

    words: tuple[Word, ...]
    language: str | None = None
    whole: bool = False  # a subtitle: only its own start and end are known, and it goes to one clip

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).strip()

    @property
    def probability(self) -> float:
        return sum(word.probability for word in self.words) / len(self.words)

    def line(self) -> TextLine:
        # Whisper gives some words no length; a span may not be empty.
        span = Span(self.words[0].start_s, max(self.words[-1].end_s, self.words[0].start_s + 0.01))
        if self.whole:
            return TextLine(span, self.text)
        words = tuple((w.start_s, max(w.end_s, w.start_s + 0.01), w.text.strip()) for w in self.words)
        return TextLine(span, self.text, min(1.0, self.probability), words)


@dataclass(frozen=True)
class Transcript:
    """One video's speech. heard_s: seconds in which a voice was detected, understood or not. origin: its subtitles."""

    utterances: tuple[Utterance, ...] = ()
    heard_s: float = 0.0
    failed: tuple[tuple[Span, VidembedError], ...] = field(default=())  # stretches whose sound could not be read
    origin: str = ""

    def of(self, span: Span) -> TimedText | None:
        """The words whose middle lies in the span, so that clips that meet share none; None without any."""
        middles, places = self._by_middle
        inside = sorted(places[bisect_left(middles, span.start_s) : bisect_left(middles, span.end_s)])
        parts = []
        for number, group in groupby(inside, key=itemgetter(0)):
            utterance = self.utterances[number]
            parts.append(replace(utterance, words=tuple(utterance.words[place] for _, place in group)))
        lines = tuple(part.line() for part in parts if part.text)
        return TimedText(lines, parts[0].language, self.origin) if lines else None

    @cached_property
    def _by_middle(self) -> tuple[list[float], list[tuple[int, int]]]:
        """The middle of each word in order of time, and the numbers of its utterance and of the word there."""
        found = sorted(
            (word.middle_s, (number, place))
            for number, utterance in enumerate(self.utterances)
            for place, word in enumerate(utterance.words)
        )
        return [middle_s for middle_s, _ in found], [places for _, places in found]


@dataclass(frozen=True)
class Thresholds:
    """When a recognised stretch is taken for invention: Whisper writes sentences over music, noise and silence.

    Whisper's own measures (Radford et al. 2022, section 4.5) with sharper bounds, used here to drop and not only to
    retry. Set on sentences in eight languages shown to the English tiny model: what it invents for a language it does
    not know has a log probability of -1.0 to -1.8, or below -0.7 with a no-speech probability above 0.4; what it
    hears in English -0.4 to -0.8 with at most 0.25.
    """

    min_logprob: float = -0.95  # mean log probability of the tokens
    max_compression: float = 2.4  # a window's text that gzip shrinks more than this is a loop, or a chorus:
    min_repeated: float = 0.8  # then the words' probability must reach this
    max_no_speech: float = 0.4  # together with a log probability below -0.7
    min_probability: float = 0.45  # mean of the words'
    min_retried: float = 0.6  # the same where only a retry at a higher temperature gave a result
    min_boilerplate: float = 0.8  # the same for what ends half the videos Whisper was trained on

    def believes(
        self, *, logprob: float, compression: float, no_speech: float, probability: float, temperature: float, text: str
    ) -> bool:
        """Whether somebody is likely to have said this."""
        needed = self.min_retried if temperature > 0 else self.min_probability
        if compression > self.max_compression:
            needed = max(needed, self.min_repeated)
        if _BOILERPLATE.search(text):
            needed = max(needed, self.min_boilerplate)
        return (
            logprob >= self.min_logprob
            and not (no_speech > self.max_no_speech and logprob < -0.7)
            and probability >= needed
            and any(char.isalnum() for char in text)
            and _ANNOTATION.fullmatch(text.strip()) is None
            and not is_loop(text)
        )


_ANNOTATION = re.compile(r"[\[(*♪].*[\])*♪][.!]?", re.DOTALL)  # "[Music]", "(applause)", "♪ ... ♪"
# What Whisper most often writes over sounds without speech (Baranski et al., ICASSP 2025, table 2, and their like).
_BOILERPLATE = re.compile(
    r"for watching|see you (guys )?(in the |)next|subscribe|subtitles? by|amara\.org|transcri(bed|ption) by|this video",
    re.IGNORECASE,
)
_PAUSE_S = 1.0
_SENTENCE_END = re.compile(r"[.!?。！？…][\"'”’)]*$")


def is_loop(text: str) -> bool:
    """Whether the text says the same over and over: more than half of its word (or character) pairs repeat."""
    parts: Sequence[str] = re.findall(r"\w+", text.casefold())
    if len(parts) < 3:  # scripts without spaces
        parts = [char for char in text.casefold() if char.isalnum()]
        if len(parts) < 12:
            return False
    pairs = list(pairwise(parts))
    return len(pairs) >= 5 and len(set(pairs)) / len(pairs) < 0.5


def without_echoes(utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterances with runs of three or more equal ones reduced to the first: another form of a stuck model."""
    kept: list[Utterance] = []
    start = 0
    while start < len(utterances):
        stop = start
        key = utterances[start].text.casefold()
        while stop < len(utterances) and utterances[stop].text.casefold() == key:
            stop += 1
        kept.extend(utterances[start : start + 1] if stop - start >= 3 else utterances[start:stop])
        start = stop
    return kept


def sentences(words: Iterable[Word], language: str | None) -> Iterator[Utterance]:
    """Utterances that end with a sentence (of three words or more) or before a pause."""
    current: list[Word] = []
    for word in words:
        ended = current and (
            word.start_s - current[-1].end_s >= _PAUSE_S
            or (len(current) >= 3 and _SENTENCE_END.search(current[-1].text.strip()))
        )
        if ended:
            yield Utterance(tuple(current), language)
            current = []
        current.append(word)
    if current:
        yield Utterance(tuple(current), language)
