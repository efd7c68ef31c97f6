"""Finding files, telling them apart, and refusing what is no local media file."""

from __future__ import annotations

import os
import socket
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from media_factory import TEXT_FILES, Media

from vidembed.config.schema import LimitSettings, MediaSettings
from vidembed.errors import InputError, MediaNotFound, MediaUnreadable
from vidembed.media.files import find_videos, natural_key, survey, video_id
from vidembed.media.reading.probe import probe
from vidembed.media.reading.reader import open_video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "clip 10.mp4", "clip 2.MP4", "b'q\".mkv", "-dash.avi", "日本.webm", "notes.pdf", ".hidden.mp4", "sound.flac",
        "sub/deep.mov", ".git/x.mp4",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def names(paths: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folder_is_walked_in_natural_order(folder: Path) -> None:
    found = names(find_videos(folder), folder)
    assert found == ["-dash.avi", "b'q\".mkv", "clip 2.MP4", "clip 10.mp4", "sound.flac", "sub/deep.mov", "日本.webm"]


def test_what_recorders_and_editors_write_is_picked_up(tmp_path: Path) -> None:
    written = [
        ".264", ".265", ".360", ".dav", ".dv", ".eac3", ".h264", ".hevc", ".insv", ".m1v", ".m2t", ".m2ts", ".mjpeg",
        ".mod", ".mts", ".mxf", ".qt", ".tod", ".tp", ".trp", ".TS", ".vob", ".weba",
    ]  # fmt: skip
    for ending in (*written, ".jpg", ".heic", ".srt"):
        (tmp_path / f"a{ending}").write_bytes(b"x")
    assert sorted(path.suffix for path in find_videos(tmp_path)) == sorted(written)


def test_files_globs_and_doubles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(find_videos(folder / "notes.pdf"), folder) == ["notes.pdf"], "an explicit file is always tried"
    assert names(find_videos(str(folder / "clip *")), folder) == ["clip 2.MP4", "clip 10.mp4"]
    assert names(find_videos([str(folder / "**/*.mov"), folder / "sub"]), folder) == ["sub/deep.mov"]
    monkeypatch.chdir(folder)
    assert names(find_videos(["-dash.avi", "./-dash.avi"]), folder) == ["-dash.avi"]
    (folder / "[odd].mp4").write_bytes(b"x")
    assert names(find_videos("[odd].mp4"), folder) == ["[odd].mp4"], "a name that is there wins over a pattern"


def test_list_files(folder: Path) -> None:
    (folder / "list.txt").write_text("# mine\nclip 10.mp4\n\n日本.webm\n", encoding="utf-8")
    (folder / "list.csv").write_text('path,label\n"b\'q"".mkv",cat\nsub,dog\n', encoding="utf-8-sig")
    assert names(find_videos(folder / "list.txt"), folder) == ["clip 10.mp4", "日本.webm"]
    assert names(find_videos(folder / "list.csv"), folder) == ["b'q\".mkv", "sub/deep.mov"]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_lists_of_spreadsheets_with_a_decimal_comma(folder: Path, mark: str) -> None:
    (folder / "list.csv").write_text(f"path{mark}speed\nclip 10.mp4{mark}1,5\n", encoding="utf-8-sig")
    assert survey(folder / "list.csv").files == {folder / "clip 10.mp4": {"speed": "1,5"}}
    (folder / "a;b.mp4").write_bytes(b"x")
    (folder / "plain.csv").write_text("a;b.mp4\n")
    assert names(find_videos(folder / "plain.csv"), folder) == ["a;b.mp4"], "a file's name, no header"


def test_a_quote_that_is_not_closed_is_said(folder: Path) -> None:
    (folder / "list.csv").write_text('path,label\n"clip 10.mp4,cat\n' + "sub,dog\n" * 20_000)
    with pytest.raises(MediaNotFound, match="is not valid CSV, or a quote before it is not closed"):
        find_videos(folder / "list.csv")


def test_links_do_not_lead_out_of_the_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.mp4").write_bytes(b"x")
    (folder / "sub" / "link.mp4").symlink_to(outside / "secret.mp4")
    (folder / "sub" / "folder").symlink_to(outside)
    (folder / "sub" / "loop").symlink_to(folder)
    (folder / "sub" / "near.mp4").symlink_to(folder / "sub" / "deep.mov")
    assert names(find_videos(folder / "sub"), folder) == ["sub/deep.mov", "sub/near.mp4"]
    assert names(find_videos(folder / "sub" / "link.mp4"), folder) == ["sub/link.mp4"], "named explicitly"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("nothing.mp4", "check"),
        ("ftp://example.org/a.mp4", "addresses begin with s3"),
        ("no*.mp4", "quote"),
        (" ", "name a file"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, given: str, hint: str) -> None:
    with pytest.raises(MediaNotFound) as caught:
        find_videos(given, base=tmp_path)
    assert hint in caught.value.hint


def test_natural_key() -> None:
    assert sorted(["a10", "a9", "A1", "b", "a"], key=natural_key) == ["a", "A1", "a9", "a10", "b"]
    assert sorted(["1", "a", "-", "٣"], key=natural_key)  # other scripts' digits compare too


def test_id_follows_the_content_not_the_name(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    data = os.urandom(3 << 20)
    first.write_bytes(data)
    second.write_bytes(data)
    expected = blake2b(len(data).to_bytes(8, "little") + data[: 1 << 20] + data[-(1 << 20) :], digest_size=16)
    assert video_id(first) == video_id(second) == expected.hexdigest()
    second.write_bytes(data + b"x")
    assert video_id(first) != video_id(second)
    small = tmp_path / "small.mp4"
    small.write_bytes(b"abc")
    assert video_id(small) == blake2b((3).to_bytes(8, "little") + b"abc", digest_size=16).hexdigest()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("junk.mp4", "a text, not a video"),
        ("empty.mp4", "empty"),
        ("playlist.mp4", "HLS playlist"),
        ("concat.mp4", "ffconcat"),
        ("manifest.mp4", "refers to other files"),
        ("session.mp4", "SDP"),
        ("no_index.mp4", "not a media file"),
    ],
)
@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_bad_files_are_refused_with_a_reason(media: Media, name: str, message: str, backend: Any) -> None:
    path = media.path(name)
    for attempt in (lambda: probe(path), lambda: open_video(path, MediaSettings(reader=backend))):
        with pytest.raises(MediaUnreadable, match=message) as caught:
            attempt()
        assert name in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize("extension", ["mp4", "m3u8", "txt", "mkv", "sdp", "mpd", "jpg"])
def test_formats_that_open_other_files_never_do(
    media: Media, tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The playlist names a file that exists: opening it would succeed if any of these formats were let in."""
    good = media.path("three_shots.mp4")
    for text in (*TEXT_FILES.values(), f"ffconcat version 1.0\nfile '{good}'\n", f"#EXTM3U\n#EXTINF:3,\n{good}\n"):
        if text:
            path = tmp_path / f"list.{extension}"
            path.write_text(text, encoding="utf-8")
            with pytest.raises(MediaUnreadable):
                probe(path)
    # A picture sequence by pattern (image2) and a single picture are no videos either.
    import PIL.Image

    PIL.Image.new("RGB", (16, 16)).save(tmp_path / "shot-001.png")
    for name in ("shot-001.png", "shot-%03d.png"):
        with pytest.raises(InputError):
            probe(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_devices_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket.mp4"))
    for path in (pipe, tmp_path / "socket.mp4", Path("/dev/zero"), tmp_path):
        with pytest.raises(MediaUnreadable, match="not a regular file"):
            probe(path)
    server.close()
    with pytest.raises(MediaNotFound, match="no such file"):
        probe(tmp_path / "gone.mp4")


def test_limits(media: Media) -> None:
    path = media.path("three_shots.mp4")
    assert probe(path, LimitSettings(max_pixels=64 * 48, max_duration_s=3.1)).duration_s == pytest.approx(3.0)
    for limits, message in (
        (LimitSettings(max_pixels=64 * 48 - 1), "64 x 48"),
        (LimitSettings(max_duration_s=2.9), "longer than the allowed 0:02.900"),
        (LimitSettings(max_size_bytes=100), "more than the allowed 100"),
    ):
        with pytest.raises(MediaUnreadable, match=message) as caught:
            probe(path, limits)
        assert "media.limits" in caught.value.hint
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        LimitSettings(max_pixels=0)
