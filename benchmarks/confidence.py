"""Does confidence mean what it says? python benchmarks/confidence.py CLIPS --work FOLDER

CLIPS holds clips, MANIFEST.csv (file, yamnet_top3: "Speech 0.54 | Music 0.1") and captions.jsonl (file, caption,
dataset_captions). Asked are the captions and questions that no clip answers (ABSENT), and of each clip a part of a
frame, mirrored, and three seconds of its sound: once with the clip and once without it. A sound is also answered by
clips in which YAMNet hears the same above all.

The clips are split by seed, as in benchmarks/moments.py. Curves and threshold are chosen on "tuning" alone; "held-out"
says what they are worth. All clips are in the index in either case. What the index says is taken as it comes; "before"
takes the shipped curve off.

Prints one JSON report: curves and threshold by kind of query, and for both halves the figures and the bins of the
reliability diagram before and after.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts

import vidembed
from vidembed.evaluation.metrics import roc_auc
from vidembed.evaluation.trust import calibration_error, chance_error, fit_curve, on_curve, reliability
from vidembed.media.editing.ffmpeg import find_ffmpeg
from vidembed.search.confidence import KINDS, Curve
from vidembed.types import Filter, Query

ABSENT = (
    "penguins on the ice", "a spaceship lands", "a polar expedition", "an elephant in the savanna",
    "a wedding in a church", "a surgeon operates", "a chess game", "a waterfall", "a helicopter lands on a roof",
    "a ferris wheel at night", "children building a snowman", "a sushi chef", "a train arrives at a station",
    "a violin concert", "a soldier marching", "a swimming competition", "a boxing match", "a giraffe eating leaves",
    "a volcano erupting", "a teacher at a blackboard", "somebody plays golf", "a horse race", "a snake in the grass",
    "a plane takes off", "a library with books", "an astronaut floating", "fireworks over a city", "a person skiing",
    "a camel in the desert", "a pizza in the oven", "thunder", "church bells", "a siren", "a rooster crowing",
    "a helicopter", "applause", "a train horn", "glass breaking",
)  # fmt: skip
SHOWN_WITHOUT = 0.08  # of questions without an answer, the share that may be shown as good


@dataclass(frozen=True)
class Asked:
    kind: str
    tuning: bool
    answerable: bool
    right: bool
    confidence: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the index, frames and sounds")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", default="starter")
    args = parser.parse_args()
    with (args.clips / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        heard = {row["file"]: first_class(row["yamnet_top3"]) for row in csv.DictReader(file)}
    names = sorted(heard)
    tuning = frozenset(random.Random(args.seed).sample(names, len(names) // 2))
    with vidembed.open_index(args.work / "index", profile=args.profile, create=True) as index:
        index.add(args.clips, channels=["vision", "sound"])
        asked = [*texts(index, args.clips, tuning), *parts_of(index, args.work, tuning, heard)]
        shipped = index.parts.searcher.curves.kinds
        threshold = index.config.search.min_confidence
    report = {kind: figures([one for one in asked if one.kind == kind], shipped, threshold) for kind in KINDS}
    print(json.dumps({**report, "threshold": threshold, "machine": facts(["qdrant-edge-py"])}, indent=1, default=str))


def texts(index: vidembed.VideoIndex, clips: Path, tuning: frozenset[str]) -> list[Asked]:
    """Captions, and questions that nothing answers; every other one of these is for tuning."""
    asked = []
    for line in (clips / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        for text in dict.fromkeys([entry["caption"], *entry["dataset_captions"][:3]]):
            if text:
                asked.append(ask(index, "text", Query.text(text), {entry["file"]}, entry["file"] in tuning))
    for number, text in enumerate(ABSENT):
        asked.append(ask(index, "text", Query.text(text), set(), number % 2 == 0))
    return asked


def first_class(top3: str | None) -> str | None:
    """The class that YAMNet is surest of, from a confidence of 0.15 on."""
    name, _, share = (top3 or "").partition("|")[0].strip().rpartition(" ")
    return name if name and float(share) >= 0.15 else None


def parts_of(
    index: vidembed.VideoIndex, work: Path, tuning: frozenset[str], heard: dict[str, str | None]
) -> list[Asked]:
    """A part of each clip's picture and sound, asked with the clip and without it."""
    asked = []
    everything = [record.info.video_id for record in index.videos()]
    for record in index.videos():
        file, middle = next(iter(record.paths)), record.info.duration_s / 2
        out, owner = work / "parts" / file.stem, file.name in tuning
        rest = Filter(videos=tuple(i for i in everything if i != record.info.video_id))
        made = [("picture", cut(file, out.with_suffix(".png"), middle, "-vf", "crop=iw*0.8:ih*0.8,hflip"))]
        made.append(("sound", cut(file, out.with_suffix(".wav"), max(0.0, middle - 1.5), "-t", "3", "-ac", "1")))
        for kind, part in made:
            if part is None:
                continue
            query = Query.image(part) if kind == "picture" else Query.audio(part)
            alike = {name for name, what in heard.items() if kind == "sound" and what and what == heard[file.name]}
            with_it, without = alike | {file.name}, alike - {file.name}
            try:
                found = [ask(index, kind, query, with_it, owner), ask(index, kind, query, without, owner, rest)]
            except vidembed.VidembedError:  # silence asks for nothing
                continue
            asked += found
    return asked


def cut(file: Path, out: Path, at_s: float, *options: str) -> Path | None:
    """A piece of a file by ffmpeg; None where it has no such stream."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if not out.exists():
        single = ["-frames:v", "1"] if out.suffix == ".png" else ["-vn"]
        command = [find_ffmpeg(), "-v", "error", "-ss", f"{at_s:.3f}", "-i", str(file), *options, *single, str(out)]
        subprocess.run(command, check=False, capture_output=True)
    return out if out.exists() and out.stat().st_size > 100 else None


def ask(
    index: vidembed.VideoIndex, kind: str, query: Query, right: set[str], tuning: bool, where: Filter | None = None
) -> Asked:
    best = index.search(query, k=1, where=where)[0]
    return Asked(kind, tuning, bool(right), best.path.name in right, best.confidence)


def figures(asked: list[Asked], shipped: Any, threshold: float) -> dict[str, Any]:
    """Of one kind: the curve of the tuning half, and how good it is on both."""
    kind = asked[0].kind
    used = shipped.get(kind, Curve())
    plain = np.array([used.before(one.confidence) for one in asked])
    right = np.array([one.right for one in asked])
    answerable = np.array([one.answerable for one in asked])
    tuned = np.array([one.tuning for one in asked])
    curve = fit_curve(plain[tuned], right[tuned])
    moved = on_curve(plain, curve)
    enough = [t for t in np.arange(0.05, 1, 0.01) if (moved[tuned & ~answerable] >= t).mean() <= SHOWN_WITHOUT]
    return {
        "curve of the tuning half": asdict(curve),
        "shipped curve": asdict(used),
        "least threshold by the tuning half": round(float(min(enough)), 2),
        **{
            half: {
                name: row(sure[here], right[here], answerable[here], threshold)
                for name, sure in (("before", plain), ("tuned", moved), ("as shipped", on_curve(plain, used)))
            }
            for half, here in (("tuning", tuned), ("held-out", ~tuned), ("all", tuned | ~tuned))
        },
    }


def row(sure: Any, right: Any, answerable: Any, threshold: float) -> dict[str, Any]:
    return {
        "answers": len(sure),
        "right": int(right.sum()),
        "ECE": round(calibration_error(sure, right), 3),
        "ECE by chance, at most": [round(one, 3) for one in chance_error(sure)],
        "area, answer or none": round(roc_auc(sure[answerable], sure[~answerable]), 3),
        "area, right or wrong": round(roc_auc(sure[right], sure[~right]), 3),
        "right shown as good": round(float((sure[right] >= threshold).mean()), 3),
        "without answer shown as good": round(float((sure[~answerable] >= threshold).mean()), 3),
        "bins": [(b.low, b.count, round(b.confidence, 2), round(b.right, 2)) for b in reliability(sure, right)],
    }


if __name__ == "__main__":
    main()
