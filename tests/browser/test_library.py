"""The library: uploads, captions, removals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("gradio")
pytest.importorskip("playwright")
from browsing import MARKS, open_tab
from playwright.sync_api import Page, expect

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
