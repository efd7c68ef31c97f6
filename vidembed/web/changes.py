"""What people change on many videos at once or on one clip: tags, channels, captions that are taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vidembed.errors import InputError
from vidembed.media.captured import GPS, SHOT
from vidembed.types.query import TAG_SEPARATOR
from vidembed.web import html
from vidembed.web.html import clock, count, e

if TYPE_CHECKING:
    from vidembed.types import Caption
    from vidembed.web.site import Site

_FACETS = 12
# Seconds of work for a second of video on two cores (docs/channels.md), and the package that it needs.
_COSTS = {"speech": (0.133, "faster_whisper"), "ocr": (0.143, "rapidocr"), "frames": (0.049, ""), "audio": (0.051, "")}


def tag_videos(site: Site, videos: Sequence[str], text: str) -> str:
    """Tag videos by what somebody wrote: "camera=front", or "holiday"; HTML of what to tell."""
    site.check_writable()
    known = _known(site, videos)
    key, _, value = (part.strip() for part in text.partition("="))
    if not key:
        raise InputError("a tag needs a name", hint="write camera=front, or holiday")
    return _change_tags(site, known, {key: value}, f"{count(len(known), 'video')} tagged {key}")


def untag_video(site: Site, video_id: str, key: str) -> str:
    """Take a tag from a video; HTML of what to tell."""
    site.check_writable()
    return _change_tags(site, _known(site, [video_id]), {key: None}, f"The tag {key} is taken off")


def _change_tags(site: Site, videos: Sequence[str], tags: dict[str, str | None], message: str) -> str:
    at_once = site.jobs.soon("Tagging", message, lambda: site.index.tag(videos, tags))
    return html.notice("good", message) if at_once else html.notice("info", f"{message}, when the running work is done")


def facets(site: Site, videos: Collection[str], chosen: str = "") -> str:
    """Tags of these videos with how many have each; one narrows the search. chosen: the conditions that are set."""
    found = Counter(
        f"{key}={one}" if one else key
        for key, value in site.index.catalog.tags.of_many(videos)
        if key not in (SHOT, GPS)
        for one in value.split(TAG_SEPARATOR)
    )
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    set_already = {part.strip() for part in chosen.split(",")}
    chips = "".join(
        html.button(
            f"{tag} {number}", "facet", kind="ve-suggest", tag=tag, title=f"Only {tag}: {count(number, 'video')}"
        )
        for tag, number in ordered[:_FACETS]
        if "," not in tag and tag not in set_already
    )
    return f'<div class="ve-facets" role="group" aria-label="Tags">{chips}</div>' if chips else ""


@dataclass(frozen=True)
class Offer:
    """A channel that is off. seconds: of work for the whole library, on two cores; missing: a package it needs."""

    name: str
    source: str
    model: str
    seconds: float
    missing: str


def offers(site: Site) -> list[Offer]:
    """Channels that can be switched on, with their cost."""
    length_s = sum(record.info.duration_s for record in site.videos())
    found = []
    for name, given in site.index.config.channels.items():
        if given.enabled or name in site.index.parts.specs or given.source == "captions":
            continue
        cost, package = _COSTS.get(given.source, (0.1, ""))
        missing = package if package and find_spec(package) is None else ""
        found.append(Offer(name, given.source, given.model, cost * length_s, missing))
    return found


def offers_html(site: Site) -> str:
    """Buttons that switch a channel on, each with what it looks at and how long it takes."""
    rows = ""
    for offer in [] if site.readonly else offers(site):
        cost = f"about {clock(max(1, round(offer.seconds)))} of work on two cores"
        what = {"speech": "what is said", "ocr": "what is written on screen"}.get(offer.source, offer.source)
        told = f"needs the package {offer.missing}" if offer.missing else cost
        on = html.button("Switch on", "channel", channel=offer.name, title=f"Switch on {offer.name}: {told}")
        rows += (
            f"<tr><td><b>{e(offer.name)}</b></td><td>{e(what)}, by {e(offer.model)}</td>"
            f'<td class="ve-why">{e(told)}</td><td>{"" if offer.missing else on}</td></tr>'
        )
    if not rows:
        return ""
    return (
        '<details class="ve-offers"><summary>Search what is said and written, too</summary>'
        f'<table class="ve-table ve-models"><tbody>{rows}</tbody></table></details>'
    )


def switch_on(site: Site, name: str) -> tuple[list[str], str]:
    """(channels as `VideoIndex.add` takes them, title of the work). Raises InputError for one that is not offered."""
    site.check_writable()
    if name not in {offer.name for offer in offers(site) if not offer.missing}:
        raise InputError(f"the channel {name!r} cannot be switched on")
    return [f"+{name}"], f"Adding the channel {name}"


def delete_caption(site: Site, clip_id: str) -> str:
    """Forget the caption of a clip; HTML of what to tell."""
    _caption(site, clip_id)
    site.jobs.soon("Deleting a caption", "deleted", lambda: site.index.delete_captions([clip_id]))
    return html.notice("good", "The caption is deleted", "Write captions again to get another one.")


def revert_caption(site: Site, clip_id: str) -> str:
    """The model's best caption again, in place of a person's; HTML of what to tell."""
    mine = _caption(site, clip_id)
    if not (mine.human and mine.candidates):
        raise InputError("there is no caption of a model to go back to", hint="delete it, then write captions again")
    best = max(mine.candidates, key=lambda candidate: sum(candidate.scores.values()))
    model = site.index.config.caption.model or "model"
    theirs = replace(mine, text=best.text, score=0.0, model=model, confident=False, human=False)

    def change() -> None:
        site.index.delete_captions([clip_id])
        site.index.save_captions([theirs])

    site.jobs.soon("Going back to a model's caption", "done", change)
    return html.notice("good", "The model's caption is back")


def _caption(site: Site, clip_id: str) -> Caption:
    site.check_writable()
    held = site.index.catalog.captions.of_many([clip_id]).get(clip_id)
    if held is None:
        raise InputError("this clip has no caption")
    return held


def _known(site: Site, videos: Sequence[str]) -> list[str]:
    there = {record.info.video_id for record in site.videos()}
    known = [video_id for video_id in dict.fromkeys(videos) if video_id in there]
    if not known:
        raise InputError("choose a video first")
    return known
