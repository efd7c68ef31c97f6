"""Each data set from a tiny annotation file of its format."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotation_files import COCO, MSRVTT, QVH, asked, touch, write

from vidembed.errors import InputError
from vidembed.evaluation import READERS, read_dataset
from vidembed.types import Span


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
        "media": 3, "media missing": 1, "queries": 3, "queries left out": 1, "broken rows left out": 0,
        "queries without an answer": 0,
    }  # fmt: skip
    assert [q.query_id for q in found.present().queries] == ["video7020#0", "video7021#0"]
    assert found.media["video7021"] == media / "deep" / "video7021.mp4"


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
        {"annotation_id": 2, "video": "a.mp4", "description": "a bird flies", "times": [[0, 0], [1, 1]]},
        {"annotation_id": 3, "video": "b.", "description": "a boat", "times": [[0, 0]]},
        {"annotation_id": 4, "video": "c.3gp", "description": "a car", "times": [[5, 5]]},
    ]
    file = write(tmp_path, "test_data.json", entries)
    touch(media, "a.webm", "b.mp4", "c.3gp.mp4")  # the files on disk were converted
    moments = read_dataset("didemo", file, media, split="moments")
    assert asked(moments) == [
        ("dusk falls", "a", (Span(10, 15),)),
        ("a bird flies", "a", (Span(0, 5),)),
        ("a boat", "b", (Span(0, 5),)),
        ("a car", "c", (Span(25, 30),)),
    ]
    assert moments.queries[0].segments == ((1, 2), (2, 2), (2, 2), (0, 5))
    assert moments.task == "video"
    assert read_dataset("didemo", file, media, split="corpus").task == "corpus"
    assert moments.missing == ()
    paragraph = read_dataset("didemo", file, media)
    assert asked(paragraph)[0] == ("dusk falls a bird flies", "a", ())  # one video with two names in the file
    assert paragraph.task == "corpus"


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


def test_longvale(tmp_path: Path, media: Path) -> None:
    touch(media, "v_2dCtb5cG8.mp4")  # an id of YouTube that begins as ActivityNet's do
    told = ["With a whistle, a train enters. "]
    entry = {"duration": 181.2, "timestamps": [[0.0, 12.5]], "sentences": told}
    found = read_dataset("longvale", write(tmp_path, "longvale-annotations-eval.json", {"v_2dCtb5cG8": entry}), media)
    assert asked(found) == [("With a whistle, a train enters.", "v_2dCtb5cG8", (Span(0, 12.5),))]
    assert found.queries[0].channel is None
    assert (found.missing, found.task) == ((), "video")


def test_momentseeker(tmp_path: Path, media: Path) -> None:
    touch(media, "videos/movie101_16.mp4", "query_images/q7.png", "query_videos/q9.mp4")
    plain = {
        "src_video_path": "./videos/movie101_16.mp4", "qry_text": "When does he open the door?", "qry_img_path": "",
        "qry_video_path": "", "answering_time_interval": [[3.0, 9.5], [40, 44]], "task": "causal",
    }  # fmt: skip
    pictured = {**plain, "qry_text": "<image> Find this woman.", "qry_img_path": "./query_images/q7.png"}
    clip = {**plain, "qry_text": "<video> What follows?", "qry_video_path": "./query_videos/q9.mp4"}
    found = read_dataset("momentseeker", write(tmp_path, "t2v.json", [plain, pictured, clip]), media)
    spans = (Span(3, 9.5), Span(40, 44))
    assert asked(found) == [
        ("When does he open the door?", "movie101_16", spans),
        ("Find this woman.", "movie101_16", spans),
        ("What follows?", "movie101_16", spans),
    ]
    assert [q.example.name if q.example else None for q in found.queries] == [None, "q7.png", "q9.mp4"]
    assert found.missing == ()
    gone = {**pictured, "qry_img_path": "./query_images/q8.png"}
    never = {**plain, "answering_time_interval": []}
    short = read_dataset("momentseeker", write(tmp_path, "ti2v.json", [plain, gone, never]), media)
    assert len(short.queries) == 1
    assert [row.partition(": ")[2] for row in short.broken] == [
        "its example ./query_images/q8.png is not in the folder of media",
        "answering_time_interval is empty",
    ]


def test_multivent(tmp_path: Path, media: Path) -> None:
    touch(media, "PPQVve-Jeb4.mp4", "-a1.mp4")
    write(
        tmp_path,
        "multivent_2_train_queries.csv",
        'Query_id,query\nsports_pov_base_0,"surfing, first person"\nnews_1,выборы в городе\n',
    )
    judged = [
        {"query_id": "sports_pov_base_0", "doc_id": "PPQVve-Jeb4", "relevance": 2},
        {"query_id": "sports_pov_base_0", "doc_id": "-a1", "relevance": 0},
        {"query_id": "sports_pov_base_0", "doc_id": "gone", "relevance": 1},
        {"query_id": "news_1", "doc_id": "-a1", "relevance": 0},
    ]
    file = write(tmp_path, "multivent_2_train_judgments.jsonl", judged)
    found = read_dataset("multivent", file, media)
    assert asked(found) == [("surfing, first person", "PPQVve-Jeb4", ()), ("surfing, first person", "gone", ())]
    assert found.queries[0].relevance == {"PPQVve-Jeb4": 2, "-a1": 0, "gone": 1}
    assert found.missing == ("gone",)
    with pytest.raises(InputError, match=r"judgments\.jsonl:5: '-a1' is judged twice for 'news_1'"):
        read_dataset("multivent", write(tmp_path, file.name, [*judged, judged[-1]]), media)
    with pytest.raises(InputError, match="unknown query 'x'"):
        read_dataset("multivent", write(tmp_path, file.name, [{**judged[0], "query_id": "x"}]), media)
    with pytest.raises(InputError, match="is not a file of judgments"):
        read_dataset("multivent", tmp_path / "multivent_2_train_queries.csv", media)


def test_qvhighlights(tmp_path: Path, media: Path) -> None:
    touch(media, "NUsG9BgSes0_210.0_360.0.mp4")
    found = read_dataset("qvhighlights", write(tmp_path, "val.jsonl", [QVH]), media)
    (query,) = found.queries
    assert [(s.start_s, s.end_s) for s in query.stretches] == [(0, 4), (8, 10)]
    assert query.saliency is not None
    assert query.saliency.tolist() == [[4, 1, 1], [4, 2, 3], [0, 0, 0], [0, 0, 0], [0, 0, 4]]
    assert found.missing == ()
    assert found.task == "video"
    odd = write(tmp_path, "odd.jsonl", [{**QVH, "duration": 11}])
    saliency = read_dataset("qvhighlights", odd, media).queries[0].saliency
    assert saliency is not None
    assert len(saliency) == 5  # whole clips only, as the official script counts them


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
    assert [q.channel for q in found.queries] == ["speech", "vision+speech", None]
    assert found.missing == ("friends_s01e03",)


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
    assert {q.channel for q in found.queries} == {"audio"}


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


def test_coco(tmp_path: Path, media: Path) -> None:
    touch(media, "val2017/000005.jpg")
    found = read_dataset("coco", write(tmp_path, "captions_val2017.json", COCO), media)
    assert [text for text, *_ in asked(found)] == ["A bench.", "A tree."]
    assert found.missing == ("000006.jpg",)
    assert found.task == "pictures"
    entry = {"filename": "000005.jpg", "filepath": "val2017", "split": "test", "sentences": [{"raw": "A bench."}]}
    karpathy = write(tmp_path, "dataset_coco.json", {"images": [entry]})
    assert read_dataset("coco", karpathy, media, split="test").missing == ()


def test_every_reader_says_what_it_takes() -> None:
    assert set(READERS) >= {
        "msrvtt", "msvd", "didemo", "activitynet", "vatex", "qvhighlights", "charades", "tvr", "audiocaps", "clotho",
        "flickr8k", "flickr30k", "coco", "longvale", "momentseeker", "multivent",
    }  # fmt: skip
    for reader in READERS.values():
        assert reader.files
        assert all(reader.splits.values())
