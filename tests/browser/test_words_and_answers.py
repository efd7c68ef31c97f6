"""The transcript beside the player, and questions answered on the page, in a real browser."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from typing import Literal

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS
from chat_server import Pieces
from chat_server import server as endpoint
from media_factory import Media
from playwright.sync_api import Browser, Page, expect
from serving import serving

import vidembed
from vidembed.web import AppSettings, ServerSettings, make_server
from vidembed.web.server import make_runner

pytestmark = MARKS
SHOWN = "[...document.querySelectorAll('.ve-player')].find((p) => p.offsetParent)"
ERRORS: list[str] = []  # of the page's scripts
SAID = ("The budget is nine hundred euros.", "Maria leads the <b>hiring</b> & more.", "Goodbye, Änne.")
SRT = "\n".join(
    f"{n + 1}\n00:00:0{n},100 --> 00:00:0{n},900\n{text.replace('<b>', '&lt;b&gt;').replace('</b>', '&lt;/b&gt;')}\n"
    for n, text in enumerate(SAID)
)
WORDS = {"channels.speech_words.source": "speech", "channels.speech_words.model": "words", "segment.window_s": "1"}


@pytest.fixture(scope="module")
def address(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page over one video of three seconds with subtitles; an endpoint phrases its answers."""
    folder = tmp_path_factory.mktemp("said")
    (folder / "videos").mkdir()
    shutil.copy(media.path("three_shots.mp4"), folder / "videos" / "talk.mp4")
    (folder / "videos" / "talk.en.srt").write_text(SRT, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answer = Pieces(["It is 900 ", "euros [1]. The moon", " is made of cheese."])
    with vidembed.open_index(folder / "index", profile="toy", overrides=WORDS) as index, endpoint([answer]) as (url, _):
        index.add(folder / "videos", channels=["vision", "speech_words"])
        app = make_server(index, AppSettings(ask_model="m", ask_endpoint=url), ServerSettings(port=port))
        with serving(make_runner(app, ServerSettings(port=port))):
            yield f"http://127.0.0.1:{port}/"
        app.site.close()


@pytest.fixture(scope="module")
def page(address: str, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = context.new_page()
    made.set_default_timeout(30_000)
    made.on("pageerror", lambda error: ERRORS.append(str(error)))
    yield made
    context.close()


@pytest.fixture
def playing(page: Page, address: str) -> Page:
    """The video, opened from the first look at the library."""
    page.goto(address)
    page.locator("#ve-results .ve-thumb").first.click()
    expect(page.locator(".ve-says-list > li:visible")).to_have_count(3)
    return page


def test_the_transcript_is_there_as_it_was_said(playing: Page) -> None:
    spans = playing.locator(".ve-says-list > li span")
    assert spans.all_text_contents() == list(SAID)
    assert playing.locator(".ve-says-list b").count() == 0  # words of videos are no HTML


def test_the_line_of_now_is_marked_as_the_picture_goes_on(playing: Page) -> None:
    now = playing.locator(".ve-says-list [aria-current]")
    for second, text in ((0.5, SAID[0]), (2.5, SAID[2]), (1.5, SAID[1])):
        playing.evaluate(f"{SHOWN}.querySelector('video').pause()")
        playing.evaluate(f"{SHOWN}.querySelector('video').currentTime = {second}")
        expect(now).to_contain_text(text)
        expect(now).to_have_count(1)


def test_a_click_on_a_line_plays_from_there(playing: Page) -> None:
    playing.locator(".ve-says-list button").nth(2).click()
    playing.wait_for_function(f"() => {SHOWN}.querySelector('video').currentTime >= 2.1")
    assert playing.evaluate(f"{SHOWN}.querySelector('video').currentTime") < 3.1


def test_words_are_found_and_marked(playing: Page) -> None:
    box = playing.get_by_role("searchbox", name="Find in the transcript")
    box.fill("MARIA")
    expect(playing.locator(".ve-says-list > li:visible")).to_have_count(1)
    expect(playing.locator(".ve-says mark")).to_have_text("Maria")
    expect(playing.locator(".ve-says [role=status]")).to_have_text("1 line")
    box.press("Enter")
    playing.wait_for_function(f"() => {SHOWN}.querySelector('video').currentTime >= 1.1")
    box.fill("(")  # no pattern
    expect(playing.locator(".ve-says-list > li:visible")).to_have_count(0)
    box.fill("")
    expect(playing.locator(".ve-says-list > li:visible")).to_have_count(3)
    expect(playing.locator(".ve-says mark")).to_have_count(0)


def test_the_text_is_copied(playing: Page) -> None:
    playing.get_by_role("button", name="Copy text").click()
    expect(playing.get_by_role("button", name="Copied")).to_be_visible()
    copied = playing.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == [f"0:0{n}.1  {text}" for n, text in enumerate(SAID)]


def test_an_answer_names_its_moment_and_plays_it(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("#ve-text textarea").fill("What is the budget?")
    page.get_by_role("button", name="Ask", exact=True).click()
    answer = page.locator(".ve-answer")
    expect(answer.locator("p")).to_have_count(1)
    expect(answer).to_contain_text("It is 900 euros.")
    expect(page.locator("#ve-results .ve-warn")).to_contain_text("The moon is made of cheese.")
    page.wait_for_url(re.compile("q=What.*&ask=1"))
    cited = answer.locator(".ve-cite")
    start_s = float(cited.get_attribute("data-start") or -1)
    cited.click()
    page.wait_for_function(f"() => {SHOWN}?.querySelector('video').currentTime >= {start_s}")
    expect(page.locator(".ve-player:visible .ve-player-name")).to_have_text("talk.mp4")


def test_an_address_holds_the_question(page: Page, address: str) -> None:
    page.goto(f"{address}?q=What+is+the+budget%3F&ask=1")
    expect(page.locator(".ve-answer")).to_contain_text("It is 900 euros.")
    expect(page.locator("#ve-text textarea")).to_have_value("What is the budget?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(page: Page, address: str, scheme: Literal["light", "dark"]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}?q=What+is+the+budget%3F&ask=1")
    page.locator(".ve-cite").first.click()
    page.get_by_role("searchbox", name="Find in the transcript").fill("maria")
    expect(page.locator(".ve-says mark")).to_have_text("Maria")
    found = axe.run(page).response["violations"]
    serious = {
        v["id"]: [n["html"][:120] for n in v["nodes"]][:3] for v in found if v["impact"] in ("serious", "critical")
    }
    assert not serious


def test_a_question_that_nothing_answers(page: Page, address: str) -> None:
    page.goto(f"{address}?q=Which+guitar+does+she+play%3F&ask=1")
    expect(page.locator("#ve-results")).to_contain_text("The library does not show it")


def test_no_script_failed(page: Page) -> None:
    assert page.url
    assert ERRORS == []
