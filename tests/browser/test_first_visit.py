"""The first visit: an empty library, a phone, a slow line, people who hear the page read."""

from __future__ import annotations

from typing import Literal

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS, begin, open_tab, playing, search
from playwright.sync_api import APIResponse, Page, Route, expect

from vidembed.demo import demo_videos

pytestmark = MARKS


@pytest.fixture(scope="module")
def first_index() -> None:
    """Nothing is there yet."""


@pytest.fixture(scope="module")
def library(visit: Page) -> None:
    """The demo library, added with its button."""
    open_tab(visit, "Library")
    visit.locator("#ve-table").get_by_role("button", name="Add the demo library").click()
    expect(visit.locator("#ve-jobs")).to_contain_text("7 added", timeout=90_000)
    expect(visit.locator("#ve-table tbody tr")).to_have_count(7)


@pytest.fixture
def filled(page: Page, library: None) -> Page:
    return page


def test_an_empty_library_says_what_to_do(page: Page) -> None:
    expect(page.locator("#ve-results")).to_contain_text("library is empty")


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


def test_a_phone_hides_nothing_beyond_its_edge(filled: Page, address: str) -> None:
    """Every button, field and link of an answer and of the filters ends before the right edge, also the exports."""
    wide = filled.viewport_size
    assert wide is not None
    filled.set_viewport_size({"width": 390, "height": 844})
    begin(filled, address)
    search(filled, "green")
    filled.locator("#ve-options-open").click()
    expect(filled.get_by_role("button", name="Choose a date").first).to_be_visible()
    filters = filled.locator("#ve-options").first.bounding_box()
    assert filters is not None
    assert filters["height"] < 844, "they fit one screen"
    filled.locator("#ve-results summary").click()
    expect(filled.get_by_role("menuitem", name="EDL")).to_be_in_viewport(ratio=1)
    beyond = """() => [...document.querySelectorAll('.gradio-container :is(button, input, textarea, a, summary)')]
        .filter((one) => one.checkVisibility() && !one.closest('#ve-suggested'))  // a row that scrolls
        .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
        .filter(([, box]) => box.left < 0 || box.right > innerWidth).map(([html, box]) => [html, box.right])"""
    assert filled.evaluate(beyond) == []
    filled.set_viewport_size(wide)


def test_a_phones_player_moves_no_answer(filled: Page, address: str) -> None:
    wide = filled.viewport_size
    assert wide is not None
    filled.set_viewport_size({"width": 390, "height": 844})
    begin(filled, address)
    search(filled, "green")
    first, player = filled.locator("#ve-results .ve-card").first, filled.locator(".ve-player:visible")
    before = first.bounding_box()
    first.locator(".ve-thumb").click()
    playing(filled)
    assert first.bounding_box() == before
    shown = player.bounding_box()
    assert shown is not None
    assert shown["y"] + shown["height"] == pytest.approx(844, abs=2), "at the lower edge"
    assert shown["height"] < 844 / 2
    expect(player.get_by_role("button", name="Copy link")).not_to_be_visible()
    player.get_by_role("button", name="More of the player").click()
    expect(player.get_by_role("button", name="Copy link")).to_be_visible()
    player.get_by_role("button", name="Close the player").click()
    filled.set_viewport_size(wide)


def test_suggestions_are_one_stop_of_the_tab_key(filled: Page, address: str) -> None:
    begin(filled, address)
    chips = filled.locator("#ve-suggested button")
    chips.first.focus()
    filled.keyboard.press("ArrowRight")
    expect(chips.nth(1)).to_be_focused()
    chips.first.focus()
    filled.keyboard.press("Tab")
    assert not filled.evaluate("document.activeElement.closest('#ve-suggested')")
    search(filled, "green")
    expect(chips.first).not_to_be_visible()  # whoever has searched needs no example


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
    expect(early.locator("#ve-text textarea")).to_have_value("green")
    early.close()


def test_the_library_comes_too_late_for_who_has_searched(filled: Page, address: str) -> None:
    """On a busy server what the page shows first may come after the answer to a quick question."""
    quick = filled.context.new_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        first = not held
        held.append(route)
        if not first:
            route.continue_()

    quick.route("**/gradio_api/run/predict*", hold)
    quick.goto(address)
    search(quick, "green")
    with quick.expect_response("**/gradio_api/run/predict*") as late:
        held[0].continue_()
    assert late.value.ok
    expect(quick.locator("#ve-suggested button").first).to_be_attached()  # it came
    expect(quick.locator("#ve-results")).to_contain_text("“green”")
    quick.close()


def test_the_library_that_was_on_its_way_does_not_replace_an_answer(filled: Page, address: str) -> None:
    quick = filled.context.new_page()
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    quick.route("**/gradio_api/run/predict*", hold)
    quick.goto(address)
    while not held:
        quick.evaluate("() => new Promise(requestAnimationFrame)")
    search(quick, "green")
    route, answer = held[0]
    assert "ve-welcome" in answer.text()
    with quick.expect_response("**/gradio_api/run/predict*"):
        route.fulfill(response=answer)
    expect(quick.locator("#ve-suggested button").first).to_be_attached()  # it came
    expect(quick.locator("#ve-results")).to_contain_text("“green”")
    quick.close()


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


def test_demo_files_are_there() -> None:
    assert len(demo_videos()) == 7
