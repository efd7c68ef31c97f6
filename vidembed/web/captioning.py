"""Captions as the page handles them: edits, subtitles, and captioning videos in the background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.captions.by_hand import by_person
from vidembed.captions.export import caption_record, dump
from vidembed.captions.subtitles import srt, to_cues, vtt
from vidembed.errors import BadQuery, InputError
from vidembed.index.pipeline.run import Progress, ProgressCallback
from vidembed.types import Caption, Failure

if TYPE_CHECKING:
    from vidembed.web.jobs import Job
    from vidembed.web.site import Site


SUBTITLES = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
}


def caption_videos(site: Site, videos: Sequence[str], *, model: str | None, prompt: str | None) -> Job:
    """Caption these videos in the background. Raises InputError when none is named."""
    if site.readonly:
        raise InputError("this page only shows the library: nothing can be changed")
    known = {row.info.video_id for row in site.index.catalog.videos.all()}
    wanted = [video_id for video_id in videos if video_id in known]
    if not wanted:
        raise InputError("choose a video first")
    names = site.index.path_of(wanted[0]).name + (f" and {len(wanted) - 1} more" if len(wanted) > 1 else "")

    def work(report: ProgressCallback) -> str:
        def step(path: str, done: int, total: int) -> None:
            report(Progress(path, "caption" if path else "done", done, total, done_s=done, total_s=total, rate=0.0))

        clips = 0
        failures: list[Failure] = []
        for video in site.index.caption(wanted, model=model or None, prompt=prompt or None, progress=step):
            clips += len(video.captions)
            failures += video.failures
        text = f"{clips} clips have a caption"
        if failures:
            reasons = "; ".join(dict.fromkeys(failure.message for failure in failures[:20]))
            text += f", {len(failures)} failed: {reasons}"
        return text

    return site.jobs.start(f"Captioning {names}", work)


def edit(site: Site, clip_id: str, text: str) -> tuple[Caption, bool]:
    """Save a person's words for a clip, which no model replaces.

    Returns the caption, and whether it is saved already; while something is being indexed it waits.
    Raises InputError for an empty or endless text, BadQuery for an unknown clip.
    """
    if site.readonly:
        raise InputError("this page only shows the library: nothing can be changed")
    clip = site.index.clip(clip_id)
    before = next((c for c in site.index.captions(clip.video_id) if c.clip.clip_id == clip_id), None)
    mine = by_person(clip, text, before)
    return mine, site.edits.save([mine])


def subtitles(site: Site, video_id: str, kind: str) -> tuple[str, str]:
    """(text, file name) of a video's captions. Raises BadQuery when there are none."""
    path = site.index.path_of(video_id)
    captions = site.index.captions(video_id)
    if not captions:
        raise BadQuery("this video has no captions yet")
    if kind == "jsonl":
        shown = Path(site.shown(path))
        text = "".join(dump(caption_record(caption, shown)) + "\n" for caption in captions)
    else:
        uncertain = site.index.config.caption.use_uncertain
        cues = to_cues(one for one in captions if uncertain or one.confident)
        text = srt(cues) if kind == "srt" else vtt(cues)
    return text, f"{path.stem}.{kind}"
