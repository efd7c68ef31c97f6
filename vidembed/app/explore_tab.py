"""The Explore tab: a map of all clips, and near-duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.app import html
from vidembed.app.html import clock, e
from vidembed.app.mapping import MAX_COMPARED, ClipMap, Pair, clip_map, dense_channels, near_duplicates, vectors
from vidembed.app.parts import html_part
from vidembed.errors import VidembedError
from vidembed.types import Clip, VideoInfo

if TYPE_CHECKING:
    from vidembed.app.site import Site

# Okabe and Ito's colours, told apart with every kind of colour vision, and four more for long lists.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#7A5AF8", "#8C564B", "#6B7280",
    "#17A2A2", "#B83280",
)  # fmt: skip
_WIDTH, _HEIGHT, _EDGE = 1000, 560, 24


def explore_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open; computed when it is opened."""
    with gr.Row(equal_height=True):
        lane = gr.Dropdown([], label="Lane", value=None, scale=2, elem_id="ve-map-lane")
        colour = gr.Radio(["video", "group"], value="video", label="Colour by", scale=2)
        above = gr.Slider(0.8, 1.0, value=0.95, step=0.01, label="Near-duplicates: alike at least", scale=3)
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            shown = html_part(elem_id="ve-map")
            twins = html_part(elem_id="ve-twins")
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal", "concurrency_limit": 2}

    def opened(name: str | None, by: str, least: float) -> list[Any]:
        names = dense_channels(site)
        name = name if name in names else (names[0] if names else None)
        return [gr.Dropdown(choices=names, value=name), *drawn(name, by, least)]

    def drawn(name: str | None, by: str, least: float) -> list[str]:
        if name is None:
            return [html.empty("Nothing to draw yet", "Add videos in the Library tab first."), ""]
        try:
            return [map_html(site, clip_map(site, name), by), twins_html(site, name, least)]
        except VidembedError as error:
            return [html.error_box(error), ""]

    tab.select(opened, [lane, colour, above], [lane, shown, twins], **quiet)
    gr.on([lane.input, colour.input, above.release], drawn, [lane, colour, above], [shown, twins], **quiet)


def map_html(site: Site, made: ClipMap, by: str) -> str:
    """The map as SVG; each dot plays its clip."""
    if not made.clips:
        return html.empty("Nothing to draw yet", "This lane holds no clips.")
    infos = _infos(site)
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
    part = f"{len(made.clips)} of {made.total} clips" if made.total > len(made.clips) else f"{made.total} clips"
    return (
        f'<p class="ve-why">{e(part)}, {e(made.method)}: what lies close together looks or sounds alike.</p>'
        f'<div class="ve-map"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="Map of all clips">'
        f"{''.join(dots)}</svg>{legend}</div>"
    )


def twins_html(site: Site, channel: str, above: float) -> str:
    clips, rows, _ = vectors(site, channel, MAX_COMPARED)
    pairs = near_duplicates(clips, rows, above=above)
    if not pairs:
        return '<h3>Near-duplicates</h3><p class="ve-why">None at this likeness.</p>'
    infos = _infos(site)
    cards = "".join(
        _pair(site, pair, infos) for pair in pairs if {pair.one.video_id, pair.other.video_id} <= set(infos)
    )
    return f'<h3>Near-duplicates</h3><div class="ve-grid">{cards}</div>'


def _pair(site: Site, pair: Pair, infos: dict[str, VideoInfo]) -> str:
    sides = "".join(
        f'<button type="button" class="ve-thumb" {_play(site, clip, infos[clip.video_id])} '
        f'aria-label="{e(f"Play {_label(clip, infos[clip.video_id])}")}">{html.thumb(site, clip.clip_id)}'
        f'<span class="ve-span">{e(clock(clip.span.start_s))}</span></button>'
        for clip in (pair.one, pair.other)
    )
    names = " · ".join(dict.fromkeys(infos[clip.video_id].path.name for clip in (pair.one, pair.other)))
    return (
        f'<article class="ve-card"><div class="ve-pair">{sides}</div><div class="ve-body">'
        f'<div class="ve-file">{e(names)}</div>'
        f'<div class="ve-lanes"><span class="ve-lane">alike <b>{pair.cosine:.3f}</b></span></div></div></article>'
    )


def _play(site: Site, clip: Clip, info: VideoInfo) -> str:
    data = html.player_data(site, clip.video_id, info.path.name, info.codec, clip.span.start_s, clip.span.end_s)
    return 'data-action="play" ' + " ".join(f'data-{key}="{e(value)}"' for key, value in data.items())


def _label(clip: Clip, info: VideoInfo) -> str:
    return f"{info.path.name} at {clock(clip.span.start_s)}"


def _infos(site: Site) -> dict[str, VideoInfo]:
    return {row.info.video_id: row.info for row in site.index.catalog.videos.all() if not row.missing}
