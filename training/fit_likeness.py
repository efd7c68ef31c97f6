"""Fit how surely what is like a sound was meant: python training/fit_likeness.py --data DATA --work FOLDER

Makes `known_sounds.npy` (the vectors of a phrase of each sound of sounds.json) and prints the weights of `likeness` of
sounds in `vidembed/search/confidence_curves.json`: a logistic regression of whether the first answer to a sound is
right on the channel's log-odds, the cosine and what both have in common of these sounds
(`vidembed.search.confidence.Likeness`).
Asked, in the channel of sound:

- each recording of ESC-10's folds 1 to 3, of the others of each fold, with those of its label and without: all ten
  labels; the sound network was trained on these folds, but is as sure of fold 4's. A label counts as 16 questions;
- the same of fold 4 for the five labels of the tuning half (benchmarks/confidence.py), once each;
- recordings of other labels (max and misc), of each fold: none is right; a third each;
- three seconds of each clip of the tuning half, with the clip and without it, twice each; clips are cut by their
  pictures, as they are in use.

Beside the weights, each label judged by the weights of the others, with what both have in common and without: of each
part the calibration error and the areas right or wrong and answer or none, and what is shown as good at 0.3.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import vidembed
from vidembed.evaluation.metrics import roc_auc
from vidembed.evaluation.trust import calibration_error
from vidembed.models.encoders.starter import StarterEncoder
from vidembed.search.confidence import Likeness, Names, shipped
from vidembed.types import Filter, Floats, Query

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from confidence import cut, first_class
from fit_confidence import fitted
from fusion import tuning_half
from sound_classes import SOUNDS

SHARP = 0.04  # of the names; 0.02 to 0.06 do as well
OTHERS = "other labels"
AMBIGUOUS = ("dog", "rain")  # labels of other recordings that one of the ten may answer


@dataclass(frozen=True)
class Recording:
    file: Path
    label: str
    fold: str  # "" = none of ESC-10's


@dataclass(frozen=True)
class Found:
    part: str
    label: str
    right: bool
    answerable: bool
    known: tuple[float, float, float]  # log-odds, cosine, what both have in common
    weight: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with audio/labels.csv and video/")
    parser.add_argument("--work", type=Path, required=True, help="folder for indexes and sounds")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    names = Names(known_sounds(), SHARP)
    np.save(args.work / "known_sounds.npy", names.rows.astype(np.float16))
    curves = shipped("starter")
    audio = replace(curves.likeness["audio"], names=names)
    with patch.dict(curves.likeness, audio=audio):
        found = [
            *of_recordings(args.data / "audio" / "labels.csv", args.work),
            *of_clips(args.data / "video", args.work),
        ]
    rows = np.array([(*one.known, 1.0) for one in found])
    right = np.array([one.right for one in found], dtype=np.float64)
    weight = np.array([one.weight for one in found])
    weights = fitted(rows, right, weight).round(3).tolist()
    print(json.dumps(dict(zip(("odds", "cosine", "common", "offset"), weights, strict=True))))
    for name, used in (("odds and cosine", rows[:, [0, 1, 3]]), ("and what both have in common", rows)):
        print(json.dumps({name: figures(found, by_other_labels(found, used, right, weight))}))


def known_sounds() -> Floats:
    """(N, 384) vectors of the first phrase of each sound that the tower was taught by name."""
    return StarterEncoder().encode("text", [sound.phrases[0] for sound in SOUNDS.values()])


def by_other_labels(found: Sequence[Found], rows: Floats, right: Floats, weight: Floats) -> Floats:
    """(F,) confidence of each label by the weights of the others."""
    labels, sure = np.array([one.label for one in found]), np.zeros(len(found))
    for label in set(labels):
        own = labels == label
        sure[own] = 1 / (1 + np.exp(-rows[own] @ fitted(rows[~own], right[~own], weight[~own])))
    return sure


def figures(found: Sequence[Found], sure: Floats) -> dict[str, Any]:
    parts = np.array([one.part for one in found])
    right, answerable = (np.array([getattr(one, name) for one in found]) for name in ("right", "answerable"))
    report: dict[str, Any] = {}
    for part in dict.fromkeys(parts):
        here = parts == part
        report[part] = {"answers": int(here.sum()), "ECE": round(calibration_error(sure[here], right[here]), 3)}
        if part != OTHERS:
            report[part] |= {
                name: round(roc_auc(sure[here & truth], sure[here & ~truth]), 3)
                for name, truth in (("right or wrong", right), ("answer or none", answerable))
            }
    here = parts != OTHERS
    for name, some in (("right", here & right), ("without an answer", here & ~answerable), (OTHERS, ~here)):
        report[f"{name}, at 0.3 or more"] = round(float((sure[some] >= 0.3).mean()), 3)
    return report


def of_recordings(labels: Path, work: Path) -> Iterator[Found]:
    with labels.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    all_ = [Recording(labels.parent / r["file"], r["label"], r["fold"] * (r["source"] == "esc10")) for r in rows]
    tuning = sorted({one.label for one in all_ if one.fold})[::2]
    for folds in ("123", "4"):
        among = [one for one in all_ if one.fold and one.fold in folds]
        with index_of([one.file for one in among], work / f"folds-{folds}") as index:
            ids = {record.paths[0].name: record.info.video_id for record in index.videos()}
            for one in among if folds == "123" else [one for one in among if one.label in tuning]:
                for fold in folds:
                    others = [other for other in among if other.fold == fold and other != one]
                    alike = {other.file.name for other in others if other.label == one.label}
                    rest = [other.file.name for other in others if other.file.name not in alike]
                    weight = 1.0 if folds == "4" else 16 / (24 * 3 * 2)
                    for right in (alike, set()):
                        where = Filter(videos=tuple(ids[name] for name in (*rest, *right)))
                        yield ask(index, f"folds {folds}", one.label, one.file, right, where, weight)
            if folds == "123":
                for one in all_:
                    if not one.fold and one.label not in AMBIGUOUS:
                        for fold in folds:
                            inside = tuple(ids[other.file.name] for other in among if other.fold == fold)
                            yield ask(index, OTHERS, one.label, one.file, set(), Filter(videos=inside), 1 / 3)


def of_clips(clips: Path, work: Path) -> Iterator[Found]:
    with (clips / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        heard = {row["file"]: first_class(row["yamnet_top3"]) for row in csv.DictReader(file)}
    tuning = tuning_half(clips, 7)
    with index_of([clips / name for name in sorted(heard)], work / "clips", ["vision", "sound"]) as index:
        ids = {record.paths[0].name: record.info.video_id for record in index.videos()}
        lengths = {record.paths[0].name: record.info.duration_s for record in index.videos()}
        for name in sorted(tuning):
            middle = lengths.get(name, 0.0) / 2
            out = work / "parts" / f"{Path(name).stem}.wav"
            part = cut(clips / name, out, max(0.0, middle - 1.5), "-t", "3", "-ac", "1")
            if part is None or name not in ids:
                continue
            alike = {other for other, what in heard.items() if heard[name] and what == heard[name]}
            for right, names in ((alike | {name}, list(ids)), (alike - {name}, [n for n in ids if n != name])):
                where = Filter(videos=tuple(ids[n] for n in names))
                try:
                    yield ask(index, "clips", name, part, right, where, 2.0)
                except vidembed.VidembedError:  # silence asks for nothing
                    break


def index_of(files: Sequence[Path], folder: Path, channels: Sequence[str] = ("sound",)) -> vidembed.VideoIndex:
    index = vidembed.open_index(folder, profile="starter", create=True)
    index.add(files, channels=channels)
    return index


def ask(
    index: vidembed.VideoIndex, part: str, label: str, file: Path, right: set[str], where: Filter, weight: float
) -> Found:
    """The first answer, and what was known of it: what its likeness was computed from."""
    known: list[tuple[float, float, float]] = []

    def note(_: Likeness, odds: float, cosine: float, common: float) -> float:
        known.append((odds, cosine, common))
        return 0.0

    with patch.object(Likeness, "of", note):
        first = index.search(Query.audio(file), k=1, where=where)[0]
    return Found(part, label, first.path.name in right, bool(right), known[0], weight)


if __name__ == "__main__":
    main()
