"""Who may talk to the server: password, hosts, origins, sizes. Plain ASGI, so that every route passes through."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_READ_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", b"frame-ancestors 'self'; object-src 'none'; base-uri 'self'"),
)


class Guard:
    """Checks each request before the page sees it.

    auth: (user, password) or None, by HTTP Basic. hosts: names under which the server may be addressed, None = any;
    a server on loopback allows loopback names only, so that a foreign page cannot reach it under a name of its own
    (DNS rebinding). Requests that change something are refused when a browser says they come from another site.
    """

    def __init__(
        self, app: App, *, auth: tuple[str, str] | None, hosts: Iterable[str] | None, max_body_bytes: int
    ) -> None:
        self._app = app
        self._auth = None if auth is None else f"{auth[0]}:{auth[1]}".encode()
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._max_body = max_body_bytes
        self._ending = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.site: Any = None  # what `make_server` built inside, for whoever stops it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what may not pass, hand on the rest."""
        if scope["type"] != "http" and scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope.get("method", "GET"), headers, websocket=scope["type"] == "websocket")
        if refusal is not None:
            await refuse(scope, send, *refusal)
            return
        await self._app(scope, _limited(receive, self._max_body, self._ending), _with_headers(send))

    def end_streams(self) -> None:
        """Let go of open event streams (every open page holds one), so that the server can stop at once."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)

    def _refusal(self, method: str, headers: dict[str, str], *, websocket: bool) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return 421, f"this server does not answer to the name {host!r}; start it with --allow-host to add one"
        if (method not in _READ_ONLY or websocket) and not _same_site(headers, host):
            return 403, "requests from other sites are refused"
        if self._auth is not None and not _authorised(headers.get("authorization", ""), self._auth):
            return 401, "user name and password are needed"
        if _length(headers.get("content-length")) > self._max_body:
            return 413, f"too large: at most {self._max_body >> 20} MB are taken at once"
        return None


def _name(host: str) -> str:
    """The host without its port."""
    host = host.strip().lower()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _same_site(headers: dict[str, str], host: str) -> bool:
    """Whether a browser sent this from our own page. Programs that are no browsers send no Origin."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    theirs = urlsplit(origin).netloc.lower()
    # Behind a reverse proxy the name that the browser used is in X-Forwarded-Host; a page cannot set that header.
    ours = {host.lower(), headers.get("x-forwarded-host", "").split(",")[0].strip().lower()} - {""}
    return theirs in ours


def _authorised(header: str, wanted: bytes) -> bool:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, wanted)


def _length(value: str | None) -> int:
    return int(value) if value is not None and value.isdecimal() else 0


def _limited(receive: Receive, limit: int, ending: asyncio.Event) -> Receive:
    """Bodies sent in chunks say no length: count them. What waits for its client to go is told so when we end."""
    seen = 0
    whole = False

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen, whole
        message = await (_first(receive, ending) if whole else receive())
        seen += len(message.get("body", b"") or b"")
        whole = message["type"] == "http.request" and not message.get("more_body", False)
        if seen > limit:
            return {"type": "http.disconnect"}  # the reader gives up, what it had is dropped
        return message

    return counted


async def _first(receive: Receive, ending: asyncio.Event) -> MutableMapping[str, Any]:
    """The next message, or "disconnect" when the server ends before one comes."""
    message, end = asyncio.ensure_future(receive()), asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({message, end}, return_when=asyncio.FIRST_COMPLETED)
        return message.result() if message.done() else {"type": "http.disconnect"}
    finally:
        message.cancel()
        end.cancel()


def _with_headers(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            extra = [(name, value) for name, value in _HEADERS if name not in present]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    return sent


async def refuse(scope: Scope, send: Send, status: int, text: str) -> None:
    """Answer in plain words instead of passing on."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": text[:120]})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="vidembed", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
