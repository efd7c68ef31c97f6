"""How soon the page can be searched, and what it sends: python benchmarks/page_opening.py KNOWN [CHECKOUT...]

The server of each checkout (of this one where none is named) over an index of KNOWN, opened in Chromium `--rounds`
times: with an empty cache, then with the one that the first visit filled. Prints one JSON object: seconds after the
navigation until something is drawn (first contentful paint), until words can be typed that will be searched, and until
the whole page stands; bytes as they were sent, and requests. Target: words can be typed within 1.5 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from _machine import facts
from page_load import served
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))

from browsing import CHROMIUM_ARGS, chromium

_HERE = Path(__file__).resolve().parents[1]
# What takes words: the box in the server's HTML where there is one, else gradio's own.
_TAKES_WORDS = "#ve-opening input, #ve-text textarea"
_WATCH = f"""
new MutationObserver((_, watch) => {{
  if (document.querySelector('{_TAKES_WORDS}')) window.takesWords ??= performance.now();
  if (document.querySelector('#ve-text textarea')) {{ window.stands ??= performance.now(); watch.disconnect(); }}
}}).observe(document, {{ childList: true, subtree: true }});
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known", type=Path)
    parser.add_argument("checkouts", type=Path, nargs="*", default=[_HERE])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", default="toy")
    args = parser.parse_args()
    args.new = args.known
    report: dict[str, Any] = {"rounds": args.rounds, "profile": args.profile}
    for tree in args.checkouts:
        with (
            tempfile.TemporaryDirectory(prefix="vidembed-bench-") as folder,
            served(args, tree.resolve(), Path(folder)) as url,
            sync_playwright() as driver,
        ):
            browser = driver.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
            visits = [visit(browser, url) for _ in range(args.rounds + 1)][1:]  # the first one warms the server
            browser.close()
        report[str(tree)] = {
            when: {name: round(statistics.median(one[when][name] for one in visits), 3) for name in visits[0][when]}
            for when in ("first_visit", "second_visit")
        }
    print(json.dumps({**report, "machine": facts(["gradio", "playwright"])}, indent=1))


def visit(browser: Browser, url: str) -> dict[str, dict[str, float]]:
    """Open the page twice in a browser that has never seen it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(_WATCH)
    seen = {"first_visit": opened(context, url), "second_visit": opened(context, url)}
    context.close()
    return seen


def opened(context: Any, url: str) -> dict[str, float]:
    """Seconds, bytes and requests of one opening."""
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    counts = {"bytes": 0.0, "requests": 0.0}

    def finished(event: dict[str, Any]) -> None:
        counts["bytes"] += event["encodedDataLength"]
        counts["requests"] += event["encodedDataLength"] > 0

    network.on("Network.loadingFinished", finished)
    page.goto(url, wait_until="commit")
    page.wait_for_function("() => window.stands", timeout=120_000)
    page.wait_for_timeout(2000)  # a stream of events stays open: the network is never idle
    paint = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
    times = {
        "first_paint_s": page.evaluate(paint) / 1000,
        "takes_words_s": page.evaluate("() => window.takesWords") / 1000,
        "stands_s": page.evaluate("() => window.stands") / 1000,
    }
    page.close()
    return times | {"kilobytes": counts["bytes"] / 1000, "requests": counts["requests"]}


if __name__ == "__main__":
    main()
