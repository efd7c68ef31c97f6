"""What a sentence says is not to be there."""

from __future__ import annotations

import pytest

from vidembed.search.query import ANYTHING, checked, said, with_exclusions
from vidembed.types import Query, Term


@pytest.mark.parametrize(
    ("text", "wanted", "excluded"),
    [
        ("not a dog", ANYTHING, ["a dog"]),
        ("an animal, not a dog", "an animal", ["a dog"]),
        ("a street without cars", "a street", ["cars"]),
        ("a motorcyclist without a helmet", "a motorcyclist", ["a helmet"]),
        ("a street without cars in the rain", "a street in the rain", ["cars"]),
        ("a man, but not in a kitchen", "a man", ["in a kitchen"]),
        ("a beach with no people", "a beach", ["people"]),
        ("a beach, no people", "a beach", ["people"]),
        ("sports, not tennis", "sports", ["tennis"]),
        ("something that is not a car", "something", ["a car"]),
        ("a man not wearing a helmet", "a man", ["wearing a helmet"]),
        ("a room without a bed, not a kitchen", "a room", ["a bed", "a kitchen"]),
    ],
)
def test_what_is_excluded(text: str, wanted: str, excluded: list[str]) -> None:
    apart = said(text)
    assert (apart.wanted, list(apart.excluded)) == (wanted, excluded)


@pytest.mark.parametrize(
    "text",
    [
        "a knot in a rope", "without doubt the best goal", "without a doubt", "with or without you",
        "it is not a dog", "to be or not to be", "no parking sign",
        "a dog that does not bark", "a sea, not only blue", "nothing", "without",
        "do not work without pay", "you can't leave without a ticket",
        "a man rides without holding the handlebars", '"not a dog"', "a party, no one dances",
    ],
)  # fmt: skip
def test_what_is_no_exclusion(text: str) -> None:
    assert said(text).excluded == ()
    assert said(text).wanted == text


def test_a_query_gets_terms_of_what_it_excludes() -> None:
    query = checked("a street without cars")
    assert [(term.value, term.weight) for term in query.terms] == [("a street", 1.0), ("cars", -0.5)]
    as_is = Query((Term("text", "a street without cars", literal=True),))
    assert with_exclusions(as_is).terms[0].value == "a street without cars"
    assert len(with_exclusions(Query.text("red") - Query.text("without cars")).terms) == 2  # excluded twice is left
