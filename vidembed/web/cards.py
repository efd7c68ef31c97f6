"""The cards of the Search tab: what was found, and what is there before anybody searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.demo import DEMO_MEDIA, DEMO_QUERIES
from vidembed.types import Moment, Span, VideoInfo
from vidembed.web.html import button, clock, count, e, empty, notice, play_button

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex
    from vidembed.web.site import Answer, Site

UNKNOWN = 0.5  # the confidence of a search that nothing calibrates: by examples, pictures or sounds alone
_LATEST = 12
_SUGGESTED = 8
_SUGGESTED_CHARS = 60


def results(site: Site, answer: Answer, *, floor: float) -> str:
    """All cards of one answer: the convincing ones first, the others under a heading of their own."""
    if not answer.moments:
        if not site.index.info().clips:
            return empty_library(site)
        return empty("Nothing found", "No moment fits these words and filters. Try fewer filters or other words.")
    infos = _infos(site.index, answer.moments)
    rated = any(moment.confidence != UNKNOWN for moment in answer.moments)
    cards = [_card(site, answer, place, infos, floor if rated else None) for place in range(len(answer.moments))]
    good = [card for card, moment in zip(cards, answer.moments, strict=True) if moment.confidence >= floor]
    rest = [card for card, moment in zip(cards, answer.moments, strict=True) if moment.confidence < floor]
    head = "" if good else notice("warn", "No good match", "Below are the nearest moments; none of them is convincing.")
    found = count(len(good or rest), "moment" if good else "near moment")
    body = _grid(good) if good else ""
    if rest:
        body += f'<h2 class="ve-less">Less likely <span>{len(rest)}</span></h2>' if good else ""
        body += _grid(rest, "ve-dim" if good else "")
    words = f' data-q="{e(answer.words)}"'
    return (
        f'{head}<div class="ve-bar"{words}><span role="status">{found} for {e(answer.name)}</span>'
        f"{_exports(site, answer)}</div>{body}"
    )


def _grid(cards: Iterable[str], kind: str = "") -> str:
    return f'<div class="ve-grid {kind}" role="list">{"".join(cards)}</div>'


def _infos(index: VideoIndex, moments: Sequence[Moment]) -> dict[str, VideoInfo]:
    rows = {video_id: index.catalog.videos.get(video_id) for video_id in {m.video_id for m in moments}}
    return {video_id: row.info for video_id, row in rows.items() if row is not None}


def _exports(site: Site, answer: Answer) -> str:
    from vidembed.web.export import FORMATS

    links = "".join(
        f'<a role="menuitem" href="{e(site.url(f"export/{answer.token}.{kind}"))}" download>{e(label)}</a>'
        for kind, label in FORMATS.items()
    )
    return f'<details class="ve-menu"><summary class="ve-btn">Export</summary><div role="menu">{links}</div></details>'


def _card(site: Site, answer: Answer, place: int, infos: Mapping[str, VideoInfo], floor: float | None) -> str:
    """floor: what is called sure; None = nothing is known about that."""
    moment = answer.moments[place]
    name = moment.path.name
    span = f"{clock(moment.span.start_s)} – {clock(moment.span.end_s)}"
    badge = ""
    if floor is not None:
        low = "" if moment.confidence >= floor else " ve-low"
        badge = f'<span class="ve-conf{low}" title="how sure the search is">{moment.confidence:.0%}</span>'
    info = infos.get(moment.video_id)
    play = (
        f'<div class="ve-thumb"><span class="ve-span">{e(span)}</span></div>'
        if info is None  # taken out meanwhile
        else play_button(site, replace(info, path=moment.path), moment.span, moment.clip_id, badge=badge,
                         curve=site.url(f"curve/{answer.token}/{place}"))
    )  # fmt: skip
    said = moment.caption or ""
    words = "".join(
        f'<p class="ve-said"><span>{e(channel)}</span> {e(text)}</p>'
        for channel, text in moment.texts.items()
        if text and text != said
    )
    channels = "".join(
        f'<span class="ve-channel" title="matched in channel {e(hit.channel)}: score {hit.score:.3f}, '
        f'place {hit.rank}">{e(hit.channel)} <b>{hit.score:.2f}</b></span>'
        for hit in moment.hits
    )
    more = button("More like this", "like", kind="ve-quiet", clip=moment.clip_id, title=f"More like {name} at {span}")
    less = button("Less", "unlike", kind="ve-quiet", clip=moment.clip_id, title=f"Less like {name} at {span}")
    return f"""<article class="ve-card" role="listitem">{play}
<div class="ve-body"><div class="ve-file" title="{e(name)}">{e(name)}</div>
{f'<p class="ve-caption">{e(said)}</p>' if said else ""}{words}
<div class="ve-channels">{channels}</div><div class="ve-actions">{more}{less}</div></div></article>"""


# -- before anybody searched ---------------------------------------------------------------------------------------


def welcome(site: Site) -> str:
    """The newest videos of the library, or how to fill it."""
    videos, clips, duration_s = site.index.catalog.videos.totals()
    if not clips:
        return empty_library(site)
    newest = sorted(site.index.catalog.videos.all(), key=lambda row: (-row.info.mtime_ns, row.info.video_id))
    shown = [row.info for row in newest if not row.missing][:_LATEST]
    middles = middle_clips(site, [info.video_id for info in shown])
    cards = [_video_card(site, info, middles[info.video_id]) for info in shown if info.video_id in middles]
    facts = f"{count(videos, 'video')}, {count(clips, 'clip')}, {clock(round(duration_s))} in all"
    return (
        f'<div class="ve-bar ve-welcome"><span role="status">{e(facts)}. Say what the moment shows or how it sounds.'
        f"</span></div>{_grid(cards, 've-small')}"
    )


def empty_library(site: Site) -> str:
    """The first thing that a new person sees."""
    if site.readonly:
        return empty("The library is empty", "Nobody has added a video yet.")
    buttons = button("Add the demo library", "demo", kind="ve-primary", goto="library")
    buttons += button("Add your own", "goto", goto="library")
    return empty(
        "The library is empty",
        "Begin with a handful of real videos that come along, or add your own: nothing leaves this machine.",
        buttons=buttons,
    )


def _video_card(site: Site, info: VideoInfo, clip_id: str) -> str:
    name = info.path.name
    more = button("More like this", "like", kind="ve-quiet", clip=clip_id, title=f"More like {name}")
    return f"""<article class="ve-card" role="listitem">{play_button(site, info, Span(0.0, info.duration_s), clip_id)}
<div class="ve-body"><div class="ve-file" title="{e(name)}">{e(name)}</div>
<div class="ve-actions">{more}</div></div></article>"""


def middle_clips(site: Site, videos: Iterable[str]) -> dict[str, str]:
    """The clip in the middle of each video that has clips: its picture stands for the whole."""
    found = {}
    for video_id in videos:
        clips = site.index.clips(video_id)
        if clips:
            found[video_id] = clips[len(clips) // 2].clip_id
    return found


def suggested(site: Site) -> list[str]:
    """Queries that this library can answer: the demo's own where it is in, else words of its captions."""
    names = {Path(row.path).name for row in site.index.catalog.videos.paths().values()}
    demo = {Path(file).name for files in DEMO_MEDIA.values() for file in files}
    if names & demo:
        needs = {"thanks for watching": "ocr", "sleep with a dagger": "speech"}
        sources = {spec.settings.source for spec in site.index.parts.specs.values()}
        return [query for query in DEMO_QUERIES if needs.get(query) is None or needs[query] in sources]
    texts = sorted(site.index.captions(), key=lambda caption: (-caption.score, caption.clip.clip_id))
    short = (caption.text.rstrip(".") for caption in texts if len(caption.text) <= _SUGGESTED_CHARS)
    return list(dict.fromkeys(short))[:_SUGGESTED]
