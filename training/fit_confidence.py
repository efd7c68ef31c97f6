"""Fit how surely a clip shows what words ask for: python training/fit_confidence.py --data DATA --work FOLDER

Makes `usual_pictures.npy` (mean and 48 directions of the starter's vectors of DATA's training pictures) and
`known_things.npy` (vectors of the names of ImageNet's 1,000 classes) and prints weights of `shown` in
`vidembed/search/confidence_curves.json`: a logistic regression of whether the first answer is right on its cosine above
the two levels and on what text and clip are both named as (`vidembed.search.confidence.Shown`). Asked by pictures:

- of DATA's clips captions of the tuning half, with their clip in the index and without it; words; and what nothing
  answers (the tuning half of benchmarks/confidence.py);
- with --long, the folder of benchmarks/moments.py, also of the long videos of the tuning half: all texts of their
  clips, and what is in none.

Texts of one clip count as four at most, those without their clip as two: one clip has twenty captions. The held-out
half's clips are in the index, as in the benchmarks; no question of it is asked. Printed are for several shares of `far`
and `common` to `near` the scale and offset that fit, with the areas (right or wrong, answer or none) of either kind of
questions, texts of one clip taken together, and the share of captions whose clip comes first.
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
from vidembed.search.confidence import Names, Shown
from vidembed.types import Floats, Span
from vidembed.vectors import pool_scores, segment_matrix

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from classify import SEEN, seen_truth
from confidence import ABSENT, ABSENT_SENTENCES
from fusion import tuning_half
from moments import NOTHING, read_clips

PICTURES, DIRECTIONS = 3600, 48
FAR_SHARES = (0.17, 0.1, 0.07, 0.05)  # of `far` to `near`
COMMON_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # of `common` to `near`
SHARP = 0.06  # of the names; 0.05 and 0.07 do as well


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
    """The first answers.

    above: (N, 4) cosine above the clip's level, above the words' mean in deviations, what both are named as, and 1.
    """

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
        areas = [area(sure[kept], of[kept], share[kept]) for of in (self.right > 0, answerable)]
        first = np.average(self.right[kept & answerable], weights=share[kept & answerable])
        return [round(float(one), 3) for one in (*areas, first)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/captions.csv and video/")
    parser.add_argument("--work", type=Path, required=True, help="folder for the index and usual_pictures.npy")
    parser.add_argument("--long", type=Path, help="folder of benchmarks/moments.py, which has made its indexes")
    parser.add_argument("--profile", default="starter", help="another one than starter: without usual pictures")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    usual, names = np.zeros((0, 1), np.float32), None
    if args.profile == "starter":
        with (args.data / "images" / "captions.csv").open(encoding="utf-8", newline="") as file:
            train = [row for row in csv.DictReader(file) if row["split"] == "train"]
        dogs = {row["file"] for row in train if "dog" in row["caption"].lower()}
        usual = usual_pictures(args.data / "images", sorted({row["file"] for row in train}), dogs)
        np.save(args.work / "usual_pictures.npy", usual)
        names = Names(known_things(), SHARP)
        np.save(args.work / "known_things.npy", names.rows.astype(np.float16))
    clips = args.data / "video"
    asked = {}
    with vidembed.open_index(args.work / f"index-{args.profile}", profile=args.profile, create=True) as index:
        index.add(clips, channels=["vision"])
        asked["clips"] = Answers.of(index, list(questions(clips)), usual, names)
    if args.long:
        with vidembed.open_index(args.long / "tuning" / "index", readonly=True) as index:
            asked["long videos"] = Answers.of(index, list(long_questions(clips, args.long)), usual, names)
    for far in FAR_SHARES:
        for common in COMMON_SHARES if names is not None else (0.0,):
            shares = np.array([1.0, far, common, 0.0])
            found = {kind: one.first(np.array([1.0, far, 0.0, 0.0])) for kind, one in asked.items()}
            above, right, weight = (
                np.concatenate(rows)
                for rows in zip(*((one.above, one.right, one.weight) for one in found.values()), strict=True)
            )
            scale, offset = fitted(np.stack([above @ shares, above[:, 3]], axis=1), right, weight)
            weights = dict(zip(("near", "far", "common"), (scale * shares[:3]).round(2).tolist(), strict=True))
            areas = {kind: one.areas(one.above @ shares) for kind, one in found.items()}
            print(json.dumps({**weights, "offset": round(float(offset), 2), **areas}))


def known_things() -> Floats:
    """(1000, 384) vectors of the names of ImageNet's classes."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    return StarterEncoder().encode("text", [f"a photo of a {name}" for name in IMAGENET_CLASSNAMES])


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


@dataclass(frozen=True)
class Answers:
    """What is known of each clip for each question. above: (Q, N, 4), as in `First`."""

    asked: Sequence[Asked]
    above: Floats
    files: Sequence[str]
    spans: Sequence[Span]

    @classmethod
    def of(cls, index: vidembed.VideoIndex, asked: Sequence[Asked], usual: Floats, names: Names | None) -> Answers:
        channel = index.parts.channels["vision"]
        rows = [row for batch in index.parts.store.scan(channel.collection, segments=True) for row in batch]
        segments, starts = segment_matrix(rows)
        texts, bank = encode_texts(channel, [one.text for one in asked]), encode_texts(channel, read_bank())
        assert texts is not None
        assert bank is not None
        cosines = pool_scores(texts @ segments.T, starts, "softmax")
        near = near_level(pool_scores(bank @ segments.T, starts, "softmax"))
        shown = Shown("", 1.0, 1.0, 0.0, usual.astype(np.float32))
        far = [(scores - mean) / deviation for scores, (mean, deviation) in zip(cosines, map(shown.level, texts))]
        common = np.zeros(cosines.shape)
        if names is not None:
            words, clips = names.of(texts), names.of(np.stack([row.vector for row in rows]))
            common = np.log(np.sqrt(words) @ np.sqrt(clips).T + 1e-3)
        above = np.stack([cosines - near, np.stack(far), common, np.ones(cosines.shape)], axis=2)
        files = [index.path_of(row.clip.video_id).name for row in rows]
        return cls(asked, above, files, [row.clip.span for row in rows])

    def first(self, shares: Floats) -> First:
        """Ranked by the sum with these shares; search ranks clips without what they have in common."""
        best, right = [], []
        for one, above in zip(self.asked, self.above):
            at = int(np.where(np.array(self.files) != one.without, above @ shares, -np.inf).argmax())
            best.append(above[at])
            right.append(one.right(self.files[at], self.spans[at]))
        return First(self.asked, np.array(best), np.array(right, dtype=np.float64))


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
