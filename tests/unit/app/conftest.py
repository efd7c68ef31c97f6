"""Videos, indexes and sites that the tests of the page share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from toy_index import filled

from vidembed import VideoIndex

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from vidembed.web import Site
    from vidembed.web.security import Guard

collect_ignore_glob = [] if find_spec("gradio") else ["test_*.py"]


@pytest.fixture
def library(films: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(films, tmp_path / "films"))


@pytest.fixture
def index(library: Path, tmp_path: Path) -> Iterator[VideoIndex]:
    with filled(tmp_path / "index", library) as made:
        yield made


@pytest.fixture
def site(index: VideoIndex, library: Path) -> Iterator[Site]:
    from vidembed.web import AppSettings, Site

    made = Site(index, AppSettings(roots=(library,), max_upload_mb=1, max_uploads=2, check_s=5.0))
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    """For tests that take nothing away."""
    with filled(tmp_path_factory.mktemp("shared") / "index", films) as made:
        yield made


@pytest.fixture(scope="session")
def guard(shared: VideoIndex) -> Guard:
    from vidembed.web import AppSettings, make_server

    return make_server(shared, AppSettings(max_upload_mb=1, max_uploads=2))


@pytest.fixture(scope="session")
def web(guard: Guard) -> Iterator[TestClient]:
    from app_site import HERE
    from starlette.testclient import TestClient

    with TestClient(guard, base_url=HERE) as client:
        yield client
