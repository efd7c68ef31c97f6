"""Pictures and sound of a clip together, for encoders of whole clips."""

from __future__ import annotations

from vidembed.protocols import ClipMedia
from vidembed.sources.audio import sound_of
from vidembed.types import AudioVisual, Modality


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
