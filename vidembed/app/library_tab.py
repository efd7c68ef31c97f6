"""The Library tab: adding, progress, the table of videos, failures, removing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.app import html
from vidembed.app.html import e
from vidembed.app.intake import Refusal, discard_upload, files_under_roots, take_uploads
from vidembed.app.jobs import Job
from vidembed.app.parts import html_part
from vidembed.demo import demo_videos
from vidembed.errors import InputError, VidembedError
from vidembed.indexing import ProgressCallback
from vidembed.types import Failure, RunReport

if TYPE_CHECKING:
    from vidembed.app.site import Site
    from vidembed.index import VideoRecord

_ROWS = 100
_TICK_S = 1.0


def library_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open."""
    said = html_part(elem_id="ve-said")
    if not site.readonly:
        with gr.Row(elem_classes="ve-add"):
            with gr.Column(scale=3, min_width=280):
                files = gr.File(
                    label="Upload videos or sounds",
                    file_count="multiple",
                    type="filepath", height=150, elem_id="ve-upload",
                )  # fmt: skip
            with gr.Column(scale=2, min_width=280):
                folder = gr.Textbox(
                    label="Folder or file on the server", placeholder=_roots_text(site), lines=1, elem_id="ve-folder",
                    interactive=bool(site.settings.roots),
                )  # fmt: skip
                with gr.Row():
                    add = gr.Button("Add folder", interactive=bool(site.settings.roots), elem_id="ve-add-folder")
                    demo = gr.Button("Add the demo library", elem_id="ve-add-demo")
    jobs = html_part(jobs_html(site), elem_id="ve-jobs")
    wanted = gr.Textbox(label="Show only files with", placeholder="part of the name", lines=1, elem_id="ve-filter")
    table = html_part(table_html(site, ""), elem_id="ve-table")
    seen = gr.State(_state_key(site))
    timer = gr.Timer(_TICK_S, active=False)  # ticks only while something runs
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    def refresh(name: str) -> list[Any]:
        return [jobs_html(site), table_html(site, name), _state_key(site), gr.Timer(active=site.jobs.busy)]

    def tick(name: str, key: str) -> list[Any]:
        now = _state_key(site)
        if now == key:
            return [gr.skip(), gr.skip(), gr.skip(), gr.Timer(active=site.jobs.busy)]
        videos = key.partition("|")[0] != now.partition("|")[0]
        drawn = table_html(site, name) if videos else gr.skip()
        return [jobs_html(site), drawn, now, gr.Timer(active=site.jobs.busy)]

    timer.tick(tick, [wanted, seen], [jobs, table, seen, timer], queue=False, **quiet)
    tab.select(refresh, wanted, [jobs, table, seen, timer], **quiet)
    wanted.change(lambda name: table_html(site, name), wanted, table, **quiet)

    def acting(action: str, data: dict[str, Any]) -> str:
        try:
            return act(site, action, data)
        except VidembedError as error:
            return html.error_box(error)

    def clicked(name: str, event: gr.EventData) -> list[Any]:
        return [acting(str(event._data.get("action", "")), dict(event._data)), *refresh(name)]

    views = [said, jobs, table, seen, timer]
    gr.on([jobs.select, table.select], clicked, wanted, views, **quiet)
    if site.readonly:
        return

    def uploaded(given: list[str] | None, name: str) -> list[Any]:
        try:
            text = add_uploads(site, given or [])
        except VidembedError as error:
            text = html.error_box(error)
        return [None, text, *refresh(name)]

    files.upload(uploaded, [files, wanted], [files, *views], **(quiet | {"show_progress": "minimal"}))
    gr.on([add.click, folder.submit], lambda path, name: [acting("folder", {"folder": path}), *refresh(name)],
          [folder, wanted], views, **quiet)  # fmt: skip
    demo.click(lambda name: [acting("demo", {}), *refresh(name)], wanted, views, **quiet)


def act(site: Site, action: str, data: dict[str, Any]) -> str:
    """Do what a button says; HTML of what to tell. The client names videos by id and failures by their mark."""
    if action == "cancel":
        site.jobs.cancel()
        return html.notice("info", "Stopping at the next step")
    if site.readonly:
        raise InputError("this page only shows the library: nothing can be changed")
    if action == "demo":
        add_files(site, demo_videos(), "the demo library")
        return ""
    if action == "folder":
        folder = str(data.get("folder", ""))
        found = files_under_roots(site, folder)
        add_files(site, found, f"{len(found)} file{'s' * (len(found) != 1)} of {Path(folder.strip()).name or folder}")
        return ""
    if action == "remove":
        return _remove(site, str(data.get("video", "")))
    if action == "retry":
        return _retry(site, str(data.get("video", "")), str(data.get("failure", "")))
    raise InputError(f"unknown action {action!r}")


def add_files(site: Site, paths: Sequence[Path], title: str) -> Job:
    """Index these files in the background. An upload that then cannot be indexed is thrown away again."""

    def work(report: ProgressCallback) -> str:
        run = site.index.add(paths, progress=report)
        failed = {Path(failure.item) for failure in run.failed}
        known = {row.path for row in site.index.catalog.videos.paths().values()}
        lost = [path for path in failed if path.is_relative_to(site.uploads) and path.as_posix() not in known]
        if lost:
            site.index.remove(lost)
            discard_upload(site, lost)
        return _report(run)

    return site.jobs.start(f"Adding {title}", work)


def add_uploads(site: Site, files: Sequence[str]) -> str:
    """Take uploaded files and index the good ones; HTML that names the refused ones with the reason."""
    taken, refused = take_uploads(site, files)
    if taken:
        add_files(site, taken, f"{len(taken)} uploaded file{'s' * (len(taken) != 1)}")
    return _refused_html(refused)


def _refused_html(refused: Sequence[Refusal]) -> str:
    if not refused:
        return ""
    return "".join(html.notice("error", f"Not taken: {one.name}", one.reason) for one in refused)


def _report(run: RunReport) -> str:
    text = f"{len(run.done)} added, {len(run.unchanged)} already there"
    if run.failed:
        reasons = "; ".join(f"{Path(f.item).name}: {_plain(f)}" for f in run.failed[:5])
        text += f", {len(run.failed)} failed: {reasons}"
    return text


def _plain(failure: Failure) -> str:
    """The reason without the server's folders."""
    return failure.message.replace(failure.item, Path(failure.item).name)


def _remove(site: Site, video_id: str) -> str:
    record = next((r for r in site.index.videos() if r.info.video_id == video_id), None)
    if record is None:
        raise InputError("this video is not in the library any more")
    site.index.remove(video_id)
    discard_upload(site, record.paths)
    return html.notice("good", f"Removed {record.info.path.name}", "The file itself stays where it is."
                       if not any(p.is_relative_to(site.uploads) for p in record.paths) else "")  # fmt: skip


def _retry(site: Site, video_id: str, mark: str) -> str:
    if mark:
        paths = [Path(f.item) for f in site.index.failures() if _mark(f) == mark]
    else:
        paths = [path for r in site.index.videos() if r.info.video_id == video_id for path in r.paths]
    if not paths:
        raise InputError("there is nothing to try again")
    add_files(site, paths, f"{paths[0].name} again")
    return ""


def _mark(failure: Failure) -> str:
    """Names a failure without giving its path away."""
    return hashlib.blake2b(f"{failure.item}\0{failure.stage}".encode(), digest_size=8).hexdigest()


# -- what is shown ---------------------------------------------------------------------------------------------------


def _state_key(site: Site) -> str:
    """Changes whenever the tables have to be drawn again: "videos|jobs"."""
    videos, clips, _ = site.index.catalog.videos.totals()
    ended = sum(job.ended for job in site.jobs.all())
    jobs = [(job.title, job.state, job.progress) for job in site.jobs.all()]
    return f"{videos}/{clips}/{ended}/{len(site.index.failures())}|{hash(repr(jobs))}"


def jobs_html(site: Site) -> str:
    """What runs, what waits, how the last ones ended."""
    parts = []
    for job in site.jobs.all():
        if job.state == "running":
            parts.append(_running(job))
        elif job.state == "waiting":
            parts.append(f'<div class="ve-job">{e(job.title)} <span class="ve-pill">waiting</span></div>')
    ended = [job for job in site.jobs.all() if job.ended]
    if ended:
        last = ended[-1]
        kind = {"done": "good", "failed": "error", "cancelled": "warn"}[last.state]
        parts.append(html.notice(kind, f"{last.title}: {last.state}", last.message))
    return "".join(parts)


def _running(job: Job) -> str:
    now = job.progress
    if now is None:
        state, share = "getting ready: models are loaded on first use", 0.0
    else:
        share = min(1.0, now.done_s / now.total_s) if now.total_s > 0 else 0.0
        left = job.left_s
        state = f"{now.done_items} of {now.total_items} files"
        if now.rate > 0:
            state += f", {now.rate:.1f}× real time"
        if left is not None:
            state += f", about {html.clock(round(left))} left"
        if now.item:
            state += f" · {Path(now.item).name}"
    return (
        f'<div class="ve-job"><strong>{e(job.title)}</strong>'
        f'<div class="ve-progress" role="progressbar" aria-label="{e(job.title)}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{round(100 * share)}"><div style="width:{share:.1%}"></div></div>'
        f"<span>{e(state)}</span> {html.button('Cancel', 'cancel', title=f'Cancel: {job.title}')}</div>"
    )


def table_html(site: Site, wanted: str) -> str:
    """Videos first, then files that are no videos of the library because they failed."""
    records = [r for r in site.index.videos() if wanted.strip().casefold() in r.info.path.name.casefold()]
    inside = {failure for record in records for failure in record.failures}
    failed = [f for f in site.index.failures() if f not in inside and wanted.casefold() in Path(f.item).name.casefold()]
    if not records and not failed:
        if wanted.strip():
            return html.empty("No such file", "No file of the library has this in its name.")
        start = "" if site.readonly else html.button("Add the demo library", "demo", kind="ve-primary")
        text = "Upload videos, add a folder, or begin with a handful of real videos that come along."
        return html.empty("Nothing in the library yet", text) + f'<p style="text-align:center">{start}</p>'
    first = _first_clips(site, records[:_ROWS])
    rows = "".join(_video_row(site, record, first.get(record.info.video_id)) for record in records[:_ROWS])
    rows += "".join(_failure_row(site, failure) for failure in failed[:_ROWS])
    rest = len(records) - _ROWS
    more = f'<p class="ve-why">{rest} more; type a part of the name above.</p>' if rest > 0 else ""
    return (
        f"{_facts(site)}<table class='ve-table'><thead><tr><th>Video</th><th>File</th><th>State</th><th>Lanes</th>"
        f"<th>Actions</th></tr></thead><tbody>{rows}</tbody></table>{more}"
    )


def _facts(site: Site) -> str:
    info = site.index.info()
    facts = ((info.videos, "videos"), (info.clips, "clips"), (html.clock(round(info.duration_s)), "of video"),
             (info.captions, "captions"), (info.failures, "failures"))  # fmt: skip
    return f'<div class="ve-facts">{"".join(f"<div><b>{e(v)}</b><span>{e(k)}</span></div>" for v, k in facts)}</div>'


def _first_clips(site: Site, records: Iterable[VideoRecord]) -> dict[str, str]:
    found = {}
    for record in records:
        clips = site.index.clips(record.info.video_id)
        if clips:
            found[record.info.video_id] = clips[len(clips) // 2].clip_id
    return found


def _video_row(site: Site, record: VideoRecord, clip_id: str | None) -> str:
    info, name = record.info, record.info.path.name
    picture = html.thumb(site, clip_id) if clip_id else '<span class="ve-mini"></span>'
    size = f"{info.width_px}×{info.height_px}" if info.has_video else "sound only"
    facts = f"{html.clock(info.duration_s)} · {size} · {record.clips} clips"
    lanes = "".join(f'<span class="ve-pill ve-{e(s)}" title="{e(n)}: {e(s)}">{e(n)}: {e(s)}</span>'
                    for n, s in record.channels.items())  # fmt: skip
    why = "".join(f'<div class="ve-why">{e(f.stage)}: {e(_plain(f))}</div>' for f in record.failures)
    actions = ""
    if not site.readonly:
        if record.state == "partial" or record.failures:
            actions += html.button("Try again", "retry", video=info.video_id, title=f"Try {name} again")
        actions += html.button("Remove", "remove", kind="ve-danger", video=info.video_id, title=f"Remove {name}",
                               confirm=f"Take {name} out of the library?")  # fmt: skip
    return (
        f'<tr><td>{picture}</td><td><div class="ve-name">{e(name)}</div><div class="ve-why">{e(facts)}</div>{why}</td>'
        f'<td><span class="ve-pill ve-{e(record.state)}">{e(record.state)}</span></td>'
        f'<td><div class="ve-pills">{lanes}</div></td>'
        f'<td><div class="ve-actions">{actions}</div></td></tr>'
    )


def _failure_row(site: Site, failure: Failure) -> str:
    name = Path(failure.item).name
    again = (
        "" if site.readonly else html.button("Try again", "retry", failure=_mark(failure), title=f"Try {name} again")
    )
    hint = f" {failure.hint}" if failure.hint else ""
    return (
        f'<tr><td><span class="ve-mini"></span></td><td><div class="ve-name">{e(name)}</div>'
        f'<div class="ve-why">{e(_plain(failure))}{e(hint)}</div></td>'
        '<td><span class="ve-pill ve-failed">failed</span></td>'
        f'<td class="ve-why">{e(failure.stage)}</td><td><div class="ve-actions">{again}</div></td></tr>'
    )


def _roots_text(site: Site) -> str:
    roots = ", ".join(map(str, site.settings.roots))
    return f"under {roots}" if roots else "start with --root FOLDER to allow this"
