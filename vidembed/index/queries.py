"""Opens what a query term names: pictures, sounds, videos as the encoders take them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.config.schema import Config
from vidembed.errors import BadQuery, VidembedError
from vidembed.index.parts import make_distinct, make_limits, open_video
from vidembed.protocols import Frame
from vidembed.types import AudioSamples, AudioVisual, FrameBatch, Image, Item, Span, Term

RATE_HZ = 48_000  # encoders bring sound down to their own rate
SHORT_SIDE_PX = 512
MAX_FRAMES = 64
MAX_SOUND_S = 600.0


class QueryLoader:
    """`search.terms.Load`: a term's value as an item. Raises BadQuery, MediaNotFound, MediaUnreadable."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, term: Term) -> Item:
        if term.modality == "image":
            return self._image(term.value)
        if term.modality == "audio":
            return self._audio(term.value)
        if term.modality == "video":
            return self._video(term.value)
        raise BadQuery(f"a {term.modality} term has nothing to load")

    def _image(self, value: Any) -> Image:
        if isinstance(value, np.ndarray):
            if value.ndim != 3 or value.shape[2] != 3 or value.dtype != np.uint8 or not value.size:
                raise BadQuery(f"a picture must be (H, W, 3) uint8, got {value.shape} {value.dtype}")
            return value
        if hasattr(value, "convert"):  # a PIL picture; not imported to find out
            return np.asarray(value.convert("RGB"), dtype=np.uint8)
        from vidembed.media.images import load_image

        return load_image(_path(value, "image"), limits=make_limits(self._config))

    def _audio(self, value: Any) -> AudioSamples:
        if isinstance(value, AudioSamples):
            return value
        from vidembed.media.reading.reader import load_audio

        return load_audio(_path(value, "audio"), RATE_HZ, limits=make_limits(self._config), max_s=MAX_SOUND_S)

    def _video(self, value: Any) -> AudioVisual:
        if isinstance(value, AudioVisual):
            return value
        path = _path(value, "video")
        with open_video(self._config, path) as video:
            frames = self._frames(video) if video.info.has_video else None
            sound = None
            if video.info.has_audio:
                try:
                    span = Span(0.0, min(video.info.duration_s, MAX_SOUND_S))
                    sound = video.audio(span, rate_hz=RATE_HZ)
                except VidembedError:
                    sound = None  # damaged or late sound: the pictures are still a query
        if frames is None and sound is None:
            raise BadQuery(f"{path.name}: neither pictures nor sound to search with")
        return AudioVisual(frames, sound)

    def _frames(self, video: Any) -> FrameBatch | None:
        """Frames as an index samples them, but at most MAX_FRAMES, spread over the whole video."""
        sample = self._config.sample
        rate_hz = min(sample.rate_hz, MAX_FRAMES / max(video.info.duration_s, 1e-3))
        stream = video.stream(rate_hz=rate_hz, short_side_px=SHORT_SIDE_PX, mode=sample.mode)
        kept: list[Frame] = []
        for frame in make_distinct(self._config)(stream):
            if not frame.repeats and len(kept) < 2 * MAX_FRAMES:
                kept.append(frame)
        if not kept:
            return None
        times_s = np.array([frame.time_s for frame in kept], dtype=np.float64)
        return FrameBatch(np.stack([frame.rgb for frame in kept]), times_s)


def _path(value: Any, what: str) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise BadQuery(f"a {what} term takes a path, got {type(value).__name__}")
    return Path(value).expanduser()
