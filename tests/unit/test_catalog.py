"""The catalog: what goes in comes out, transactions hold, and damage is said."""

from __future__ import annotations

import sqlite3
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from vidembed.errors import IndexMismatch, StoreError, StoreUnavailable
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.database import MIGRATIONS
from vidembed.index.catalog.texts import ChannelCounts
from vidembed.types import Candidate, Caption, Clip, Failure, Span, TextLine, TimedText, VideoInfo

VIDEO = "a" * 32
OTHER = "b" * 32


def info(video_id: str = VIDEO, path: str = "/v/a.mp4") -> VideoInfo:
    return VideoInfo(video_id, Path(path), 10, 20, 6.0, 64, 48, Fraction(30000, 1001), 16000, 2, "h264")


def clips(video_id: str = VIDEO) -> list[Clip]:
    return [Clip.make(video_id, number, Span(2.0 * number, 2.0 * number + 2)) for number in range(3)]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path / "catalog.sqlite")
    made.videos.put(info(), reader="pyav")
    made.videos.put_clips(clips())
    made.videos.link("/v/a.mp4", VIDEO, size_bytes=10, mtime_ns=20)
    return made


def test_videos_and_clips_come_back_as_they_went_in(catalog: Catalog) -> None:
    row = catalog.videos.get(VIDEO)
    assert row is not None
    assert row.info == info()
    assert (row.reader, row.missing) == ("pyav", False)
    assert catalog.videos.clips(VIDEO) == clips()
    assert catalog.videos.clips_by_id([clips()[1].clip_id, "unknown"]) == {clips()[1].clip_id: clips()[1]}
    assert catalog.videos.get(OTHER) is None


def test_copies_share_a_video_and_the_last_file_gone_makes_it_gone(catalog: Catalog) -> None:
    catalog.videos.link("/v/copy.mp4", VIDEO, size_bytes=10, mtime_ns=21)
    assert [row.path for row in catalog.videos.paths_of(VIDEO)] == ["/v/a.mp4", "/v/copy.mp4"]
    catalog.videos.mark_missing(["/v/a.mp4"])
    row = catalog.videos.get(VIDEO)
    assert row is not None
    assert row.info.path == Path("/v/copy.mp4")  # the one that is there
    assert catalog.videos.gone() == frozenset()
    catalog.videos.mark_missing(["/v/copy.mp4"])
    assert catalog.videos.gone() == {VIDEO}
    assert catalog.videos.present_paths() == {}


def test_link_says_which_video_lost_its_last_file(catalog: Catalog) -> None:
    catalog.videos.put(info(OTHER), reader="")
    assert catalog.videos.link("/v/a.mp4", OTHER, size_bytes=11, mtime_ns=22) == VIDEO
    assert catalog.videos.without_files() == [VIDEO]
    assert catalog.videos.link("/v/a.mp4", OTHER, size_bytes=11, mtime_ns=23) is None


def test_deleting_a_video_takes_all_that_is_its_own(catalog: Catalog) -> None:
    clip = clips()[0]
    text = TimedText((TextLine(clip.span, "hello"),))
    catalog.texts.put("speech", "m", {clip.clip_id: text})
    catalog.captions.put([Caption(clip, "a dog", 0.5, (), "toy")])
    catalog.states.begin(VIDEO, ["vision.1"])
    catalog.states.finish(VIDEO, "vision.1", "done", 3)
    catalog.videos.delete(VIDEO)
    assert catalog.videos.totals() == (0, 0, 0.0)
    assert catalog.texts.of_many([clip.clip_id]) == {}
    assert catalog.captions.get() == []
    assert catalog.states.all() == {}
    assert catalog.states.pending() == []


def test_channels_are_pending_until_settled(catalog: Catalog) -> None:
    catalog.states.begin(VIDEO, ["vision.1", "sound.2"])
    assert catalog.states.pending() == [(VIDEO, "sound.2"), (VIDEO, "vision.1")]
    catalog.states.finish(VIDEO, "vision.1", "done", 3)
    assert catalog.states.of(VIDEO) == {"vision.1": "done"}
    catalog.states.settled([(VIDEO, "vision.1")])
    assert catalog.states.pending() == [(VIDEO, "sound.2")]
    assert catalog.states.counts() == {"vision.1": ChannelCounts(done=1, stored=3)}
    assert (catalog.states.stored(VIDEO, "vision.1"), catalog.states.stored(VIDEO, "sound.2")) == (3, None)


def test_texts_remember_where_nothing_was_found(catalog: Catalog) -> None:
    one, two, three = clips()
    said = TimedText((TextLine(Span(0.5, 1.5), "grüß Gott", 0.9, ((0.5, 1.0, "grüß"), (1.0, 1.5, "Gott"))),), "de")
    catalog.texts.put("speech", "speech:tiny", {one.clip_id: said, two.clip_id: None})
    assert catalog.texts.of_many([one.clip_id]) == {one.clip_id: {"speech": said}}
    assert catalog.texts.of_many([two.clip_id]) == {}
    assert catalog.texts.known(VIDEO, "speech", "speech:tiny") == {one.clip_id: said, two.clip_id: None}
    assert three.clip_id not in catalog.texts.known(VIDEO, "speech", "speech:tiny")
    assert catalog.texts.known(VIDEO, "speech", "speech:large") == {}, "another model has not been through it"


def test_a_models_caption_never_replaces_a_persons(catalog: Catalog) -> None:
    clip = clips()[0]
    candidates = (Candidate("a dog", {"vision": 0.3}, "beam 1"),)
    by_person = Caption(clip, "my dog Rex", 1.0, candidates, "me", human=True)
    by_model = Caption(clip, "a dog", 0.5, candidates, "toy")
    assert catalog.captions.put([by_model]) == [by_model]
    assert catalog.captions.put([by_person]) == [by_person]
    assert catalog.captions.put([by_model]) == []
    assert catalog.captions.get(VIDEO) == [by_person]
    newer = Caption(clip, "Rex", 1.0, (), "me", human=True)
    assert catalog.captions.put([newer]) == [newer]


def test_an_error_inside_a_transaction_leaves_no_trace(catalog: Catalog) -> None:
    def write() -> None:
        with catalog.transaction():
            catalog.videos.put(info(OTHER), reader="")
            catalog.put_failure(Failure("/v/x.mp4", "probe", "MediaUnreadable", "broken"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write()
    assert catalog.videos.get(OTHER) is None
    assert catalog.failures() == []


def test_failures_are_one_per_item_and_stage_and_can_be_cleared(catalog: Catalog) -> None:
    catalog.put_failure(Failure("/v/x.mp4", "probe", "MediaUnreadable", "broken", "copy it again"))
    catalog.put_failure(Failure("/v/x.mp4", "probe", "MediaUnreadable", "still broken"))
    assert [failure.message for failure in catalog.failures()] == ["still broken"]
    catalog.clear_failures("/v/x.mp4")
    assert catalog.failures() == []


def test_many_threads_read_while_one_writes(catalog: Catalog) -> None:
    wrong: list[object] = []

    def read() -> None:
        for _ in range(50):
            if len(catalog.videos.clips(VIDEO)) != 3:
                wrong.append("clips")

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(50):
        catalog.put_failure(Failure("a.mp4", "decode", "MediaUnreadable", str(number)))
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [failure.message for failure in catalog.failures()] == ["49"]


def test_reopening_keeps_everything_and_a_closed_catalog_says_so(tmp_path: Path, catalog: Catalog) -> None:
    catalog.close()
    with pytest.raises(StoreError, match="is closed"):
        catalog.videos.all()
    again = Catalog(tmp_path / "catalog.sqlite", readonly=True)
    assert [row.info.video_id for row in again.videos.all()] == [VIDEO]
    with pytest.raises(StoreUnavailable, match="readonly"):
        again.clear_failures("a.mp4")


def test_a_newer_format_and_a_damaged_file_are_said(tmp_path: Path) -> None:
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(IndexMismatch, match=f"has format {len(MIGRATIONS) + 1}, this vidembed reads up to"):
        Catalog(newer)
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"this is no database, but long enough to be taken for one" * 100)
    with pytest.raises(StoreUnavailable, match="damaged"):
        Catalog(damaged)


@pytest.mark.parametrize("readonly", [False, True])
def test_a_catalog_of_the_first_format_opens_and_is_brought_up_to_date(tmp_path: Path, readonly: bool) -> None:
    old = tmp_path / "old.sqlite"
    with sqlite3.connect(old) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO videos VALUES (?, 10, 6.0, 64, 48, '25', NULL, NULL, 'h264', 'pyav', 0)", (VIDEO,)
        )
        connection.execute("INSERT INTO runs VALUES (1, 0, 9, 1, 0, 0, 3, 6, '{}')")
        connection.execute("INSERT INTO paths VALUES ('/v/a.mp4', ?, 10, 20, 0)", (VIDEO,))
    before = old.read_bytes()
    catalog = Catalog(old, readonly=readonly)
    (row,) = catalog.videos.all()
    assert (row.info.video_id, row.reader, dict(row.counts)) == (VIDEO, "pyav", {})
    if not readonly:
        catalog.videos.put(row.info, reader="", counts={"decoded": 9, "corrupt": 2, "seeks": 1, "kept": 5})
        catalog.videos.put(row.info, reader="", counts={"decoded": 4, "audio_corrupt": 1})
        (row,) = catalog.videos.all()
        assert row.counts == {"decoded": 9, "corrupt": 2, "audio_corrupt": 1}
    catalog.close()
    if readonly:
        assert (old.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (before, ["old.sqlite"])
        return
    Catalog(tmp_path / "new.sqlite").close()
    assert tables(old) == tables(tmp_path / "new.sqlite")  # no table of the old format is left over


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_version_differs_after_a_change_from_anywhere(catalog: Catalog, tmp_path: Path) -> None:
    first = catalog.version()
    catalog.videos.get(VIDEO)
    assert catalog.version() == first  # reading is no change
    catalog.videos.link("/v/copy.mp4", VIDEO, size_bytes=10, mtime_ns=21)
    second = catalog.version()
    assert second != first
    other = Catalog(tmp_path / "catalog.sqlite")  # as another process would
    other.videos.mark_missing(["/v/copy.mp4"])
    other.close()
    assert catalog.version() != second
