"""Looking at what an index holds, and taking it out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from toy_index import all_vectors

from vidembed import VideoIndex
from vidembed.errors import BadQuery, VidembedError
from vidembed.types import Candidate, Caption, Failure


def test_info_videos_and_clips(shared: VideoIndex) -> None:
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


def test_info_says_what_takes_the_disk(shared: VideoIndex) -> None:
    info = shared.info()
    assert set(info.sizes_bytes) == {"vectors", "thumbnails", "catalog", "cache"}
    assert info.sizes_bytes["catalog"] > 0
    assert " an hour" not in str(info)  # of eight seconds: that says nothing
    long = replace(info, duration_s=1800.0, sizes_bytes={"vectors": 5_000_000, "write-ahead log": 2_500_000})
    assert "disk 7.5 MB: vectors 5.0 (10.0 an hour), write-ahead log 2.5 (5.0 an hour)" in str(long)


def test_thumbnails_are_there_and_made_when_asked(index: VideoIndex) -> None:
    import PIL.Image

    for clip in index.clips():
        path = index.thumbnail(clip.clip_id)
        assert path is not None
        with PIL.Image.open(path) as picture:
            assert picture.size == (64, 48)
    path.unlink()
    assert index.thumbnail(clip.clip_id) == path
    assert path.exists()


def test_captions_are_searchable_at_once_and_people_have_the_last_word(index: VideoIndex) -> None:
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


def test_a_caption_that_cannot_be_encoded_is_named_by_file_and_time(
    index: VideoIndex, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, clip = index.parts.channels["caption"].encoder, index.clips(videos / "green.mp4")[0]
    failing = [Failure(clip.clip_id, "encode", "ValueError", "too odd")]
    monkeypatch.setattr(encoder, "encode_clips", lambda texts, clips: failing)
    with pytest.raises(VidembedError, match=rf"the caption of .*green\.mp4 {clip.span} cannot be encoded: too odd"):
        index.save_captions([Caption(clip, "magenta", 0.9, (), "toy")])


def test_removing_by_path_folder_glob_and_id(index: VideoIndex, videos: Path) -> None:
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


def test_one_copy_removed_leaves_the_other(index: VideoIndex, videos: Path) -> None:
    shutil.copy(videos / "green.mp4", videos / "copy.mp4")
    index.add(videos)
    assert index.remove(videos / "green.mp4") == 1
    assert index.search("green", k=1)[0].path.name == "copy.mp4"


def test_rows_are_the_stored_vectors(shared: VideoIndex) -> None:
    ids = [clip.clip_id for clip in shared.clips()]
    rows = shared.rows("vision", ids)
    assert set(rows) == set(ids)
    assert all(row.segments is not None and len(row.segments) == len(row.segment_times_s) for row in rows.values())
    with pytest.raises(BadQuery, match="no channel"):
        shared.rows("vison", ids)
