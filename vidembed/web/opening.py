"""What is seen before gradio's own script has come: the head of the page and a search box that takes words already.

Gradio's page is empty until a hundred small files are loaded. The server puts a still picture of the page into its
HTML; what is typed meanwhile is handed over, and the picture goes when the page stands.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, MutableMapping
from typing import Any

from vidembed.web.html import e
from vidembed.web.security import App, Receive, Scope, Send

_SHAPE = '<rect x="1" y="3" width="22" height="18" rx="5" fill="#4f46e5"/><path d="M9.5 8v8l7-4z" fill="#fff"/>'
ICON = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">{_SHAPE}</svg>'
LOGO = f'<svg class="ve-logo" viewBox="0 0 24 24" aria-hidden="true">{_SHAPE}</svg>'
_TABS = ("Search", "Library", "Captions", "Explore", "About")

_ASSETS = "/assets/"  # gradio's scripts and styles; their names change with what is in them
# The same measures as in app.css, so that nothing jumps when the page takes over.
_STYLE = """
#ve-opening{position:fixed;inset:0;z-index:999;background:#fff;color:#1e293b;
font:16px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
#ve-opening>div{max-width:1680px;margin:0 auto;padding:0 clamp(14px,2.6vw,24px)}
#ve-opening .t{display:flex;align-items:center;gap:10px;padding:16px 2px 6px}
#ve-opening .t svg{width:26px;height:26px}#ve-opening b{font-size:20px;font-weight:650;letter-spacing:-.01em}
#ve-opening .n{display:flex;border-bottom:1px solid #e2e8f0;margin-bottom:16px;font-size:14px;color:#475569}
#ve-opening .n span{padding:12px 12px}#ve-opening .n span:first-child{color:#4f46e5;border-bottom:2px solid #4f46e5}
#ve-opening form{display:flex;gap:8px}
#ve-opening input{flex:1;min-width:0;height:46px;box-sizing:border-box;font:inherit;padding:0 14px;border-radius:10px;
border:1px solid #cbd5e1;background:#fff;color:inherit}
#ve-opening button{height:46px;min-width:96px;font:inherit;font-weight:600;border:0;border-radius:10px;
background:#4f46e5;color:#fff}
#ve-opening p{color:#475569;font-size:14px;margin:18px 2px}
@media (max-width:900px){#ve-opening .n span{padding:12px 8px;font-size:.86rem}}
@media (prefers-color-scheme:dark){#ve-opening{background:#0b0f19;color:#f1f5f9}#ve-opening .n{border-color:#334155;
color:#cbd5e1}#ve-opening .n span:first-child{color:#a5b4fc;border-color:#818cf8}
#ve-opening input{background:#1e293b;border-color:#475569}#ve-opening p{color:#cbd5e1}}
"""

_SCRIPT = """
(() => {
  const opening = document.getElementById("ve-opening");
  const input = opening.querySelector("input");
  let asked = false;
  input.focus();
  opening.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    asked = true;
    opening.querySelector("p").textContent = "Searching as soon as the page is ready…";
  });
  const look = () => {
    const text = document.querySelector("#ve-text textarea");
    if (!text || !document.querySelector("#ve-go")) return;
    watch.disconnect();
    if (input.value) {
      text.value = input.value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
    opening.remove();
    text.focus();
    if (asked) setTimeout(() => document.querySelector("#ve-go").click(), 50);
  };
  const watch = new MutationObserver(look);
  watch.observe(document.body, { childList: true, subtree: true });
  look();
})();
"""


class Opening:
    """Puts the still picture into the page's HTML, and sends that compressed to those who take it.

    root_path: the prefix of the page's addresses behind a reverse proxy.
    """

    def __init__(self, app: App, *, title: str, placeholder: str, root_path: str = "") -> None:
        tabs = "".join(f"<span>{tab}</span>" for tab in _TABS)
        self._app = app
        self._root = root_path
        self._head = (
            f'<link rel="icon" type="image/svg+xml" href="{e(root_path)}/icon.svg"><style>{_STYLE}</style>'.encode()
        )
        self._body = (
            f'<div id="ve-opening" role="main"><div><div class="t">{LOGO}<b>{e(title)}</b></div>'
            f'<div class="n" aria-hidden="true">{tabs}</div><form><input type="search" '
            f'aria-label="What are you looking for?" placeholder="{e(placeholder)}" autocomplete="off">'
            "<button>Search</button></form>"
            '<p role="status">Opening the library…</p></div>'
            "<noscript><p>This page needs JavaScript.</p></noscript></div>"
            f"<script>{_SCRIPT}</script>"
        ).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" and scope.get("method") == "GET" else ""
        if path.startswith(_ASSETS):
            await self._app(scope, receive, _kept(send))
            return
        if path not in ("/", f"{self._root}/"):
            await self._app(scope, receive, send)
            return
        start: Any = None
        parts: list[bytes] = []
        headers = {name.lower(): value for name, value in scope["headers"]}

        async def held(message: MutableMapping[str, Any]) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = dict(message)
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                body, start["headers"] = self._page(b"".join(parts), start["headers"], headers)
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, held)

    def _page(
        self, body: bytes, given: list[tuple[bytes, bytes]], asked: Mapping[bytes, bytes]
    ) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """(body, headers) of the page; anything but HTML stays as it is."""
        present = {name.lower(): value for name, value in given}
        if not present.get(b"content-type", b"").startswith(b"text/html") or b"content-encoding" in present:
            return body, given
        body = body.replace(b"</head>", self._head + b"</head>", 1)
        at = body.find(b"<gradio-app")
        if at >= 0:
            body = body[:at] + self._body + body[at:]
        kept = [(name, value) for name, value in given if name.lower() != b"content-length"]
        if b"gzip" in asked.get(b"accept-encoding", b""):
            body = gzip.compress(body, 5)
            kept += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        return body, [*kept, (b"content-length", str(len(body)).encode())]


def _kept(send: Send) -> Send:
    """Files that never change need not be asked for again: a second visit stands at once."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            headers = [(name, value) for name, value in message["headers"] if name.lower() != b"cache-control"]
            message = {**message, "headers": [*headers, (b"cache-control", b"private, max-age=31536000, immutable")]}
        await send(message)

    return sent
