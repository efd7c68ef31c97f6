"""Clips cut where the vectors of the index's own channel change, through real files."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_factory import Media

from vidembed import open_index
from vidembed.errors import ConfigError
from vidembed.types import Span

CHANGES = {"segment.kind": "changes", "channels.sound.enabled": False}


def test_clips_begin_where_the_meaning_changes(media: Media, tmp_path: Path) -> None:
    with open_index(tmp_path / "index", profile="toy", overrides=CHANGES) as index:
        report = index.add(media.path("three_shots.mp4"))
        assert (report.clips, report.failed) == (3, ())
        (video,) = index.videos()
        assert [clip.span for clip in index.clips(video.info.video_id)] == [Span(0, 1), Span(1, 2), Span(2, 3)]
        best = index.search("a green thing")[0]
        assert 0.9 <= best.span.start_s < best.span.end_s <= 2.1


def test_without_a_channel_of_frames_the_way_out_is_named(media: Media, tmp_path: Path) -> None:
    settings = {"segment.kind": "changes", "channels.vision.enabled": False}
    with (
        open_index(tmp_path / "index", profile="toy", overrides=settings) as index,
        pytest.raises(ConfigError, match="'changes' needs a channel that encodes frames"),
    ):
        index.add(media.path("three_shots.mp4"))
