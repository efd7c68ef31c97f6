"""Playing moments: inside their span, by keys, under the pointer."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS, SHOWN, begin, open_tab, playing, search
from playwright.sync_api import Page, expect

pytestmark = MARKS


def test_a_moment_plays_inside_its_span(filled: Page) -> None:
    search(filled, "green")
    card = filled.locator("#ve-results .ve-thumb").first
    start, end = float(card.get_attribute("data-start") or -1), float(card.get_attribute("data-end") or -1)
    card.click()
    video = playing(filled)
    filled.wait_for_function(
        f"() => {{ const t = {SHOWN}.currentTime; return t >= {start - 0.01} && t <= {end + 0.35}; }}"
    )
    expect(filled.locator(".ve-strip[data-duration] .ve-mark").first).to_be_visible()
    mark = filled.locator(".ve-player:visible .ve-mark").first
    mark.click()
    filled.wait_for_function(f"() => {SHOWN}.currentTime >= {mark.get_attribute('data-time')}")
    assert video.evaluate("v => v.error") is None


def test_a_sound_only_file_plays(filled: Page) -> None:
    search(filled, "high tone")
    card = filled.locator("#ve-results .ve-thumb[data-name='sax.wav']").first
    card.click()
    filled.wait_for_function(f"() => {SHOWN}.duration > 15")


def test_the_map_plays(filled: Page) -> None:
    open_tab(filled, "Explore")
    dot = filled.locator(".ve-map circle").first
    dot.wait_for()
    dot.focus()
    expect(filled.locator(".ve-tip img")).to_be_visible()
    filled.keyboard.press("Enter")
    playing(filled)


def test_keys(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    first = filled.locator("#ve-results .ve-thumb").first
    first.click()
    playing(filled)
    filled.locator("#ve-results .ve-bar").click()
    filled.keyboard.press("j")
    second = filled.locator("#ve-results .ve-thumb").nth(1)
    expect(filled.locator(".ve-player:visible .ve-player-name")).to_have_text(second.get_attribute("data-name") or "")
    filled.keyboard.press("Escape")
    expect(filled.locator(".ve-player:visible")).to_have_count(0)
    filled.locator("#ve-results .ve-bar").click()
    filled.keyboard.press("/")
    expect(filled.locator("#ve-text textarea")).to_be_focused()


def test_a_pointer_over_a_card_shows_the_moments_frames(filled: Page) -> None:
    search(filled, "green")
    card = filled.locator("#ve-results .ve-thumb[data-film]").first
    expect(card.locator("img")).to_have_attribute("src", re.compile(r"/frame/[0-9a-f]{32}\?at="))
    card.hover()
    expect(card.locator(".ve-film i")).to_be_visible()
    box = card.bounding_box()
    assert box is not None
    filled.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + 20)
    expect(card.locator(".ve-film i")).to_have_css("background-position", "100% 0px")
    filled.mouse.move(0, 0)
    expect(card.locator(".ve-film")).to_have_count(0)
