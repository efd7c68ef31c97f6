"""Rows for tests of stores, and the exact memory store as the oracle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vidembed.index.stores.memory import MemoryStore
from vidembed.protocols import Store
from vidembed.types import Clip, Row, Space, Span, SparseVector

DENSE = Space("toy", 8)
WORDS = Space("words", 0, "sparse")
NAME = "vision.00000001"
SPEECH = "speech.00000002"
Opener = Callable[[], Store]


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def make_rows(n: int, *, seed: int = 0, videos: int = 5, segments: int = 0, length_s: float = 2.0) -> list[Row]:
    """n clips, the i-th in video i % videos, one after another there."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        index = i // videos
        clip = Clip.make(f"video-{i % videos}", index, Span(index * length_s, (index + 1) * length_s))
        many = unit(rng.normal(size=(segments, 8))).astype(np.float16) if segments else None
        times = (index * length_s + 0.1 * np.arange(segments)) if segments else None
        rows.append(Row(clip, unit(rng.normal(size=8)), many, times))
    return rows


def word_rows(texts: list[list[int]], video: str = "v") -> list[Row]:
    """A row per list of word numbers, each word with weight 1 + its place."""
    rows = []
    for i, words in enumerate(texts):
        vector = SparseVector(np.array(words, np.uint32), 1 + np.arange(len(words), dtype=np.float32))
        rows.append(Row(Clip.make(f"{video}{i}", 0, Span(0, 1)), vector))
    return rows


def agree(got: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [clip_id for clip_id, _ in got] == [clip_id for clip_id, _ in expected]
    assert [s for _, s in got] == pytest.approx([s for _, s in expected], abs=2e-6)


def oracle(rows: list[Row], space: Space = DENSE) -> MemoryStore:
    memory = MemoryStore()
    memory.create(NAME, space)
    memory.put(NAME, rows)
    return memory
