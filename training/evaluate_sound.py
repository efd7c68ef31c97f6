"""Measure the starter's sound tower: held-out sounds by class name, both directions, and sound tracks of videos.

    python training/evaluate_sound.py --audio audio/ --fold 4 [--video video/] [--starter FOLDER]

audio/labels.csv has the columns file, label, fold; video/MANIFEST.csv has file, sound (its named sound, or empty).
Prints JSON. Video figures are for looking at, not for tuning: nothing was trained on them.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from sound_classes import ESC10, SOUNDS

from vidembed.evaluation.metrics import ranks_from_scores, recall_at
from vidembed.models.encoders.segments import SILENCE_RMS
from vidembed.models.encoders.starter import FOLDER, FREE_SPACE, SPACE, StarterEncoder
from vidembed.models.encoders.starter_sound import RATE_HZ
from vidembed.types import AudioSamples

PROMPTS = ("{}", "the sound of {}")


def decode(path: Path) -> AudioSamples | None:
    """The first sound track at 16 kHz mono; None without one."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        parts = [o.to_ndarray()[0] for f in container.decode(audio=0) for o in resampler.resample(f)]
        parts += [o.to_ndarray()[0] for o in resampler.resample(None)]
    return AudioSamples(np.clip(np.concatenate(parts), -1, 1).astype(np.float32), RATE_HZ) if parts else None


def average_precision(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """The mean, over the right ones, of the share of right ones down to each, best score first."""
    hits = right[np.argsort(-scores, kind="stable")]
    return float((hits.cumsum() / np.arange(1, len(hits) + 1))[hits].mean())


def held_out(encoder: StarterEncoder, audio: Path, fold: str) -> dict[str, Any]:
    with (audio / "labels.csv").open(newline="") as table:
        rows = [r for r in csv.DictReader(table) if r["fold"] == fold and r["label"] in ESC10]
    sounds = [s for s in (decode(audio / r["file"]) for r in rows) if s is not None]
    began = time.process_time()
    vectors = encoder.encode("audio", sounds)
    spent = time.process_time() - began
    names = sorted(ESC10)
    truth = np.array([names.index(r["label"]) for r in rows])
    out: dict[str, Any] = {"clips": len(rows), "times_real_time": round(sum(s.duration_s for s in sounds) / spent)}
    for prompt in PROMPTS:
        texts = encoder.encode("text", [prompt.format(name) for name in names])
        scores = vectors @ texts.T
        guess = scores.argmax(1)
        by_class = {n: f"{int((guess[truth == i] == i).sum())}/{int((truth == i).sum())}" for i, n in enumerate(names)}
        text_ranks = ranks_from_scores(scores.T, [set(np.flatnonzero(truth == i).tolist()) for i in range(len(names))])
        found = [average_precision(scores[:, i], truth == i) for i in range(len(names))]
        out[prompt] = {
            "top-1": round(float((guess == truth).mean()), 4),
            "by class": by_class,
            "text-to-sound R@1": recall_at(text_ranks, 1),
            "text-to-sound mAP": round(float(np.mean(found)), 4),
        }
    # Every phrase of every sound it was taught competes: a right answer is any phrase of the right sound.
    phrases = [(label, phrase) for label, sound in SOUNDS.items() for phrase in sound.phrases]
    all_texts = encoder.encode("text", [phrase for _, phrase in phrases])
    right = [{i for i, (label, _) in enumerate(phrases) if label == ESC10[r["label"]]} for r in rows]
    ranks = ranks_from_scores(vectors @ all_texts.T, right)
    out["sound-to-text"] = {"phrases": len(phrases), **{f"R@{k}": round(recall_at(ranks, k), 4) for k in (1, 5, 10)}}
    return out


def videos(encoder: StarterEncoder, folder: Path) -> dict[str, Any]:
    with (folder / "MANIFEST.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    names, vectors = [], []
    labels: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        sound = decode(folder / row["file"])
        if sound is None or sound.rms < SILENCE_RMS:
            continue
        names.append(row["file"])
        vectors.append(encoder.encode("audio", [sound])[0])
        for part in row["sound"].split(","):
            if part.strip():
                labels[part.strip()].append(row["file"])
    stacked = np.stack(vectors)
    answers: dict[str, Any] = {}
    for query, wanted in sorted(labels.items()):
        scores: NDArray[np.float32] = stacked @ encoder.encode("text", [query])[0]
        order = [names[i] for i in np.argsort(-scores, kind="stable")]
        ranks = sorted(order.index(w) + 1 for w in wanted)
        answers[query] = {"ranks": ranks, "best": [f"{n} {s:.2f}" for n, s in zip(order[:3], np.sort(scores)[::-1])]}
    inside = [a["ranks"][0] <= 3 for a in answers.values()]
    return {"clips with sound": len(names), "queries": len(answers), "in the top 3": sum(inside), "answers": answers}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--fold", default="4")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--starter", type=Path, default=FOLDER)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    encoder = StarterEncoder(args.starter, space=FREE_SPACE if args.starter.name == "starter-free" else SPACE)
    report: dict[str, Any] = {}
    if args.audio:
        report["held-out sounds"] = held_out(encoder, args.audio, args.fold)
    if args.video:
        report["videos"] = videos(encoder, args.video)
    json.dump(report, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
