"""What every `VideoReader` must do, run over PyAV and decord on the same files with known truth."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
from media_factory import Media
from seen_media import opened

from vidembed.protocols import VideoReader


@pytest.fixture(params=["pyav", "decord"])
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "decord" and importlib.util.find_spec("decord") is None:
        pytest.skip("decord has no wheel for this platform")
    return request.param


@pytest.fixture
def reader(media: Media, backend: str) -> Iterator[VideoReader]:
    with opened(media, "three_shots.mp4", backend) as video:
        yield video
