"""Whose voice it is: vectors of voices by the weights that the package Resemblyzer carries (Apache-2.0).

Only its weights are read: the package itself imports librosa and webrtcvad, which has no wheels and needs a compiler.
The network is that of Wan et al., "Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018): three LSTM
layers over mel frames of 1.6 s.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import missing_dependency
from vidembed.types import Floats
from vidembed.vectors import unit_rows

RATE_HZ = 16_000
_WINDOW, _HOP, _MELS = 400, 160, 40  # samples, samples, bands
_BATCH = 64
_PART, _STEP = 160, 80  # frames of 10 ms: 1.6 s every 0.8 s
_LEVEL = 10 ** (-30 / 20)  # quieter sound is raised to -30 dBFS


class VoiceEncoder:
    """Makes unit vectors of voices; alike for one speaker. Thread-safe."""

    dim = 256

    def encode(self, sounds: Sequence[Floats]) -> Floats:
        """(N, 256) float32 unit vectors of stretches of speech, each of one speaker.

        Args:
            sounds: N >= 1 of (M,) float32 mono samples at 16 kHz, M >= 1.

        Raises:
            MissingDependency: The package resemblyzer is not installed.
        """
        import torch

        network, parts = self._network, [_parts(mel_frames(samples)) for samples in sounds]
        rows = []
        with torch.inference_mode():
            for batch in torch.split(torch.from_numpy(np.concatenate(parts)), _BATCH):  # type: ignore[no-untyped-call]
                _, (hidden, _) = network["lstm"](batch)
                rows.append(torch.relu(network["linear"](hidden[-1])).numpy())
        starts = np.cumsum([0, *(len(one) for one in parts[:-1])])
        return unit_rows(np.add.reduceat(unit_rows(np.concatenate(rows)), starts, axis=0))

    @cached_property
    def _network(self) -> Any:
        import torch

        state = torch.load(_weights(), map_location="cpu", weights_only=True)["model_state"]
        network = torch.nn.ModuleDict(
            {"lstm": torch.nn.LSTM(_MELS, self.dim, 3, batch_first=True), "linear": torch.nn.Linear(self.dim, self.dim)}
        )
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith("similarity")})
        return network.eval()


def _parts(frames: Floats) -> Floats:
    """(P, 160, 40): stretches of 1.6 s every 0.8 s, the last filled up; a rest below half a step is left out."""
    count = max(1, 1 + (len(frames) - _PART + _STEP // 2) // _STEP)
    padded = np.pad(frames, ((0, max(0, (count - 1) * _STEP + _PART - len(frames))), (0, 0)))
    return np.stack([padded[n * _STEP : n * _STEP + _PART] for n in range(count)])


def mel_frames(samples: Floats) -> Floats:
    """(T, 40) float32 mel power of sound at 16 kHz, a frame each 10 ms, as librosa's `melspectrogram` makes it."""
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    if 0 < level < _LEVEL:
        samples = samples * np.float32(_LEVEL / level)
    padded = np.pad(samples, _WINDOW // 2)
    count = 1 + (len(padded) - _WINDOW) // _HOP
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    power = np.abs(np.fft.rfft(windows * hann, axis=1)) ** 2
    return np.asarray(power @ _filters(), dtype=np.float32)


@lru_cache(1)
def _filters() -> NDArray[np.float64]:
    """(201, 40) triangles of equal area on Slaney's mel scale: even up to 1 kHz, then logarithmic."""
    step = np.log(6.4) / 27
    top = 15 + np.log(RATE_HZ / 2 / 1000) / step
    mels = np.linspace(0, top, _MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.linspace(0, RATE_HZ / 2, _WINDOW // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    found: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return found


def _weights() -> Path:
    """The file of weights in the package, which is not imported."""
    found = importlib.util.find_spec("resemblyzer")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        if (Path(folder) / "pretrained.pt").is_file():
            return Path(folder) / "pretrained.pt"
    raise missing_dependency("resemblyzer", extra="speakers", purpose="telling speakers apart")
