"""Every reader counts what it decodes, and decodes no more than it must."""

from __future__ import annotations

from media_factory import Media

from vidembed.media.reading.reader import open_video
from vidembed.protocols import VideoReader


def test_counts_grow(reader: VideoReader) -> None:
    assert reader.counts["decoded"] == 0
    list(reader.stream(rate_hz=10, short_side_px=48))
    counts = reader.counts
    assert (counts["decoded"], counts["skipped"], counts["corrupt"], counts["missing"]) == (30, 0, 0, 0)


def test_what_nobody_asked_for_is_counted_as_skipped(reader: VideoReader) -> None:
    """30 frames with a keyframe every 0.5 s."""
    list(reader.stream(rate_hz=1, short_side_px=48, mode="keyframes"))
    assert (reader.counts["decoded"], reader.counts["skipped"]) == (3, 27)


def test_keyframes_cost_less_than_decoding(media: Media) -> None:
    """Keyframes every 0.5 s: at one frame a second only they are decoded."""
    decoded = {}
    for mode in ("fixed", "adaptive", "keyframes"):
        with open_video(media.path("three_shots.mp4"), threads=1) as video:
            list(video.stream(rate_hz=1, short_side_px=48, mode=mode))
            decoded[mode] = video.counts["decoded"]
    assert decoded == {"fixed": 3, "adaptive": 3, "keyframes": 3}
    with open_video(media.path("three_shots.mp4"), threads=1) as video:
        list(video.stream(rate_hz=5, short_side_px=48, mode="fixed"))
        assert 15 <= video.counts["decoded"] < 30  # what no other frame refers to is skipped
