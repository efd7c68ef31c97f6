"""The pictures of a clip."""

from __future__ import annotations

from vidembed.protocols import ClipMedia
from vidembed.types import FrameBatch, Modality


class FramesSource:
    """The distinct frames of the clip, as decoded for all lanes together."""

    modality: Modality = "image"
    needs_frames = True

    def __init__(self, *, short_side_px: int) -> None:
        self.short_side_px = short_side_px

    def item(self, media: ClipMedia) -> FrameBatch | None:
        return media.frames
