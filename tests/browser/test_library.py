"""The library: uploads, captions, removals."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
import toy_videos
from browsing import MARKS, WAIT_MS, begin, open_tab
from playwright.sync_api import Page, Route, expect

from vidembed.web import Site

pytestmark = MARKS


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
    expect(filled.locator("#ve-lines .ve-line").first).to_contain_text(re.compile("by hand.*Saved"))  # beside it
    with filled.expect_download() as got:
        filled.get_by_role("link", name="SRT").first.click()
    assert "a grey rabbit ‹b›yawns‹/b›" in Path(got.value.path()).read_text()


def test_a_bad_upload_says_why(filled: Page, tmp_path: Path) -> None:
    bad = tmp_path / "<img src=x onerror=alert(1)>.mp4"
    bad.write_text("#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    open_tab(filled, "Library")
    filled.locator("#ve-upload input[multiple]").set_input_files(bad)
    said = filled.locator("#ve-said")
    expect(said).to_contain_text("Not taken")
    expect(said).to_contain_text("playlist")
    assert said.locator("img").count() == 0
    expect(said.locator(".ve-notice").first).to_have_css("border-width", "1px 1px 1px 4px")  # not the left side alone
    said.get_by_role("button", name="Close this message").click()
    expect(said.locator(".ve-notice")).to_have_count(0)


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


def take_out(page: Page, name: str) -> None:
    """Leave the library as it was."""
    page.get_by_role("button", name=f"Remove {name}").click()
    expect(page.locator("#ve-said")).to_contain_text(f"Removed {name}")
    expect(page.locator("#ve-table table:not(.ve-removed) tbody tr")).to_have_count(7)


def large(folder: Path, name: str, colour: str) -> Path:
    """A film of a few megabytes, most of it an empty box of MP4."""
    made = toy_videos.make(folder / name, colour, hz=None)
    room = 6 << 20
    made.write_bytes(made.read_bytes() + room.to_bytes(4, "big") + b"free" + bytes(room - 8))
    return made


def test_an_upload_goes_on_after_a_reload(filled: Page, address: str, tmp_path: Path) -> None:
    begin(filled, address)
    open_tab(filled, "Library")
    pieces: list[str] = []

    def third_is_lost(route: Route) -> None:
        if route.request.method == "PUT":
            pieces.append(route.request.url)
            if len(pieces) > 2:
                return  # on its way for ever: the page is left
        route.continue_()

    filled.route("**/arrivals/**", third_is_lost)
    filled.locator("#ve-upload input[multiple]").set_input_files(large(tmp_path, "half way.mp4", "yellow"))
    bar = filled.get_by_role("progressbar", name="Uploading half way.mp4")
    expect(bar).to_have_attribute("aria-valuenow", "33")  # two of six megabytes and a little
    filled.unroute("**/arrivals/**", third_is_lost)
    sent: list[str] = []
    filled.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    filled.reload()
    expect(filled.locator("#ve-table")).to_contain_text("half way.mp4")
    assert int(sent[0].partition("?at=")[2]) >= 2 << 20  # not from the beginning
    take_out(filled, "half way.mp4")


@pytest.mark.parametrize("during", ["POST", "PUT"])
def test_an_upload_is_cancelled(filled: Page, address: str, tmp_path: Path, during: str) -> None:
    """Also before the server has told its id: nothing stays there to count against the uploads allowed at once."""
    begin(filled, address)
    open_tab(filled, "Library")
    held: list[Route] = []
    filled.route("**/arrivals**", lambda one: held.append(one) if one.request.method == during else one.continue_())
    with filled.expect_request(lambda request: request.method == during):
        filled.locator("#ve-upload input[multiple]").set_input_files(large(tmp_path, "never.mp4", "yellow"))
    with filled.expect_request(lambda request: request.method == "DELETE"):
        filled.get_by_role("button", name="Cancel: never.mp4").click()
        if during == "POST":
            held[0].continue_()
    expect(filled.locator("#ve-upload .ve-job")).to_have_count(0)
    filled.unroute_all(behavior="ignoreErrors")


def test_a_folder_is_uploaded_and_progress_never_falls(filled: Page, address: str, tmp_path: Path) -> None:
    """Films, a sound, something broken and something else: the bar rises, and all is told of."""
    folder = tmp_path / "holiday"
    toy_videos.make(folder / "short.mp4", "yellow", hz=None)
    toy_videos.make(folder / "inner" / "long.mp4", "cyan", "magenta", second_each=8)
    (folder / "inner" / "broken.mp4").write_bytes(b"This is no film." * 99)
    (folder / "notes.txt").write_text("not sent")
    begin(filled, address)
    open_tab(filled, "Library")
    filled.evaluate("""() => {
        window.seen = [];
        new MutationObserver(() => document.querySelectorAll('#ve-jobs [aria-valuenow]').forEach((bar) =>
          window.seen.push(Number(bar.getAttribute('aria-valuenow'))))
        ).observe(document.querySelector('#ve-jobs'), {childList: true, subtree: true, attributes: true});
    }""")
    with filled.expect_request(lambda request: request.method == "PUT"):
        filled.locator("#ve-upload input[webkitdirectory]").set_input_files(folder)
    expect(filled.locator("#ve-upload .ve-job")).to_have_count(0, timeout=2 * WAIT_MS)  # sent, piece by piece
    expect(filled.locator("#ve-said")).to_contain_text("Not taken: broken.mp4", timeout=2 * WAIT_MS)  # and opened
    expect(filled.locator("#ve-said")).not_to_contain_text("notes.txt")
    rows = filled.locator("#ve-table table:not(.ve-removed) tbody tr")
    expect(rows).to_have_count(9)
    seen = filled.evaluate("window.seen")
    assert seen == sorted(seen)
    filled.get_by_role("button", name="Remove short.mp4").click()
    expect(rows).to_have_count(8)
    take_out(filled, "long.mp4")


def test_two_tabs_with_jobs(filled: Page, address: str, served: tuple[str, Site]) -> None:
    """What one tab cancels is its own: the other's goes on."""
    jobs, may_end = served[1].jobs, threading.Event()
    jobs.start("Adding a long film", lambda report: "1 added" if may_end.wait(60) else "")
    jobs.start("Adding mine", lambda report: "never")
    begin(filled, address)  # a page that has nothing to do asks for jobs when it is opened, not all the time
    open_tab(filled, "Library")
    other = filled.context.new_page()
    other.goto(f"{address}?tab=library")
    for tab in (filled, other):
        expect(tab.locator("#ve-jobs")).to_contain_text("Adding a long film")
        expect(tab.locator("#ve-jobs")).to_contain_text("Adding mine")
    other.get_by_role("button", name="Cancel: Adding mine").click()
    for tab in (filled, other):
        expect(tab.locator("#ve-jobs")).to_contain_text("Adding mine: cancelled")
        expect(tab.get_by_role("button", name="Cancel: Adding a long film")).to_be_visible()
    may_end.set()
    for tab in (filled, other):
        expect(tab.locator("#ve-jobs")).to_contain_text("Adding a long film: done")
    other.close()


def test_ticked_videos_are_tagged_and_taken_out_together(filled: Page, address: str) -> None:
    begin(filled, address)
    open_tab(filled, "Library")
    rows = filled.locator("#ve-table table:not(.ve-removed) tbody tr")
    expect(rows).to_have_count(7)
    out = filled.get_by_role("button", name="Remove the selected videos")
    expect(out).to_be_disabled()
    for name in ("a.mp4", "world.mp4"):
        filled.get_by_role("checkbox", name=f"Select {name}").check()
    expect(filled.locator("#ve-table [data-picked]")).to_have_text("2 selected")
    filled.locator("#ve-table .ve-tag").fill("place=hall")
    filled.get_by_role("button", name="Tag the selected videos").click()
    expect(filled.locator("#ve-said")).to_contain_text("2 videos tagged place")
    expect(rows.filter(has_text="place=hall")).to_have_count(2)
    for name in ("a.mp4", "world.mp4"):
        filled.get_by_role("checkbox", name=f"Select {name}").check()
    out.click()
    expect(rows).to_have_count(5)
    for name in ("a.mp4", "world.mp4"):
        filled.locator(".ve-removed").get_by_role("button", name=f"Put {name} back").click()
    expect(rows).to_have_count(7)


def test_a_caption_is_deleted_and_one_taken_back(filled: Page, address: str) -> None:
    begin(filled, address)
    open_tab(filled, "Captions")
    filled.locator("#ve-caption-videos input").click()
    filled.get_by_role("option", name="world.mp4").click()
    filled.locator(".ve-top p").click()
    line = filled.locator("#ve-lines .ve-line").first
    line.locator("textarea").fill("the earth turns")
    line.get_by_role("button", name="Save").click()
    expect(line).to_contain_text("by hand")
    line.get_by_role("button", name="Delete").click()
    expect(line).to_contain_text("no caption yet")
    expect(line.locator("textarea")).to_have_value("")
