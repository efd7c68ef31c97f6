"""Windows of the sound bank with their targets, made hard: mixtures, noise, echo, bad microphones and codecs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sound_classes import DOUBLES, SOUNDS
from torch import Tensor
from torch.nn import functional as F

RATE_HZ, WINDOW = 16_000, 32_000
TEACHER_HOP = 7_680
LABELS = tuple(SOUNDS)
# What a film's sound track adds to what is seen.
BACKGROUND = {
    "speech",
    "music",
    "rock music",
    "orchestra",
    "electronic music",
    "white noise",
    "wind",
    "hum",
    "crowd talking",
}


@dataclass(eq=False)
class Bank:
    """The decoded files: samples (N,) int16, rows of bank.jsonl, teacher scores (F, 521) and embeddings (F, 1024)."""

    samples: NDArray[np.int16]
    rows: list[dict[str, Any]]
    scores: NDArray[np.float16]
    embeddings: NDArray[np.float16]
    names: list[str]

    @classmethod
    def load(cls, folder: Path, validate_fold: str | None) -> Bank:
        """Adds to each row its split: train, val (a tenth of the labelled files, and validate_fold), held-out."""
        rows = [json.loads(line) for line in (folder / "bank.jsonl").open()]
        teacher = np.load(folder / "teacher.npz")
        for row in rows:
            if row["split"] == "train" and row["name"].endswith(DOUBLES):
                row["split"] = "double"
            if row["split"] != "train":
                continue
            chosen = row["fold"] == validate_fold if row["fold"] else zlib.crc32(row["name"].encode()) % 10 == 0
            row["split"] = "val" if chosen and row["label"] else "train"
        samples = np.load(folder / "bank.npy", mmap_mode="r")
        return cls(samples, rows, teacher["scores"], teacher["embeddings"], teacher["names"].tolist())

    def cut(self, row: dict[str, Any], offset: int) -> NDArray[np.float32]:
        """(WINDOW,) from this offset; a short file is padded with zeros."""
        part = self.samples[row["start"] + offset : row["start"] + min(offset + WINDOW, row["count"])]
        out = np.zeros(WINDOW, np.float32)
        out[: len(part)] = part / 32768.0
        return out

    def taught(self, row: dict[str, Any], offset: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The teacher's (521,) scores and (1024,) embedding for a window: means over its frames that lie inside."""
        first, last = row["frames"]
        begin = first + round(offset / TEACHER_HOP)
        end = min(max(begin + 1, first + (offset + WINDOW - 15_600) // TEACHER_HOP + 1), last)
        begin = min(begin, end - 1)
        return (
            self.scores[begin:end].astype(np.float32).mean(0),
            self.embeddings[begin:end].astype(np.float32).mean(0),
        )


@dataclass(eq=False)
class Batch:
    """samples (B, WINDOW); scores (B, 521), embedding (B, 1024) from the teacher on the clean sound; weight (B,) of
    that embedding (0 where mixed hard); labels (B, L) shares, all zero where unknown; rows: which bank rows."""

    samples: Tensor
    scores: Tensor
    embedding: Tensor
    weight: Tensor
    labels: Tensor
    rows: list[int]


class Sampler:
    """Draws windows: `known` of them evenly over the labels, the others evenly over the files."""

    def __init__(self, bank: Bank, *, seed: int, known: float = 0.6) -> None:
        self.bank, self.known = bank, known
        self.rng = np.random.default_rng(seed)
        train = [i for i, row in enumerate(bank.rows) if row["split"] == "train"]
        self.all = np.array(train)
        by_label = {label: [i for i in train if bank.rows[i]["label"] == label] for label in LABELS}
        self.by_label = {label: np.array(ids) for label, ids in by_label.items() if ids}
        # Labels with many files come up more often, but far less than in proportion.
        self.share = np.array([len(ids) ** 0.4 for ids in self.by_label.values()])
        self.share /= self.share.sum()
        self.background = np.concatenate([ids for label, ids in self.by_label.items() if label in BACKGROUND])

    def _pick(self) -> int:
        if self.rng.random() < self.known:
            label = list(self.by_label)[self.rng.choice(len(self.share), p=self.share)]
            return int(self.rng.choice(self.by_label[label]))
        return int(self.rng.choice(self.all))

    def _window(self, index: int) -> tuple[NDArray[np.float32], int]:
        """A window that is not quiet, if a few draws find one; a short file starts at a random place in it."""
        row = self.bank.rows[index]
        for _ in range(4):
            offset = int(self.rng.integers(0, max(row["count"] - WINDOW, 0) + 1))
            samples = self.bank.cut(row, offset)
            if np.sqrt(np.mean(samples**2)) > 2e-3:
                break
        if row["count"] < WINDOW:
            if row["count"] < WINDOW // 2 and self.rng.random() < 0.3:  # short sounds often come several times
                samples = samples + np.roll(samples, int(self.rng.integers(row["count"], WINDOW)))
            samples = np.roll(samples, int(self.rng.integers(0, WINDOW - row["count"] + 1)))
        return samples, offset

    def draw(self, size: int, *, augment: bool = True) -> Batch:
        picked = [self._pick() for _ in range(size)]
        return self.make(picked, augment=augment)

    def make(self, picked: list[int], *, augment: bool) -> Batch:
        size, rng = len(picked), self.rng
        cut = [self._window(i) for i in picked]
        samples = np.stack([s for s, _ in cut])
        taught = [self.bank.taught(self.bank.rows[i], offset) for i, (_, offset) in zip(picked, cut, strict=True)]
        scores, embedding = np.stack([t[0] for t in taught]), np.stack([t[1] for t in taught])
        labels = np.zeros((size, len(LABELS)), np.float32)
        for k, i in enumerate(picked):
            if self.bank.rows[i]["label"]:
                labels[k, LABELS.index(self.bank.rows[i]["label"])] = 1
        weight = np.ones(size, np.float32)
        if augment:
            for k in np.flatnonzero(rng.random(size) < 0.45):
                # Mixed with another sound 0..24 dB below it; from 12 dB on the target stays as it was.
                other = int(rng.choice(self.background)) if rng.random() < 0.5 else int(rng.choice(self.all))
                second, offset = self._window(other)
                below_db = rng.uniform(0, 24)
                level = np.sqrt(np.mean(samples[k] ** 2)) / (np.sqrt(np.mean(second**2)) + 1e-6)
                samples[k] += second * level * 10 ** (-below_db / 20)
                audible = max(0.0, 1 - below_db / 12)
                scores[k] = np.maximum(scores[k], audible * self.bank.taught(self.bank.rows[other], offset)[0])
                weight[k] = 1 - audible
                name = self.bank.rows[other]["label"]
                if name and labels[k].any():
                    labels[k] *= 1 - 0.4 * audible
                    labels[k, LABELS.index(name)] += 0.4 * audible
        wave = torch.from_numpy(samples.astype(np.float32))
        if augment:
            wave = degrade(wave, rng)
        return Batch(wave, torch.from_numpy(scores), torch.from_numpy(embedding), torch.from_numpy(weight),
                     torch.from_numpy(labels), picked)  # fmt: skip


class Pool:
    """Log-mels of windows drawn ahead, each seen `times` times on average, never twice in one batch."""

    def __init__(
        self, sampler: Sampler, to_mel: Callable[[Tensor], Tensor], *, chunk: int = 64, chunks: int = 8, times: int = 2
    ) -> None:
        self.sampler, self.to_mel, self.chunk, self.times = sampler, to_mel, chunk, times
        self.held = [self._chunk() for _ in range(chunks)]
        self.turn = self.owed = 0

    def _chunk(self) -> tuple[Tensor, ...]:
        batch = self.sampler.draw(self.chunk)
        with torch.no_grad():
            mel = self.to_mel(batch.samples)
        return mel, batch.scores, batch.embedding, batch.weight, batch.labels

    def draw(self, size: int) -> tuple[Tensor, ...]:
        """(mel, scores, embedding, weight, labels) of `size` windows."""
        self.owed += size
        while self.owed >= self.chunk * self.times:
            self.held[self.turn] = self._chunk()
            self.turn = (self.turn + 1) % len(self.held)
            self.owed -= self.chunk * self.times
        pick = self.sampler.rng.permutation(self.chunk * len(self.held))[:size]
        rows = [(int(p) // self.chunk, int(p) % self.chunk) for p in pick]
        return tuple(torch.stack([self.held[c][field][r] for c, r in rows]) for field in range(5))


def degrade(wave: Tensor, rng: np.random.Generator) -> Tensor:
    """Echo, tone control, band limit, speed, noise floor and level, each on some rows. (B, N) -> (B, N)"""
    size, count = wave.shape
    spectrum = torch.fft.rfft(wave)
    freqs = torch.fft.rfftfreq(count, 1 / RATE_HZ)
    octave = torch.log2(freqs.clamp(min=40) / 1000)
    gain = torch.ones(size, len(freqs))
    for k in range(size):
        if rng.random() < 0.5:  # microphones and mastering: a tilt of up to 5 dB an octave
            gain[k] *= 10 ** (float(rng.uniform(-5, 5)) * octave / 20)
        if rng.random() < 0.35:  # codecs and telephones cut the top
            gain[k] *= torch.sigmoid((float(rng.uniform(2500, 7500)) - freqs) / 150)
        if rng.random() < 0.2:  # small loudspeakers cut the bottom
            gain[k] *= torch.sigmoid((freqs - float(rng.uniform(80, 500))) / 30)
    spectrum = spectrum * gain
    for k in np.flatnonzero(rng.random(size) < 0.25):  # rooms: exponentially fading noise after the direct sound
        length = int(rng.uniform(0.1, 0.8) * RATE_HZ)
        tail = torch.randn(length) * torch.exp(-6.9 * torch.arange(length) / length)
        tail = tail / tail.norm() * float(rng.uniform(0.2, 1.0))
        tail[0] += 1
        spectrum[k] = spectrum[k] * torch.fft.rfft(tail, n=count)
    # A noise floor 10 to 60 dB below, white or falling towards the top, made in the spectrum as well.
    power = spectrum.abs().square().mean(1, keepdim=True).sqrt()
    below_db = torch.from_numpy(rng.uniform(10, 60, (size, 1)).astype(np.float32))
    colour = torch.where(torch.from_numpy(rng.random((size, 1)) < 0.5), torch.ones(1), 2 ** (-octave / 2))
    spectrum = spectrum + torch.randn_like(spectrum) * colour * power * 10 ** (-below_db / 20)
    wave = torch.fft.irfft(spectrum, n=count)
    for k in np.flatnonzero(rng.random(size) < 0.3):  # played a little faster or slower
        stretch = float(rng.uniform(0.88, 1.14))
        slow = F.interpolate(wave[k][None, None], scale_factor=stretch, mode="linear")[0, 0]
        wave[k] = slow[:count] if len(slow) >= count else F.pad(slow, (0, count - len(slow)))
    peak = wave.abs().amax(1, keepdim=True).clamp(min=1e-5)
    return wave / peak * torch.from_numpy(10 ** rng.uniform(-1.6, 0, (size, 1)).astype(np.float32))
