"""Train the starter captioner on pictures with human captions.

    python training/train_captioner.py --captions captions.csv --images DIR --cache features --out captioner.safetensors

captions.csv has the columns file, split (train, dev) and caption. Picture tokens are made once per view (as it is,
mirrored, two random crops) and kept under --cache. A tenth of `train` picks the epoch and the settings; `dev` is
never looked at here (see evaluate_captioner.py).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.captions.captioners._decoder import END, PAD, SPECIAL, START, UNKNOWN, CaptionNet, DecoderShape
from vidembed.encoders.starter import MANIFEST, add_to_manifest

VIEWS = 4


def words_of(caption: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", caption.lower().replace("t - shirt", "t-shirt"))


def read_captions(path: Path) -> dict[str, dict[str, list[str]]]:
    """split -> file -> captions"""
    table: dict[str, dict[str, list[str]]] = {}
    with path.open(newline="") as rows:
        for row in csv.DictReader(rows):
            table.setdefault(row["split"], {}).setdefault(row["file"], []).append(row["caption"])
    return table


def _view(picture: NDArray[np.uint8], view: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """0: as it is; 1: mirrored; 2 and up: 45 to 100 % of the area, mirrored half of the time."""
    if view >= 2:
        height, width = picture.shape[:2]
        area, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.25, 0.25))
        h, w = min(height, int(height * area**0.5 * aspect)), min(width, int(width * area**0.5 / aspect))
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        picture = picture[top : top + h, left : left + w]
    if view == 1 or (view >= 2 and rng.random() < 0.5):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def picture_tokens(images: Path, files: list[str], view: int, cache: Path) -> NDArray[np.float16]:
    """(N, 16, 1280): the starter's frozen picture tower, its map pooled to 4 x 4; kept in cache/tok{view}.npy."""
    kept = cache / f"tok{view}.npy"
    if not kept.is_file():
        from vidembed.encoders._efficientnet import load
        from vidembed.encoders._picture import grid, prepare

        cache.mkdir(parents=True, exist_ok=True)
        net, rng = load(), np.random.default_rng(100 + view)
        rows = []
        for i in range(0, len(files), 16):
            pictures = [np.asarray(Image.open(images / f).convert("RGB")) for f in files[i : i + 16]]
            with torch.inference_mode():
                maps = net(prepare([_view(p, view, rng) for p in pictures]))
            rows.append(grid(maps, 4).astype(np.float16))
        np.save(kept, np.concatenate(rows))
    return np.load(kept, mmap_mode="r")


def vocabulary_of(captions: list[list[str]], least: int) -> list[str]:
    counts = Counter(word for caption in captions for word in caption)
    return [*SPECIAL, *sorted((w for w, n in counts.items() if n >= least), key=lambda w: (-counts[w], w))]


def to_ids(captions: list[list[str]], index: dict[str, int], length: int) -> NDArray[np.int64]:
    """(N, length) with start, end and padding; captions that are too long lose their end sign with their tail."""
    out = np.full((len(captions), length), PAD, np.int64)
    for row, caption in zip(out, captions, strict=True):
        ids = [START, *(index.get(w, UNKNOWN) for w in caption), END][:length]
        row[: len(ids)] = ids
    return out


def loss_of(net: CaptionNet, pictures: Tensor, ids: Tensor, owner: Tensor, *, smooth: float, drop: float) -> Tensor:
    """Cross-entropy of the next word. pictures (B, P, 16, 1280); ids (R, L); owner (R,): whose picture each row tells.

    drop: share of picture tokens hidden and of input words made unknown.
    """
    seen = net.look(pictures)[owner]
    mask = (torch.rand(len(ids), 1, 1, seen.shape[1]) >= drop) if drop else None
    inputs = ids[:, :-1]
    if drop:
        inputs = inputs.masked_fill((torch.rand(inputs.shape) < drop) & (inputs > UNKNOWN), UNKNOWN)
    scores = net(inputs, net.memory(seen), mask)
    goal = ids[:, 1:].masked_fill(ids[:, 1:] == UNKNOWN, PAD)  # never learn to say "unknown"
    return F.cross_entropy(scores.flatten(0, 1).float(), goal.flatten(), ignore_index=PAD, label_smoothing=smooth)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, help="what the file column is relative to")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="go on from these weights")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=40, help="a batch, each with all its captions")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--least", type=int, default=5, help="how often a word must occur to be in the vocabulary")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="train on the validation tenth too, for the last run")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    table = read_captions(args.captions)
    files = sorted(table["train"])
    captions = [[words_of(c) for c in table["train"][f]] for f in files]
    listed = files + sorted(table.get("dev", {}))  # the cache holds dev after train in its first view
    views = [picture_tokens(args.images, listed if v == 0 else files, v, args.cache) for v in range(VIEWS)]
    order = np.random.default_rng(7).permutation(len(files))
    val, train = order[: len(files) // 10], order if args.all else order[len(files) // 10 :]
    words = vocabulary_of([c for i in train for c in captions[i]], args.least)
    index = {word: i for i, word in enumerate(words)}
    shape = DecoderShape(len(words), layers=args.layers)
    net = CaptionNet(shape, args.dropout)
    some = views[0][np.sort(train)[::4]].astype(np.float32).reshape(-1, shape.features)
    net.mean.data, net.spread.data = torch.from_numpy(some.mean(0)), torch.from_numpy(some.std(0) + 1e-3)
    ids = [torch.from_numpy(to_ids(group, index, shape.positions)) for group in captions]
    if args.init:
        net.load_state_dict({key: value.float() for key, value in load_file(args.init).items()})
    print(
        f"{len(train)} pictures, {len(words)} words, {sum(p.numel() for p in net.parameters()) / 1e6:.2f} M", flush=True
    )

    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=args.rate, betas=(0.9, 0.98), weight_decay=0.05)
    steps = args.epochs * (len(train) // args.pictures)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=steps, pct_start=0.1)
    average = {k: v.detach().clone() for k, v in net.state_dict().items()}
    step = 0
    for epoch in range(args.epochs):
        net.train()
        total, began = 0.0, time.monotonic()
        shuffled = rng.permutation(train)
        for at in range(len(train) // args.pictures):
            chosen = shuffled[at * args.pictures : (at + 1) * args.pictures]
            # Clips show several frames: one picture in one to three views stands for them.
            count = int(rng.choice([1, 1, 2, 3]))
            looks = [[views[int(rng.integers(VIEWS))][i] for _ in range(count)] for i in chosen]
            pictures = torch.from_numpy(np.array(looks, np.float32))
            rows = torch.cat([ids[i] for i in chosen])
            owner = torch.repeat_interleave(torch.arange(len(chosen)), torch.tensor([len(ids[i]) for i in chosen]))
            rows = rows[:, : int((rows != PAD).sum(1).max())]
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                loss = loss_of(net, pictures, rows, owner, smooth=0.1, drop=0.08)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            keep = min(0.997, (1 + step) / (10 + step))
            with torch.no_grad():
                for key, value in net.state_dict().items():
                    average[key].lerp_(value, 1 - keep)
            total += loss.item()
        held = CaptionNet(shape).eval()
        held.load_state_dict(average)
        with torch.inference_mode():
            losses = []
            for part in np.array_split(np.sort(val), 10):
                pictures = torch.from_numpy(views[0][part].astype(np.float32))[:, None]
                owner = torch.repeat_interleave(torch.arange(len(part)), torch.tensor([len(ids[i]) for i in part]))
                losses.append(
                    loss_of(held, pictures, torch.cat([ids[i] for i in part]), owner, smooth=0.0, drop=0.0).item()
                )
        print(
            f"epoch {epoch} loss {total / (at + 1):.3f} val {np.mean(losses):.3f} {time.monotonic() - began:.0f} s",
            flush=True,
        )
        meta = {"shape": json.dumps(asdict(shape)), "words": json.dumps(words)}
        save_file({k: v.half().contiguous() for k, v in average.items()}, args.out, metadata=meta)
    if args.out.with_name(MANIFEST).is_file():
        add_to_manifest(args.out.parent, args.out.name)
    print(f"{args.out} {args.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
