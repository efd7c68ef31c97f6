"""A reel of pieces of several kinds: what is seen and heard when, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media_factory import BLUE, GREEN, RED, Media

from vidembed.errors import InputError, MediaNotFound
from vidembed.media.editing.cut import reel
from vidembed.media.reading.reader import open_video
from vidembed.types import Span


def test_pieces_follow_each_other(media: Media, tmp_path: Path) -> None:
    """Red with a tone, green without sound, a tone without pictures."""
    pieces = [
        (media.path("tone.mp4"), Span(0.2, 0.8)),
        (media.path("three_shots.mp4"), Span(1.2, 1.8)),
        (media.path("audio_only.m4a"), Span(0.5, 1.0)),
    ]
    out = reel(pieces, tmp_path / "-reel 'é'.mp4")
    assert [path.name for path in tmp_path.iterdir()] == [out.name], "nothing left over"
    with open_video(out) as video:
        assert (video.info.width_px, video.info.height_px) == (64, 48)
        assert video.info.duration_s == pytest.approx(1.7, abs=0.1)
        frames = video.frames([0.1, 0.5, 0.7, 1.1, 1.5], short_side_px=48).rgb[:, 24, 32]
        seen = [tuple(int(value) for value in np.where(pixel > 127, 255, 0)) for pixel in frames]
        assert seen == [RED, RED, GREEN, GREEN, (0, 0, 0)]
        loud = [video.audio(span, rate_hz=16000).rms for span in (Span(0.1, 0.5), Span(0.75, 1.1), Span(1.35, 1.6))]
    assert loud[0] > 0.05
    assert loud[1] < 0.01
    assert loud[2] > 0.05


def test_pixels_that_are_not_square_keep_their_shape(media: Media, tmp_path: Path) -> None:
    """64 x 48, shown as 85 x 48, on a canvas of 64 x 48: 36 lines in the middle, 6 black ones above and below."""
    pieces = [(media.path("three_shots.mp4"), Span(0.0, 0.4)), (media.path("wide_pixels.mp4"), Span(0.0, 0.4))]
    with open_video(reel(pieces, tmp_path / "out.mp4")) as video:
        rgb = video.frames([0.6], short_side_px=48).rgb[0]
    assert rgb.shape == (48, 64, 3)
    assert rgb[:4].max() < 80 > rgb[-4:].max()
    assert rgb[8:40, :, 0].min() > 200


def test_hidden_edges_and_empty_edits_are_in_no_reel(media: Media, tmp_path: Path) -> None:
    """52 x 30 of 64 x 48 with white edges; then red, nothing from .3 to 2.3 s, and blue in its middle, 40 x 30."""
    pieces = [(media.path("clean_aperture.mp4"), Span(0.2, 0.8)), (media.path("empty_edit_0.mp4"), Span(0.7, 3.4))]
    with open_video(reel(pieces, tmp_path / "out.mp4")) as video:
        assert (video.info.width_px, video.info.height_px) == (52, 30)
        first, red, nothing, blue = video.frames([0.3, 0.75, 2.0, 3.15], short_side_px=30).rgb
    assert np.abs(first[2:-2, 2:-2].astype(int) - RED).max() < 60
    middles = [tuple(int(value) for value in np.where(rgb[15, 26] > 127, 255, 0)) for rgb in (red, nothing, blue)]
    assert middles == [RED, (0, 0, 0), BLUE]


def test_what_cannot_be_is_said(media: Media, tmp_path: Path) -> None:
    piece = (media.path("tone.mp4"), Span(0, 1))
    with pytest.raises(InputError, match="nothing to put"):
        reel([], tmp_path / "out.mp4")
    with pytest.raises(MediaNotFound, match="no such folder"):
        reel([piece], tmp_path / "none" / "out.mp4")
    (tmp_path / "out.mp4").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        reel([piece], tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"mine"
    with pytest.raises(InputError, match="after its end"):
        reel([(piece[0], Span(100, 101))], tmp_path / "other.mp4")
