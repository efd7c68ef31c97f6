"""The pictures of a clip.

The sound of a clip.

Pictures and sound of a clip together, for encoders of whole clips.

The caption of a clip, so that a text model can search what a captioner saw.
"""

from __future__ import annotations

from collections.abc import Callable

from vidembed.errors import NoSuchStream
from vidembed.protocols import ClipMedia
from vidembed.types import AudioSamples, AudioVisual, Clip, FrameBatch, Modality, TextLine, TimedText


class FramesSource:
    """The distinct frames of the clip, as decoded for all lanes together."""

    modality: Modality = "image"
    needs_frames = True

    def __init__(self, *, short_side_px: int) -> None:
        self.short_side_px = short_side_px

    def item(self, media: ClipMedia) -> FrameBatch | None:
        return media.frames


def sound_of(media: ClipMedia, *, rate_hz: int, silence_rms: float) -> AudioSamples | None:
    """Mono sound of the clip; None without a track, where the track has ended, or when nothing can be heard."""
    if not media.info.has_audio:
        return None
    try:
        sound = media.video.audio(media.clip.span, rate_hz=rate_hz)
    except NoSuchStream:
        return None
    return None if sound.rms < silence_rms else sound


class AudioSource:
    """Mono sound at the rate the model wants. Silence is absent, not a vector."""

    modality: Modality = "audio"
    needs_frames = False
    short_side_px = 0

    def __init__(self, *, rate_hz: int, silence_rms: float) -> None:
        self.rate_hz = rate_hz
        self.silence_rms = silence_rms

    def item(self, media: ClipMedia) -> AudioSamples | None:
        return sound_of(media, rate_hz=self.rate_hz, silence_rms=self.silence_rms)


class AudioVisualSource:
    """Frames and sound; either may be absent, with neither the clip is absent."""

    modality: Modality = "video"
    needs_frames = True

    def __init__(self, *, short_side_px: int, rate_hz: int, silence_rms: float) -> None:
        self.short_side_px = short_side_px
        self.rate_hz = rate_hz
        self.silence_rms = silence_rms

    def item(self, media: ClipMedia) -> AudioVisual | None:
        sound = sound_of(media, rate_hz=self.rate_hz, silence_rms=self.silence_rms)
        return None if media.frames is None and sound is None else AudioVisual(media.frames, sound)


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
