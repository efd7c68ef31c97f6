"""The generated media as a reader shows them, and their known colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from media_factory import SAMPLES, Media, Sample

from vidembed.config.schema import MediaSettings
from vidembed.media.reading.reader import open_video
from vidembed.protocols import VideoReader

PICTURES = [sample for sample in SAMPLES if sample.colours]
KNOWN_TIMES = [sample for sample in PICTURES if len(sample.times_s) > 1]
COLOUR_TOLERANCE = 24  # of 255: lossy coding and the rounding of YUV

assert PICTURES
assert KNOWN_TIMES


def opened(media: Media, name: str, backend: Any) -> VideoReader:
    if backend == "decord" and not media.samples[name].decord:
        pytest.skip("decord refuses this file; test_decord_refuses covers it")
    return open_video(media.path(name), MediaSettings(reader=backend), threads=1)


def colour_of(rgb: np.ndarray) -> np.ndarray:
    """The colour in the middle of the picture."""
    return rgb[rgb.shape[0] // 2, rgb.shape[1] // 2].astype(int)


def assert_colour(rgb: np.ndarray, expected: tuple[int, int, int], where: str) -> None:
    found = colour_of(rgb)
    assert np.abs(found - expected).max() <= COLOUR_TOLERANCE, f"{where}: {found}, expected {expected}"


def truth(sample: Sample, time_s: float) -> tuple[int, int, int]:
    return [colour for start_s, colour in sample.colours if start_s <= time_s + 1e-3][-1]
