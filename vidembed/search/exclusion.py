"""What a sentence says is not to be there: "a street without cars" is a street, less cars."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from vidembed.types import Query, Term

WEIGHT = -0.5  # of what is excluded, as `Query.combined` has it: what is wanted leads
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
_NEVER = re.compile(r"\b(?:do|does|did|never|cannot)\b|n't\b", re.I)  # "do not work without pay" is said, not seen
_QUOTES = re.compile(r'["“”„«»]')


@dataclass(frozen=True)
class Said:
    """A sentence taken apart: what to look for, and what must not be there."""

    wanted: str
    excluded: tuple[str, ...]


def said(text: str) -> Said:
    """Take a sentence apart; one in quotation marks is taken at its word, and so is "knot" and "without doubt"."""
    if _QUOTES.search(text):
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
        terms += [Term("text", part, WEIGHT * term.weight) for part in apart.excluded]
    return replace(query, terms=tuple(terms))


def _spoken(term: Term) -> bool:
    return term.modality == "text" and term.weight > 0 and not term.literal and isinstance(term.value, str)
