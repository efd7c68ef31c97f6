"""Chains of moments, worked out by hand, and a toy film in which red comes before blue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import Moment, Span, open_index
from vidembed.cli import main
from vidembed.errors import BadQuery
from vidembed.search.sequence import Chain, follow


def moment(video: str, start: float, end: float, confidence: float = 0.5) -> Moment:
    return Moment(video, Path(f"{video}.mp4"), Span(start, end), (start + end) / 2, 1.0, confidence, f"{video}{start}")


def spans(chains: list[Chain]) -> list[tuple[str, float, float]]:
    return [(chain.video_id, chain.span.start_s, chain.span.end_s) for chain in chains]


def test_order_and_gap_decide() -> None:
    doors = [moment("a", 0, 4), moment("a", 100, 104), moment("b", 50, 55)]
    dogs = [moment("a", 10, 12), moment("a", 90, 95), moment("b", 20, 25), moment("c", 0, 5)]
    found = follow([doors, dogs], gap_s=30)
    assert spans(found) == [("a", 0, 12)], "90 is 86 s after the door, b's dog was there before it"
    assert spans(follow([doors, dogs], gap_s=100)) == [("a", 0, 12), ("a", 0, 95)]


def test_the_surest_way_to_each_end_is_kept_and_chains_are_ranked_by_all_steps() -> None:
    first = [moment("a", 0, 1, 0.2), moment("a", 2, 3, 0.8), moment("b", 0, 1, 0.9)]
    then = [moment("a", 5, 6, 0.5), moment("b", 5, 6, 0.4)]
    last = [moment("a", 8, 9, 0.9), moment("b", 8, 9, 0.9)]
    best, second = follow([first, then, last])
    assert spans([best, second]) == [("a", 2, 9), ("b", 0, 9)], "0.8 x 0.5 x 0.9 is more than 0.9 x 0.4 x 0.9"
    assert (best.confidence, second.confidence) == (0.5, 0.4)


def test_one_happening_is_told_once() -> None:
    first = [moment("a", 0, 4), moment("a", 0, 5)]
    assert len(follow([first, [moment("a", 8, 10, 0.9), moment("a", 8, 11)]])) == 1
    assert follow([[moment("a", 0, 4)], [moment("a", 0, 4)]]) == [], "one moment is no sequence"


def test_a_step_begins_when_the_step_before_has_ended() -> None:
    (chain,) = follow([[moment("a", 0, 4)], [moment("a", 2, 6, 0.9), moment("a", 1, 3, 0.9), moment("a", 4, 5, 0.6)]])
    assert chain.moments[1].span == Span(4, 5), "the other two lie over the first step"


def test_what_is_no_sequence_is_said() -> None:
    with pytest.raises(BadQuery, match="at least 2 steps"):
        follow([[]])
    with pytest.raises(BadQuery, match="gap"):
        follow([[], []], gap_s=-1)


def test_red_then_blue(tmp_path: Path, capsys: Any) -> None:
    second = {"second_each": 3.0}
    toy_videos.make(tmp_path / "wanted.mp4", "red", "white", "blue", **second)
    toy_videos.make(tmp_path / "turned.mp4", "blue", "white", "red", **second)
    with open_index(tmp_path / "index", profile="toy") as index:
        index.add(tmp_path)
        found = index.search_sequence(["red", "blue"])
        assert found[0].path.name == "wanted.mp4"
        assert found[0].span.start_s == pytest.approx(0, abs=1)
        assert found[0].span.end_s == pytest.approx(9, abs=1)
    at = ["--index", str(tmp_path / "index")]
    assert main(["search", "red", "--then", "blue", "--gap", "10", "--json", *at]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[0])
    assert record["path"].endswith("wanted.mp4")
    assert [step["best_s"] // 3 for step in record["steps"]] == [0, 2], "in the first three seconds, in the last"
    assert main(["search", "red", "--then", "blue", *at]) == 0
    assert "wanted.mp4" in capsys.readouterr().out
