"""The documented endpoints, as a program calls them with gradio_client (docs/app.md shows the same calls)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio_client")
from gradio_client import Client
from gradio_client.exceptions import AppError
from serving import serving
from toy_index import filled

from vidembed import VideoIndex
from vidembed.web import AppSettings, ServerSettings, make_server
from vidembed.web.server import make_runner

pytestmark = pytest.mark.filterwarnings("ignore")  # gradio's own, about pandas


@pytest.fixture(scope="module")
def index(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    with filled(tmp_path_factory.mktemp("api") / "index", films) as made:
        yield made


@pytest.fixture(scope="module")
def client(index: VideoIndex, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("gradio"))
    app = make_server(index, AppSettings(), ServerSettings(port=port))
    with serving(make_runner(app, ServerSettings(port=port))):
        yield Client(f"http://127.0.0.1:{port}/", verbose=False, analytics_enabled=False)
    app.site.close()
    os.environ.pop("GRADIO_TEMP_DIR") if before is None else os.environ.update(GRADIO_TEMP_DIR=before)


def call(client: Client, name: str, **given: Any) -> Any:
    return client.predict(api_name=f"/{name}", **given)


def test_search(client: Client) -> None:
    found = call(client, "search_moments", text="red", k=2)
    best = found["moments"][0]
    assert found["good_match"]
    assert (best["file"], best["start_s"], best["end_s"]) == ("red_blue.mp4", 0.0, pytest.approx(2.0, abs=0.5))


def test_more_like_an_answer_is_not_that_answer(client: Client) -> None:
    clip = call(client, "search_moments", text="red", k=1)["moments"][0]["clip_id"]
    found = call(client, "search_moments", like=[clip])["moments"]
    assert found
    assert clip not in {moment["clip_id"] for moment in found}


def test_filters_and_channels(client: Client) -> None:
    names = {
        m["file"] for m in call(client, "search_moments", text="red", names="green", channels=["vision"])["moments"]
    }
    assert names == {"green.mp4"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"text": ""}, "nothing to look for"), ({"text": "red", "k": 0}, "between 1 and"), ({"text": "red", "k": 10**9},
     "between 1 and"), ({"text": "red", "within": "9-1"}, "start before its end"), ({"like": ["nope"]}, "nope"),
     ({"text": "red", "channels": ["smell"]}, "smell")],
)  # fmt: skip
def test_errors_say_what_is_wrong(client: Client, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(AppError, match=reason):
        call(client, "search_moments", **given)


def test_videos_captions_and_edits(client: Client, index: VideoIndex) -> None:
    videos = call(client, "list_videos")
    assert [(v["name"], v["state"], v["channels"]["vision"]) for v in videos] == [
        ("green.mp4", "ready", "done"), ("red_blue.mp4", "ready", "done")]  # fmt: skip
    video = videos[1]["video_id"]
    written = call(client, "caption_video", video_id=video)
    assert [record["start_s"] for record in written] == [0.0, 2.0]
    assert all(record["text"] for record in written)
    call(client, "edit_caption", clip_id=written[0]["clip_id"], text="a red wall")
    assert "00:00:00,000 --> 00:00:02,000\na red wall" in call(client, "get_captions", video_id=video, kind="srt")
    again = call(client, "caption_video", video_id=video)
    assert (again[0]["text"], again[0]["human"]) == ("a red wall", True)
    with pytest.raises(AppError, match="no clip"):
        call(client, "edit_caption", clip_id="x", text="y")


def test_what_is_documented(client: Client) -> None:
    info = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(info) == {"/search_moments", "/list_videos", "/get_captions", "/caption_video", "/edit_caption"}


def test_no_paths_for_people_elsewhere(client: Client, tmp_path: Path) -> None:
    assert "/" not in call(client, "search_moments", text="red", k=1)["moments"][0]["file"]


def test_an_unknown_kind_of_captions_is_said(client: Client, index: VideoIndex) -> None:
    with pytest.raises(AppError, match="no such kind of captions: 'ass'"):
        call(client, "get_captions", video_id=index.videos()[0].info.video_id, kind="ass")
