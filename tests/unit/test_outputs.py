"""Where captions are written: names that never meet, and folders that cannot be written to."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from vidembed.captions.export import Outputs
from vidembed.captions.run import CaptionedVideo
from vidembed.captions.subtitles import Cue
from vidembed.files import fitting
from vidembed.media.remote import distinct_names
from vidembed.types import Caption, Clip, Span


def captioned(path: Path, text: str) -> CaptionedVideo:
    clip = Clip.make(text * 4, 0, Span(0, 2))
    return CaptionedVideo(text * 4, path, (Caption(clip, text, 0.5, (), "me"),), None, cues=(Cue(Span(0, 2), text),))


def library(folder: Path) -> dict[str, Path]:
    paths = {"red": "a/IMG_1.MOV", "lime": "a/IMG_1.MP4", "blue": "b/img_1.mov", "white": "a/other.mp4"}
    found = {colour: folder / name for colour, name in paths.items()}
    for path in found.values():
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return found


def test_subtitles_of_one_stem_do_not_meet_and_keep_their_names(tmp_path: Path) -> None:
    videos = library(tmp_path)
    runs = []
    for order in (["red", "lime", "blue", "white"], ["white", "blue", "lime"]):
        folder = tmp_path / f"srt{len(order)}"
        with Outputs(srt=folder) as outputs:
            outputs.expect(videos.values())
            for colour in order:
                outputs.write(captioned(videos[colour], colour))
        said = {path.name: path.read_text().splitlines()[2] for path in folder.iterdir()}
        runs.append({colour: name for name, colour in said.items()})
    assert len(runs[0]) == 4
    assert runs[0]["white"] == "other.srt"
    assert {**runs[0], **runs[1]} == runs[0], "the same in a run over some of them"
    assert len({name.casefold() for name in runs[0].values()}) == 4, "also where case does not count"


def test_sidecars_of_one_stem_do_not_meet(tmp_path: Path) -> None:
    videos = library(tmp_path)
    with Outputs(sidecar=True) as outputs:
        assert [outputs.write(captioned(path, colour)) for colour, path in videos.items()] == [[]] * 4
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.srt"))
    assert names == [
        "a/IMG_1.MOV.captions.srt",
        "a/IMG_1.MP4.captions.srt",
        "a/other.captions.srt",
        "b/img_1.captions.srt",
    ]


def test_a_folder_that_cannot_be_written_to_costs_its_own_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = library(tmp_path)
    write = Path.write_bytes

    def refusing(path: Path, content: bytes) -> int:
        if path.parent.name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", refusing)
    with Outputs(sidecar=True) as outputs:
        (failure,) = outputs.write(captioned(videos["blue"], "blue"))
        assert outputs.write(captioned(videos["white"], "white")) == []
    assert (failure.item, failure.stage) == (str(videos["blue"]), "write")
    assert (tmp_path / "a" / "other.captions.srt").exists()


def test_a_video_of_which_no_caption_is_sure_gets_no_subtitles(tmp_path: Path) -> None:
    video = replace(captioned(tmp_path / "a.mp4", "red"), cues=())
    with Outputs(srt=tmp_path / "srt", sidecar=True) as outputs:
        assert (outputs.write(video), outputs.unsure) == ([], 1)
    assert list(tmp_path.rglob("*.srt")) == []


def test_a_dash_is_the_standard_output(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with Outputs(Path("-")) as outputs:
        assert outputs.any
        outputs.write(captioned(tmp_path / "a.mp4", "red"))
    assert json.loads(capsys.readouterr().out)["text"] == "red"


def test_accents_do_not_tell_names_apart() -> None:
    composed, decomposed = Path("a/caf\u00e9.mp4"), Path("b/cafe\u0301.mov")
    assert distinct_names([composed, decomposed]) == {composed: composed.name, decomposed: decomposed.name}


def test_what_signs_an_address_gets_into_no_name_of_a_file(tmp_path: Path) -> None:
    one, other = Path("https:/host/a/green.mp4?key=me/1&name=x.y"), Path("https:/host/a/green.mp4?key=me/2&name=x.z")
    assert distinct_names([one, Path("b/red.mp4")]) == {one: "green", Path("b/red.mp4"): "red"}
    names = distinct_names([one, other])
    assert [re.fullmatch(r"green\.mp4-[0-9a-f]{6}", name) is not None for name in names.values()] == [True, True]
    assert names[one] != names[other]
    with Outputs(srt=tmp_path / "srt", vtt=tmp_path / "vtt", sidecar=True) as outputs:
        outputs.expect([one])
        (failed,) = outputs.write(captioned(one, "green"))
    assert failed.message == "no subtitles can be written beside a video at an address"
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == ["green.srt", "green.vtt"]


def test_names_that_are_too_long_are_cut_and_stay_different() -> None:
    one, other = fitting("x" * 245 + "1", ".captions.srt"), fitting("x" * 245 + "2", ".captions.srt")
    assert (len(one), one.endswith(".captions.srt"), one != other) == (255, True, True)
    assert fitting("short", ".srt") == "short.srt"
    assert len(fitting("é" * 200, ".srt").encode()) <= 255
