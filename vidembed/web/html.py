"""Gradio parts that several tabs use.

The pieces of the page that gradio has no part for. Everything that comes from files or people is escaped here.

The strip under the player: how well each second of the video fits, with the moments marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from vidembed.errors import VidembedError
from vidembed.media.remote import is_remote, name_of, unsigned
from vidembed.types import Moment, Span, VideoInfo, format_time

if TYPE_CHECKING:
    from vidembed.web.site import Site


_SHAPE = '<rect x="1" y="3" width="22" height="18" rx="5" fill="#4f46e5"/><path d="M9.5 8v8l7-4z" fill="#fff"/>'
ICON = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">{_SHAPE}</svg>'
LOGO = f'<svg class="ve-logo" viewBox="0 0 24 24" aria-hidden="true">{_SHAPE}</svg>'
_BRIDGE = "window.vidembed.bridge(element, trigger);"


def html_part(value: str = "", *, elem_id: str | None = None, **given: Any) -> gr.HTML:
    """HTML of ours, without gradio's typography; its `select` event carries the data of the button pressed in it."""
    return gr.HTML(value, elem_id=elem_id, js_on_load=_BRIDGE, apply_default_css=False, padding=False, **given)


def e(value: object) -> str:
    """Text for HTML, also inside quoted attributes. Braces and dollars too: the page's templates read them."""
    return escape(str(value), quote=True).replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


def clock(seconds: float) -> str:
    """`1:23`, or `1:02:03`, or `0:02.5` where tenths matter."""
    text = format_time(seconds)
    head, _, tail = text.partition(".")
    return f"{head}.{tail[0]}" if tail[0] != "0" and seconds < 600 else head


def times(span: Span) -> str:
    """`0:07 – 1:12`, start and end by `clock`."""
    return f"{clock(span.start_s)} – {clock(span.end_s)}"


def count(number: int, word: str, words: str = "") -> str:
    """`1 clip`, `12 clips`; words: where it is not the word with an s."""
    return f"{number:,} {word if number == 1 else words or f'{word}s'}"


def facts(*said: str) -> str:
    """A row of figures, each above what it counts: "7 videos", "1:21 of video"."""
    parts = "".join("<div><b>{}</b><span>{}</span></div>".format(*e(fact).split(" ", 1)) for fact in said)
    return f'<div class="ve-facts">{parts}</div>'


def notice(kind: str, title: str, text: str = "", *, buttons: str = "") -> str:
    """A box that says something, and can be closed. kind: info, good, warn, error. buttons: HTML of ours."""
    body = f"<p>{e(text)}</p>" if text else ""
    role = "alert" if kind == "error" else "status"
    close = (
        '<button type="button" class="ve-btn ve-icon ve-quiet" data-action="close-notice" '
        'aria-label="Close this message" title="Close">×</button>'
    )
    actions = f'<div class="ve-actions">{buttons}{close}</div>'
    return (
        f'<div class="ve-notice ve-{e(kind)}" role="{role}"><div><strong>{e(title)}</strong>{body}</div>{actions}</div>'
    )


def file_of(payload: Any) -> str | None:
    """The file behind what gradio hands over of a picture, sound or video; it has checked that it was uploaded."""
    return payload["path"] if isinstance(payload, dict) else payload


def error_box(error: VidembedError) -> str:
    """An error as people see it, with what to do."""
    return notice("error", error.message, error.hint)


def empty(title: str, text: str, *, buttons: str = "") -> str:
    """What stands where nothing is yet, with what to do about it. buttons: HTML of ours."""
    actions = f'<div class="ve-actions">{buttons}</div>' if buttons else ""
    return f'<div class="ve-empty"><h2>{e(title)}</h2><p>{e(text)}</p>{actions}</div>'


def wait(title: str) -> str:
    """What stands where something is on its way."""
    return f'<div class="ve-empty ve-waiting" role="status"><p>{e(title)}</p></div>'


def button(label: str, action: str, *, title: str = "", kind: str = "", **data: object) -> str:
    """A button that the page's script hands to the server with its data."""
    attributes = "".join(f' data-{name.replace("_", "-")}="{e(value)}"' for name, value in data.items())
    if title:
        attributes += f' aria-label="{e(title)}" title="{e(title)}"'
    return f'<button type="button" class="ve-btn {e(kind)}" data-action="{e(action)}"{attributes}>{e(label)}</button>'


def thumb(site: Site, clip_id: str) -> str:
    """The picture of a clip; a sound has none, and the box behind shows a note instead."""
    return f'<img loading="lazy" decoding="async" alt="" src="{e(site.url("thumb/" + quote(clip_id)))}">'


def middle(name: str, most: int = 44) -> str:
    """A long name without its middle: the end says most of a file."""
    if len(name) <= most:
        return name
    head = most // 2
    return f"{name[:head]}…{name[-(most - head - 1) :]}"


def play_attributes(site: Site, info: VideoInfo, span: Span, **more: object) -> str:
    """What the script needs to play a stretch; the original first where browsers know the format."""
    from vidembed.web.media import plays_in_browsers

    data = {
        "video": info.video_id,
        "name": name_of(info.path),
        "start": f"{span.start_s:.3f}",
        "end": f"{span.end_s:.3f}",
        "span": times(span),
        "src": site.url(f"media/{info.video_id}") if plays_in_browsers(unsigned(info.path), info.codec) else "",
        "piece": site.url(f"piece/{info.video_id}"),
        "playable": site.url(f"playable/{info.video_id}"),
        "transcript": site.url(f"transcript/{info.video_id}"),
        "picture": int(info.has_video),
        **more,
    }
    return 'data-action="play" ' + " ".join(f'data-{key}="{e(value)}"' for key, value in data.items())


def play_button(
    site: Site,
    info: VideoInfo,
    span: Span,
    clip_id: str,
    *,
    best_s: float | None = None,
    badge: str = "",
    **more: object,
) -> str:
    """A picture that plays the stretch, and shows frames of it when a pointer moves over it.

    best_s: the second whose frame is the picture; None = the clip's own. badge: HTML of ours, beside the times.
    """
    picture = thumb(site, clip_id)
    if info.has_video:
        here = not is_remote(info.path)  # else a look at the moment would fetch the whole file
        if here:
            more["film"] = site.url(f"film/{info.video_id}?start={span.start_s:.3f}&end={span.end_s:.3f}")
        more["ratio"] = f"{info.width_px / max(info.height_px, 1):.4f}"
        if best_s is not None and here:
            address = site.url(f"frame/{info.video_id}?at={best_s:.3f}")
            picture = f'<img loading="lazy" decoding="async" alt="" src="{e(address)}">'
    return (
        f'<button type="button" class="ve-thumb" {play_attributes(site, info, span, **more)} '
        f'aria-label="{e(f"Play {name_of(info.path)} from {times(span)}")}">{picture}'
        f'<span class="ve-span">{e(times(span))}</span>{badge}</button>'
    )


# -- search --------------------------------------------------------------------------------------------------------


def terms(
    site: Site,
    like: Sequence[str],
    unlike: Sequence[str],
    media: Sequence[str] = (),
    limits: Sequence[tuple[str, str]] = (),
    region: str = "",
) -> str:
    """What is part of the query besides the words, each with a way to take it out.

    media: "picture", "sound"... limits: (field of the form, what it says) of each filter that is set.
    """
    chips = ""
    for field, said in limits:
        drop = button("×", "drop-limit", field=field, title=f"Take out: {said}")
        picture = f'<img alt="" src="{e(site.url("part/" + quote(region)))}">' if field == "region" else ""
        chips += f'<span class="ve-chip ve-given">{picture}<span>{e(said)}</span>{drop}</span>'
    if len(limits) > 1:
        chips += button("Clear filters", "drop-limit", field="all", kind="ve-quiet")
    for name in media:
        drop = button("×", "drop-media", media=name, title=f"Take the {name} out")
        chips += f'<span class="ve-chip ve-given"><span>Your {e(name)}</span>{drop}</span>'
    for kind, ids in (("like", like), ("unlike", unlike)):
        word = "Like" if kind == "like" else "Not like"
        for clip_id in ids:
            chips += (
                f'<span class="ve-chip ve-{kind}">{thumb(site, clip_id)}<span>{word} this</span>'
                f"{button('×', 'drop', clip=clip_id, title=f'Take this example out ({word.lower()})')}</span>"
            )
    return f'<div class="ve-terms">{chips}</div>' if chips else ""


def suggestions(texts: Sequence[str]) -> str:
    """Buttons that search for a text: one stop of the Tab key, from which the arrow keys lead on."""
    chips = "".join(
        button(text, "ask", kind="ve-suggest", text=text, title=f"Search for {text}").replace(
            "<button", f'<button tabindex="{-1 if place else 0}"', 1
        )
        for place, text in enumerate(texts)
    )
    return f'<div class="ve-suggestions" role="toolbar" aria-label="Try"><span>Try</span>{chips}</div>' if texts else ""


PLAYER = """<section class="ve-player" hidden aria-label="Player">
<div class="ve-player-head"><div class="ve-player-what"><span class="ve-player-name"></span>
<span class="ve-player-span"></span></div>
<button type="button" class="ve-btn ve-icon ve-fold" data-action="fold" aria-label="More of the player" title="More"
 aria-expanded="false">⋯</button>
<button type="button" class="ve-btn ve-icon" data-action="close-player" aria-label="Close the player"
 title="Close (Esc)">×</button></div>
<div class="ve-screen"><video controls playsinline preload="metadata" aria-label="The chosen moment"></video></div>
<div class="ve-player-links"><button type="button" class="ve-btn ve-quiet" data-action="copy-link">Copy link</button>
<button type="button" class="ve-btn ve-quiet" data-action="copy-time">Copy timecode</button>
<button type="button" class="ve-btn ve-quiet" data-action="whole">The whole video</button>
<button type="button" class="ve-btn ve-quiet" data-action="region" aria-pressed="false">Search in the picture</button>
</div>
<p class="ve-player-note" role="status"></p>
<div class="ve-timeline"></div>
<div class="ve-player-foot"><button type="button" class="ve-btn" data-action="previous">‹ Previous</button>
<button type="button" class="ve-btn" data-action="replay">↺ Play the moment again</button>
<button type="button" class="ve-btn" data-action="next">Next ›</button></div>
<details class="ve-says" hidden><summary>Transcript</summary><div class="ve-says-body"></div></details>
</section>"""


WIDTH, HEIGHT = 1000, 80
_MAX_POINTS = 600


def strip(
    times_s: NDArray[np.float64], scores: NDArray[np.float64], duration_s: float, moments: Sequence[Moment]
) -> str:
    """HTML of the strip. scores: 0 is the background level; moments: the answers in this video."""
    duration_s = max(duration_s, 0.001)
    shape = _area(times_s, scores, duration_s)
    marks = "".join(
        f'<button type="button" class="ve-mark" data-action="seek" data-time="{moment.span.start_s:.3f}" '
        f'data-end="{moment.span.end_s:.3f}" style="left:{100 * moment.span.start_s / duration_s:.3f}%;'
        f'width:{100 * moment.span.duration_s / duration_s:.3f}%" '
        f'aria-label="{e(f"Go to {clock(moment.span.start_s)}, {moment.confidence:.0%} sure")}" '
        f'title="{e(f"{times(moment.span)}, {moment.confidence:.0%}")}"></button>'
        for moment in sorted(moments, key=lambda moment: moment.span)
    )
    return (
        f'<div class="ve-strip" data-duration="{duration_s:.3f}">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="How well each part of the video fits the search"><path d="{shape}"/></svg>'
        f'{marks}<div class="ve-head" aria-hidden="true"></div></div>'
        f'<div class="ve-ends"><span>0:00</span><span>{e(clock(duration_s))}</span></div>'
    )


def _area(times_s: NDArray[np.float64], scores: NDArray[np.float64], duration_s: float) -> str:
    """The filled curve as an SVG path; what is below the background level counts as nothing."""
    if len(times_s) == 0:
        return f"M0,{HEIGHT}L{WIDTH},{HEIGHT}Z"
    times, heights = thin(np.asarray(times_s), np.maximum(np.asarray(scores), 0.0))
    top = max(float(heights.max()), 1e-9)
    xs = np.clip(times / duration_s, 0, 1) * WIDTH
    ys = HEIGHT - heights / top * (HEIGHT - 6)
    points = "L".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs.tolist(), ys.tolist(), strict=True))
    return f"M{xs[0]:.1f},{HEIGHT}L{points}L{xs[-1]:.1f},{HEIGHT}Z"


def thin(times_s: NDArray[np.float64], heights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most a few hundred points; of each stretch the highest stays, so that no peak is lost."""
    if len(times_s) <= _MAX_POINTS:
        return times_s, heights
    parts = np.array_split(np.arange(len(times_s)), _MAX_POINTS)
    best = np.array([part[np.argmax(heights[part])] for part in parts])
    return times_s[best], heights[best]
