"""Captioning from files to records and subtitles, with the toy captioner whose sentences can be worked out."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from media_factory import Media
from subtitle_reading import read_srt, read_vtt

import vidembed as ve
from vidembed.cli import main
from vidembed.errors import ModelError, NoSuchStream
from vidembed.models import toy_space
from vidembed.models.toy_space import ToyCaptioner

WINDOWS = ["segment.kind=windows", "segment.window_s=1", "sample.rate_hz=4"]


def open_toy(folder: Path) -> ve.VideoIndex:
    return ve.open_index(folder, profile="toy", overrides=WINDOWS)


def test_each_second_is_named_by_its_colour(media: Media, tmp_path: Path) -> None:
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("tone.mp4"))
        (video,) = index.caption()
        assert [c.text for c in video.captions] == [
            "red frames, low tone",
            "green frames, low tone",
            "blue frames, low tone",
        ]
        assert video.failures == ()
        assert [(c.span.start_s, c.text) for c in ve.to_cues(video.captions)] == [
            (0.0, "red frames, low tone"),
            (1.0, "green frames, low tone"),
            (2.0, "blue frames, low tone"),
        ]
        moment = index.search("green", channels=["caption"], k=1)[0]
        assert moment.span.contains(1.5)
        assert moment.caption == "green frames, low tone"


def test_a_second_run_asks_nobody_and_a_person_is_never_overwritten(media: Media, tmp_path: Path) -> None:
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("tone.mp4"))
        (first,) = index.caption()
        assert not first.unchanged
        (second,) = index.caption()
        assert second.unchanged
        assert second.captions == first.captions
        index.save_captions([replace(first.captions[0], text="my own words", human=True)])
        (third,) = index.caption(redo=True)
        assert third.captions[0].text == "my own words"
        assert third.captions[1].text == "green frames, low tone"


def test_redo_asks_the_captioner_again(media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("tone.mp4"))
        (first,) = index.caption()
        asked = list[int]()
        candidates = ToyCaptioner.candidates

        def counted(self: ToyCaptioner, clips: Any, **options: Any) -> Any:
            asked.append(len(clips))
            return candidates(self, clips, **options)

        monkeypatch.setattr(ToyCaptioner, "candidates", counted)
        (again,) = index.caption(redo=True)
        assert sum(asked) == len(first.captions) == 3
        assert again.captions == first.captions


def test_what_cannot_be_captioned_is_named_by_file_and_time(
    media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_one = ToyCaptioner._of_one

    def picky(self: ToyCaptioner, clip: Any, n: int) -> list[str]:
        if clip.frames is None:
            raise NoSuchStream("this captioner needs pictures, and the clip has none")
        if clip.clip.index == 1:
            raise ValueError("too green")
        return of_one(self, clip, n)

    monkeypatch.setattr(ToyCaptioner, "_of_one", picky)
    with open_toy(tmp_path / "index") as index:
        index.add([media.path("tone.mp4"), media.path("audio_only.m4a")])
        heard, seen = index.caption()
        assert (heard.path.name, heard.captions, heard.failures) == ("audio_only.m4a", (), ()), "no failure"
        (failure,) = seen.failures
        assert failure.item == f"{media.path('tone.mp4')} 0:01.000-0:02.000"
        assert failure.message == "too green"
        assert len(seen.captions) == 2


def test_one_call_without_an_index_reports_the_bad_file_and_goes_on(media: Media) -> None:
    results = list(ve.caption([media.path("junk.mp4"), media.path("one_frame.mp4")], profile="toy"))
    assert [(Path(r.path).name, len(r.captions), len(r.failures)) for r in results] == [
        ("junk.mp4", 0, 1),
        ("one_frame.mp4", 1, 0),
    ]
    assert results[1].captions[0].text == "red frames"


def test_the_command_writes_everything_it_is_asked_for(media: Media, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [part for setting in WINDOWS for part in ("--set", setting)]
    arguments = ["caption", str(media.path("tone.mp4")), "-p", "toy", "-i", "index", *settings]
    outputs = ["--out", "c.jsonl", "--srt", "subs", "--vtt", "subs", "--csv", "c.csv"]
    assert main([*arguments, *outputs]) == 0
    first = (tmp_path / "c.jsonl").read_text()
    records = [json.loads(line) for line in first.splitlines()]
    assert [r["kind"] for r in records] == ["caption", "caption", "caption", "summary"]
    cues = read_srt((tmp_path / "subs" / "tone.srt").read_text())
    assert [c.text for c in cues] == [r["text"] for r in records[:3]]
    assert read_vtt((tmp_path / "subs" / "tone.vtt").read_text()) == cues
    assert (tmp_path / "c.csv").read_text().count("\n") == 4
    assert main([*arguments, *outputs, "--overwrite"]) == 0
    assert (tmp_path / "c.jsonl").read_text() == first  # every clip exactly once
    assert main(["export", "-i", "index", "--srt", "again"]) == 0
    assert (tmp_path / "again" / "tone.srt").read_text() == (tmp_path / "subs" / "tone.srt").read_text()


def test_a_sidecar_leaves_the_videos_own_subtitles_alone(media: Media, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").write_bytes(media.path("tone.mp4").read_bytes())
    (tmp_path / "film.srt").write_text("what people say")
    assert main(["caption", "film.mp4", "-p", "toy", "-i", "index", "--sidecar"]) == 0
    assert (tmp_path / "film.srt").read_text() == "what people say"
    assert read_srt((tmp_path / "film.captions.srt").read_text())


def test_bad_outputs_are_refused_before_any_work(media: Media, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.jsonl").write_text('{"schema": 99}\n')
    (tmp_path / "file").write_text("")
    arguments = ["caption", str(media.path("tone.mp4")), "-p", "toy", "-i", "index"]
    for outputs, words in ((["--out", "old.jsonl"], "schema 99"), (["--srt", "file/subs"], "cannot write 'file/subs'")):
        assert main([*arguments, *outputs]) == 2
        assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "index").exists()
    assert main(["export", "-i", "index", "--srt", "x"]) == 2


def test_an_unknown_judge_and_no_captioner_are_clear_errors(media: Media, tmp_path: Path) -> None:
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("one_frame.mp4"))
        with pytest.raises(ve.VidembedError, match="toy-captionr"):
            list(index.caption(model="toy-captionr"))
    with (
        ve.open_index(tmp_path / "index", overrides=["caption.rerank={smell: 1.0}"]) as index,
        pytest.raises(ve.VidembedError, match="smell"),
    ):
        list(index.caption())


def test_options_that_are_set_hold_for_the_model_that_is_named(media: Media, tmp_path: Path, capsys: Any) -> None:
    video, index = str(media.path("one_frame.mp4")), str(tmp_path / "index")
    options = ["--set", "caption.options.style=headline", "--set", "caption.options.frames=2"]
    assert main(["caption", video, "-p", "toy", "-i", index, "--model", "starter-captioner", *options]) == 2
    assert "the starter captioner knows no style" in " ".join(capsys.readouterr().err.split())


def test_captions_are_measured_with_references_and_with_the_clips(media: Media, tmp_path: Path, capsys: Any) -> None:
    video = media.path("tone.mp4")
    lines = [
        {"video": video.name, "start_s": i, "end_s": i + 1, "captions": [f"{colour} frames, low tone"]}
        for i, colour in enumerate(("red", "green", "yellow"))
    ]
    (tmp_path / "refs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with open_toy(tmp_path / "index") as index:
        index.add(video)
        list(index.caption())
    arguments = ["evaluate", "captions", str(tmp_path / "refs.jsonl"), "--media", str(video.parent), "--json"]
    assert main([*arguments, "-i", str(tmp_path / "index")]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["captions"] == 3
    assert figures["BLEU-1"] == pytest.approx(11 / 12)  # one word of twelve is another colour
    own = 2.5 / math.sqrt(2)  # each names the colour, which is seen, and the tone, which is not
    assert figures["CLIPScore (vision)"] == pytest.approx(own, abs=1e-3)
    same, half = 2 * own / (own + 1), 2 * own * 0.5 / (own + 0.5)  # the third shares the tone with its reference
    assert figures["RefCLIPScore (vision)"] == pytest.approx((2 * same + half) / 3, abs=1e-3)


def test_choosing_anew_asks_no_captioner(media: Media, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("tone.mp4"))
        (first,) = index.caption()
        red, green, blue = first.captions
        wrong = replace(green, text=green.candidates[-1].text, score=0.1)
        index.save_captions([wrong, replace(blue, text="mine", human=True)])
        monkeypatch.setattr(
            "vidembed.models.registry.load_captioner", lambda *_, **__: pytest.fail("a captioner was loaded")
        )
        (again,) = index.caption(rechoose=True)
        assert [c.text for c in again.captions] == [red.text, green.text, "mine"]
        assert again.captions[1].model == green.model
        assert [c.text for c in index.captions()] == [red.text, green.text, "mine"]
        index.save_captions([wrong])
    assert main(["caption", "-i", "index", "--rechoose", "--out", "c.jsonl"]) == 0
    assert green.text in (tmp_path / "c.jsonl").read_text()


class WritingToy(ToyCaptioner):
    """A toy that writes of whole videos what the test says; None breaks."""

    can_write = True

    def __init__(self, answers: list[str | None]) -> None:
        self.answers, self.asked = answers, list[str]()

    def write(self, request: str, *, seed: int = 0) -> str:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if answer is None:
            raise ModelError("the endpoint is down")
        return answer


def test_a_language_model_writes_of_the_whole_video_once(media: Media, tmp_path: Path, monkeypatch: Any) -> None:
    toy = WritingToy([None, "Sure!\n**Title:** The colours\nSummary: Colours follow each other.\nChapter 1: All of it"])
    monkeypatch.setattr("vidembed.models.registry.load_captioner", lambda *_, **__: toy)
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("tone.mp4"))
        (first,) = index.caption()
        assert [(f.stage, f.message) for f in first.failures] == [("caption:summary", "the endpoint is down")]
        assert first.summary is not None
        assert "low tone" in first.summary.title  # put together from the captions meanwhile
        (second,) = index.caption()
        assert second.failures == ()
        assert second.summary is not None
        assert (second.summary.title, second.summary.sentence) == ("The colours", "Colours follow each other.")
        assert second.summary.chapters[0].text == "All of it"
        assert second.summary.model == "toy-captioner"
        assert "0:01 green frames, low tone" in toy.asked[1]
        (third,) = index.caption()  # nobody is asked
        (kept,) = index.captioned()
        assert third.summary == kept.summary == second.summary
        index.save_captions([replace(second.captions[0], text="a red wall", human=True)])
        toy.answers.append("I cannot say.")
        (fourth,) = index.caption()
        assert "wrote no title, summary or chapter but 'I cannot say.'" in fourth.failures[0].message


def test_the_first_answer_comes_before_the_last_file_is_indexed(media: Media, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("vidembed.index.opening.FILES_AT_ONCE", 1)
    paths = [media.path("one_frame.mp4"), media.path("tone.mp4")]
    results = ve.caption(paths, profile="toy", index=tmp_path / "index")
    assert next(results).path.name == "one_frame.mp4"
    with ve.open_index(tmp_path / "index", readonly=True) as index:
        assert [row.paths[0].name for row in index.videos()] == ["one_frame.mp4"]
    assert [video.path.name for video in results] == ["tone.mp4"]
    with pytest.raises(ve.VidembedError, match="no videos in"):
        list(ve.caption(tmp_path / "index", profile="toy"))


def test_progress_counts_clips(media: Media, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    with open_toy(tmp_path / "index") as index:
        index.add([media.path("tone.mp4"), media.path("one_frame.mp4")])
        list(index.caption(progress=lambda path, done, total: seen.append((Path(path).name, done, total))))
    assert [(done, total) for _, done, total in seen] == sorted((done, total) for _, done, total in seen)
    assert seen[-1] == ("", 4, 4)
    assert ("tone.mp4", 2, 4) in seen or ("tone.mp4", 3, 4) in seen


def test_a_slow_captioners_clips_can_be_read_one_by_one(
    media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidembed.index.captioning.SAVE_AFTER_S", 0.0)
    with open_toy(tmp_path / "index") as index:
        index.add(media.path("tone.mp4"))
        held: list[tuple[int, int]] = []
        list(index.caption(progress=lambda path, done, total: held.append((done, len(index.captions())))))
    assert held == [(0, 0), (1, 1), (2, 2), (3, 3), (3, 3)]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")
def test_killed_five_times_a_thousand_clips_are_there_exactly_once(media: Media, tmp_path: Path) -> None:
    """A hundred files of six clips and four long ones of a hundred, killed five times, then left alone."""
    videos = tmp_path / "videos"
    videos.mkdir()
    short = toy_videos.make(tmp_path / "short.mp4", "red", "lime", "blue").read_bytes()
    for i in range(100):
        (videos / f"{i:03d}.mp4").write_bytes(short + bytes([i]) * (i + 1))  # same picture, another id
    for i in range(4):
        colours = list(toy_space.COLOURS)[i : i + 5]
        toy_videos.make(videos / f"long{i}.mp4", *colours, hz=200 + 700 * i, second_each=10.0)
    driver = Path(__file__).with_name("caption_kill_driver.py")
    command = [sys.executable, str(driver), str(videos), "7"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert run.returncode == 0, run.stderr
    written = json.loads(run.stdout.splitlines()[-1])["records_after_each_kill"]
    assert written == sorted(written)
    assert written[0] == 0 < written[1] < written[-1]
    records = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    clips = [r["clip_id"] for r in records if r["kind"] == "caption"]
    with ve.open_index(tmp_path / "index", readonly=True) as index:
        assert sorted(clips) == sorted(clip.clip_id for clip in index.clips())
        assert len(clips) == len(set(clips)) == 1000
        assert [r["kind"] for r in records].count("summary") == len(index.videos()) == 104
