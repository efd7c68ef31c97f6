"""The pictures and sentences the starter's picture and text towers are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vidembed.align import Pair, read_pairs
from vidembed.models.encoders._efficientnet import squared

CLASS_PROMPTS = ("a photo of a {}", "{}", "a {} in the picture", "several {}s")


@dataclass(frozen=True)
class Captions:
    """The pictures of `train` and their captions, each as a row of `texts`."""

    items: list[Pair]
    texts: list[str]  # captions, then class prompts
    rights: NDArray[np.int64]  # (items, K) rows of texts, filled up with -1
    classes: NDArray[np.int64]  # (1000, 4) rows of texts


def read_captions(data: Path) -> Captions:
    """data: a folder with images/captions.csv (file, caption, split) and the pictures it names."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    items = list(read_pairs(data / "images" / "captions.csv", modality="image").split("train"))
    prompts = [[p.format(name) for p in CLASS_PROMPTS] for name in IMAGENET_CLASSNAMES]
    said = [t for item in items for t in item.texts]
    texts = list(dict.fromkeys([*said, *(t for row in prompts for t in row)]))
    row = {t: i for i, t in enumerate(texts)}
    rights = np.full((len(items), max(len(item.texts) for item in items)), -1, np.int64)
    for i, item in enumerate(items):
        rights[i, : len(item.texts)] = [row[t] for t in item.texts]
    return Captions(items, texts, rights, np.array([[row[t] for t in prompt] for prompt in prompts]))


def read_pictures(paths: Sequence[Path], side: int) -> Tensor:
    """(N, 3, side, side) uint8, pictures of another size squashed to it as in use."""

    def read(path: Path) -> NDArray[np.uint8]:
        return np.asarray(squared(Image.open(path).convert("RGB"), side))

    with ThreadPoolExecutor() as pool:
        return torch.from_numpy(np.stack(list(pool.map(read, paths)))).permute(0, 3, 1, 2).contiguous()
