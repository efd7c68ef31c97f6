"""Fit how surely a clip shows what words ask for: python training/fit_confidence.py --data DATA --work FOLDER

Makes `usual_pictures.npy` (mean and 48 directions of the starter's vectors of DATA's training pictures) and prints
the weights of `shown` in `vidembed/search/confidence_curves.json`: a logistic regression of whether the first answer is
right on its cosine above the two levels (`vidembed.search.confidence.Shown`). Asked of the tuning half of DATA's clips
alone, by pictures: captions, with their clip in the index and without it; words; what nothing answers (the tuning half
of benchmarks/confidence.py); and captions of training pictures, which count a tenth each. No clip and no question of
the held-out half is looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import vidembed
from vidembed.models.encoders.starter import StarterEncoder
from vidembed.search.calibration import encode_texts, near_level, read_bank
from vidembed.search.confidence import Shown
from vidembed.types import Floats
from vidembed.vectors import pool_scores, segment_matrix

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from classify import SEEN, seen_truth
from confidence import ABSENT, ABSENT_SENTENCES

PICTURES, DIRECTIONS, PASSING = 3600, 48, 150
Asked = tuple[str, set[str], str | None, float]  # text, right clips, clip that is left out, weight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/captions.csv and video/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the index and usual_pictures.npy")
    parser.add_argument("--profile", default="starter", help="another one than starter: without usual pictures")
    args = parser.parse_args()
    with (args.data / "images" / "captions.csv").open(encoding="utf-8", newline="") as file:
        train = [row for row in csv.DictReader(file) if row["split"] == "train"]
    args.work.mkdir(parents=True, exist_ok=True)
    usual = np.zeros((0, 1), np.float32)
    if args.profile == "starter":
        dogs = {row["file"] for row in train if "dog" in row["caption"].lower()}
        usual = usual_pictures(args.data / "images", sorted({row["file"] for row in train}), dogs)
        np.save(args.work / "usual_pictures.npy", usual)
    clips = args.data / "video"
    with (clips / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        names = sorted(row["file"] for row in csv.DictReader(file))
    tuning = sorted(random.Random(7).sample(names, len(names) // 2))
    passing = random.Random(1).sample([row["caption"] for row in train], PASSING)
    asked = [*questions(clips, tuning), *((text, set(), None, 0.1) for text in passing)]
    with vidembed.open_index(args.work / f"index-{args.profile}", profile=args.profile, create=True) as index:
        index.add([clips / name for name in tuning], channels=["vision"])
        differences = first_answers(index, asked, usual)
    weights = fitted(*differences)
    print(json.dumps(dict(zip(("near", "far", "offset"), weights.round(2).tolist(), strict=True))))


def usual_pictures(folder: Path, files: list[str], dogs: set[str]) -> Floats:
    """(1 + DIRECTIONS, 384): the mean, and the largest directions times the deviation along each.

    dogs: left out: they are on a quarter of these photographs, and on hardly so many of other people's.
    """
    random.Random(0).shuffle(files)
    files = [name for name in files[:PICTURES] if name not in dogs]
    encoder, rows = StarterEncoder(), []
    for start in range(0, len(files), 200):
        some = [np.asarray(Image.open(folder / name).convert("RGB")) for name in files[start : start + 200]]
        rows.append(encoder.encode("image", some))
    vectors = np.concatenate(rows)
    mean = vectors.mean(0)
    _, sizes, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    spread = directions[:DIRECTIONS] * sizes[:DIRECTIONS, None] / len(vectors) ** 0.5
    return np.concatenate([mean[None], spread]).astype(np.float16)


def questions(clips: Path, tuning: list[str]) -> Iterator[Asked]:
    for line in (clips / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        if entry["file"] in tuning:
            for text in dict.fromkeys([entry["caption"], *entry["dataset_captions"][:8]]):
                if text:
                    yield text, {entry["file"]}, None, 1.0
                    yield text, set(), entry["file"], 1.0
            yield from ((part["caption"], {entry["file"]}, None, 1.0) for part in entry["segments"][:4])
    yield from ((text, set(), None, 1.0) for text in (*ABSENT[::2], *ABSENT_SENTENCES[::2]))
    truth = seen_truth(clips)
    for word in list(SEEN)[::2]:
        yield word, {file for file in tuning if truth[file].get(word)}, None, 1.0


def first_answers(index: vidembed.VideoIndex, asked: list[Asked], usual: Floats) -> tuple[Floats, Floats, Floats]:
    """(N, 3) cosine above the clip's level and above the words' mean in deviations, and 1; (N,) right; (N,) weight."""
    channel = index.parts.channels["vision"]
    rows = [row for batch in index.parts.store.scan(channel.collection, segments=True) for row in batch]
    files = np.array([index.path_of(row.clip.video_id).name for row in rows])
    segments, starts = segment_matrix(rows)
    texts, bank = encode_texts(channel, [text for text, *_ in asked]), encode_texts(channel, read_bank())
    assert texts is not None
    assert bank is not None
    cosines = pool_scores(texts @ segments.T, starts, "softmax")
    near = near_level(pool_scores(bank @ segments.T, starts, "softmax"))
    levels = Shown("", 1.0, 1.0, 0.0, usual.astype(np.float32))
    made = []
    for (_, right, without, weight), vector, scores in zip(asked, texts, cosines, strict=True):
        at = int(np.where(files != without, scores, -2.0).argmax())
        mean, deviation = levels.level(vector)
        above = (scores[at] - mean) / deviation
        made.append((scores[at] - near[at], above, 1.0, files[at] in right, weight))
    table = np.array(made, dtype=np.float64)
    return table[:, :3], table[:, 3], table[:, 4]


def fitted(rows: Floats, right: Floats, weight: Floats) -> Floats:
    """Logistic regression by Newton's method."""
    found = np.zeros(rows.shape[1])
    for _ in range(50):
        sure = 1 / (1 + np.exp(-rows @ found))
        bend = rows.T @ (rows * (weight * sure * (1 - sure))[:, None]) + 1e-6 * np.eye(len(found))
        found += np.linalg.solve(bend, rows.T @ (weight * (right - sure)))
    return found


if __name__ == "__main__":
    main()
