"""Every tool for agents, through the official client: over standard input and output, and over HTTP."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from media_factory import Media
from PIL import Image
from serving import serving

from vidembed.cli import main

pytest.importorskip("mcp", reason="needs the extra mcp")
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SAID = "1\n00:00:00,200 --> 00:00:00,900\nThe budget is nine hundred euros.\n"
LOOKING = {"search_moments", "ask", "transcript", "captions", "list_videos", "frames", "contact_sheet"}


@pytest.fixture
def folder(media: Media, tmp_path: Path) -> Path:
    """An index of one video with subtitles, and a folder with one more."""
    for name in ("videos", "more", "elsewhere"):
        (tmp_path / name).mkdir()
    shutil.copy(media.path("three_shots.mp4"), tmp_path / "videos" / "talk.mp4")
    shutil.copy(media.path("vfr.mp4"), tmp_path / "more" / "new.mp4")
    (tmp_path / "videos" / "talk.en.srt").write_text(SAID)
    settings = ["channels.speech_words.source=speech", "channels.speech_words.model=words", "segment.window_s=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    assert (
        main(["index", str(tmp_path / "videos"), "--profile", "toy", "--index", str(tmp_path / "index"), *options]) == 0
    )
    return tmp_path


@asynccontextmanager
async def over_stdio(folder: Path, *options: str) -> AsyncIterator[ClientSession]:
    given = StdioServerParameters(
        command=sys.executable, args=["-m", "vidembed", "mcp", "--index", str(folder / "index"), *options],
        env=dict(os.environ), cwd=str(folder),
    )  # fmt: skip
    async with stdio_client(given) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def asked(session: ClientSession, tool: str, **arguments: Any) -> Any:
    """The structured result; it must agree with the text."""
    result = await session.call_tool(tool, arguments)
    assert not result.isError, result.content
    assert result.structuredContent is not None
    assert json.loads(result.content[0].text) == result.structuredContent  # type: ignore[union-attr]
    return result.structuredContent


async def every_looking_tool(session: ClientSession) -> None:
    (video,) = (await asked(session, "list_videos"))["videos"]
    assert (video["duration_s"], Path(video["path"]).name) == (3.0, "talk.mp4")
    found = await asked(session, "search_moments", text="green", k=1, channels=["vision"])
    (moment,) = found["moments"]
    assert 0.9 <= moment["start_s"] < moment["end_s"] <= 2.1
    assert (await asked(session, "search_moments", like=[moment["clip_id"]]))["moments"]
    answer = await asked(session, "ask", question="What is the budget?")
    assert answer["sentences"][0]["text"] == "The budget is nine hundred euros."
    said = await asked(session, "transcript", video=video["video_id"])
    assert said == {
        "language": "en", "origin": "talk.en.srt",
        "lines": [{"start_s": 0.2, "end_s": 0.9, "text": "The budget is nine hundred euros."}],
    }  # fmt: skip
    assert (await asked(session, "transcript", video=video["video_id"], start_s=2.0))["lines"] == []
    assert await asked(session, "captions", video_id=video["video_id"]) == {"captions": []}
    for times_s in ([-1.0], [0.5, 1e300]):
        refused = await session.call_tool("frames", {"video_id": video["video_id"], "times_s": times_s})
        assert refused.isError
        assert f"0 to {video['duration_s']:.3f}" in refused.content[0].text
    shown = await session.call_tool("frames", {"video_id": video["video_id"], "times_s": [0.5, 2.5]})
    for content, colour in zip(shown.content, ((255, 0, 0), (0, 0, 255)), strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(content.data)))  # type: ignore[union-attr]
        assert np.abs(np.asarray(picture).mean(axis=(0, 1)) - colour).max() < 12
    for given in ({"video_id": video["video_id"]}, {"text": "green"}):
        sheet = await session.call_tool("contact_sheet", given)
        picture = Image.open(io.BytesIO(base64.b64decode(sheet.content[0].data)))  # type: ignore[union-attr]
        tiles = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
        assert (np.abs(tiles - (0, 255, 0)).max(axis=1) < 40).mean() > 0.005  # the green second is on both
    assert (await session.call_tool("contact_sheet", {})).isError
    refused = await session.call_tool("transcript", {"video": "nothing.mp4"})
    assert refused.isError
    assert "no video of this index" in refused.content[0].text  # type: ignore[union-attr]


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(120):
            await work()

    anyio.run(bounded)


def test_tools_that_look_over_stdio(folder: Path) -> None:
    async def work() -> None:
        async with over_stdio(folder) as session:
            assert {tool.name for tool in (await session.list_tools()).tools} == LOOKING
            await every_looking_tool(session)

    run(work)


WRITING = {"index_videos", "wait_for", "cut_clip"}


async def every_writing_tool(session: ClientSession, folder: Path) -> None:
    assert {tool.name for tool in (await session.list_tools()).tools} == LOOKING | WRITING
    job = (await asked(session, "index_videos", paths=[str(folder / "more")]))["job"]
    state = await asked(session, "wait_for", job=job, seconds=60)
    assert (state["state"], state["failed"]) == ("done", [])
    videos = (await asked(session, "list_videos"))["videos"]
    assert {Path(video["path"]).name for video in videos} == {"talk.mp4", "new.mp4"}
    refused = await session.call_tool("index_videos", {"paths": [str(folder / "elsewhere")]})
    assert refused.isError
    assert "may not be indexed" in refused.content[0].text  # type: ignore[union-attr]
    cut = await asked(session, "cut_clip", video_id=videos[0]["video_id"], start_s=0.5, end_s=1.5)
    assert Path(cut["path"]).parent == folder / "clips"
    assert Path(cut["path"]).stat().st_size > 0


def test_tools_that_write_over_stdio(folder: Path) -> None:
    async def work() -> None:
        async with over_stdio(folder, "--root", str(folder / "more"), "--clips", str(folder / "clips")) as session:
            await every_writing_tool(session, folder)

    run(work)


def test_every_tool_over_http(folder: Path) -> None:
    uvicorn = pytest.importorskip("uvicorn")
    from mcp.client.streamable_http import streamable_http_client

    from vidembed import open_index
    from vidembed.agents import server

    with open_index(folder / "index") as index:
        app = server(index, roots=(folder / "more",), clips_to=folder / "clips").streamable_http_app()
        running = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))

        async def work() -> None:
            port = running.servers[0].sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}/mcp"
            async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
                await session.initialize()
                await every_looking_tool(session)
                await every_writing_tool(session, folder)

        with serving(running):
            run(work)


def test_the_entry_for_a_client(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capsys.readouterr()
    for client, key in (("claude", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")):
        assert main(["mcp", "config", client, "--index", str(tmp_path)]) == 0
        printed = capsys.readouterr()
        assert "no index is there yet" in printed.err
        entry = json.loads(printed.out)[key]["vidembed"]
        assert entry["command"] == sys.executable
        assert entry["args"] == ["-m", "vidembed", "mcp", "--index", str(tmp_path)]
    assert main(["mcp", "config", "netscape"]) == 2
    assert "claude, cursor, vscode" in capsys.readouterr().err
