"""A tiny open_clip model in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tiny_models


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.open_clip_folder(tmp_path_factory.mktemp("open_clip"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))
