"""Subtitles that come with a video, on its clock, through every reader and through the decoder process."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from media_factory import Media

from vidembed.config.schema import MediaSettings
from vidembed.media.reading.reader import open_video
from vidembed.types import Span, TextLine

LINES = (TextLine(Span(0.5, 0.9), "one"), TextLine(Span(1.5, 1.9), "two, too"))


@pytest.mark.parametrize("name", ["subtitled.mkv", "subtitled.mp4", "subtitled_ass.mkv"])
@pytest.mark.parametrize("isolate", ["never", "always"])
def test_tracks_inside(media: Media, name: str, isolate: str) -> None:
    with open_video(media.path(name), MediaSettings(isolate=isolate)) as video:
        spoken, forced = video.subtitles()
    times = [(round(line.span.start_s, 3), round(line.span.end_s, 3), line.text) for line in spoken.lines]
    assert times == [(line.span.start_s, line.span.end_s, line.text) for line in LINES]
    assert (spoken.language, spoken.kind, spoken.default) == ("de", "full", True)
    assert [line.text for line in forced.lines] == ["sign"]
    assert (forced.language, forced.kind) == (None, "forced")
    assert forced.origin.startswith("subtitle track 2 (")


def test_files_beside_come_first_and_a_bad_one_costs_itself(
    media: Media, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = tmp_path / "talk.mp4"
    shutil.copy(media.path("subtitled.mp4"), video)
    (tmp_path / "talk.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    (tmp_path / "talk.fr.srt").write_text("no cue")
    with caplog.at_level(logging.WARNING), open_video(video) as reader:
        tracks = reader.subtitles()
    assert [track.origin for track in tracks] == [
        "talk.en.srt",
        "subtitle track 1 (mov_text)",
        "subtitle track 2 (mov_text)",
    ]
    assert "talk.fr.srt: no subtitle in it" in caplog.text
    caplog.clear()


def test_a_video_without_any(media: Media, backend: str) -> None:
    with open_video(media.path("three_shots.mp4"), MediaSettings(reader=backend)) as video:  # type: ignore[arg-type]
        assert video.subtitles() == []
