"""A picture that does not change is scaled once."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from vidembed.media.reading.scaling import Geometry, Scaler


def frame(value: int, *, width: int = 64, kind: str = "yuv420p") -> av.VideoFrame:
    made = av.VideoFrame(width, 48, kind)
    for plane in made.planes:
        plane.update(bytes([value]) * plane.buffer_size)
    return made


def scaler() -> Scaler:
    return Scaler(Path("film.mp4"), Geometry(64, 48))


def test_equal_frames_in_a_row_give_one_array() -> None:
    scale = scaler()
    first = scale.rgb(frame(128), 24)
    assert first.shape == (24, 32, 3)
    assert scale.rgb(frame(128), 24) is first
    other = scale.rgb(frame(129), 24)
    assert other is not first
    assert scale.rgb(frame(128), 24) is not first, "only the last one is remembered"


def test_one_value_makes_a_difference() -> None:
    scale = scaler()
    first = scale.rgb(frame(128), 48)
    changed = frame(128)
    pixels = np.frombuffer(changed.planes[0], np.uint8).copy()
    pixels[70] = 250
    changed.planes[0].update(pixels.tobytes())
    assert not np.array_equal(scale.rgb(changed, 48), first)


def test_another_size_is_scaled_anew() -> None:
    scale = scaler()
    assert scale.rgb(frame(128), 24).shape == (24, 32, 3)
    assert scale.rgb(frame(128), 48).shape == (48, 64, 3)


def test_palettes_are_not_compared() -> None:
    """Equal indexes may stand for other colours."""
    scale = scaler()
    assert scale.rgb(frame(7, kind="rgb24"), 24) is not scale.rgb(frame(7, kind="rgb24"), 24)


def test_bytes_of_a_picture() -> None:
    assert scaler().bytes_of(24) == 24 * 32 * 3
