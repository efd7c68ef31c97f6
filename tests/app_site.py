"""Looking things up in a site, and calling it as a program does that is no browser."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from vidembed import Query, VideoIndex
from vidembed.web.searches import SearchAnswer
from vidembed.web.security import Guard

HERE = "http://127.0.0.1"


def video_named(index: VideoIndex, name: str) -> str:
    return next(record.info.video_id for record in index.videos() if record.info.path.name == name)


def toy_videos_path(index: VideoIndex) -> str:
    return str(next(r.info.path for r in index.videos() if r.info.path.name == "red_blue.mp4"))


def red_answer(guard: Guard) -> Any:
    moments = guard.site.index.search("red", k=1)
    return guard.site.answers.keep(SearchAnswer((Query.text("red"),), "red", tuple(moments)))


def search(web: TestClient, given: dict[str, Any], *, part: str = "ve-go", event: str = "click") -> dict[str, Any]:
    """Press Search with these fields of the form, the others as they are at first; what the page is told.

    part, event: what is used instead of the button.
    """
    config = web.get("/config").json()
    parts = {part["id"]: part for part in config["components"]}
    numbers = {part["props"].get("elem_id"): number for number, part in parts.items()}
    found = next(one for one in config["dependencies"] if [numbers[part], event] in [list(t) for t in one["targets"]])
    by_number = {numbers[f"ve-{field}"]: value for field, value in given.items()}
    data = [by_number.get(number, parts[number]["props"].get("value")) for number in found["inputs"]]
    body = {"fn_index": found["id"], "session_hash": "s", "data": data}
    answer = web.post("/gradio_api/run/predict", json=body)
    if answer.status_code == 403:
        return {"why": answer.text}
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told
