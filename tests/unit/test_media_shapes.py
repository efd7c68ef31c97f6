"""Mirrored and odd shapes, several tracks, encrypted files, pictures named as videos: what a player would show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from media_factory import BLUE, GREEN, RED, Media
from seen_media import COLOUR_TOLERANCE, assert_colour

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable
from vidembed.media.reading.probe import probe
from vidembed.media.reading.reader import open_video
from vidembed.types import Span

# Coded: top left lime, top right red, lower half blue. The corners as shown, from top left, clockwise.
CORNERS = {
    "mirrored.mp4": (RED, GREEN, BLUE, BLUE),
    "flipped.mp4": (BLUE, BLUE, RED, GREEN),
    "turned_and_mirrored.mp4": (GREEN, BLUE, BLUE, RED),
    "turned_90.mp4": (RED, BLUE, BLUE, GREEN),
    "sheared.mp4": (GREEN, RED, BLUE, BLUE),
    "no_matrix.mp4": (GREEN, RED, BLUE, BLUE),
}


def first(media: Media, name: str, at_s: float = 0.0) -> np.ndarray:
    with open_video(media.path(name)) as video:
        return video.frames([at_s], short_side_px=48).rgb[0]


@pytest.mark.parametrize("name", CORNERS)
def test_the_display_matrix_is_followed_where_it_turns_or_mirrors(media: Media, name: str) -> None:
    rgb = first(media, name)
    info = probe(media.path(name))
    assert rgb.shape[:2] == (info.height_px, info.width_px)
    assert (info.width_px, info.height_px) == media.samples[name].size
    corners = rgb[8, 8], rgb[8, -8], rgb[-8, -8], rgb[-8, 8]
    for found, expected in zip(corners, CORNERS[name], strict=True):
        assert np.abs(found.astype(int) - expected).max() <= COLOUR_TOLERANCE


HIDE_EDGES = ["cropped.mkv", "clean_aperture.mp4"]


@pytest.mark.parametrize("name", HIDE_EDGES)
@pytest.mark.parametrize("short_side_px", [48, 15])
def test_edges_that_are_not_to_be_shown_are_cut_off(media: Media, name: str, short_side_px: int) -> None:
    """64 x 48 less 8 + 4 columns and 12 + 6 lines: 52 x 30, or half of it, red up to its corners."""
    info = probe(media.path(name))
    assert (info.width_px, info.height_px) == (52, 30)
    with open_video(media.path(name)) as video:
        frames = list(video.stream(rate_hz=5, short_side_px=short_side_px))
        assert len(frames) == 5
        for rgb in (*(frame.rgb for frame in frames), video.frames([0.5], short_side_px=short_side_px).rgb[0]):
            assert rgb.shape == ((30, 52, 3) if short_side_px > 30 else (15, 26, 3))
            inside = rgb[1:-1, 1:-1].astype(int)  # next to white, coding blurs
            assert np.abs(inside - RED).max() <= 2 * COLOUR_TOLERANCE
            assert rgb[:, :, 1:].max() < 160


@pytest.mark.parametrize("name", HIDE_EDGES)
def test_decord_refuses_hidden_edges(media: Media, name: str) -> None:
    pytest.importorskip("decord")
    with (
        open_video(media.path(name), MediaSettings(reader="decord")) as video,
        pytest.raises(MediaUnreadable, match="edges that are to be hidden"),
    ):
        video.frames([0.0], short_side_px=48)


def test_mirrored_pictures_are_refused_by_decord(media: Media) -> None:
    pytest.importorskip("decord")
    with (
        open_video(media.path("mirrored.mp4"), MediaSettings(reader="decord")) as video,
        pytest.raises(MediaUnreadable, match="does not mirror"),
    ):
        video.frames([0.0], short_side_px=48)


def test_a_picture_of_another_shape_is_not_squashed(media: Media) -> None:
    """64 x 48, from 1 s on 24 x 48: then 24 columns in the middle, 20 black ones on each side."""
    assert_colour(first(media, "size_changes.ts", 0.5), RED, "before")
    rgb = first(media, "size_changes.ts", 1.5)
    assert rgb.shape == (48, 64, 3)
    assert_colour(rgb, BLUE, "after")
    assert rgb[:, :20].max() == rgb[:, 44:].max() == 0
    assert np.abs(rgb[24, [21, 42]].astype(int) - BLUE).max() <= COLOUR_TOLERANCE


def test_unmarked_hd_has_the_colours_of_hd(media: Media) -> None:
    """Taken for BT.601, this red comes out as (233, 0, 2)."""
    assert np.abs(first(media, "unmarked_hd.mkv")[24, 40].astype(int) - RED).max() <= 4


@pytest.mark.parametrize("name", ["preview_first.mkv", "unflagged.mkv", "cover_first.mkv"])
def test_the_film_is_chosen_not_its_preview(media: Media, name: str) -> None:
    info = probe(media.path(name))
    assert (info.width_px, info.height_px) == (64, 48)
    assert_colour(first(media, name), RED, name)


@pytest.mark.parametrize("name", ["second_is_default.mkv", "commentary_first.mkv"])
def test_the_main_sound_is_chosen(media: Media, name: str) -> None:
    """440 Hz in the first track, 1000 Hz in the second; by number the first is still there."""
    for track, hz in ((None, 1000), (0, 440), (1, 1000)):
        with open_video(media.path(name), MediaSettings(audio_track=track)) as video:
            samples = video.audio(Span(0.0, 1.0), rate_hz=16000).samples
            assert np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(hz, abs=2)


@pytest.mark.parametrize("name", ["opposite.wav", "opposite.m4a"])
def test_opposite_channels_are_no_silence(media: Media, name: str) -> None:
    with open_video(media.path(name)) as video:
        for span in (Span(0.1, 0.9), Span(0.5, 0.8)):
            # A sine of 0.4: 0.4 / sqrt(2).
            assert video.audio(span, rate_hz=16000).rms == pytest.approx(0.283, rel=0.05)


@pytest.mark.parametrize("name", ["encrypted.mp4", "encrypted.m4a", "scrambled.ts"])
def test_encrypted_files_are_called_so(media: Media, name: str) -> None:
    with pytest.raises(MediaUnreadable, match="is encrypted"):
        probe(media.path(name))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF", "BMP", "AVIF"])
def test_a_picture_named_as_a_video_is_called_a_picture(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "holiday.mp4"
    PIL.Image.new("RGB", (32, 24), "red").save(path, format=kind.upper())
    with pytest.raises(MediaUnreadable, match=rf"a picture \({kind}\), not a video") as caught:
        probe(path)
    assert "--image" in caught.value.hint


def test_a_photo_of_a_phone_named_as_a_video_is_called_a_picture(tmp_path: Path) -> None:
    """The box that begins a HEIC says so; what follows is an AVIF's."""
    path = tmp_path / "holiday.mov"
    PIL.Image.new("RGB", (32, 24), "red").save(path, format="AVIF")
    path.write_bytes(path.read_bytes().replace(b"ftypavif", b"ftypheic", 1))
    with pytest.raises(MediaUnreadable, match=r"a picture \(HEIC\), not a video") as caught:
        probe(path)
    assert "--image" in caught.value.hint


def test_an_animated_avif_is_a_video(media: Media) -> None:
    """Its first track is a single picture; red for a second, then blue."""
    with open_video(media.path("animated.avif")) as video:
        assert video.info.duration_s == pytest.approx(2.0)
        frames = list(video.stream(rate_hz=1, short_side_px=48))
    assert len(frames) == 2
    assert_colour(frames[0].rgb, RED, "first second")
    assert_colour(frames[1].rgb, BLUE, "second second")
