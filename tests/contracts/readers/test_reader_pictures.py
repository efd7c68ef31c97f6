"""Every reader shows pictures upright, in the size asked for and in their colours."""

from __future__ import annotations

import numpy as np
import pytest
from media_factory import BLUE, RED, Media
from seen_media import COLOUR_TOLERANCE, opened

from vidembed.protocols import VideoReader


@pytest.mark.parametrize(
    ("short_side_px", "shape"), [(24, (24, 32, 3)), (48, (48, 64, 3)), (500, (48, 64, 3)), (7, (7, 9, 3))]
)
def test_short_side_shrinks_and_never_enlarges(reader: VideoReader, short_side_px: int, shape: tuple[int, ...]) -> None:
    assert reader.frames([0.5], short_side_px=short_side_px).rgb.shape == (1, *shape)
    assert next(iter(reader.stream(rate_hz=1, short_side_px=short_side_px))).rgb.shape == shape


def test_odd_sizes_and_wide_pixels(media: Media, backend: str) -> None:
    with opened(media, "odd_size.mkv", backend) as video:
        assert video.frames([0.0], short_side_px=99).rgb.shape == (1, 49, 65, 3)
    with opened(media, "wide_pixels.mp4", backend) as video:
        # 64 x 48 pixels, each a third wider than high.
        assert video.frames([0.0], short_side_px=99).rgb.shape == (1, 48, 85, 3)


@pytest.mark.parametrize(
    ("degrees", "red_at", "blue_at"),
    [(90, (48, 5), (48, 42)), (270, (48, 42), (48, 5)), (180, (42, 48), (5, 48))],
    ids=["90", "270", "180"],
)
def test_rotation_is_applied(
    media: Media, backend: str, degrees: int, red_at: tuple[int, int], blue_at: tuple[int, int]
) -> None:
    """Coded with red above blue; counter-clockwise by 90 puts red on the left."""
    with opened(media, f"rotated{degrees}.mp4", backend) as video:
        rgb = video.frames([0.0], short_side_px=48).rgb[0]
        assert rgb.shape == (video.info.height_px, video.info.width_px, 3)
        assert np.abs(rgb[red_at].astype(int) - RED).max() <= COLOUR_TOLERANCE
        assert np.abs(rgb[blue_at].astype(int) - BLUE).max() <= COLOUR_TOLERANCE
        streamed = next(iter(video.stream(rate_hz=1, short_side_px=24))).rgb
    assert streamed.shape == ((24, 48, 3) if degrees == 180 else (48, 24, 3))


def test_both_see_the_same_picture(media: Media) -> None:
    pytest.importorskip("decord")
    pictures = []
    for backend in ("pyav", "decord"):
        with opened(media, "three_shots.mp4", backend) as video:
            pictures.append(video.frames([0.4, 1.4, 2.4], short_side_px=24).rgb.astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 4
