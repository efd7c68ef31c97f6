"""How good are tags from one's own words? python benchmarks/classify.py CLIPS --work FOLDER [--sounds LABELS.csv]

CLIPS holds clips and captions.jsonl (file, caption, dataset_captions). Things to see: 30 words, a clip has one where at
least a third of its captions say so, and has it not where none does; what lies between is not counted. Sounds: the
recordings of fold 4 that LABELS.csv (file, label, source, fold) calls esc10, with their ten labels and twenty that none
has. A clip is given several labels or none, or one or none.

Beside the default threshold stands the raw cosine: of each clip the nearest label, whatever it is. Prints one JSON
report: precision of what was said, coverage (share of the true labels that were said), clips left without a label.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts

import vidembed
from vidembed.index.classifying import SURE
from vidembed.search.calibration import encode_texts

SEEN = {
    "man": "man men guy", "woman": "woman women lady girl", "baby": "baby toddler child", "dog": "dogs? collie puppy",
    "cat": "cats? kitten", "bird": "birds? canary", "bear": "bears?", "lion": "lions?", "horse": "horses?",
    "car": "cars? bmw taxis?", "motorcycle": "motorcycles?", "bicycle": "bicycles? bikes?", "boat": "boats?",
    "airplane": "airplanes?", "drum kit": "drums? drummers?", "guitar": "guitars?", "piano": "pianos?",
    "kitchen": "kitchen", "cooking": "cook(s|ing)? pancake frying rice", "tennis": "tennis", "football": "football",
    "dancing": "danc(e|es|ing)", "yoga": "yoga", "weight lifting": "barbell weight(s|lifter)? lift(s|ing)",
    "beach": "beach", "snow": "snow(storm)?", "street": "street road traffic city",
    "animation": "animat(ed|ion) cartoon", "video game": "game", "elephant": "elephants?",
}  # fmt: skip
UNHEARD = [
    "piano", "guitar", "applause", "car horn", "gunshots", "snoring", "typing", "train", "siren", "cat meow",
    "church bells", "footsteps", "violin", "toilet flush", "coughing", "glass breaking", "drum", "laughing", "airplane",
    "speech", "music",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the indexes")
    parser.add_argument("--sounds", type=Path, help="labels.csv of recordings")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--threshold", type=float, default=SURE)
    args = parser.parse_args()
    report: dict[str, Any] = {"threshold": args.threshold, "machine": facts(["torch"])}
    with vidembed.open_index(args.work / "seen", profile=args.profile, create=True) as index:
        index.add(args.clips, channels=["vision"])
        report["seen"] = measured(index, "vision", list(SEEN), seen_truth(args.clips), args.threshold)
    if args.sounds is not None:
        truth = fold_four(args.sounds, args.work / "sounds")
        labels = [*sorted({label for one in truth.values() for label in one}), *UNHEARD]
        with vidembed.open_index(args.work / "heard", profile=args.profile, create=True) as index:
            index.add(args.work / "sounds", channels=["sound"])
            full = {name: {label: label in own for label in labels} for name, own in truth.items()}
            report["heard"] = measured(index, "sound", labels, full, args.threshold)
    print(json.dumps(report, indent=1))


def measured(
    index: vidembed.VideoIndex,
    channel: str,
    labels: Sequence[str],
    truth: Mapping[str, Mapping[str, bool]],
    threshold: float,
) -> dict[str, Any]:
    """truth: file name -> label -> whether it has it; a label that is not there is not counted."""
    said = {}
    for kind in ("several", "one_of"):
        found = index.classify({"label": {kind: list(labels), "channels": [channel]}}, threshold=threshold)
        said[kind] = {(one.path.name, one.label) for one in found}
    return {
        "clips": len(truth),
        "labels": len(labels),
        "true labels": sum(sum(own.values()) for own in truth.values()),
        "calibrated, several or none": figures(said["several"], truth),
        "calibrated, one or none": figures(said["one_of"], truth),
        "nearest by raw cosine": figures(nearest(index, channel, labels), truth),
    }


def nearest(index: vidembed.VideoIndex, channel: str, labels: Sequence[str]) -> set[tuple[str, str]]:
    """The label of the highest cosine of each video, by its clips' vectors."""
    loaded = index.parts.channels[channel]
    texts = encode_texts(loaded, list(labels))
    assert texts is not None
    best: dict[str, tuple[float, str]] = {}
    for batch in index.parts.store.scan(loaded.collection):
        for row in batch:
            scores = texts @ np.asarray(row.vector)
            at = int(np.argmax(scores))
            name = index.path_of(row.clip.video_id).name
            best[name] = max(best.get(name, (-2.0, "")), (float(scores[at]), labels[at]))
    return {(name, label) for name, (_, label) in best.items()}


def figures(said: set[tuple[str, str]], truth: Mapping[str, Mapping[str, bool]]) -> dict[str, float | int]:
    counted = [truth[name][label] for name, label in said if label in truth.get(name, {})]
    every = sum(sum(own.values()) for own in truth.values())
    without = sum(not any(name == one for one, _ in said) for name in truth)
    return {
        "said": len(counted),
        "precision": round(float(np.mean(counted)), 3) if counted else 0.0,
        "coverage": round(sum(counted) / every, 3),
        "clips without a label": without,
    }


def seen_truth(folder: Path) -> dict[str, dict[str, bool]]:
    patterns = {label: re.compile(rf"\b({'|'.join(words.split())})\b") for label, words in SEEN.items()}
    truth = {}
    for line in (folder / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        captions = [text.lower() for text in dict.fromkeys([entry["caption"], *entry["dataset_captions"]]) if text]
        shares = {label: np.mean([bool(p.search(text)) for text in captions]) for label, p in patterns.items()}
        truth[entry["file"]] = {label: bool(s > 0) for label, s in shares.items() if s == 0 or s >= 1 / 3}
    return truth


def fold_four(labels: Path, into: Path) -> dict[str, set[str]]:
    """File name -> its labels; the recordings are copied, as an index takes a folder."""
    into.mkdir(parents=True, exist_ok=True)
    truth = {}
    with labels.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["source"] == "esc10" and row["fold"] == "4":
                source = labels.parent / row["file"]
                if not (into / source.name).exists():
                    shutil.copy(source, into / source.name)
                truth[source.name] = {row["label"]}
    return truth


if __name__ == "__main__":
    main()
