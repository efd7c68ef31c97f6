"""Cutting: what the new file holds, and that nothing is overwritten or left half made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_factory import BLUE, GREEN, RED, Media

from vidembed.errors import InputError, MediaNotFound, MediaUnreadable, MissingDependency
from vidembed.media.editing import ffmpeg
from vidembed.media.editing.cut import cut
from vidembed.media.reading.reader import open_video
from vidembed.types import Span


def colours(path: Path) -> list[tuple[float, tuple[int, ...]]]:
    """(time, colour) of every frame, the colour rounded to full channels."""
    with open_video(path) as video:
        return [
            (round(frame.time_s, 2), tuple(int(value) for value in np.where(frame.rgb[24, 32] > 127, 255, 0)))
            for frame in video.stream(rate_hz=1000, short_side_px=99)
        ]


def test_exact_begins_and_ends_at_the_frame(media: Media, tmp_path: Path) -> None:
    made = cut(media.path("tone.mp4"), Span(0.7, 1.3), tmp_path / "-out 'a'.mp4", exact=True)
    assert made.span == Span(0.7, 1.3)
    assert colours(made.path) == [(0.0, RED), (0.1, RED), (0.2, RED), (0.3, GREEN), (0.4, GREEN), (0.5, GREEN)]
    with open_video(made) as video:
        assert video.info.duration_s == pytest.approx(0.6, abs=0.1)
        assert video.audio(Span(0.1, 0.5), rate_hz=16000).rms == pytest.approx(0.0884, rel=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["-out 'a'.mp4"], "nothing left over"


def test_lossless_begins_at_the_keyframe_before(media: Media, tmp_path: Path) -> None:
    """Keyframes lie every 0.5 s; the copied pictures are the same to the last bit."""
    made = cut(media.path("three_shots.mp4"), Span(0.7, 1.3), tmp_path / "out.mkv")
    assert made.span == Span(0.5, 1.3)
    found = colours(made.path)
    assert found[:8] == [(n / 10, RED) for n in range(5)] + [(0.5, GREEN), (0.6, GREEN), (0.7, GREEN)]
    with open_video(made) as copy, open_video(media.path("three_shots.mp4")) as source:
        np.testing.assert_array_equal(
            copy.frames([0.0, 0.5], short_side_px=48).rgb, source.frames([0.5, 1.0], short_side_px=48).rgb
        )


@pytest.mark.parametrize("name", ["three_shots.mp4", "open_gop.mkv", "mpeg2.ts", "vp9.webm"])
@pytest.mark.parametrize("start_s", [0.5, 1.0, 1.1, 2.3])
def test_a_copy_says_where_it_begins(media: Media, tmp_path: Path, name: str, start_s: float) -> None:
    """At a keyframe, too: its first picture is the source's at that time. Green lasts from 1 to 2 s."""
    made = cut(media.path(name), Span(start_s, 2.8), tmp_path / "out.mkv")
    assert made.span.start_s <= start_s
    turns_s = {1.0: GREEN, 2.0: BLUE}
    for turn_s, colour in turns_s.items():
        if turn_s > made.span.start_s + 0.05:
            begins_s = next(time_s for time_s, seen in colours(made.path) if seen == colour)
            assert begins_s + made.span.start_s == pytest.approx(turn_s, abs=0.05)


def test_a_copy_begins_at_the_very_keyframe_asked_for(media: Media, tmp_path: Path) -> None:
    made = cut(media.path("three_shots.mp4"), Span(1.0, 2.0), tmp_path / "out.mp4")
    assert made.span.start_s == pytest.approx(1.0, abs=1e-3)
    assert colours(made.path)[0] == (0.0, GREEN)


@pytest.mark.parametrize("exact", [False, True])
def test_avi_is_whole_from_its_very_start(media: Media, tmp_path: Path, exact: bool) -> None:
    made = cut(media.path("mpeg4.avi"), Span(0.0, 0.8), tmp_path / "out.mp4", exact=exact)
    with open_video(made) as copy, open_video(media.path("mpeg4.avi")) as source:
        asked = [0.0, 0.2, 0.4, 0.6]
        found, expected = (video.frames(asked, short_side_px=48).rgb.astype(int) for video in (copy, source))
    assert np.abs(found - expected).mean() <= 6


def test_lossless_brings_nothing_back_that_was_trimmed(media: Media, tmp_path: Path) -> None:
    """Shown: green to 0.8 s, then blue from a keyframe on; hidden before: red."""
    path = media.path("trimmed.mp4")
    green, blue = [(round(n / 10, 1), GREEN) for n in range(8)], [(0.8, BLUE), (0.9, BLUE)]
    assert colours(cut(path, Span(0.0, 1.0), tmp_path / "out.mp4").path) == green + blue
    # No edit list can hide it: pictures begin at the next keyframe.
    assert {colour for _, colour in colours(cut(path, Span(0.0, 1.4), tmp_path / "out.mkv").path)} == {BLUE}
    assert colours(cut(path, Span(0.0, 1.0), tmp_path / "exact.mkv", exact=True).path) == green + blue


BLACK = (0, 0, 0)


@pytest.mark.parametrize("name", ["empty_edit_0.mp4", "empty_edit_2.mp4"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_empty_edit_brings_no_hidden_picture_back(media: Media, tmp_path: Path, name: str, suffix: str) -> None:
    """Red to 1 s, nothing to 3 s, then blue. A copy would hold green, so none is made where a span reaches into it."""
    made = cut(media.path(name), Span(0.5, 3.8), tmp_path / f"across{suffix}")
    assert (made.exact, made.span) == (True, Span(0.5, 3.8))
    found = dict(colours(made.path))
    assert {colour for time_s, colour in found.items() if time_s < 0.45} == {RED}
    assert {colour for time_s, colour in found.items() if 0.55 < time_s < 2.45} == {BLACK}
    assert {colour for time_s, colour in found.items() if time_s > 2.75} == {BLUE}
    with open_video(made) as video:
        loud = [video.audio(span, rate_hz=16000).rms for span in (Span(0.1, 0.4), Span(0.7, 2.3), Span(2.8, 3.1))]
    assert loud[1] < 0.01 < 0.05 < min(loud[0], loud[2])
    inside = cut(media.path(name), Span(1.5, 2.5), tmp_path / f"inside{suffix}", exact=True)
    assert {colour for _, colour in colours(inside.path)} == {BLACK}
    for span, colour in ((Span(0.0, 0.9), RED), (Span(3.6, 3.9), BLUE)):
        beside = cut(media.path(name), span, tmp_path / f"{span.start_s}{suffix}")
        assert {seen for _, seen in colours(beside.path)} == {colour}
    assert not beside.exact, "copied, as nothing near it is hidden"


@pytest.mark.parametrize("name", ["cropped.mkv", "clean_aperture.mp4"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("exact", [False, True])
def test_edges_that_are_not_to_be_shown_stay_hidden(
    media: Media, tmp_path: Path, name: str, suffix: str, exact: bool
) -> None:
    """52 x 30 of 64 x 48, red; the edges are white. A container that cannot say so gets no copy."""
    made = cut(media.path(name), Span(0.2, 0.8), tmp_path / f"out{suffix}", exact=exact)
    assert made.exact or suffix != ".ts"
    with open_video(made) as video:
        assert (video.info.width_px, video.info.height_px) == (52, 30)
        rgb = video.frames([0.3], short_side_px=48).rgb[0]
    assert np.abs(rgb[2:-2, 2:-2].astype(int) - RED).max() < 60


def test_a_turned_video_stays_turned_where_the_container_cannot_say_so(media: Media, tmp_path: Path) -> None:
    """96 x 48 coded, shown as 48 x 96: red at its top left."""
    made = cut(media.path("turned_90.mp4"), Span(0.0, 0.4), tmp_path / "out.ts")
    assert made.exact
    with open_video(made) as video:
        rgb = video.frames([0.2], short_side_px=48).rgb[0]
    assert rgb.shape == (96, 48, 3)
    assert np.abs(rgb[8, 8].astype(int) - RED).max() < 60


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", ["joined.ts", "joined_ahead.ts"])
def test_joined_recordings_are_cut_in_their_second_part(media: Media, tmp_path: Path, name: str, exact: bool) -> None:
    """Red and 440 Hz to 2 s, then blue and 1000 Hz."""
    made = cut(media.path(name), Span(2.5, 3.5), tmp_path / "out.mp4", exact=exact)
    assert 2.3 <= made.span.start_s <= 2.5
    assert {colour for _, colour in colours(made.path)} == {BLUE}
    with open_video(made) as video:
        assert video.info.duration_s == pytest.approx(made.span.end_s - made.span.start_s, abs=0.15)
        samples = video.audio(Span(0.25, 0.75), rate_hz=16000).samples
    assert np.argmax(np.abs(np.fft.rfft(samples))) * 2 == pytest.approx(1000, abs=4)


@pytest.mark.parametrize("name", ["mpeg2.ts", "open_gop.mkv", "offset.mkv", "vp9.webm", "mpeg4.avi", "hevc_open.mkv"])
@pytest.mark.parametrize("exact", [False, True])
def test_span_is_covered_in_every_container(media: Media, tmp_path: Path, name: str, exact: bool) -> None:
    made = cut(media.path(name), Span(1.2, 2.0), tmp_path / "out.mkv", exact=exact)
    found = colours(made.path)
    assert made.span.start_s <= 1.2
    assert GREEN in {colour for _, colour in found}
    if exact:
        assert {colour for _, colour in found} == {GREEN}
        assert len(found) == 8


def test_sound_alone(media: Media, tmp_path: Path) -> None:
    made = cut(media.path("ladder.mp4"), Span(2.0, 3.0), tmp_path / "out.wav", exact=True)
    with open_video(made) as video:
        assert not video.info.has_video
        assert video.info.duration_s == pytest.approx(1.0, abs=0.02)
        # The third second is 400 Hz, from its first twentieth on.
        samples = video.audio(Span(0.0, 0.05), rate_hz=16000).samples
    assert np.argmax(np.abs(np.fft.rfft(samples))) * 20 == 400


def test_nothing_is_overwritten_unasked(media: Media, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    source = media.path("three_shots.mp4")
    with pytest.raises(InputError, match="exists"):
        cut(source, Span(0, 1), out)
    assert out.read_bytes() == b"precious"
    with pytest.raises(InputError, match="is the video itself"):
        cut(source, Span(0, 1), source, overwrite=True)
    with pytest.raises(MediaNotFound, match="no such folder"):
        cut(source, Span(0, 1), tmp_path / "none" / "out.mp4")
    with pytest.raises(InputError, match="begins after its end"):
        cut(source, Span(3.5, 4), tmp_path / "late.mp4")
    assert cut(source, Span(0, 1), out, overwrite=True, exact=True).path == out
    assert len(colours(out)) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4"]


def test_ffmpegs_own_words_are_in_the_error(media: Media, tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadable, match=r"cutting three_shots\.mp4: ffmpeg failed: .*webm"):
        cut(media.path("three_shots.mp4"), Span(0, 1), tmp_path / "out.webm")  # H.264 cannot be copied into WebM
    assert not list(tmp_path.iterdir())


def test_no_ffmpeg_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    ffmpeg.find_ffmpeg.cache_clear()
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert "imageio" in ffmpeg.find_ffmpeg(), "the package's own binary stands in"
    ffmpeg.find_ffmpeg.cache_clear()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingDependency, match="no ffmpeg"):
        ffmpeg.find_ffmpeg()
    ffmpeg.find_ffmpeg.cache_clear()
