"""What the frozen towers make of Flickr8k, computed once: several views of each picture, states of each caption."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vidembed.align import Pair, read_pairs
from vidembed.encoders import _efficientnet, _minilm
from vidembed.encoders._picture import grid, prepare
from vidembed.encoders.starter import PICTURE_FEATURES, pooled

FIRST_TUNED_LAYER = 3  # of MiniLM; the states below it are cached
MAX_TOKENS = 42
CLASS_PROMPTS = ("a photo of a {}", "{}", "a {} in the picture", "several {}s")
VIEWS = 4  # as it is, mirrored, two random crops


@dataclass(frozen=True)
class Captions:
    """The pictures of the two splits, train first, and their captions, each as a row of `texts`."""

    items: list[Pair]
    train: int  # how many of the items are for training
    texts: list[str]  # captions, then class prompts
    rights: NDArray[np.int64]  # (items, K) rows of texts, filled up with -1
    classes: NDArray[np.int64]  # (1000, 4) rows of texts

    @property
    def held_out(self) -> list[Pair]:
        return self.items[self.train :]


def read_captions(data: Path) -> Captions:
    """data: a folder with images/captions.csv (file, caption, split) and the pictures it names."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    pairs = read_pairs(data / "images" / "captions.csv", modality="image")
    train, dev = pairs.split("train"), pairs.split("dev")
    items = [*train, *dev]
    prompts = [[p.format(name) for p in CLASS_PROMPTS] for name in IMAGENET_CLASSNAMES]
    texts = list(dict.fromkeys(t for item in items for t in item.texts))
    texts += [t for t in dict.fromkeys(t for row in prompts for t in row) if t not in set(texts)]
    row = {t: i for i, t in enumerate(texts)}
    rights = np.full((len(items), max(len(item.texts) for item in items)), -1, np.int64)
    for i, item in enumerate(items):
        rights[i, : len(item.texts)] = [row[t] for t in item.texts]
    return Captions(items, len(train), texts, rights, np.array([[row[t] for t in prompt] for prompt in prompts]))


def varied(picture: NDArray[np.uint8], view: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """View 0: as it is; 1: mirrored; others: a random crop of 45-100 % of the area, mirrored half the time."""
    if view == 0:
        return picture
    if view > 1:
        height, width = picture.shape[:2]
        area, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.25, 0.25))
        h, w = min(height, int(height * area**0.5 * aspect)), min(width, int(width * area**0.5 / aspect))
        y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        picture = picture[y : y + h, x : x + w]
    if view == 1 or (view > 1 and rng.random() < 0.5):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def picture_view(items: Sequence[Pair], view: int) -> NDArray[np.float16]:
    """(N, 1760) features of one view. Varied views run in bfloat16: their noise is small beside the variation."""
    net = _efficientnet.load()
    dtype = torch.float32 if view == 0 else torch.bfloat16
    net = net.to(dtype)
    rng = np.random.default_rng(100 + view)
    rows = np.zeros((len(items), PICTURE_FEATURES), np.float16)
    with torch.inference_mode():
        for part in batches(len(items), 16):
            pictures = [varied(np.asarray(Image.open(i.path).convert("RGB")), view, rng) for i in items[part]]
            middle, last = net.stages(prepare(pictures).to(dtype))
            rows[part] = pooled(grid(last, 4), grid(middle, 2))
    return rows


def text_states(texts: Sequence[str]) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """(N, 42, 384) token states below the first tuned layer, zero beyond each text's end, and the (N,) lengths."""
    net, tokenizer = _minilm.load()
    ids, mask = tokenizer(texts)
    ids, mask = ids[:, :MAX_TOKENS], mask[:, :MAX_TOKENS]
    lengths = mask.sum(1).numpy()
    states = np.zeros((len(texts), MAX_TOKENS, _minilm.WIDTH), np.float16)
    order = np.argsort(lengths, kind="stable")
    with torch.inference_mode():
        for part in batches(len(order), 128):
            rows = order[part]
            longest = int(lengths[rows].max())
            known = mask[rows, :longest]
            found = net.run(net.embed(ids[rows, :longest]), known, last=FIRST_TUNED_LAYER)
            states[rows, :longest] = (found * known[..., None]).half().numpy()
    return states, lengths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/captions.csv and the pictures")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the features, about 1.2 GB")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    captions = read_captions(arguments.data)
    for view in range(VIEWS):
        items = captions.items if view == 0 else captions.items[: captions.train]
        np.save(arguments.cache / f"pool{view}.npy", picture_view(items, view))
        print(f"view {view}: {len(items)} pictures")
    states, lengths = text_states(captions.texts)
    np.save(arguments.cache / "states.npy", states)
    np.save(arguments.cache / "lengths.npy", lengths)
    (arguments.cache / "texts.json").write_text(json.dumps(captions.texts), encoding="utf-8")


if __name__ == "__main__":
    main()
