"""Changes of the library by hand, its table, copies and captions."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
import toy_videos
from app_site import video_named
from media_factory import ffmpeg_program
from starlette.testclient import TestClient

from vidembed import VideoIndex, open_index
from vidembed.errors import BadQuery, InputError
from vidembed.types import Caption
from vidembed.web import Site
from vidembed.web.captioning import edit
from vidembed.web.captions_tab import lines_html
from vidembed.web.cards import welcome
from vidembed.web.explore_tab import duplicates_html
from vidembed.web.jobs import KEEP_REMOVED_S
from vidembed.web.library_tab import act
from vidembed.web.library_view import table_html
from vidembed.web.security import Guard


class TestChanges:
    def test_what_was_removed_comes_back_with_its_words(self, site: Site) -> None:
        video = video_named(site.index, "red_blue.mp4")
        clip = site.index.clips(video)[0].clip_id
        edit(site, clip, "a red wall")
        site.index.tag(video, {"place": "hall"})
        theirs = Caption(site.index.clips(video)[1], "a blue wall", 0.7, (), "some-model")
        site.index.save_captions([theirs])
        act(site, "remove", {"video": video})
        assert [r.info.path.name for r in site.videos()] == ["green.mp4"]
        assert video not in {moment.video_id for moment in site.index.search("red", k=5)}
        again = Site(site.index, site.settings)  # a reload, a restart
        assert f'data-video="{video}"' in table_html(again, "").partition("Removed")[2]
        act(again, "undo", {"video": video})
        record = next(r for r in site.videos() if r.info.video_id == video)
        assert (record.tags, record.state) == ({"place": "hall"}, "ready")
        assert [(c.text, c.model) for c in site.index.captions(video)] == [
            ("a red wall", "human"), ("a blue wall", "some-model")]  # fmt: skip
        assert site.index.search("red", k=1)[0].video_id == video
        with pytest.raises(InputError, match="can no longer be undone"):
            act(site, "undo", {"video": video})

    def test_after_a_day_it_is_forgotten(self, site: Site, library: Path) -> None:
        video = video_named(site.index, "green.mp4")
        act(site, "remove", {"video": video})
        assert site.bin.forget() == []
        later = time.time() + KEEP_REMOVED_S + 1
        assert [one.name for one in site.bin.forget(now_s=later)] == ["green.mp4"]
        assert [r.info.path.name for r in site.index.videos()] == ["red_blue.mp4"]
        assert (library / "green.mp4").exists()  # a file of a folder stays

    def test_what_was_added_again_is_not_forgotten(self, site: Site, library: Path) -> None:
        act(site, "remove", {"video": video_named(site.index, "green.mp4")})
        site.index.add(library / "green.mp4")
        assert site.bin.all() == []
        site.bin.forget(now_s=time.time() + KEEP_REMOVED_S + 1)
        assert len(site.index.videos()) == 2

    def test_nothing_waits_for_a_long_run(self, site: Site) -> None:
        """The index has one writer: removals and edits queue up instead of holding up the page."""
        begun, go = threading.Event(), threading.Event()
        site.jobs.start("Adding a lot", lambda report: (begun.set(), go.wait(30), "")[2])
        assert begun.wait(30)
        video, clip = video_named(site.index, "green.mp4"), site.index.search("red", k=1)[0].clip_id
        assert "when the running work is done" in act(site, "remove", {"video": video})
        assert edit(site, clip, "first")[1] is False
        assert edit(site, clip, "second")[1] is False
        assert "second" in lines_html(site, [site.index.clip(clip).video_id])
        assert len(site.index.videos()) == 2
        assert site.status()["text"] == "Adding a lot, 2 waiting"
        site.jobs.cancel()  # what a person did is kept
        assert site.status()["text"] == "Stopping: Adding a lot, 2 waiting"
        go.set()
        assert site.jobs.wait(60)
        assert [r.info.path.name for r in site.videos()] == ["red_blue.mp4"]
        assert [c.text for c in site.index.captions()] == ["second"]

    def test_uploads_that_were_cut_off_are_swept(self, site: Site) -> None:
        stray = site.uploads / ("0" * 16) / "half.mp4"
        other = site.uploads / "notes" / "mine.txt"
        for file in (stray, other):
            file.parent.mkdir(parents=True)
            file.write_text("x")
        site.close()
        assert not stray.exists()
        assert other.exists()  # not ours

    def test_status(self, web: TestClient) -> None:
        status = web.get("/status").json()
        assert (status["busy"], status["text"], status["share"]) == (False, "", None)


class TestCopies:
    def test_another_encoding_is_shown_side_by_side(self, site: Site, library: Path) -> None:
        assert "No video of this library is a copy" in duplicates_html(site, "vision", asked=False)
        source, copy = library / "red_blue.mp4", library / "other name.mkv"
        command = [ffmpeg_program(), "-v", "error", "-i", str(source), "-crf", "30", f"file:{copy}"]
        subprocess.run(command, check=True, capture_output=True)
        site.index.add(library)
        text = duplicates_html(site, "vision", asked=False)
        for part in ("The same video", "red_blue.mp4", "other name.mkv", 'data-start="0.000"', "/media/", "/piece/"):
            assert part in text
        assert text.count('data-action="play"') >= 2
        assert text.count('data-action="open-video"') == text.count('data-action="remove"') == 2

    def test_a_large_library_has_to_be_asked(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vidembed.web.explore_tab.MAX_AT_ONCE", 1)
        assert "Look for duplicates" in duplicates_html(site, "vision", asked=False)
        assert "No video of this library" in duplicates_html(site, "vision", asked=True)


class TestLibrary:
    def test_the_table_names_state_channels_and_failures(self, site: Site, library: Path) -> None:
        (library / "broken.mp4").write_text("no video\n" * 100)
        act(site, "folder", {"folder": str(library)})
        assert site.jobs.wait(60)
        text = table_html(site, "")
        for part in ("red_blue.mp4", "green.mp4", "broken.mp4", "ready", "failed", "Try again", "searchable by vision",
                     "has nothing for sound"):  # fmt: skip
            assert part in text
        assert str(library) not in text
        assert "broken.mp4" not in table_html(site, "green")
        assert "No such file" in table_html(site, "zebra")

    def test_orders(self, site: Site) -> None:
        def order(by: str) -> list[str]:
            return re.findall(r'<div class="ve-name">([^<]*)</div>', table_html(site, "", by))

        assert order("Name") == ["green.mp4", "red_blue.mp4"]
        lengths = {r.info.path.name: r.info.duration_s for r in site.videos()}
        assert order("Longest") == sorted(lengths, key=lambda name: -lengths[name])
        assert sorted(order("To be done")) == sorted(order("Newest")) == order("Name")

    def test_a_library_that_is_being_filled_is_not_called_empty(self, tmp_path: Path) -> None:
        with open_index(tmp_path / "empty", profile="toy") as made:
            site, begun, go = Site(made), threading.Event(), threading.Event()
            assert "The library is empty" in table_html(site, "")
            site.jobs.start("Adding 12 files", lambda report: (begun.set(), go.wait(30), "")[2])
            assert begun.wait(30)
            for text in (table_html(site, ""), welcome(site), lines_html(site, [])):
                assert "Adding 12 files" in text
                assert "is empty" not in text
            go.set()
            site.close()

    def test_retry_by_its_mark(self, site: Site, library: Path, films: Path) -> None:
        broken = library / "broken.mp4"
        broken.write_text("no video\n" * 100)
        act(site, "folder", {"folder": str(library)})
        assert site.jobs.wait(60)
        mark = table_html(site, "broken").partition('data-failure="')[2].partition('"')[0]
        toy_videos.make(broken, "white", hz=None)
        act(site, "retry", {"failure": mark})
        assert site.jobs.wait(60)
        assert any(r.info.path.name == "broken.mp4" and r.state == "ready" for r in site.index.videos())

    @pytest.mark.parametrize("action", ["retry", "remove", "nonsense"])
    def test_unknown_ids_do_nothing(self, site: Site, action: str) -> None:
        with pytest.raises(InputError):
            act(site, action, {"video": "../../etc", "failure": "x"})
        assert len(site.index.videos()) == 2


class TestCaptions:
    def test_a_persons_words_are_kept_found_and_downloaded(self, web: TestClient, guard: Guard) -> None:
        site, nasty = guard.site, "red <b>car</b> --> {{x}}"
        clip = site.index.search("red", k=1)[0].clip_id
        edit(site, clip, f"  {nasty}\n")
        video = site.index.clip(clip).video_id
        assert [(c.text, c.human, c.model) for c in site.index.captions(video)] == [(nasty, True, "human")]
        assert "00:00:00,000 --> 00:00:02,000\nred ‹b›car‹/b› → {{x}}" in web.get(f"/captions/{video}.srt").text
        assert "red &lt;b&gt;car&lt;/b&gt;" in web.get(f"/captions/{video}.vtt").text
        record = json.loads(web.get(f"/captions/{video}.jsonl").text)
        assert (record["text"], record["path"]) == (nasty, "red_blue.mp4")

    @pytest.mark.parametrize("text", ["", "  \n", "x" * 1001])
    def test_empty_and_endless_are_refused(self, site: Site, text: str) -> None:
        with pytest.raises(InputError):
            edit(site, site.index.clips()[0].clip_id, text)

    def test_unknown_clips_and_no_captions(self, site: Site, web: TestClient, shared: VideoIndex) -> None:
        with pytest.raises(BadQuery):
            edit(site, "no-such-clip", "x")
        assert web.get(f"/captions/{video_named(shared, 'green.mp4')}.srt").status_code == 404
