"""Cut a video into clips while its frames stream by (`protocols.Segmenter`)."""

from __future__ import annotations

from vidembed.config.schema import SegmentSettings
from vidembed.errors import ConfigError
from vidembed.media.segmenting.kernel import FrameEncoder, KernelSegmenter
from vidembed.media.segmenting.segment import MAX_CLIP_FRAMES, FixedWindows, Shots, WholeVideo
from vidembed.protocols import Segmenter

__all__ = ["FrameEncoder", "make_segmenter"]


def make_segmenter(
    settings: SegmentSettings, *, max_frames: int = MAX_CLIP_FRAMES, encode: FrameEncoder | None = None
) -> Segmenter:
    """Make the segmenter that the settings name.

    Args:
        settings: Which one, and the lengths of its clips.
        max_frames: Of one clip; more are thinned evenly, so that memory is bounded.
        encode: The image encoder that kind "changes" needs.

    Raises:
        ConfigError: Kind "changes" without an encoder.
    """
    if settings.kind == "windows":
        return FixedWindows(settings, max_frames=max_frames)
    if settings.kind == "shots":
        return Shots(settings, max_frames=max_frames)
    if settings.kind == "whole":
        return WholeVideo(max_frames=max_frames)
    if encode is None:
        raise ConfigError(
            "segment.kind: 'changes' needs a channel that encodes frames one by one",
            hint="switch one on, such as vision, or choose shots",
        )
    return KernelSegmenter(encode, settings, max_frames=max_frames)
