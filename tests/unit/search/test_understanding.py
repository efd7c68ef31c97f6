"""Sentences that become filters, and queries that a model cannot read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vidembed.index.understanding import language_notice, not_english
from vidembed.search.plain_filters import plain_filters

NOW = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("text", "left", "means"),
    [
        (
            "red car, last week, longer than ten minutes",
            "red car",
            ["since 2026-11-16 and before 2026-11-23", "videos of at least 10 min"],
        ),
        ("cars from last week", "cars", ["since 2026-11-16 and before 2026-11-23"]),
        ("a dog yesterday", "a dog", ["since 2026-11-26 and before 2026-11-27"]),
        ("a meal in the last 3 days", "a meal", ["since 2026-11-24"]),
        ("a dog, at least 30 s", "a dog", ["videos of at least 30 s"]),
        ("over the hill, under half an hour", "over the hill", ["videos of at most 0.5 h"]),
        ("a red car, in 2024", "a red car", ["since 2024-01-01 and before 2025-01-01"]),
        ("a boat, in december 2025", "a boat", ["since 2025-12-01 and before 2026-01-01"]),
        ("a party, last month", "a party", ["since 2026-10-01 and before 2026-11-01"]),
        ("a party, before 2020", "a party", ["before 2020-01-01"]),
    ],
)
def test_plain_filters(text: str, left: str, means: list[str]) -> None:
    words, found = plain_filters(text, now=NOW)
    assert (words, [one.means for one in found]) == (left, means)


@pytest.mark.parametrize(
    "text",
    [
        "blade runner 2049", "a building over ten minutes", "last week", "the last week of summer", "class of 1999",
        "a party in 1999", '"a dog, last week"', "a boat, in 2026-13", "longer than ten minutes, last week",
    ],
)  # fmt: skip
def test_what_is_looked_for_as_it_is(text: str) -> None:
    assert plain_filters(text, now=NOW) == (text, [])


def test_lengths_and_times_in_seconds() -> None:
    _, (length, day) = plain_filters("a dog, longer than 2 hours, today", now=NOW)
    assert (length.min_duration_s, length.max_duration_s) == (7200.0, None)
    assert (day.since, day.until) == (datetime(2026, 11, 27, tzinfo=UTC).timestamp(), None)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ein Hund bellt", True), ("Ein roter Wagen", True), ("une voiture rouge", True), ("un perro corre", True),
        ("una macchina rossa", True), ("um cachorro na praia", True), ("een rode auto", True), ("собака лает", True),
        ("犬が吠える", True), ("a dog", False), ("Las Vegas", False),
        ("Los Angeles at night", False),
        ("la la land", False),
        ("a café in Paris", False), ("a van on a street", False), ("con man", False), ("dog", False), ("42", False),
    ],
)  # fmt: skip
def test_other_languages(text: str, other: bool) -> None:
    assert not_english(text) is other
    notice = language_notice([text], ["Pictures and text"])
    assert (notice is not None) is other
    assert language_notice([text], ["Pictures and text", "Pictures, many languages"]) is None
