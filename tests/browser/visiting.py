"""A server with the toy models and a visit, which the tests of a module share: each begins where it says."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import CHROMIUM_ARGS, WAIT_MS, chromium
from playwright.sync_api import Browser, Page, sync_playwright
from serving import serving

import vidembed
from vidembed.demo import demo_videos
from vidembed.web import AppSettings, ServerSettings, Site, make_server
from vidembed.web.server import make_runner


@pytest.fixture(scope="session")
def demo_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the demo library, which modules begin with a copy of."""
    folder = tmp_path_factory.mktemp("demo") / "index"
    with vidembed.open_index(folder, profile="toy") as index:
        assert len(index.add(demo_videos()).done) == 7
    return folder


@pytest.fixture(scope="module")
def first_index(demo_index: Path) -> Path | None:
    """What the site begins with a copy of; None: with an empty index."""
    return demo_index


@pytest.fixture(scope="module")
def served(first_index: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Site]]:
    """The site on loopback; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("site")
    if first_index is not None:
        shutil.copytree(first_index, folder / "index")
    with vidembed.open_index(folder / "index", profile="toy") as index:
        app = make_server(index, AppSettings(), ServerSettings(port=port))
        with serving(make_runner(app, ServerSettings(port=port))):
            yield f"http://127.0.0.1:{port}/", app.site
        app.site.close()


@pytest.fixture(scope="module")
def address(served: tuple[str, Site]) -> str:
    return served[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module: while it is open, nothing else can run an event loop."""
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def visit(address: str, browser: Browser) -> Page:
    """The page in a browser; what breaks in it is noted."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = context.new_page()
    made.set_default_timeout(WAIT_MS)
    broken: list[str] = []
    made.broken = broken  # type: ignore[attr-defined]
    made.on("pageerror", lambda error: broken.append(str(error)))
    made.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else broken.append(r.url))
    made.goto(address)
    made.locator("#ve-text textarea").wait_for()
    return made


@pytest.fixture
def page(visit: Page) -> Iterator[Page]:
    """The visit; no test may leave a broken script or a request to elsewhere behind."""
    yield visit
    assert visit.broken == []  # type: ignore[attr-defined]


@pytest.fixture
def filled(page: Page) -> Page:
    """The page over the demo library."""
    return page
