"""The Library tab: adding, progress, the table of videos, failures, removing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.demo import demo_channels, demo_videos
from vidembed.errors import InputError, VidembedError
from vidembed.index.pipeline.run import ProgressCallback
from vidembed.media.remote import name_of
from vidembed.types import RunReport
from vidembed.web import html
from vidembed.web.captioning import caption_videos
from vidembed.web.changes import switch_on, tag_videos, untag_video
from vidembed.web.html import html_part
from vidembed.web.intake import files_under_roots, take_uploads
from vidembed.web.jobs import Job, discard_uploads
from vidembed.web.labelling import labelling_part
from vidembed.web.library_view import ORDERS, jobs_html, mark, plain, table_html, upload_html

if TYPE_CHECKING:
    from vidembed.web.site import Site

_TICK_S = 1.0


def library_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open."""
    said = html_part(elem_id="ve-said")
    if not site.readonly:
        with gr.Row(elem_classes="ve-add"):
            with gr.Column(scale=3, min_width=280):
                uploads = html_part(upload_html(site), elem_id="ve-upload")
            if site.settings.roots:
                with gr.Column(scale=2, min_width=280, elem_classes="ve-from-folder"):
                    folder = gr.Textbox(
                        label="Or a folder or file of this server", placeholder=_roots_text(site), lines=1,
                        elem_id="ve-folder",
                    )  # fmt: skip
                    add = gr.Button("Add folder", elem_id="ve-add-folder")
    jobs = html_part(elem_id="ve-jobs")
    with gr.Row(elem_classes="ve-tools"):
        wanted = gr.Textbox(label="Show only files with", placeholder="Filter by name", lines=1, elem_id="ve-filter",
                            show_label=False, container=False)  # fmt: skip
        orders = [(f"Order: {name.lower()}", name) for name in ORDERS]
        order = gr.Dropdown(orders, value="Name", label="Sort by", show_label=False, container=False,
                            elem_id="ve-order")  # fmt: skip
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            labelled = None if site.readonly else labelling_part(site)
            table = html_part(html.wait("Reading the library…"), elem_id="ve-table")
    seen = gr.State(_state_key(site))
    timer = gr.Timer(_TICK_S, active=False)  # ticks only while something runs
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    def refresh(name: str, by: str) -> list[Any]:
        return [jobs_html(site), table_html(site, name, by), _state_key(site), gr.Timer(active=site.jobs.busy)]

    def tick(name: str, by: str, key: str) -> list[Any]:
        now = _state_key(site)
        if now == key:
            return [gr.skip(), gr.skip(), gr.skip(), gr.Timer(active=site.jobs.busy)]
        videos = key.partition("|")[0] != now.partition("|")[0]
        drawn = table_html(site, name, by) if videos else gr.skip()
        return [jobs_html(site), drawn, now, gr.Timer(active=site.jobs.busy)]

    timer.tick(tick, [wanted, order, seen], [jobs, table, seen, timer], queue=False, **quiet)
    tab.select(refresh, [wanted, order], [jobs, table, seen, timer], **quiet)
    gr.on([wanted.change, order.input], lambda name, by: table_html(site, name, by), [wanted, order], table, **quiet)

    def acting(action: str, data: dict[str, Any]) -> str:
        try:
            return act(site, action, data)
        except VidembedError as error:
            return html.error_box(error)

    def clicked(name: str, by: str, event: gr.EventData) -> list[Any]:
        action = str(event._data.get("action", ""))
        # A library that changed is drawn again; what was said last stays, with its Undo.
        said = gr.skip() if action == "refresh" else acting(action, dict(event._data))
        return [said, *refresh(name, by)]

    views = [said, jobs, table, seen, timer]
    # By default gradio drops a click while another of the same listener is being answered.
    gr.on([said.select, jobs.select, table.select], clicked, [wanted, order], views, trigger_mode="multiple", **quiet)
    if labelled is None:
        return
    labelled.then(refresh, [wanted, order], [jobs, table, seen, timer], **quiet)

    def from_folder(path: str, name: str, by: str) -> list[Any]:
        said = acting("folder", {"folder": path})
        return ["" if not said else gr.skip(), said, *refresh(name, by)]

    uploads.select(clicked, [wanted, order], views, trigger_mode="multiple", **quiet)
    if site.settings.roots:
        gr.on([add.click, folder.submit], from_folder, [folder, wanted, order], [folder, *views], **quiet)


def act(site: Site, action: str, data: dict[str, Any]) -> str:
    """Do what a button says; HTML of what to tell. The client names videos by id and failures by their mark."""
    if action == "cancel":
        site.jobs.cancel(str(data.get("job", "")))
        return ""
    if action == "forget":
        site.jobs.forget(str(data.get("job", "")))
        return ""
    site.check_writable()
    if action == "demo":
        add_files(site, demo_videos(), "the demo library", channels=demo_channels(site.index.config.channels))
        return ""
    if action == "folder":
        folder = str(data.get("folder", ""))
        found = files_under_roots(site, folder)
        add_files(site, found, f"{len(found)} file{'s' * (len(found) != 1)} of {Path(folder.strip()).name or folder}")
        return ""
    if action == "arrived":
        return _arrived(site, str(data.get("files", "")))
    if action == "remove":
        return _remove(site, str(data.get("video", "")))
    if action == "undo":
        site.bin.put_back(str(data.get("video", "")))
        return ""
    if action in ("remove-chosen", "caption-chosen", "tag-chosen"):
        return _chosen(site, action, [one for one in str(data.get("videos", "")).split(",") if one], data)
    if action == "tag":
        return tag_videos(site, [str(data.get("video", ""))], str(data.get("text", "")))
    if action == "untag":
        return untag_video(site, str(data.get("video", "")), str(data.get("tag", "")))
    if action == "channel":
        channels, title = switch_on(site, str(data.get("channel", "")))
        add_files(
            site, [path for record in site.videos() for path in record.paths], "", channels=channels, all_of=title
        )
        return ""
    if action == "retry":
        return _retry(site, str(data.get("video", "")), str(data.get("failure", "")))
    raise InputError(f"unknown action {action!r}")


def _chosen(site: Site, action: str, videos: Sequence[str], data: dict[str, Any]) -> str:
    """Do something with the ticked videos."""
    if not videos:
        raise InputError("tick some videos first")
    if action == "tag-chosen":
        return tag_videos(site, videos, str(data.get("text", "")))
    if action == "caption-chosen":
        caption_videos(site, videos, model=None, prompt=None)
        return ""
    return "".join(_remove(site, video_id) for video_id in videos)


def add_files(
    site: Site, paths: Sequence[Path], title: str, *, channels: Sequence[str] | None = None, all_of: str = ""
) -> Job:
    """Index these files in the background. An upload that then cannot be indexed is thrown away again.

    all_of: the whole title, where it is not "Adding" these files.
    """

    def work(report: ProgressCallback) -> str:
        run = site.index.add(paths, channels=channels or None, prefetch=0, progress=report)
        failed = {Path(failure.item) for failure in run.failed}
        known = {row.path for row in site.index.catalog.videos.paths().values()}
        lost = [path for path in failed if path.is_relative_to(site.uploads) and path.as_posix() not in known]
        if lost:
            site.index.remove(lost)
            discard_uploads(site.uploads, lost)
        return _report(run)

    return site.jobs.start(all_of or f"Adding {title}", work)


def add_uploads(site: Site, files: Sequence[str]) -> str:
    """Take uploaded files and index the good ones; HTML that names the others with the reason."""
    taken, refused = take_uploads(site, files)
    if taken:
        add_files(site, taken, f"{len(taken)} uploaded file{'s' * (len(taken) != 1)}")
    return "".join(
        html.notice("info", f"Already in the library: {one.name}", one.reason)
        if one.known
        else html.notice("error", f"Not taken: {one.name}", one.reason)
        for one in refused
    )


def _arrived(site: Site, files: str) -> str:
    """Take uploads that are whole. files: JSON, id and name of each."""
    try:
        named = [(str(one["id"]), str(one["name"])) for one in json.loads(files)]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError("no such upload") from error
    try:
        return add_uploads(site, [str(site.arrivals.taken(arrival, name)) for arrival, name in named])
    finally:
        for arrival, _ in named:
            site.arrivals.drop(arrival)


def _report(run: RunReport) -> str:
    """How it ended, without the noughts."""
    parts = [f"{len(run.done)} added"] if run.done or not (run.unchanged or run.failed) else []
    parts += [f"{len(run.unchanged)} already there"] if run.unchanged else []
    if run.failed:
        reasons = "; ".join(f"{name_of(Path(f.item))}: {plain(f)}" for f in run.failed[:5])
        parts.append(f"{len(run.failed)} failed: {reasons}")
    return ", ".join(parts)


def _remove(site: Site, video_id: str) -> str:
    record = next((r for r in site.videos() if r.info.video_id == video_id), None)
    if record is None:
        raise InputError("this video is not in the library any more")
    gone = site.bin.remove(record)
    own = any(path.is_relative_to(site.uploads) for path in record.paths)
    later = " It goes when the running work is done." if site.jobs.busy else ""
    text = ("The upload is kept for a day." if own else "The file itself stays where it is.") + later
    undo = html.button("Undo", "undo", video=video_id, title=f"Put {gone.name} back")
    return html.notice("good", f"Removed {gone.name}", text, buttons=undo)


def _retry(site: Site, video_id: str, failure: str) -> str:
    if failure:
        paths = [Path(f.item) for f in site.index.failures() if mark(f) == failure]
    else:
        paths = [path for r in site.videos() if r.info.video_id == video_id for path in r.paths]
    if not paths:
        raise InputError("there is nothing to try again")
    add_files(site, paths, f"{name_of(paths[0])} again")
    return ""


def _state_key(site: Site) -> str:
    """Changes whenever the tables have to be drawn again: "videos|jobs"."""
    videos, clips, _ = site.index.catalog.videos.totals()
    ended = sum(job.ended for job in site.jobs.all())
    jobs = [(job.title, job.state, job.progress) for job in site.jobs.all()]
    gone = len(site.index.catalog.videos.gone())
    return f"{videos}/{clips}/{gone}/{ended}/{len(site.index.failures())}|{hash(repr(jobs))}"


def _roots_text(site: Site) -> str:
    return f"under {', '.join(map(str, site.settings.roots))}"
