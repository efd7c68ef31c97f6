"""Sound and text through CLAP (Wu et al. 2023), any checkpoint of transformers' `clap`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.models.encoders import _torch
from vidembed.models.encoders._torch import Tower, pooled, sound_of, texts_of
from vidembed.types import Floats, Item, Space

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.models.spec import ModelSpec

_MAX_TOKENS = 77  # LAION trained with texts cut there (laion_clap/training/data.py)


class ClapEncoder(Tower):
    """An `Encoder` of sound and text. Made by `load`.

    A sound longer than the model's window (10 s): checkpoints with fusion see the whole, shrunk, and three windows of
    it; others see its middle. The processor's own way takes random windows; here they are fixed, so that the same
    sound always has the same vector.
    """

    def __init__(self, space: Space, model: Any, extractor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, device, frozenset({"text", "audio"}))
        self._extractor, self._tokenizer = extractor, tokenizer
        self._rate_hz = int(extractor.sampling_rate)
        self._limit = round(float(extractor.max_length_s) * self._rate_hz)
        self._fuses = extractor.truncation == "fusion"
        self._max_tokens = min(_MAX_TOKENS, int(tokenizer.model_max_length))

    def _audio(self, items: Sequence[Item]) -> Tensor:
        sounds = [sound_of(item, self._rate_hz) for item in items]
        longer = [self._fuses and len(sound) >= self._limit + int(self._extractor.hop_length) for sound in sounds]
        mels = [self._fused(s) if is_long else self._mel(s) for s, is_long in zip(sounds, longer, strict=True)]
        inputs = {"input_features": torch.from_numpy(np.stack(mels)), "is_longer": torch.tensor(longer)[:, None]}
        return pooled(self._model.get_audio_features(**self._placed(inputs)))

    def _text(self, items: Sequence[Item]) -> Tensor:
        inputs = self._tokenizer(
            texts_of(items), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        return pooled(self._model.get_text_features(**self._placed(inputs)))

    def _mel(self, sound: Floats) -> Floats:
        """(C, frames, mels) of a sound, of its middle when it is too long; short ones are padded as the files say."""
        start = max(0, (len(sound) - self._limit) // 2)
        return self._extract(sound[start : start + self._limit], self._limit)

    def _fused(self, sound: Floats) -> Floats:
        """(4, frames, mels): the whole shrunk to one window, and the middles of its first, second and last third.

        As `ClapFeatureExtractor._random_mel_fusion`, with the middle of each third in place of a random place.
        """
        whole = torch.from_numpy(self._extract(sound, len(sound))[0])
        frames = self._limit // int(self._extractor.hop_length) + 1
        shrunk = torch.nn.functional.interpolate(
            whole[None, None], size=[frames, whole.shape[1]], mode="bilinear", align_corners=False
        )[0, 0]
        starts = np.array_split(np.arange(len(whole) - frames + 1), 3)
        middles = [int(third[len(third) // 2]) if len(third) else 0 for third in starts]
        return torch.stack([shrunk, *(whole[i : i + frames] for i in middles)]).numpy()

    def _extract(self, sound: Floats, length: int) -> Floats:
        features = self._extractor(sound, sampling_rate=self._rate_hz, max_length=length, return_tensors="np")
        return np.asarray(features["input_features"][0], dtype=np.float32)


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> ClapEncoder:
    """Load model, feature extractor and tokenizer from one folder. Raises WeightsMissing, ConfigError."""
    parts = _torch.load_parts(
        spec, "ClapModel", "AutoFeatureExtractor", device=device, dtype=dtype, weights_dir=weights_dir, offline=offline
    )
    space = parts.space(spec, int(parts.model.config.projection_dim))
    return ClapEncoder(space, parts.model, parts.processor, parts.tokenizer, parts.device)
