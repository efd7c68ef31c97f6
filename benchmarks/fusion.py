"""Does a second lane help, and does it cost the first? python benchmarks/fusion.py CLIPS --work FOLDER

CLIPS holds clips, MANIFEST.csv (file, sound) and captions.jsonl (file, caption, dataset_captions). Every caption is
asked for its clip, and every name in the column `sound` for all clips that have it: by pictures alone, by sound alone,
and by both with each way of fusing. What is left out of the sound names (speech, music, silence) says nothing special.

    python benchmarks/fusion.py --stills STILLS --sounds SOUNDS --work FOLDER

is a set to choose by, that shares nothing with CLIPS: STILLS holds captions.csv (file, split, caption), pictures of
the split "dev" are shown for five seconds each, every second one with a sound of SOUNDS/labels.csv (file, label, fold)
of fold 4 that has nothing to do with it.

Prints one JSON report: R@1, R@5, MRR of videos, and the paired comparison with pictures alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts

import vidembed
from vidembed.evaluation import compare
from vidembed.evaluation.assemble import Piece, assemble
from vidembed.evaluation.metrics import rank_report, reciprocal_ranks
from vidembed.search.fusion import FUSIONS

PLAIN_SOUNDS = {"", "speech", "music", "silent track", "thud, speech"}


@dataclass(frozen=True)
class Asked:
    text: str
    right: frozenset[str]  # file names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?")
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--sounds", type=Path)
    parser.add_argument("--count", type=int, default=160, help="stills")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, required=True, help="folder for the index")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--fusion", nargs="*", default=list(FUSIONS), choices=FUSIONS)
    parser.add_argument("--search-set", action="append", default=[], help="a setting for search alone; vectors stay")
    args = parser.parse_args()
    if args.clips:
        folder, captions, sounds = args.clips, *read_clips(args.clips)
    elif args.stills and args.sounds:
        folder = args.work / "videos"
        captions, sounds = make_stills(args, folder)
    else:
        parser.error("give CLIPS, or --stills and --sounds")
    with vidembed.open_index(args.work / "index", profile=args.profile, create=True) as index:
        index.add(folder, channels=["vision", "sound"])
    with vidembed.open_index(args.work / "index", overrides=args.search_set, readonly=True) as index:
        names = {record.info.video_id: {path.name for path in record.paths} for record in index.videos()}
        ways: dict[str, dict[str, Any]] = {
            "vision alone": {"channels": ["vision"]},
            "sound alone": {"channels": ["sound"]},
            **{f"both, {name}": {"channels": ["vision", "sound"], "fusion": name} for name in args.fusion},
        }
        ranks = {
            way: {
                group: np.array([rank(index, names, one, options) for one in asked])
                for group, asked in (("captions", captions), ("sounds", sounds))
            }
            for way, options in ways.items()
        }
        settings = index.config.search.model_dump()
    owners = [str(sorted(one.right)) for one in captions]
    plain = reciprocal_ranks(ranks["vision alone"]["captions"])
    report = {
        "videos": len(names),
        "captions": len(captions),
        "sounds": len(sounds),
        "figures": {way: {group: figures(r) for group, r in of.items()} for way, of in ranks.items()},
        "MRR of captions against vision alone": {
            way: str(compare(plain.tolist(), reciprocal_ranks(of["captions"]).tolist(), groups=owners))
            for way, of in ranks.items()
            if way.startswith("both")
        },
        "search": settings,
        "machine": facts(["torch", "qdrant-edge-py"]),
    }
    print(json.dumps(report, indent=1, default=str))


def rank(index: vidembed.VideoIndex, names: dict[str, set[str]], asked: Asked, options: dict[str, Any]) -> float:
    """Of the first right video; infinity when it is not among the first fifty."""
    found = index.search(asked.text, k=50, group_by_video=True, **options)
    return next((float(i) for i, m in enumerate(found, start=1) if names[m.video_id] & asked.right), float("inf"))


def figures(ranks: np.ndarray) -> dict[str, float]:
    report = rank_report(ranks, cuts=(1, 3, 5))
    return {name: round(report[name], 3) for name in ("R@1", "R@3", "R@5", "MRR")}


def read_clips(folder: Path) -> tuple[list[Asked], list[Asked]]:
    captions = []
    for line in (folder / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        texts = dict.fromkeys([entry["caption"], *entry["dataset_captions"]])
        captions += [Asked(text, frozenset([entry["file"]])) for text in texts if text]
    having: dict[str, set[str]] = {}
    with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["sound"] not in PLAIN_SOUNDS:
                having.setdefault(row["sound"], set()).add(row["file"])
    return captions, [Asked(name, frozenset(files)) for name, files in sorted(having.items())]


def make_stills(args: argparse.Namespace, folder: Path) -> tuple[list[Asked], list[Asked]]:
    """Videos of one still each, two captions asked of each, and the names of all sounds."""
    captions: dict[str, list[str]] = {}
    with next(_existing(args.stills)).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == "dev":
                captions.setdefault(row["file"], []).append(row["caption"])
    with (args.sounds / "labels.csv").open(encoding="utf-8", newline="") as file:
        heard = [(row["file"], row["label"]) for row in csv.DictReader(file) if row["fold"] == "4"]
    rng = random.Random(args.seed)
    stills = rng.sample(sorted(captions), args.count)
    rng.shuffle(heard)
    asked, having = [], dict[str, set[str]]()
    for number, still in enumerate(stills):
        out = folder / f"{Path(still).stem}.mkv"
        sound = heard[number // 2 % len(heard)] if number % 2 == 0 else None
        if sound is not None:
            having.setdefault(sound[1], set()).add(out.name)
        if not out.exists():
            track = None if sound is None else args.sounds / sound[0]
            assemble([Piece(out.stem, 5.0, args.stills / still, track)], out, cache=args.work / "pieces")
        asked += [Asked(text, frozenset([out.name])) for text in captions[still][:2]]
    return asked, [Asked(name, frozenset(files)) for name, files in sorted(having.items())]


def _existing(folder: Path) -> Iterator[Path]:
    return (path for path in (folder / "captions.csv", folder / "flickr8k" / "captions.csv") if path.is_file())


if __name__ == "__main__":
    main()
