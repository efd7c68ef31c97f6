"""The sound tower of the starter model: log-mel windows, a small convolutional network, a head into the shared space.

A sound is cut into windows of 2 s, one each second; every window becomes a unit vector, and a sound's vector is the
unit vector of their mean, windows far quieter than the loudest left out. Trained by this project
(training/train_sound.py); which sounds it knows is in the model card beside the weights. Silence is the caller's
business: a silent sound has no meaning, but still gets a vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.errors import EncodingError, WeightsMissing
from vidembed.types import AudioSamples, Floats
from vidembed.vectors import unit_rows

RATE_HZ = 16_000
WINDOW_S, HOP_S = 2.0, 1.0
BANDS, LOW_HZ, HIGH_HZ = 64, 60.0, 7800.0
FEATURES = 512
_FFT, _FRAME, _STEP = 512, 400, 160  # 25 ms frames each 10 ms, as in YAMNet and VGGish
_LEVEL, _FLOOR = 0.1, 0.002  # windows are brought to -20 dBFS; what is below -54 dBFS is not raised further
_QUIET = 10 ** (-30 / 20)
_CHANNELS = ((24, 2), (32, 2), (64, 1), (96, 2), (128, 1), (192, 2), (256, 1))  # output channels, stride
_WINDOW, _HOP = int(WINDOW_S * RATE_HZ), int(HOP_S * RATE_HZ)
_BATCH = 16  # windows in one pass: log-mel and activations of 16 x 2 s are about 25 MB


def mel_filters() -> NDArray[np.float32]:
    """(257, 64) triangles, evenly spaced on the HTK mel scale: mel = 1127 ln(1 + f / 700)."""
    edges_mel = np.linspace(1127 * np.log1p(LOW_HZ / 700), 1127 * np.log1p(HIGH_HZ / 700), BANDS + 2)
    bins_mel = 1127 * np.log1p(np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT / 700)[:, None]
    rise = (bins_mel - edges_mel[:-2]) / (edges_mel[1:-1] - edges_mel[:-2])
    fall = (edges_mel[2:] - bins_mel) / (edges_mel[2:] - edges_mel[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


class LogMel(nn.Module):
    """(B, N) samples at 16 kHz -> (B, 1, 64, N / 160) log-mel energies, level-normalised per row."""

    filters: Tensor
    taper: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(mel_filters()), persistent=False)
        self.register_buffer("taper", torch.hann_window(_FRAME), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        rms = samples.square().mean(1, keepdim=True).sqrt()
        samples = samples * (_LEVEL / rms.clamp(min=_FLOOR))
        samples = F.pad(samples, (_FRAME - _STEP, 0))
        frames = samples.unfold(1, _FRAME, _STEP) * self.taper
        power = torch.view_as_real(torch.fft.rfft(frames, n=_FFT)).square().sum(-1)
        return torch.log(power @ self.filters + 1e-3).transpose(1, 2).unsqueeze(1) / 4.0


class SoundNet(nn.Module):
    """(B, 1, 64, T) log-mel -> (B, 512) features: seven 3x3 convolutions, mean over bands, max + mean over time.

    The pooling is that of PANNs (Kong et al. 2020, arXiv:1912.10211).
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_in = 1
        for channels, stride in _CHANNELS:
            layers += [nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            channels_in = channels
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(channels_in, FEATURES)

    def forward(self, mel: Tensor) -> Tensor:
        maps = self.body(mel).float().mean(2)
        return F.relu(self.out(maps.amax(2) + maps.mean(2)))


class SoundHead(nn.Module):
    """(B, 512) features -> (B, D), not normalised: a linear map plus one hidden layer beside it."""

    def __init__(self, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.straight = nn.Linear(FEATURES, dim)
        self.up = nn.Linear(FEATURES, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, features: Tensor) -> Tensor:
        return self.straight(features) + self.down(F.gelu(self.up(features)))


class SoundTower:
    """Sounds -> unit vectors of the starter space. Deterministic; does not depend on what else is in the batch.

    device: a torch device.
    """

    def __init__(self, net: SoundNet, head: SoundHead, *, device: torch.device | str = "cpu") -> None:
        self.mel = LogMel().eval().to(device)
        self.net = net.eval().requires_grad_(False).to(device)
        self.head = head.eval().requires_grad_(False).to(device)
        self.device = torch.device(device)
        self.dim = head.straight.out_features

    def encode(self, sounds: Sequence[AudioSamples]) -> Floats:
        """(N, D) float32 unit rows, row i of sound i; any rate and length, shorter than a window is padded."""
        if not sounds:
            return np.zeros((0, self.dim), np.float32)
        cut = [audible(windows(at_rate(sound))) for sound in sounds]
        rows = self._rows(np.concatenate(cut))
        ends = np.cumsum([len(c) for c in cut])
        return unit_rows(np.stack([part.mean(axis=0) for part in np.split(rows, ends[:-1])]))

    @torch.inference_mode()
    def _rows(self, stacked: NDArray[np.float32]) -> Floats:
        """(W, 32000) windows -> (W, D) unit rows."""
        parts = [
            F.normalize(self.head(self.net(self.mel(torch.from_numpy(stacked[i : i + _BATCH]).to(self.device)))), dim=1)
            for i in range(0, len(stacked), _BATCH)
        ]
        return torch.cat(parts).cpu().numpy()


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


def load(path: Path, *, device: torch.device | str = "cpu") -> SoundTower:
    """The tower from a safetensors file with keys net.* and head.*; float16 there, float32 here.

    Raises WeightsMissing when the file is damaged or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = {key: value.float() for key, value in load_file(path).items()}
        head = SoundHead(len(state["head.straight.weight"]), len(state["head.up.weight"]))
        net = SoundNet()
        for part, module in (("net.", net), ("head.", head)):
            module.load_state_dict({k.removeprefix(part): v for k, v in state.items() if k.startswith(part)})
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise WeightsMissing(f"{path} is no sound tower of this version: {error}", hint="reinstall vidembed") from error
    return SoundTower(net, head, device=device)
