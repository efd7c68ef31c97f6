"""Files and questions that cannot be answered in full: damage, no picture, nonsense."""

from __future__ import annotations

import pytest
from media_factory import SAMPLES, Media, Sample
from seen_media import opened

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable, NoSuchStream
from vidembed.media.reading.reader import open_video
from vidembed.protocols import VideoReader
from vidembed.types import Span


@pytest.mark.parametrize("arguments", [{"rate_hz": 0}, {"rate_hz": -1}, {"rate_hz": 1, "short_side_px": 0}])
def test_nonsense_is_refused(reader: VideoReader, arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"rate_hz|short_side_px"):
        list(reader.stream(**({"short_side_px": 48} | arguments)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one time"):
        reader.frames([], short_side_px=48)


def test_no_picture(media: Media, backend: str) -> None:
    with opened(media, "audio_only.m4a", backend) as video:
        with pytest.raises(NoSuchStream, match="no picture"):
            video.frames([0.0], short_side_px=48)
        with pytest.raises(NoSuchStream, match="no picture"):
            list(video.stream(rate_hz=1, short_side_px=48))
        assert video.audio(Span(0.5, 1.5), rate_hz=16000).rms > 0.05


@pytest.mark.parametrize("name", ["truncated.mp4", "bitrot.mp4"])
def test_damage_costs_only_what_is_damaged(media: Media, name: str) -> None:
    with open_video(media.path(name)) as video:
        times_s = [frame.time_s for frame in video.stream(rate_hz=10, short_side_px=48)]
        assert times_s[:5] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)
        assert len(times_s) < 10 * video.info.duration_s
        # Asked for a time that is gone: the last picture before it.
        assert video.frames([video.info.duration_s], short_side_px=48).times_s[0] == pytest.approx(
            times_s[-1], abs=0.11
        )
        if name == "truncated.mp4":
            assert video.counts["missing"] > 0
            assert video.counts["missing"] + len(times_s) == pytest.approx(30, abs=1)  # one is there in part
        if name == "bitrot.mp4":
            assert video.counts["missing"] == 0
            assert video.counts["corrupt"] > 0
            assert times_s[-1] > 3.5, "decoding goes on behind the damage"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if not s.decord], ids=lambda sample: sample.name)
def test_decord_refuses_what_it_would_get_wrong(media: Media, sample: Sample) -> None:
    pytest.importorskip("decord")
    with open_video(media.path(sample.name), MediaSettings(reader="decord")) as video:
        with pytest.raises(MediaUnreadable, match="not readable with decord") as caught:
            list(video.stream(rate_hz=10, short_side_px=48))
        assert "pyav" in caught.value.hint
