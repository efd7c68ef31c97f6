"""The whole path on real files: open, add, search, change, re-encode, remove; answers worked out by hand."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_videos
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vidembed
from vidembed import Filter, Query, VideoIndex, open_index
from vidembed.errors import (
    BadQuery,
    ConfigError,
    IndexBusy,
    IndexMismatch,
    InputError,
    MediaNotFound,
    StoreError,
    StoreUnavailable,
    UnknownModel,
)
from vidembed.types import Candidate, Caption

FAST = {"store.kind": "memory"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """red and blue with a low tone; green, silent; blue with a high tone."""
    folder = tmp_path_factory.mktemp("library")
    toy_videos.make(folder / "red_blue.mp4", "red", "red", "blue", "blue", hz=200)
    toy_videos.make(folder / "green.mp4", "lime", "lime", hz=None)
    toy_videos.make(folder / "sub" / "high.mp4", "blue", "blue", hz=5000)
    return folder


@pytest.fixture
def videos(library: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(library, tmp_path / "videos", copy_function=shutil.copy2))


@pytest.fixture
def index(tmp_path: Path, videos: Path) -> Iterator[VideoIndex]:
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as made:
        made.add(videos)
        yield made


@pytest.fixture(scope="module")
def shared(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    """One filled index for tests that change nothing."""
    with open_index(tmp_path_factory.mktemp("shared") / "index", profile="toy", overrides=FAST) as made:
        made.add(library)
        yield made


def all_vectors(index: VideoIndex) -> dict[tuple[str, str], Any]:
    found = {}
    for name, lane in index.lanes.items():
        for rows in index.store.scan(lane.collection, units=True):
            for row in rows:
                units = None if row.units is None else row.units.tobytes()
                found[name, row.clip.clip_id] = (row.clip, np.asarray(row.vector).tobytes(), units)
    return found


class TestSearch:
    def test_colours_tones_and_both(self, shared: VideoIndex) -> None:
        red = shared.search("red", k=1)[0]
        assert (red.path.name, red.span.start_s) == ("red_blue.mp4", 0.0)
        assert red.span.end_s == pytest.approx(2.0, abs=0.5)
        assert red.span.contains(red.best_s)
        assert red.hits[0].score == pytest.approx(1.0, abs=1e-3)
        blue = {moment.path.name for moment in shared.search("blue", k=2)}
        assert blue == {"red_blue.mp4", "high.mp4"}
        assert shared.search("high", k=1)[0].path.name == "high.mp4"
        assert shared.search("blue low", k=1)[0].path.name == "red_blue.mp4"
        assert shared.search("blue high", k=1)[0].path.name == "high.mp4"

    def test_a_picture_a_sound_and_a_video_find_their_like(self, shared: VideoIndex, library: Path) -> None:
        green = np.zeros((8, 8, 3), np.uint8)
        green[..., 1] = 255
        assert shared.search(Query.image(green), k=1)[0].path.name == "green.mp4"
        assert shared.search(Query.audio(library / "sub" / "high.mp4"), k=1)[0].path.name == "high.mp4"
        assert shared.search(Query.video(library / "green.mp4"), k=1)[0].path.name == "green.mp4"

    def test_every_clips_own_frame_finds_it_first(self, shared: VideoIndex) -> None:
        for clip in shared.clips():
            with shared_reader(shared, clip.video_id) as video:
                frame = video.frames([clip.span.middle_s], short_side_px=64).rgb[0]
            best = shared.search(Query.image(frame), k=1, channels=["vision"])[0]
            same = {row.clip_id for row in shared.clips() if colour_of(shared, row) == colour_of(shared, clip)}
            assert best.clip_id in same

    def test_filters(self, shared: VideoIndex) -> None:
        assert {m.path.name for m in shared.search("blue", where=Filter(paths=("sub/*",)))} == {"high.mp4"}
        assert shared.search("blue", where=Filter(paths=("*.mkv",))) == []
        longer = shared.search("blue", where=Filter(min_duration_s=3.0))
        assert {m.path.name for m in longer} == {"red_blue.mp4"}
        assert all(m.video_id for m in shared.search("blue", group_by_video=True))

    def test_more_like_this_leaves_the_clip_itself_out(self, shared: VideoIndex) -> None:
        clip = next(c for c in shared.clips() if shared.path_of(c.video_id).name == "high.mp4")
        found = shared.search(Query.clip(clip.clip_id), channels=["vision"], k=1)[0]
        assert (found.path.name, found.clip_id != clip.clip_id) == ("red_blue.mp4", True)

    def test_the_curve_is_high_where_the_colour_is(self, shared: VideoIndex) -> None:
        video_id = next(c.video_id for c in shared.clips() if shared.path_of(c.video_id).name == "red_blue.mp4")
        times_s, scores = shared.curve("red", video_id)
        assert scores[times_s < 1.5].min() > scores[times_s > 2.5].max()

    def test_bad_queries(self, shared: VideoIndex, tmp_path: Path) -> None:
        for query in ("", "  ", Query.clip("nobody")):
            with pytest.raises(BadQuery):
                shared.search(query)
        with pytest.raises(MediaNotFound):
            shared.search(Query.image(tmp_path / "absent.jpg"))
        (tmp_path / "text.jpg").write_text("no picture")
        with pytest.raises(BadQuery, match="not a picture"):
            shared.search(Query.image(tmp_path / "text.jpg"))
        with pytest.raises(BadQuery, match="no channel 'speech'"):
            shared.search("red", channels=["speech"])


def shared_reader(index: VideoIndex, video_id: str) -> Any:
    from vidembed.media.reader import open_video

    return open_video(index.path_of(video_id))


def colour_of(index: VideoIndex, clip: Any) -> str:
    """Which of the three files' looks a clip has: the blue halves look alike."""
    name = index.path_of(clip.video_id).name
    if name == "green.mp4":
        return "green"
    return "high" if name == "high.mp4" or clip.index == 1 else "red"


class TestAddingAgain:
    def test_nothing_is_done_twice(self, index: VideoIndex, videos: Path) -> None:
        before = all_vectors(index)
        report = index.add(videos)
        assert (len(report.done), len(report.unchanged), report.failed, report.found) == (0, 3, (), 3)
        assert all_vectors(index) == before

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(batch_size=st.integers(1, 9), workers=st.integers(1, 4), prefetch=st.integers(0, 3))
    def test_how_it_is_run_does_not_change_vectors(
        self, shared: VideoIndex, library: Path, tmp_path_factory: Any, batch_size: int, workers: int, prefetch: int
    ) -> None:
        run = {"run": {"batch_size": batch_size, "workers": workers, "prefetch": prefetch}}
        folder = tmp_path_factory.mktemp("run") / "index"
        with open_index(folder, profile="toy", overrides={**FAST, **run}) as other:
            other.add([library / "sub", library / "green.mp4", library])
            assert all_vectors(other) == all_vectors(shared)
            assert other.catalog.videos.clips() == shared.catalog.videos.clips()

    def test_renames_copies_changes_and_losses_are_followed(self, index: VideoIndex, videos: Path) -> None:
        before = all_vectors(index)
        (videos / "green.mp4").rename(videos / "lime.mp4")
        shutil.copy(videos / "red_blue.mp4", videos / "again.mp4")
        report = index.add(videos)
        assert (len(report.done), len(report.unchanged)) == (0, 4)
        assert all_vectors(index) == before
        assert index.search("green", k=1)[0].path.name == "lime.mp4"
        copies = next(record for record in index.videos() if len(record.paths) == 2 and record.state == "ready")
        assert [path.name for path in copies.paths] == ["again.mp4", "red_blue.mp4"]
        # Touched: read again by content, nothing to do. Gone: hidden, then forgotten with prune.
        toy_videos.touch_later(videos / "lime.mp4")
        (videos / "sub" / "high.mp4").unlink()
        assert len(index.add(videos).unchanged) == 3
        assert "high.mp4" not in {moment.path.name for moment in index.search("blue")}
        assert (index.info().videos, index.info().gone) == (3, 1)
        index.add(videos, prune=True)
        assert (index.info().videos, index.info().gone) == (2, 0)
        assert len(all_vectors(index)) == len(before) - 2

    def test_new_content_under_an_old_name_replaces_it(self, index: VideoIndex, videos: Path) -> None:
        toy_videos.make(videos / "green.mp4", "yellow", "yellow", hz=None)
        report = index.add(videos)
        assert [Path(path).name for path in report.done] == ["green.mp4"]
        assert index.search("yellow", k=1)[0].confidence > 0.5
        assert index.search("green", k=1)[0].confidence < 0.5
        assert index.info().videos == 3
        assert len(index.search("yellow", where=Filter(paths=("green.mp4",)))) >= 1

    def test_a_bad_file_is_listed_and_mended(self, index: VideoIndex, videos: Path) -> None:
        (videos / "bad.mp4").write_text("this is text")
        (videos / "empty.mp4").write_bytes(b"")
        report = index.add(videos)
        assert sorted(Path(f.item).name for f in report.failed) == ["bad.mp4", "empty.mp4"]
        assert [f.stage for f in index.failures()] == ["probe", "probe"]
        assert report.found == 5
        toy_videos.make(videos / "bad.mp4", "white", hz=None)
        (videos / "empty.mp4").unlink()
        assert index.add(videos).failed == ()
        assert index.failures() == []
        assert index.search("white", k=1)[0].path.name == "bad.mp4"

    def test_a_lane_can_be_added_later_without_decoding(self, videos: Path, tmp_path: Path) -> None:
        with open_index(tmp_path / "later", profile="toy", overrides=FAST) as index:
            first = index.add(videos, channels=["vision"])
            assert first.counts["decoded"] > 0
            assert list(index.lanes) == ["vision"]
            added = index.add(videos, channels=["-vision"])
            assert added.counts.get("decoded", 0) == 0
            assert len(added.done) == 3
            assert list(index.lanes) == ["vision", "sound", "caption"]
            assert index.search("high", k=1)[0].path.name == "high.mp4"
            with pytest.raises(ConfigError, match="no channel 'speach' in profile 'toy'"):
                index.add(videos, channels=["+speach"])

    def test_a_lane_that_is_off_is_switched_on_for_good(self, videos: Path, tmp_path: Path) -> None:
        tint = {"channels.tint": {"source": "frames", "model": "toy", "pool": "max", "enabled": False}}
        with open_index(tmp_path / "off", profile="toy", overrides=tint) as index:
            index.add(videos, channels=["vision"])
            assert "tint" not in index.lanes
            assert index.info().channels["tint"].enabled is False
            index.add(videos, channels=["+tint", "-sound", "-caption"])
            assert list(index.lanes) == ["vision", "tint"]
        with open_index(tmp_path / "off") as index:
            assert index.info().channels["tint"].stored == 4
            assert index.search("red", k=1, channels=["tint"])[0].path.name == "red_blue.mp4"
            toy_videos.make(videos / "new.mp4", "white", hz=None)
            index.add(videos)
            assert index.info().channels["tint"].stored == 5, "later runs fill it without being told"

    def test_search_goes_on_while_another_thread_adds(self, index: VideoIndex, videos: Path) -> None:
        for number in range(4):
            toy_videos.make(videos / f"extra{number}.mp4", "white", "red", hz=300 + number)
        reports: list[Any] = []
        adding = threading.Thread(target=lambda: reports.append(index.add(videos, workers=2)))
        adding.start()
        while adding.is_alive():
            assert index.search("green", k=1)[0].path.name == "green.mp4"
        adding.join()
        assert len(reports[0].done) == 4


class TestWhatMadeIt:
    def test_it_remembers_its_profile_and_settings(self, videos: Path, tmp_path: Path) -> None:
        where = tmp_path / "kept"
        with open_index(where, profile="toy", overrides={"sample.rate_hz": 4.0, "search.rrf_k": 9}) as index:
            index.add(videos)
            before = all_vectors(index)
            asked = [(m.path, m.span) for m in index.search("blue")]
        with open_index(where) as index:
            assert (index.config.profile, index.config.sample.rate_hz, index.config.search.rrf_k) == ("toy", 4.0, 9)
            assert all_vectors(index) == before
            assert [(m.path, m.span) for m in index.search("blue")] == asked
            assert len(index.add(videos).unchanged) == 3

    def test_other_settings_are_refused_with_the_way_out(self, index: VideoIndex) -> None:
        where = index.path
        with pytest.raises(IndexMismatch) as caught:
            open_index(where, overrides=["segment.window_s=5"])
        assert "segment.window_s = 2.0; now it is segment.window_s = 5" in str(caught.value)
        with pytest.raises(IndexMismatch) as caught:
            open_index(where, overrides=["channels.vision.pool=max"])
        assert "channels.vision.pool = 'mean'; now it is channels.vision.pool = 'max'" in str(caught.value)
        assert f"vidembed index --index {where} --reencode vision" in caught.value.hint
        with pytest.raises(IndexMismatch, match="sample"):
            open_index(where, profile="starter")
        with open_index(where, overrides=["search.rrf_k=3", "run.workers=2"]) as other:
            assert other.config.search.rrf_k == 3

    def test_a_channel_is_encoded_anew_while_the_old_one_serves(self, videos: Path, tmp_path: Path) -> None:
        with open_index(tmp_path / "anew", profile="toy") as index:
            index.add(videos)
            old = index.lanes["vision"].collection
            best = {"channels.vision.pool": "max"}
            index.reencode("vision", overrides=best, progress=lambda _: check_old(index, old))
            new = index.lanes["vision"].collection
            assert new != old
            assert index.store.aliases()["vision"] == new
            assert old not in index.store.collections()
            assert index.config.channels["vision"].pool == "max"
            assert index.search("red", k=1)[0].path.name == "red_blue.mp4"
            assert len(index.add(videos).unchanged) == 3
        with open_index(tmp_path / "anew") as index:
            assert index.config.channels["vision"].pool == "max"

    def test_a_failed_re_encoding_leaves_the_old_one_serving(self, index: VideoIndex, videos: Path) -> None:
        old = index.lanes["vision"].collection
        content = (videos / "green.mp4").read_bytes()
        (videos / "green.mp4").write_bytes(content[: len(content) // 2])
        report = index.reencode("vision", overrides={"channels.vision.pool": "max"})
        assert len(report.failed) == 1
        assert index.lanes["vision"].collection == old
        (videos / "green.mp4").write_bytes(content)
        report = index.reencode("vision", overrides={"channels.vision.pool": "max"})
        assert len(report.done) == 1, "what was done stays done"
        assert index.lanes["vision"].collection != old

    def test_vectors_that_are_gone_are_made_again(self, videos: Path, tmp_path: Path) -> None:
        with open_index(tmp_path / "lost", profile="toy", overrides=FAST) as index:
            index.add(videos)
        with open_index(tmp_path / "lost") as index:  # a memory store forgets
            assert index.search("red") == []
            assert len(index.add(videos).done) == 3
            assert index.search("red", k=1)[0].path.name == "red_blue.mp4"

    def test_damage_and_newer_formats_are_said(self, index: VideoIndex) -> None:
        manifest = index.path / "index.json"
        text = manifest.read_text()
        manifest.write_text(text.replace('"format": 1', '"format": 2'))
        with pytest.raises(IndexMismatch, match="has format 2, this vidembed reads up to 1"):
            open_index(index.path)
        manifest.write_text("{")
        with pytest.raises(StoreUnavailable, match="index.json cannot be read"):
            open_index(index.path)

    def test_places_where_no_index_can_be(self, videos: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no index at"):
            open_index(tmp_path / "absent", create=False)
        with pytest.raises(ConfigError, match="holds other files"):
            open_index(videos, profile="toy")
        assert not (videos / "index.json").exists()
        with pytest.raises(UnknownModel, match="nothing"):
            open_index(tmp_path / "unknown", profile="toy", overrides=["channels.vision.model=nothing"])
        assert not (tmp_path / "unknown").exists()


def check_old(index: VideoIndex, old: str) -> None:
    assert index.lanes["vision"].collection == old
    assert index.search("red", k=1)[0].path.name == "red_blue.mp4"


class TestLookingAndTakingOut:
    def test_info_videos_and_clips(self, shared: VideoIndex) -> None:
        info = shared.info()
        assert (info.videos, info.clips, info.duration_s) == (3, 4, pytest.approx(8.0, abs=0.1))
        assert (info.channels["vision"].done, info.channels["vision"].stored) == (3, 4)
        assert (info.channels["sound"].done, info.channels["sound"].absent) == (2, 1)
        assert "3 videos, 4 clips" in str(info)
        records = shared.videos()
        assert [record.state for record in records] == ["ready"] * 3
        assert {record.reader for record in records} == {"pyav"}
        green = next(record for record in records if record.info.path.name == "green.mp4")
        assert green.channels == {"vision": "done", "sound": "absent", "caption": "absent"}
        assert [clip.span.start_s for clip in shared.clips(records[1].info.video_id)] == [0.0, 2.0][: records[1].clips]
        with pytest.raises(BadQuery, match="no clip"):
            shared.clip("nobody")

    def test_thumbnails_are_there_and_made_when_asked(self, index: VideoIndex) -> None:
        import PIL.Image

        for clip in index.clips():
            path = index.thumbnail(clip.clip_id)
            assert path is not None
            with PIL.Image.open(path) as picture:
                assert picture.size == (64, 48)
        path.unlink()
        assert index.thumbnail(clip.clip_id) == path
        assert path.exists()

    def test_captions_are_searchable_at_once_and_people_have_the_last_word(self, index: VideoIndex) -> None:
        clip = index.clips()[0]
        by_model = Caption(clip, "magenta curtains", 0.9, (Candidate("magenta curtains", {}),), "toy")
        assert index.save_captions([by_model]) == [by_model]
        found = index.search("magenta", k=1)[0]
        assert (found.clip_id, found.caption) == (clip.clip_id, "magenta curtains")
        assert index.texts(clip.clip_id)["caption"].text == "magenta curtains"
        by_person = Caption(clip, "cyan curtains", 1.0, (), "me", human=True)
        index.save_captions([by_person])
        assert index.save_captions([by_model]) == []
        assert index.captions(clip.video_id) == [by_person]
        assert index.search("cyan", k=1, channels=["caption"])[0].clip_id == clip.clip_id
        assert index.info().channels["caption"].stored == 1

    def test_removing_by_path_folder_glob_and_id(self, index: VideoIndex, videos: Path) -> None:
        thumbnails = {path for clip in index.clips() if (path := index.thumbnail(clip.clip_id))}
        assert index.remove(videos / "sub") == 1
        assert index.remove([str(videos / "gr*.mp4")]) == 1
        assert index.remove("nothing like it") == 0
        assert index.info().videos == 1
        assert len([path for path in thumbnails if path.exists()]) == 2
        assert index.remove(index.videos()[0].info.video_id) == 1
        assert all_vectors(index) == {}
        assert (videos / "green.mp4").exists(), "the files themselves are never touched"
        assert len(index.add(videos).done) == 3

    def test_one_copy_removed_leaves_the_other(self, index: VideoIndex, videos: Path) -> None:
        shutil.copy(videos / "green.mp4", videos / "copy.mp4")
        index.add(videos)
        assert index.remove(videos / "green.mp4") == 1
        assert index.search("green", k=1)[0].path.name == "copy.mp4"

    def test_readonly_reads_only(self, index: VideoIndex, videos: Path) -> None:
        with open_index(index.path, readonly=True) as reader:
            assert reader.info().videos == 3
            with pytest.raises(StoreError, match="for reading only"):
                reader.add(videos)

    def test_two_processes_do_not_write_at_once(self, index: VideoIndex, videos: Path) -> None:
        from filelock import FileLock

        with FileLock(index.path / "write.lock"), pytest.raises(IndexBusy, match="another process is writing"):
            index.add(videos)

    def test_rows_are_the_stored_vectors(self, shared: VideoIndex) -> None:
        ids = [clip.clip_id for clip in shared.clips()]
        rows = shared.rows("vision", ids)
        assert set(rows) == set(ids)
        assert all(row.units is not None and len(row.units) == len(row.unit_times_s) for row in rows.values())
        with pytest.raises(BadQuery, match="no channel"):
            shared.rows("vison", ids)


class TestInputs:
    def test_missing_and_empty_inputs(self, index: VideoIndex, tmp_path: Path) -> None:
        with pytest.raises(MediaNotFound):
            index.add(tmp_path / "absent")
        (tmp_path / "hollow").mkdir()
        with pytest.raises(MediaNotFound, match="no videos in"):
            index.add(tmp_path / "hollow")

    def test_awkward_files(self, media: Any, tmp_path: Path) -> None:
        names = ["one_frame.mp4", "audio_only.m4a", "with space 'quote' \"double\".mp4", "видео 日本語.mp4",
                 "-leading-dash.mp4", "vfr.mp4", "late_audio.mkv", "silent_track.mp4"]  # fmt: skip
        bad = ["junk.mp4", "empty.mp4", "playlist.mp4", "no_index.mp4"]
        with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
            report = index.add([media.path(name) for name in [*names, *bad]])
            assert sorted(Path(failure.item).name for failure in report.failed) == sorted(bad)
            assert sorted(Path(path).name for path in [*report.done, *report.unchanged]) == sorted(names)
            lanes = {record.info.path.name: record.channels for record in index.videos()}
            assert lanes["audio_only.m4a"]["vision"] == "absent"
            assert lanes["audio_only.m4a"]["sound"] == "done"
            assert lanes["silent_track.mp4"]["sound"] == "absent", "silence is absent, not a vector"
            sound_only = next(r for r in index.videos() if r.info.path.name == "audio_only.m4a")
            assert index.thumbnail(index.clips(sound_only.info.video_id)[0].clip_id) is None

    def test_watching_adds_what_appears_until_it_is_stopped(self, index: VideoIndex, videos: Path) -> None:
        stop, runs = threading.Event(), []

        def after(run: Any) -> None:
            runs.append(run)
            if len(runs) == 1:
                toy_videos.make(videos / "new.mp4", "white", hz=None)
            else:
                stop.set()

        index.watch(videos, interval_s=0.05, stop=stop, report=after)
        assert [len(run.done) for run in runs] == [0, 1]
        assert index.search("white", k=1)[0].path.name == "new.mp4"


def test_public_names_are_lazy_and_complete() -> None:
    assert vidembed.open_index is open_index
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vidembed.nonsense  # noqa: B018
