"""Make the heads of `starter-free` from the two backbones alone: no picture, no caption and no sound of anyone is read.

A picture is where its classes are: the sum of the sentence vectors of ImageNet's classes, each weighed by how far the
classifier's score for it stands out of the scores of all classes. A class is half its name and half what is seen where
the classifier finds it (`class_scenes.txt`: a swing means that children play). Directions that many classes share
count less (ridge regression). A text is its sentence vector. Both are counted from the middle of their kind: pictures
from the mean of the classes, texts from the mean of this project's own bank of sentences, so that what all share ("a
photo of") says nothing. Source of the idea: ConSE (Norouzi et al. 2014).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from starter_corpus import CLASS_PROMPTS

from vidembed.models.encoders import _efficientnet, minilm
from vidembed.models.encoders.starter import (
    FOLDER,
    FREE_SPACE,
    PICTURE_FEATURES,
    PICTURE_FILE,
    TEXT_FILE,
    add_to_manifest,
)
from vidembed.models.heads import HeadSpec
from vidembed.types import Floats
from vidembed.vectors import unit_rows

SPREAD = 1.2  # of a picture's 1,000 scores: their standard deviation, rounded
LEAST = 1.0  # standard deviations above their mean, from which on a class counts
RIDGE = 10.0  # of the classes' directions
SCENES = Path(__file__).with_name("class_scenes.txt")


def class_vectors() -> Floats:
    """(1000, 384) unit rows: the mean of each class's prompts, and of its scenes where it has some."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    encoder = minilm.MiniLmEncoder()
    prompts = [encoder.encode("text", [p.format(name) for name in IMAGENET_CLASSNAMES]) for p in CLASS_PROMPTS]
    named = unit_rows(np.mean(prompts, axis=0))
    seen = named.copy()
    for number, scenes in read_scenes(SCENES).items():
        seen[number] = encoder.encode("text", scenes).mean(0)
    return unit_rows(named + unit_rows(seen))


def read_scenes(path: Path) -> dict[int, list[str]]:
    """Class number -> its scenes, from lines such as "981: a pitcher throws the ball; boys play baseball"."""
    found: dict[int, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            numbers, scenes = line.split(":", 1)
            first, _, last = numbers.partition("-")
            for number in range(int(first), int(last or first) + 1):
                found.setdefault(number, []).extend(scene.strip() for scene in scenes.split(";"))
    return found


def picture_head(classes: Floats) -> tuple[HeadSpec, dict[str, Floats]]:
    """An mlp whose hidden units are the classes; its straight part is zero. GELU lets pass what stands out."""
    weights = _efficientnet.load()
    rows, bias = weights["classifier.weight"], weights["classifier.bias"]
    width = rows.shape[1]
    inner = np.zeros((len(rows), PICTURE_FEATURES), np.float32)
    inner[:, :width] = (rows - rows.mean(0)) / SPREAD
    dim = classes.shape[1]
    apart = classes - classes.mean(0)
    spec = HeadSpec("mlp", PICTURE_FEATURES, dim, hidden=len(rows))
    return spec, {
        **_plain(PICTURE_FEATURES),
        "straight.weight": np.zeros((dim, PICTURE_FEATURES), np.float32),
        "straight.bias": np.zeros(dim, np.float32),
        "inner.weight": inner,
        "inner.bias": (bias - bias.mean()) / SPREAD - LEAST,
        "outer.weight": np.linalg.solve(apart.T @ apart + RIDGE * np.eye(dim, dtype=np.float32), apart.T),
        "outer.bias": np.zeros(dim, np.float32),
    }


def text_head() -> tuple[HeadSpec, dict[str, Floats]]:
    """The sentence vector, counted from the mean of the bank's sentences."""
    bank = (resources.files("vidembed.captions") / "bank.txt").read_text(encoding="utf-8")
    sentences = [line.strip() for line in bank.splitlines() if line.strip() and not line.startswith("#")]
    mean = minilm.MiniLmEncoder().encode("text", sentences).mean(0)
    dim = len(mean)
    straight = {"straight.weight": np.eye(dim, dtype=np.float32), "straight.bias": np.zeros(dim, np.float32)}
    return HeadSpec("linear", dim, dim), {**_plain(dim), "mean": mean, **straight}


def _plain(width: int) -> dict[str, Floats]:
    return {"mean": np.zeros(width, np.float32), "scale": np.ones(width, np.float32)}


def save(folder: Path, name: str, spec: HeadSpec, tensors: Mapping[str, Floats]) -> None:
    """The file in float16, and its SHA-256 in the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    halved = {f"head.{key}": np.ascontiguousarray(value.astype(np.float16)) for key, value in tensors.items()}
    save_file(halved, folder / name)
    (folder / name).chmod(0o644)
    add_to_manifest(folder, name, space=FREE_SPACE, head=spec.as_dict())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER.with_name("starter-free"))
    args = parser.parse_args()
    save(args.out, PICTURE_FILE, *picture_head(class_vectors()))
    save(args.out, TEXT_FILE, *text_head())
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
