"""What the Library tab shows: running work, facts, the table of videos and of what failed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.media.remote import name_of, shown
from vidembed.types import Failure
from vidembed.web import html
from vidembed.web.cards import empty_library, middle_clips
from vidembed.web.changes import offers_html
from vidembed.web.html import count, e
from vidembed.web.jobs import Job

if TYPE_CHECKING:
    from vidembed.index.contents import VideoRecord
    from vidembed.web.site import Site

_ROWS = 100
_STATE_SIGNS = {"done": "✓", "absent": "–", "failed": "✕", "missing": "…"}
_STATE_WORDS = {
    "done": "searchable by {channel}",
    "absent": "has nothing for {channel}",
    "failed": "{channel} failed",
    "missing": "{channel} has not been tried yet",
}

ORDERS: Mapping[str, Callable[[VideoRecord], Any]] = {
    "Name": lambda record: (name_of(record.info.path).casefold(), record.info.video_id),
    "Newest": lambda record: (-record.info.mtime_ns, record.info.video_id),
    "Longest": lambda record: (-record.info.duration_s, record.info.video_id),
    "To be done": lambda record: (record.state == "ready", name_of(record.info.path).casefold()),
}


CHOSEN = (
    '<div class="ve-bar" data-record><span class="ve-actions">'
    + html.button("Select all", "pick-all", kind="ve-quiet")
    + '<span class="ve-why" data-picked></span></span><span class="ve-actions">'
    + html.button("Caption", "caption-chosen", takes="videos", title="Caption the selected videos")
    + '<input class="ve-tag" aria-label="A tag for the selected videos" placeholder="camera=front">'
    + html.button("Tag", "tag-chosen", takes="videos", reads=".ve-tag", title="Tag the selected videos")
    + html.button("Remove", "remove-chosen", takes="videos", kind="ve-danger", title="Remove the selected videos")
    + "</span></div>"
)


def upload_html(site: Site) -> str:
    """Where files are chosen and dropped; the script lists those on their way below."""
    from vidembed.media.kinds import MEDIA_EXTENSIONS

    kinds, most = " ".join(sorted(MEDIA_EXTENSIONS)), site.settings.max_upload_mb
    size = f"{most / 1024:g} GB" if most >= 1024 else f"{most} MB"
    files = '<input type="file" multiple><span>Choose files</span>'
    folder = '<input type="file" webkitdirectory><span>Choose a folder</span>'
    return (
        f'<div class="ve-drop" data-url="{e(site.url("arrivals"))}" data-kinds="{e(kinds)}">'
        f"<p>Drop videos, sounds or folders here, up to {e(size)} each</p>"
        f'<div class="ve-actions"><label class="ve-btn ve-primary">{files}</label>'
        f'<label class="ve-btn">{folder}</label></div></div><div class="ve-uploads"></div>'
    )


def jobs_html(site: Site) -> str:
    """What runs, what waits, how the last one ended."""
    parts = []
    for job in site.jobs.all():
        if job.ended:
            kind = {"done": "good", "failed": "error", "cancelled": "warn"}[job.state]
            close = html.button("×", "forget", kind="ve-icon ve-quiet", job=job.job_id, title="Close this message")
            parts.append(html.notice(kind, f"{job.title}: {job.state}", job.message, buttons=close))
        elif job.state == "waiting":
            drop = "" if job.keep else html.button("Cancel", "cancel", job=job.job_id, title=f"Cancel: {job.title}")
            waits = f'<span>{e(job.title)} <span class="ve-pill">waiting</span></span>'
            parts.append(f'<div class="ve-job"><div class="ve-job-head">{waits}{drop}</div></div>')
        else:
            parts.append(_running(job))
    return "".join(parts)


def _running(job: Job) -> str:
    now, share = job.progress, job.share
    if job.state == "stopping":
        state = "stopping: what is in hand ends first, what is done stays done"
    elif now is None:
        state = "getting ready: models are loaded on first use"
    elif share == 1.0:
        state = f"{now.done_items} of {now.total_items}, finishing"
    else:
        left = job.left_s
        state = f"{now.done_items} of {now.total_items}"
        if now.rate > 0:
            state += f", {now.rate:.1f}× real time"
        if left is not None:
            state += f", about {html.clock(round(left))} left"
        if now.item:
            state += f" · {name_of(Path(now.item))}"
    value = "" if share is None else f' aria-valuenow="{round(100 * share)}"'
    bar = "<div></div>" if share is None or share == 1.0 else f'<div style="width:{share:.1%}"></div>'
    unknown = " ve-unknown" if share is None or share == 1.0 else ""
    cancel = ""
    if job.state != "stopping":
        cancel = html.button("Cancel", "cancel", job=job.job_id, title=f"Cancel: {job.title}")
    return (
        f'<div class="ve-job"><div class="ve-job-head"><strong>{e(job.title)}</strong>{cancel}</div>'
        f'<div class="ve-progress{unknown}" role="progressbar" aria-label="{e(job.title)}" aria-valuemin="0" '
        f'aria-valuemax="100"{value}>{bar}</div><span class="ve-why">{e(state)}</span></div>'
    )


def table_html(site: Site, wanted: str, order: str = "Name") -> str:
    """Files that failed, then the videos whose name has `wanted` in it, in one of ORDERS."""
    name = wanted.strip().casefold()
    everything = site.videos()
    records = sorted((r for r in everything if name in name_of(r.info.path).casefold()), key=ORDERS[order])
    inside = {failure for record in everything for failure in record.failures}
    failed = [f for f in site.index.failures() if f not in inside and name in name_of(Path(f.item)).casefold()]
    removed = "" if name else _removed(site)
    if not records and not failed:
        if name:
            return html.empty("No such file", "No file of the library has this in its name.")
        return empty_library(site) + removed
    pictures = middle_clips(site, [record.info.video_id for record in records[:_ROWS]])
    rows = "".join(_video_row(site, record, pictures.get(record.info.video_id)) for record in records[:_ROWS])
    rest = len(records) - _ROWS
    more = f'<p class="ve-why">{rest:,} more; type a part of the name above.</p>' if rest > 0 else ""
    table = (
        "<table class='ve-table'><thead><tr><th>Video</th><th>File</th><th>State</th><th>Channels</th>"
        f"<th>Actions</th></tr></thead><tbody>{rows}</tbody></table>{more}"
        if records
        else ""
    )
    bar = "" if site.readonly or not records else CHOSEN
    return f"{_facts(site)}{offers_html(site)}{_failures(site, failed)}{bar}{table}{removed}"


def _removed(site: Site) -> str:
    """What was taken out and can be put back, below the rest."""
    gone = [] if site.readonly else site.bin.all()
    if not gone:
        return ""
    rows = "".join(
        f'<tr><td><div class="ve-name">{e(one.name)}</div></td><td><div class="ve-actions">'
        f"{html.button('Put back', 'undo', video=one.video_id, title=f'Put {one.name} back')}</div></td></tr>"
        for one in gone[:_ROWS]
    )
    return (
        f'<h2 class="ve-less">Removed <span>{len(gone)}</span></h2><p class="ve-why">Kept for a day with captions and '
        f'tags.</p><table class="ve-table ve-removed"><tbody>{rows}</tbody></table>'
    )


def _failures(site: Site, failed: list[Failure]) -> str:
    """Files that did not get in, above the videos: they want something done about them."""
    if not failed:
        return ""
    rows = "".join(_failure_row(site, failure) for failure in failed[:_ROWS])
    return (
        f'<h2 class="ve-less">Not added <span>{len(failed)}</span></h2><table class="ve-table"><thead><tr>'
        f"<th>File and reason</th><th>Failed at</th><th>Actions</th></tr></thead><tbody>{rows}</tbody></table>"
        '<h2 class="ve-less">Videos</h2>'
    )


def _facts(site: Site) -> str:
    info = site.index.info()
    failures = [count(info.failures, "failure")] if info.failures else []
    videos = count(info.videos - len(site.bin.all()), "video")
    length = f"{html.clock(round(info.duration_s))} of video"
    return html.facts(videos, count(info.clips, "clip"), length, count(info.captions, "caption"), *failures)


def _video_row(site: Site, record: VideoRecord, clip_id: str | None) -> str:
    from vidembed.types import Span

    info, name = record.info, name_of(record.info.path)
    picture = (
        html.play_button(site, info, Span(0.0, info.duration_s), clip_id)
        if clip_id and record.state != "gone"
        else '<span class="ve-mini"></span>'
    )
    size = f"{info.width_px}×{info.height_px}" if info.has_video else "sound only"
    facts = f"{html.clock(info.duration_s)} · {size} · {count(record.clips, 'clip')}"
    channels = "".join(_channel_pill(channel, state) for channel, state in record.channels.items())
    why = "".join(f'<div class="ve-why ve-bad">{e(f.stage)}: {e(plain(f))}</div>' for f in record.failures)
    tags = "".join(
        f'<span class="ve-pill">{e(f"{key}={value}" if value else key)}</span>' for key, value in record.tags.items()
    )
    actions = html.button("Open", "open-video", kind="ve-quiet", video=info.video_id, title=f"Open {name}")
    if not site.readonly:
        if record.state == "partial" or record.failures:
            actions += html.button("Try again", "retry", video=info.video_id, title=f"Try {name} again")
        actions += html.button("Remove", "remove", kind="ve-danger ve-quiet", video=info.video_id,
                               title=f"Remove {name}")  # fmt: skip
    return (
        f'<tr><td><div class="ve-picture">{picture}{_tick(info.video_id, name)}</div></td>'
        f'<td><div class="ve-name">{e(name)}</div><div class="ve-why">{e(facts)}</div>{why}'
        f'{tags}</td><td><span class="ve-pill ve-{e(record.state)}">{e(record.state)}</span></td>'
        f'<td><div class="ve-pills">{channels}</div></td>'
        f'<td><div class="ve-actions">{actions}</div></td></tr>'
    )


def _tick(video_id: str, name: str) -> str:
    return (
        f'<label class="ve-pick"><input type="checkbox" data-video="{e(video_id)}" '
        f'aria-label="{e(f"Select {name}")}"></label>'
    )


def _channel_pill(channel: str, state: str) -> str:
    words = _STATE_WORDS.get(state, "{channel}: " + state).format(channel=channel)
    sign = _STATE_SIGNS.get(state, state)
    return (
        f'<span class="ve-pill ve-{e(state)}" title="{e(words)}">{e(channel)} <span aria-hidden="true">{e(sign)}</span>'
        f'<span class="ve-hidden">{e(state)}</span></span>'
    )


def _failure_row(site: Site, failure: Failure) -> str:
    name = name_of(Path(failure.item))
    again = "" if site.readonly else html.button("Try again", "retry", failure=mark(failure), title=f"Try {name} again")
    hint = f" {failure.hint}" if failure.hint else ""
    return (
        f'<tr><td><div class="ve-name">{e(name)}</div><div class="ve-why ve-bad">{e(plain(failure))}{e(hint)}</div>'
        f'</td><td><span class="ve-pill ve-failed">{e(failure.stage)}</span></td>'
        f'<td><div class="ve-actions">{again}</div></td></tr>'
    )


def mark(failure: Failure) -> str:
    """Names a failure without giving its path away."""
    return hashlib.blake2b(f"{failure.item}\0{failure.stage}".encode(), digest_size=8).hexdigest()


def plain(failure: Failure) -> str:
    """The reason without the server's folders."""
    name = name_of(Path(failure.item))
    return failure.message.replace(failure.item, name).replace(shown(failure.item), name)
