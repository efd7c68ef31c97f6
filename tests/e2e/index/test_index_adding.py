"""Adding files once, again, changed, moved, broken, and while others search."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_index import FAST, all_vectors

from vidembed import Filter, Query, VideoIndex, open_index
from vidembed.errors import ConfigError, InputError, MediaNotFound


def test_nothing_is_done_twice(index: VideoIndex, videos: Path) -> None:
    before = all_vectors(index)
    report = index.add(videos)
    assert (len(report.done), len(report.unchanged), report.failed, report.found) == (0, 3, (), 3)
    assert all_vectors(index) == before


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch_size=st.integers(1, 9), workers=st.integers(1, 4), prefetch=st.integers(0, 3))
def test_how_it_is_run_does_not_change_vectors(
    shared: VideoIndex, library: Path, tmp_path_factory: Any, batch_size: int, workers: int, prefetch: int
) -> None:
    run = {"run": {"batch_size": batch_size, "workers": workers, "prefetch": prefetch}}
    folder = tmp_path_factory.mktemp("run") / "index"
    with open_index(folder, profile="toy", overrides={**FAST, **run}) as other:
        other.add([library / "sub", library / "green.mp4", library])
        assert all_vectors(other) == all_vectors(shared)
        assert other.catalog.videos.clips() == shared.catalog.videos.clips()


def test_renames_copies_changes_and_losses_are_followed(index: VideoIndex, videos: Path) -> None:
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


def test_new_content_under_an_old_name_replaces_it(index: VideoIndex, videos: Path) -> None:
    toy_videos.make(videos / "green.mp4", "yellow", "yellow", hz=None)
    report = index.add(videos)
    assert [Path(path).name for path in report.done] == ["green.mp4"]
    assert index.search("yellow", k=1)[0].confidence > 0.5
    assert index.search("green", k=1)[0].confidence < 0.5
    assert index.info().videos == 3
    assert len(index.search("yellow", where=Filter(paths=("green.mp4",)))) >= 1


def test_a_bad_file_is_listed_and_mended(index: VideoIndex, videos: Path) -> None:
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


def test_a_channel_can_be_added_later_without_decoding(videos: Path, tmp_path: Path) -> None:
    with open_index(tmp_path / "later", profile="toy", overrides=FAST) as index:
        first = index.add(videos, channels=["vision"])
        assert first.counts["decoded"] > 0
        assert list(index.parts.specs) == ["vision"]
        added = index.add(videos, channels=["-vision"])
        assert added.counts.get("decoded", 0) == 0
        assert len(added.done) == 3
        assert list(index.parts.specs) == ["vision", "sound", "caption"]
        assert index.search("high", k=1)[0].path.name == "high.mp4"
        with pytest.raises(ConfigError, match="no channel 'speach' in profile 'toy'"):
            index.add(videos, channels=["+speach"])


def test_a_channel_that_is_off_is_switched_on_for_good(videos: Path, tmp_path: Path) -> None:
    tint = {"channels.tint": {"source": "frames", "model": "toy", "pool": "max", "enabled": False}}
    with open_index(tmp_path / "off", profile="toy", overrides=tint) as index:
        index.add(videos, channels=["vision"])
        assert "tint" not in index.parts.specs
        assert index.info().channels["tint"].enabled is False
        index.add(videos, channels=["+tint", "-sound", "-caption"])
        assert list(index.parts.specs) == ["vision", "tint"]
    with open_index(tmp_path / "off") as index:
        assert index.info().channels["tint"].stored == 4
        assert index.search("red", k=1, channels=["tint"])[0].path.name == "red_blue.mp4"
        toy_videos.make(videos / "new.mp4", "white", hz=None)
        index.add(videos)
        assert index.info().channels["tint"].stored == 5, "later runs fill it without being told"


def test_search_goes_on_while_another_thread_adds(index: VideoIndex, videos: Path) -> None:
    for number in range(4):
        toy_videos.make(videos / f"extra{number}.mp4", "white", "red", hz=300 + number)
    reports: list[Any] = []
    adding = threading.Thread(target=lambda: reports.append(index.add(videos, workers=2)))
    adding.start()
    while adding.is_alive():
        assert index.search("green", k=1)[0].path.name == "green.mp4"
    adding.join()
    assert len(reports[0].done) == 4


def test_missing_and_empty_inputs(index: VideoIndex, tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound):
        index.add(tmp_path / "absent")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(MediaNotFound, match="no videos in"):
        index.add(tmp_path / "hollow")


def test_awkward_files(media: Any, tmp_path: Path) -> None:
    names = ["one_frame.mp4", "audio_only.m4a", "with space 'quote' \"double\".mp4", "видео 日本語.mp4",
             "-leading-dash.mp4", "vfr.mp4", "late_audio.mkv", "silent_track.mp4"]  # fmt: skip
    bad = ["junk.mp4", "empty.mp4", "playlist.mp4", "no_index.mp4"]
    with open_index(tmp_path / "index", profile="toy", overrides=FAST) as index:
        report = index.add([media.path(name) for name in [*names, *bad]])
        assert sorted(Path(failure.item).name for failure in report.failed) == sorted(bad)
        assert sorted(Path(path).name for path in [*report.done, *report.unchanged]) == sorted(names)
        channels = {record.info.path.name: record.channels for record in index.videos()}
        assert channels["audio_only.m4a"]["vision"] == "absent"
        assert channels["audio_only.m4a"]["sound"] == "done"
        assert channels["silent_track.mp4"]["sound"] == "absent", "silence is absent, not a vector"
        sound_only = next(r for r in index.videos() if r.info.path.name == "audio_only.m4a")
        assert index.thumbnail(index.clips(sound_only.info.video_id)[0].clip_id) is None


@pytest.mark.parametrize("given", ["", "*.mp4"])  # a folder, of which the system tells; a glob, which is looked at
def test_watching_adds_what_appears_until_it_is_stopped(given: str, index: VideoIndex, videos: Path) -> None:
    stop, runs = threading.Event(), []

    def after(run: Any) -> None:
        runs.append(run)
        if len(runs) == 1:
            toy_videos.make(videos / "new.mp4", "white", hz=None)
        else:
            stop.set()

    index.watch(videos / given, interval_s=0.05, stop=stop, report=after)
    assert [len(run.done) for run in runs] == [0, 1]
    assert index.search("white", k=1)[0].path.name == "new.mp4"


@pytest.mark.parametrize("wrong", [5, b"videos", [None], ["videos", 5]])
def test_what_names_no_video_is_said(index: VideoIndex, wrong: Any) -> None:
    with pytest.raises(InputError, match="a video is named by a text or a Path, got"):
        index.add(wrong)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda index, videos: index.add(videos, shard=(3, 2)), r"shard takes \(N, M\) with N from 1 to M"),
        (lambda index, videos: index.search_sequence("red"), "a sequence takes a list of queries"),
        (lambda index, videos: index.search(Query.audio(5)), "a query of audio takes a path or AudioSamples, got int"),
        (lambda index, videos: index.ask(None), "a question takes some words"),
        (lambda index, videos: index.classify(["red"], threshold=5), "threshold must be between 0 and 1, got 5"),
    ],
)
def test_what_cannot_be_asked_is_said(
    index: VideoIndex, videos: Path, asked: Callable[[VideoIndex, Path], Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        asked(index, videos)
