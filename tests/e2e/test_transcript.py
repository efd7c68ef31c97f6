"""Subtitles in, searched by words, and out again as transcripts; no recogniser is loaded."""

from __future__ import annotations

import json
import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_factory import Media
from subtitle_reading import read_srt, read_vtt

from vidembed import open_index
from vidembed.cli import main
from vidembed.types import Span

SAID = """1
00:00:00,200 --> 00:00:00,800
The budget is nine hundred

2
00:00:01,900 --> 00:00:02,600
[door] Goodbye, Ann!
"""
WORDS = {"channels.speech_words.source": "speech", "channels.speech_words.model": "words"}


@pytest.fixture
def library(media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two videos of three seconds, one with subtitles beside it, one with a track inside; and one that is silent."""
    monkeypatch.chdir(tmp_path)
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(media.path("three_shots.mp4"), videos / "talk.mp4")
    (videos / "talk.en.srt").write_text(SAID)
    shutil.copy(media.path("subtitled.mkv"), videos / "inside.mkv")
    shutil.copy(media.path("vfr.mp4"), videos / "silent.mp4")
    settings = [word for key, value in WORDS.items() for word in ("--set", f"{key}={value}")]
    assert main(["index", str(videos), "--profile", "toy", "--index", "index", *settings]) == 0
    return videos


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, " ".join(printed.err.split())


def test_words_of_subtitles_are_found_where_they_are_said(library: Path) -> None:
    with open_index("index", readonly=True) as index:
        best = index.search('"nine hundred"', channels=["speech_words"])[0]
        assert best.path.name == "talk.mp4"
        assert best.span == Span(0.2, 0.8)
        text = index.transcript(library / "talk.mp4")
        assert text is not None
        assert [(line.span, line.text) for line in text.lines] == [
            (Span(0.2, 0.8), "The budget is nine hundred"), (Span(1.9, 2.6), "Goodbye, Ann!")
        ]  # fmt: skip
        assert (text.language, text.origin) == ("en", "talk.en.srt")
        assert index.transcript(library / "silent.mp4") is None


def test_an_answer_shows_the_sentence_with_the_words_marked(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("search", "budgets hundred", "--channels", "speech_words", "-k", "1", "--index", "index")
    code, out, _ = run(capsys, *asked, "--json")
    assert code == 0
    moment = json.loads(out)
    text = moment["texts"]["speech_words"]
    assert text == "The budget is nine hundred"
    assert [text[start:end] for start, end in moment["marks"]["speech_words"]] == ["budget", "hundred"]
    code, out, _ = run(capsys, *asked)
    assert 'said "The budget is nine hundred"' in out


def test_info_says_where_each_transcript_came_from(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "info", "--videos", "--index", "index")
    assert code == 0
    (talk,) = [line for line in out.splitlines() if "talk.mp4" in line]
    assert "(speech: talk.en.srt)" in talk
    (inside,) = [line for line in out.splitlines() if "inside.mkv" in line]
    assert "(speech: subtitle track 1 (subrip))" in inside
    (silent,) = [line for line in out.splitlines() if "silent.mp4" in line]
    assert "speech:" not in silent


def test_one_file_a_video_reads_back_the_same(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form, read in (("srt", read_srt), ("vtt", read_vtt)):
        code, out, err = run(capsys, "transcript", "--index", "index", "--out", "texts", "--format", form)
        assert (code, out) == (0, "")
        assert "nothing said in 1 video: silent.mp4" in err
        assert "no channel of" not in err
        assert {path.name for path in Path("texts").glob(f"*.{form}")} == {f"talk.{form}", f"inside.{form}"}
        cues = read(Path(f"texts/talk.{form}").read_text(encoding="utf-8"))
        assert [(cue.span, cue.text) for cue in cues] == [
            (Span(0.2, 0.8), "The budget is nine hundred"), (Span(1.9, 2.6), "Goodbye, Ann!")
        ]  # fmt: skip


def test_standard_output_has_text_or_json(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = str(library / "talk.mp4")
    code, out, _ = run(capsys, "transcript", talk, "--index", "index")
    assert (code, out) == (0, "0:00.200  The budget is nine hundred\n0:01.900  Goodbye, Ann!\n")
    code, out, _ = run(capsys, "transcript", "--index", "index", "--format", "json")
    records: dict[str, Any] = {Path(record["path"]).name: record for record in map(json.loads, out.splitlines())}
    assert set(records) == {"talk.mp4", "inside.mkv"}
    assert records["inside.mkv"]["origin"] == "subtitle track 1 (subrip)"
    assert records["inside.mkv"]["language"] == "de"
    assert [line["text"] for line in records["inside.mkv"]["lines"]] == ["one", "two, too"]


def test_a_file_that_is_in_no_index(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "transcript", str(library / "talk.mp4"), "--index", "nowhere", "--out", "t.srt")
    assert (code, out) == (0, "")
    assert [cue.text for cue in read_srt(Path("t.srt").read_text())] == ["The budget is nine hundred", "Goodbye, Ann!"]
    code, _, err = run(capsys, "transcript", str(library / "talk.mp4"), "--index", "nowhere", "--out", "t.srt")
    assert code == 2
    assert "t.srt exists" in err


def test_speakers_are_named_in_every_format(
    library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = library.parent / "radio.wav"
    with wave.open(str(talk), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((np.sin(np.arange(48000)) * 9000).astype(np.int16).tobytes())
    talk.with_suffix(".srt").write_text(SAID)
    asked = ("transcript", str(talk), "--index", "nowhere")

    def in_turn(_: object, sounds: list[Any]) -> Any:
        return np.eye(2, dtype=np.float32)[[n % 2 for n in range(len(sounds))]]

    monkeypatch.setattr("vidembed.models.voices.VoiceEncoder.encode", in_turn)
    code, out, _ = run(capsys, *asked, "--speakers", "0")
    assert out == "0:00.200  Speaker 1: The budget is nine hundred\n0:01.900  Speaker 2: Goodbye, Ann!\n"
    code, out, _ = run(capsys, *asked, "--speaker", "2", "--format", "json")
    assert [(line["speaker"], line["text"]) for line in json.loads(out)["lines"]] == [(2, "Goodbye, Ann!")]
    code, out, _ = run(capsys, *asked, "--speakers", "2", "--format", "srt")
    assert [cue.text for cue in read_srt(out)] == ["Speaker 1: The budget is nine hundred", "Speaker 2: Goodbye, Ann!"]
    code, _, err = run(capsys, *asked, "--speaker", "3")
    assert (code, "nothing said in 1 video" in err) == (0, True)
    assert run(capsys, *asked, "--speakers", "2", "--written")[0] == 2
    assert main(["index", str(talk), "--profile", "toy", "--index", "index"]) == 0
    with open_index("index", readonly=True) as index:
        told = index.transcript(talk, speakers=0)
        assert told is not None
        assert [line.speaker for line in told.lines] == [1, 2]


TELEMETRY = """1
00:00:00,000 --> 00:00:00,033
<font size="28">FrameCnt: 1, DiffTime: 33ms
2025-05-04 10:11:12.345
[iso: 100] [shutter: 1/500.0] [latitude: 47.3] [longitude: 8.5] [rel_alt: 12.3] </font>

2
00:00:00,033 --> 00:00:00,066
<font size="28">FrameCnt: 2, DiffTime: 33ms
2025-05-04 10:11:12.378
[iso: 100] [shutter: 1/500.0] [latitude: 47.3] [longitude: 8.5] [rel_alt: 12.4] </font>
"""


def test_a_drone_s_readings_and_another_video_s_subtitles_are_not_what_is_said(
    library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ("--set", "channels.speech.source_options.subtitles=only")
    far = SAID.replace("00:00:0", "01:00:0")
    for name, subtitles in (("DJI_0001.SRT", TELEMETRY), ("other.srt", far)):
        video = (library / name).with_suffix(".mp4")
        shutil.copy(library / "silent.mp4", video)
        (library / name).write_text(subtitles)
        code, out, err = run(capsys, "transcript", str(video), "--index", "nowhere", *only)
        assert (code, out) == (0, "")
        assert "nothing said in 1 video" in err


def test_what_cannot_be_done_is_said(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "transcript", "--index", "nowhere")[0] == 2
    code, _, err = run(capsys, "transcript", "--index", "index", "--out", "all.srt")
    assert code == 2
    assert "one file for 2 videos" in err
    code, _, err = run(capsys, "transcript", "--index", "index", "--format", "docx")
    assert code == 2
    assert "srt, vtt, txt, json" in err


def test_what_was_never_read_is_not_called_silent(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "transcript", "--index", "index", "--written")
    assert (code, out) == (0, "")
    assert "no channel of ocr is filled in this index: vidembed index --channels +ocr" in err
