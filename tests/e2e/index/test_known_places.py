"""Runs that are given nothing, and files that are to be ignored (toy profile)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from toy_index import FAST, names

from vidembed import VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import MediaNotFound


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "lib"
    toy_videos.make(folder / "red.mp4", "red")
    toy_videos.make(tmp_path / "alone" / "blue.mp4", "blue")
    (folder / "bad.mp4").write_bytes(b"no video" * 100)
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Any:
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as made:
        yield made


def test_a_run_without_paths_brings_folders_and_files_up_to_date(index: VideoIndex, library: Path) -> None:
    with pytest.raises(MediaNotFound, match="nothing to index"):
        index.add()
    alone = library.parent / "alone"
    index.add([library, alone / "blue.mp4"])
    toy_videos.make(library / "sub" / "lime.mp4", "lime")
    toy_videos.make(alone / "white.mp4", "white")  # beside a single file: nobody named its folder
    report = index.add()
    assert (names(report.done), names(report.unchanged)) == (["lime.mp4"], ["blue.mp4", "red.mp4"])
    assert names(failure.item for failure in report.failed) == ["bad.mp4"], "what failed is tried again"


def test_globs_and_lists_are_known_too(index: VideoIndex, library: Path) -> None:
    (library.parent / "list.txt").write_text("alone/blue.mp4\n", encoding="utf-8")
    index.add([str(library / "r*.mp4"), library.parent / "list.txt"])
    toy_videos.make(library / "rose.mp4", "white")
    toy_videos.make(library.parent / "alone" / "gold.mp4", "lime")
    (library.parent / "list.txt").write_text("alone/blue.mp4\nalone/gold.mp4\n", encoding="utf-8")
    assert names(index.add().done) == ["gold.mp4", "rose.mp4"]


def test_what_lies_on_a_drive_that_is_not_there_is_hidden_and_never_forgotten(index: VideoIndex, library: Path) -> None:
    index.add([library, library.parent / "alone"])
    (library.parent / "alone" / "blue.mp4").unlink()
    away = library.rename(library.with_name("away"))
    report = index.add(prune=True)
    assert (names(report.gone), names(report.forgotten)) == (["red.mp4"], ["blue.mp4"])
    assert [failure.item for failure in report.failed] == [library.as_posix()]
    assert index.search("red") == []
    away.rename(library)
    assert names(index.add().unchanged) == ["red.mp4"]
    assert index.search("red")


def test_a_folder_that_moved_or_was_removed_is_no_longer_looked_for(index: VideoIndex, library: Path) -> None:
    index.add([library, library.parent / "alone"])
    moved = library.rename(library.with_name("lib2"))
    assert len(index.add(moved).moved) == 1
    assert index.remove(library.parent / "alone") == 1
    report = index.add()
    assert names(report.unchanged) == ["red.mp4"]
    assert names(failure.item for failure in report.failed) == ["bad.mp4"]


def test_a_file_that_is_ignored_is_no_failure(library: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(library.parent)
    assert main(["index", "lib", "-i", "x", "-p", "toy"]) == 3
    assert main(["ignore", "lib/bad.mp4", "-i", "x"]) == 0
    capsys.readouterr()
    assert main(["info", "--failures", "-i", "x"]) == 0
    assert "bad.mp4" not in capsys.readouterr().out
    assert main(["index", "-i", "x", "--json"]) == 0
    printed = capsys.readouterr()
    assert "1 ignored" in printed.err
    assert names(json.loads(printed.out)["ignored"]) == ["bad.mp4"]
    assert main(["ignore", "-i", "x"]) == 0
    assert capsys.readouterr().out == f"{(library / 'bad.mp4').as_posix()}\n"
    assert main(["ignore", "lib/bad.mp4", "--undo", "-i", "x"]) == 0
    capsys.readouterr()
    assert main(["ignore", "-i", "x"]) == 0
    assert capsys.readouterr() == ("", "0 ignored\n")
    assert main(["index", "-i", "x"]) == 3


def test_ignoring_says_what_it_does_not_know(index: VideoIndex, library: Path) -> None:
    with pytest.raises(MediaNotFound, match="no such file"):
        index.ignore(library / "typo.mp4")
    assert index.ignore(str(library / "*.mp4")) == [(library / "*.mp4").as_posix()]
    assert names(index.add(library).ignored) == ["bad.mp4", "red.mp4"]
    with pytest.raises(MediaNotFound, match="not ignored"):
        index.ignore(library / "red.mp4", undo=True)
    index.ignore(str(library / "*.mp4"), undo=True)
    assert names(index.add(library).done) == ["red.mp4"]


def test_known_and_ignored_places_move_with_their_folder(index: VideoIndex, library: Path) -> None:
    index.add(library)
    index.ignore(library / "bad.mp4")
    moved = library.rename(library.with_name("elsewhere"))
    assert index.relocate(library, moved) == (((library / "red.mp4").as_posix(), (moved / "red.mp4").as_posix()),)
    report = index.add()
    assert (names(report.unchanged), names(report.ignored), report.failed) == (["red.mp4"], ["bad.mp4"], ())
