"""Does a second channel help, and does it cost the first? python benchmarks/fusion.py CLIPS --work FOLDER

CLIPS holds clips, MANIFEST.csv (file, sound) and captions.jsonl (file, caption, dataset_captions). Every caption is
asked for its clip, and every name in the column `sound` for all clips that have it: by pictures alone, by sound alone,
and by both with each way of fusing. What is left out of the sound names (speech, music, silence) says nothing special.

The clips are split by seed, as in benchmarks/moments.py: choose settings by "tuning" alone, "held-out" says what they
are worth. All clips are in the index in either case.

Prints one JSON report: R@1, R@3, R@5, MRR of videos, the rank of each sound, and the paired comparison of captions with
pictures alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts

import vidembed
from vidembed.evaluation import compare
from vidembed.evaluation.metrics import rank_report, reciprocal_ranks
from vidembed.search.fusion import FUSIONS
from vidembed.types import Caption, Query, Term

ALIKE = {
    "baby cry": "baby crying", "dog bark": "dog howl", "car engine": "car engine knocking",
    "car": "car engine knocking", "bird": "canary calling", "birds": "canary calling",
}  # fmt: skip
# A text with something excluded; words of captions that make a clip right, and that make it wrong.
NEGATIONS = (
    ("an animal, not a dog", r"cat|bears?|canary|rabbit|lion|animals?", r"dog"),
    ("a drum without a child", r"drums?", r"child|baby|toddler"),
    ("music, not drums", r"bass|sing|singing|sings|flute|guitar", r"drums?|drumming"),
    ("a car without people", r"cars?|jeep", r"man|woman|men|people|gamer"),
    ("a woman, not in a kitchen", r"woman|lady", r"kitchen|cook|cooking|rice|pancake"),
    ("sports, not tennis", r"lifter|barbell|wrestle|yoga|motorcycle", r"tennis"),
    ("a man without a guitar", r"man", r"guitar|bass"),
)  # fmt: skip
PLAIN_SOUNDS = {"", "speech", "music", "silent track", "thud, speech"}


@dataclass(frozen=True)
class Asked:
    text: str | Query
    right: frozenset[str]  # file names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the index")
    parser.add_argument("--recordings", type=Path, help="labels.csv (file, label, source, fold): sounds as queries")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--fusion", nargs="*", default=list(FUSIONS), choices=FUSIONS)
    parser.add_argument("--search-set", action="append", default=[], help="a setting for search alone; vectors stay")
    parser.add_argument("--noise", action="store_true", help="measure what wrong captions do, in an index of its own")
    args = parser.parse_args()
    captions, sounds = read_clips(args.clips)
    tuning = tuning_half(args.clips, args.seed)
    with vidembed.open_index(args.work / "index", profile=args.profile, create=True) as index:
        index.add(args.clips, channels=["vision", "sound"])
    with vidembed.open_index(args.work / "index", overrides=args.search_set, readonly=True) as index:
        names = {record.info.video_id: {path.name for path in record.paths} for record in index.videos()}
        excluded = negations(index, args.clips)
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
        heard = recordings(args.recordings, sounds) if args.recordings else []
        as_queries = {
            way: figures(np.array([rank(index, names, one, options) for one in heard])) for way, options in ways.items()
        }
    halves = {
        half: {
            group: np.array([half == "all" or (half == "tuning") == bool(one.right & tuning) for one in asked])
            for group, asked in (("captions", captions), ("sounds", sounds))
        }
        for half in ("tuning", "held-out", "all")
    }
    owners = np.array([str(sorted(one.right)) for one in captions])
    report = {
        "videos": len(names),
        "captions": len(captions),
        "sounds": len(sounds),
        "figures": {
            half: {way: {g: figures(r[within[g]]) for g, r in of.items()} for way, of in ranks.items()}
            for half, within in halves.items()
        },
        "rank of each sound": {
            way: {one.text: int(r) if np.isfinite(r) else None for one, r in zip(sounds, of["sounds"], strict=True)}
            for way, of in ranks.items()
        },
        "MRR of captions against vision alone": {
            half: {
                way: against(ranks["vision alone"]["captions"], of["captions"], within["captions"], owners)
                for way, of in ranks.items()
                if way.startswith("both")
            }
            for half, within in halves.items()
        },
        "recordings as queries": {"queries": len(heard), "figures": as_queries} if heard else {},
        "negations": excluded,
        "captions that are wrong": caption_noise(args, captions, tuning) if args.noise else {},
        "search": settings,
        "machine": facts(["torch", "qdrant-edge-py"]),
    }
    print(json.dumps(report, indent=1, default=str))


def rank(index: vidembed.VideoIndex, names: dict[str, set[str]], asked: Asked, options: dict[str, Any]) -> float:
    """Of the first right video; infinity when it is not among the first fifty."""
    found = index.search(asked.text, k=50, group_by_video=True, **options)
    return next((float(i) for i, m in enumerate(found, start=1) if names[m.video_id] & asked.right), float("inf"))


def negations(index: vidembed.VideoIndex, clips: Path) -> dict[str, Any]:
    """Place of the first right and of the first excluded clip, with the text taken apart and taken at its word."""
    told = {}
    for line in (clips / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        told[entry["file"]] = " ".join([entry["caption"], *entry["dataset_captions"]]).lower()
    made = {}
    for text, has, lacks in NEGATIONS:
        wrong = {file for file, words in told.items() if re.search(rf"\b(?:{lacks})\b", words)}
        right = {file for file, words in told.items() if re.search(rf"\b(?:{has})\b", words)} - wrong
        ways = {"excluded": Query.text(text), "as is": Query((Term("text", text, literal=True),))}
        for way, query in ways.items():
            order = [moment.path.name for moment in index.search(query, k=len(told), group_by_video=True)]
            made[f"{text}, {way}"] = {
                name: next((place for place, file in enumerate(order, start=1) if file in files), None)
                for name, files in (("first right", right), ("first excluded", wrong))
            }
    return made


def caption_noise(args: argparse.Namespace, captions: list[Asked], tuning: frozenset[str]) -> dict[str, Any]:
    """Captions of other clips, marked unsure and then sure, written to half of the clips: what becomes of the answers.

    The other half has its own captions. Asked is for the clips of that half, whose places wrong captions can only take:
    what they cost is the difference to "right ones alone".
    """
    first = {next(iter(one.right)): str(one.text) for one in reversed(captions)}
    others = sorted(set(first) - tuning)
    wrong = {file: first[others[number % len(others)]] for number, file in enumerate(sorted(tuning & set(first)))}
    asked = [one for one in captions if next(iter(one.right)) in others and str(one.text) in first.values()]
    found = {}
    for way, sure in (
        ("none", None),
        ("right ones alone", None),
        ("wrong ones unsure", False),
        ("wrong ones sure", True),
    ):
        folder = args.work / f"noise-{way.replace(' ', '-')}"
        with vidembed.open_index(folder, profile=args.profile, create=True) as index:
            index.add(args.clips, channels=["vision"])
            names = {record.info.video_id: {path.name for path in record.paths} for record in index.videos()}
            if way != "none":
                for record in index.videos():
                    file = next(iter(names[record.info.video_id]))
                    text = first.get(file) if file not in wrong else wrong[file] if sure is not None else None
                    for clip in index.parts.catalog.videos.clips(record.info.video_id) if text else ():
                        kept = Caption(clip, text, 1.0, (), "noise", confident=bool(sure) or file not in wrong)
                        index.parts.catalog.captions.put([kept])
                index.add(args.clips, channels=["vision", "caption"])
            found[way] = figures(np.array([rank(index, names, one, {}) for one in asked]))
    return found


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


def recordings(labels: Path, sounds: list[Asked]) -> list[Asked]:
    """Recordings of what can be heard in some clip, as queries for these; of ESC-10 fold 4, which trained nothing."""
    right = {one.text: one.right for one in sounds}
    with labels.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] != "esc10" or row["fold"] == "4"]
    return [
        Asked(Query.audio(labels.parent / row["file"]), right[ALIKE[row["label"]]])
        for row in rows
        if ALIKE.get(row["label"]) in right
    ]


def tuning_half(folder: Path, seed: int) -> frozenset[str]:
    """The same files as the tuning half of benchmarks/moments.py."""
    with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        names = sorted(row["file"] for row in csv.DictReader(file))
    return frozenset(random.Random(seed).sample(names, len(names) // 2))


def against(plain: np.ndarray, other: np.ndarray, within: np.ndarray, owners: np.ndarray) -> str:
    before, after = (reciprocal_ranks(ranks[within]).tolist() for ranks in (plain, other))
    return str(compare(before, after, groups=owners[within].tolist()))


if __name__ == "__main__":
    main()
