"""Tiny videos and indexes of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_videos
from toy_index import filled

from vidembed import VideoIndex


@pytest.fixture(scope="session")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films, and blue with a high tone."""
    folder = Path(shutil.copytree(films, tmp_path_factory.mktemp("library") / "videos"))
    toy_videos.make(folder / "sub" / "high.mp4", "blue", "blue", hz=5000)
    return folder


@pytest.fixture
def videos(library: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(library, tmp_path / "videos"))


@pytest.fixture
def index(tmp_path: Path, videos: Path) -> Iterator[VideoIndex]:
    with filled(tmp_path / "index", videos) as made:
        yield made


@pytest.fixture(scope="session")
def shared(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    """One filled index for tests that change nothing."""
    with filled(tmp_path_factory.mktemp("shared") / "index", library) as made:
        yield made
