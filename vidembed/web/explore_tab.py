"""The Explore tab: a map of all clips, and near-duplicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.errors import VidembedError
from vidembed.types import Clip, VideoInfo
from vidembed.web import html
from vidembed.web.cards import empty_library
from vidembed.web.duplicates import copies_html, twins_html, videos_by_id
from vidembed.web.html import clock, count, e, html_part
from vidembed.web.mapping import ClipMap, clip_map, dense_channels

if TYPE_CHECKING:
    from vidembed.web.site import Site

# Okabe and Ito's colours, told apart with every kind of colour vision, and four more for long lists.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#7A5AF8", "#8C564B", "#6B7280",
    "#17A2A2", "#B83280",
)  # fmt: skip
_WIDTH, _HEIGHT, _EDGE = 1000, 560, 24


def explore_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open; computed when it is opened."""
    with gr.Row(elem_classes="ve-form", equal_height=True):
        lane = gr.Dropdown([], label="Lane", value=None, scale=2, min_width=160, elem_id="ve-map-lane")
        colour = gr.Radio(["video", "group"], value="video", label="Colour by", scale=2, min_width=160)
        above = gr.Slider(0.8, 1.0, value=0.95, step=0.01, label="Clips count as nearly the same from", scale=3)
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            shown = html_part(html.wait("Drawing the map…"), elem_id="ve-map")
            copies = html_part(elem_id="ve-copies")
            twins = html_part(elem_id="ve-twins")
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": 2}

    def opened(name: str | None, by: str) -> list[Any]:
        names = dense_channels(site)
        name = name if name in names else (names[0] if names else None)
        return [gr.Dropdown(choices=names, value=name), drawn(name, by)]

    def drawn(name: str | None, by: str) -> str:
        if name is None:
            return empty_library(site)
        return _said(lambda: map_html(site, clip_map(site, name), by))

    def compared(name: str | None, least: float) -> str:
        return "" if name is None else _said(lambda: twins_html(site, name, least))

    def copied(name: str | None) -> str:
        return "" if name is None else _said(lambda: copies_html(site, name, asked=False))

    def asked(name: str | None) -> str:
        return "" if name is None else _said(lambda: copies_html(site, name, asked=True))

    ready = tab.select(opened, [lane, colour], [lane, shown], **quiet)
    ready = ready.then(copied, lane, copies, **quiet)
    ready.then(compared, [lane, above], twins, **quiet)
    changed = lane.input(drawn, [lane, colour], shown, **quiet)
    changed = changed.then(copied, lane, copies, **quiet)
    changed.then(compared, [lane, above], twins, **quiet)
    colour.input(drawn, [lane, colour], shown, **quiet)
    above.release(compared, [lane, above], twins, **quiet)
    copies.select(asked, lane, copies, **(quiet | {"show_progress": "minimal"}))


def _said(make: Callable[[], str]) -> str:
    try:
        return make()
    except VidembedError as error:
        return html.error_box(error)


def map_html(site: Site, made: ClipMap, by: str) -> str:
    """The map as SVG; each dot plays its clip."""
    if not made.clips:
        return html.empty("Nothing to draw yet", "This lane holds no clips.")
    infos = videos_by_id(site)
    order = {video_id: i for i, video_id in enumerate(dict.fromkeys(clip.video_id for clip in made.clips))}
    dots = []
    for clip, (x, y), group in zip(made.clips, made.places.tolist(), made.groups.tolist(), strict=True):
        info = infos.get(clip.video_id)
        if info is None:
            continue
        paint = COLOURS[(order[clip.video_id] if by == "video" else group) % len(COLOURS)]
        cx, cy = _EDGE + x * (_WIDTH - 2 * _EDGE), _EDGE + (1 - y) * (_HEIGHT - 2 * _EDGE)
        picture = site.url(f"thumb/{clip.clip_id}")
        dots.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="8" fill="{paint}" role="button" tabindex="0" '
            f'aria-label="{e(_label(clip, info))}" {_play(site, clip, info)} data-thumb="{e(picture)}"/>'
        )
    names = "".join(
        f'<span><i style="background:{COLOURS[i % len(COLOURS)]}"></i>{e(infos[v].path.name)}</span>'
        for v, i in list(order.items())[: len(COLOURS)]
        if v in infos
    )
    legend = f'<div class="ve-legend">{names}</div>' if by == "video" else ""
    part = f"{len(made.clips):,} of " if made.total > len(made.clips) else ""
    return (
        f'<p class="ve-why">{e(part + count(made.total, "clip"))}, laid out by {e(made.method)}: what lies close '
        "together is alike. Choose a dot to play it.</p>"
        f'<div class="ve-map"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="Map of all clips">'
        f"{''.join(dots)}</svg>{legend}</div>"
    )


def _play(site: Site, clip: Clip, info: VideoInfo) -> str:
    return html.play_attributes(site, info, clip.span)


def _label(clip: Clip, info: VideoInfo) -> str:
    return f"{info.path.name} at {clock(clip.span.start_s)}"
