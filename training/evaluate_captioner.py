"""Measure the starter captioner on pictures it has not seen: first beam, choice by embeddings, and chance.

    python training/evaluate_captioner.py --captions captions.csv --images DIR [--split dev] [--starter FOLDER]

Candidates come from the captioner, five a picture; the choice is made by captions/choosing.py in the starter space,
against a bank of training captions. CIDEr-D and BLEU-4 as the COCO scripts compute them (see
evaluation/caption_metrics.py), with bootstrap intervals over pictures. --split val is the tenth of `train` that
train_captioner.py holds out, for choosing settings.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from caption_corpus import read_captions, validation_files
from numpy.typing import NDArray
from PIL import Image

from vidembed.batching import batched
from vidembed.captions.captioners.starter import StarterCaptioner, load
from vidembed.captions.choosing import ChoiceSettings, Lane, choose
from vidembed.encoders.starter import FOLDER, StarterEncoder
from vidembed.evaluation.bootstrap import compare, interval
from vidembed.evaluation.caption_metrics import bleu, cider_d, tokens
from vidembed.model_spec import ModelSpec

AT_ONCE = 16


def propose(captioner: StarterCaptioner, pictures: NDArray[np.float32], n: int) -> tuple[list[list[str]], float]:
    """n candidates a picture from (N, 16, 1280) tokens, and pictures a second."""
    out, began = [], time.process_time()
    for i in range(0, len(pictures), AT_ONCE):
        part = pictures[i : i + AT_ONCE]
        out += captioner.describe([p[None] for p in part], n=n, seeds=[[0, i + k] for k in range(len(part))])
    return out, len(pictures) / (time.process_time() - began)


def chosen(
    candidates: Sequence[Sequence[str]],
    pictures: NDArray[np.float32],
    encoder: StarterEncoder,
    bank: NDArray[np.float32],
    settings: ChoiceSettings,
) -> list[int]:
    """For each picture the number of the candidate that fits it best; pictures (N, D) unit rows."""
    flat = encoder.encode("text", [text for texts in candidates for text in texts])
    rows = np.split(flat, np.cumsum([len(texts) for texts in candidates])[:-1])
    rng = np.random.default_rng(0)
    out = []
    for i, (texts, vectors) in enumerate(zip(candidates, rows, strict=True)):
        others = pictures[rng.choice(np.delete(np.arange(len(pictures)), i), 32, replace=False)]
        lane = Lane(texts=vectors, clip=pictures[i], bank=bank, others=others)
        out.append(choose(texts, {"vision": lane}, settings).order[0])
    return out


def score(texts: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[NDArray[np.float64], dict[str, Any]]:
    words, others = [tokens(t) for t in texts], [[tokens(t) for t in group] for group in references]
    per_picture = cider_d(words, others)
    return per_picture, {"CIDEr-D": str(interval(per_picture)), "BLEU-4": round(bleu(words, others)[3], 4),
                         "different": len(set(texts)) / len(texts)}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--split", default="dev", choices=["dev", "val"])
    parser.add_argument("--starter", type=Path, default=FOLDER)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=5)
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="of Writing or ChoiceSettings"
    )
    parser.add_argument("--examples", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="npz of picture tokens and vectors; made when absent")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    given = {key: json.loads(value) for key, _, value in (item.partition("=") for item in args.set)}
    choice = {key: given.pop(key) for key in list(given) if key in ChoiceSettings.__annotations__}

    table = read_captions(args.captions)
    train = sorted(table["train"])
    files = (sorted(table["dev"]) if args.split == "dev" else validation_files(table))[: args.limit]
    references = [table["dev" if args.split == "dev" else "train"][f] for f in files]
    encoder = StarterEncoder(args.starter)
    if args.cache and args.cache.is_file():
        held = np.load(args.cache)
        grids, vectors = held["grids"], held["vectors"]
    else:
        opened = (np.asarray(Image.open(args.images / f).convert("RGB")) for f in files)
        parts = list(batched(opened, AT_ONCE))
        grids = np.concatenate([encoder.features("image", part) for part in parts])
        vectors = np.concatenate([encoder.encode("image", part) for part in parts])
        if args.cache:
            np.savez(args.cache, grids=grids.astype(np.float16), vectors=vectors)
    spec = ModelSpec("starter-captioner", "captioner", "vidembed.captions.captioners.starter:load", path=args.starter)
    captioner = load(spec, **given)
    candidates, rate = propose(captioner, grids.astype(np.float32), args.n)

    rng = np.random.default_rng(1)
    told = [table["train"][f][int(rng.integers(5))] for f in rng.permutation(sorted(set(train) - set(files)))[:300]]
    bank = encoder.encode("text", told)
    picks = {
        "first beam": [0] * len(files),
        "chosen by embeddings": chosen(candidates, vectors, encoder, bank, ChoiceSettings({"vision": 1.0}, **choice)),
        "chance": [int(rng.integers(len(c))) for c in candidates],
    }
    report: dict[str, Any] = {"split": args.split, "pictures": len(files), "pictures a second": round(rate, 1),
                              "candidates": float(np.mean([len(c) for c in candidates]))}  # fmt: skip
    per_picture = {}
    for name, pick in picks.items():
        per_picture[name], report[name] = score([c[k] for c, k in zip(candidates, pick, strict=True)], references)
    for other in ("first beam", "chance"):
        result = compare(per_picture[other], per_picture["chosen by embeddings"])
        report[f"chosen - {other}"] = f"{result.difference} p {result.p:.4f}"
    for k in np.random.default_rng(3).permutation(len(files))[: args.examples].tolist():
        report.setdefault("examples", []).append(
            {"file": files[k], "said": candidates[k][picks["chosen by embeddings"][k]], "first beam": candidates[k][0],
             "CIDEr-D": round(float(per_picture["chosen by embeddings"][k]), 2), "a human": references[k][0]}
        )  # fmt: skip
    json.dump(report, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
