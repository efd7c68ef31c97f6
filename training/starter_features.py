"""What the frozen towers make of Flickr8k, computed once: several views of each picture, states of each caption."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.align import Pair, read_pairs
from vidembed.encoders import _efficientnet, _minilm, _openvino
from vidembed.encoders._picture import prepare

FIRST_TUNED_LAYER = 4  # of MiniLM; the states below it are cached
MAX_TOKENS = 42
CLASS_PROMPTS = ("a photo of a {}", "{}", "a {} in the picture", "several {}s")
VIEWS = 3  # as it is, two random crops
LAST_FROZEN = 17  # the block of the picture tower below those that may be tuned
MAPS = {"tok": (16, 1280), "low": (16, 48), "middle": (16, 120), "late": (208, 8, 8)}


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
    """View 0: as it is; others: a random crop of 45-100 % of the area, of another shape, mirrored half the time.

    View 2 is also coarse half the time, as videos are: made small, and saved as a JPEG of low quality.
    """
    if view == 0:
        return picture
    height, width = picture.shape[:2]
    area, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.35, 0.35))
    h, w = min(height, int(height * area**0.5 * aspect)), min(width, int(width * area**0.5 / aspect))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    picture = picture[y : y + h, x : x + w]
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if view == 2 and rng.random() < 0.5:
        picture = _coarse(picture, side=int(rng.integers(96, 200)), quality=int(rng.integers(25, 70)))
    return np.ascontiguousarray(picture)


def _coarse(picture: NDArray[np.uint8], *, side: int, quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(picture).resize((side, side)).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))


def batches(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


class _Maps(nn.Module):
    """(B, 3, 256, 256) -> (B, 36480): the maps of MAPS, one after the other, grids as channels x cells."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _efficientnet.load().to(memory_format=torch.contiguous_format)

    def extra_repr(self) -> str:
        return str(MAPS)  # a converted tower is kept under what repr tells of it

    def forward(self, pixels: Tensor) -> Tensor:
        at = _efficientnet.LAST_AT_STRIDE
        low, middle, late, x = self.net.until(pixels, (at[8], at[16], LAST_FROZEN, _efficientnet.BLOCKS - 1))
        last = F.relu6(self.net.head(x))
        # plain means: adaptive pooling is slow where the sides are not constants
        grids = [F.avg_pool2d(maps, size).flatten(1) for maps, size in ((last, 2), (low, 8), (middle, 4))]
        return torch.cat([*grids, late.flatten(1)], 1)


def fast_maps(cache: Path) -> Callable[[Tensor], Tensor]:
    """The tower under OpenVINO where that is installed, twice as fast as torch's float32 on CPUs with AVX2 only."""
    tower = _Maps().eval()
    return _openvino.compile_tower(tower, (256, 256), dtype="float32", cache=cache) if _openvino.available() else tower


def picture_maps(paths: Sequence[Path], view: int, cache: Path) -> dict[str, NDArray[np.float16]]:
    """What the frozen tower makes of one view of the pictures: computed once, kept as cache/NAME{view}.npy.

    tok (N, 16, 1280): the last map in a 4 x 4 grid; low (N, 16, 48), middle (N, 16, 120): those at strides 8 and 16
    likewise; late (N, 208, 8, 8): the whole map below the blocks that training tunes.
    """
    files = {name: cache / f"{name}{view}.npy" for name in MAPS}
    if not all(file.is_file() for file in files.values()):
        cache.mkdir(parents=True, exist_ok=True)
        parts = {name: file.with_suffix(".part") for name, file in files.items()}
        arrays = {name: np.lib.format.open_memmap(parts[name], "w+", np.float16, (len(paths), *shape))
                  for name, shape in MAPS.items()}  # fmt: skip
        tower, rng = fast_maps(cache), np.random.default_rng(100 + view)
        ends = np.cumsum([np.prod(shape) for shape in MAPS.values()])[:-1]
        for part in batches(len(paths), 32):
            pictures = [varied(np.asarray(Image.open(path).convert("RGB")), view, rng) for path in paths[part]]
            with torch.inference_mode():
                rows = tower(prepare(pictures).contiguous()).numpy()
            for (name, shape), columns in zip(MAPS.items(), np.split(rows, ends, axis=1)):
                if name == "late":
                    arrays[name][part] = columns.reshape(-1, *shape)
                else:
                    arrays[name][part] = columns.reshape(-1, *shape[::-1]).swapaxes(1, 2)
        for name, array in arrays.items():
            array.flush()
            parts[name].replace(files[name])
    return {name: np.load(file, mmap_mode="r") for name, file in files.items()}


def text_states(texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """What the frozen text tower makes of the texts, by the names of the files they are kept in.

    states (N, 42, 384) float16: the tokens' states below the first tuned layer, zero beyond each text's end; lengths
    (N,) int64; sentences (N, 384) float16 unit sentence vectors.
    """
    net, tokenizer = _minilm.load()
    ids, mask = tokenizer(texts)
    ids, mask = ids[:, :MAX_TOKENS], mask[:, :MAX_TOKENS]
    lengths = mask.sum(1).numpy()
    states = np.zeros((len(texts), MAX_TOKENS, _minilm.WIDTH), np.float16)
    sentences = np.zeros((len(texts), _minilm.WIDTH), np.float16)
    order = np.argsort(lengths, kind="stable")
    with torch.inference_mode():
        for part in batches(len(order), 128):
            rows = order[part]
            longest = int(lengths[rows].max())
            known = mask[rows, :longest]
            found = net.run(net.embed(ids[rows, :longest]), known, last=FIRST_TUNED_LAYER)
            states[rows, :longest] = (found * known[..., None]).half().numpy()
            pooled = _minilm.mean_pool(net.run(found, known, first=FIRST_TUNED_LAYER), known)
            sentences[rows] = F.normalize(pooled, dim=-1).half().numpy()
    return {"states": states, "lengths": lengths, "sentences": sentences}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/captions.csv and the pictures")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the features, about 4 GB")
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    captions = read_captions(arguments.data)
    paths = [item.path for item in captions.items]
    for view in range(VIEWS):
        picture_maps(paths if view == 0 else paths[: captions.train], view, arguments.cache)
        print(f"view {view} done", flush=True)
    for name, array in text_states(captions.texts).items():
        np.save(arguments.cache / f"{name}.npy", array)
    (arguments.cache / "texts.json").write_text(json.dumps(captions.texts), encoding="utf-8")


if __name__ == "__main__":
    main()
