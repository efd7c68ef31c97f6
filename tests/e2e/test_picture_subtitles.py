"""Subtitles of pictures are read into words with times, which are found, printed and asked like any other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from media_factory import H264, colour
from picture_subtitles import write_pgs

from vidembed import open_index
from vidembed.cli import main
from vidembed.media.editing.ffmpeg import find_ffmpeg

CUES = [
    (1.0, 2.5, "The budget is nine\nhundred euros."),
    (3.0, 4.0, "Maria leads the hiring."),
    (4.0, 5.2, "It's only a model!"),
]
RUSSIAN = [(1.0, 2.5, "Бюджет утверждён"), (3.0, 4.0, "Больше ничего нет")]


def film(folder: Path, name: str, codec: str = "copy", cues: list[tuple[float, float, str]] = CUES) -> Path:
    folder.mkdir(exist_ok=True)
    sup = write_pgs(folder / "cues.sup", cues)
    command = [str(find_ffmpeg()), "-v", "error", "-nostdin", *colour("blue", 6, size="640x360")]
    command += ["-copyts", "-fix_sub_duration", "-i", str(sup), "-map", "0", "-map", "1", *H264, "-c:s", codec]
    subprocess.run([*command, "-metadata:s:s:0", "language=eng", str(folder / name)], check=True)
    sup.unlink()
    return folder / name


def index_of(folder: Path) -> None:
    settings = ["channels.speech_words.source=speech", "channels.speech_words.model=words"]
    options = [word for setting in settings for word in ("--set", setting)]
    assert main(["index", str(folder), "--profile", "toy", "--index", f"{folder}-index", *options]) == 0


@pytest.mark.parametrize(("name", "codec"), [("pgs.mkv", "copy"), ("dvd.mkv", "dvdsub"), ("dvb.ts", "dvbsub")])
def test_words_on_pictures_are_speech(tmp_path: Path, name: str, codec: str) -> None:
    pytest.importorskip("rapidocr")
    video = film(tmp_path / "films", name, codec)
    index_of(tmp_path / "films")
    index = f"{tmp_path / 'films'}-index"
    assert main(["transcript", str(video), "--index", index, "--out", str(tmp_path / "t.json")]) == 0
    (record,) = [json.loads((tmp_path / "t.json").read_text())]
    lines = record["videos"][0]["lines"] if "videos" in record else record["lines"]
    assert [line["text"] for line in lines] == [text.replace("\n", " ") for _, _, text in CUES]
    for line, (start_s, end_s, _) in zip(lines, CUES, strict=True):
        assert (line["start_s"], line["end_s"]) == pytest.approx((start_s, end_s), abs=0.05)
    with open_index(index, readonly=True) as opened:
        (sentence, *_) = opened.ask("What is the budget?").sentences
        assert sentence.text == "The budget is nine hundred euros."
        assert sentence.span.start_s == pytest.approx(1.0, abs=0.05)


def test_text_comes_before_pictures(tmp_path: Path) -> None:
    video = film(tmp_path / "films", "film.mkv")
    video.with_suffix(".en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nAs it was typed.\n")
    index_of(tmp_path / "films")
    with open_index(f"{tmp_path / 'films'}-index", readonly=True) as index:
        said = index.transcript(video)
        assert said is not None
        assert said.text == "As it was typed."


def test_without_the_recogniser_it_is_said_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    film(tmp_path / "films", "film.mkv")
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    index_of(tmp_path / "films")
    assert "film.mkv: subtitle track 1 (hdmv_pgs_subtitle) is pictures, which are not read: pip install" in caplog.text
    assert "vidembed[ocr]" in caplog.text


def test_another_script_is_told_and_not_taken_for_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("rapidocr")
    video = film(tmp_path / "films", "film.mkv", cues=RUSSIAN)
    index_of(tmp_path / "films")
    assert "is pictures of text in a script that is not read" in caplog.text
    with open_index(f"{tmp_path / 'films'}-index", readonly=True) as index:
        assert index.transcript(video) is None
