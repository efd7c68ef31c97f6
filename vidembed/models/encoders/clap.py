"""Sound and text through CLAP (Wu et al. 2023), any checkpoint of transformers' `clap`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.models.encoders._torch import TransformersTower, pooled, sound_of
from vidembed.types import Floats, Item, Space

if TYPE_CHECKING:
    from torch import Tensor

_MAX_TOKENS = 77  # LAION trained with texts cut there (laion_clap/training/data.py)


class ClapEncoder(TransformersTower):
    """An `Encoder` of sound and text. Made by `load`.

    Of a sound longer than the model's window (10 s), checkpoints with fusion take the whole, shrunk, and three windows;
    others take its middle. The processor itself would take random windows; here they are fixed, so that the same
    sound always has the same vector.
    """

    model_class, processor_class = "ClapModel", "AutoFeatureExtractor"
    understands = frozenset({"text", "audio"})

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, processor, tokenizer, device)
        self._rate_hz = int(processor.sampling_rate)
        self._limit = round(float(processor.max_length_s) * self._rate_hz)
        self._fuses = processor.truncation == "fusion"
        self._max_tokens = min(_MAX_TOKENS, int(tokenizer.model_max_length))

    def _audio(self, items: Sequence[Item]) -> Tensor:
        sounds = [sound_of(item, self._rate_hz) for item in items]
        longer = [self._fuses and len(sound) >= self._limit + int(self._processor.hop_length) for sound in sounds]
        mels = [self._fused(s) if is_long else self._mel(s) for s, is_long in zip(sounds, longer, strict=True)]
        inputs = {"input_features": torch.from_numpy(np.stack(mels)), "is_longer": torch.tensor(longer)[:, None]}
        return pooled(self._model.get_audio_features(**self._placed(inputs)))

    def _mel(self, sound: Floats) -> Floats:
        """(C, frames, mels) of a sound, of its middle when it is too long; short ones are padded as the files say."""
        start = max(0, (len(sound) - self._limit) // 2)
        return self._extract(sound[start : start + self._limit], self._limit)

    def _fused(self, sound: Floats) -> Floats:
        """(4, frames, mels): the whole shrunk to one window, and the middles of its first, second and last third.

        As `ClapFeatureExtractor._random_mel_fusion`, with the middle of each third in place of a random place.
        """
        whole = torch.from_numpy(self._extract(sound, len(sound))[0])
        frames = self._limit // int(self._processor.hop_length) + 1
        shrunk = torch.nn.functional.interpolate(
            whole[None, None], size=[frames, whole.shape[1]], mode="bilinear", align_corners=False
        )[0, 0]
        starts = np.array_split(np.arange(len(whole) - frames + 1), 3)
        middles = [int(third[len(third) // 2]) if len(third) else 0 for third in starts]
        return torch.stack([shrunk, *(whole[i : i + frames] for i in middles)]).numpy()

    def _extract(self, sound: Floats, length: int) -> Floats:
        features = self._processor(sound, sampling_rate=self._rate_hz, max_length=length, return_tensors="np")
        return np.asarray(features["input_features"][0], dtype=np.float32)


load = ClapEncoder.load
