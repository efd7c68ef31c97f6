"""Captions as the page handles them: edits, subtitles, and captioning videos in the background.

The transcript beside the player: it follows the picture, is searched, and jumps on a click.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vidembed.captions.by_hand import by_person
from vidembed.captions.export import caption_record, dump
from vidembed.captions.subtitles import srt, to_cues, vtt
from vidembed.errors import BadQuery, InputError
from vidembed.index.pipeline.run import Progress, ProgressCallback
from vidembed.index.transcripts import TextKind
from vidembed.media.remote import name_of
from vidembed.types import Caption, Failure, Span, TimedText
from vidembed.web.html import clock, e

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
    site.check_writable()
    known = {row.info.video_id for row in site.index.catalog.videos.all()}
    wanted = [video_id for video_id in videos if video_id in known]
    if not wanted:
        raise InputError("choose a video first")
    names = name_of(site.index.path_of(wanted[0])) + (f" and {len(wanted) - 1} more" if len(wanted) > 1 else "")

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
    site.check_writable()
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
    return text, f"{Path(name_of(path)).stem}.{kind}"


_HEADS = {"speech": "Said", "ocr": "Written"}


def transcript_html(site: Site, video_id: str) -> str:
    """The pane's lists, one a kind of text; "" for a video without words."""
    found = {kind: site.index.transcript(video_id, kind=kind) for kind in get_args(TextKind)}
    there = {kind: text for kind, text in found.items() if text is not None}
    if not there:
        return ""
    tabs = "".join(
        f'<button type="button" class="ve-btn ve-quiet" data-says="{kind}" aria-pressed="{"false" if n else "true"}">'
        f"{_HEADS[kind]}</button>"
        for n, kind in enumerate(there)
    )
    lists = "".join(_list(kind, text, hidden=n > 0) for n, (kind, text) in enumerate(there.items()))
    return (
        f'<div class="ve-says-tools">{tabs if len(there) > 1 else ""}<input type="search" placeholder="Find in these '
        f'words" aria-label="Find in the transcript" autocomplete="off"><span class="ve-why" role="status"></span>'
        f'<button type="button" class="ve-btn ve-quiet" data-copy-text>Copy text</button></div>{lists}'
    )


def _list(kind: str, text: TimedText, *, hidden: bool) -> str:
    origin = text.origin or "recognised"
    lines = [(line.span, _words(line.text)) for line in text.lines]
    lines += [(line.span, f"[{line}]") for line in text.unread]
    shown = "".join(_line(span, words) for span, words in sorted(lines, key=lambda one: one[0]))
    about = f"{text.language}, {origin}" if text.language else origin
    return (
        f'<ol class="ve-says-list" data-kind="{kind}" aria-label="{_HEADS[kind]}"{" hidden" if hidden else ""} '
        f'tabindex="0" title="{e(about)}">{shown}</ol>'
    )


def _words(text: str) -> str:
    return " ".join(text.split())


def _line(span: Span, words: str) -> str:
    start_s, end_s = span.start_s, span.end_s
    return (
        f'<li data-start="{start_s:.3f}" data-end="{end_s:.3f}"><button type="button" data-action="seek" '
        f'data-time="{start_s:.3f}"><time>{e(clock(start_s))}</time><span>{e(words)}</span>'
        "</button></li>"
    )
