"""The toy encoder: colours and tones against words (see `vidembed.models.toy_space`). Needs no weights; for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.models import toy_space
from vidembed.types import AudioSamples, AudioVisual, Floats, Item, Modality, Space, TimedText
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec


class ToyEncoder:
    """Unit rows of the toy space for text, image, audio and video."""

    space = Space("toy", toy_space.DIM)
    modalities: frozenset[Modality] = frozenset({"text", "image", "audio", "video"})

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        if modality not in self.modalities:
            raise ValueError(f"the toy encoder understands {', '.join(sorted(self.modalities))}, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        return unit_rows(np.stack([_vector(modality, item) for item in items]))


def _vector(modality: Modality, item: Item) -> Floats:
    if modality == "text":
        return toy_space.word_counts(item.text if isinstance(item, TimedText) else str(item))
    if modality == "image":
        assert isinstance(item, np.ndarray)
        return toy_space.colour_shares(item)
    if modality == "audio":
        assert isinstance(item, AudioSamples)
        return toy_space.tone_shares(item.samples, item.rate_hz)
    assert isinstance(item, AudioVisual)
    total = np.zeros(toy_space.DIM, dtype=np.float32)
    if item.frames is not None:
        total += toy_space.colour_shares(item.frames.rgb)
    if item.audio is not None:
        total += toy_space.tone_shares(item.audio.samples, item.audio.rate_hz)
    return total


def load(spec: ModelSpec, **_: Any) -> ToyEncoder:
    """The factory of the registry; there is nothing to load, so device, dtype and folders do not matter."""
    return ToyEncoder()
