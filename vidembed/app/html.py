"""The pieces of the page that gradio has no part for. Everything that comes from files or people is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from vidembed.errors import VidembedError
from vidembed.types import Moment, format_time

if TYPE_CHECKING:
    from vidembed.app.site import Answer, Site
    from vidembed.index import VideoIndex


def e(value: object) -> str:
    """Text for HTML, also inside quoted attributes. Braces and dollars too: the page's templates read them."""
    return escape(str(value), quote=True).replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;")


def clock(seconds: float) -> str:
    """`1:23`, or `1:02:03`, or `0:02.5` where tenths matter."""
    text = format_time(seconds)
    head, _, tail = text.partition(".")
    return f"{head}.{tail[0]}" if tail[0] != "0" and seconds < 600 else head


def notice(kind: str, title: str, text: str = "") -> str:
    """A box that says something. kind: info, warn, error."""
    body = f"<p>{e(text)}</p>" if text else ""
    role = "alert" if kind == "error" else "status"
    return f'<div class="ve-notice ve-{e(kind)}" role="{role}"><strong>{e(title)}</strong>{body}</div>'


def error_box(error: VidembedError) -> str:
    return notice("error", error.message, error.hint)


def empty(title: str, text: str) -> str:
    """What stands where nothing is yet, with what to do about it."""
    return f'<div class="ve-empty"><h3>{e(title)}</h3><p>{e(text)}</p></div>'


def button(label: str, action: str, *, title: str = "", kind: str = "", confirm: str = "", **data: object) -> str:
    """A button that the page's script hands to the server with its data."""
    attributes = "".join(f' data-{name.replace("_", "-")}="{e(value)}"' for name, value in data.items())
    if confirm:
        attributes += f' data-confirm="{e(confirm)}"'
    if title:
        attributes += f' aria-label="{e(title)}" title="{e(title)}"'
    return f'<button type="button" class="ve-btn {e(kind)}" data-action="{e(action)}"{attributes}>{e(label)}</button>'


def thumb(site: Site, clip_id: str) -> str:
    """The picture of a clip; a sound has none, and the box behind shows a note instead."""
    return f'<img loading="lazy" decoding="async" alt="" src="{e(site.url("thumb/" + quote(clip_id)))}">'


def player_data(site: Site, video_id: str, name: str, codec: str, start_s: float, end_s: float) -> dict[str, object]:
    """What the script needs to play a stretch; the original first where browsers know the format."""
    from pathlib import Path

    from vidembed.app.media import plays_in_browsers

    return {
        "video": video_id,
        "name": name,
        "start": f"{start_s:.3f}",
        "end": f"{end_s:.3f}",
        "src": site.url(f"media/{video_id}") if plays_in_browsers(Path(name), codec) else "",
        "piece": site.url(f"piece/{video_id}"),
    }


# -- search results ------------------------------------------------------------------------------------------------


def results(site: Site, answer: Answer, *, floor: float) -> str:
    """All cards of one answer, with what is to be said about it first."""
    if not answer.moments:
        if not site.index.info().clips:
            return empty("The library is empty", "Add videos in the Library tab, or the demo library with one click.")
        return empty("Nothing found", "No moment fits these words and filters. Try fewer filters or other words.")
    weak = all(moment.confidence < floor for moment in answer.moments)
    head = notice("warn", "No good match", "These are the nearest moments; none of them is convincing.") if weak else ""
    codecs = _codecs(site.index, answer.moments)
    cards = "".join(_card(site, answer, i, m, codecs.get(m.video_id, ""), floor) for i, m in enumerate(answer.moments))
    count = len(answer.moments)
    return (
        f'{head}<div class="ve-bar"><span role="status">{count} moment{"s" * (count != 1)} for {e(answer.name)}</span>'
        f'{_exports(site, answer)}</div><div class="ve-grid" role="list">{cards}</div>'
    )


def _codecs(index: VideoIndex, moments: Sequence[Moment]) -> dict[str, str]:
    rows = {video_id: index.catalog.videos.get(video_id) for video_id in {m.video_id for m in moments}}
    return {video_id: row.info.codec for video_id, row in rows.items() if row is not None}


def _exports(site: Site, answer: Answer) -> str:
    from vidembed.app.export import FORMATS

    links = "".join(
        f'<a role="menuitem" href="{e(site.url(f"export/{answer.token}.{kind}"))}" download>{e(label)}</a>'
        for kind, label in FORMATS.items()
    )
    return f'<details class="ve-menu"><summary class="ve-btn">Export</summary><div role="menu">{links}</div></details>'


def _card(site: Site, answer: Answer, place: int, moment: Moment, codec: str, floor: float) -> str:
    name = moment.path.name
    span = f"{clock(moment.span.start_s)} – {clock(moment.span.end_s)}"
    play = {
        **player_data(site, moment.video_id, name, codec, moment.span.start_s, moment.span.end_s),
        "curve": site.url(f"curve/{answer.token}/{place}"),
    }
    data = "".join(f' data-{key}="{e(value)}"' for key, value in play.items())
    said = moment.caption or ""
    words = "".join(
        f'<p class="ve-said"><span>{e(lane)}</span> {e(text)}</p>'
        for lane, text in moment.texts.items()
        if text and text != said
    )
    lanes = "".join(
        f'<span class="ve-lane" title="score {hit.score:.3f}, place {hit.rank} in this lane">{e(hit.channel)} '
        f"<b>{hit.score:.2f}</b></span>"
        for hit in moment.hits
    )
    weak = " ve-weak" if moment.confidence < floor else ""
    return f"""<article class="ve-card" role="listitem">
<button type="button" class="ve-thumb" data-action="play"{data} aria-label="{e(f"Play {name} from {span}")}">
{thumb(site, moment.clip_id)}<span class="ve-span">{e(span)}</span>
<span class="ve-conf{weak}" title="how sure the search is">{moment.confidence:.0%}</span></button>
<div class="ve-body"><div class="ve-file" title="{e(name)}">{e(name)}</div>
{f'<p class="ve-caption">{e(said)}</p>' if said else ""}{words}
<div class="ve-lanes">{lanes}</div>
<div class="ve-actions">{button("More like this", "like", clip=moment.clip_id, title=f"More like {name} at {span}")}
{button("Less", "unlike", clip=moment.clip_id, title=f"Less like {name} at {span}")}</div></div></article>"""


def terms(site: Site, like: Sequence[str], unlike: Sequence[str]) -> str:
    """The example moments that are part of the query, each with a way to take it out."""
    chips = ""
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
<div class="ve-player-head"><span class="ve-player-name"></span>
<button type="button" class="ve-btn" data-action="close-player" aria-label="Close the player" title="Close">×</button>
</div>
<video controls playsinline preload="metadata" aria-label="The chosen moment"></video>
<p class="ve-player-note" role="status"></p>
<div class="ve-timeline"></div>
</section>"""
