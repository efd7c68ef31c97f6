"""The texts a sound head is trained against: phrases of sounds, AudioSet's names, and texts that no sound answers."""

from __future__ import annotations

import csv
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
from free_heads import SCENES, read_scenes
from numpy.typing import NDArray
from sound_batches import LABELS
from sound_classes import SOUNDS

# AudioSet classes that say nothing one would search for.
VAGUE = {
    "Animal", "Domestic animals, pets", "Wild animals", "Sound effect", "Inside, small room", "Music", "Vehicle",
    "Musical instrument", "Livestock, farm animals, working animals", "Silence", "Inside, large room or hall",
    "Inside, public space", "Outside, urban or manmade", "Outside, rural or natural", "Field recording",
}  # fmt: skip
_SHORT = range(2, 8)  # words of a caption's beginning: "A man", "A man in a red shirt"


def texts_of_classes(names: list[str]) -> tuple[list[list[str]], NDArray[np.float32]]:
    """Phrases per class, our sounds first, then AudioSet's classes that no sound of ours stands for; and the (521, C)
    matrix that turns the teacher's scores into shares of these classes."""
    phrases = [list(sound.phrases) for sound in SOUNDS.values()]
    owners: dict[str, list[int]] = {}
    for k, sound in enumerate(SOUNDS.values()):
        for name in sound.audioset[:2]:  # the first ones mean the sound itself, later ones what contains it
            owners.setdefault(name, []).append(k)
    matrix = np.zeros((len(names), len(phrases) + len(names)), np.float32)
    for row, name in enumerate(names):
        if name in owners and name != "Music":
            matrix[row, owners[name]] = 1 / len(owners[name])
        elif name not in VAGUE:
            matrix[row, len(phrases)] = 1
            phrases.append([name.lower(), *(part.strip().lower() for part in name.split(",") if "," in name)])
    matrix[names.index("Music"), LABELS.index("music")] = 0.3
    return phrases, matrix[:, : len(phrases)]


def texts_without_sound(captions: Path | None, count: int, rng: np.random.Generator) -> list[str]:
    """Texts that say what is seen: captions of pictures, their beginnings, and ImageNet's names of things.

    captions: CSV with the columns split and caption; rows of the split "train"; None: sentences that this project wrote
    (the captioner's bank, the scenes of classes), those that name what is heard left out. `count` of them are taken
    whole and as many cut to a few words, as people ask. Names of what is a phrase of a sound by itself are left out: "a
    rooster" is heard as well as seen, a lion only where it roars.
    """
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    bare = [_content(phrase) for sound in SOUNDS.values() for phrase in sound.phrases]
    heard = {words[0] for words in bare if len(words) == 1} | {" ".join(words) for words in bare if len(words) == 2}
    if captions is None:
        known = [text for text in _own_sentences() if not heard & _parts(text)]
    else:
        with captions.open(newline="", encoding="utf-8") as table:
            known = [row["caption"].strip(" .") for row in csv.DictReader(table) if row["split"] == "train"]
    whole = [known[i] for i in rng.permutation(len(known))[:count]]
    beginnings = [" ".join(text.split()[: int(rng.choice(_SHORT))]) for text in whole]
    names = [name for name in IMAGENET_CLASSNAMES if not heard & _parts(name)]
    return list(dict.fromkeys([*whole, *beginnings, *(f"a {name}" for name in names)]))


def _own_sentences() -> list[str]:
    bank = (resources.files("vidembed.captions") / "bank.txt").read_text(encoding="utf-8").splitlines()
    scenes = [scene for group in read_scenes(SCENES).values() for scene in group]
    return list(dict.fromkeys(line.strip(" .") for line in [*bank, *scenes] if line and not line.startswith("#")))


def _content(phrase: str) -> list[str]:
    """The words without articles and plural endings; "playing drums" is about drums."""
    words = phrase.lower().replace(",", " ").split()
    return [word.rstrip("s") for word in words if word not in {"a", "an", "the", "playing", "shaking"}]


def _parts(name: str) -> set[str]:
    """The words of a name and its neighbouring pairs."""
    words = _content(name)
    return {*words, *(f"{one} {two}" for one, two in pairwise(words))}
