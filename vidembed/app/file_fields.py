"""Files in the inputs of the page: only what this server itself received as an upload.

Gradio checks that for apps that it launches; mounted in another app, as here, it does not, and it fetches whatever an
http address names. So the bodies are looked at before gradio sees them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from vidembed.app.security import App, Receive, Scope, Send, refuse

_MAX_JSON = 4 << 20  # bytes; the inputs of the page are a few hundred
_MAX_DEPTH = 40


class FileFields:
    """Refuses JSON bodies that name a file outside the folder of uploads."""

    def __init__(self, app: App, uploads: Path) -> None:
        self._app = app
        self._uploads = uploads.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _MAX_JSON:
                await refuse(scope, send, 413, f"too large: inputs take at most {_MAX_JSON >> 20} MB")
                return
        try:
            named = list(_paths(json.loads(body))) if body.strip() else []
        except (ValueError, RecursionError):
            await refuse(scope, send, 400, "this is no JSON that the page understands")
            return
        if not all(self._received(path) for path in named):
            await refuse(scope, send, 403, "files have to be uploaded before they are used")
            return
        given = False

        async def again() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    def _received(self, path: object) -> bool:
        if not isinstance(path, str) or "\x00" in path:
            return False
        return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self._uploads)


def _is_json(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
    # Without a type gradio reads JSON as well; uploads are multipart.
    return not any(kind.lower().startswith((b"multipart/", b"application/x-www-form")) for kind in kinds)


def _paths(value: Any, depth: int = 0) -> Iterator[object]:
    """Whatever stands where gradio looks for a file. Raises ValueError for what is nested without end."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        if value.get("path") is not None:
            yield value["path"]
        for inner in value.values():
            yield from _paths(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, depth + 1)
