#!/usr/bin/env bash
# gradio copies `css=` rule by rule from the browser's `cssText` to put its own class before each selector. Chromium writes a
# shorthand with var() whose one side is set anew in the same rule as empty values ("border-top-width: ;"), so the copy has
# lost the other three sides: a box drawn with `border: 3px solid var(--x); border-left: 7px solid var(--y)` has only its left
# border on the page. The same rule with three longhands (border-width, border-style, border-color) is kept whole.
# Needs a Chromium on the machine beside the two packages.
set -euo pipefail
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q gradio==6.31.0 playwright
cat > page.py <<'PY'
import sys

import gradio
from playwright.sync_api import sync_playwright

CSS = """
.short { border: 3px solid var(--color-accent); border-left: 7px solid var(--color-accent); }
.long { border-style: solid; border-width: 3px 3px 3px 7px; border-color: var(--color-accent); }
"""
BOXES = '<div id="one" class="short">one</div><div id="two" class="long">two</div>'
WIDTHS = "['one', 'two'].map((id) => getComputedStyle(document.getElementById(id)).borderWidth)"
with gradio.Blocks(analytics_enabled=False) as blocks:
    gradio.HTML(BOXES)
_, url, _ = blocks.launch(prevent_thread_lock=True, css=CSS, quiet=True)
with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    page = browser.new_page()
    page.set_content(f"<style>:root {{ --color-accent: red; }} {CSS}</style>{BOXES}")
    plain = page.evaluate(WIDTHS)
    page.goto(url)
    page.wait_for_selector("#two")
    page.wait_for_timeout(1000)
    copied = page.evaluate(WIDTHS)
    print("gradio", gradio.__version__, "Chromium", browser.version)
    print("a plain page   ", plain)
    print("gradio's page  ", copied)
    browser.close()
blocks.close()
assert plain == ["3px 3px 3px 7px"] * 2, plain
assert copied == ["0px 0px 0px 7px", "3px 3px 3px 7px"], copied
PY
GRADIO_ANALYTICS_ENABLED=False venv/bin/python page.py "$browser"
