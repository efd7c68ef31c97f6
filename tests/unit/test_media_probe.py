"""What the headers say of every generated file, against what its command made."""

from __future__ import annotations

from fractions import Fraction

import pytest
from media_factory import SAMPLES, Media, Sample, ffmpeg_program

from vidembed.media.reading.probe import probe

READABLE = [sample for sample in SAMPLES if sample.name != "no_index.mp4"]
assert READABLE


@pytest.mark.parametrize("sample", READABLE, ids=lambda sample: sample.name)
def test_probe(media: Media, sample: Sample) -> None:
    path = media.path(sample.name)
    info = probe(path)
    assert info.duration_s == pytest.approx(sample.duration_s, abs=0.11)
    assert (info.width_px, info.height_px) == sample.size
    assert info.audio_rate_hz == sample.audio_rate_hz
    assert info.has_video == (sample.size != (0, 0))
    assert info.size_bytes == path.stat().st_size
    assert len(info.video_id) == 32


def test_rate_and_codec(media: Media) -> None:
    info = probe(media.path("hevc.mp4"))
    assert (info.fps, info.codec) == (Fraction(10), "hevc")
    assert probe(media.path("av1.mkv")).codec == "av1"
    assert probe(media.path("surround.mkv")).audio_channels == 6
    assert probe(media.path("audio_only.m4a")).fps == 0


def test_cover_art_is_no_video(media: Media) -> None:
    import subprocess

    song = media.folder / "song.m4a"
    command = ["-i", media.path("audio_only.m4a"), "-i", media.path("one_frame.mp4"), "-map", "0:a", "-map", "1:v",
               "-c:a", "copy", "-c:v", "mjpeg", "-disposition:v", "attached_pic", song]  # fmt: skip
    subprocess.run([ffmpeg_program(), "-v", "error", "-y", *map(str, command)], check=True)
    info = probe(song)
    assert not info.has_video
    assert info.duration_s == pytest.approx(2.0, abs=0.1)


def test_recording_without_a_length_is_measured(media: Media) -> None:
    """Browsers' recorders write WebM and never come back to fill in the length."""
    import subprocess

    live = media.folder / "live.webm"
    with open(live, "wb") as out:
        subprocess.run(
            [ffmpeg_program(), "-v", "error", "-i", str(media.path("vp9.webm")), "-c", "copy", "-f", "webm", "-"],
            stdout=out,
            check=True,
        )
    assert probe(live).duration_s == pytest.approx(3.0, abs=0.11)
