"""Copies in a real index, through the Python call and the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import BadQuery
from vidembed.types import Span

OVERRIDES = {"segment.kind": "whole", "sample.mode": "fixed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, an excerpt of it in another size and encoding, its very file again, and something else."""
    folder = tmp_path_factory.mktemp("copies")
    toy_videos.make(folder / "film.mp4", "red", "lime", "blue", "yellow", "white")
    toy_videos.make(folder / "excerpt.mp4", "lime", "blue", "yellow", hz=None)
    toy_videos.make(folder / "other.mp4", "black", "magenta", "black", "magenta")
    shutil.copy2(folder / "film.mp4", folder / "film (copy).mp4")
    return folder


@pytest.fixture(scope="module")
def index(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    with open_index(tmp_path_factory.mktemp("index") / "index", profile="toy", overrides=OVERRIDES) as made:
        made.add(folder)
        yield made


def test_the_copy_and_the_excerpt_are_found(index: VideoIndex) -> None:
    same, part = index.duplicates()
    assert same.kind == "same file"
    assert {same.one.name, same.other.name} == {"film.mp4", "film (copy).mp4"}
    assert (part.kind, part.one.name, part.other.name) == ("part", "excerpt.mp4", same.one.name)
    (stretch,) = part.stretches
    assert (stretch.one, stretch.other) == (Span(0.0, 3.0), Span(1.0, 4.0))
    assert part.shares == pytest.approx((1.0, 0.6))


def test_black_leaders_are_nothing_in_common(tmp_path: Path) -> None:
    toy_videos.make(tmp_path / "one.mp4", "black", "black", "black", "red")
    toy_videos.make(tmp_path / "two.mp4", "black", "black", "black", "blue")
    with open_index(tmp_path / "index", profile="toy", overrides=OVERRIDES) as index:
        index.add(tmp_path)
        assert list(index.duplicates()) == []


def test_a_longer_minimum_leaves_the_excerpt_out(index: VideoIndex) -> None:
    assert [pair.kind for pair in index.duplicates(min_s=3.5)] == ["same file"]


def test_an_unknown_channel_is_named(index: VideoIndex) -> None:
    with pytest.raises(BadQuery, match="no channel 'visoin' in this index"):
        list(index.duplicates(channel="visoin"))


def test_the_command(folder: Path, tmp_path: Path, capsys: Any) -> None:
    at = ["--index", str(tmp_path / "index")]
    settings = [word for key, value in OVERRIDES.items() for word in ("--set", f"{key}={value}")]
    assert main(["index", str(folder), "--profile", "toy", *settings, *at]) == 0
    capsys.readouterr()
    assert main(["duplicates", "--json", *at]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["same file", "part"]
    assert lines[1]["stretches"][0]["other"] == [1.0, 4.0]
    assert main(["duplicates", *at]) == 0
    assert "one is part of the other" in capsys.readouterr().out
