"""`vidembed evaluate` on a toy index whose right answers can be read off: figures, reports, comparison, wrong files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_videos import make
from typer.testing import CliRunner

import vidembed
from vidembed.cli import main
from vidembed.cli.app import command_tree
from vidembed.errors import ConfigError, InputError
from vidembed.evaluation import Answer, DataSet, EvalQuery, read_dataset, read_queries
from vidembed.evaluation.captions import read_references
from vidembed.evaluation.report import compare_reports, read_report
from vidembed.evaluation.report_html import page
from vidembed.evaluation.run import evaluate
from vidembed.evaluation.sweep import grid, sweep_settings
from vidembed.index.video_index import VideoIndex


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("evaluate")
    make(where / "videos" / "long.mp4", "red", "blue", hz=None, second_each=4.0)
    make(where / "videos" / "other.mp4", "lime", hz=1000, second_each=4.0)
    lines = [
        {"id": "red", "text": "red", "video": "long.mp4", "start_s": 0, "end_s": 4, "channel": "vision"},
        {"id": "blue", "text": "blue", "video": "long.mp4", "start_s": 4, "end_s": 8, "channel": "vision"},
        {"id": "hum", "text": "a middle tone", "video": "other.mp4", "channel": "audio"},
        {"id": "wrong", "text": "green", "video": "long.mp4", "start_s": 0, "end_s": 4, "channel": "vision"},
        {"id": "none", "text": "yellow", "no_answer": True},
    ]
    (where / "queries.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    with vidembed.open_index(where / "index", profile="toy", create=True) as index:
        assert not index.add(where / "videos").failed
    return where


@pytest.fixture
def index(folder: Path) -> Iterator[VideoIndex]:
    with vidembed.open_index(folder / "index", readonly=True) as opened:
        yield opened


def test_figures_can_be_worked_out(folder: Path, index: VideoIndex) -> None:
    report = evaluate(index, read_queries(folder / "queries.jsonl", folder / "videos"))
    by_id = {result.query_id: result for result in report.queries}
    assert [by_id[name].rank for name in ("red", "blue", "hum")] == [1, 1, 1]
    assert by_id["wrong"].rank == 2  # the green video comes first, as it should
    assert by_id["none"].rank is None
    assert by_id["red"].iou == pytest.approx(1.0, abs=0.15)
    assert by_id["hum"].iou is None
    assert report.figures["all"]["R@1"] == 0.75
    assert report.figures["audio"]["R@1"] == 1.0
    assert report.figures["vision"]["R@1,IoU=0.5"] == pytest.approx(2 / 3)
    assert report.figures["all"]["empty spans"] == 0
    assert report.no_answer["ROC AUC, confidence"] >= 2 / 3
    assert report.counts["queries without an answer"] == 1
    assert report.models["vision"]["model"] == "toy"
    assert report.settings["search.fusion"] == "evidence"
    assert report.machine["cores"] >= 1
    assert sum(one["count"] for one in report.reliability) == 5
    assert all(one["right_low"] <= one["right"] <= one["right_high"] for one in report.reliability)
    assert set(report.intervals["confidence"]) == {"ROC AUC, right or wrong", "ROC AUC, answer or none"}


def test_graded_videos_and_texts_with_a_picture(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    make(tmp_path / "blue.mp4", "blue", hz=None)
    videos = {name: folder / "videos" / f"{name}.mp4" for name in ("long", "other")}
    graded = EvalQuery("q", "text", "green", (Answer("long"), Answer("other")), relevance={"long": 2, "other": 1})
    shown = EvalQuery("e", "text", "blue", (Answer("long"),), example=tmp_path / "blue.mp4")
    report = evaluate(index, DataSet("d", "p", (graded, shown), videos))
    first, second = report.queries
    # The green video, of grade 1, comes first: (1 + 2 / log2(3)) / (2 + 1 / log2(3)).
    assert first.ndcg == pytest.approx((1 + 2 / 1.58496) / (2 + 1 / 1.58496), abs=1e-4)
    assert second.ndcg is None
    assert "nDCG@10" not in report.figures["all"]  # not every query has grades
    assert second.rank == 1
    assert evaluate(index, DataSet("d", "p", (graded,), videos)).figures["all"]["nDCG@10"] == first.ndcg


def test_a_report_survives_its_file_and_compares_with_itself(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    report = evaluate(index, read_queries(folder / "queries.jsonl", folder / "videos"))
    saved = tmp_path / "report.json"
    saved.write_text(report.to_json(), "utf-8")
    again = read_report(saved)
    assert again.queries == report.queries
    assert again.reliability == report.reliability
    same = compare_reports(report, again)["MRR"]
    assert (same.better, same.worse, same.same) == (0, 0, 4)
    saved.write_text('{"schema": 1}', "utf-8")
    with pytest.raises(InputError, match=r"report\.json:1: not a report"):
        read_report(saved)


def test_media_that_are_not_indexed_are_counted_and_listed(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    queries = tmp_path / "q.jsonl"
    queries.write_text('{"text": "red", "video": "long.mp4"}\n{"text": "blue", "video": "absent.mp4"}\n', "utf-8")
    report = evaluate(index, read_queries(queries, folder / "videos"))
    assert report.missing == ("absent.mp4",)
    assert (report.counts["media missing"], report.counts["queries left out"]) == (1, 1)
    queries.write_text('{"text": "blue", "video": "absent.mp4"}\n', "utf-8")
    with pytest.raises(InputError, match="none of the 1 media of q is in the index"):
        evaluate(index, read_queries(queries, folder / "videos"))


def test_sweeps_reuse_the_vectors(folder: Path, index: VideoIndex) -> None:
    dataset = read_queries(folder / "queries.jsonl", folder / "videos")
    tried = list(
        sweep_settings(index, dataset, grid(["search.fusion=rrf,evidence", "window_s=4"]), channels=["vision"])
    )
    assert [setting["search.fusion"] for setting, _ in tried] == ["rrf", "evidence"]
    assert [report.figures["vision"]["R@1,IoU=0.5"] for _, report in tried] == pytest.approx([2 / 3, 2 / 3])
    assert [report.settings["search.fusion"] for _, report in tried] == ["rrf", "evidence"]
    assert len(list(sweep_settings(index, dataset, grid(["pool=mean,max"])))) == 2
    with pytest.raises(ConfigError, match="toy-captioner does not answer questions"):  # `search.rerank` is tried, too
        list(sweep_settings(index, dataset, grid(["search.rerank=toy-captioner"])))
    with pytest.raises(ConfigError, match="'segment.kind' cannot be tried on stored vectors"):
        list(sweep_settings(index, dataset, grid(["segment.kind=whole"])))
    with pytest.raises(ConfigError, match="unknown pooling 'median'"):
        list(sweep_settings(index, dataset, grid(["pool=median"])))
    with pytest.raises(InputError, match="SETTING=VALUE"):
        grid(["search.fusion"])


def test_a_sweep_over_prompts(folder: Path, index: VideoIndex) -> None:
    dataset = read_queries(folder / "queries.jsonl", folder / "videos")
    # What comes with two times "blue" is blue: the query "red" is then answered with the blue half.
    tried = list(sweep_settings(index, dataset, grid(["prompt=model,{},{} blue blue,{}|{}"]), channels=["vision"]))
    assert [setting["prompt"] for setting, _ in tried] == ["model", "{}", "{} blue blue", "{}|{}"]
    figures = [report.figures["vision"]["R@1,IoU=0.5"] for _, report in tried]
    assert figures == pytest.approx([2 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert index.search("red", channels=["vision"])[0].span.start_s == 0  # the index itself asks as before
    with pytest.raises(ConfigError, match=r"a prompt holds \{\} once, where the query goes, got 'a photo'"):
        list(sweep_settings(index, dataset, grid(["prompt=a photo"])))


def test_the_page_has_plots_and_escapes_what_people_wrote(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    queries = tmp_path / "q.jsonl"
    line = {"text": "red <script>alert(1)</script>", "video": "long.mp4", "start_s": 4, "end_s": 8}
    queries.write_text(json.dumps(line) + "\n", "utf-8")
    html = page(evaluate(index, read_queries(queries, folder / "videos")), thumbnail=index.thumbnail)
    assert html.count("<svg") == 3  # recall, IoU, reliability
    assert "<script" not in html
    assert "data:image/jpeg;base64," in html
    assert "http" not in html.replace("https://", "http").split("<details")[0]  # loads nothing from anywhere


def test_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    queries, index, media = str(folder / "queries.jsonl"), str(folder / "index"), str(folder / "videos")
    out, html = tmp_path / "r.json", tmp_path / "r.html"
    shown = CliRunner().invoke(
        command_tree(), ["evaluate", queries, "--media", media, "-i", index, "--out", str(out), "--html", str(html)]
    )
    assert shown.exit_code == 0, shown.output
    assert "R@1" in shown.output
    assert "0.0 to 0.1" in shown.output  # a row of the reliability diagram
    assert json.loads(out.read_text("utf-8"))["figures"]["all"]["R@1"] == 0.75
    assert html.read_text("utf-8").startswith("<!doctype html>")
    swept = CliRunner().invoke(
        command_tree(),
        ["evaluate", "sweep", queries, "--media", media, "-i", index, "--try", "search.fusion=rrf,evidence"],
    )
    assert swept.exit_code == 0, swept.output
    assert swept.output.count("search.fusion=") == 2


def test_moments_are_looked_for_in_the_given_video(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    # "green" is all of the other video: over the corpus that comes first, in the given video it cannot.
    lines = "long 0 4##red\nlong 4 9##blue\nlong 0 8##green\nlong 5 3##red\n"
    (tmp_path / "charades_sta_test.txt").write_text(lines, "utf-8")
    file, videos = tmp_path / "charades_sta_test.txt", folder / "videos"
    given = evaluate(index, read_dataset("charades", file, videos), channels=["vision"])
    assert {Path(r.answers[0][0]).name for r in given.queries} == {"long.mp4"}
    assert "R@1" not in given.figures["all"]  # a rank among one video says nothing
    assert given.figures["all"]["R@1,IoU=0.5"] >= 2 / 3
    assert (given.counts["broken rows left out"], given.counts["spans beyond the video's end"]) == (1, 1)
    assert given.broken[0].endswith(":4: the span ends at 3 s, not after its start at 5 s")
    corpus = evaluate(index, read_dataset("charades", file, videos, split="corpus"), channels=["vision"])
    assert [Path(r.answers[0][0]).name for r in corpus.queries] == ["long.mp4", "long.mp4", "other.mp4"]
    assert corpus.figures["all"]["R@1"] == pytest.approx(2 / 3)
    assert "MRR" not in compare_reports(given, given)


def test_highlights_are_those_of_the_curve(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    made = {
        "vid": "long",
        "duration": 8,
        "relevant_clip_ids": [0, 1, 2],
        "saliency_scores": [[4] * 3, [4] * 3, [1] * 3],
    }
    rows = [
        {"qid": 1, "query": "red", "relevant_windows": [[0, 4]], **made},  # the red half is the one rated
        {"qid": 2, "query": "blue", "relevant_windows": [[0, 4]], **made},  # the curve is highest in the other half
    ]
    file = tmp_path / "highlight_val_release.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    report = evaluate(index, read_dataset("qvhighlights", file, folder / "videos"), channels=["vision"])
    assert report.figures["all"]["HIT@1"] == 0.5
    # Red: precision 1 at both good clips. Blue: the good clips share the last places, where precision is 2 of 4.
    assert report.figures["all"]["HL-mAP"] == pytest.approx((1 + 0.5) / 2)


def test_videos_are_ranked_by_vectors_both_ways(folder: Path, index: VideoIndex, tmp_path: Path) -> None:
    file = tmp_path / "MSRVTT_JSFUSION_test.csv"
    file.write_text("key,video_id,sentence\na,long,blue\nb,other,green\n", "utf-8")
    found = read_dataset("msrvtt", file, folder / "videos")
    report = evaluate(index, found, channels=["vision"], vectors=index.parts.searcher)
    assert report.figures["text to video, vision"]["R@1"] == 1
    assert report.figures["video to text, vision"]["R@1"] == 1
    assert report.figures["video to text, vision"]["queries"] == 2


def test_pictures_are_a_corpus_of_their_own(folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    for name, colour in (("1.jpg", "red"), ("2.jpg", "blue"), ("3.jpg", "lime")):
        Image.new("RGB", (32, 32), colour).save(tmp_path / name)
    (tmp_path / "4.jpg").write_bytes(b"no picture")
    rows = [("1.jpg", "red"), ("1.jpg", "blue"), ("2.jpg", "blue"), ("3.jpg", "green"), ("4.jpg", "red")]
    images = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in rows))}
    coco = {
        "images": [{"id": i, "file_name": name} for name, i in images.items()],
        "annotations": [{"id": i, "image_id": images[name], "caption": text} for i, (name, text) in enumerate(rows)],
    }
    (tmp_path / "captions.json").write_text(json.dumps(coco), "utf-8")
    out = tmp_path / "r.json"
    command = ["evaluate", str(tmp_path / "captions.json"), "--kind", "coco", "-i", str(folder / "index")]
    shown = CliRunner().invoke(command_tree(), [*command, "--out", str(out)])
    assert shown.exit_code == 0, shown.output
    report = read_report(out)
    assert report.missing == ("4.jpg",)
    assert report.figures["text to picture"]["R@1"] == 0.75  # the wrong "blue" finds the other picture first
    assert report.figures["picture to text"]["R@1"] >= 2 / 3
    assert [r.rank for r in report.queries if r.value != "blue"] == [1, 1]
    assert report.models["vision"]["model"] == "toy"


def test_a_curve_of_confidence_for_own_queries(folder: Path, tmp_path: Path) -> None:
    index, media = str(folder / "index"), folder / "videos"
    asked = [{"text": text, "video": "long.mp4"} for text in ("red", "blue", "lime", "yellow", "cyan")]
    absent = [{"text": f"a photo of nothing {i}", "no_answer": True} for i in range(20)]
    queries = tmp_path / "mine.jsonl"
    queries.write_text("".join(json.dumps(row) + "\n" for row in [*asked, *absent]), "utf-8")
    command = ["evaluate", "calibrate", "-i", index]
    few = CliRunner().invoke(command_tree(), [*command, str(folder / "queries.jsonl"), "--media", str(media)])
    assert "5 queries are too few: a curve needs 20" in str(few.exception)
    with vidembed.open_index(folder / "index", readonly=True) as opened:
        before = [moment.confidence for moment in opened.search("red", k=3)]
    shown = CliRunner().invoke(command_tree(), [*command, str(queries), "--media", str(media)])
    assert shown.exit_code == 0, shown.output
    assert "text: slope " in shown.output
    assert "on 25 first answers" in shown.output
    assert "no better" not in shown.output
    again = CliRunner().invoke(command_tree(), [*command, str(queries), "--media", str(media)])
    assert "text: no better for answers it was not fitted to" in again.output  # than by the curve just saved
    with vidembed.open_index(folder / "index", readonly=True) as opened:
        curve = opened.parts.searcher.curves.kinds["text"]
        after = [moment.confidence for moment in opened.search("red", k=3)]
    assert after == pytest.approx([curve.of(one) for one in before])
    assert CliRunner().invoke(command_tree(), [*command, "--reset"]).exit_code == 0
    with vidembed.open_index(folder / "index", readonly=True) as opened:
        assert [moment.confidence for moment in opened.search("red", k=3)] == before
    assert "give a file of queries, or --reset" in str(CliRunner().invoke(command_tree(), command).exception)


WRONG = [
    ("missing field", '{"text": "red"}', ":1: a query has exactly one of video, answers, no_answer"),
    ("unknown video", '{"text": "red", "video": "absent.mp4"}', ":1: unknown video 'absent.mp4'"),
    ("end before start", '{"text": "red", "video": "long.mp4", "start_s": 3, "end_s": 2}', ":1: the span ends at 2 s"),
    (
        "duplicate id",
        '{"id": "a", "text": "red", "video": "long.mp4"}\n{"id": "a", "text": "blue", "video": "long.mp4"}',
        ":2: duplicate query id 'a'",
    ),
    ("not JSON", '{"text": "red", "video": "long.mp4"}\n{oops', ":2: not JSON"),
]


@pytest.mark.parametrize(("name", "text", "message"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_files_are_named_with_their_line(
    name: str, text: str, message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_text(text + "\n", "utf-8")
    assert main(["evaluate", str(file), "--media", str(folder / "videos"), "-i", str(folder / "index")]) == 2
    assert f"wrong.jsonl{message}" in " ".join(capsys.readouterr().err.split())


def test_a_file_that_is_not_utf8_is_named_with_its_line(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "latin.jsonl"
    file.write_bytes(b'{"text": "red", "video": "long.mp4"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(InputError, match=r"latin\.jsonl:2: not UTF-8"):
        read_queries(file, folder / "videos")
    with pytest.raises(InputError, match=r"latin\.jsonl:2: not UTF-8"):
        read_references(file)
