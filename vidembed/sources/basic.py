"""The plain sources: the pictures of a clip, its sound, both together, its caption."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vidembed.errors import NoSuchStream
from vidembed.protocols import ClipMedia
from vidembed.types import AudioSamples, AudioVisual, Clip, FrameBatch, Modality, TextLine, TimedText


class FramesSource:
    """The distinct frames of the clip, as decoded for all channels together; or as many as a video tower takes."""

    modality: Modality = "image"
    needs_frames = True

    def __init__(self, *, short_side_px: int, count: int | None = None) -> None:
        """count: so many frames, evenly spaced from the clip's first to its last; None: those of all channels."""
        self.short_side_px, self._count = short_side_px, count

    def item(self, media: ClipMedia) -> FrameBatch | None:
        if self._count is None or media.frames is None:
            return media.frames
        last_s = max(media.clip.span.start_s, media.clip.span.end_s - 1 / float(media.info.fps))
        times_s = np.linspace(media.clip.span.start_s, last_s, self._count)
        return media.pictures(times_s.tolist(), short_side_px=self.short_side_px)


class AudioSource:
    """Mono sound at the rate the model wants. None without a track, where it has ended, and for silence."""

    modality: Modality = "audio"
    needs_frames = False
    short_side_px = 0

    def __init__(self, *, rate_hz: int, silence_rms: float) -> None:
        self.rate_hz, self.silence_rms = rate_hz, silence_rms

    def item(self, media: ClipMedia) -> AudioSamples | None:
        if not media.info.has_audio:
            return None
        try:
            sound = media.video.audio(media.clip.span, rate_hz=self.rate_hz)
        except NoSuchStream:
            return None
        return None if sound.rms < self.silence_rms else sound


class AudioVisualSource:
    """Frames and sound, for encoders of whole clips. Either may be absent; without both the clip is."""

    modality: Modality = "video"
    needs_frames = True

    def __init__(self, *, short_side_px: int, rate_hz: int, silence_rms: float, count: int | None = None) -> None:
        """count: of frames, as for `FramesSource`."""
        self.short_side_px = short_side_px
        self._frames = FramesSource(short_side_px=short_side_px, count=count)
        self._audio = AudioSource(rate_hz=rate_hz, silence_rms=silence_rms)

    def item(self, media: ClipMedia) -> AudioVisual | None:
        frames, sound = self._frames.item(media), self._audio.item(media)
        return None if frames is None and sound is None else AudioVisual(frames, sound)


class CaptionsSource:
    """The caption of the clip, so that a text model can search what a captioner saw."""

    modality: Modality = "text"
    told = True  # second-hand: searches take no confidence from it where a channel of pictures or sound has its own
    needs_frames = False
    short_side_px = 0

    def __init__(self, caption_of: Callable[[str], str | None]) -> None:
        """caption_of: clip id -> its caption, None = none yet."""
        self._caption_of = caption_of

    def item(self, media: ClipMedia) -> TimedText | None:
        return caption_text(media.clip, self._caption_of(media.clip.clip_id))


def caption_text(clip: Clip, caption: str | None) -> TimedText | None:
    """A caption as the text of its clip; None when there is none."""
    return TimedText((TextLine(clip.span, caption.strip()),)) if caption and caption.strip() else None
