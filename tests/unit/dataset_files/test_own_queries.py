"""One's own queries as JSON Lines, and what is said of wrong lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotation_files import touch, write

from vidembed.errors import InputError
from vidembed.evaluation import read_queries
from vidembed.types import Span


def test_own_queries(tmp_path: Path, media: Path) -> None:
    touch(media, "lake.mp4", "sub/b.mp4")
    touch(tmp_path, "dog.jpg")
    file = write(
        tmp_path,
        "queries.jsonl",
        [
            {"id": "jump", "text": "a dog jumps", "video": "lake.mp4", "start_s": 12, "end_s": 15.5},
            {"text": "a bark", "answers": [{"video": "sub/b.mp4", "start_s": 1, "end_s": 2}, {"video": "lake.mp4"}],
             "channel": "audio"},
            {"image": "dog.jpg", "video": "b.mp4"},
            {"text": "a spaceship", "no_answer": True},
            {"text": "gone", "video": "gone.mp4"},
        ],
    )  # fmt: skip
    found = read_queries(file, media)
    assert [q.query_id for q in found.queries] == ["jump", "q2", "q3", "q4", "q5"]
    assert found.queries[0].answers[0].spans == (Span(12, 15.5),)
    assert found.queries[1].videos == {"sub/b.mp4", "lake.mp4"}
    assert (found.queries[1].channel, len(found.queries[1].stretches)) == ("audio", 1)
    assert (found.queries[2].modality, found.queries[2].value) == ("image", tmp_path / "dog.jpg")
    assert found.queries[3].answers == ()
    assert found.missing == ("gone.mp4",)
    present = found.present()
    assert [q.query_id for q in present.queries] == ["jump", "q2", "q3", "q4"]
    assert found.counts()["queries without an answer"] == 1


def test_own_queries_over_an_index_know_its_videos(tmp_path: Path, media: Path) -> None:
    touch(media, "lake.mp4")
    path = str((media / "lake.mp4").resolve())
    video_id = "0" * 32
    lines = [{"text": "a", "video": "lake.mp4"}, {"text": "b", "video": video_id}]
    file = write(tmp_path, "queries.jsonl", lines)
    found = read_queries(file, media, known=[path, video_id])
    assert [q.answers[0].video for q in found.queries] == [path, video_id]
    file = write(tmp_path, "queries.jsonl", [*lines, {"text": "c", "video": "loch.mp4"}])
    with pytest.raises(InputError, match=r"queries.jsonl:3: unknown video 'loch.mp4'"):
        read_queries(file, media, known=[path, video_id])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ('["a"]', "expected an object"),
        ('{"video": "a.mp4"}', "exactly one of text, image, audio; got none"),
        ('{"text": "a", "image": "b.jpg", "video": "a.mp4"}', "got text, image"),
        ('{"text": "  ", "video": "a.mp4"}', "field 'text' must be text"),
        ('{"text": 5, "video": "a.mp4"}', "field 'text' must be text, got 5"),
        ('{"text": "a"}', "exactly one of video, answers, no_answer; got none"),
        ('{"text": "a", "video": "a.mp4", "no_answer": true}', "got video, no_answer"),
        ('{"text": "a", "no_answer": "yes"}', "no_answer must be true"),
        ('{"text": "a", "answers": []}', "answers is empty"),
        ('{"text": "a", "answers": [{"start_s": 1}]}', "an answer needs the field 'video'"),
        ('{"text": "a", "video": "a.mp4", "start_s": 1}', "needs both start_s and end_s"),
        ('{"text": "a", "video": "a.mp4", "start_s": 5, "end_s": 2}', "ends at 2 s, not after its start at 5 s"),
        ('{"text": "a", "video": "a.mp4", "start_s": 5, "end_s": 5}', "not after its start"),
        ('{"text": "a", "video": "a.mp4", "start_s": -1, "end_s": 2}', "starts before 0"),
        ('{"text": "a", "video": "a.mp4", "start_s": NaN, "end_s": 2}', "must be a finite number"),
        ('{"text": "a", "video": "a.mp4", "start_s": "x", "end_s": 2}', "must be a finite number, got 'x'"),
        ('{"image": "none.jpg", "video": "a.mp4"}', "no such image file"),
        ('{"id": "one", "text": "a", "video": "a.mp4"}', "duplicate query id 'one'"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    file = write(tmp_path, "queries.jsonl", [{"id": "one", "text": "a", "video": "a.mp4"}])
    file.write_text(file.read_text() + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_queries(file)
    assert f"{file}:3: " in str(error.value)
    assert message in str(error.value)
