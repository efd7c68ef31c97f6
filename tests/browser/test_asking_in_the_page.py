"""Asking: by examples and pictures, by an address, and what can be taken away."""

from __future__ import annotations

import json
import re
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS, SHOWN, begin, open_tab, playing, search
from playwright.sync_api import APIResponse, Page, Route, expect

from vidembed.web.asking import Ask, run

if TYPE_CHECKING:
    from vidembed.web.searches import SearchAnswer
    from vidembed.web.site import Site

pytestmark = MARKS


def test_more_like_this_and_taking_it_back(filled: Page) -> None:
    search(filled, "green")
    filled.locator("#ve-results .ve-card [data-action=like]").first.click()
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


def test_the_last_of_two_quick_clicks_counts(filled: Page, address: str) -> None:
    begin(filled, address)
    filled.evaluate(
        """() => { const told = window.vidembed.parts.get("ve-address");
        told("select", { action: "address", search: "?q=red" });
        told("select", { action: "address", search: "?q=green" }); }"""
    )
    expect(filled.locator("#ve-results")).to_contain_text("“green”")
    filled.wait_for_url(re.compile(r"\?q=green$"))


def test_a_question_that_arrives_after_the_next_one_does_not_count(filled: Page, address: str) -> None:
    begin(filled, address)
    held: list[Route] = []
    filled.route(
        "**/*", lambda route: held.append(route) if "?q=red" in (route.request.post_data or "") else route.continue_()
    )
    filled.evaluate(
        """() => { const told = window.vidembed.parts.get("ve-address");
        told("select", { action: "address", search: "?q=red" });
        told("select", { action: "address", search: "?q=green" }); }"""
    )
    expect(filled.locator("#ve-results")).to_contain_text("“green”")
    with filled.expect_response(lambda response: "?q=red" in (response.request.post_data or "")) as late:
        held[0].continue_()
    assert "ve-card" not in late.value.text()
    filled.unroute("**/*")
    expect(filled.locator("#ve-results")).to_contain_text("“green”")


def test_an_answer_that_arrives_after_the_next_one_does_not_count(filled: Page, address: str) -> None:
    begin(filled, address)
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if "?q=red" in (route.request.post_data or ""):
            held.append((route, route.fetch()))
        else:
            route.continue_()

    filled.route("**/*", hold)
    filled.evaluate(
        """() => window.vidembed.parts.get("ve-address")("select", { action: "address", search: "?q=red" })"""
    )
    while not held:
        filled.evaluate("() => new Promise(requestAnimationFrame)")
    filled.evaluate(
        """() => window.vidembed.parts.get("ve-address")("select", { action: "address", search: "?q=green" })"""
    )
    expect(filled.locator("#ve-results")).to_contain_text("“green”")
    route, answer = held[0]
    assert "ve-card" in answer.text()
    with filled.expect_response(lambda response: "?q=red" in (response.request.post_data or "")):
        route.fulfill(response=answer)
    filled.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(filled.locator("#ve-results")).to_contain_text("“green”")
    filled.unroute("**/*")


def test_a_slow_answer_does_not_replace_the_one_asked_for_after_it(
    filled: Page, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidembed.web import search_tab

    answered = threading.Event()

    def slow(site: Site, ask: Ask) -> SearchAnswer:
        if ask.text == "red":
            assert answered.wait(20)
        found = run(site, ask)
        if ask.text == "green":
            answered.set()
        return found

    begin(filled, address)
    monkeypatch.setattr(search_tab, "run", slow)
    with filled.expect_response(lambda response: "?q=red" in (response.request.post_data or "")) as late:
        filled.evaluate("""() => { const told = window.vidembed.parts.get("ve-address");
            told("select", { action: "address", search: "?q=red" });
            setTimeout(() => told("select", { action: "address", search: "?q=green" }), 50); }""")
    late.value.finished()
    filled.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(filled.locator("#ve-results")).to_contain_text("“green”")


def test_the_sign_and_an_emptied_box_lead_back_to_the_library(filled: Page, address: str) -> None:
    search(filled, "green")
    filled.locator("#ve-text textarea").fill("")
    filled.locator("#ve-go").click()
    expect(filled.locator("#ve-results .ve-welcome")).to_be_visible()
    search(filled, "green")
    filled.get_by_role("link", name="vidembed: to the start").click()
    expect(filled.locator("#ve-results .ve-welcome")).to_be_visible()
    assert filled.url == address


def test_ticked_moments_are_exported(filled: Page) -> None:
    search(filled, "green")
    expect(filled.locator("#ve-results .ve-pick").first).to_be_visible()
    filled.locator("#ve-results [data-action=pick-all]").click()
    boxes = filled.locator("#ve-results .ve-pick input")
    if not boxes.first.is_checked():
        filled.locator("#ve-results [data-action=pick-all]").click()
    boxes.nth(0).uncheck()
    expect(filled.locator("#ve-results [data-picked]")).to_have_text(f"{boxes.count() - 1} selected")
    filled.locator("#ve-results summary").click()
    with filled.expect_download() as got:
        filled.get_by_role("menuitem", name="OTIO").click()
    clips = json.loads(Path(got.value.path()).read_text())["tracks"]["children"][0]["children"]
    assert len(clips) == boxes.count() - 1


def test_what_comes_next(filled: Page, address: str) -> None:
    begin(filled, address)
    filled.locator("#ve-then-open").click()
    filled.locator("#ve-then-text textarea, #ve-then-text input").fill("white")
    search(filled, "red")
    expect(filled.locator("#ve-results")).to_contain_text("then “white”")
    card = filled.locator("#ve-results .ve-sequence").first
    steps = card.locator("[data-action=play]")
    expect(steps).to_have_count(2)
    ends, starts = steps.nth(0).get_attribute("data-end"), steps.nth(1).get_attribute("data-start")
    assert float(ends or 9e9) <= float(starts or -1)
    filled.wait_for_url(re.compile("then=white"))
    filled.reload()
    expect(filled.locator("#ve-results")).to_contain_text("then “white”")


def test_a_box_on_the_picture_is_searched_for(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    filled.locator("#ve-results .ve-thumb[data-film]").first.click()
    playing(filled)
    filled.wait_for_function(f"() => {SHOWN}.videoWidth > 0")
    filled.locator(".ve-player:visible [data-action=region]").click()
    box = filled.locator(".ve-region").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    filled.mouse.move(middle[0] - 40, middle[1] - 40)
    filled.mouse.down()
    filled.mouse.move(middle[0] + 40, middle[1] + 40, steps=4)
    filled.mouse.up()
    expect(filled.locator("#ve-results")).to_contain_text("a part of a picture")
    chip = filled.locator("#ve-terms .ve-chip", has_text="This part of a picture")
    filled.wait_for_function("() => document.querySelector('#ve-terms .ve-chip img')?.naturalWidth >= 24")
    filled.wait_for_url(re.compile("region="))
    filled.reload()
    expect(filled.locator("#ve-results")).to_contain_text("a part of a picture")
    chip.get_by_role("button").click()
    expect(filled.locator("#ve-results .ve-welcome")).to_be_visible()


def test_a_link_to_a_moment_limits_no_search(filled: Page, address: str) -> None:
    begin(filled, address)
    video = filled.locator("#ve-results .ve-thumb[data-name='bikes.mp4']").first.get_attribute("data-video")
    filled.goto(f"{address}?v={video}&t=1")
    expect(filled.locator(".ve-player:visible .ve-player-name")).to_have_text("bikes.mp4")
    search(filled, "green")
    assert len(set(filled.locator("#ve-results .ve-file").all_text_contents())) > 1
    filled.goto(f"{address}?v={video}&t=1")
    filled.locator("#ve-results").get_by_role("button", name="Search in this video").click()
    expect(filled.locator("#ve-terms")).to_contain_text("in bikes.mp4")
    search(filled, "green")
    assert set(filled.locator("#ve-results .ve-file").all_text_contents()) == {"bikes.mp4"}


def test_a_field_that_cannot_be_read_says_so(filled: Page, address: str) -> None:
    filled.goto(f"{address}?q=green&within=x")
    filled.locator("#ve-options-open").click()
    expect(filled.locator("#ve-within")).to_contain_text("0:30-2:00")
    filled.locator("#ve-within textarea, #ve-within input").fill("0:00-0:09")
    filled.locator("#ve-within textarea, #ve-within input").press("Enter")
    expect(filled.locator("#ve-results .ve-card").first).to_be_visible()
    expect(filled.locator("#ve-within")).not_to_contain_text("looks like")


def test_a_date_is_chosen(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    filled.locator("#ve-options-open").click()
    filled.get_by_role("button", name="Advanced").click()
    day = filled.locator("#ve-after input").first
    day.fill("2100-01-01")
    day.press("Enter")
    expect(filled.locator("#ve-results")).to_contain_text("Nothing found")
    expect(filled.locator("#ve-terms")).to_contain_text("changed after 2100-01-01")
    filled.get_by_role("button", name="Take out: changed after 2100-01-01").click()
    expect(filled.locator("#ve-results .ve-card").first).to_be_visible()


def test_what_can_be_done_with_ticked_moments(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    boxes = filled.locator("#ve-results .ve-pick input")
    for box in boxes.all():
        box.uncheck()
    more = filled.get_by_role("button", name="More like the selected moments")
    expect(more).to_be_disabled()
    boxes.nth(0).check()
    boxes.nth(1).check()
    filled.locator("#ve-results .ve-tag").fill("kept=yes")
    filled.get_by_role("button", name="Tag the selected videos").click()
    expect(filled.locator("#ve-search-said")).to_contain_text("tagged kept")
    boxes.nth(0).check()
    boxes.nth(1).check()
    more.click()
    expect(filled.locator("#ve-results")).to_contain_text(re.compile("like [2-9] moments"))
    expect(filled.locator("#ve-terms .ve-chip.ve-like")).not_to_have_count(0)


def test_cutting_says_how_far_it_is(filled: Page, address: str) -> None:
    begin(filled, address)
    search(filled, "green")
    filled.locator("#ve-results summary").click()
    with filled.expect_response(lambda answer: "/cutting/" in answer.url) as told, filled.expect_download() as got:
        filled.get_by_role("menuitem", name="Cut clips (zip)").click()
    assert set(told.value.json()) == {"done", "total"}
    with zipfile.ZipFile(got.value.path()) as archive:
        cut = [name for name in archive.namelist() if name.endswith(".mp4")]
    assert len(cut) >= 1


@pytest.mark.parametrize("kind", ["EDL", "OTIO"])
def test_a_selection_is_read_by_opentimelineio(filled: Page, address: str, kind: str, tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    begin(filled, address)
    search(filled, "green")
    boxes = filled.locator("#ve-results .ve-pick input")
    for box in boxes.all():
        box.uncheck()
    films = filled.locator("#ve-results .ve-card:has([data-film]) .ve-pick input")
    films.nth(0).check()
    films.nth(1).check()
    filled.locator("#ve-results summary").click()
    with filled.expect_download() as got:
        filled.get_by_role("menuitem", name=kind).click()
    file = tmp_path / got.value.suggested_filename
    got.value.save_as(file)
    if kind == "EDL" and "cmx_3600" not in otio.adapters.available_adapter_names():
        pytest.skip("OpenTimelineIO reads EDL with otio-cmx3600-adapter")
    given = {"rate": 25} if kind == "EDL" else {}  # an EDL does not say its rate
    read = otio.adapters.read_from_file(str(file), **given)
    assert len(list(read.video_tracks()[0].find_clips())) == 2
