"""Search options, what a query's sentence excludes, and its terms as one vector per channel."""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import get_args

import numpy as np
from cachetools import LRUCache, cachedmethod

from vidembed.config.schema import Fusion
from vidembed.errors import BadQuery, EncodingError, did_you_mean
from vidembed.protocols import Channel, Store
from vidembed.types import Filter, Floats, Item, Modality, Query, SparseVector, Term
from vidembed.types.query import EXCLUDED
from vidembed.vectors import combine

FUSIONS: tuple[str, ...] = get_args(Fusion)
Load = Callable[[Term], Item]  # opens files, decodes pictures
_QUOTE = re.compile(r'["“”„«»]')  # for phrases; encoders are not to see them
_LETTER = re.compile(r"[\W_]*[a-zA-Z][\W_]*")
_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")
ANYTHING = "a scene"  # looked for when only an exclusion is said
_IDIOMS = (
    r"(?:a |any )?(?:doubt|doubts|exception|exceptions|fail|warning|question|end|stopping|a trace|hesitation|you|me|us|"
    r"him|her|them|it|borders|limits|\w+ing)\b"
)
_NO_THING = r"(?:one|longer|matter|more|only|yet|just|even|sure|so|too|all|always|quite|very|\w+ly)\b"
_EXCLUDED = re.compile(
    rf"(?:^|(?P<before>[\s,;(]))(?:but\s+|and\s+)?(?:(?:that|which|who)\s+(?:is|are)\s+)?"
    rf"(?:(?:without|with\s+no|except(?:\s+for)?|excluding)\s+(?!{_IDIOMS})"
    r"|not\s+(?=(?:an?|the|any|wearing|holding|carrying|with|in|on|at)\s)"
    rf"|(?:(?<=[,;]\s)|(?<=\bbut\s))not?\s+(?!{_NO_THING}))"
    r"(?P<what>[^,;.()]+?)(?=\s+(?:in|on|at|near|by|during|next|beside|under|over|while|but)\s|[,;.()]|\s*$)",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:is|are|was|were|do|does|did|can|will|has|have|had|would|should|could|or|if|why)\s*$", re.I)
MOST = 1_000_000  # moments, of k and of offset
_NEVER = re.compile(r"\b(?:do|does|did|never|cannot)\b|n't\b", re.I)  # "do not work without pay" is said, not seen


@dataclass(frozen=True)
class SearchOptions:
    """Options of one search. None takes the index's setting, or the query's own filter.

    Attributes:
        k: Number of moments, at least 1.
        offset: Moments to skip, for paging; pages are stable.
        channels: Names of the channels to search; None = all.
        weights: Channel -> weight, on top of `search.weights`; 0 leaves a channel out.
        where: Which videos, and which part of them.
        group_by_video: At most one moment of each video.
        diversity: 0..1, of maximal marginal relevance; above 0, scores are not sorted.
        fusion: How channels are fused, in place of `search.fusion`.

    Raises:
        BadQuery: A value is out of bounds, or not of its type.
    """

    k: int = 10
    offset: int = 0
    channels: Sequence[str] | None = None
    weights: Mapping[str, float] | None = None
    where: Filter | None = None
    group_by_video: bool = False
    diversity: float = 0.0
    fusion: Fusion | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(n, Integral) and least <= n <= MOST for n, least in ((self.k, 1), (self.offset, 0))):
            raise BadQuery(
                f"need a whole k >= 1 and offset >= 0, at most {MOST}, got k {self.k!r} and offset {self.offset!r}",
                hint="k is the number of moments wanted; offset=10 gives the second page of ten",
            )
        if self.where is not None and not isinstance(self.where, Filter):
            raise BadQuery(f"where takes a Filter, got {self.where!r}", hint='such as where=Filter(paths=["*.mp4"])')
        if self.channels is not None and (isinstance(self.channels, str) or not isinstance(self.channels, Collection)):
            raise BadQuery(f"channels takes a list, got {self.channels!r}", hint=f"channels=[{str(self.channels)!r}]")
        if self.weights is not None and not isinstance(self.weights, Mapping):
            raise BadQuery(f"weights takes a mapping, got {self.weights!r}", hint='such as weights={"vision": 2.0}')
        if not 0 <= self.diversity <= 1:
            raise BadQuery(f"diversity must be between 0 and 1, got {self.diversity}", hint="0: best first")
        if self.fusion is not None and self.fusion not in FUSIONS:
            raise BadQuery(f"unknown fusion {self.fusion!r}", hint=did_you_mean(self.fusion, FUSIONS))


@dataclass(frozen=True, eq=False)
class ChannelQuery:
    """A query in one channel's space.

    Attributes:
        ordinary: Text alone, so the bank of text queries calibrates it.
        across: A sound asked of pictures or a picture asked of sounds, and nothing else.
        example: No text: what is like the picture, sound, video or clip is wanted.
        verbatim: The text is a quotation or a lone letter: it is there or not, and what means the same is no match.
    """

    channel: Channel
    vector: Floats | SparseVector
    ordinary: bool
    across: bool = False
    example: bool = False
    verbatim: bool = False


def checked(query: str | Query) -> Query:
    """Check a query, a string being text, and make terms of what its texts exclude ("not a dog").

    Raises:
        BadQuery: It has no term, no positive term, a text without letters or a weight of 0.
    """
    query = Query.text(query) if isinstance(query, str) else query
    if not isinstance(query, Query):
        raise BadQuery(
            f"a query is a text or a Query, got {type(query).__name__}",
            hint=f"for a file: Query.image({str(query)!r}), Query.audio(...) or Query.video(...)"
            if isinstance(query, os.PathLike)
            else "such as Query.text('a dog') - Query.text('snow')",
        )
    if not query.terms:
        raise BadQuery("the query is empty", hint="give a text, image, sound, video or clip")
    for term in query.terms:
        if not math.isfinite(term.weight) or term.weight == 0:
            raise BadQuery(f"the weight of a {term.modality} term must be finite and not 0, got {term.weight}")
        if term.modality in ("text", "clip"):
            if not isinstance(term.value, str):
                raise BadQuery(f"a {term.modality} term takes a string, got {type(term.value).__name__}")
            if not any(letter.isalnum() for letter in term.value):
                raise BadQuery(
                    f"the query text {term.value!r} has no letter or digit in it", hint="describe the scene in words"
                )
    if all(term.weight < 0 for term in query.terms):
        raise BadQuery("the query has only negative terms", hint="add what to look for")
    return with_exclusions(query)


def positive_text(query: Query) -> str:
    """The texts to look for, joined; "" without any."""
    return " ".join(term.value for term in query.terms if term.modality == "text" and term.weight > 0)


def quoted(text: str) -> tuple[str, ...]:
    """Parts of a query's text in quotation marks, which must match exactly."""
    return tuple(part.strip() for part in _QUOTED.findall(text) if part.strip())


def verbatim(query: Query) -> bool:
    """Whether the query's text is all in quotation marks, or a lone Latin letter."""
    text = positive_text(query)
    return bool(quoted(text) and not _QUOTED.sub("", text).strip()) or _LETTER.fullmatch(text) is not None


def example_clips(query: Query) -> frozenset[str]:
    """Clips of the index given as examples; they are no answers."""
    return frozenset(term.value for term in query.terms if term.modality == "clip")


class QueryEncoder:
    """Encodes queries for channels: a text once for all channels of the same towers, and cached. Thread-safe."""

    def __init__(self, store: Store, load: Load, *, remembered: int = 512) -> None:
        self._store = store
        self._load = load
        self._texts: LRUCache[tuple[object, str], Floats | SparseVector | None] = LRUCache(remembered)
        self._lock = threading.Lock()

    def encode(self, query: Query, channels: Sequence[Channel]) -> list[ChannelQuery]:
        """Encode a query for each channel.

        Returns:
            One entry per channel that understands a positive term; it ignores terms that it does not understand.

        Raises:
            BadQuery: No channel understands the query.
        """
        items: dict[int, Item] = {}  # a picture is decoded once, not once per channel
        made: list[ChannelQuery] = []
        refusal: BadQuery | None = None
        for channel in channels:
            try:
                answer = self._for_channel(query, channel, items)
            except BadQuery as error:  # such as a silent sound: another channel may still see the picture
                refusal = error
                continue
            if answer is not None:
                made.append(answer)
        if not made:
            raise refusal or self._not_understood(query, channels)
        return made

    def _for_channel(self, query: Query, channel: Channel, items: dict[int, Item]) -> ChannelQuery | None:
        vectors: list[Floats | SparseVector] = []
        weights: list[float] = []
        for term in query.terms:
            vector = self._term(term, channel, items)
            if vector is not None:
                vectors.append(vector)
                weights.append(term.weight)
        if not any(weight > 0 for weight in weights):
            return None
        ordinary = all(term.modality == "text" for term in query.terms)
        try:
            example = all(term.modality != "text" for term in query.terms)
            return ChannelQuery(
                channel, _combined(vectors, weights), ordinary, _across(query, channel), example, verbatim(query)
            )
        except EncodingError as error:
            raise BadQuery(
                "the terms of the query cancel each other out", hint="lower the weight of a negative term"
            ) from error

    def _term(self, term: Term, channel: Channel, items: dict[int, Item]) -> Floats | SparseVector | None:
        if term.modality == "clip":
            row = self._store.rows(channel.collection, [term.value], segments=False).get(term.value)
            return None if row is None or channel.encoder.space.kind == "late" else row.vector
        if term.modality == "text":
            return self._text(str(term.value), channel)
        if id(term) not in items:
            items[id(term)] = self._load(term)
        modality: Modality = term.modality
        return channel.encoder.encode_query(modality, items[id(term)])

    @cachedmethod(
        lambda self: self._texts, key=lambda _, text, channel: (text_key(channel), text), lock=lambda self: self._lock
    )
    def _text(self, text: str, channel: Channel) -> Floats | SparseVector | None:
        plain = _QUOTE.sub(" ", text)
        return channel.encoder.encode_query("text", " ".join(plain.split()))

    @staticmethod
    def _not_understood(query: Query, channels: Sequence[Channel]) -> BadQuery:
        asked = sorted({term.modality for term in query.terms if term.weight > 0})
        if "clip" in asked:
            clip_id = next(term.value for term in query.terms if term.modality == "clip")
            return BadQuery(f"the clip {clip_id} has no vector in these channels", hint="search other channels")
        names = ", ".join(f"{c.name} ({c.encoder.space.name})" for c in channels) or "none"
        return BadQuery(
            f"no channel of this index understands {' or '.join(asked)} queries; channels: {names}",
            hint="add a channel whose model understands it (see vidembed models), or search by text",
        )


def _across(query: Query, channel: Channel) -> bool:
    asked = {term.modality for term in query.terms}
    return (asked == {"audio"} and channel.source.modality == "image") or (
        asked == {"image"} and channel.source.modality == "audio"
    )


def text_key(channel: Channel) -> object:
    """Equal for channels that give texts the same vectors."""
    return getattr(channel.encoder, "text_key", channel.collection)


def _combined(vectors: Sequence[Floats | SparseVector], weights: Sequence[float]) -> Floats | SparseVector:
    """Weighted sum: of dense vectors as a unit row; of sparse ones without words at or below 0.

    Of late ones the rows of all with a weight above 0.
    """
    if not any(isinstance(vector, SparseVector) for vector in vectors):
        dense = [vector for vector in vectors if isinstance(vector, np.ndarray)]
        if dense[0].ndim == 2:
            return np.concatenate([rows for rows, weight in zip(dense, weights, strict=True) if weight > 0])
        return dense[0] if len(dense) == 1 else combine(dense, weights)
    words: dict[int, float] = {}
    for vector, weight in zip(vectors, weights, strict=True):
        if isinstance(vector, SparseVector):
            for index, value in zip(vector.indices.tolist(), vector.values.tolist()):
                words[index] = words.get(index, 0.0) + weight * value
    left = sorted(index for index, value in words.items() if value > 0)
    if not left:
        raise EncodingError("no word is left")
    return SparseVector(np.array(left, dtype=np.uint32), np.array([words[i] for i in left], dtype=np.float32))


def chosen_channels(
    channels: Mapping[str, Channel], names: Sequence[str] | None, weights: Mapping[str, float]
) -> list[Channel]:
    """The channels to search, in the given order, without those of weight 0.

    Raises:
        BadQuery: A name is unknown, a weight is negative or not finite, or no channel is left.
    """
    if not channels:
        raise BadQuery("nothing is indexed yet", hint="vidembed index VIDEOS")
    for name in [*(names or ()), *weights]:
        if name not in channels:
            raise BadQuery(f"no channel {name!r} in this index", hint=did_you_mean(name, channels))
    for name, weight in weights.items():
        if not math.isfinite(weight) or weight < 0:
            raise BadQuery(f"the weight of channel {name!r} must be finite and at least 0, got {weight}")
    wanted = channels if names is None else dict.fromkeys(names)
    chosen = [channels[name] for name in wanted if weights.get(name, 1.0) > 0]
    if not chosen:
        raise BadQuery("no channel is left to search", hint="give at least one channel a weight above 0")
    return chosen


@dataclass(frozen=True)
class Said:
    """A sentence taken apart: what to look for, and what must not be there."""

    wanted: str
    excluded: tuple[str, ...]


def said(text: str) -> Said:
    """Take a sentence apart; one in quotation marks is taken at its word, and so is "knot" and "without doubt"."""
    if _QUOTE.search(text):
        return Said(text, ())
    excluded: list[str] = []

    def taken(found: re.Match[str]) -> str:
        before = text[: found.start()]
        part = found["what"].strip()
        rest = text[found.end("what") :]
        if _DENIED.search(before) or _NEVER.search(before) or not part:
            return found[0]
        excluded.append(part)
        return "" if not rest.strip() or rest.lstrip()[:1] in ",;." else " "

    wanted = _EXCLUDED.sub(taken, text)
    if not excluded:
        return Said(text, ())
    wanted = re.sub(r"\s+", " ", re.sub(r"\s*[,;]\s*(?=[,;.]|$)", "", wanted)).strip(" ,;")
    return Said(wanted or ANYTHING, tuple(excluded))


def with_exclusions(query: Query) -> Query:
    """The query with what its texts exclude as terms of their own; terms marked literal stay as they are."""
    terms: list[Term] = []
    for term in query.terms:
        apart = said(term.value) if _spoken(term) else None
        if apart is None or not apart.excluded:
            terms.append(term)
            continue
        terms.append(replace(term, value=apart.wanted))
        terms += [Term("text", part, EXCLUDED * term.weight) for part in apart.excluded]
    return replace(query, terms=tuple(terms))


def _spoken(term: Term) -> bool:
    return term.modality == "text" and term.weight > 0 and not term.literal and isinstance(term.value, str)
