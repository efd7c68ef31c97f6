"""Wrong annotation files are refused with the line and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from annotation_files import AUDIOCAPS, COCO, MSRVTT, QVH, asked, write

from vidembed.errors import InputError
from vidembed.evaluation import READERS, read_dataset, read_queries
from vidembed.types import Span


def changed(data: Any, *trail: Any, to: Any) -> Any:
    """A copy with one value replaced."""
    copy = json.loads(json.dumps(data))
    inner = copy
    for step in trail[:-1]:
        inner = inner[step]
    inner[trail[-1]] = to
    return copy


def line_with(file: Path, text: str, *, nth: int = 1) -> int:
    """The line of the object that holds `text`: that of the brace before it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    at = [i for i, line in enumerate(lines) if text in line][nth - 1]
    return max(i for i in range(at + 1) if "{" in lines[i]) + 1


def test_a_missing_field_in_json_is_named_with_its_line(tmp_path: Path, media: Path) -> None:
    wrong = changed(MSRVTT, "sentences", 1, to={"sen_id": 1, "video_id": "video9", "text": "a dog"})
    file = write(tmp_path, "MSR_VTT.json", wrong)
    with pytest.raises(InputError, match="missing field 'caption'") as error:
        read_dataset("msrvtt", file, media, split="full")
    assert f"{file}:{line_with(file, 'a dog')}: " in str(error.value)
    assert "sen_id, video_id, text" in error.value.hint


def test_an_unknown_video_is_named_with_its_line(tmp_path: Path, media: Path) -> None:
    file = write(tmp_path, "MSR_VTT.json", changed(MSRVTT, "sentences", 2, "video_id", to="video77"))
    with pytest.raises(InputError, match="unknown video 'video77'") as error:
        read_dataset("msrvtt", file, media, split="full")
    assert f":{line_with(file, 'video77')}: " in str(error.value)
    file = write(tmp_path, "captions.json", changed(COCO, "annotations", 0, "image_id", to=9))
    with pytest.raises(InputError, match=r"captions.json:\d+: unknown image '9'"):
        read_dataset("coco", file, media)


def test_duplicates_are_named_with_their_line(tmp_path: Path, media: Path) -> None:
    file = write(tmp_path, "MSR_VTT.json", changed(MSRVTT, "sentences", 2, "sen_id", to=0))
    with pytest.raises(InputError, match="duplicate sen_id '0'") as error:
        read_dataset("msrvtt", file, media, split="full")
    assert f":{line_with(file, 'a cat sleeps')}: " in str(error.value)
    lines = write(tmp_path, "val.jsonl", [QVH, QVH])
    with pytest.raises(InputError, match=r"val.jsonl:2: duplicate qid '8737'"):
        read_dataset("qvhighlights", lines, media)
    file = tmp_path / "val_1.json"
    entry = '{"duration": 2, "timestamps": [[0, 1]], "sentences": ["a"]}'
    file.write_text(f'{{"v_a": {entry},\n"v_b": {entry},\n"v_a": {entry}}}')
    with pytest.raises(InputError, match=r"val_1.json:3: duplicate key 'v_a'"):
        read_dataset("activitynet", file, media)
    csv = write(tmp_path, "t.csv", "key,vid_key,video_id,sentence\na,b,v1,x\nc,d,v1,y\n")
    with pytest.raises(InputError, match=r"t.csv:3: duplicate video_id 'v1'"):
        read_dataset("msrvtt", csv, media)


def test_broken_rows_are_left_out_counted_and_named(tmp_path: Path, media: Path) -> None:
    file = write(tmp_path, "charades.txt", "A 1 2##x\nB 9.5 3##y\nC 4 4##z\nD 0 5##w\n")
    found = read_dataset("charades", file, media)
    assert [text for text, *_ in asked(found)] == ["x", "w"]
    assert [row.partition("charades.txt")[2] for row in found.broken] == [
        ":2: the span ends at 3 s, not after its start at 9.5 s",
        ":3: the span ends at 4 s, not after its start at 4 s",
    ]
    assert found.counts()["broken rows left out"] == 2
    data = {"v_a": {"timestamps": [[0, 1], [5, 1]], "sentences": ["a", "b"]}}
    moments = read_dataset("activitynet", write(tmp_path, "val_1.json", data), media, split="moments")
    assert ([text for text, *_ in asked(moments)], len(moments.broken)) == (["a"], 1)
    paragraph = read_dataset("activitynet", write(tmp_path, "val_1.json", data), media)
    assert [text for text, *_ in asked(paragraph)] == ["a b"]  # no span is asked for
    lines = [QVH, {**QVH, "qid": 2, "relevant_windows": [[0, 4], [10, 8]]}]
    assert len(read_dataset("qvhighlights", write(tmp_path, "val.jsonl", lines), media).broken) == 1


def test_strict_refuses_an_end_before_the_start_with_its_line(tmp_path: Path, media: Path) -> None:
    file = write(tmp_path, "charades.txt", "A 1 2##x\nB 9.5 3##y\n")
    with pytest.raises(InputError, match=r"charades.txt:2: the span ends at 3 s, not after its start at 9.5 s"):
        read_dataset("charades", file, media, strict=True)
    data = {"v_a": {"timestamps": [[0, 1]], "sentences": ["a"]}, "v_b": {"timestamps": [[5, 1]], "sentences": ["b"]}}
    file = write(tmp_path, "val_1.json", data)
    with pytest.raises(InputError, match="ends at 1 s") as error:
        read_dataset("activitynet", file, media, split="moments", strict=True)
    assert f":{line_with(file, 'v_b')}: " in str(error.value)
    didemo = [{"annotation_id": 1, "video": "a", "description": "x", "times": [[2, 1]]}]
    with pytest.raises(InputError, match="ends before it starts"):
        read_dataset("didemo", write(tmp_path, "d.json", didemo), media, split="moments", strict=True)


def test_what_is_not_utf_8_is_named_with_its_line(tmp_path: Path, media: Path) -> None:
    file = tmp_path / "charades.txt"
    file.write_bytes(b"A 1 2##x\nB 1 2##caf\xe9\n")
    with pytest.raises(InputError, match=r"charades.txt:2: not UTF-8"):
        read_dataset("charades", file, media)
    file.write_bytes(b"\xef\xbb\xbfA 1 2##x\n")  # a byte order mark is no part of the id
    assert asked(read_dataset("charades", file, media)) == [("x", "A", (Span(1, 2),))]


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("charades", "c.txt", "A 1##x\n", "c.txt:1: cannot understand the line"),
        ("msvd", "c.txt", "onlyanid\n", "c.txt:1: cannot understand the line"),
        ("vatex", "v.json", {"videoID": "x"}, "expected a list at the top"),
        ("vatex", "v.json", [5], "expected an object at 0"),
        ("vatex", "v.json", [{"videoID": "x", "enCap": ["a", 5]}], "a caption of 'x' is not text: 5"),
        ("vatex", "v.json", [{"videoID": "x", "enCap": "a"}], "field 'enCap' must be a list"),
        ("activitynet", "a.json", {"v": {"timestamps": [[0, 1]], "sentences": ["a", "b"]}}, "must be a list of 2"),
        ("activitynet", "a.json", {"v": {"timestamps": [[0]], "sentences": ["a"]}}, "a span is [start, end]"),
        ("didemo", "d.json", [{"video": "a", "description": "b", "times": [["0", 1]]}], "pairs of segment numbers"),
        ("qvhighlights", "q.jsonl", [{**QVH, "relevant_clip_ids": [0, 1, 5]}], "q.jsonl:1: clip 5 is not one of"),
        ("qvhighlights", "q.jsonl", [{**QVH, "relevant_windows": []}], "relevant_windows is empty"),
        ("audiocaps", "a.csv", f"{AUDIOCAPS}1,a,x,b\n", "a.csv:2: 'start_time' must be"),
        ("audiocaps", "a.csv", f"{AUDIOCAPS}1,a,1,b,c\n", "a.csv:2: 5 cells for 4 columns"),
        ("clotho", "c.csv", "file_name,caption_1\na.wav,b\n", "missing field 'caption_2'"),
        ("flickr8k", "x.token.txt", "1.jpg A dog\n", "cannot understand the line"),
        ("coco", "c.json", {"images": []}, "has no query"),
        ("charades", "c.txt", "", "has no query"),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path: Path, media: Path, name: str, file: str, content: Any, message: str) -> None:
    options = {"split": "moments"} if "moments" in READERS[name].splits else {}
    options = {"split": "all"} if "all" in READERS[name].splits else options
    with pytest.raises(InputError) as error:
        read_dataset(name, write(tmp_path, file, content), media, **options)
    assert message in str(error.value)
    assert file in str(error.value)


def test_wrong_requests(tmp_path: Path, media: Path) -> None:
    file = write(tmp_path, "c.txt", "A 1 2##x\n")
    with pytest.raises(InputError, match="unknown data set 'charade'") as error:
        read_dataset("charade", file, media)
    assert "charades" in error.value.hint
    with pytest.raises(InputError, match="has no split 'test'; allowed: moments"):
        read_dataset("charades", file, media, split="test")
    with pytest.raises(InputError, match="no such annotation file"):
        read_dataset("charades", tmp_path / "none.txt", media)
    with pytest.raises(InputError, match="is a folder"):
        read_dataset("charades", tmp_path, media)
    with pytest.raises(InputError, match="no such media folder"):
        read_dataset("charades", file, tmp_path / "none")
    pickled = tmp_path / "raw-captions.pkl"
    pickled.write_bytes(b"\x80\x04N.")
    with pytest.raises(InputError, match="is a pickle"):
        read_dataset("msvd", pickled, media, split="all")
    with pytest.raises(InputError, match="has no query in it"):
        read_queries(write(tmp_path, "queries.jsonl", []))
