"""When something is seen by a fixed camera: python benchmarks/camera.py IMAGES --work FOLDER [--half tuning]

IMAGES holds captions.csv (file, caption, split) and the photographs it names. Before a wall, a road, the same at dusk,
a lawn or a room that stands still for 20 to 60 s, with or without noise, something comes for 2 to 8 s and goes: a thing
of one colour, a person, an animal or a vehicle on a photograph of the split "dev", or words. In each film that is
searched for, in its pictures. Films are dealt alternately to a tuning half and a held-out half.

Prints one JSON report a half: the share of films whose first answer has an IoU of at least 0.5 with the truth, their
mean IoU, and those missed. Tune on the tuning half only.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts
from PIL import Image, ImageDraw, ImageFont

import vidembed
from vidembed.media.editing.ffmpeg import find_ffmpeg
from vidembed.types import Filter, Span

SIZE = WIDTH, HEIGHT = 320, 240
HALVES = ("tuning", "held-out")
COLOURS = {"red": (220, 20, 20), "blue": (20, 40, 220), "green": (20, 180, 40), "yellow": (240, 220, 20),
           "orange": (250, 140, 10), "purple": (130, 20, 160)}  # fmt: skip
# What a photograph shows by at least so many of its captions, and how it is asked for.
SHOWN = {
    "man": (4, ("a man", "a person walks in", "someone")), "woman": (4, ("a woman", "a person")),
    "dog": (4, ("a dog", "a dog runs by")), "girl": (4, ("a girl", "a child")), "car": (3, ("a car", "a car passes")),
    "bike": (3, ("a bicycle", "someone rides a bike")), "bird": (4, ("a bird", "bird")), "horse": (3, ("a horse",)),
}  # fmt: skip
WORDS = {"EXIT ONLY": "a sign with words", "CLOSED": "written words", "HELLO": "text appears", "No entry": "text"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the films and the indexes")
    parser.add_argument("--half", choices=HALVES, action="append")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--set", action="append", default=[], help="a setting for indexing and search")
    args = parser.parse_args()
    films = make(args.images, args.work, random.Random(args.seed))
    for half in args.half or HALVES:
        asked = films[HALVES.index(half) :: 2]
        with vidembed.open_index(
            args.work / f"{half}-index", profile=args.profile, overrides=args.set, create=True
        ) as index:
            index.add([path for path, _, _ in asked], channels=["vision"])
            ids = {record.paths[0].name: record.info.video_id for record in index.videos()}
            found = []
            for path, query, truth in asked:
                moments = index.search(query, k=1, channels=["vision"], where=Filter(videos=[ids[path.name]]))
                found.append((moments[0].span.iou(truth), path.name, query, str(moments[0].span), str(truth)))
        report: dict[str, Any] = {
            "half": half,
            "films": len(found),
            "R@1,IoU=0.5": round(float(np.mean([row[0] >= 0.5 for row in found])), 3),
            "mIoU": round(float(np.mean([row[0] for row in found])), 3),
            "missed": [row[1:] for row in found if row[0] < 0.5],
            "profile": args.profile,
            "set": args.set,
            "machine": facts(["qdrant-edge-py"]),
        }
        print(json.dumps(report, indent=1))


def make(images: Path, work: Path, rng: random.Random) -> list[tuple[Path, str, Span]]:
    """The films that are not there yet: (file, query, when it is seen)."""
    work.mkdir(parents=True, exist_ok=True)
    cases = list(things(images, rng))
    rng.shuffle(cases)
    films = []
    for number, (query, thing) in enumerate(cases):
        length_s, shown_s = rng.choice([20, 30, 45, 60]), rng.choice([2, 3, 4, 6, 8])
        begin_s = round(rng.uniform(3, length_s - shown_s - 3), 1)
        behind, noise = rng.choice(PLACES)(rng), rng.choice([0, 0, 3, 6])
        path = work / f"{number:03d}.mp4"
        if not path.exists():
            film(path, behind, thing, length_s, Span(begin_s, begin_s + shown_s), noise)
        films.append((path, query, Span(begin_s, begin_s + shown_s)))
    return films


def things(images: Path, rng: random.Random) -> Iterator[tuple[str, Image.Image]]:
    """(query, what is pasted onto the place)."""
    for name, colour in COLOURS.items():
        for query in (name, name, f"something {name}", f"the colour {name}"):
            yield query, drawn(colour, rng.choice(["square", "ball", "car", "all"]))
    said = defaultdict(list)
    with (images / "captions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == "dev":
                said[row["file"]].append(row["caption"].lower())
    for word, (least, queries) in SHOWN.items():
        found = sorted(
            f for f, texts in said.items() if sum(bool(re.search(rf"\b{word}\b", t)) for t in texts) >= least
        )
        for name in rng.sample(found, min(6, len(found))):
            yield rng.choice(queries), cut_out(images / name, rng)
    for text, query in WORDS.items():
        yield query, written(text)


def drawn(colour: tuple[int, int, int], shape: str) -> Image.Image:
    picture, draw = blank()
    if shape == "car":
        draw.rectangle((60, 120, 260, 190), fill=colour)
        draw.rectangle((110, 80, 210, 125), fill=colour)
        for left in (80, 200):
            draw.ellipse((left, 170, left + 40, 210), fill=(10, 10, 10))
    elif shape == "ball":
        draw.ellipse((100, 60, 240, 200), fill=colour)
    else:
        draw.rectangle((90, 60, 230, 200) if shape == "square" else (0, 0, *SIZE), fill=colour)
    return picture


def cut_out(path: Path, rng: random.Random) -> Image.Image:
    """A photograph on the floor of the picture, smaller than that."""
    share = rng.choice([0.6, 0.75, 0.9])
    picture, _ = blank()
    with Image.open(path) as photograph:
        small = photograph.convert("RGBA").resize((int(HEIGHT * share * 1.2), int(HEIGHT * share)))
    picture.paste(small, (rng.randrange(WIDTH - small.width + 1), HEIGHT - small.height))
    return picture


def written(text: str) -> Image.Image:
    picture, draw = blank()
    draw.rectangle((10, 70, 310, 170), fill=(250, 250, 250))
    draw.text((24, 95), text, font=ImageFont.load_default(size=42), fill=(0, 0, 0))
    return picture


def blank() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    return picture, ImageDraw.Draw(picture)


def wall(rng: random.Random) -> Image.Image:
    return Image.new("RGB", SIZE, rng.choice([(128, 128, 128), (200, 185, 160), (235, 235, 235), (25, 25, 30)]))


def scene(sky: tuple[int, int, int], ground: tuple[int, int, int], line: tuple[int, int, int], rough: float) -> Any:
    def place(rng: random.Random) -> Image.Image:
        picture = Image.new("RGB", SIZE, sky)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 110, *SIZE), fill=ground)
        draw.rectangle((0, 172, WIDTH, 176), fill=line)
        rows = np.asarray(picture, dtype=np.float64)
        rows = rows + np.random.default_rng(rng.randrange(1 << 30)).normal(0, rough, (HEIGHT, WIDTH, 1))
        return Image.fromarray(np.clip(rows, 0, 255).astype(np.uint8))

    return place


PLACES = (
    wall,
    scene((150, 170, 190), (85, 85, 88), (220, 220, 210), 3),  # a road
    scene((60, 45, 70), (25, 25, 28), (90, 90, 80), 2),  # the same at dusk
    scene((160, 190, 220), (70, 120, 50), (60, 105, 45), 22),  # a lawn
    scene((190, 180, 165), (110, 80, 55), (90, 60, 40), 2),  # a room
)


def film(path: Path, behind: Image.Image, thing: Image.Image, length_s: int, when: Span, noise: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = []
        for name, picture in (("behind", behind), ("both", Image.alpha_composite(behind.convert("RGBA"), thing))):
            picture.convert("RGB").save(Path(folder) / f"{name}.png")
            source += ["-loop", "1", "-r", "10", "-t", str(length_s), "-i", f"{folder}/{name}.png"]
        graph = f"[0][1]overlay=enable='gte(t,{when.start_s})*lt(t,{when.end_s})'"
        graph += f",noise=alls={noise}:allf=t" if noise else ""
        coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p"]
        command = [
            find_ffmpeg(),
            "-v",
            "error",
            "-nostdin",
            "-y",
            *source,
            "-filter_complex",
            graph,
            *coding,
            str(path),
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
