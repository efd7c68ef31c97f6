"""Who comes in: names, origins, passwords, sizes, and fields that could hold a path."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from app_site import HERE, search, video_named
from starlette.testclient import TestClient

from vidembed import VideoIndex
from vidembed.cli.serve import read_auth
from vidembed.errors import InputError
from vidembed.web import AppSettings, ServerSettings, make_server
from vidembed.web.security import Guard


class TestDoor:
    def test_other_names_are_refused_on_loopback(self, web: TestClient) -> None:
        assert web.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
        assert web.get("/healthz", headers={"Host": "localhost:7860"}).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
         {"Origin": "http://127.0.0.1.evil.example"}, {"Origin": "http://127.0.0.1:9999"}],
    )  # fmt: skip
    def test_other_sites_cannot_change_anything(self, web: TestClient, headers: dict[str, str]) -> None:
        for address in ("/gradio_api/upload", "/gradio_api/call/edit_caption", "/gradio_api/queue/join"):
            answer = web.post(address, headers=headers, json={"data": ["x", "y"]})
            assert (answer.status_code, answer.text) == (403, "requests from other sites are refused")

    def test_own_page_may(self, web: TestClient) -> None:
        answer = web.post("/gradio_api/call/list_videos", headers={"Origin": HERE}, json={"data": []})
        assert answer.status_code == 200

    def test_too_large_is_refused_before_it_is_read(self, web: TestClient) -> None:
        answer = web.post("/gradio_api/upload", headers={"Content-Length": str(1 << 40)}, content=b"x")
        assert answer.status_code == 413

    def test_an_upload_above_the_limit(self, web: TestClient) -> None:
        answer = web.post("/gradio_api/upload", files={"files": ("big.mp4", b"\0" * (2 << 20))})
        assert answer.status_code == 413
        assert web.get("/healthz").text == "ok"

    def test_password(self, shared: VideoIndex) -> None:
        guard = make_server(shared, server=ServerSettings(auth=("me", "pa:ss")))
        video = video_named(shared, "green.mp4")
        with TestClient(guard, base_url=HERE) as client:
            for address in ("/", f"/media/{video}", "/gradio_api/info", "/healthz"):
                assert client.get(address).status_code == 401
                assert client.get(address, auth=("me", "wrong")).status_code == 401
                assert client.get(address, auth=("me", "pa:ss")).status_code == 200
            for junk in ("Basic !!!", "Basic", "Bearer x", f"Basic {base64.b64encode(b'me').decode()}"):
                assert client.get("/", headers={"Authorization": junk}).status_code == 401

    def test_nobody_may_frame_or_sniff(self, web: TestClient) -> None:
        headers = web.get("/healthz").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]

    def test_page_fetches_nothing_from_elsewhere(self, web: TestClient) -> None:
        page = web.get("/").text
        for sign in ('src="http', 'href="https://fonts', "@import url(http"):
            assert sign not in page

    def test_root_path(self, shared: VideoIndex) -> None:
        guard = make_server(shared, AppSettings(root_path="/films"))
        assert guard.site.url("thumb/x") == "/films/thumb/x"

    def test_login_from_option_file_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read_auth(None, None) is None
        assert read_auth("a:b:c", None) == ("a", "b:c")
        (tmp_path / "login").write_text("file:secret\n")
        assert read_auth(None, tmp_path / "login") == ("file", "secret")
        monkeypatch.setenv("VIDEMBED_AUTH", "env:secret")
        assert read_auth(None, None) == ("env", "secret")
        for wrong in ("nocolon", ":x", "x:"):
            with pytest.raises(InputError):
                read_auth(wrong, None)
        with pytest.raises(InputError):
            read_auth(None, tmp_path / "none")


class TestPathFields:
    """Every field that could hold a path, as a program may fill it in that is no browser."""

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/passwd",
            "../../../../etc/passwd",
            "file:///etc/passwd",
            "/proc/self/environ",
            "http://127.0.0.1:1/x",
            7,
        ],
    )
    @pytest.mark.parametrize("field", ["image", "audio", "video"])
    def test_queries_take_uploads_only(self, web: TestClient, field: str, path: Any) -> None:
        said = search(web, {field: {"path": path, "meta": {"_type": "gradio.FileData"}}})
        assert said == {"why": "files have to be uploaded before they are used"}
        assert web.get("/healthz").text == "ok"

    def test_nor_files_of_the_library(self, web: TestClient, shared: VideoIndex) -> None:
        path = str(shared.path / "catalog.sqlite")
        said = search(web, {"video": {"path": path, "meta": {"_type": "gradio.FileData"}}})
        assert said == {"why": "files have to be uploaded before they are used"}

    def test_an_upload_may_be_used(self, web: TestClient, tmp_path: Path) -> None:
        import PIL.Image

        PIL.Image.new("RGB", (64, 48), (255, 0, 0)).save(tmp_path / "red.png")
        sent = web.post("/gradio_api/upload", files={"files": ("red.png", (tmp_path / "red.png").read_bytes())}).json()
        said = search(web, {"image": {"path": sent[0], "meta": {"_type": "gradio.FileData"}}})
        assert "red_blue.mp4" in said["data"][0]

    def test_words_in_the_address_are_text(self, web: TestClient) -> None:
        assert "<script>alert(1)" not in web.get("/?q=<script>alert(1)</script>").text


def test_an_open_stream_does_not_hold_up_the_end(shared: VideoIndex) -> None:
    """Every open page listens to an event stream that never ends by itself."""
    import asyncio

    listens = asyncio.Event()

    async def listening_for_ever(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        listens.set()
        assert (await receive())["type"] == "http.disconnect"

    async def visit() -> None:
        guard = Guard(listening_for_ever, auth=None, hosts=None, max_body_bytes=100)
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            message = next(asked, None)
            return message if message is not None else await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "headers": []}
        visitor = asyncio.create_task(guard(scope, receive, receive))
        await asyncio.wait_for(listens.wait(), 5)
        guard.end_streams()
        await asyncio.wait_for(visitor, 5)

    asyncio.run(visit())
