"""The site on loopback, and its search endpoint as a plain function. Cheap to import, for client processes."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from vidembed import VideoIndex

Ask = Callable[[str, int], list[dict[str, Any]]]


@contextmanager
def served(index: VideoIndex) -> Iterator[str]:
    """The address of the page over this index."""
    from vidembed.web import AppSettings, ServerSettings, make_server
    from vidembed.web.server import make_runner

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = make_server(index, AppSettings())
    server = make_runner(app, ServerSettings(port=port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(15)
        app.site.close()


@contextmanager
def asking(url: str) -> Iterator[Ask]:
    """Ask(words, k) -> moments, through HTTP; safe for many threads, each a visitor with a session as a page has."""
    visitor = threading.local()

    def ask(words: str, k: int) -> list[dict[str, Any]]:
        visitor.session = getattr(visitor, "session", None) or secrets.token_hex(8)
        return _ask(client, words, k, visitor.session)

    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=url, timeout=60, limits=limits) as client:
        yield ask


def _ask(client: httpx.Client, words: str, k: int, session: str) -> list[dict[str, Any]]:
    begun = client.post(
        "/gradio_api/call/search_moments",
        json={"data": [words, k, None, None, "", None, "", "", False], "session_hash": session},
    )
    begun.raise_for_status()
    with client.stream("GET", f"/gradio_api/call/search_moments/{begun.json()['event_id']}") as stream:
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:") and event == "complete":
                moments: list[dict[str, Any]] = json.loads(line.removeprefix("data:"))[0]["moments"]
                return moments
            elif line.startswith("data:") and event == "error":
                raise RuntimeError(f"the server answered: {line}")
    raise RuntimeError("the answer broke off")
