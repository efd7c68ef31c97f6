"""The page in a real browser: what a person does on the first visit."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import CHROMIUM_ARGS, chromium, open_tab
from playwright.sync_api import Page, Route, expect, sync_playwright
from serving import serving

import vidembed
from vidembed.demo import demo_videos
from vidembed.web import AppSettings, ServerSettings, make_server
from vidembed.web.server import make_runner

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium; VIDEMBED_REQUIRE=browser makes this a failure"),
]
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)
SHOWN = "[...document.querySelectorAll('.ve-player')].find((p) => p.offsetParent).querySelector('video')"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site on loopback, over an empty index with the toy models."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("site")
    with vidembed.open_index(folder / "index", profile="toy") as index:
        app = make_server(index, AppSettings(), ServerSettings(port=port))
        with serving(make_runner(app, ServerSettings(port=port))):
            yield f"http://127.0.0.1:{port}/"
        app.site.close()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    """One visit; the tests are its steps, each needs only the library to be there."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        made = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        made.set_default_timeout(WAIT_MS)
        made.errors = []  # type: ignore[attr-defined]
        made.foreign = []  # type: ignore[attr-defined]
        made.on("pageerror", lambda error: made.errors.append(str(error)))  # type: ignore[attr-defined]
        made.on(
            "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else made.foreign.append(r.url)
        )  # type: ignore[attr-defined]
        made.goto(address)
        made.locator("#ve-text textarea").wait_for()
        yield made
        browser.close()


@pytest.fixture(scope="module")
def filled(page: Page) -> Page:
    """The demo library, added with its button."""
    open_tab(page, "Library")
    page.locator("#ve-table").get_by_role("button", name="Add the demo library").click()
    expect(page.locator("#ve-jobs")).to_contain_text("7 added", timeout=90_000)
    expect(page.locator("#ve-table tbody tr")).to_have_count(7)
    return page


def begin(page: Page, address: str) -> None:
    """The page as it opens: an address with a moment, left by another test, would limit searches to its video."""
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


def test_an_empty_library_says_what_to_do(page: Page) -> None:
    expect(page.locator("#ve-results")).to_contain_text(re.compile("library is empty|clips"))


def test_players_for_queries_are_loaded_when_asked_for(page: Page) -> None:
    """Half of what gradio would load is for playing and recording media."""
    names = "performance.getEntriesByType('resource').map((r) => r.name).filter((n) => /hls|video|audio/i.test(n))"
    assert page.evaluate(names) == []
    page.locator("#ve-media-open").click()
    expect(page.locator("#ve-video")).to_be_visible()
    assert page.evaluate(names)
    page.locator("#ve-media-open").click()
    expect(page.locator("#ve-media")).to_be_hidden()


def test_all_tabs_are_in_sight_on_a_phone(page: Page) -> None:
    wide = page.viewport_size
    assert wide is not None
    page.set_viewport_size({"width": 360, "height": 740})
    for name in ("Search", "Library", "Captions", "Explore", "About"):
        expect(page.get_by_role("tab", name=name, exact=True)).to_be_in_viewport(ratio=1)
    page.set_viewport_size(wide)


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


def test_more_like_this_and_taking_it_back(filled: Page) -> None:
    search(filled, "green")
    filled.locator("#ve-results [data-action=like]").first.click()
    expect(filled.locator("#ve-terms .ve-chip")).to_have_count(1)
    expect(filled.locator("#ve-results")).to_contain_text("like 1 moment")
    filled.locator("#ve-terms [data-action=drop]").click()
    expect(filled.locator("#ve-terms .ve-chip")).to_have_count(0)


def test_search_by_picture(filled: Page, tmp_path: Path) -> None:
    import PIL.Image

    PIL.Image.new("RGB", (64, 48), (0, 160, 0)).save(tmp_path / "green.png")
    open_tab(filled, "Search")
    filled.locator("#ve-text textarea").fill("")
    filled.locator("#ve-media-open").click()
    filled.locator("#ve-image input[type=file]").set_input_files(tmp_path / "green.png")
    expect(filled.locator("#ve-results")).to_contain_text("a picture")
    expect(filled.locator("#ve-results .ve-card").first).to_be_visible()
    filled.reload()  # the picture would go on counting
    filled.locator("#ve-text textarea").wait_for()


def test_exports_download(filled: Page) -> None:
    search(filled, "green")
    filled.locator("#ve-results summary").click()
    with filled.expect_download() as got:
        filled.get_by_role("menuitem", name="EDL").click()
    assert Path(got.value.path()).read_text().startswith("TITLE: “green”")


def test_captions_by_model_and_by_hand(filled: Page) -> None:
    open_tab(filled, "Captions")
    expect(filled.locator("#ve-lines")).to_contain_text("Choose a video")  # nobody's is chosen already
    filled.locator("#ve-caption-videos input").click()
    filled.get_by_role("option", name="bigbuckbunny.mp4").click()
    filled.locator(".ve-top p").click()
    expect(filled.locator("#ve-lines h2", has_text="bigbuckbunny.mp4")).to_be_visible()
    other = filled.locator("#ve-lines .ve-line").last.locator("textarea")
    other.fill("a draft that nobody saved")
    filled.locator("#ve-caption-go").click()
    expect(filled.locator("#ve-caption-jobs")).to_contain_text("have a caption", timeout=60_000)
    expect(filled.locator("#ve-lines .ve-line").last).to_have_class(re.compile("ve-changed"))
    expect(other).to_have_value("a draft that nobody saved")  # though the list was drawn anew
    line = filled.locator("#ve-lines .ve-line").first
    expect(line.locator("textarea")).not_to_have_value("")
    line.locator("textarea").fill("a grey rabbit <b>yawns</b>")
    line.get_by_role("button", name=re.compile("Save")).click()
    expect(filled.locator("#ve-lines .ve-line").first).to_contain_text("by hand")
    with filled.expect_download() as got:
        filled.get_by_role("link", name="SRT").first.click()
    assert "a grey rabbit ‹b›yawns‹/b›" in Path(got.value.path()).read_text()


def test_a_bad_upload_says_why(filled: Page, tmp_path: Path) -> None:
    bad = tmp_path / "<img src=x onerror=alert(1)>.mp4"
    bad.write_text("#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    open_tab(filled, "Library")
    filled.locator("#ve-upload input[type=file]").set_input_files(bad)
    said = filled.locator("#ve-said")
    expect(said).to_contain_text("Not taken")
    expect(said).to_contain_text("playlist")
    assert said.locator("img").count() == 0


def test_the_map_plays(filled: Page) -> None:
    open_tab(filled, "Explore")
    dot = filled.locator(".ve-map circle").first
    dot.wait_for()
    dot.focus()
    expect(filled.locator(".ve-tip img")).to_be_visible()
    filled.keyboard.press("Enter")
    playing(filled)


def test_removing_can_be_undone(filled: Page) -> None:
    open_tab(filled, "Library")
    rows = filled.locator("#ve-table table:not(.ve-removed) tbody tr")
    expect(rows).to_have_count(7)
    filled.get_by_role("button", name="Remove sax.wav").click()
    expect(rows).to_have_count(6)
    filled.reload()  # loses nothing
    open_tab(filled, "Library")
    filled.locator("#ve-removed, .ve-removed").get_by_role("button", name="Put sax.wav back").click()
    expect(rows).to_have_count(7)


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


def test_an_address_holds_the_search(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    filled.wait_for_url(re.compile(r"\?q=green$"))
    filled.goto(f"{address}?q=high+tone&names=sax")
    expect(filled.locator("#ve-results")).to_contain_text("“high tone”, in files named “sax”")
    expect(filled.locator("#ve-text textarea")).to_have_value("high tone")
    expect(filled.locator("#ve-terms")).to_contain_text("in files named “sax”")
    filled.get_by_role("button", name="Take out: in files named “sax”").click()
    filled.wait_for_url(re.compile(r"\?q=high\+tone$"))


def test_a_link_opens_the_moment_and_back_leads_back(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    expect(filled.locator("#ve-results .ve-pick").first).to_be_visible()
    filled.locator("#ve-results .ve-thumb").nth(1).click()
    filled.wait_for_url(re.compile(r"[?&]v=[0-9a-f]{32}&t="))
    link, name = filled.url, filled.locator(".ve-player:visible .ve-player-name").text_content() or ""
    filled.go_back()
    expect(filled.locator(".ve-player:visible")).to_have_count(0)
    filled.go_back()
    expect(filled.locator("#ve-results .ve-welcome")).to_be_visible()
    expect(filled.locator("#ve-text textarea")).to_have_value("")
    filled.go_forward()
    expect(filled.locator("#ve-results")).to_contain_text("“green”")
    filled.goto(link)
    expect(filled.locator(".ve-player:visible .ve-player-name")).to_have_text(name)
    at = float(link.partition("&t=")[2].partition("&")[0])
    filled.wait_for_function(f"() => {SHOWN}.currentTime >= {at - 0.1}")
    filled.locator(".ve-player:visible [data-action=whole]").click()
    expect(filled.locator("#ve-results")).to_contain_text("in this video only")
    search(filled, "green")
    expect(filled.locator("#ve-results .ve-file").first).to_have_text(name)
    assert set(filled.locator("#ve-results .ve-file").all_text_contents()) == {name}
    open_tab(filled, "Library")
    filled.wait_for_url(re.compile("tab=library"))
    filled.go_back()
    expect(filled.locator("#ve-results")).to_be_visible()
    filled.goto(address)


def test_ticked_moments_are_exported(filled: Page) -> None:
    search(filled, "green")
    expect(filled.locator("#ve-results .ve-pick").first).to_be_visible()
    filled.locator("#ve-results [data-action=pick-all]").click()
    boxes = filled.locator("#ve-results .ve-pick input")
    if not boxes.first.is_checked():
        filled.locator("#ve-results [data-action=pick-all]").click()
    boxes.nth(0).uncheck()
    expect(filled.locator("[data-picked]")).to_have_text(f"{boxes.count() - 1} selected")
    filled.locator("#ve-results summary").click()
    with filled.expect_download() as got:
        filled.get_by_role("menuitem", name="OTIO").click()
    clips = json.loads(Path(got.value.path()).read_text())["tracks"]["children"][0]["children"]
    assert len(clips) == boxes.count() - 1


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


def test_words_typed_before_the_page_stands_are_searched(filled: Page, address: str) -> None:
    early = filled.context.new_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    early.route("**/assets/index-*.js", hold)  # as on a slow line
    early.goto(address, wait_until="commit")
    early.locator("#ve-opening input").fill("green")
    early.keyboard.press("Enter")
    for route in held:
        route.continue_()
    early.unroute("**/assets/index-*.js", hold)
    expect(early.locator("#ve-results")).to_contain_text("“green”")
    expect(early.locator("#ve-opening")).to_have_count(0)
    early.close()


@pytest.mark.parametrize("tab", ["Search", "Library", "Captions", "Explore", "About"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(filled: Page, address: str, scheme: Literal["light", "dark"], tab: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    if filled.evaluate("document.body.classList.contains('dark')") != (scheme == "dark"):
        filled.emulate_media(color_scheme=scheme)
        filled.goto(address)
        filled.locator("#ve-text textarea").wait_for()
    open_tab(filled, tab)
    filled.locator(
        {"Search": "#ve-results .ve-card", "Library": "#ve-table tbody tr", "Captions": "#ve-lines .ve-empty",
         "Explore": "#ve-similar h2", "About": "#ve-about table"}[tab]
    ).first.wait_for()  # fmt: skip
    # gradio fades tabs in; what runs for ever is no fade
    filled.wait_for_function(
        "() => document.getAnimations().every((a) => a.playState === 'finished' "
        "|| a.effect.getComputedTiming().endTime === Infinity)"
    )
    found = axe.run(filled).response["violations"]
    serious = {
        v["id"]: [n["html"][:120] for n in v["nodes"]][:3] for v in found if v["impact"] in ("serious", "critical")
    }
    assert not serious


def test_nothing_broke_and_nothing_came_from_elsewhere(filled: Page) -> None:
    assert filled.errors == []  # type: ignore[attr-defined]
    assert filled.foreign == []  # type: ignore[attr-defined]


def test_demo_files_are_there() -> None:
    assert len(demo_videos()) == 7
