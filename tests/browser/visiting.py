"""A server with the toy models and a visit, which the tests of a module share: each begins where it says."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from browsing import CHROMIUM_ARGS, WAIT_MS, chromium, open_tab
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import serving

import vidembed
from vidembed.web import AppSettings, ServerSettings, Site, make_server
from vidembed.web.server import make_runner


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Site]]:
    """The site on loopback, over an empty index; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("site")
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


@pytest.fixture(scope="module")
def library(visit: Page) -> None:
    """The demo library, added with its button."""
    open_tab(visit, "Library")
    visit.locator("#ve-table").get_by_role("button", name="Add the demo library").click()
    expect(visit.locator("#ve-jobs")).to_contain_text("7 added", timeout=90_000)
    expect(visit.locator("#ve-table tbody tr")).to_have_count(7)


@pytest.fixture
def filled(page: Page, library: None) -> Page:
    """The page over the demo library."""
    return page
