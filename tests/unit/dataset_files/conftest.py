"""The folder of media beside the annotation files."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder
