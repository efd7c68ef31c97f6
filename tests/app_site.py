"""Looking things up in a site, and calling it as a program does that is no browser."""

from __future__ import annotations

import json
from typing import Any

from starlette.testclient import TestClient

from vidembed import Query, VideoIndex
from vidembed.web.security import Guard

HERE = "http://127.0.0.1"


def video_named(index: VideoIndex, name: str) -> str:
    return next(record.info.video_id for record in index.videos() if record.info.path.name == name)


def toy_videos_path(index: VideoIndex) -> str:
    return str(next(r.info.path for r in index.videos() if r.info.path.name == "red_blue.mp4"))


def red_answer(guard: Guard) -> Any:
    moments = guard.site.index.search("red", k=1)
    return guard.site.answers.put(Query.text("red"), "red", moments, {})


def press(web: TestClient, function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Call a function of the page that has no public name, with its other inputs as they are at first."""
    config = web.get("/config").json()
    parts = {part["id"]: part for part in config["components"]}
    names = {"image": "ve-image", "audio": "ve-audio", "video": "ve-video"}
    found = next(d for d in config["dependencies"] if ("ve-go" in str([parts[t[0]]["props"].get("elem_id") for t in
                 d["targets"] if t[0] in parts])) == (function == "search") and d["inputs"])  # fmt: skip
    data = []
    for part in (parts[number] for number in found["inputs"]):
        field = next((name for name, own in names.items() if part["props"].get("elem_id") == own), "")
        data.append(given.get(field, part["props"].get("value")))
    body = {"fn_index": found["id"], "session_hash": "s", "data": data, "trigger_id": found["targets"][0][0]}
    answer = web.post("/gradio_api/queue/join", json=body)
    if answer.status_code == 403:
        return {"success": False, "why": answer.text}
    assert answer.status_code == 200
    said: dict[str, Any] = {}
    with web.stream("GET", "/gradio_api/queue/data?session_hash=s") as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                said = dict(message)  # the stream is read to its end: left open, it complains when it is collected
    return said
