"""How well texts find their media, and media their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.align.features import FeatureCache, MediaLoader, Progress
from vidembed.align.pairs import BadRow, Pair, Pairs, read_pairs
from vidembed.errors import InputError
from vidembed.protocols import Encoder
from vidembed.types import Failure, Modality


@dataclass(frozen=True)
class Direction:
    """One way of asking. Recalls are shares of queries (0..1) whose first right answer is among the k best."""

    r1: float
    r5: float
    r10: float
    median_rank: float  # of the first right answer, from 1
    queries: int
    candidates: int

    @property
    def mean_recall(self) -> float:
        """Mean of recall at 1, 5 and 10, in 0..1."""
        return (self.r1 + self.r5 + self.r10) / 3

    def __str__(self) -> str:
        return (
            f"R@1 {self.r1:.3f}  R@5 {self.r5:.3f}  R@10 {self.r10:.3f}  median rank {self.median_rank:g}"
            f"  ({self.queries} queries, {self.candidates} candidates)"
        )


@dataclass(frozen=True)
class EvalReport:
    """Results by direction ("text to image"), and what could not be used."""

    model: str
    directions: Mapping[str, Direction]
    bad_rows: tuple[BadRow, ...] = ()
    failures: tuple[Failure, ...] = field(default=(), repr=False)

    @property
    def mean_recall(self) -> float:
        """Mean recall over all directions, in 0..1."""
        return float(np.mean([d.mean_recall for d in self.directions.values()]))

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"model": self.model, "directions": {name: asdict(d) for name, d in self.directions.items()}}

    def __str__(self) -> str:
        return "\n".join(f"{name:16} {direction}" for name, direction in self.directions.items())


def ranks(scores: NDArray[Any], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(Q,) rank of each query's best right answer, from 1; wrong answers that tie with it count against it.

    scores: (Q, C), higher is better; right: (Q, C), at least one True in each row.
    """
    if scores.shape != right.shape or not right.any(axis=1).all():
        raise ValueError(f"need (Q, C) scores and a right answer for every query, got {scores.shape}, {right.shape}")
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((scores >= best) & ~right).sum(axis=1)


def direction(scores: NDArray[Any], right: NDArray[np.bool_]) -> Direction:
    """Recalls and median rank of (Q, C) scores."""
    found = ranks(scores, right)
    r1, r5, r10 = (float((found <= k).mean()) for k in (1, 5, 10))
    return Direction(r1, r5, r10, float(np.median(found)), *scores.shape)


def both_ways(
    modality: Modality, media: NDArray[Any], texts: NDArray[Any], right: NDArray[np.bool_]
) -> dict[str, Direction]:
    """Text to media and back, from unit rows (M, D), (T, D) and right (M, T)."""
    scores = media @ texts.T
    return {
        f"text to {modality}": direction(scores.T, right.T),
        f"{modality} to text": direction(scores, right),
    }


def unique_texts(items: Sequence[Pair]) -> tuple[list[str], NDArray[np.bool_]]:
    """The different texts of the items, and (M, T) which are right for which: a text of two items is right for both."""
    texts = list(dict.fromkeys(text for item in items for text in item.texts))
    column = {text: i for i, text in enumerate(texts)}
    right = np.zeros((len(items), len(texts)), bool)
    for row, item in enumerate(items):
        right[row, [column[text] for text in item.texts]] = True
    return texts, right


def evaluate(
    model: Encoder,
    pairs: Pairs | Path | str | Sequence[Path | str],
    *,
    load_media: MediaLoader,
    modality: Modality | None = None,
    splits: Sequence[str] | None = None,
    batch_size: int = 32,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> EvalReport:
    """Retrieval figures of an encoder on pairs, by modality and direction.

    pairs: `read_pairs`' result or its files. splits: which to use; None takes all the items. cache: a folder to keep
    the vectors in. Files that cannot be decoded are left out and reported.
    Raises InputError when nothing is left.
    """
    known = pairs if isinstance(pairs, Pairs) else read_pairs(pairs, modality=modality)
    items = known.items if splits is None else known.split(*splits)
    store = FeatureCache(cache, batch_size=batch_size)
    directions: dict[str, Direction] = {}
    failures: list[Failure] = []
    kinds: tuple[Modality, ...] = ("image", "audio", "video")
    for kind in kinds:
        own = [item for item in items if item.modality == kind]
        if not own:
            continue
        positions, media, failed = store.media(model, kind, own, load_media, progress=progress)
        failures += failed
        if not positions:
            continue
        texts, right = unique_texts([own[i] for i in positions])
        directions |= both_ways(kind, media, store.texts(model, texts, progress=progress), right)
    if not directions:
        what = f" in split {' or '.join(splits)}" if splits is not None else ""
        raise InputError(
            f"no pair to evaluate on{what}" + (f": {failures[0].message}" if failures else ""),
            hint="give the rows a split (train, val, dev, test), or evaluate on all of them",
        )
    return EvalReport(model.space.name, directions, known.bad, tuple(failures))
