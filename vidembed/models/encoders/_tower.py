"""What the encoders of sound and of whole clips share: inputs in the form their processors take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.errors import EncodingError
from vidembed.models.encoders import _torch
from vidembed.types import AudioSamples, AudioVisual, Floats, FrameBatch, Image, Item, Modality, Space, TimedText

if TYPE_CHECKING:
    from torch import Tensor


class Tower:
    """An `Encoder` whose subclasses say how a batch of one modality becomes (N, D) features: `_text`, `_audio`, ..."""

    def __init__(self, space: Space, model: Any, device: torch.device, modalities: frozenset[Modality]) -> None:
        self.space, self.device, self.modalities = space, device, modalities
        self._model = model

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """As `Encoder.encode`."""
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} understands {' and '.join(sorted(self.modalities))}, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        with _torch.running(self.device):
            return _torch.rows(getattr(self, f"_{modality}")(items))

    def _placed(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Tensors on the device; floating ones in the model's dtype."""
        dtype = next(self._model.parameters()).dtype
        return {k: v.to(self.device, dtype if v.is_floating_point() else v.dtype) for k, v in inputs.items()}


def texts_of(items: Sequence[Item]) -> list[str]:
    return [item.text if isinstance(item, TimedText) else str(item) for item in items]


def pooled(output: Any) -> Tensor:
    """The (N, D) features of an output; transformers 5 wraps them."""
    features: Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    return features


def sound_of(item: Item, rate_hz: int) -> Floats:
    """(N,) mono samples at that rate. Raises EncodingError when the item has no sound."""
    sound = item.audio if isinstance(item, AudioVisual) else item
    if not isinstance(sound, AudioSamples):
        raise EncodingError(f"needs sound, got {type(item).__name__} without any")
    return resampled(sound, rate_hz)


def resampled(sound: AudioSamples, rate_hz: int) -> Floats:
    """The samples at another rate, by FFmpeg's resampler; N becomes round(N * rate / old rate), at least 1."""
    if sound.rate_hz == rate_hz:
        return sound.samples
    from av import AudioFrame, AudioResampler

    frame = AudioFrame.from_ndarray(sound.samples[None], format="flt", layout="mono")
    frame.sample_rate = sound.rate_hz
    resampler = AudioResampler(format="flt", layout="mono", rate=rate_hz)
    parts = [part.to_ndarray()[0] for given in (frame, None) for part in resampler.resample(given)]
    wanted = max(1, round(len(sound.samples) * rate_hz / sound.rate_hz))
    joined = np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
    return np.pad(joined, (0, max(0, wanted - len(joined))))[:wanted].astype(np.float32)


def frames_of(item: Item, count: int | None) -> Image:
    """(count, H, W, 3) frames of a clip, evenly spaced in time; a frame is shown until the next, so some may repeat.

    count None: all of them. Raises EncodingError when the item has no picture.
    """
    frames = item.frames if isinstance(item, AudioVisual) else item
    if isinstance(frames, np.ndarray):  # a single picture
        frames = FrameBatch(frames[None], np.zeros(1))
    if not isinstance(frames, FrameBatch):
        raise EncodingError(f"needs pictures, got {type(item).__name__} without any")
    if count is None:
        return frames.rgb
    times_s = np.linspace(frames.times_s[0], frames.times_s[-1], count)
    return frames.rgb[np.searchsorted(frames.times_s, times_s + 1e-9, side="right") - 1]
