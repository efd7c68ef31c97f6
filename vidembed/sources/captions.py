"""The caption of a clip, so that a text model can search what a captioner saw."""

from __future__ import annotations

from collections.abc import Callable

from vidembed.protocols import ClipMedia
from vidembed.types import Clip, Modality, TextLine, TimedText


class CaptionsSource:
    """caption_of is handed in (the catalog's), so that sources know no catalog; None = no caption yet."""

    modality: Modality = "text"
    needs_frames = False
    short_side_px = 0

    def __init__(self, caption_of: Callable[[str], str | None]) -> None:
        self._caption_of = caption_of

    def item(self, media: ClipMedia) -> TimedText | None:
        return caption_text(media.clip, self._caption_of(media.clip.clip_id))


def caption_text(clip: Clip, caption: str | None) -> TimedText | None:
    """A caption as the text of its clip; None when there is none."""
    return TimedText((TextLine(clip.span, caption.strip()),)) if caption and caption.strip() else None
