"""What may be added, by upload and by folder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import toy_videos
from app_site import search, toy_videos_path
from starlette.testclient import TestClient

from vidembed import VideoIndex
from vidembed.errors import InputError, MediaUnreadable
from vidembed.web import AppSettings, Site
from vidembed.web.asking import Ask, run
from vidembed.web.captioning import edit
from vidembed.web.intake import files_under_roots, take_uploads, try_decoding
from vidembed.web.jobs import KEEP_REMOVED_S
from vidembed.web.library_tab import act, add_uploads
from vidembed.web.library_view import table_html
from vidembed.web.security import Guard


class TestIntake:
    def put(self, folder: Path, name: str, content: bytes | Path) -> str:
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        return str(target)

    def test_a_good_upload_is_kept_and_found(self, site: Site, films: Path, tmp_path: Path) -> None:
        other = toy_videos.make(tmp_path / "made" / "yellow.mp4", "yellow", hz=None)
        assert add_uploads(site, [self.put(tmp_path / "in", "my yellow.mp4", other)]) == ""
        assert site.jobs.wait(60)
        assert not (tmp_path / "in" / "my yellow.mp4").exists()
        record = next(r for r in site.index.videos() if r.info.path.name == "my yellow.mp4")
        assert record.info.path.is_relative_to(site.uploads)
        act(site, "remove", {"video": record.info.video_id})
        assert record.info.path.exists()  # it can be put back
        site.bin.forget(now_s=time.time() + KEEP_REMOVED_S + 1)
        assert not record.info.path.exists()  # an upload has no other home; a file of a folder would stay

    def test_a_copy_of_what_is_there_renames_nothing(self, site: Site, films: Path, tmp_path: Path) -> None:
        text = add_uploads(site, [self.put(tmp_path / "in", "a copy.mp4", films / "green.mp4")])
        assert "Already in the library: a copy.mp4" in text
        assert "as green.mp4" in text
        assert not site.jobs.busy
        assert [r.info.path.name for r in site.videos()] == ["green.mp4", "red_blue.mp4"]

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("list.m3u8", b"#EXTM3U\nfile:///etc/passwd\n", "not a video or sound file by its extension"),
            ("list.mp4", b"#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "playlist"),
            ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "ffconcat"),
            ("junk.mp4", b"This is no video at all.\n" * 40, ""),
            ("empty.mp4", b"", "empty"),
            ("page.html", b"<script>alert(1)</script>", "not a video or sound file"),
            ("big.mp4", b"\0" * ((1 << 20) + 1), "allowed"),
        ],
    )
    def test_bad_uploads_are_refused_with_the_reason(
        self, site: Site, tmp_path: Path, name: str, content: bytes, reason: str
    ) -> None:
        given = self.put(tmp_path / "in", name, content)
        if name == "big.mp4":
            Path(given).write_bytes(content + b"\0" * (1 << 20))
        taken, refused = take_uploads(site, [given])
        assert taken == []
        assert reason in refused[0].reason
        assert str(tmp_path) not in refused[0].reason  # the server's folders are nobody's business
        assert not Path(given).exists()
        assert not list(site.uploads.rglob("*.*")) if site.uploads.exists() else True

    def test_html_in_a_name_is_text(self, site: Site, tmp_path: Path) -> None:
        nasty = "<img src=x onerror=alert(1)>{{x}}${y}.mp4"
        text = add_uploads(site, [self.put(tmp_path / "in", nasty, b"junk")])
        assert "<img" not in text
        assert "&lt;img src=x" in text
        assert "{{" not in text
        assert "${" not in text

    def test_too_many_at_once(self, site: Site) -> None:
        with pytest.raises(InputError, match="at most 2"):
            take_uploads(site, ["a", "b", "c"])

    def test_a_file_that_hangs_the_decoder_is_stopped(
        self, site: Site, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = tmp_path / "ffmpeg"
        slow.write_text("#!/bin/sh\nexec sleep 60\n")
        slow.chmod(0o755)
        monkeypatch.setattr("vidembed.media.editing.ffmpeg.find_ffmpeg", lambda: str(slow))
        with pytest.raises(MediaUnreadable, match=r"green.mp4: .*took longer than 0.3 s"):
            try_decoding(films / "green.mp4", timeout_s=0.3)

    @pytest.mark.parametrize("path", ["/etc", "..", "../..", "/etc/passwd", "~", "/", "a\x00b", "", "list.txt", "out"])
    def test_folders_outside_the_roots(self, site: Site, library: Path, path: str) -> None:
        (library / "list.txt").write_text("/etc/passwd\n")
        (library / "out").symlink_to("/etc")
        with pytest.raises(InputError) as caught:
            files_under_roots(site, path)
        assert "passwd" not in caught.value.message.replace(path, "")

    def test_links_out_of_a_root_are_left_out(self, site: Site, library: Path, tmp_path: Path) -> None:
        toy_videos.make(tmp_path / "outside.mp4", "red", hz=None)
        (library / "link.mp4").symlink_to(tmp_path / "outside.mp4")
        names = [path.name for path in files_under_roots(site, str(library))]
        assert names == ["green.mp4", "red_blue.mp4"]
        with pytest.raises(InputError):
            files_under_roots(site, "link.mp4")
        assert [path.name for path in files_under_roots(site, "green.mp4")] == ["green.mp4"]

    def test_without_roots_nothing_is_open(self, index: VideoIndex, library: Path) -> None:
        closed = Site(index)
        with pytest.raises(InputError, match="no folders"):
            files_under_roots(closed, str(library))
        closed.close()

    def test_readonly_changes_nothing(self, index: VideoIndex) -> None:
        shown = Site(index, AppSettings(readonly=True))
        video, clip = index.videos()[0].info.video_id, index.clips()[0].clip_id
        for action in ("demo", "folder", "remove", "retry"):
            with pytest.raises(InputError, match="only shows"):
                act(shown, action, {"video": video, "folder": "."})
        with pytest.raises(InputError, match="only shows"):
            take_uploads(shown, [])
        with pytest.raises(InputError, match="only shows"):
            edit(shown, clip, "x")
        assert "Remove" not in table_html(shown, "")
        shown.close()

    def test_a_picture_that_cannot_be_decoded_is_said_and_taken_out(self, guard: Guard, web: TestClient) -> None:
        junk = b"no picture at all " * 20
        path = web.post("/gradio_api/upload", files={"files": ("junk.png", junk, "image/png")}).json()[0]
        said = search(web, {"image": {"path": path, "meta": {"_type": "gradio.FileData"}}})
        shown = json.dumps(said["data"])
        assert "this picture cannot be used: junk.png: not a picture that can be decoded" in shown
        assert str(Path(path).parent) not in shown
        assert "data-marks" in said["data"][0], "the script asks what is wrong with the fields"
        _, picture, *_ = search(web, {}, part="ve-search-said", event="select")["data"]
        assert picture is None, "the next search is without it"

    @pytest.mark.parametrize("field", ["audio", "video"])
    def test_what_is_searched_by_is_checked_as_well(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
    ) -> None:
        listed = tmp_path / "list.mp4"
        listed.write_text("#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
        with pytest.raises(MediaUnreadable, match="playlist"):
            run(site, Ask(**{field: str(listed)}))
        hangs = tmp_path / "ffmpeg"
        hangs.write_text("#!/bin/sh\nexec sleep 60\n")
        hangs.chmod(0o755)
        monkeypatch.setattr("vidembed.media.editing.ffmpeg.find_ffmpeg", lambda: str(hangs))
        quick = Site(site.index, AppSettings(check_s=0.3))
        given = toy_videos_path(site.index)
        with pytest.raises(MediaUnreadable, match="took longer than"):
            run(quick, Ask(**{field: given}))
        assert run(quick, Ask(text="red")).moments  # the server lives on
