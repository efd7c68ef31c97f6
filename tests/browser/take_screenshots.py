"""Screenshots of the page over the demo library, for docs/images: python tests/browser/take_screenshots.py URL OUT"""

from __future__ import annotations

import sys
from pathlib import Path

from browsing import CHROMIUM_ARGS, chromium, open_tab
from playwright.sync_api import Page, sync_playwright

SIZES = {390: 844, 1280: 860, 1920: 1080}


def search(page: Page, words: str) -> None:
    open_tab(page, "Search")
    page.locator("#ve-text textarea").fill(words)
    page.locator("#ve-go").click()
    page.locator("#ve-results .ve-bar", has_text=f"“{words}”").wait_for(timeout=60_000)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#ve-results img')].slice(0, 6).every((i) => i.complete)"
    )


def play(page: Page) -> None:
    page.locator("#ve-results .ve-thumb").first.click()
    page.wait_for_function("() => document.querySelector('.ve-player:not([hidden]) video')?.currentTime > 0.3")
    page.wait_for_selector(".ve-strip[data-duration]")
    page.evaluate("document.querySelector('.ve-player:not([hidden]) video').pause()")


def ask(page: Page, words: str) -> None:
    open_tab(page, "Search")
    page.locator("#ve-text textarea").fill(words)
    page.locator("#ve-question").click()
    page.wait_for_selector("#ve-results .ve-answer", timeout=60_000)
    page.locator(".ve-cite").first.click()
    page.wait_for_selector(".ve-player:not([hidden]) .ve-says:not([hidden])", state="attached")  # folded on a phone
    page.wait_for_timeout(1500)


def one_video(page: Page) -> None:
    """The page of the video in the player."""
    fold = page.locator(".ve-player:visible [data-action=fold]")
    if fold.is_visible():  # a phone's player is small at first
        fold.click()
    page.locator(".ve-player:visible [data-action=whole]").click()
    page.wait_for_selector("#ve-results .ve-name")
    page.wait_for_timeout(700)


def tab(page: Page, name: str, selector: str) -> None:
    open_tab(page, name)
    page.wait_for_selector(selector, timeout=30_000)
    page.wait_for_timeout(700)


def main(url: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        for width, height in SIZES.items():
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.goto(url)
                page.wait_for_selector("#ve-text textarea")
                ask(page, "Who thanks for watching?")
                page.screenshot(path=out / f"answer-{width}-{scheme}.png")
                page.locator(".ve-player:visible [data-action=close-player]").click()
                search(page, "a man in a suit talks in a car")
                page.screenshot(path=out / f"search-{width}-{scheme}.png")
                play(page)
                page.screenshot(path=out / f"player-{width}-{scheme}.png")
                one_video(page)
                page.screenshot(path=out / f"video-{width}-{scheme}.png")
                tab(page, "Library", "#ve-table .ve-table:not(.ve-models)")  # that one is folded away
                page.screenshot(path=out / f"library-{width}-{scheme}.png")
                tab(page, "Captions", "#ve-caption-videos")
                page.locator("#ve-caption-videos input").click()
                page.get_by_role("option", name="bikes.mp4").click()
                page.keyboard.press("Escape")
                page.wait_for_selector("#ve-lines .ve-line")
                line = page.locator("#ve-lines .ve-line").last  # another video may be chosen already
                if not line.locator("textarea").input_value():
                    line.locator("textarea").fill("a parked bicycle at a railing above the canal")
                    line.get_by_role("button", name="Save").click()
                    page.wait_for_selector("#ve-lines .ve-done")
                page.wait_for_timeout(500)
                page.screenshot(path=out / f"captions-{width}-{scheme}.png")
                tab(page, "Explore", ".ve-map circle")
                page.screenshot(path=out / f"explore-{width}-{scheme}.png")
                tab(page, "About", "#ve-about .ve-table")
                page.screenshot(path=out / f"about-{width}-{scheme}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
