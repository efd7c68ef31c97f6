"""What is said and written in a video, beside the player: it follows the picture, is searched, and jumps on a click."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from vidembed.index.transcripts import TextKind
from vidembed.types import Span, TimedText
from vidembed.web.html import clock, e

if TYPE_CHECKING:
    from vidembed.web.site import Site

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
