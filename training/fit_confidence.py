"""Fit how surely a clip shows what words ask for: python training/fit_confidence.py --data DATA --work FOLDER

Makes `usual_pictures.npy` (mean and 48 directions of the starter's vectors of DATA's training pictures) and prints
weights of `shown` in `vidembed/search/confidence_curves.json`: a logistic regression of whether the first answer is
right on its cosine above the two levels (`vidembed.search.confidence.Shown`). Asked by pictures:

- of DATA's clips captions of the tuning half, with their clip in the index and without it; words; and what nothing
  answers (the tuning half of benchmarks/confidence.py);
- with --long, the folder of benchmarks/moments.py, also of the long videos of the tuning half: all texts of their
  clips, and what is in none.

Texts of one clip count as four at most, those without their clip as two: one clip has twenty captions. The held-out
half's clips are in the index, as in the benchmarks; no question of it is asked. Printed are the regression of both
weights, and for several shares of `far` to `near` the scale and offset that fit, with the areas (right or wrong,
answer or none) of either kind of questions, texts of one clip taken together: what loses nothing on either was shipped.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import vidembed
from vidembed.evaluation.assemble import deal, placed
from vidembed.models.encoders.starter import StarterEncoder
from vidembed.search.calibration import encode_texts, near_level, read_bank
from vidembed.search.confidence import Shown
from vidembed.types import Floats, Span
from vidembed.vectors import pool_scores, segment_matrix

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from classify import SEEN, seen_truth
from confidence import ABSENT, ABSENT_SENTENCES
from fusion import tuning_half
from moments import NOTHING, read_clips

PICTURES, DIRECTIONS = 3600, 48
FAR_SHARES = (0.17, 0.1, 0.085, 0.07, 0.05, 0.02)  # of `far` to `near`


@dataclass(frozen=True)
class Asked:
    text: str
    owner: str  # what it was made from
    right: Callable[[str, Span], bool]  # of a file and a clip's span
    answerable: bool
    without: str | None = None  # a clip that is left out
    weight: float = 1.0


@dataclass(frozen=True)
class First:
    """The first answers. above: (N, 3) cosine above the clip's level, above the words' mean in deviations, and 1."""

    asked: Sequence[Asked]
    above: Floats
    right: Floats

    @property
    def weight(self) -> Floats:
        return np.array([one.weight for one in self.asked])

    def areas(self, sure: Floats) -> list[float]:
        """Right or wrong, answer or none; of answers, each clip's texts count as one."""
        owners = Counter(one.owner for one in self.asked if one.answerable)
        kept = np.array([one.without is None for one in self.asked])
        share = np.array([1 / owners[one.owner] if one.answerable else 1.0 for one in self.asked])
        answerable = np.array([one.answerable for one in self.asked])
        return [round(area(sure[kept], of[kept], share[kept]), 3) for of in (self.right > 0, answerable)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/captions.csv and video/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the index and usual_pictures.npy")
    parser.add_argument("--long", type=Path, help="folder of benchmarks/moments.py, which has made its indexes")
    parser.add_argument("--profile", default="starter", help="another one than starter: without usual pictures")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    usual = np.zeros((0, 1), np.float32)
    if args.profile == "starter":
        with (args.data / "images" / "captions.csv").open(encoding="utf-8", newline="") as file:
            train = [row for row in csv.DictReader(file) if row["split"] == "train"]
        dogs = {row["file"] for row in train if "dog" in row["caption"].lower()}
        usual = usual_pictures(args.data / "images", sorted({row["file"] for row in train}), dogs)
        np.save(args.work / "usual_pictures.npy", usual)
    clips = args.data / "video"
    found = {}
    with vidembed.open_index(args.work / f"index-{args.profile}", profile=args.profile, create=True) as index:
        index.add(clips, channels=["vision"])
        found["clips"] = first_answers(index, list(questions(clips)), usual)
    if args.long:
        with vidembed.open_index(args.long / "tuning" / "index", readonly=True) as index:
            found["long videos"] = first_answers(index, list(long_questions(clips, args.long)), usual)
    above, right, weight = (
        np.concatenate(rows)
        for rows in zip(*((one.above, one.right, one.weight) for one in found.values()), strict=True)
    )
    rows = {"fitted": fitted(above, right, weight)}
    for share in FAR_SHARES:
        scale, offset = fitted(np.stack([above[:, 0] + share * above[:, 1], above[:, 2]], axis=1), right, weight)
        rows[f"far / near {share}"] = np.array([scale, scale * share, offset])
    for name, weights in rows.items():
        areas = {kind: one.areas(one.above @ weights) for kind, one in found.items()}
        print(json.dumps({name: dict(zip(("near", "far", "offset"), weights.round(2).tolist(), strict=True)), **areas}))


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


def questions(clips: Path) -> Iterator[Asked]:
    """Of the tuning half, asked of the clips."""
    tuning = tuning_half(clips, seed=7)
    for line in (clips / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        file = entry["file"]
        if file in tuning:
            texts = list(dict.fromkeys(text for text in (entry["caption"], *entry["dataset_captions"]) if text))
            for text in texts:
                yield Asked(text, file, _in({file}), True, weight=min(1.0, 4 / len(texts)))
                yield Asked(text, file, _in(set()), False, file, min(0.5, 2 / len(texts)))
    yield from (Asked(text, text, _in(set()), False) for text in (*ABSENT[::2], *ABSENT_SENTENCES[::2]))
    truth = seen_truth(clips)
    for word in list(SEEN)[::2]:
        files = {file for file, own in truth.items() if own.get(word)}
        yield Asked(word, word, _in(files), bool(files))


def long_questions(clips: Path, work: Path) -> Iterator[Asked]:
    """Of the tuning half, asked of the long videos put together from its clips."""
    pieces, texts = read_clips(clips, "tuning", 7, 0)
    hands = deal(pieces, videos=5, duration_s=300, seed=7)
    videos = [placed(hand, work / "tuning" / "videos" / f"tuning-{i:02d}.mkv") for i, hand in enumerate(hands)]
    for name, own in texts.items():
        places = {video.path.name: video.spans_of(name) for video in videos}
        if any(places.values()):
            right = partial(_overlaps, places)
            yield from (Asked(text, name, right, True, weight=min(1.0, 4 / len(own))) for text in own)
    yield from (Asked(text, text, _in(set()), False) for text in NOTHING[::2])


def _in(files: set[str]) -> Callable[[str, Span], bool]:
    return lambda file, _: file in files


def _overlaps(places: Mapping[str, Sequence[Span]], file: str, span: Span) -> bool:
    return any(place.overlap_s(span) > 0 for place in places.get(file, ()))


def first_answers(index: vidembed.VideoIndex, asked: Sequence[Asked], usual: Floats) -> First:
    """By the cosine, half of the clip's level taken off: about as search ranks clips."""
    channel = index.parts.channels["vision"]
    rows = [row for batch in index.parts.store.scan(channel.collection, segments=True) for row in batch]
    files = np.array([index.path_of(row.clip.video_id).name for row in rows])
    segments, starts = segment_matrix(rows)
    texts, bank = encode_texts(channel, [one.text for one in asked]), encode_texts(channel, read_bank())
    assert texts is not None
    assert bank is not None
    cosines = pool_scores(texts @ segments.T, starts, "softmax")
    near = near_level(pool_scores(bank @ segments.T, starts, "softmax"))
    levels = Shown("", 1.0, 1.0, 0.0, usual.astype(np.float32))
    above, right = [], []
    for one, vector, scores in zip(asked, texts, cosines, strict=True):
        at = int(np.where(files != one.without, scores - near / 2, -2.0).argmax())
        mean, deviation = levels.level(vector)
        above.append((scores[at] - near[at], (scores[at] - mean) / deviation, 1.0))
        right.append(one.right(files[at], rows[at].clip.span))
    return First(asked, np.array(above), np.array(right, dtype=np.float64))


def area(sure: Floats, truth: Floats, share: Floats) -> float:
    """Under the ROC curve; share: (N,) how much each counts."""
    over = (sure[truth, None] > sure[~truth]) + 0.5 * (sure[truth, None] == sure[~truth])
    return float((share[truth, None] * over * share[~truth]).sum() / share[truth].sum() / share[~truth].sum())


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
