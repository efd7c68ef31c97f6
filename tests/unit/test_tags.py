"""Tags: what lists bring, what a condition lets through, and search by them over a toy index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import Filter, VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import BadQuery, MediaNotFound
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.database import MIGRATIONS
from vidembed.media.files import find_videos, survey
from vidembed.search.filters import TagCondition

TAGS = {"camera": "Front door", "year": "2024", "day": "2024-05-03", "checked": "yes"}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("checked", True), ("lost", False),
        ("camera=front door", True), ("camera = front*", True), ("camera=front", False), ("lost=x", False),
        ("camera!=back*", True), ("camera!=FRONT*", False), ("lost!=x", True),
        ("year>=2024", True), ("year>999", True), ("year<2024", False), ("year<=2023.5", False), ("lost>1", False),
        ("day>=2024-05-01", True), ("day<2024-05-03", False),
    ],
)  # fmt: skip
def test_conditions(condition: str, holds: bool) -> None:
    assert TagCondition.parse(condition).allows(TAGS) is holds


@pytest.mark.parametrize("text", ["", "=x", "camera=", "year>=", ">3"])
def test_what_is_no_condition_is_said(text: str) -> None:
    with pytest.raises(BadQuery, match="invalid tag condition"):
        TagCondition.parse(text)


def test_lists_bring_tags(tmp_path: Path) -> None:
    for name in ("a.mp4", "sub/b.mp4", "sub/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    table, lines = tmp_path / "list.csv", tmp_path / "list.jsonl"
    table.write_text("camera,path,note\nfront,a.mp4,\n back ,sub,dark\n", encoding="utf-8")
    rows = [{"path": "a.mp4", "year": 2024, "checked": True, "who": None}, {"path": "sub/c.mp4", "x": [1]}]
    lines.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    a, b, c = (tmp_path / name for name in ("a.mp4", "sub/b.mp4", "sub/c.mp4"))
    assert find_videos(table) == [a, b, c]
    back = {"camera": "back", "note": "dark"}
    assert survey(table).files == {a: {"camera": "front"}, b: back, c: back}
    assert find_videos(lines) == [a, c]
    assert survey([str(lines), a]).files == {a: {"year": "2024", "checked": "true"}, c: {}}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.jsonl", b'{"path": "a.mp4"}\n{"file": 1}\n', "row 2 has no path"),
        ("list.jsonl", b"{", "line 1 is not valid JSON"),
        ("list.csv", b"path\n\xff\xfe\n", "list.csv: 'utf-8'"),
    ],
)
def test_wrong_lists_are_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaNotFound, match=says):
        find_videos(tmp_path / name)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    folder = tmp_path_factory.mktemp("tags")
    toy_videos.make(folder / "red.mp4", "red", "red", "red")
    toy_videos.make(folder / "also red.mp4", "red", "blue", "red")
    (folder / "list.csv").write_text("path,camera,year\nred.mp4,front,2020\nalso red.mp4,back,2024\n")
    with open_index(folder / "index", profile="toy") as made:
        made.add(folder / "list.csv")
        yield made


def names(index: VideoIndex, *tags: str) -> set[str]:
    return {moment.path.name for moment in index.search("red", where=Filter(tags=tags))}


def test_search_by_tags(index: VideoIndex) -> None:
    assert {record.paths[0].name: dict(record.tags) for record in index.videos()} == {
        "red.mp4": {"camera": "front", "year": "2020"},
        "also red.mp4": {"camera": "back", "year": "2024"},
    }
    assert names(index) == {"red.mp4", "also red.mp4"}
    assert names(index, "camera=front") == {"red.mp4"}
    assert names(index, "year>2020") == {"also red.mp4"}
    assert names(index, "year>2020", "camera=front") == set()
    with pytest.raises(BadQuery, match="invalid tag condition"):
        names(index, "camera=")


def test_tags_are_changed_and_stay_with_the_content(index: VideoIndex) -> None:
    video = index.path_of(index.videos()[0].info.video_id)
    assert index.tag([video], {"camera": None, "checked": "yes"}) == 1
    assert names(index, "checked") == {video.name}
    renamed = video.rename(video.with_name("moved.mp4"))
    index.add(video.parent)
    assert names(index, "checked") == {"moved.mp4"}
    renamed.rename(video)
    index.add(video.parent)
    assert index.tag(None, {"checked": None}) == 2
    assert names(index, "checked") == set()
    with pytest.raises(BadQuery, match="invalid tag name"):
        index.tag(None, {"a=b": "c"})
    with pytest.raises(MediaNotFound, match="nowhere"):
        index.tag("nowhere.mp4", {"a": "b"})


def test_the_command(tmp_path: Path, capsys: Any) -> None:
    toy_videos.make(tmp_path / "red.mp4", "red", "red", "red")
    at = ["--index", str(tmp_path / "index")]
    assert main(["index", str(tmp_path / "red.mp4"), "--profile", "toy", *at]) == 0
    assert main(["tag", str(tmp_path), "--set", "place=beach", *at]) == 0
    capsys.readouterr()
    assert main(["info", "--videos", *at]) == 0
    assert "place=beach" in capsys.readouterr().out
    assert main(["search", "red", "--tag", "place=b*", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["path"].endswith("red.mp4")
    assert main(["search", "red", "--tag", "place=", *at]) == 2
    assert main(["tag", str(tmp_path), *at]) == 2


def test_an_older_catalog_is_brought_up_to_date_even_for_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("vidembed.index.catalog.database.MIGRATIONS", MIGRATIONS[:1])
        Catalog(tmp_path / "catalog.sqlite").close()
    catalog = Catalog(tmp_path / "catalog.sqlite", readonly=True)
    assert catalog.tags.all() == {}
    catalog.close()
