"""The page: all tabs in one `gr.Blocks`.

The About tab: models with licences, facts of the index, links.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.web.api import add_api
from vidembed.web.captions_tab import captions_tab
from vidembed.web.explore_tab import explore_tab
from vidembed.web.html import clock, count, e, html_part
from vidembed.web.library_tab import library_tab
from vidembed.web.opening import LOGO
from vidembed.web.search_tab import search_tab
from vidembed.web.site import DOCS_URL, AppSettings, Site

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex
    from vidembed.web.site import Site


TITLE = "vidembed"
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
        f'<div class="ve-top">{LOGO}<h1>vidembed</h1><p>Find the moment: by words, by a picture, by a sound.</p>'
        f'<div class="ve-status" data-url="{e(site.url("status"))}" hidden>'
        '<button type="button" class="ve-btn" data-action="goto" data-goto="library"><i aria-hidden="true"></i>'
        '<span role="status"></span></button></div></div>'
    )


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
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
    )
    static = resources.files("vidembed.web") / "static"
    script = (static / "app.js").read_text(encoding="utf-8")
    head = f'<meta name="viewport" content="width=device-width, initial-scale=1"><script>{script}</script>'
    return {"theme": theme, "css": (static / "app.css").read_text(encoding="utf-8"), "head": head}


_LOOKS_AT = {
    "frames": "what is seen", "audio": "what is heard", "av": "seen and heard together", "captions": "captions",
    "speech": "what is said", "ocr": "what is written on screen",
}  # fmt: skip


def about_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open; drawn anew whenever it is opened."""
    about = html_part(about_html(site), elem_id="ve-about")
    tab.select(lambda: about_html(site), None, about, api_visibility="private", show_progress="hidden")


def about_html(site: Site) -> str:
    """Facts first, then one row a lane."""
    import vidembed

    info = site.index.info()
    size = sum(info.sizes_bytes.values()) / 1e6
    facts = (
        (info.videos, "videos"),
        (info.clips, "clips"),
        (clock(round(info.duration_s)), "of video"),
        (info.captions, "captions"),
        (f"{size:.0f} MB", "on disk"),
        (info.profile, "profile"),
        (info.store, "store"),
    )
    rows = "".join(
        f'<tr><td><b>{e(lane.name)}</b><div class="ve-why">{e(_LOOKS_AT.get(lane.source, lane.source))}</div></td>'
        f"<td>{e(lane.model)}</td><td>{count(lane.stored, 'clip') if lane.enabled else 'off'}</td>"
        f'<td class="ve-why">{e(lane.license)}</td></tr>'
        for lane in info.channels.values()
    )
    caption = site.index.config.caption.model or "the model you choose"
    return f"""<div class="ve-facts">{"".join(f"<div><b>{e(v)}</b><span>{e(k)}</span></div>" for v, k in facts)}</div>
<h2 class="ve-less">Models in use</h2>
<table class="ve-table ve-models"><thead><tr><th>Lane</th><th>Model</th><th>Holds</th><th>Licence of
the weights</th></tr></thead><tbody>{rows}</tbody></table>
<p>Captions are written by <b>{e(caption)}</b>. Search runs on this machine; nothing is sent elsewhere.</p>
<h2 class="ve-less">Keys</h2>
<p class="ve-keys"><kbd>/</kbd> to the search box <kbd>J</kbd> <kbd>K</kbd> next and previous moment
<kbd>R</kbd> the moment again <kbd>Esc</kbd> close the player <kbd>Ctrl</kbd> <kbd>Enter</kbd> save a caption</p>
<p>vidembed {e(vidembed.__version__)} · <a href="{e(DOCS_URL)}" target="_blank" rel="noopener">Documentation</a> ·
<a href="{e(site.url("gradio_api/info"))}" target="_blank" rel="noopener">API for programs</a></p>"""
