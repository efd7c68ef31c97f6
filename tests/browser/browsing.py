"""Chromium for the browser tests, and what they all do on the page."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from playwright.sync_api import Page, expect

CHROMIUM_ARGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
WAIT_MS = 30_000
SHOWN = "[...document.querySelectorAll('.ve-player')].find((p) => p.offsetParent).querySelector('video')"
expect.set_options(timeout=WAIT_MS)


def chromium() -> str | None:
    """The system's browser; Debian calls it chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None


MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium; VIDEMBED_REQUIRE=browser makes this a failure"),
]


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def begin(page: Page, address: str) -> None:
    """The page as it opens, whatever another test has left in the address."""
    page.goto(address)
    expect(page.locator("#ve-results .ve-welcome")).to_be_visible()


def search(page: Page, words: str) -> None:
    open_tab(page, "Search")
    page.locator("#ve-text textarea").fill(words)
    page.locator("#ve-go").click()
    expect(page.locator("#ve-results")).to_contain_text(f"“{words}”")


def playing(page: Page) -> Any:
    player = page.locator(".ve-player:visible video")
    player.wait_for()
    page.wait_for_function(f"() => {SHOWN}.readyState > 1")
    return player
