"""The cards of the Search tab: what was found, and what is there before anybody searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from vidembed.demo import DEMO_MEDIA, DEMO_QUERIES
from vidembed.media.remote import name_of
from vidembed.search.answers import marked
from vidembed.types import Clip, Filter, Moment, Span, TimedText, VideoInfo
from vidembed.web.changes import facets
from vidembed.web.html import button, clock, count, e, empty, middle, notice, play_attributes, play_button, times, wait

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex
    from vidembed.web.searches import SearchAnswer
    from vidembed.web.site import Site

UNKNOWN = 0.5  # the confidence of a search that nothing calibrates: by examples, pictures or sounds alone
_LATEST = 12
_SUGGESTED = 8
_SUGGESTED_CHARS = 60
_CLIPS = 200  # of one video
_HELPS = 0.75  # of the best score of the channel in the answer
_EVIDENCE = {
    "frames": "seen", "audio": "heard", "av": "seen and heard", "captions": "captioned", "speech": "said",
    "ocr": "written",
}  # fmt: skip


def results(site: Site, answer: SearchAnswer, *, floor: float) -> str:
    """All cards of one answer: the convincing ones first, the others under a heading of their own."""
    if not answer.moments:
        if not site.index.info().clips:
            return empty_library(site)
        text = "No moment fits these words and filters. Try fewer filters or other words."
        if len(answer.queries) > 1:
            text = "No video has these moments one after the other. Try a longer time between them, or other words."
        return f'<div class="ve-bar" data-address="{e(answer.address)}"></div>{empty("Nothing found", text)}'
    infos = _infos(site.index, answer.moments)
    rated = any(moment.confidence != UNKNOWN for moment in answer.moments)
    steps = len(answer.queries)
    good: list[str] = []
    rest: list[str] = []
    for number, chain in enumerate(answer.chains):
        sure = min(moment.confidence for moment in chain) >= floor
        (good if sure else rest).append(_card(site, answer, number * steps, infos, floor if rated else None))
    what = "moment" if steps == 1 else "sequence"
    head = (
        "" if good else notice("warn", "No good match", f"Below are the nearest {what}s; none of them is convincing.")
    )
    if answer.means:
        how = "Put the words in quotation marks to look for them as they are."
        head = notice("info", f"Understood: {', '.join(answer.means)}", how) + head
    if answer.notice:
        head = notice("warn", "Another language", answer.notice[0].upper() + answer.notice[1:] + ".") + head
    found = count(len(good or rest), what if good else f"near {what}")
    body = _grid(good) if good else ""
    if rest:
        body += f'<h2 class="ve-less">Less likely <span>{len(rest)}</span></h2>' if good else ""
        body += _grid(rest, "ve-dim" if good else "")
    tags = facets(site, {moment.video_id for moment in answer.moments}, answer.tags)
    return (
        f'{head}<div class="ve-bar" data-address="{e(answer.address)}"><span role="status">{found} for '
        f"{e(answer.name)}</span>{_exports(site, answer)}</div>{tags}{body}"
    )


def _grid(cards: Iterable[str], kind: str = "") -> str:
    return f'<div class="ve-grid {kind}" role="list">{"".join(cards)}</div>'


def _infos(index: VideoIndex, moments: Sequence[Moment]) -> dict[str, VideoInfo]:
    rows = {video_id: index.catalog.videos.get(video_id) for video_id in {m.video_id for m in moments}}
    return {video_id: row.info for video_id, row in rows.items() if row is not None}


def _exports(site: Site, answer: SearchAnswer) -> str:
    """What can be done with the ticked moments; the script puts their places into the links."""
    from vidembed.web.export import FORMATS

    links = "".join(
        f'<a role="menuitem" href="{e(site.url(f"export/{answer.token}.{kind}"))}" data-export="{kind}" download>'
        f"{e(label)}</a>"
        for kind, label in FORMATS.items()
    )
    more = button("More like these", "like", kind="ve-quiet", takes="clips", title="More like the selected moments")
    if not site.readonly:
        more += button(
            "Caption", "caption-chosen", kind="ve-quiet", takes="videos", title="Caption the selected videos"
        )
        more += '<input class="ve-tag" aria-label="A tag for the selected videos" placeholder="camera=front">'
        more += button("Tag", "tag-chosen", kind="ve-quiet", takes="videos", reads=".ve-tag",
                       title="Tag the selected videos")  # fmt: skip
    return (
        f'<span class="ve-picked" data-record><span class="ve-why" data-picked></span>'
        f'<button type="button" class="ve-btn ve-quiet" data-action="pick-all">Select all</button>{more}'
        f'<details class="ve-menu"><summary class="ve-btn">Export</summary><div role="menu">{links}</div></details>'
        "</span>"
    )


def strength(confidence: float, floor: float) -> str:
    """How sure a search is, in a word. floor: below it nothing is convincing (`search.min_confidence`)."""
    if confidence < floor:
        return "Weak"
    return "Strong" if confidence >= (1 + floor) / 2 else "Possible"


def evidence(site: Site, answer: SearchAnswer, moment: Moment) -> str:
    """What speaks for a moment: "seen", "heard", 'said "..."'. Channels far below their best answer do not."""
    best: dict[str, float] = {}
    for other in answer.moments:
        for hit in other.hits:
            best[hit.channel] = max(best.get(hit.channel, hit.score), hit.score)
    sources = {name: channel.source for name, channel in site.index.config.channels.items()}
    parts: dict[str, str] = {}  # words and meaning of one line are one reason
    for hit in sorted(moment.hits, key=lambda hit: hit.rank):
        if hit.score <= 0 or hit.score < _HELPS * best[hit.channel]:
            continue
        word = _EVIDENCE.get(sources.get(hit.channel, ""), hit.channel)
        text = moment.texts.get(hit.channel, "")
        said = f" “{_marked(text, moment.marks.get(hit.channel, ()))}”" if text and text != moment.caption else ""
        numbers = f"channel {hit.channel}: score {hit.score:.3f}, place {hit.rank}"
        kind = "ve-channel ve-words" if said else "ve-channel"
        parts.setdefault(f"{word}{text}", f'<span class="{kind}" title="{e(numbers)}">{e(word)}{said}</span>')
    return "".join(parts.values())


def _marked(text: str, places: Sequence[tuple[int, int]]) -> str:
    """The text as HTML, with the query's words marked."""
    return e(marked(text, places, "\ue000", "\ue001")).replace("\ue000", "<mark>").replace("\ue001", "</mark>")


def _badge(moment: Moment, floor: float | None) -> str:
    if floor is None:
        return ""
    word = strength(moment.confidence, floor)
    return f'<span class="ve-conf ve-{word.lower()}" title="{moment.confidence:.0%} sure">{word}</span>'


def _card(site: Site, answer: SearchAnswer, place: int, infos: Mapping[str, VideoInfo], floor: float | None) -> str:
    """The moment at a place, or the sequence that begins there. floor: what is called sure; None = nothing is known."""
    steps = answer.moments[place : place + len(answer.queries)]
    moment = steps[0]
    name = name_of(moment.path)
    parts = "".join(_step(site, answer, place + number, infos, floor) for number in range(len(steps)))
    kind, texts = "", ""
    if len(steps) > 1:
        kind, parts = " ve-sequence", f'<div class="ve-steps">{parts}</div>'
    else:
        texts = f'<p class="ve-caption">{e(moment.caption)}</p>' if moment.caption else ""
        texts += f'<div class="ve-channels">{evidence(site, answer, moment)}</div>'
    at = f"{name} at {times(moment.span)}"
    actions = button("More like this", "like", kind="ve-quiet", clip=moment.clip_id, title=f"More like {at}")
    actions += button("Less", "unlike", kind="ve-quiet", clip=moment.clip_id, title=f"Hide {at} and what is like it")
    return f"""<article class="ve-card{kind}" role="listitem">{parts}
<div class="ve-body"><div class="ve-file" title="{e(name)}">{e(middle(name))}</div>{texts}
<div class="ve-actions">{actions if len(steps) == 1 else ""}</div></div></article>"""


def _step(site: Site, answer: SearchAnswer, place: int, infos: Mapping[str, VideoInfo], floor: float | None) -> str:
    """The picture of one moment, with its tick box."""
    moment = answer.moments[place]
    info = infos.get(moment.video_id)
    play = (
        f'<div class="ve-thumb"><span class="ve-span">{e(times(moment.span))}</span></div>'
        if info is None  # taken out meanwhile
        else play_button(site, replace(info, path=moment.path), moment.span, moment.clip_id, best_s=moment.best_s,
                         badge=_badge(moment, floor), curve=site.url(f"curve/{answer.token}/{place}"))
    )  # fmt: skip
    ticked = " checked" if floor is not None and moment.confidence >= floor else ""
    label = e(f"Select {name_of(moment.path)} at {times(moment.span)}")
    pick = (
        f'<label class="ve-pick"><input type="checkbox" data-place="{place}" data-clip="{e(moment.clip_id)}" '
        f'data-video="{e(moment.video_id)}"{ticked} aria-label="{label}"></label>'
    )
    return f'<div class="ve-picture">{play}{pick}</div>'


# -- one video -----------------------------------------------------------------------------------------------------


def video_page(site: Site, video_id: str, *, alone: bool = True) -> str:
    """One video: its clips in order, with what is known of each. alone: searches look in this video only."""
    row = site.index.catalog.videos.get(video_id)
    if row is None or row.missing:
        return notice("error", "No such video", "It is not in this library, or was taken out.")
    info, clips = row.info, site.index.clips(video_id)
    sure = [caption for caption in site.index.captions(video_id) if caption.confident]  # guesses are left out
    captions = {caption.clip.clip_id: caption.text for caption in sure}
    texts = site.index.parts.lookup.texts([clip.clip_id for clip in clips[:_CLIPS]])
    cards = [
        _clip_card(site, info, clip, captions.get(clip.clip_id, ""), texts.get(clip.clip_id, {}))
        for clip in clips[:_CLIPS]
    ]
    size = f"{info.width_px}×{info.height_px}" if info.has_video else "sound only"
    facts = f"{clock(info.duration_s)} · {size} · {count(len(clips), 'clip')}"
    address = urlencode({"in": video_id}) if alone else ""
    inside = "<span>Search above looks in this video only</span>"
    if not alone:
        inside = button("Search in this video", "open-video", video=video_id)
    return (
        f'<div class="ve-bar" data-address="{e(address)}"><span role="status">'
        f'<b class="ve-name">{e(name_of(info.path))}</b> {e(facts)}</span>{inside}</div>{_tags(site, info)}'
        f"{_grid(cards, 've-small')}"
    )


def _tags(site: Site, info: VideoInfo) -> str:
    """The tags of a video, each with a way to take it off, and a field for one more."""
    held = site.index.catalog.tags.all().get(info.video_id, {})
    chips = ""
    for key, value in held.items():
        said = f"{key}={value}" if value else key
        drop = "" if site.readonly else button("×", "untag", video=info.video_id, tag=key, title=f"Take off: {said}")
        chips += f'<span class="ve-chip ve-given"><span>{e(said)}</span>{drop}</span>'
    if not site.readonly:
        chips += (
            f'<input class="ve-tag" aria-label="{e(f"A tag for {name_of(info.path)}")}" placeholder="camera=front">'
        )
        chips += button("Add tag", "tag", kind="ve-quiet", video=info.video_id, reads=".ve-tag")
    return f'<div class="ve-terms" data-record>{chips}</div>' if chips else ""


def opener(site: Site, video_id: str, at_s: float | None) -> str:
    """What makes the script open the player at a second; "" where there is nothing to open."""
    row = site.index.catalog.videos.get(video_id)
    if row is None or row.missing or at_s is None:
        return ""
    start_s = min(max(0.0, at_s), max(0.0, row.info.duration_s - 0.1))
    around = next((clip.span for clip in site.index.clips(video_id) if clip.span.start_s <= start_s < clip.span.end_s),
                  Span(start_s, row.info.duration_s))  # fmt: skip
    span = Span(start_s, max(around.end_s, start_s + 0.1))
    return f'<button type="button" hidden data-open {play_attributes(site, row.info, span)}></button>'


def _clip_card(site: Site, info: VideoInfo, clip: Clip, caption: str, texts: Mapping[str, TimedText]) -> str:
    channels = site.index.config.channels
    words = "".join(
        f'<p class="ve-said"><span>{e(channel)}</span> {e(text.text)}</p>'
        for channel, text in texts.items()
        if channels[channel].source != "captions"
    )
    return f"""<article class="ve-card" role="listitem">{play_button(site, info, clip.span, clip.clip_id)}
<div class="ve-body">{f'<p class="ve-caption">{e(caption)}</p>' if caption else ""}{words}</div></article>"""


# -- before anybody searched ---------------------------------------------------------------------------------------


def welcome(site: Site, where: Filter | None = None, *, address: str = "", tags: str = "") -> str:
    """The newest videos of the library that a filter allows, or how to fill it.

    address: of the page. tags: the conditions on tags in the filter.
    """
    _, clips, _ = site.index.catalog.videos.totals()
    if not clips:
        return empty_library(site)
    newest = sorted(site.index.catalog.videos.all(), key=lambda row: (-row.info.mtime_ns, row.info.video_id))
    allowed = site.index.parts.lookup.resolve(where).video_ids
    present = [row.info for row in newest if not row.missing and (allowed is None or row.info.video_id in allowed)]
    shown = present[:_LATEST]
    middles = middle_clips(site, [info.video_id for info in shown])
    cards = [_video_card(site, info, middles[info.video_id]) for info in shown if info.video_id in middles]
    length_s = sum(info.duration_s for info in present)
    facts = f"{count(len(present), 'video')}, {clock(round(length_s))} in all"
    return (
        f'<div class="ve-bar ve-welcome" data-address="{e(address)}"><span role="status">{e(facts)}. '
        f"Say what the moment shows or how it sounds.</span></div>"
        f"{facets(site, {info.video_id for info in present}, tags)}{_grid(cards, 've-small')}"
    )


def _adding(site: Site) -> str:
    job = next((job for job in site.jobs.all() if not job.ended and job.title.startswith("Adding")), None)
    if job is None:
        return ""
    return wait(f"{job.title}… Each can be searched as soon as it is done.")


def empty_library(site: Site) -> str:
    """The first thing that a new person sees; while the first files are being added it says so."""
    started = _adding(site)
    if started:
        return started
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
    name = name_of(info.path)
    more = button("More like this", "like", kind="ve-quiet", clip=clip_id, title=f"More like {name}")
    return f"""<article class="ve-card" role="listitem">{play_button(site, info, Span(0.0, info.duration_s), clip_id)}
<div class="ve-body"><div class="ve-file" title="{e(name)}">{e(middle(name))}</div>
<div class="ve-actions">{more}<button type="button" class="ve-btn ve-quiet" data-action="open-video"
 data-video="{e(info.video_id)}" aria-label="{e(f"Open {name}")}">Open</button></div></div></article>"""


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
