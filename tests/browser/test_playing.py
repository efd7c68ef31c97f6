"""Playing moments: inside their span, by keys, under the pointer."""

from __future__ import annotations

import io
import re

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS, SHOWN, begin, open_tab, playing, search
from playwright.sync_api import Page, expect

from vidembed.demo import demo_videos
from vidembed.media.reading.reader import open_video
from vidembed.types import Span

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


def test_both_copy_buttons(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    filled.locator("#ve-results .ve-thumb").first.click()
    playing(filled)
    filled.wait_for_url(re.compile(r"[?&]v=[0-9a-f]{32}&t="))
    filled.get_by_role("button", name="Copy link").and_(filled.locator(":visible")).click()
    expect(filled.locator(".ve-player:visible [data-action=copy-link]")).to_have_text("Copied")
    assert filled.evaluate("navigator.clipboard.readText()") == filled.url
    filled.evaluate(f"{SHOWN}.pause(), {SHOWN}.currentTime = 1.25")
    filled.locator(".ve-player:visible [data-action=copy-time]").click()
    expect(filled.locator(".ve-player:visible [data-action=copy-time]")).to_have_text("Copied")
    assert filled.evaluate("navigator.clipboard.readText()") == "00:00:01.250"


def test_a_film_that_shows_nothing_is_transcoded(filled: Page, address: str) -> None:
    """A browser may play a film without its pictures and without an error: videoWidth tells."""
    begin(filled, address)
    search(filled, "green")
    card = filled.locator("#ve-results .ve-thumb[data-film]").first
    filled.evaluate(
        """() => { const own = Object.getOwnPropertyDescriptor(HTMLVideoElement.prototype, 'videoWidth');
        Object.defineProperty(HTMLVideoElement.prototype, 'videoWidth', { configurable: true,
          get() { return this.src.startsWith('blob:') ? own.get.call(this) : 0; } }); }"""
    )
    with filled.expect_response(lambda answer: "/piece/" in answer.url) as piece:
        card.click()
    assert piece.value.ok
    filled.wait_for_function(f"() => {SHOWN}.src.startsWith('blob:') && {SHOWN}.videoWidth > 0")
    filled.reload()


def test_the_film_before_does_not_play_on_under_the_next_name(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    cards = filled.locator("#ve-results .ve-thumb[data-film]")
    cards.first.click()
    playing(filled)
    other = next(
        one for one in cards.all() if one.get_attribute("data-video") != cards.first.get_attribute("data-video")
    )
    other.evaluate("(one) => { one.dataset.src = ''; }")  # as of a film that browsers do not know
    filled.route("**/piece/**", lambda route: None)  # it is never ready
    other.click()
    expect(filled.locator(".ve-player:visible .ve-player-note")).to_contain_text("Preparing this moment")
    assert filled.evaluate(f"[{SHOWN}.paused, {SHOWN}.getAttribute('src')]") == [True, None]
    filled.unroute("**/piece/**")
    filled.reload()


def test_the_hovers_frames_are_the_decoders(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    card = filled.locator("#ve-results .ve-thumb[data-name='bikes.mp4'][data-film]").first
    film = filled.request.get(f"{address.rstrip('/')}{card.get_attribute('data-film')}").body()
    strip = np.asarray(PIL.Image.open(io.BytesIO(film)).convert("RGB"), dtype=np.int16)
    start, end = (float(card.get_attribute(f"data-{side}") or 0) for side in ("start", "end"))
    path = next(path for path in demo_videos() if path.name == "bikes.mp4")
    with open_video(path) as video:
        last_s = video.info.duration_s - 0.001
        times = [min(round(1000 * time_s) / 1000, last_s) for time_s in Span(start, end).middles_s(8)]
        own = [video.frames([time_s], short_side_px=240).rgb[-1].astype(np.int16) for time_s in times]
    assert strip.shape[1] == 8 * own[0].shape[1]
    for shown, frame in zip(np.split(strip, 8, axis=1), own, strict=True):
        assert np.abs(shown - frame).mean() < 6  # JPEG
