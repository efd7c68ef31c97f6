"""Runs that go on: what lies in a folder costs itself only, whatever it is and whatever happens to it meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from toy_index import FAST, names

import vidembed.index.media as index_media
from vidembed import VideoIndex, open_index
from vidembed.captions.export import Outputs
from vidembed.errors import InputError, MediaNotFound, MissingDependency
from vidembed.media.editing.cut import cut
from vidembed.media.files import survey, video_id
from vidembed.types import RunReport, Span


@pytest.fixture
def library(tmp_path: Path, films: Path) -> Path:
    """A folder with good.mp4 (red, blue) and other.mp4 (green)."""
    folder = tmp_path / "library"
    folder.mkdir()
    shutil.copy(films / "red_blue.mp4", folder / "good.mp4")
    shutil.copy(films / "green.mp4", folder / "other.mp4")
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Any:
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as made:
        yield made


def when_planned(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[Path, int], None]) -> None:
    """Call act(path, how often before) right after the file of that name was looked at."""
    times = 0

    def identify(path: Path) -> str:
        nonlocal times
        found = video_id(path)
        if path.name == name:
            act(path, times)
            times += 1
        return found

    monkeypatch.setattr(index_media, "video_id", identify)


def append(path: Path, times: int) -> None:
    with path.open("ab") as file:
        file.write(bytes(1000))


def test_a_file_that_grows_all_the_time_is_indexed_as_it_was_seen(
    empty: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    when_planned(monkeypatch, "other.mp4", append)
    report = empty.add(library)
    assert (names(report.done), report.failed) == (["good.mp4", "other.mp4"], ())
    assert empty.search("green", k=1)[0].path.name == "other.mp4"
    monkeypatch.undo()
    later = empty.add(library)
    assert (names(later.done), names(later.unchanged)) == (["other.mp4"], ["good.mp4"]), "its end is new"
    assert empty.info().videos == 2


def test_a_file_that_is_replaced_meanwhile_is_indexed_as_what_it_is_now(
    empty: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    white = toy_videos.make(library.parent / "white.mp4", "white")

    def replace(path: Path, times: int) -> None:
        if times == 0:
            shutil.copy(path, library / "zcopy.mp4")  # comes later in the same run, and is still green
            os.replace(white, path)

    shutil.copy(library / "other.mp4", library / "zcopy.mp4")
    when_planned(monkeypatch, "other.mp4", replace)
    report = empty.add(library)
    assert report.failed == ()
    assert {name: [m.path.name for m in empty.search(name, k=1)] for name in ("white", "green", "red")} == {
        "white": ["other.mp4"],
        "green": ["zcopy.mp4"],
        "red": ["good.mp4"],
    }


def test_a_file_that_vanishes_meanwhile_costs_itself_only(
    empty: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    when_planned(monkeypatch, "good.mp4", lambda path, times: path.unlink())
    report = empty.add(library)
    assert (names(report.done), [Path(f.item).name for f in report.failed]) == (["other.mp4"], ["good.mp4"])


def test_two_files_that_swap_their_names_keep_their_vectors(empty: VideoIndex, library: Path) -> None:
    empty.add(library)
    for old, new in (("good", "third"), ("other", "good"), ("third", "other")):
        (library / f"{old}.mp4").rename(library / f"{new}.mp4")
    toy_videos.touch_later(library / "good.mp4")
    toy_videos.touch_later(library / "other.mp4")
    assert names(empty.add(library).unchanged) == ["good.mp4", "other.mp4"]
    assert (empty.search("green", k=1)[0].path.name, empty.search("red", k=1)[0].path.name) == ("good.mp4", "other.mp4")


def test_a_library_that_was_renamed_is_found_where_it_is(empty: VideoIndex, library: Path) -> None:
    empty.add(library)
    (library / "good.mp4").unlink()
    renamed = library.rename(library.with_name("library2"))
    assert empty.search("green", k=1)[0].path == library / "other.mp4", "nobody has said yet where it is"
    report = empty.add(renamed)
    assert report.moved == (((library / "other.mp4").as_posix(), (renamed / "other.mp4").as_posix()),)
    assert "1 of them moved" in str(report)
    assert empty.search("green", k=1)[0].path == renamed / "other.mp4"
    assert (report.gone, report.forgotten) == (((library / "good.mp4").as_posix(),), ())
    assert [record.paths for record in empty.videos() if record.state == "ready"] == [(renamed / "other.mp4",)]
    assert empty.add(renamed).gone == (), "said once"


def test_pruning_says_what_it_forgets(empty: VideoIndex, library: Path) -> None:
    empty.add(library)
    (library / "good.mp4").unlink()
    (library / "other.mp4").rename(library / "another.mp4")
    report = empty.add(library, prune=True)
    assert report.moved == (((library / "other.mp4").as_posix(), (library / "another.mp4").as_posix()),)
    assert report.forgotten == ((library / "good.mp4").as_posix(),)
    assert str(report) == "0 done, 1 unchanged, 1 of them moved, 0 failed, 1 forgotten"
    assert [record.paths for record in empty.videos()] == [(library / "another.mp4",)]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOENT])
def test_a_folder_that_cannot_be_read_is_listed(
    empty: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    shut = library / "mid"
    shut.mkdir()
    scandir = os.scandir

    def failing(path: Any) -> Any:
        if Path(path) == shut:
            raise OSError(number, os.strerror(number), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    report = empty.add(library)
    assert names(report.done) == ["good.mp4", "other.mp4"]
    assert [(f.item, f.stage) for f in report.failed] == [(shut.as_posix(), "find")]
    assert os.strerror(number) in report.failed[0].message
    assert [f.item for f in empty.failures()] == [shut.as_posix()]
    monkeypatch.undo()
    assert (empty.add(library).failed, empty.failures()) == ((), []), "it can be read again"


def test_a_root_that_cannot_be_read_keeps_what_the_index_has(
    empty: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.add(library)

    def failing(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", failing)
    report = empty.add(library, prune=True)
    assert [(f.item, f.stage) for f in report.failed] == [(library.as_posix(), "find")]
    assert (report.done, report.forgotten) == ((), ())
    assert empty.info().videos == 2


def test_links_that_lead_back_to_themselves_are_listed(empty: VideoIndex, library: Path) -> None:
    (library / "me.mp4").symlink_to("me.mp4")
    report = empty.add(library)
    assert names(report.done) == ["good.mp4", "other.mp4"]
    assert [(Path(f.item).name, "back to itself" in f.message) for f in report.failed] == [("me.mp4", True)]


def test_a_folder_of_links_only_says_how_to_follow_them(empty: VideoIndex, library: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "far.mp4").symlink_to(library / "good.mp4")
    (links / "folder").symlink_to(library)
    with pytest.raises(MediaNotFound, match="2 links in it lead elsewhere, and are not followed") as caught:
        empty.add(links)
    assert "name what they lead to" in caught.value.hint
    assert names(empty.add(links / "*").done) == ["far.mp4", "other.mp4"], "the way out that is named works"


def test_times_that_no_table_holds(empty: VideoIndex, library: Path) -> None:
    late_s = 15_032_000_000  # in the year 2446
    os.utime(library / "other.mp4", (late_s, late_s))
    if (library / "other.mp4").stat().st_mtime != late_s:
        pytest.skip("this file system has no such times")
    assert (names(empty.add(library).done), names(empty.add(library).unchanged)) == (
        ["good.mp4", "other.mp4"],
        ["good.mp4", "other.mp4"],
    )
    assert empty.search("green", k=1)[0].path.name == "other.mp4"


def test_what_is_made_of_a_file_with_the_longest_name(empty: VideoIndex, library: Path, tmp_path: Path) -> None:
    longest = library / f"{'é' * 125}.mp4"
    (library / "other.mp4").rename(longest)
    empty.add(library)
    (found,) = empty.search("green", k=1)
    assert found.path == longest
    (piece,) = empty.cut([found], tmp_path / "pieces")
    with Outputs(srt=tmp_path / "srt", sidecar=True) as outputs:
        assert [outputs.write(video) for video in empty.caption(longest)] == [[]]
    (titled,), (beside,) = (tmp_path / "srt").iterdir(), library.glob("*.captions.srt")
    assert all(
        len(os.fsencode(path.name)) <= 255 and path.name.startswith(("éé", "01_éé")) for path in (piece, titled, beside)
    )


def test_a_row_that_names_nothing_costs_itself_only(empty: VideoIndex, library: Path) -> None:
    table = library / "list.csv"
    table.write_text("path,camera\ngood.mp4,front\nlost.mp4,back\nother.mp4,back\n", encoding="utf-8")
    report = empty.add(table)
    assert names(report.done) == ["good.mp4", "other.mp4"]
    assert [(f.item, f.message) for f in report.failed] == [
        (f"{table.as_posix()}:3", "lost.mp4: no such file or folder")
    ]
    table.write_text("path\ngood.mp4\n", encoding="utf-8")
    assert (empty.add(table).failed, empty.failures()) == ((), [])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("photo.jpg", b"\xff\xd8\xff\xe0" + bytes(64), "a picture, not a video"),
        ("photo", b"\x89PNG\r\n\x1a\n" + bytes(64), "a picture, not a video"),
        ("all.zip", b"PK\x03\x04" + bytes(64), "an archive, not a video"),
        ("README.md", "Grüße".encode(), "a text, not a video"),
    ],
)
def test_what_is_no_video_is_said_and_forgotten(
    empty: VideoIndex, library: Path, name: str, content: bytes, says: str
) -> None:
    mistake = library / name
    mistake.write_bytes(content)
    (failure,) = empty.add([library, mistake]).failed
    assert (failure.item, says in failure.message) == (mistake.as_posix(), True)
    assert (empty.remove(mistake), empty.failures()) == (1, [])
    empty.add([library, mistake])
    empty.add(library, prune=True)
    assert empty.failures() == []


def test_watching_leaves_out_what_grows_and_adds_the_others(empty: VideoIndex, library: Path) -> None:
    """One file grows for as long as nothing else is done; the others do not wait for it."""
    stop, quiet, runs = threading.Event(), threading.Event(), list[RunReport]()
    growing = library / "recording.mp4"
    shutil.copy(toy_videos.make(library.parent / "white.mp4", "white"), growing)

    def grow() -> None:
        while not quiet.wait(0.02):
            append(growing, 0)

    def after(run: RunReport) -> None:
        runs.append(run)
        if {"good.mp4", "other.mp4"} <= {Path(path).name for found in runs for path in found.done}:
            quiet.set()
        if any("recording.mp4" in path for path in run.done):
            stop.set()

    recorder = threading.Thread(target=grow)
    recorder.start()
    try:
        empty.watch(library, interval_s=0.5, stop=stop, report=after)
    finally:
        quiet.set()
        recorder.join()
    assert names(tuple(path for run in runs for path in run.done)) == ["good.mp4", "other.mp4", "recording.mp4"]
    assert names(runs[-1].done) == ["recording.mp4"]
    assert survey(library).problems == []


def test_a_channel_whose_package_is_missing_stays_off(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = {"channels.signs.source": "ocr", "channels.signs.model": "words", "channels.signs.enabled": False}
    with open_index(tmp_path / "index", profile="toy", overrides=signs) as index:
        index.add(library)
        monkeypatch.setitem(sys.modules, "rapidocr", None)
        for _ in range(2):
            with pytest.raises(MissingDependency, match="needs the package 'rapidocr'"):
                index.add(channels=["+signs"])
            assert not index.info().channels["signs"].enabled
        assert names(index.add().unchanged) == ["good.mp4", "other.mp4"]  # other runs do not ask for it
    with open_index(tmp_path / "index") as index:
        assert list(index.parts.specs) == ["vision", "sound", "caption"]
        assert index.search("red", k=1)[0].path.name == "good.mp4"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no such names")
def test_a_name_that_is_no_unicode_costs_its_file_alone(library: Path, empty: VideoIndex) -> None:
    bad = Path(os.fsdecode(os.fsencode(library) + b"/bad\xff.mp4"))
    shutil.copy(library / "other.mp4", bad)
    (library / os.fsdecode(b"loop\xff.mp4")).symlink_to(os.fsdecode(b"loop\xff.mp4"))
    report = empty.add(library)
    assert names(report.done) == ["good.mp4", "other.mp4"]
    assert [(Path(one.item).name, one.stage) for one in report.failed] == [
        ("loop\\udcff.mp4", "find"), ("bad\\udcff.mp4", "probe")
    ]  # fmt: skip
    assert "not valid Unicode" in report.failed[1].message
    assert sorted(empty.failures(), key=lambda one: one.stage) == list(report.failed)
    with pytest.raises(MediaNotFound, match="not valid Unicode"):
        empty.add(bad)
    with pytest.raises(InputError, match="not valid Unicode"):
        cut(bad, Span(0, 1), library / "part.mp4")
    assert names(empty.ignore(bad)) == ["bad\\udcff.mp4"]
    assert names(failure.item for failure in empty.add(library).failed) == ["loop\\udcff.mp4"]
    (library / os.fsdecode(b"loop\xff.mp4")).unlink()
    assert empty.add(library).failed == ()
    assert [failure for failure in empty.failures() if failure.stage == "find"] == []
