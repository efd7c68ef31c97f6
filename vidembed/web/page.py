"""What is seen before gradio's own script has come: the head of the page and a search box that takes words already.

Gradio's page is empty until a hundred small files are loaded. The server puts a still picture of the page into its
HTML; what is typed meanwhile is handed over, and the picture goes when the page stands.

The page: all tabs in one `gr.Blocks`.

The About tab: models with licences, facts of the index, links.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping, MutableMapping
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import gradio as gr

from vidembed._version import __version__
from vidembed.web.captions_tab import captions_tab
from vidembed.web.explore_tab import explore_tab
from vidembed.web.html import LOGO, clock, count, e, facts, html_part
from vidembed.web.library_tab import library_tab
from vidembed.web.routes import VIDEO_ID, add_api
from vidembed.web.search_tab import search_tab
from vidembed.web.security import App, Receive, Scope, Send
from vidembed.web.site import DOCS_URL, AppSettings, Site

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex
    from vidembed.web.site import Site


_TABS = ("Search", "Library", "Captions", "Explore", "About")

_ASSETS = "/assets/"  # gradio's scripts and styles; their names change with what is in them

# What gradio tells those who make previews of links: its own name and picture.
_SECONDS = re.compile(r"\d{1,7}(\.\d+)?")
_PREVIEWS = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^>]*>')
DESCRIPTION = "Find the moment in your videos: by words, by a picture, by a sound."


class Opening:
    """Puts the still picture into the page's HTML, and sends that compressed to those who take it.

    root_path: the prefix of the page's addresses behind a reverse proxy.
    """

    def __init__(self, app: App, *, title: str, placeholder: str, root_path: str = "") -> None:
        tabs = "".join(f"<span>{tab}</span>" for tab in _TABS)
        self._app = app
        self._root = root_path
        about, style, script = e(DESCRIPTION), _static("opening.css"), _static("opening.js")
        self._head = (
            f'<meta name="description" content="{about}"><meta property="og:title" content="{e(title)}">'
            f'<meta property="og:type" content="website"><meta property="og:description" content="{about}">'
            f'<link rel="icon" type="image/svg+xml" href="{e(root_path)}/icon.svg"><style>{style}</style>'.encode()
        )
        self._body = (
            f'<div id="ve-opening" role="main"><div><div class="t">{LOGO}<b>{e(title)}</b></div>'
            f'<div class="n" aria-hidden="true">{tabs}</div><form><input type="search" name="q" '
            f'aria-label="What are you looking for?" placeholder="{e(placeholder)}" autocomplete="off">'
            "<button>Search</button></form>"
            '<p role="status">Opening the library…</p></div>'
            "<noscript><p>This page needs JavaScript.</p></noscript></div>"
            f"<script>{script}</script>"
        ).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin the page's answer at once, while gradio still makes the rest; hand on all else."""
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
                body, start["headers"] = self._page(b"".join(parts), start["headers"], headers, self._picture(scope))
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, held)

    def _picture(self, scope: Scope) -> bytes:
        """What is shown beside a link to this address: the moment that it opens, else the page's sign."""
        host = {name.lower(): value for name, value in scope["headers"]}.get(b"host", b"").decode("latin-1")
        said = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        video, at = said.get("v", ""), said.get("t", "0")
        moment = VIDEO_ID.fullmatch(video) and _SECONDS.fullmatch(at)
        address = f"frame/{video}?at={at}" if moment else "preview.png"
        return (
            f'<meta property="og:image" content="{e(scope["scheme"])}://{e(host)}{e(self._root)}/{address}">'
            '<meta name="twitter:card" content="summary_large_image">'
        ).encode()

    def _page(
        self, body: bytes, given: list[tuple[bytes, bytes]], asked: Mapping[bytes, bytes], picture: bytes
    ) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """(body, headers) of the page; anything but HTML stays as it is."""
        present = {name.lower(): value for name, value in given}
        if not present.get(b"content-type", b"").startswith(b"text/html") or b"content-encoding" in present:
            return body, given
        body = _PREVIEWS.sub(b"", body).replace(b"</head>", self._head + picture + b"</head>", 1)
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


TITLE = "vidembed"
_SCRIPTS = (
    "player.js", "picks.js", "drafts.js", "address.js", "hover.js", "app.js", "transcript.js", "region.js", "upload.js",
)  # fmt: skip
_STYLES = ("app.css", "transcript.css")
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]  # of the device: nothing is fetched
_MONO = ["ui-monospace", "SFMono-Regular", "Consolas", "monospace"]
_SESSIONS = 1000  # visits that gradio remembers; the oldest go, a program that names no session is one for each call
_KEEP_S = 3600  # gradio's temporary files of queries


def build_app(index: VideoIndex | Site, settings: AppSettings | None = None) -> gr.Blocks:
    """The page over an open index. Media, thumbnails and exports need the routes of `make_server` beside it."""
    site = index if isinstance(index, Site) else Site(index, settings)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_KEEP_S // 2, _KEEP_S)
    ) as blocks:
        html_part(top(site))
        with gr.Tabs():
            with gr.Tab("Search", id="search"):
                search_tab(site, blocks)
            with gr.Tab("Library", id="library") as library:
                library_tab(site, library)
            with gr.Tab("Captions", id="captions") as captions:
                captions_tab(site, captions)
            with gr.Tab("Explore", id="explore") as explore:
                explore_tab(site, explore)
            with gr.Tab("About", id="about") as about:
                about_tab(site, about)
        add_api(site)
    blocks.state_session_capacity = _SESSIONS
    blocks.queue(default_concurrency_limit=site.settings.searches_at_once, max_size=128)
    return blocks


def top(site: Site) -> str:
    """The head of the page; the script keeps its status up to date."""
    return (
        f'<div class="ve-top"><a href="{e(site.url(""))}" aria-label="vidembed: to the start">'
        f"{LOGO}<h1>vidembed</h1></a>"
        f"<p>Find the moment: by words, by a picture, by a sound.</p>"
        f'<div class="ve-status" data-url="{e(site.url("status"))}" hidden>'
        '<button type="button" class="ve-btn" data-action="goto" data-goto="library"><i aria-hidden="true"></i>'
        '<span role="status"></span></button></div></div>'
    )


def _static(name: str) -> str:
    return (resources.files("vidembed.web") / "static" / name).read_text(encoding="utf-8")


def looks() -> dict[str, Any]:
    """theme, css and head, as `launch` and `mount_gradio_app` take them."""
    theme = gr.themes.Default(
        primary_hue="indigo", neutral_hue="slate", font=list(_FONTS), font_mono=list(_MONO), radius_size="md"
    ).set(  # gradio's own are too pale to read for many (WCAG 2 asks for 4.5:1)
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_700",
        block_info_text_color="*neutral_600",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        checkbox_border_color="*neutral_500",  # and 3:1 for what is drawn
        checkbox_border_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
    )
    script, css = ("\n".join(map(_static, names)) for names in (_SCRIPTS, _STYLES))
    script = f"(() => {{\nif (window.vidembed) return;\n{script}\n}})();"  # one scope; gradio may put the head in twice
    head = f'<meta name="viewport" content="width=device-width, initial-scale=1"><script>{script}</script>'
    return {"theme": theme, "css": css, "head": head}


_LOOKS_AT = {
    "frames": "what is seen", "audio": "what is heard", "av": "seen and heard together", "captions": "captions",
    "speech": "what is said", "ocr": "what is written on screen",
}  # fmt: skip


def about_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open; drawn again whenever it is opened."""
    about = html_part(about_html(site), elem_id="ve-about")
    tab.select(lambda: about_html(site), None, about, api_visibility="private", show_progress="hidden")


def about_html(site: Site) -> str:
    """Facts first, then one row a channel."""
    info = site.index.info()
    size = sum(info.sizes_bytes.values()) / 1e6
    figures = facts(
        count(info.videos, "video"), count(info.clips, "clip"), f"{clock(round(info.duration_s))} of video",
        count(info.captions, "caption"), f"{size:.0f} MB on disk", f"{info.profile} profile", f"{info.store} store",
    )  # fmt: skip
    rows = "".join(
        f"<tr><td><b>{e(channel.name)}</b>"
        f'<div class="ve-why">{e(_LOOKS_AT.get(channel.source, channel.source))}</div></td>'
        f"<td>{e(channel.model)}</td><td>{count(channel.stored, 'clip') if channel.enabled else 'off'}</td>"
        f'<td class="ve-why">{e(channel.license)}</td></tr>'
        for channel in info.channels.values()
    )
    caption = site.index.config.caption.model or "the model you choose"
    model, endpoint = site.settings.ask_model, site.settings.ask_endpoint
    sent = f"the evidence of a question goes to {endpoint}" if endpoint else "nothing is sent elsewhere"
    by = f"by {model}" if model else "in the videos' own words"
    return f"""{figures}
<h2 class="ve-less">Models in use</h2>
<table class="ve-table ve-models"><thead><tr><th>Channel</th><th>Model</th><th>Holds</th><th>Licence of
the weights</th></tr></thead><tbody>{rows}</tbody></table>
<p>Captions are written by <b>{e(caption)}</b>. Questions are answered {e(by)}.
Search runs on this machine; {e(sent)}.</p>
<h2 class="ve-less">Keys</h2>
<p class="ve-keys"><kbd>/</kbd> to the search box <kbd>J</kbd> <kbd>K</kbd> next and previous moment
<kbd>R</kbd> the moment again <kbd>A</kbd> <kbd>X</kbd> accept and reject a label
<kbd>Esc</kbd> close the player <kbd>Ctrl</kbd> <kbd>Enter</kbd> save a caption</p>
<p>vidembed {e(__version__)} · <a href="{e(DOCS_URL)}" target="_blank" rel="noopener">Documentation</a> ·
<a href="{e(site.url("gradio_api/info"))}" target="_blank" rel="noopener">API for programs</a></p>"""
