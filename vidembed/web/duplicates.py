"""Near-duplicates as the Explore tab lists them: copies of videos with what they share, and clips that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.types import Span, VideoInfo
from vidembed.web import html
from vidembed.web.html import clock, e
from vidembed.web.mapping import MAX_COMPARED, Pair, near_duplicates, vectors

if TYPE_CHECKING:
    from vidembed.index.duplicates import Duplicate
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


def copies_html(site: Site, channel: str, *, asked: bool) -> str:
    """Videos that hold the same content, each pair with its stretches side by side. A large library has to be asked."""
    head = '<h2 class="ve-less">Copies of videos'
    total = site.index.catalog.videos.totals()[1]
    if total > MAX_AT_ONCE and not asked:
        button = html.button("Look for copies", "copies")
        return f"{head}</h2>" + html.notice(
            "info", f"{total:,} clips to compare", "This takes a while.", buttons=button
        )
    found = list(islice(site.index.duplicates(channel=channel), _PAIRS))
    if not found:
        return f'{head}</h2><p class="ve-why">No video of this library is a copy of another, or of a part of it.</p>'
    infos = videos_by_path(site)
    cards = "".join(_copy(site, one, infos) for one in sorted(found, key=_order))
    return f'{head} <span>{len(found)}</span></h2><div class="ve-copies" role="list">{cards}</div>'


def _order(found: Duplicate) -> tuple[int, float, Path, Path]:
    return list(_KINDS).index(found.kind), -max(found.shares), found.one, found.other


def _copy(site: Site, found: Duplicate, infos: dict[Path, VideoInfo]) -> str:
    one, other = infos.get(found.one), infos.get(found.other)
    names = f'<div class="ve-file">{e(found.one.name)}</div><div class="ve-file">{e(found.other.name)}</div>'
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


def _side(site: Site, info: VideoInfo | None, span: Span) -> str:
    if info is None:  # taken out meanwhile
        return '<span class="ve-mini"></span>'
    clips = site.index.clips(info.video_id)
    inside = max(clips, key=lambda clip: clip.span.overlap_s(span), default=None)
    return "" if inside is None else html.play_button(site, info, span, inside.clip_id)


def twins_html(site: Site, channel: str, above: float) -> str:
    """Pairs of clips that look or sound nearly the same."""
    clips, rows, _ = vectors(site, channel, MAX_COMPARED)
    head = '<h2 class="ve-less">Clips that are nearly the same'
    pairs = near_duplicates(clips, rows, above=above)
    infos = videos_by_id(site)
    shown = [pair for pair in pairs if {pair.one.video_id, pair.other.video_id} <= set(infos)]
    if not shown:
        text = f"No two clips are alike by {above:.2f} or more; neighbours in one video do not count."
        return f'{head}</h2><p class="ve-why">{e(text)}</p>'
    return f'{head} <span>{len(shown)}</span></h2><div class="ve-copies" role="list">{_twins(site, shown, infos)}</div>'


def _twins(site: Site, pairs: Sequence[Pair], infos: dict[str, VideoInfo]) -> str:
    cards = ""
    for pair in pairs:
        one, other = infos[pair.one.video_id], infos[pair.other.video_id]
        cards += (
            f'<article class="ve-card" role="listitem"><div class="ve-body"><div class="ve-pair">'
            f"{html.play_button(site, one, pair.one.span, pair.one.clip_id)}"
            f"{html.play_button(site, other, pair.other.span, pair.other.clip_id)}"
            f'<div class="ve-file">{e(one.path.name)}</div><div class="ve-file">{e(other.path.name)}</div></div>'
            f'<p class="ve-why">alike {pair.cosine:.2f}</p></div></article>'
        )
    return cards


def videos_by_id(site: Site) -> dict[str, VideoInfo]:
    """The videos whose file is there."""
    return {row.info.video_id: row.info for row in site.index.catalog.videos.all() if not row.missing}


def videos_by_path(site: Site) -> dict[Path, VideoInfo]:
    return {info.path: info for info in videos_by_id(site).values()}
