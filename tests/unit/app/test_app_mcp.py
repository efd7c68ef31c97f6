"""The page's functions as tools for agents, through the protocol's own client."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("mcp")
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from serving import serving

from vidembed import VideoIndex
from vidembed.web import AppSettings, ServerSettings, make_server
from vidembed.web.server import make_runner

pytestmark = pytest.mark.filterwarnings("ignore")  # gradio's own


@pytest.fixture(scope="module")
def address(shared: VideoIndex) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = make_server(shared, AppSettings(), ServerSettings(port=port, mcp=True))
    with serving(make_runner(app, ServerSettings(port=port))):
        yield f"http://127.0.0.1:{port}/gradio_api/mcp/"
    app.site.close()


def talk(address: str, tool: str | None = None, **given: Any) -> Any:
    """The names of the tools with their descriptions, or what one of them answers."""

    async def visit() -> Any:
        async with (
            streamablehttp_client(address) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            if tool is None:
                return {found.name: found for found in (await session.list_tools()).tools}
            return await session.call_tool(tool, given)

    return asyncio.run(visit())


def test_the_tools_are_named_and_described(address: str) -> None:
    tools = talk(address)
    assert set(tools) == {"search_moments", "list_videos", "get_captions", "caption_video", "edit_caption"}
    assert "Find the moments" in tools["search_moments"].description
    assert "text" in tools["search_moments"].inputSchema["properties"]


def test_an_agent_finds_a_moment(address: str) -> None:
    answer = talk(address, "search_moments", text="blue", k=1)
    assert not answer.isError
    best = json.loads(answer.content[0].text)["moments"][0]
    assert (best["file"], best["start_s"], best["end_s"]) == (
        "red_blue.mp4", pytest.approx(2.0, abs=0.5), pytest.approx(4.0, abs=0.5))  # fmt: skip


def test_an_agent_is_told_what_is_wrong(address: str) -> None:
    answer = talk(address, "search_moments", text="")
    assert answer.isError
    assert "nothing to look for" in answer.content[0].text
