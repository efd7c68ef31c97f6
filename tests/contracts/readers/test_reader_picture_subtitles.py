"""Subtitle tracks of pictures: when they are shown, and what is drawn, whatever the format."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from media_factory import H264, colour
from picture_subtitles import LETTER, drawn, write_pgs
from PIL import Image

from vidembed.config.schema import MediaSettings
from vidembed.media.editing.ffmpeg import find_ffmpeg
from vidembed.media.reading.palettes import Palettes
from vidembed.media.reading.reader import open_video
from vidembed.types import SubtitleTrack

CUES = [(1.0, 2.5, "The budget"), (3.0, 4.0, "Maria leads\nthe hiring"), (4.0, 5.2, "Well")]


def video_with(folder: Path, name: str, codec: str, *, dark: bool = False) -> Path:
    """Six blue seconds with the cues. codec: of the subtitles, "copy" = PGS."""
    cues = write_pgs(folder / "cues.sup", CUES, dark=dark)
    command = [str(find_ffmpeg()), "-v", "error", "-nostdin", *colour("blue", 6, size="640x360")]
    command += ["-copyts", "-fix_sub_duration", "-i", str(cues), "-map", "0", "-map", "1", *H264, "-c:s", codec]
    subprocess.run([*command, "-metadata:s:s:0", "language=deu", str(folder / name)], check=True)
    return folder / name


def tracks(path: Path, isolate: str = "never") -> list[SubtitleTrack]:
    with open_video(path, MediaSettings(isolate=isolate)) as video:  # type: ignore[arg-type]
        assert video.subtitles() == []  # none of text
        return video.subtitles(pictures=True)


def letters(png: bytes) -> np.ndarray:
    """Where the letters are: what is bright."""
    return np.asarray(Image.open(io.BytesIO(png))) > 127


@pytest.mark.parametrize(("name", "codec"), [("pgs.mkv", "copy"), ("dvd.mkv", "dvdsub"), ("dvb.ts", "dvbsub")])
@pytest.mark.parametrize("isolate", ["never", "always"])
def test_pictures_and_their_times(tmp_path: Path, name: str, codec: str, isolate: str) -> None:
    (track,) = tracks(video_with(tmp_path, name, codec), isolate)
    assert (track.language, len(track.lines), len(track.pictures)) == ("de", 3, 3)
    for line, (start_s, end_s, _) in zip(track.lines, CUES, strict=True):
        assert (line.span.start_s, line.span.end_s) == pytest.approx((start_s, end_s), abs=0.05)
        assert line.text == ""
    for png, (_, _, text) in zip(track.pictures, CUES, strict=True):
        seen, wanted = letters(png), drawn(text, rim=True) == LETTER
        assert seen.sum() == pytest.approx(wanted.sum(), rel=0.05)  # a DVD's picture is cut to what is drawn


def test_dark_letters_without_a_rim_are_bright_on_dark_all_the_same(tmp_path: Path) -> None:
    (track,) = tracks(video_with(tmp_path, "pgs.mkv", "copy", dark=True))
    assert np.array_equal(letters(track.pictures[1]), drawn("Maria leads\nthe hiring", rim=False) == LETTER)


def test_a_picture_that_is_sent_again_is_one(tmp_path: Path) -> None:
    """Players that begin in the middle get it so."""
    again = [(1.0, 2.0, "The budget"), (2.0, 3.0, "The budget"), (4.0, 5.0, "The budget")]
    cues = write_pgs(tmp_path / "again.sup", again)
    command = [str(find_ffmpeg()), "-v", "error", "-nostdin", *colour("blue", 6, size="640x360"), "-copyts"]
    command += ["-i", str(cues), "-map", "0", "-map", "1", *H264, "-c:s", "copy", str(tmp_path / "again.mkv")]
    subprocess.run(command, check=True)
    (track,) = tracks(tmp_path / "again.mkv")
    assert [(line.span.start_s, line.span.end_s) for line in track.lines] == [(1.0, 3.0), (4.0, 5.0)]


@pytest.mark.parametrize(("name", "codec"), [("pgs.mkv", "copy"), ("dvd.mkv", "dvdsub"), ("dvb.ts", "dvbsub")])
def test_damage_costs_pictures_at_most(tmp_path: Path, name: str, codec: str) -> None:
    whole = video_with(tmp_path, name, codec).read_bytes()
    at = np.random.default_rng(0).integers(len(whole) // 4, len(whole), 300)
    broken = bytearray(whole)
    for place in at:
        broken[place] ^= 0xFF
    path = tmp_path / f"broken_{name}"
    path.write_bytes(broken)
    with open_video(path) as video:
        for track in video.subtitles(pictures=True):
            assert len(track.lines) == len(track.pictures)


@pytest.mark.parametrize("codec", ["pgssub", "dvbsub", "dvdsub"])
def test_no_bytes_are_too_odd_for_a_palette(codec: str) -> None:
    rng = np.random.default_rng(1)
    palettes = Palettes(codec, b"palette: " + b"00ff00, " * 16)
    for size in [*range(40), *rng.integers(1, 400, 300)]:
        kinds = {"pgssub": b"\x16\x00\x0b", "dvbsub": b"\x0f\x12\x00\x00\x00\x20", "dvdsub": b"\x00\x20\x00\x04"}
        for packet in (rng.bytes(int(size)), kinds[codec] + rng.bytes(int(size))):
            assert palettes.of(packet).shape == (256, 2)
