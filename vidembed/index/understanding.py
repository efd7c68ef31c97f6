"""What an index makes of a sentence: words to look for, filters, exclusions, and whether its models can read it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from vidembed.index.parts import IndexParts
from vidembed.media.captured import SHOT
from vidembed.search.plain_filters import PlainFilter, plain_filters
from vidembed.search.query import said
from vidembed.types import Filter, Query


@dataclass(frozen=True)
class Understood:
    """A sentence taken apart.

    Attributes:
        text: What to look for, with what is excluded.
        where: The filter given, and what the sentence says on top of it.
        filters: Parts of the sentence that became filters.
        means: What was understood, in words to be shown; empty if all of it is looked for.
        notice: Why the models may not read it; None if they do.
    """

    text: str
    where: Filter
    filters: tuple[PlainFilter, ...] = ()
    means: tuple[str, ...] = ()
    notice: str | None = None


def understand(parts: IndexParts, text: str, where: Filter, *, now: datetime | None = None) -> Understood:
    """Take a sentence apart. What the filter limits already, the sentence does not limit again.

    now: With the zone that "last week" is meant in; None = the machine's own. "Last week" goes by when a video was shot
    if the index knows that of any, else by the date of the file.
    """
    summaries = [spec.model.summary for spec in parts.specs.values() if spec.model.kind == "encoder"]
    left, found = plain_filters(text, now=now or datetime.now().astimezone())
    shot = any(SHOT in tags for tags in parts.catalog.tags.all().values())
    taken = []
    for one in found:
        limits = {"min_duration_s": one.min_duration_s, "max_duration_s": one.max_duration_s}
        limits |= {"shot_after": one.since, "shot_before": one.until} if shot else {
            "modified_after": one.since, "modified_before": one.until
        }  # fmt: skip
        given = {name: value for name, value in limits.items() if value is not None}
        if all(getattr(where, name) is None for name in given):
            where = replace(where, **given)  # type: ignore[arg-type]
            taken.append(one)
    if len(taken) < len(found):
        left = text  # a filter that is set by hand wins, and the words stay words
    date = "shot" if shot else "of files"
    means = [f"{date} {one.means}" if one.since or one.until else one.means for one in taken]
    means += [f"without {part}" for part in said(left).excluded]
    return Understood(left, where, tuple(taken), tuple(means), language_notice([left], summaries))


def literal(query: Query) -> Query:
    """The query with its texts taken at their word."""
    return replace(query, terms=tuple(replace(t, literal=t.modality == "text") for t in query.terms))


# German, French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish; none of them an English word.
_SMALL_WORDS = """
der das dem ein eine einen einem einer und mit auf ist nicht vom zur zum für bei wird oder über im
le les une du dans avec sur est qui aux sans très un des el los las una del muy sobre
il gli di nel nella della sul sulla che uma um com da dos na nos em
het een voor bij niet naar jest nie się z w i bir ve ile bu
"""
_ENGLISH_WORDS = "the a an of in on at with and is are to from for by his her their its it this that into over under"
_SMALL, _ENGLISH = frozenset(_SMALL_WORDS.split()), frozenset(_ENGLISH_WORDS.split())


def not_english(text: str) -> bool:
    """Whether most letters are of another script, or small words are there that English does not have, no others."""
    letters = [char for char in text if char.isalpha()]
    latin = sum(unicodedata.name(char, "").startswith("LATIN") for char in letters)
    if 2 * latin < len(letters):
        return True
    words = re.findall(r"[^\W\d_]+", text)
    # "Las Vegas", "El Capitan": a capital begins a name, and also a sentence, of which more is to tell.
    small = {word for word in words if word.islower()} | ({words[0].lower()} if len(words) > 2 else set())
    return len(words) > 1 and not small & _ENGLISH and bool(small & _SMALL)


def language_notice(texts: Iterable[str], summaries: Iterable[str]) -> str | None:
    """What to tell a person whose query is not English, if no model of the index reads many languages.

    Args:
        texts: Of the query.
        summaries: Of the models that are asked (`ModelSpec.summary`), which say how many languages they read.
    """
    if any("language" in summary for summary in summaries) or not any(map(not_english, texts)):
        return None
    return (
        "the query seems not to be English, and this index's models read English: ask in English, or index with the "
        "profile gemma, whose model reads many languages (laptop: captions, speech and written words)"
    )
