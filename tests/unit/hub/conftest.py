"""A hub on loopback for each test, with an empty cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hub_server
import pytest


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    with hub_server.running() as served:
        hub_server.use(served, tmp_path / "cache", monkeypatch)
        yield served
