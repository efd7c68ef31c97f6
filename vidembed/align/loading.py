"""Opens the media of align pairs: a picture, a sound, or the frames and sound of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidembed.config.schema import Config
from vidembed.errors import NoSuchStream
from vidembed.index.parts import make_limits, open_video
from vidembed.types import AudioSamples, AudioVisual, FrameBatch, Item, Span

if TYPE_CHECKING:
    from vidembed.align import Pair

RATE_HZ = 48_000  # encoders resample to their own
FRAMES, SIDE_PX = 8, 256


class PairLoader:
    """`align`'s media loader. Raises MediaNotFound, MediaUnreadable, BadQuery, NoSuchStream for the pair in hand."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, pair: Pair) -> Item:
        if pair.modality == "image":
            from vidembed.media.images import load_image

            return load_image(pair.path, limits=make_limits(self._config))
        with open_video(self._config, pair.path) as video:
            span = pair.span or Span(0.0, max(video.info.duration_s, 0.001))
            if pair.modality == "audio":
                return video.audio(span, rate_hz=RATE_HZ)
            sound: AudioSamples | None = None
            frames: FrameBatch | None = None
            if video.info.has_audio:
                try:
                    sound = video.audio(span, rate_hz=RATE_HZ)
                except NoSuchStream:
                    sound = None  # the track is elsewhere in the file
            if video.info.has_video:
                step_s = span.duration_s / FRAMES
                frames = video.frames([span.start_s + (i + 0.5) * step_s for i in range(FRAMES)], short_side_px=SIDE_PX)
            return AudioVisual(frames, sound)
