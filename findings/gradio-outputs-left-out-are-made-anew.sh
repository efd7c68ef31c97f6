#!/usr/bin/env bash
# A gradio function may return a dictionary with the outputs that change; the docs say that the others stay as they are. On the
# server each of the others is made anew for every call, constructor and all, and described twice: of 40 text boxes one
# changes, 39 are constructed, and the call takes several times as long as one that names its one output.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q gradio==6.31.0 httpx
cat > page.py <<'PY'
import time

import gradio
import httpx

CALLS = 50
made = 0
construct = gradio.Textbox.__init__


def counted(self, *args, **kwargs):
    global made
    made += 1
    construct(self, *args, **kwargs)


gradio.Textbox.__init__ = counted
with gradio.Blocks(analytics_enabled=False) as blocks:
    boxes = [gradio.Textbox() for _ in range(40)]
    some = gradio.Button()
    some.click(lambda: {boxes[0]: "new"}, None, boxes, queue=False, api_name="dictionary")
    some.click(lambda: "new", None, boxes[0], queue=False, api_name="one_output")
_, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True)
print("gradio", gradio.__version__)
constructed, seconds = {}, {}
with httpx.Client(base_url=url) as client:
    for name in ("dictionary", "one_output"):
        ask = {"data": [], "session_hash": "s"}
        client.post(f"/gradio_api/run/{name}", json=ask).raise_for_status()
        made, began = 0, time.perf_counter()
        for _ in range(CALLS):
            client.post(f"/gradio_api/run/{name}", json=ask).raise_for_status()
        constructed[name], seconds[name] = made / CALLS, (time.perf_counter() - began) / CALLS
        print(f"{name:11} {constructed[name]:.0f} text boxes made, {1000 * seconds[name]:.1f} ms for a call")
blocks.close()
assert constructed == {"dictionary": 39, "one_output": 0}, constructed
assert seconds["dictionary"] > 2 * seconds["one_output"], seconds
PY
GRADIO_ANALYTICS_ENABLED=False venv/bin/python page.py
