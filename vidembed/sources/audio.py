"""The sound of a clip."""

from __future__ import annotations

from vidembed.errors import NoSuchStream
from vidembed.protocols import ClipMedia
from vidembed.types import AudioSamples, Modality


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
