"""What an index makes of a sentence: words to look for, filters, exclusions, and whether its models can read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from vidembed.index.parts import IndexParts
from vidembed.media.captured import SHOT
from vidembed.search.exclusion import said
from vidembed.search.languages import language_notice
from vidembed.search.plain_filters import PlainFilter, plain_filters
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
