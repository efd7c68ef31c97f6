"""Measure the starter on what it was not trained on: Flickr8k's dev pictures, and a folder of captioned videos.

Beside it the way without training (v0): a picture is the sum of its class names' sentence vectors, weighed by the
classifier's probabilities. Prints the tables of the model card and writes the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from vidembed.align import Direction, Pair, read_pairs
from vidembed.align.measuring import both_ways, unique_texts
from vidembed.media.reading.reader import open_video
from vidembed.models.encoders.minilm import MiniLmEncoder
from vidembed.models.encoders.starter import FOLDER, FREE_SPACE, SPACE, StarterEncoder
from vidembed.types import Floats, Image
from vidembed.vectors import unit_rows


class ClassNames:
    """v0: pictures and texts as MiniLM sentence vectors, pictures through their ImageNet class names."""

    def __init__(self, starter: StarterEncoder) -> None:
        from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

        self.starter = starter
        self.sentences = MiniLmEncoder()
        self.names = self.texts([f"a photo of a {name}" for name in IMAGENET_CLASSNAMES])

    def texts(self, texts: Sequence[str]) -> Floats:
        return self.sentences.encode("text", texts)

    def pictures(self, pictures: Sequence[Image]) -> Floats:
        return unit_rows(self.starter.class_scores(self.starter.features("image", pictures)) @ self.names)


class Trained:
    """The starter itself."""

    def __init__(self, starter: StarterEncoder) -> None:
        self.starter = starter

    def texts(self, texts: Sequence[str]) -> Floats:
        return self.starter.encode("text", texts)

    def pictures(self, pictures: Sequence[Image]) -> Floats:
        return self.starter.encode("image", pictures)


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    """One frame a second, as indexing takes them."""
    with open_video(path) as video:
        return [frame.rgb for frame in video.stream(rate_hz=1.0, short_side_px=256)]


def videos(folder: Path) -> list[Pair]:
    """The captioned videos, with up to five captions each: people's where the data set has them."""
    found = []
    for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        texts = list(dict.fromkeys([*row.get("dataset_captions", []), row["caption"]]))[:5]
        if all(text for text in texts):
            found.append(Pair(folder / row["file"], "video", tuple(texts)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and video/")
    parser.add_argument("--weights", type=Path, default=FOLDER)
    parser.add_argument("--without-class-names", action="store_true", help="leave v0 out, which no weights change")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the figures")
    args = parser.parse_args()
    starter = StarterEncoder(args.weights, space=FREE_SPACE if args.weights.name == "starter-free" else SPACE)
    systems: dict[str, ClassNames | Trained] = {"starter": Trained(starter)}
    if not args.without_class_names:
        systems = {"v0 class names": ClassNames(starter)} | systems
    dev = read_pairs(args.data / "images" / "captions.csv", modality="image").split("dev")
    clips = videos(args.data / "video")
    pictures = [np.asarray(PILImage.open(item.path).convert("RGB")) for item in dev]
    frames = [frames_of(clip.path) for clip in clips]
    figures: dict[str, dict[str, Direction]] = {}
    for name, system in systems.items():
        found: dict[str, Direction] = {}
        pooled = unit_rows(np.stack([system.pictures(seen).mean(0) for seen in frames]))
        for kind, items, rows in (("image", dev, system.pictures(pictures)), ("video", clips, pooled)):
            texts, right = unique_texts(items)
            found |= both_ways(kind, rows, system.texts(texts), right)
        figures[name] = found
    print("| | direction | R@1 | R@5 | R@10 | median rank | queries | candidates |\n" + "| --- " * 8 + "|")
    for name, found in figures.items():
        for what, d in found.items():
            recalls = f"{d.r1:.3f} | {d.r5:.3f} | {d.r10:.3f} | {d.median_rank:g}"
            print(f"| {name} | {what} | {recalls} | {d.queries} | {d.candidates} |")
    content = {name: {what: vars(d) for what, d in found.items()} for name, found in figures.items()}
    args.out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
