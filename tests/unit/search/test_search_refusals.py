"""Queries and options that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
from axes_index import Index

from vidembed.errors import BadQuery
from vidembed.search.query import SearchOptions, checked
from vidembed.types import Query


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "has no letter or digit"),
        (" \n", "has no letter or digit"),
        ("?!", "has no letter or digit"),
        (Query(()), "the query is empty"),
        (-Query.text("dog"), "only negative terms"),
        (Query.text("dog") * float("nan"), "must be finite"),
        (Query.text(3), "takes a string, got int"),  # type: ignore[arg-type]
        (Query.audio("x.wav"), "no channel of this index understands audio queries; channels: vision .axes."),
        (Query.clip("no-such-clip"), "no-such-clip is not in this index"),
        (Query.text("dog") + Query.clip("no-such-clip"), "no-such-clip is not in this index"),
        (Query.text("dog") - Query.clip("no-such-clip"), "no-such-clip is not in this index"),
        (Query.text("dog") - Query.text("dog"), "cancel each other out"),
    ],
)
def test_bad_queries_say_why(index: Index, query: str | Query, message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        index.searcher().search(query)


def test_bad_options_say_why(index: Index) -> None:
    searcher = index.searcher()
    with pytest.raises(BadQuery, match="no channel 'visoin'") as error:
        searcher.search("dog", SearchOptions(channels=["visoin"]))
    assert "vision" in error.value.hint
    with pytest.raises(BadQuery, match="weight of channel 'vision'.*-1"):
        searcher.search("dog", SearchOptions(weights={"vision": -1}))
    with pytest.raises(BadQuery, match="no channel is left"):
        searcher.search("dog", SearchOptions(weights={"vision": 0}))
    for options in ({"k": 0}, {"offset": -1}, {"diversity": 2}, {"fusion": "best"}):
        with pytest.raises(BadQuery) as error:
            searcher.search("dog", SearchOptions(**options))
        assert error.value.hint


def test_values_of_another_type_say_what_to_write() -> None:
    with pytest.raises(BadQuery, match="where takes a Filter") as error:
        SearchOptions(where="*.mp4")  # type: ignore[arg-type]
    assert error.value.hint.endswith('where=Filter(paths=["*.mp4"])')
    with pytest.raises(BadQuery, match="channels takes a list") as error:
        SearchOptions(channels="vision")
    assert error.value.hint == "channels=['vision']"
    with pytest.raises(BadQuery, match="got PosixPath|got WindowsPath") as error:
        checked(Path("dog.jpg"))  # type: ignore[arg-type]
    assert "Query.image('dog.jpg')" in error.value.hint
    with pytest.raises(BadQuery, match="got int") as error:
        checked(3)  # type: ignore[arg-type]
    assert "Query.text" in error.value.hint
