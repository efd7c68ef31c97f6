"""How what a source gives of a clip is split into segments.

They are the frames of a `FrameBatch`, windows of an `AudioSamples`, or the lines of a `TimedText`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidembed.errors import ConfigError
from vidembed.types import AudioSamples, FrameBatch, Item, TimedText

Segments = tuple[list[Item], list[float], list[tuple[float, float]]]  # with their times and spans (see `types.Row`)
SILENCE_RMS = 5e-4  # -66 dBFS: below it there is nothing to hear


@dataclass(frozen=True)
class AudioWindows:
    """How a sound is cut into windows.

    Attributes:
        window_s: Length of a window; None: the whole sound is one.
        hop_s: From one window's start to the next; None: window_s.
        silence_rms: Quieter windows are dropped.
    """

    window_s: float | None = None
    hop_s: float | None = None
    silence_rms: float = SILENCE_RMS

    def __post_init__(self) -> None:
        if self.window_s is not None and not 0 < (self.hop_s or self.window_s) <= self.window_s:
            raise ConfigError(f"need 0 < hop_s <= window_s, got hop_s {self.hop_s} and window_s {self.window_s}")

    def cut(self, sound: AudioSamples) -> Segments:
        """The windows that are not silent, their middles, and what each stands for: at most half-way to its neighbours.

        The last window is moved back to end with the sound, so that all are full. A sound shorter than a window stays
        as it is: encoders pad by their own model's rule.
        """
        total = len(sound.samples)
        size = total if self.window_s is None else max(1, round(self.window_s * sound.rate_hz))
        hop = size if self.hop_s is None else max(1, round(self.hop_s * sound.rate_hz))
        count = 1 + max(0, math.ceil((total - size) / hop))
        windows: list[Item] = []
        times_s: list[float] = []
        own: list[tuple[float, float]] = []
        for i in range(count):
            start = max(0, min(i * hop, total - size))
            start_s = sound.start_s + start / sound.rate_hz
            window = AudioSamples(sound.samples[start : start + size], sound.rate_hz, start_s)
            if window.rms >= self.silence_rms:
                times_s.append(start_s + window.duration_s / 2)
                own.append((start_s, start_s + window.duration_s))
                windows.append(window)
        between = _between([(one + other) / 2 for one, other in pairwise(times_s)]) if times_s else []
        return windows, times_s, [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(own, between, strict=True)]


def segments_of(item: Item | None, windows: AudioWindows, document: str) -> Segments:
    """The segments of one clip; none of an item that has no such parts. document: prompt for lines of text."""
    if isinstance(item, AudioSamples):
        return windows.cut(item)
    if isinstance(item, FrameBatch):
        borders_s = item.borders_s if item.borders_s is not None else (item.times_s[:-1] + item.times_s[1:]) / 2
        return list(item.rgb), item.times_s.tolist(), _between(borders_s.tolist())
    if isinstance(item, TimedText):
        lines = [line for line in item.lines if line.text.strip()]
        texts: list[Item] = [document.format(line.text.strip()) for line in lines]
        spans = [(line.span.start_s, line.span.end_s) for line in lines]
        return texts, [line.span.middle_s for line in lines], spans
    return [], [], []


def _between(borders_s: Sequence[float]) -> list[tuple[float, float]]:
    """What lies before, between and after the borders."""
    return list(pairwise([-math.inf, *borders_s, math.inf]))
