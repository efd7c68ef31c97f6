"""Videos at addresses: as if they were local, by copies that are gone afterwards."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PureWindowsPath
from typing import Any

import fsspec
import numpy as np
import pytest
import toy_videos
from media_factory import Media

from vidembed import VideoIndex, open_index, web
from vidembed.cli import main
from vidembed.config.schema import LimitSettings
from vidembed.errors import MediaNotFound, MediaUnreadable
from vidembed.index.evidence import Evidence
from vidembed.media import remote
from vidembed.media.files import find_videos, video_id
from vidembed.media.reading.probe import probe
from vidembed.media.reading.reader import open_video
from vidembed.types import RunReport
from vidembed.web.media import MediaFiles, tidy

FAST = {"store.kind": "memory"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    toy_videos.make(folder / "red_blue.mp4", "red", "red", "blue", "blue", hz=200)
    toy_videos.make(folder / "green.mp4", "lime", "lime", hz=None)
    (folder / "junk.mp4").write_text("no video at all")
    return folder


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies go; empty after each test."""
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def bucket(videos: Path) -> Iterator[Any]:
    """The videos in fsspec's memory, which is a file system as s3:// and gs:// are."""
    system = fsspec.filesystem("memory")
    for file in videos.iterdir():
        system.pipe_file(f"/films/{file.name}", file.read_bytes())
    system.pipe_file("/films/notes.pdf", b"no media")
    yield system
    system.rm("/films", recursive=True)


@pytest.fixture
def site(videos: Path) -> Iterator[tuple[str, list[str]]]:
    """The videos on a web server that gives parts of files, and the parts it was asked for."""
    asked: list[str] = []

    class Files(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            file = videos / self.path.partition("?")[0].lstrip("/")
            if not file.is_file() or "expired" in self.path:
                self.send_error(403 if file.is_file() else 404)
                return
            body = file.read_bytes()
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            first, last = (int(part[1]), min(int(part[2]), len(body) - 1)) if part else (0, len(body) - 1)
            self.send_response(206 if part else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last + 1 - first))
            self.send_header("ETag", f'"{len(body)}"')
            if part:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            self.end_headers()
            if self.command == "GET":
                asked.append(f"{self.path} {first}-{last}")
                self.wfile.write(body[first : last + 1])

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def seen(index: VideoIndex) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for name, spec in index.parts.specs.items():
        for rows in index.parts.store.scan(spec.collection, segments=True):
            found |= {(name, row.clip): np.asarray(row.vector).tobytes() for row in rows}
    return found


def indexed(folder: Path, inputs: Any, **overrides: Any) -> tuple[RunReport, dict[Any, Any]]:
    with open_index(folder, profile="toy", overrides=FAST | overrides) as index:
        return index.add(inputs), seen(index)


def test_a_bucket_is_indexed_as_the_folder_is(tmp_path: Path, videos: Path, bucket: Any, copies: Path) -> None:
    _, here = indexed(tmp_path / "here", videos)
    with open_index(tmp_path / "there", profile="toy", overrides=FAST) as index:
        report = index.add("memory://films/")
        assert seen(index) == here
        assert here
        assert sorted(report.done) == ["memory:/films/green.mp4", "memory:/films/red_blue.mp4"]
        assert [(f.item, f.kind) for f in report.failed] == [("memory:/films/junk.mp4", "MediaUnreadable")]
        assert index.search("blue")[0].path.as_posix() == "memory:/films/red_blue.mp4"
        again = index.add()
        assert (again.done, sorted(again.unchanged), again.gone) == ((), sorted(report.done), ())
        bucket.rm("/films/green.mp4")
        assert index.add().gone == ("memory:/films/green.mp4",)
        bucket.pipe_file("/films/green.mp4", (videos / "red_blue.mp4").read_bytes())
        assert index.add().unchanged == ("memory:/films/green.mp4", "memory:/films/red_blue.mp4")  # a copy of it now
    assert list(copies.iterdir()) == []


def test_a_list_of_addresses_on_the_web(
    tmp_path: Path, videos: Path, site: tuple[str, list[str]], copies: Path
) -> None:
    url, asked = site
    table = tmp_path / "films.csv"
    table.write_text(f"path,camera\n{url}/green.mp4?signed=1,front\n{url}/nowhere.mp4,back\n")
    with open_index(tmp_path / "there", profile="toy", overrides=FAST) as index:
        report = index.add(table)
        assert [(failure.item, failure.kind) for failure in report.failed] == [
            (f"http:/{url[7:]}/nowhere.mp4", "MediaNotFound")
        ]
        assert [(record.info.path.as_posix(), record.tags["camera"]) for record in index.videos()] == [
            (f"http:/{url[7:]}/green.mp4?signed=1", "front")
        ]
        asked.clear()
        assert len(index.add(table).unchanged) == 1
        assert asked == []  # told by its headers
    assert list(copies.iterdir()) == []


def test_workers_make_copies_of_their_own(
    tmp_path: Path, videos: Path, site: tuple[str, list[str]], copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_cluster import ON_RAY, Pickling

    monkeypatch.setattr("vidembed.index.executors.RayExecutor", Pickling)
    _, here = indexed(tmp_path / "here", videos / "green.mp4")
    report, there = indexed(tmp_path / "there", f"{site[0]}/green.mp4", **ON_RAY)
    assert len(report.done) == 1
    assert there == here
    assert list(copies.iterdir()) == []


def test_a_copy_is_there_while_it_is_read(videos: Path, bucket: Any, copies: Path) -> None:
    path = Path("memory://films/green.mp4")
    assert video_id(path) == video_id(videos / "green.mp4")
    with open_video(path) as video, open_video(path):
        assert [file.name for file in copies.rglob("*.mp4")] == ["green.mp4"]
        assert (video.info.path, video.info.duration_s) == (path, 2.0)
    assert list(copies.iterdir()) == []
    size = (videos / "green.mp4").stat().st_size
    with (
        pytest.raises(MediaUnreadable, match=f"{size} bytes, more than media.limits.max_size_bytes"),
        remote.COPIES.local(path, LimitSettings(max_size_bytes=size - 1)),
    ):
        pass
    bucket.pipe_file("/films/empty.mp4", b"")
    with pytest.raises(MediaUnreadable, match="empty"):
        video_id("memory://films/empty.mp4")
    assert list(copies.iterdir()) == []


def test_folders_and_globs_and_what_is_no_address(bucket: Any, tmp_path: Path) -> None:
    assert [path.name for path in find_videos("memory://films/")] == ["green.mp4", "junk.mp4", "red_blue.mp4"]
    assert find_videos("memory:/films/r*.mp4") == [Path("memory:/films/red_blue.mp4")]
    for wrong, said in [
        ("memory://films/*.mkv", "no videos there"),
        ("https://me:secret@host/a.mp4", "a name and a password"),
        ("s3://bucket/a/../b.mp4", "in the address"),
    ]:
        with pytest.raises(MediaNotFound, match=said):
            find_videos(wrong)
    with pytest.raises(MediaNotFound) as caught:
        find_videos("ftp://host/a.mp4", base=tmp_path)
    assert "addresses begin with s3, gs" in caught.value.hint
    assert remote.address("s3:/bucket/a.mp4") == remote.address("s3://bucket/a.mp4") == "s3://bucket/a.mp4"
    assert remote.address(PureWindowsPath("s3://bucket/a.mp4")) == "s3://bucket/a.mp4"
    assert not remote.is_remote(r"C:/films/a.mp4")
    assert remote.address(PureWindowsPath("C:/films/a.mp4")) == r"C:\films\a.mp4"


def test_moments_of_a_bucket_are_cut_and_joined_from_one_copy_each(
    tmp_path: Path, bucket: Any, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    fetch = remote._fetched
    monkeypatch.setattr(remote, "_fetched", lambda path, limits: fetched.append(path.name) or fetch(path, limits))
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add("memory://films/")
        moments = index.search("blue", k=1) + index.search("green", k=1) + index.search("red", k=1)
        assert [moment.path.name for moment in moments] == ["red_blue.mp4", "green.mp4", "red_blue.mp4"]
        fetched.clear()
        files = index.cut(moments, tmp_path / "cuts")
        assert fetched == ["red_blue.mp4", "green.mp4"]
        assert [probe(file).duration_s for file in files] == pytest.approx([2.0, 2.0, 2.0], abs=0.1)
        joined = index.reel(moments, tmp_path / "reel.mp4")
        assert fetched == ["red_blue.mp4", "green.mp4"] * 2
        with open_video(joined) as video:
            shown = video.frames([1.0, 3.0, 5.0], short_side_px=32).rgb.mean(axis=(1, 2)).round()
        assert [int(colour.argmax()) for colour in shown] == [2, 1, 0]  # blue, lime, red
        edl = index.export(moments, "fcpxml", show_paths=True).decode()
        assert 'src="memory://films/red_blue.mp4"' in edl
    assert list(copies.iterdir()) == []


def test_commands_take_addresses(tmp_path: Path, site: tuple[str, list[str]], copies: Path) -> None:
    url = f"{site[0]}/green.mp4"
    assert main(["cut", url, "0.5", "1.5", str(tmp_path / "cut.mp4")]) == 0
    assert probe(tmp_path / "cut.mp4").duration_s == pytest.approx(1.0, abs=0.05)
    assert main(["sheet", url, "--out", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").exists()
    assert list(copies.iterdir()) == []


def test_a_video_of_a_bucket_is_hidden_and_comes_back(tmp_path: Path, bucket: Any) -> None:
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add("memory://films/green.mp4")
        index.hide("memory://films/green.mp4")
        assert index.search("green") == []
        index.hide("memory://films/green.mp4", hidden=False)
        assert [moment.path.name for moment in index.search("green", k=1)] == ["green.mp4"]


def test_what_signs_an_address_is_no_part_of_its_files_name(
    tmp_path: Path, site: tuple[str, list[str]], copies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, place = f"{site[0]}/green.mp4?key=me/2026&name=other.x", str(tmp_path / "index")
    assert main(["index", url, "--index", place, "--profile", "toy"]) == 0
    capsys.readouterr()
    assert main(["search", "green", "--index", place, "--cut", str(tmp_path / "cuts")]) == 0
    assert url in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "cuts").iterdir()] == ["01_green_0.0s.mp4"]
    with open_index(place) as index:
        files = MediaFiles(index, tmp_path / "pieces", max_bytes=1 << 20)
        assert files.original(index.videos()[0].info.video_id).suffix == ".mp4"
        assert files.plays(index.videos()[0].info.video_id)
        assert b"FROM CLIP NAME: green.mp4\r\n" in index.export(index.search("green", k=1), "edl")
        assert Evidence(1, index.search("green", k=1)[0]).record()["video"] == "green.mp4"
    with open_video(url):  # named so in what it says of a decoder that does not answer
        assert "vidembed-reader green.mp4" in [thread.name for thread in threading.enumerate()]
    assert list(copies.glob("vidembed-*")) == []


def test_the_page_shows_no_signature() -> None:
    assert remote.name_of(Path("https:/host/a/green.mp4?key=me/2026&name=other.x")) == "green.mp4"
    pages = Path(web.__file__).parent.glob("*.py")
    assert [page.name for page in pages if re.search(r"(path|item\))\.(name|stem)\b", page.read_text("utf-8"))] == []


def test_a_server_that_refuses_is_not_said_to_have_no_such_file(site: tuple[str, list[str]]) -> None:
    with pytest.raises(MediaNotFound, match="no such file"):
        remote.status(f"{site[0]}/nowhere.mp4")
    with pytest.raises(MediaUnreadable, match=r"green.mp4: cannot be read: the server answers 403") as caught:
        remote.status(f"{site[0]}/green.mp4?expired")
    assert "still valid" in caught.value.hint
    assert "expired" not in caught.value.message  # what signs an address
    with pytest.raises(MediaUnreadable, match="cannot be read: Cannot connect") as caught:
        remote.status("http://127.0.0.1:1/green.mp4")
    assert "reachable" in caught.value.hint


def test_the_page_takes_no_copy_from_who_reads_it_and_fetches_none_for_a_piece_it_keeps(
    tmp_path: Path, videos: Path, bucket: Any, copies: Path
) -> None:
    film, kept = Path("memory:/films/green.mp4"), tmp_path / "pieces"
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add(film)
        video = index.videos()[0].info.video_id
        files = MediaFiles(index, kept, max_bytes=1)
        with remote.COPIES.local(film, LimitSettings()) as copy:
            files.original(video)
            assert copy.read_bytes() == (videos / "green.mp4").read_bytes()
        piece = files.piece(video, 0.0)[0]
        assert list(kept.iterdir()) == [piece]  # no room for the film
        assert files.piece(video, 0.0)[0] == piece
        assert list(kept.iterdir()) == [piece]
        bucket.pipe_file("/films/green.mp4", (videos / "red_blue.mp4").read_bytes())
        with pytest.raises(MediaNotFound, match="changed or gone"):
            files.original(video)
        bucket.pipe_file("/films/green.mp4", (videos / "green.mp4").read_bytes())
        assert files.original(video).read_bytes() == (videos / "green.mp4").read_bytes()
    assert list(copies.iterdir()) == []


def test_the_page_plays_a_copy_and_keeps_it(tmp_path: Path, videos: Path, bucket: Any, copies: Path) -> None:
    kept = tmp_path / "pieces"
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add("memory://films/")
        ids = {record.info.path.name: record.info.video_id for record in index.videos()}
        files = MediaFiles(index, kept, max_bytes=1)
        with remote.COPIES.local(Path("memory:/films/green.mp4"), LimitSettings()) as read_by_another:
            original = files.original(ids["green.mp4"])
            assert read_by_another.exists()
        assert original.read_bytes() == (videos / "green.mp4").read_bytes()
        assert files.plays(ids["green.mp4"])
        assert files.piece(ids["green.mp4"], 0.0)[0].name == f"{ids['green.mp4']}-0.mp4"
        bucket.rm("/films/green.mp4")
        files = MediaFiles(index, kept, max_bytes=1)
        files.original(ids["red_blue.mp4"])
        assert [file.name for file in kept.iterdir()] == [f"{ids['red_blue.mp4']}.mp4"]  # no room for others
        bucket.pipe_file("/films/green.mp4", (videos / "junk.mp4").read_bytes())
        with pytest.raises(MediaNotFound, match="its file has changed or gone"):
            files.original(ids["green.mp4"])
    assert list(copies.iterdir()) == []


def test_the_copy_that_was_used_last_stays(tmp_path: Path, bucket: Any, copies: Path) -> None:
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        index.add("memory://films/")
        ids = {record.info.path.name: record.info.video_id for record in index.videos()}
        files = MediaFiles(index, tmp_path / "pieces", max_bytes=1 << 30)
        green, red_blue = (files.original(ids[name]) for name in ("green.mp4", "red_blue.mp4"))
        fetched_ns = green.stat().st_mtime_ns
        os.utime(green, ns=(1, fetched_ns))
        os.utime(red_blue, ns=(2, red_blue.stat().st_mtime_ns))
        assert files.original(ids["green.mp4"]) == green
    tidy(tmp_path / "pieces", "*", green.stat().st_size, keep=tmp_path)
    assert (green.exists(), red_blue.exists()) == (True, False)
    assert green.stat().st_mtime_ns == fetched_ns


def test_what_is_said_at_an_address_is_written_out_without_an_index(
    tmp_path: Path, media: Media, bucket: Any, copies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.pipe_file("/films/inside.mkv", media.path("subtitled.mkv").read_bytes())
    assert main(given := ["transcript", "memory://films/inside.mkv", "--index", str(tmp_path / "none")]) == 0
    there = capsys.readouterr().out
    assert main(["transcript", str(media.path("subtitled.mkv")), "--index", str(tmp_path / "none")]) == 0
    assert there == capsys.readouterr().out != ""
    assert main([*given, "--out", str(tmp_path / "texts"), "--format", "srt"]) == 0
    assert [file.name for file in (tmp_path / "texts").iterdir()] == ["inside.srt"]
    assert list(copies.iterdir()) == []
