"""The pieces of the page that gradio has no part for. Everything that comes from files or people is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from vidembed.errors import VidembedError
from vidembed.types import Span, VideoInfo, format_time

if TYPE_CHECKING:
    from vidembed.app.site import Site


def e(value: object) -> str:
    """Text for HTML, also inside quoted attributes. Braces and dollars too: the page's templates read them."""
    return escape(str(value), quote=True).replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


def clock(seconds: float) -> str:
    """`1:23`, or `1:02:03`, or `0:02.5` where tenths matter."""
    text = format_time(seconds)
    head, _, tail = text.partition(".")
    return f"{head}.{tail[0]}" if tail[0] != "0" and seconds < 600 else head


def count(number: int, word: str) -> str:
    """`1 clip`, `12 clips`."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def notice(kind: str, title: str, text: str = "", *, buttons: str = "") -> str:
    """A box that says something. kind: info, good, warn, error. buttons: HTML of ours."""
    body = f"<p>{e(text)}</p>" if text else ""
    role = "alert" if kind == "error" else "status"
    actions = f'<div class="ve-actions">{buttons}</div>' if buttons else ""
    return (
        f'<div class="ve-notice ve-{e(kind)}" role="{role}"><div><strong>{e(title)}</strong>{body}</div>{actions}</div>'
    )


def error_box(error: VidembedError) -> str:
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


def play_attributes(site: Site, info: VideoInfo, span: Span, **more: object) -> str:
    """What the script needs to play a stretch; the original first where browsers know the format."""
    from vidembed.app.media import plays_in_browsers

    data = {
        "video": info.video_id,
        "name": info.path.name,
        "start": f"{span.start_s:.3f}",
        "end": f"{span.end_s:.3f}",
        "span": f"{clock(span.start_s)} – {clock(span.end_s)}",
        "src": site.url(f"media/{info.video_id}") if plays_in_browsers(info.path, info.codec) else "",
        "piece": site.url(f"piece/{info.video_id}"),
        **more,
    }
    return 'data-action="play" ' + " ".join(f'data-{key}="{e(value)}"' for key, value in data.items())


def play_button(site: Site, info: VideoInfo, span: Span, clip_id: str, *, badge: str = "", **more: object) -> str:
    """A clip's picture that plays the stretch. badge: HTML of ours, beside the times."""
    times = f"{clock(span.start_s)} – {clock(span.end_s)}"
    return (
        f'<button type="button" class="ve-thumb" {play_attributes(site, info, span, **more)} '
        f'aria-label="{e(f"Play {info.path.name} from {times}")}">{thumb(site, clip_id)}'
        f'<span class="ve-span">{e(times)}</span>{badge}</button>'
    )


# -- search --------------------------------------------------------------------------------------------------------


def terms(site: Site, like: Sequence[str], unlike: Sequence[str], media: Sequence[str] = ()) -> str:
    """What is part of the query besides the words, each with a way to take it out. media: "picture", "sound"..."""
    chips = ""
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
    chips = "".join(button(text, "ask", kind="ve-suggest", text=text, title=f"Search for {text}") for text in texts)
    return f'<div class="ve-suggestions"><span>Try</span>{chips}</div>' if texts else ""


PLAYER = """<section class="ve-player" hidden aria-label="Player">
<div class="ve-player-head"><div class="ve-player-what"><span class="ve-player-name"></span>
<span class="ve-player-span"></span></div>
<button type="button" class="ve-btn ve-icon" data-action="close-player" aria-label="Close the player"
 title="Close (Esc)">×</button></div>
<video controls playsinline preload="metadata" aria-label="The chosen moment"></video>
<p class="ve-player-note" role="status"></p>
<div class="ve-timeline"></div>
<div class="ve-player-foot"><button type="button" class="ve-btn" data-action="previous">‹ Previous</button>
<button type="button" class="ve-btn" data-action="replay">↺ Play the moment again</button>
<button type="button" class="ve-btn" data-action="next">Next ›</button></div>
</section>"""
