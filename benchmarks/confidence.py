"""Does confidence mean what it says? python benchmarks/confidence.py CLIPS --work FOLDER [--recordings LABELS.csv]

CLIPS holds clips, MANIFEST.csv (file, yamnet_top3: "Speech 0.54 | Music 0.1") and captions.jsonl (file, caption,
dataset_captions). Asked are
- texts: captions; the words of benchmarks/classify.py, right where a third of a clip's captions say so; and what no
  clip answers, in a few words (ABSENT) and in sentences as long as the captions (ABSENT_SENTENCES);
- pictures: of each clip a part of a frame, mirrored, with the clip and without it;
- sounds: the recordings of fold 4 that LABELS.csv (file, label, source, fold) calls esc10, asked of the others, and of
  the others but for those of its label;
- sounds of clips: three seconds of each clip, with it and without it. Clips in which YAMNet hears the same above all
  are right, too; what it says of speech and music is vague, so no curve is chosen by these.

Clips are split by seed, as in benchmarks/moments.py, other texts one by one, recordings by label. Curves and threshold
are chosen on "tuning" alone; "held-out" says what they are worth. All clips are in the index in either case. What the
index says is taken as it comes; "before" takes the shipped curve off. `shown` is fitted by training/fit_confidence.py.

Prints one JSON report: for each kind of query the curve of the tuning half, and for both halves the figures, with
bounds, and the bins of the reliability diagram before and after.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts
from classify import SEEN, fold_four, seen_truth

import vidembed
from vidembed.evaluation.bootstrap import interval_of
from vidembed.evaluation.calibrating import fit_curve, on_curve
from vidembed.evaluation.metrics import roc_auc
from vidembed.evaluation.trust import calibration_error, chance_error, reliability, wilson
from vidembed.media.editing.ffmpeg import find_ffmpeg
from vidembed.search.confidence import Curve
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
ABSENT_SENTENCES = (
    "a group of penguins walks over the ice towards the sea", "a bride and a groom cut a tall white cake",
    "two astronauts float inside a space station", "a herd of elephants crosses a river at sunset",
    "a surgeon in green clothes operates on a patient", "an old man feeds pigeons on a bench in a square",
    "a train pulls into a crowded station in the morning", "children build a sandcastle on a wide beach",
    "a skier jumps over a snowy slope in the mountains", "soldiers march past a stage in a parade",
    "a man in a white coat mixes liquids in a laboratory", "a girl in a red dress plays the violin on a stage",
    "a football player scores a goal and runs to the crowd", "two boxers hit each other in a ring under lights",
    "a horse jumps over a fence in front of a judge", "a fisherman pulls a net full of fish out of the water",
    "a plane lands on a runway in heavy rain", "a farmer drives a tractor over a brown field",
    "a waiter carries three plates through a restaurant", "fire fighters spray water on a burning house",
    "a surfer rides a huge wave near the rocks", "a woman sews a blue dress with an old machine",
    "a teacher writes numbers on a blackboard in a classroom", "hot air balloons rise over a desert at dawn",
    "a whale jumps out of the sea beside a small ship", "a boy blows out the candles on a birthday cake",
    "swimmers dive into the pool at the start of a race", "a potter shapes a vase on a turning wheel",
    "a man chops wood with an axe in front of a hut", "a nurse pushes a wheelchair along a hospital corridor",
    "golfers walk over the green after the last putt", "a spider spins its web between two branches",
    "lightning strikes a tower above the skyscrapers", "a choir in black robes sings in a church",
    "an escalator full of people in a shopping mall", "a bee sits on a sunflower and flies away",
    "a crane lifts steel beams at a building site", "a magician pulls a rabbit from a hat on a stage",
    "a volcano throws glowing lava into the night sky", "a postman rides a bicycle and brings letters to a farm",
    "a couple skates hand in hand on a frozen lake", "a judge in a wig speaks in a court room",
    "a gymnast swings on the high bar and lands", "a turtle swims over a coral reef",
    "a barber cuts the beard of a man with a razor", "a camel carries a tourist through the dunes",
    "workers pick grapes in a vineyard on a hill", "a helicopter rescues a climber from a cliff",
    "a chess player moves his queen and stops the clock", "a baker takes bread out of a stone oven",
    "a diver looks at a shark through a cage", "a flock of sheep blocks a narrow country lane",
    "fireworks explode above a bridge on new year's eve", "a politician shakes hands with a crowd of voters",
    "a pianist in a tuxedo bows to the audience", "an owl turns its head on a branch at night",
    "a kite flies high above a green meadow", "a rocket lifts off from its launch pad",
    "a monk lights candles in a temple", "a dentist looks into the mouth of a boy",
)  # fmt: skip
SHOWN_WITHOUT = 0.08  # of questions without an answer, the share that may be shown as good


@dataclass(frozen=True)
class Asked:
    kind: str  # "text", "picture", "sound", "sound of a clip"
    owner: str  # what it was made from: questions of one owner are not independent
    tuning: bool
    answerable: bool
    right: bool
    confidence: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the index, frames and sounds")
    parser.add_argument("--recordings", type=Path, help="labels.csv of recordings")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", default="starter")
    args = parser.parse_args()
    with (args.clips / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        heard = {row["file"]: first_class(row["yamnet_top3"]) for row in csv.DictReader(file)}
    names = sorted(heard)
    tuning = frozenset(random.Random(args.seed).sample(names, len(names) // 2))
    with vidembed.open_index(args.work / "index", profile=args.profile, create=True) as index:
        index.add(args.clips, channels=[name for name in ("vision", "sound") if name in index.config.channels])
        asked = [*texts(index, args.clips, tuning), *parts_of(index, args.work, tuning, heard)]
        asked += recordings(args) if args.recordings else []
        shipped = index.parts.searcher.curves.kinds
        threshold = index.config.search.min_confidence
    kinds = dict.fromkeys(one.kind for one in asked)
    report = {kind: figures([one for one in asked if one.kind == kind], shipped, threshold) for kind in kinds}
    print(json.dumps({**report, "threshold": threshold, "machine": facts(["qdrant-edge-py"])}, indent=1, default=str))


def texts(index: vidembed.VideoIndex, clips: Path, tuning: frozenset[str]) -> Iterator[Asked]:
    """Captions, single words, and what nothing answers; every other one of these is for tuning."""
    for line in (clips / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        for text in dict.fromkeys([entry["caption"], *entry["dataset_captions"][:3]]):
            if text:
                right = {entry["file"]}
                yield ask(index, "text", Query.text(text), right, entry["file"], entry["file"] in tuning)
    for texts_without in (ABSENT, ABSENT_SENTENCES):
        for number, text in enumerate(texts_without):
            yield ask(index, "text", Query.text(text), set(), text, number % 2 == 0)
    truth = seen_truth(clips)
    for number, word in enumerate(SEEN):
        right = {file for file, own in truth.items() if own.get(word)}
        unclear = {file for file, own in truth.items() if word not in own}
        if index.search(word, k=1)[0].path.name not in unclear:
            yield ask(index, "text", Query.text(word), right, word, number % 2 == 0)


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
        heard_s = ("-t", "3", "-ac", "1")
        made.append(("sound of a clip", cut(file, out.with_suffix(".wav"), max(0.0, middle - 1.5), *heard_s)))
        for kind, part in made:
            if part is None:
                continue
            query = Query.image(part) if kind == "picture" else Query.audio(part)
            own = heard[file.name] if kind == "sound of a clip" else None
            alike = {name for name, what in heard.items() if own and what == own}
            with_it, without = alike | {file.name}, alike - {file.name}
            try:
                found = [
                    ask(index, kind, query, with_it, file.name, owner),
                    ask(index, kind, query, without, file.name, owner, rest),
                ]
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


def recordings(args: argparse.Namespace) -> Iterator[Asked]:
    """Each recording of fold 4, asked of the others, and of those of other labels; every other label is for tuning."""
    truth = fold_four(args.recordings, args.work / "recordings")
    labels = sorted({label for own in truth.values() for label in own})
    with vidembed.open_index(args.work / "recordings-index", profile=args.profile, create=True) as index:
        index.add(args.work / "recordings", channels=["sound"])
        ids = {next(iter(record.paths)).name: record.info.video_id for record in index.videos()}
        for name, own in truth.items():
            query, label = Query.audio(args.work / "recordings" / name), next(iter(own))
            alike = {other for other in truth if truth[other] == own} - {name}
            tuning = labels.index(label) % 2 == 0
            for right in (alike, set()):
                among = [ids[other] for other in truth if other != name and (right or other not in alike)]
                yield ask(index, "sound", query, right, label, tuning, Filter(videos=tuple(among)))


def ask(
    index: vidembed.VideoIndex,
    kind: str,
    query: Query,
    right: set[str],
    owner: str,
    tuning: bool,
    where: Filter | None = None,
) -> Asked:
    best = index.search(query, k=1, where=where)[0]
    return Asked(kind, owner, tuning, bool(right), best.path.name in right, best.confidence)


def figures(asked: list[Asked], shipped: Any, threshold: float) -> dict[str, Any]:
    """Of one kind: the curve of the tuning half, and how good it is on both."""
    kind = asked[0].kind
    used = shipped.get(kind.partition(" ")[0], Curve())
    plain = np.array([used.before(one.confidence) for one in asked])
    right = np.array([one.right for one in asked])
    answerable = np.array([one.answerable for one in asked])
    tuned = np.array([one.tuning for one in asked])
    owners = np.array([one.owner for one in asked])
    curve = fit_curve(plain[tuned], right[tuned])
    moved = on_curve(plain, curve)
    enough = [t for t in np.arange(0.05, 1, 0.01) if (moved[tuned & ~answerable] >= t).mean() <= SHOWN_WITHOUT]
    return {
        "curve of the tuning half": asdict(curve),
        "shipped curve": asdict(used),
        "least threshold by the tuning half": round(float(min(enough)), 2),
        **{
            half: {
                name: row(sure[here], right[here], answerable[here], owners[here].tolist(), threshold)
                for name, sure in (("before", plain), ("tuned", moved), ("as shipped", on_curve(plain, used)))
            }
            for half, here in (("tuning", tuned), ("held-out", ~tuned), ("all", tuned | ~tuned))
        },
    }


def row(sure: Any, right: Any, answerable: Any, owners: list[str], threshold: float) -> dict[str, Any]:
    return {
        "answers": len(sure),
        "right": int(right.sum()),
        "ECE": round(calibration_error(sure, right), 3),
        "ECE by chance, at most": [round(one, 3) for one in chance_error(sure)],
        "area, answer or none": area(sure, answerable, owners),
        "area, right or wrong": area(sure, right, owners),
        "right shown as good": share(sure[right] >= threshold),
        "without answer shown as good": share(sure[~answerable] >= threshold),
        "bins": [[round(value, 2) for value in asdict(one).values()] for one in reliability(sure, right)],
    }


def area(sure: Any, truth: Any, owners: list[str]) -> str:
    return str(interval_of(lambda at: roc_auc(sure[at][truth[at]], sure[at][~truth[at]]), owners))


def share(values: Any) -> str:
    low, high = wilson(float(values.mean()), len(values))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
