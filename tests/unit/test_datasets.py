"""Data sets from tiny annotation files of each format, and what is said of wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vidembed.errors import InputError
from vidembed.evaluation import READERS, read_dataset, read_queries
from vidembed.evaluation.dataset import DataSet
from vidembed.types import Span


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def write(tmp_path: Path, name: str, content: Any) -> Path:
    path = tmp_path / name
    if name.endswith(".json"):
        content = json.dumps(content, indent=1)
    elif name.endswith(".jsonl"):
        content = "\n".join(json.dumps(line) for line in content) + "\n"
    path.write_text(content, encoding="utf-8")
    return path


def asked(dataset: DataSet) -> list[tuple[str, str, tuple[Span, ...]]]:
    return [(str(q.value), a.video, a.spans) for q in dataset.queries for a in q.answers]


# -- each format


def test_msrvtt_1k_a(tmp_path: Path, media: Path) -> None:
    touch(media, "video7020.mp4", "deep/video7021.mp4")
    file = write(
        tmp_path,
        "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\n"
        'ret0,msr9770,video7020,"a woman, creating a fondant baby"\n'
        "ret1,msr9771,video7021,a boy plays grand theft auto 5\n"
        "ret2,msr9772,video7024,a man gives a review\n",
    )
    found = read_dataset("msrvtt", file, media)
    assert "1k-A" in found.protocol
    assert asked(found)[0] == ("a woman, creating a fondant baby", "video7020", ())
    assert found.missing == ("video7024",)
    assert found.counts() == {
        "media": 3, "media missing": 1, "queries": 3, "queries left out": 1, "queries without an answer": 0,
    }  # fmt: skip
    assert [q.query_id for q in found.present().queries] == ["video7020#0", "video7021#0"]
    assert found.media["video7021"] == media / "deep" / "video7021.mp4"


MSRVTT = {
    "info": {},
    "videos": [{"video_id": "video0", "split": "train"}, {"video_id": "video9", "split": "test"}],
    "sentences": [
        {"sen_id": 0, "video_id": "video9", "caption": "a cat"},
        {"sen_id": 1, "video_id": "video0", "caption": "a dog"},
        {"sen_id": 2, "video_id": "video9", "caption": "a cat sleeps"},
    ],
}


def test_msrvtt_full(tmp_path: Path, media: Path) -> None:
    found = read_dataset("msrvtt", write(tmp_path, "MSR_VTT.json", MSRVTT), media, split="full")
    assert [(text, video) for text, video, _ in asked(found)] == [("a cat", "video9"), ("a cat sleeps", "video9")]
    assert found.references == {"video9": ("a cat", "a cat sleeps")}
    assert "2,990" in found.protocol


def test_msvd(tmp_path: Path, media: Path) -> None:
    touch(media, "mv89psg6zh4_33_46.avi")
    lines = "# a comment\nmv89psg6zh4_33_46 A bird in a sink\nmv89psg6zh4_33_46 A bird bathes\nother_1_2 A man\n"
    file = write(tmp_path, "AllVideoDescriptions.txt", lines)
    write(tmp_path, "test_list.txt", "mv89psg6zh4_33_46\n")
    found = read_dataset("msvd", file, media)
    assert [text for text, *_ in asked(found)] == ["A bird in a sink", "A bird bathes"]
    assert found.missing == ()
    assert len(read_dataset("msvd", file, media, split="all").queries) == 3
    write(tmp_path, "test_list.txt", "nowhere_1_2\n")
    with pytest.raises(InputError, match="unknown videos.*nowhere_1_2"):
        read_dataset("msvd", file, media)


def test_vatex(tmp_path: Path, media: Path) -> None:
    touch(media, "Ptf_2VRj-V0.mp4")
    entry = {"videoID": "Ptf_2VRj-V0_000122_000132", "enCap": ["one", "two"], "chCap": ["一", "二"]}
    file = write(tmp_path, "vatex.json", [entry])
    found = read_dataset("vatex", file, media)
    assert [text for text, *_ in asked(found)] == ["one", "two"]
    assert found.media == {"Ptf_2VRj-V0_000122_000132": media / "Ptf_2VRj-V0.mp4"}
    assert [text for text, *_ in asked(read_dataset("vatex", file, media, split="zh"))] == ["一", "二"]


def test_didemo(tmp_path: Path, media: Path) -> None:
    entries = [
        {
            "annotation_id": 1,
            "video": "a.mov",
            "description": "dusk falls",
            "times": [[1, 2], [2, 2], [2, 2], [0, 5]],
        },
        {"annotation_id": 2, "video": "a.mov", "description": "a bird flies", "times": [[0, 0], [1, 1]]},
    ]
    file = write(tmp_path, "test_data.json", entries)
    touch(media, "a.mp4")  # the files on disk were converted
    moments = read_dataset("didemo", file, media, split="moments")
    assert asked(moments) == [
        ("dusk falls", "a.mov", (Span(10, 15),)),
        ("a bird flies", "a.mov", (Span(0, 5),)),
    ]
    assert moments.missing == ()
    paragraph = read_dataset("didemo", file, media)
    assert asked(paragraph) == [("dusk falls a bird flies", "a.mov", ())]


def test_activitynet(tmp_path: Path, media: Path) -> None:
    touch(media, "QOlSCBRmfWY.mkv", "v_other.mp4")
    file = write(
        tmp_path,
        "val_1.json",
        {
            "v_QOlSCBRmfWY": {
                "duration": 82.73,
                "timestamps": [[0.83, 19.86], [17.37, 60.81]],
                "sentences": ["A young woman is seen. ", " The girl dances."],
            },
            "v_other": {"duration": 5, "timestamps": [[0, 5]], "sentences": ["Nothing."]},
        },
    )
    moments = read_dataset("activitynet", file, media, split="moments")
    assert asked(moments)[1] == ("The girl dances.", "v_QOlSCBRmfWY", (Span(17.37, 60.81),))
    assert moments.missing == ()
    paragraph = read_dataset("activitynet", file, media)
    assert asked(paragraph)[0] == ("A young woman is seen. The girl dances.", "v_QOlSCBRmfWY", ())


QVH = {
    "qid": 8737, "query": "Man has a mask", "duration": 10, "vid": "NUsG9BgSes0_210.0_360.0",
    "relevant_windows": [[0, 4], [8, 10]], "relevant_clip_ids": [0, 1, 4],
    "saliency_scores": [[4, 1, 1], [4, 2, 3], [0, 0, 4]],
}  # fmt: skip


def test_qvhighlights(tmp_path: Path, media: Path) -> None:
    touch(media, "NUsG9BgSes0_210.0_360.0.mp4")
    found = read_dataset("qvhighlights", write(tmp_path, "val.jsonl", [QVH]), media)
    (query,) = found.queries
    assert [(s.start_s, s.end_s) for s in query.stretches] == [(0, 4), (8, 10)]
    assert query.saliency is not None
    assert query.saliency.tolist() == [[4, 1, 1], [4, 2, 3], [0, 0, 0], [0, 0, 0], [0, 0, 4]]
    assert found.missing == ()


def test_charades(tmp_path: Path, media: Path) -> None:
    touch(media, "3MSZA.mp4")
    file = write(tmp_path, "charades_sta_test.txt", "3MSZA 24.3 30.4##person turn a light on.\n\n3MSZA 0.0 2##a # b\n")
    assert asked(read_dataset("charades", file, media)) == [
        ("person turn a light on.", "3MSZA", (Span(24.3, 30.4),)),
        ("a # b", "3MSZA", (Span(0, 2),)),
    ]


def test_tvr(tmp_path: Path, media: Path) -> None:
    entry = {"desc_id": 1, "vid_name": "friends_s01e03", "duration": 61.4, "ts": [16.48, 33.87], "desc": "Phoebe sits."}
    lines = [{**entry, "type": "t"}, {**entry, "desc_id": 2, "type": "vt"}, {**entry, "desc_id": 3}]
    found = read_dataset("tvr", write(tmp_path, "tvr.jsonl", lines), media)
    assert [q.lane for q in found.queries] == ["speech", "vision+speech", None]
    assert found.missing == ("friends_s01e03",)


AUDIOCAPS = "audiocap_id,youtube_id,start_time,caption\n"


def test_audiocaps(tmp_path: Path, media: Path) -> None:
    touch(media, "Y_9mgOkzm-xg.wav", "rqfQRErjfk8_170.flac")
    file = write(
        tmp_path,
        "test.csv",
        "audiocap_id,youtube_id,start_time,caption\n103549,_9mgOkzm-xg,30,An engine, idles\n".replace(
            "engine, idles", "engine idles"
        )
        + "103550,_9mgOkzm-xg,30,A motor runs\n103541,rqfQRErjfk8,170,A large crowd cheers\n",
    )
    found = read_dataset("audiocaps", file, media)
    assert found.missing == ()
    assert found.references["_9mgOkzm-xg_30"] == ("An engine idles", "A motor runs")
    assert {q.lane for q in found.queries} == {"audio"}


def test_clotho(tmp_path: Path, media: Path) -> None:
    touch(media, "Distorted AM Radio noise.wav")
    header = "file_name," + ",".join(f"caption_{i}" for i in range(1, 6))
    file = write(tmp_path, "clotho.csv", f'{header}\nDistorted AM Radio noise.wav,"A, b",c,d,e,f\n')
    found = read_dataset("clotho", file, media)
    assert [text for text, *_ in asked(found)] == ["A, b", "c", "d", "e", "f"]
    assert found.missing == ()


def test_flickr_in_its_three_forms(tmp_path: Path, media: Path) -> None:
    touch(media, "1.jpg", "2.jpg")
    token = write(tmp_path, "Flickr8k.token.txt", "1.jpg#0\tA dog .\n1.jpg#1\tA dog runs .\n2.jpg#0\tA cat .\n")
    write(tmp_path, "Flickr_8k.testImages.txt", "1.jpg\n")
    assert [text for text, *_ in asked(read_dataset("flickr8k", token, media))] == ["A dog .", "A dog runs ."]
    kaggle = write(tmp_path, "captions.txt", "image,caption\n1.jpg,A dog\n2.jpg,A cat\n")
    assert len(read_dataset("flickr8k", kaggle, media, split="all").queries) == 2
    results = write(tmp_path, "results.csv", "image_name| comment_number| comment\n1.jpg| 0| Two dogs, one cat\n")
    assert asked(read_dataset("flickr30k", results, media, split="all")) == [("Two dogs, one cat", "1.jpg", ())]
    images = [
        {"filename": "1.jpg", "split": "test", "sentences": [{"raw": "A dog."}]},
        {"filename": "2.jpg", "split": "train", "sentences": [{"raw": "A cat."}]},
    ]
    file = write(tmp_path, "dataset_flickr30k.json", {"images": images})
    assert asked(read_dataset("flickr30k", file, media)) == [("A dog.", "1.jpg", ())]


COCO = {
    "images": [{"id": 5, "file_name": "000005.jpg"}, {"id": 6, "file_name": "000006.jpg"}],
    "annotations": [{"id": 1, "image_id": 5, "caption": "A bench."}, {"id": 2, "image_id": 6, "caption": "A tree. "}],
}


def test_coco(tmp_path: Path, media: Path) -> None:
    touch(media, "val2017/000005.jpg")
    found = read_dataset("coco", write(tmp_path, "captions_val2017.json", COCO), media)
    assert [text for text, *_ in asked(found)] == ["A bench.", "A tree."]
    assert found.missing == ("000006.jpg",)
    entry = {"filename": "000005.jpg", "filepath": "val2017", "split": "test", "sentences": [{"raw": "A bench."}]}
    karpathy = write(tmp_path, "dataset_coco.json", {"images": [entry]})
    assert read_dataset("coco", karpathy, media, split="test").missing == ()


def test_every_reader_says_what_it_takes() -> None:
    assert set(READERS) >= {
        "msrvtt", "msvd", "didemo", "activitynet", "vatex", "qvhighlights", "charades", "tvr", "audiocaps", "clotho",
        "flickr8k", "flickr30k", "coco",
    }  # fmt: skip
    for reader in READERS.values():
        assert reader.files
        assert all(reader.splits.values())


# -- our own queries


def test_own_queries(tmp_path: Path, media: Path) -> None:
    touch(media, "lake.mp4", "sub/b.mp4")
    touch(tmp_path, "dog.jpg")
    file = write(
        tmp_path,
        "queries.jsonl",
        [
            {"id": "jump", "text": "a dog jumps", "video": "lake.mp4", "start_s": 12, "end_s": 15.5},
            {"text": "a bark", "answers": [{"video": "sub/b.mp4", "start_s": 1, "end_s": 2}, {"video": "lake.mp4"}],
             "lane": "audio"},
            {"image": "dog.jpg", "video": "b.mp4"},
            {"text": "a spaceship", "no_answer": True},
            {"text": "gone", "video": "gone.mp4"},
        ],
    )  # fmt: skip
    found = read_queries(file, media)
    assert [q.query_id for q in found.queries] == ["jump", "q2", "q3", "q4", "q5"]
    assert found.queries[0].answers[0].spans == (Span(12, 15.5),)
    assert found.queries[1].videos == {"sub/b.mp4", "lake.mp4"}
    assert (found.queries[1].lane, len(found.queries[1].stretches)) == ("audio", 1)
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


# -- wrong annotation files


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


def test_an_end_before_the_start_is_named_with_its_line(tmp_path: Path, media: Path) -> None:
    file = write(tmp_path, "charades.txt", "A 1 2##x\nB 9.5 3##y\n")
    with pytest.raises(InputError, match=r"charades.txt:2: the span ends at 3 s, not after its start at 9.5 s"):
        read_dataset("charades", file, media)
    data = {"v_a": {"timestamps": [[0, 1]], "sentences": ["a"]}, "v_b": {"timestamps": [[5, 1]], "sentences": ["b"]}}
    file = write(tmp_path, "val_1.json", data)
    with pytest.raises(InputError, match="ends at 1 s") as error:
        read_dataset("activitynet", file, media)
    assert f":{line_with(file, 'v_b')}: " in str(error.value)
    didemo = [{"annotation_id": 1, "video": "a", "description": "x", "times": [[2, 1]]}]
    with pytest.raises(InputError, match="ends before it starts"):
        read_dataset("didemo", write(tmp_path, "d.json", didemo), media)


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
