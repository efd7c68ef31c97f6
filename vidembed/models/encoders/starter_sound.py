"""The sound tower of the starter model: log-mel windows, a small convolutional network, a head into the shared space.

A sound is cut into windows of 2 s, one each second; every window becomes a unit vector, and a sound's vector is the
unit vector of their mean, windows far quieter than the loudest left out. Trained by this project
(training/train_sound.py); which sounds it knows is in the model card beside the weights. Silence is the caller's
business: a silent sound has no meaning, but still gets a vector.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import EncodingError, WeightsMissing
from vidembed.models.arrays import floats, gelu, mapped
from vidembed.models.encoders._engines import Engine, Ops, engine
from vidembed.types import AudioSamples, Floats
from vidembed.vectors import unit_rows

RATE_HZ = 16_000
WINDOW_S, HOP_S = 2.0, 1.0
BANDS, LOW_HZ, HIGH_HZ = 64, 60.0, 7800.0
FEATURES = 512
_FFT, _FRAME, _STEP = 512, 400, 160  # 25 ms frames each 10 ms, as in YAMNet and VGGish
_LEVEL, _FLOOR = 0.1, 0.002  # windows are brought to -20 dBFS; what is below -54 dBFS is not raised further
_QUIET = 10 ** (-30 / 20)
_BN_EPS = np.float32(1e-5)
CHANNELS = ((24, 2), (32, 2), (64, 1), (96, 2), (128, 1), (192, 2), (256, 1))  # output channels, stride
_WINDOW, _HOP = int(WINDOW_S * RATE_HZ), int(HOP_S * RATE_HZ)
_BATCH = 16  # windows in one pass: log-mel and activations of 16 x 2 s are about 25 MB


def mel_filters() -> NDArray[np.float32]:
    """(257, 64) triangles, evenly spaced on the HTK mel scale: mel = 1127 ln(1 + f / 700)."""
    edges_mel = np.linspace(1127 * np.log1p(LOW_HZ / 700), 1127 * np.log1p(HIGH_HZ / 700), BANDS + 2)
    bins_mel = 1127 * np.log1p(np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT / 700)[:, None]
    rise = (bins_mel - edges_mel[:-2]) / (edges_mel[1:-1] - edges_mel[:-2])
    fall = (edges_mel[2:] - bins_mel) / (edges_mel[2:] - edges_mel[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def log_mel(samples: Floats) -> Floats:
    """(B, N) samples at 16 kHz -> (B, 1, 64, N / 160) log-mel energies, level-normalised per row."""
    filters, taper = _filters()
    rms = np.sqrt(np.square(samples).mean(1, keepdims=True))
    samples = np.pad(samples * (_LEVEL / np.maximum(rms, _FLOOR)), ((0, 0), (_FRAME - _STEP, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME, axis=1)[:, ::_STEP] * taper
    spectrum = np.fft.rfft(frames, n=_FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(power @ filters + np.float32(1e-3)).swapaxes(1, 2)[:, None] / np.float32(4), np.float32)


@cache
def _filters() -> tuple[Floats, Floats]:
    """`mel_filters`, and the Hann window (periodic) of a frame."""
    return mel_filters(), np.hanning(_FRAME + 1)[:-1].astype(np.float32)


class SoundTower:
    """Sounds -> unit vectors of the starter space. Deterministic; does not depend on what else is in the batch.

    Log-mel, seven 3x3 convolutions (batch norms folded in), mean over bands, max + mean over time as in PANNs (Kong et
    al. 2020, arXiv:1912.10211), and a head: a linear map plus one hidden layer beside it.
    """

    def __init__(self, weights: Mapping[str, Floats], *, device: str = "cpu", dtype: str = "float32") -> None:
        """weights: conv.I, out, straight, up, down, each .weight and .bias. Raises KeyError, ValueError."""
        self._weights = weights
        for name, shape in _shapes(weights).items():
            if weights[name].shape != shape:
                raise ValueError(f"{name} is {weights[name].shape}, expected {shape}")
        self._device, self._dtype = device, dtype
        self._lock = threading.Lock()
        self.dim = len(weights["straight.bias"])

    def encode(self, sounds: Sequence[AudioSamples]) -> Floats:
        """(N, D) float32 unit rows, row i of sound i; any rate and length, shorter than a window is padded."""
        if not sounds:
            return np.zeros((0, self.dim), np.float32)
        cut = [audible(windows(at_rate(sound))) for sound in sounds]
        rows = self._rows(np.concatenate(cut))
        ends = np.cumsum([len(c) for c in cut])
        return unit_rows(np.stack([part.mean(axis=0) for part in np.split(rows, ends[:-1])]))

    def _rows(self, stacked: NDArray[np.float32]) -> Floats:
        """(W, 32000) windows -> (W, D) unit rows."""
        with self._lock:
            run = self._engine
        parts = []
        for start in range(0, len(stacked), _BATCH):
            # One window's spectra fit into a core's cache: half the time of all at once, and the same values.
            seen = [log_mel(stacked[i : i + 1]) for i in range(start, min(start + _BATCH, len(stacked)))]
            parts.append(self._placed(run(np.concatenate(seen))[0]))
        return unit_rows(np.concatenate(parts))

    def _placed(self, maps: Floats) -> Floats:
        """The maps' features through the head, not normalised."""
        bands = maps.mean(2)
        features = np.maximum(self._layer("out", bands.max(2) + bands.mean(2)), 0)
        return self._layer("straight", features) + self._layer("down", gelu(self._layer("up", features)))

    def _layer(self, name: str, x: Floats) -> Floats:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    @cached_property
    def _engine(self) -> Engine:
        return engine(self._maps, (1, BANDS, _WINDOW // _STEP), device=self._device, dtype=self._dtype)

    def _maps(self, ops: Ops, x: Any) -> list[Any]:
        for i, (_, stride) in enumerate(CHANNELS):
            x = ops.relu(
                ops.conv(
                    x, self._weights[f"conv.{i}.weight"], self._weights[f"conv.{i}.bias"], stride=stride, pads=(1, 1)
                )
            )
        return [x]


def _shapes(weights: Mapping[str, Floats]) -> dict[str, tuple[int, ...]]:
    dim, hidden = len(weights["straight.bias"]), len(weights["up.bias"])
    sides = [1, *(channels for channels, _ in CHANNELS)]
    convolutions = {f"conv.{i}": (sides[i + 1], sides[i], 3, 3) for i in range(len(CHANNELS))}
    layers = {
        "out": (FEATURES, sides[-1]),
        "straight": (dim, FEATURES),
        "up": (hidden, FEATURES),
        "down": (dim, hidden),
    }
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in (convolutions | layers).items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found


def windows(samples: Floats) -> NDArray[np.float32]:
    """(W, 32000) windows of 2 s, one each second, the last flush with the end; a short sound is padded with zeros."""
    if len(samples) <= _WINDOW:
        return np.pad(samples, (0, _WINDOW - len(samples)))[None]
    return np.stack([samples[start : start + _WINDOW] for start in _starts(len(samples))])


def audible(cut: NDArray[np.float32]) -> NDArray[np.float32]:
    """The windows at most 30 dB below the loudest one, which is always there: pauses between barks mean nothing."""
    rms = np.sqrt(np.mean(np.square(cut, dtype=np.float64), axis=1))
    return cut[rms >= rms.max() * _QUIET]


def _starts(count: int) -> Iterator[int]:
    yield from range(0, count - _WINDOW, _HOP)
    yield count - _WINDOW


def at_rate(sound: AudioSamples) -> Floats:
    """(N,) the sound at 16 kHz, resampled by FFmpeg where it has another rate."""
    if sound.rate_hz == RATE_HZ:
        return sound.samples
    import av

    source = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.samples)[None], format="flt", layout="mono")
    source.sample_rate = sound.rate_hz
    try:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        parts = [out.to_ndarray()[0] for frame in (source, None) for out in resampler.resample(frame)]
    except (av.FFmpegError, ValueError) as error:
        raise EncodingError(f"cannot resample a sound of {sound.rate_hz} Hz to {RATE_HZ} Hz: {error}") from error
    out = np.concatenate(parts) if parts else np.zeros(1, np.float32)
    return np.clip(out, -1, 1).astype(np.float32)


def load(path: Path, *, device: str = "cpu", dtype: str = "float32") -> SoundTower:
    """The tower from a safetensors file with keys net.* and head.*; float16 there, float32 here.

    Raises WeightsMissing when the file is damaged or of another version.
    """
    try:
        return SoundTower(folded(floats(mapped(path))), device=device, dtype=dtype)
    except (OSError, KeyError, ValueError) as error:
        raise WeightsMissing(f"{path} is no sound tower of this version: {error}", hint="reinstall vidembed") from error


def folded(state: Mapping[str, Floats]) -> dict[str, Floats]:
    """The tower's weights from those of the networks that were trained: batch norms go into the convolutions."""
    out = {name.removeprefix("head."): value for name, value in state.items() if name.startswith("head.")}
    for i in range(len(CHANNELS)):
        norm = f"net.body.{3 * i + 1}"
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + _BN_EPS)
        out[f"conv.{i}.weight"] = state[f"net.body.{3 * i}.weight"] * scale.reshape(-1, 1, 1, 1)
        out[f"conv.{i}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
    out["out.weight"], out["out.bias"] = state["net.out.weight"], state["net.out.bias"]
    return out
