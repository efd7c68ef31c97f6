"""Pictures with human captions, as the captioner is trained on them: word ids, picture tokens, the validation tenth."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from picture_tokens import picture_tokens
from torch import Tensor

from vidembed.models.captioners._decoder import END, PAD, SPECIAL, START, UNKNOWN


@dataclass(frozen=True, eq=False)
class Corpus:
    """The pictures of `train` with their captions.

    captions[i]: words of picture i's captions. views[v]: (N, 16, 1280) float16 tokens of the pictures as they are
    (0) and varied. train, val: numbers of pictures; val is a tenth, for choosing.
    """

    captions: list[list[list[str]]]
    views: list[NDArray[np.float16]]
    train: NDArray[np.int64]
    val: NDArray[np.int64]

    def pictures(self, chosen: Sequence[int], view: int = 0) -> Tensor:
        """(B, 1, 16, 1280) float32"""
        return torch.from_numpy(np.stack([self.views[view][i] for i in chosen]).astype(np.float32))[:, None]

    def varied(self, chosen: Sequence[int], rng: np.random.Generator) -> Tensor:
        """(B, P, 16, 1280) float32: one to three views of each picture, as a clip shows several frames."""
        count = int(rng.choice([1, 1, 2, 3]))
        looks = [[self.views[int(rng.integers(len(self.views)))][i] for _ in range(count)] for i in chosen]
        return torch.from_numpy(np.array(looks, np.float32))


def read_corpus(captions: Path, images: Path, cache: Path, *, views: int, everything: bool = False) -> Corpus:
    """captions: CSV with file, split, caption; cache: see picture_tokens.py. everything: train on `val` too."""
    table = read_captions(captions)
    files = sorted(table["train"])
    # the cache holds dev after train in its first view
    paths = [images / f for f in [*files, *sorted(table.get("dev", {}))]]
    tokens = [picture_tokens(paths if v == 0 else paths[: len(files)], v, cache) for v in range(views)]
    order = np.random.default_rng(7).permutation(len(files))
    val, rest = np.sort(order[: len(files) // 10]), order[len(files) // 10 :]
    train = order if everything else rest
    return Corpus([[words_of(c) for c in table["train"][f]] for f in files], tokens, train, val)


def read_captions(path: Path) -> dict[str, dict[str, list[str]]]:
    """split -> file -> captions"""
    table: dict[str, dict[str, list[str]]] = {}
    with path.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            table.setdefault(row["split"], {}).setdefault(row["file"], []).append(row["caption"])
    return table


def words_of(caption: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", caption.lower().replace("t - shirt", "t-shirt"))


def vocabulary_of(captions: Sequence[Sequence[str]], least: int) -> list[str]:
    counts = Counter(word for caption in captions for word in caption)
    return [*SPECIAL, *sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w))]


def to_ids(captions: Sequence[Sequence[str]], index: dict[str, int], length: int) -> Tensor:
    """(N, length) with start, end and padding; captions that are too long lose their end sign with their tail."""
    out = np.full((len(captions), length), PAD, np.int64)
    for row, caption in zip(out, captions, strict=True):
        ids = [START, *(index.get(w, UNKNOWN) for w in caption), END][:length]
        row[: len(ids)] = ids
    return torch.from_numpy(out)
