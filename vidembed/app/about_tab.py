"""The About tab: models with licences, facts of the index, links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from vidembed.app.html import clock, count, e
from vidembed.app.parts import html_part
from vidembed.app.site import DOCS_URL

if TYPE_CHECKING:
    from vidembed.app.site import Site


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
