"""Libraries that move, with their index or without it, and names that people type in another form."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from toy_index import FAST

from vidembed import Filter, VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import InputError, MediaNotFound

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.fixture
def disk(tmp_path: Path, films: Path) -> Path:
    """A disk with videos and, beside them, their index; a file that is gone, too."""
    disk = tmp_path / "mnt" / "disk"
    shutil.copytree(films, disk / "films")
    shutil.copy(films / "green.mp4", disk / "films" / "copy.mp4")
    (disk / "films" / "broken.mp4").write_text("no video")
    with open_index(disk / "index", profile="toy") as index:
        index.add(disk / "films")
    return disk


def green(folder: Path, **options: Any) -> Path:
    with open_index(folder, **options) as index:
        return index.search("green", k=1)[0].path


@pytest.mark.parametrize("readonly", [True, False])
def test_a_disk_with_another_mount_point(disk: Path, tmp_path: Path, readonly: bool) -> None:
    (tmp_path / "media").mkdir()
    there = disk.rename(tmp_path / "media" / "usb")
    catalog = (there / "index" / "catalog.sqlite").read_bytes()
    assert green(there / "index", readonly=readonly) == there / "films" / "copy.mp4"
    with open_index(there / "index", readonly=readonly) as index:
        assert {record.state for record in index.videos()} == {"ready"}
        assert {path for record in index.videos() for path in record.paths} == {
            there / "films" / name for name in ("copy.mp4", "green.mp4", "red_blue.mp4")
        }
        assert [failure.item for failure in index.failures()] == [(there / "films" / "broken.mp4").as_posix()]
        assert index.parts.path_of(index.search("red", k=1)[0].video_id).exists()
    assert (catalog == (there / "index" / "catalog.sqlite").read_bytes()) is readonly
    with open_index(there / "index") as index:
        report = index.add(there / "films")
        assert (len(report.unchanged), report.moved, report.gone) == (3, (), ())


def test_an_index_that_moves_alone_keeps_its_paths(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "disk").mkdir(parents=True)
    index = (disk / "index").rename(tmp_path / "elsewhere" / "disk" / "index")
    assert green(index) == disk / "films" / "copy.mp4"
    (disk / "films").rename(disk / "movies")  # and a drive that is away is not mistaken for one that moved
    assert green(index.rename(index.with_name("index2"))) == disk / "films" / "copy.mp4"


def test_a_copied_disk_answers_with_what_is_there(disk: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(disk, tmp_path / "copy" / "disk"))
    assert green(copy / "index") == disk / "films" / "copy.mp4", "the original is there"
    (disk / "films" / "copy.mp4").unlink()
    (disk / "films" / "green.mp4").unlink()
    again = copy.rename(tmp_path / "again")
    assert green(again / "index") == disk / "films" / "copy.mp4", "nothing known moved along"
    with open_index(again / "index") as index:
        index.relocate(disk, again)
    assert green(again / "index") == again / "films" / "copy.mp4"


def test_what_was_moved_is_said(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    films = (disk / "films").rename(tmp_path / "movies")
    (films / "red_blue.mp4").unlink()
    assert main(["relocate", str(disk / "films"), str(films), "--index", str(disk / "index")]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "moved 4 files" in said
    assert "1 of them is not there" in said
    assert green(disk / "index") == films / "copy.mp4"
    with open_index(disk / "index") as index:
        with pytest.raises(MediaNotFound, match="no file of this index") as caught:
            index.relocate(disk / "films", films)
        assert films.as_posix() in (caught.value.hint or "")
        with pytest.raises(InputError, match="no such file or folder"):
            index.relocate(films, tmp_path / "nowhere")
        assert [record.state for record in index.videos() if record.info.path.name == "red_blue.mp4"] == ["gone"]


def test_the_copy_that_was_named_is_the_one_that_is_told_of(disk: Path) -> None:
    green = disk / "films" / "green.mp4"  # copy.mp4 is the same file, and the first by name
    with open_index(disk / "index") as index:
        assert [done.path for done in index.caption(green, model="toy-captioner")] == [green]
        assert [done.path for done in index.captioned(disk / "films" / "g*.mp4")] == [green]
        assert [path for path, _ in index.transcripts(green)] == [green]
        assert {done.path.name for done in index.captioned()} == {"copy.mp4"}


def test_moments_of_a_lost_file_are_not_cut(disk: Path, tmp_path: Path) -> None:
    with open_index(disk / "index") as index:
        found = index.search("red", k=1)
        (disk / "films" / "red_blue.mp4").unlink()
        with pytest.raises(MediaNotFound, match="no longer there") as caught:
            index.cut(found, tmp_path / "cuts")
    assert "vidembed relocate" in (caught.value.hint or "")
    assert not (tmp_path / "cuts").exists()


def test_a_whole_library_that_moved_is_one_line(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    films = (disk / "films").rename(disk / "movies")
    (films / "red_blue.mp4").unlink()
    command = ["index", str(films), "--index", str(disk / "index"), "--prune"]
    capsys.readouterr()
    assert main(command) == 3, "broken.mp4"
    said = " ".join(capsys.readouterr().err.split())
    assert f"moved {disk / 'films'} -> {films} (2 files)" in said
    assert f"forgotten {disk / 'films' / 'red_blue.mp4'}" in said
    assert "2 unchanged, 2 of them moved, 1 failed, 1 forgotten" in said


def test_of_two_libraries_that_are_known_the_one_that_is_there_is_used(tmp_path: Path, films: Path) -> None:
    old, new = Path(shutil.copytree(films, tmp_path / "lib")), Path(shutil.copytree(films, tmp_path / "lib2"))
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add([old, new])
        shutil.rmtree(old)
        (best,) = index.search("green", k=1)
        assert best.path == new / "green.mp4"
        assert [record.info.path for record in index.videos()] == [new / "green.mp4", new / "red_blue.mp4"]
        assert [video.path.parent for video in index.caption()] == [new, new]
        (piece,) = index.cut([best], tmp_path / "pieces")
        assert piece.exists()
        (new / "green.mp4").rename(new / "lime.mp4")
        names = {"green.mp4": "lime.mp4", "red_blue.mp4": "red_blue.mp4"}
        report = index.add(new)
        expected = {((old / was).as_posix(), (new / now).as_posix()) for was, now in names.items()}
        assert set(report.moved) == expected | {((new / "green.mp4").as_posix(), (new / "lime.mp4").as_posix())}
        shutil.copy(new / "lime.mp4", new / "copy.mp4")
        index.add(new)
        (new / "copy.mp4").unlink()
        report = index.add(new)
        assert (report.moved, report.gone) == ((), ((new / "copy.mp4").as_posix(),)), "a copy is gone, not moved"


def test_an_answer_is_the_copy_that_was_asked_for(tmp_path: Path, films: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "videos" / folder).mkdir(parents=True)
        shutil.copy(films / "green.mp4", tmp_path / "videos" / folder)
    os.utime(tmp_path / "videos" / "b" / "green.mp4", (2e9, 2e9))
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add(tmp_path / "videos")
        for paths in (["b/*"], ["videos/b"], [str(tmp_path / "videos" / "b")]):
            assert index.search("green", where=Filter(paths=paths), k=1)[0].path.parent.name == "b"
        assert index.search("green", where=Filter(modified_after=1.9e9), k=1)[0].path.parent.name == "b"
        assert index.search("green", k=1)[0].path.parent.name == "a"


@pytest.fixture
def oddly_named(tmp_path: Path, films: Path, monkeypatch: pytest.MonkeyPatch) -> VideoIndex:
    monkeypatch.chdir(tmp_path)
    for name in (f"[take 1] {DECOMPOSED}.mp4", "take 1.mp4"):
        (tmp_path / "videos").mkdir(exist_ok=True)
        shutil.copy(films / ("green.mp4" if "[" in name else "red_blue.mp4"), tmp_path / "videos" / name)
    index = open_index(tmp_path / "index", profile="toy", overrides=FAST)
    index.add("./videos")
    return index


@pytest.mark.parametrize("form", [COMPOSED, DECOMPOSED])
def test_what_was_indexed_is_found_by_its_name(oddly_named: VideoIndex, tmp_path: Path, form: str) -> None:
    name = f"[take 1] {form}.mp4"
    with oddly_named as index:
        for path in (name, f"videos/{name}", f"./videos/{name}", f"{tmp_path}/videos/{name}", f"*{form}*"):
            (found, *_) = index.search("green", where=Filter(paths=[path]), k=1)
            assert found.path.name == f"[take 1] {DECOMPOSED}.mp4", path
        assert index.search("red", where=Filter(paths=[name]), k=1)[0].path == found.path, "no other fits"
        assert index.tag(f"videos/{name}", {"place": "home"}) == 1
        assert [record.tags for record in index.videos() if record.tags] == [{"place": "home"}]
        assert index.remove(f"videos/{name}") == 1
        assert [record.info.path.name for record in index.videos()] == ["take 1.mp4"]
