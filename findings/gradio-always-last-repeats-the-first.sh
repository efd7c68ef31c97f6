#!/usr/bin/env bash
# A gradio listener with trigger_mode="always_last" runs once more for what happened while it was busy, "always_last" by its
# name. The second run gets the last values of its inputs, but the event data of the first event: of three clicks
# on "one", "two" and "three" in quick succession, the function is told "one" twice and hears of no other.
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
import time

import gradio
from playwright.sync_api import sync_playwright

CLICKS = "element.addEventListener('click', (event) => trigger('select', { name: event.target.id }));"
heard = {"always_last": [], "multiple": []}


def listener(mode):
    def hear(event: gradio.EventData):
        time.sleep(0.5)
        heard[mode].append(event._data["name"])

    return hear


with gradio.Blocks(analytics_enabled=False) as blocks:
    for mode in heard:
        buttons = "".join(f'<button id="{name}-{mode}">{name}</button>' for name in ("one", "two", "three"))
        part = gradio.HTML(buttons, js_on_load=CLICKS)
        part.select(listener(mode), trigger_mode=mode, concurrency_limit=1)
_, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True)
with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    page = browser.new_page()
    page.goto(url)
    for mode in heard:
        page.wait_for_selector(f"#three-{mode}")
        page.wait_for_timeout(500)
        for name in ("one", "two", "three"):
            page.click(f"#{name}-{mode}")
            page.wait_for_timeout(30)
        page.wait_for_timeout(3000)
    print("gradio", gradio.__version__, "Chromium", browser.version)
    browser.close()
blocks.close()
for mode, names in heard.items():
    print(f"{mode:12}", [name.partition("-")[0] for name in names])
assert [name.partition("-")[0] for name in heard["always_last"]] == ["one", "one"], heard
assert [name.partition("-")[0] for name in heard["multiple"]] == ["one", "two", "three"], heard
PY
GRADIO_ANALYTICS_ENABLED=False venv/bin/python page.py "$browser"
