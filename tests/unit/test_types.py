"""What the command line and the page share: times as people type them, queries of several parts, moments as records."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidembed.errors import BadQuery, InputError
from vidembed.search.query import SearchOptions
from vidembed.types import Filter, Hit, Moment, Query, Span, parse_date, parse_span, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"), [("83.5", 83.5), ("1:23.5", 83.5), ("0:01:23.5", 83.5), ("2:00:00", 7200), (" 5", 5)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text, name="--start") == seconds


def test_middles_of_a_span() -> None:
    assert Span(10, 14).middles_s(4) == [10.5, 11.5, 12.5, 13.5]
    assert Span(10, 14).middles_s(1) == [Span(10, 14).middle_s] == [12.0]


def test_spans_and_dates() -> None:
    assert parse_span("0:30-2:00", name="--within") == Span(30, 120)
    assert parse_span("1.5 - 2", name="--within") == Span(1.5, 2)
    assert parse_date("2026-01-31T12:00:00+00:00", name="--after") == datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
    assert parse_date(" 2026-01-31", name="--after") == datetime(2026, 1, 31).timestamp()


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_time, "soon", "--x takes seconds or m:ss, such as 1:23.5; got 'soon'"),
        (parse_time, "-1", "--x takes seconds or m:ss, such as 1:23.5; got '-1'"),
        (parse_time, "inf", "--x takes seconds or m:ss, such as 1:23.5; got 'inf'"),
        (parse_time, "nan", "--x takes seconds or m:ss, such as 1:23.5; got 'nan'"),
        (parse_span, "9", "--x takes START-END, such as 0:30-2:00; got '9'"),
        (parse_span, "9-3", "--x needs its start before its end, got '9-3'"),
        (parse_date, "yesterday", "--x takes a date, such as 2026-01-31; got 'yesterday'"),
    ],
)
def test_what_cannot_be_read_is_said(parse: Callable[..., Any], text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, name="--x")
    assert caught.value.message == message


def test_a_query_of_several_parts() -> None:
    query = Query.combined("a dog", image="x.jpg", like=["c1"], unlike=["c2"], without="snow")
    assert [(term.modality, term.value, term.weight) for term in query.terms] == [
        ("text", "a dog", 1.0),
        ("image", "x.jpg", 1.0),
        ("clip", "c1", 1.0),
        ("clip", "c2", -1.0),
        ("text", "snow", -0.5),
    ]
    with pytest.raises(BadQuery, match="nothing to look for"):
        Query.combined(unlike=["c2"], without="snow")


def test_the_record_of_a_moment() -> None:
    hits = (Hit("c", "vision", 0.123456, 2),)
    moment = Moment(
        "v", Path("a.mp4"), Span(1.00049, 2), 1.5, 0.12345678, 0.98765, "c", hits, texts={"speech": "hi"},
        matched_by={"speech": 0.98765}, marks={"speech": ((0, 2),)},
    )  # fmt: skip
    assert (moment.start_s, moment.end_s) == (1.00049, 2)
    assert moment.to_dict() == {
        "path": "a.mp4",
        "start_s": 1.0,
        "end_s": 2,
        "best_s": 1.5,
        "score": 0.123457,
        "confidence": 0.9877,
        "good_match": True,
        "matched_by": {"speech": 0.9877},
        "channels": {"vision": {"score": 0.1235, "rank": 2}},
        "clip_id": "c",
        "video_id": "v",
        "texts": {"speech": "hi"},
        "marks": {"speech": [[0, 2]]},
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_duration_s": "60"}, "min_duration_s takes a number of at least 0, got '60'"),
        ({"max_duration_s": -1}, "max_duration_s takes a number of at least 0, got -1"),
        ({"max_duration_s": float("nan")}, "max_duration_s takes a number of at least 0, got nan"),
        ({"shot_after": "2026-01-31"}, "shot_after takes a number, got '2026-01-31'"),
        ({"within": (30, 120)}, "within takes a Span"),
        ({"near": (500, 0)}, "near takes a latitude of -90..90 and a longitude of -180..180"),
        ({"near": (48.86,)}, "near takes a latitude"),
        ({"near": (48.86, 2.35), "within_km": -1}, "within_km takes a number of at least 0, got -1"),
    ],
)
def test_a_filter_that_cannot_be_met_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadQuery, match=re.escape(told)):
        Filter(**given)


def test_a_filter_takes_whole_numbers_and_no_limit() -> None:
    made = Filter(min_duration_s=0, max_duration_s=None, shot_before=-5, near=(-90, 180), within=Span(0, 1))
    assert (made.min_duration_s, made.near) == (0, (-90, 180))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"k": 1.5}, "need a whole k >= 1 and offset >= 0, at most 1000000, got k 1.5"),
        ({"k": "3"}, "got k '3'"),
        ({"k": 10**30}, "at most 1000000, got k 1000000000000000000000000000000"),
        ({"offset": -1}, "got k 10 and offset -1"),
        ({"channels": 5}, "channels takes a list, got 5"),
        ({"channels": "vision"}, "channels takes a list, got 'vision'"),
        ({"weights": "vision"}, "weights takes a mapping, got 'vision'"),
    ],
)
def test_options_of_other_types_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadQuery, match=re.escape(told)):
        SearchOptions(**given)
    assert SearchOptions(k=np.int64(3), channels=("vision",)).k == 3


def test_only_queries_add_to_a_query() -> None:
    for combine in (lambda query: query + "blue", lambda query: query - "blue"):
        with pytest.raises(BadQuery, match="only a Query adds to a query, got 'blue'"):
            combine(Query.text("red"))
