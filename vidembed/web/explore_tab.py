"""The Explore tab: a map of all clips, copies of videos with what they share, and clips that look alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.errors import VidembedError
from vidembed.media.remote import name_of
from vidembed.types import Span, VideoInfo
from vidembed.web import html
from vidembed.web.cards import empty_library
from vidembed.web.html import clock, count, e, html_part
from vidembed.web.library_tab import act
from vidembed.web.mapping import (
    MAX_COMPARED,
    ClipMap,
    NearDuplicate,
    clip_map,
    date_map,
    dense_channels,
    near_duplicates,
    vectors,
)

if TYPE_CHECKING:
    from vidembed.search.duplicates import Duplicate
    from vidembed.web.site import Site


MAX_AT_ONCE = 3000  # clips up to which copies are looked for without being asked
_PAIRS = 50
_STRETCHES = 4  # of one pair that are shown
_KINDS = {
    "same file": "The same file twice",
    "whole": "The same video",
    "part": "One is part of the other",
    "shared": "A stretch in common",
}


def duplicates_html(site: Site, channel: str, *, asked: bool) -> str:
    """Videos that hold the same content, each pair with its stretches side by side. A large library has to be asked."""
    head = '<h2 class="ve-less">Copies of videos'
    total = site.index.catalog.videos.totals()[1]
    if total > MAX_AT_ONCE and not asked:
        button = html.button("Look for duplicates", "duplicates")
        return f"{head}</h2>" + html.notice(
            "info", f"{total:,} clips to compare", "This takes a while.", buttons=button
        )
    found = list(islice(site.index.duplicates(channel=channel), _PAIRS))
    if not found:
        return f'{head}</h2><p class="ve-why">No video of this library is a copy of another, or of a part of it.</p>'
    infos = {info.path: info for info in videos_by_id(site).values()}
    cards = "".join(_copy(site, one, infos) for one in sorted(found, key=_order))
    return f'{head} <span>{len(found)}</span></h2><div class="ve-duplicates" role="list">{cards}</div>'


def _order(found: Duplicate) -> tuple[int, float, Path, Path]:
    return list(_KINDS).index(found.kind), -max(found.shares), found.one, found.other


def _copy(site: Site, found: Duplicate, infos: dict[Path, VideoInfo]) -> str:
    one, other = infos.get(found.one), infos.get(found.other)
    names = "".join(_named(site, path, info) for path, info in ((found.one, one), (found.other, other)))
    said = _KINDS[found.kind]
    if found.kind == "same file":
        where = f'<p class="ve-why">{e(site.shown(found.one))}<br>{e(site.shown(found.other))}</p>'
        return f'<article class="ve-card" role="listitem"><div class="ve-body"><b>{e(said)}</b>{where}</div></article>'
    pairs = "".join(
        f'<div class="ve-pair">{_side(site, one, stretch.one)}{_side(site, other, stretch.other)}</div>'
        f'<p class="ve-why">{clock(stretch.one.duration_s)} long, alike {stretch.similarity:.2f}</p>'
        for stretch in found.stretches[:_STRETCHES]
    )
    more = len(found.stretches) - _STRETCHES
    rest = f'<p class="ve-why">and {more} more</p>' if more > 0 else ""
    shares = f"{found.shares[0]:.0%} of the first, {found.shares[1]:.0%} of the second"
    return (
        f'<article class="ve-card" role="listitem"><div class="ve-body"><b>{e(said)}</b>'
        f'<div class="ve-pair">{names}</div>{pairs}{rest}<p class="ve-why">{e(shares)}</p></div></article>'
    )


def _named(site: Site, path: Path, info: VideoInfo | None) -> str:
    """The name of a copy, with what can be done about it."""
    actions = ""
    if info is not None:
        actions = html.button("Open", "open-video", kind="ve-quiet", video=info.video_id, title=f"Open {name_of(path)}")
        if not site.readonly:
            actions += html.button("Remove", "remove", kind="ve-danger ve-quiet", video=info.video_id,
                                   title=f"Remove {name_of(path)}")  # fmt: skip
    return f'<div><div class="ve-file">{e(name_of(path))}</div><div class="ve-actions">{actions}</div></div>'


def _side(site: Site, info: VideoInfo | None, span: Span) -> str:
    if info is None:  # taken out meanwhile
        return '<span class="ve-mini"></span>'
    clips = site.index.clips(info.video_id)
    inside = max(clips, key=lambda clip: clip.span.overlap_s(span), default=None)
    return "" if inside is None else html.play_button(site, info, span, inside.clip_id)


def similar_clips_html(site: Site, channel: str, above: float) -> str:
    """Pairs of clips that look or sound nearly the same."""
    clips, rows, _ = vectors(site, channel, MAX_COMPARED)
    head = '<h2 class="ve-less">Clips that are nearly the same'
    pairs = near_duplicates(clips, rows, above=above)
    infos = videos_by_id(site)
    shown = [pair for pair in pairs if {pair.one.video_id, pair.other.video_id} <= set(infos)]
    if not shown:
        text = f"No two clips are alike by {above:.2f} or more; neighbours in one video do not count."
        return f'{head}</h2><p class="ve-why">{e(text)}</p>'
    cards = _similar_clips(site, shown, infos)
    return f'{head} <span>{len(shown)}</span></h2><div class="ve-duplicates" role="list">{cards}</div>'


def _similar_clips(site: Site, pairs: Sequence[NearDuplicate], infos: dict[str, VideoInfo]) -> str:
    cards = ""
    for pair in pairs:
        one, other = infos[pair.one.video_id], infos[pair.other.video_id]
        cards += (
            f'<article class="ve-card" role="listitem"><div class="ve-body"><div class="ve-pair">'
            f"{html.play_button(site, one, pair.one.span, pair.one.clip_id)}"
            f"{html.play_button(site, other, pair.other.span, pair.other.clip_id)}"
            f'<div class="ve-file">{e(name_of(one.path))}</div>'
            f'<div class="ve-file">{e(name_of(other.path))}</div></div>'
            f'<p class="ve-why">alike {pair.cosine:.2f}</p></div></article>'
        )
    return cards


def videos_by_id(site: Site) -> dict[str, VideoInfo]:
    """The videos whose file is there."""
    return {row.info.video_id: row.info for row in site.index.catalog.videos.all() if not row.missing}


# Okabe and Ito's colours, told apart with every kind of colour vision, and four more for long lists.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800", "#7A5AF8", "#8C564B", "#6B7280",
    "#17A2A2", "#B83280",
)  # fmt: skip
_WIDTH, _HEIGHT, _EDGE = 1000, 560, 24


def explore_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open; computed when it is opened."""
    with gr.Row(elem_classes="ve-form", equal_height=True):
        channel = gr.Dropdown([], label="Channel", value=None, scale=2, min_width=160, elem_id="ve-map-channel")
        layout = gr.Radio(["likeness", "date of capture"], value="likeness", label="Lay out by", scale=2, min_width=200,
                          elem_id="ve-map-layout")  # fmt: skip
        colour = gr.Radio(["video", "group"], value="video", label="Colour by", scale=2, min_width=160)
        above = gr.Slider(0.8, 1.0, value=0.95, step=0.01, label="Clips count as nearly the same from", scale=3)
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            shown = html_part(html.wait("Drawing the map…"), elem_id="ve-map")
            duplicates = html_part(elem_id="ve-duplicates")
            similar = html_part(elem_id="ve-similar")
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": 2}

    def opened(name: str | None, along: str, by: str) -> list[Any]:
        names = dense_channels(site)
        name = name if name in names else (names[0] if names else None)
        return [gr.Dropdown(choices=names, value=name), drawn(name, along, by)]

    def drawn(name: str | None, along: str, by: str) -> str:
        if name is None:
            return empty_library(site)
        made = clip_map if along == "likeness" else date_map
        return _said(lambda: map_html(site, made(site, name), by))

    def compared(name: str | None, least: float) -> str:
        return "" if name is None else _said(lambda: similar_clips_html(site, name, least))

    def looked_up(name: str | None) -> str:
        return "" if name is None else _said(lambda: duplicates_html(site, name, asked=False))

    def asked(name: str | None, event: gr.EventData) -> str:
        given = dict(event._data)
        done = _said(lambda: act(site, "remove", given)) if given.get("action") == "remove" else ""
        return done if name is None else done + _said(lambda: duplicates_html(site, name, asked=True))

    ready = tab.select(opened, [channel, layout, colour], [channel, shown], **quiet)
    ready = ready.then(looked_up, channel, duplicates, **quiet)
    ready.then(compared, [channel, above], similar, **quiet)
    changed = channel.input(drawn, [channel, layout, colour], shown, **quiet)
    changed = changed.then(looked_up, channel, duplicates, **quiet)
    changed.then(compared, [channel, above], similar, **quiet)
    gr.on([colour.input, layout.input], drawn, [channel, layout, colour], shown, **quiet)
    above.release(compared, [channel, above], similar, **quiet)
    duplicates.select(asked, channel, duplicates, **(quiet | {"show_progress": "minimal"}))


def _said(make: Callable[[], str]) -> str:
    try:
        return make()
    except VidembedError as error:
        return html.error_box(error)


def map_html(site: Site, made: ClipMap, by: str) -> str:
    """The map as SVG; each dot plays its clip."""
    if made.method == "date" and not made.clips:
        return html.empty("No date of capture", "No camera wrote into these videos when they were shot.")
    if not made.clips:
        return html.empty("Nothing to draw yet", "This channel holds no clips.")
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
            f'aria-label="{e(f"{name_of(info.path)} at {clock(clip.span.start_s)}")}" '
            f'{html.play_attributes(site, info, clip.span)} data-thumb="{e(picture)}"/>'
        )
    names = "".join(
        f'<span><i style="background:{COLOURS[i % len(COLOURS)]}"></i>{e(name_of(infos[v].path))}</span>'
        for v, i in list(order.items())[: len(COLOURS)]
        if v in infos
    )
    legend = f'<div class="ve-legend">{names}</div>' if by == "video" else ""
    part = f"{len(made.clips):,} of " if made.total > len(made.clips) else ""
    told = (
        "from the first shot to the last: what lies at the same height is alike; clips without a date are left out"
        if made.method == "date"
        else f"laid out by {made.method}: what lies close together is alike"
    )
    ticks = "".join(
        f'<text x="{_EDGE + x * (_WIDTH - 2 * _EDGE):.1f}" y="{_HEIGHT - 4}">{e(day)}</text>' for x, day in made.ticks
    )
    return (
        f'<p class="ve-why">{e(part + count(made.total, "clip"))}, {e(told)}. Choose a dot to play it.</p>'
        f'<div class="ve-map"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="Map of all clips">'
        f"{ticks}{''.join(dots)}</svg>{legend}</div>"
    )
