"""The starter model: pictures, text and sound in one space, with weights that come with pip and this package.

Backbones (EfficientNet-Lite2, whose last five blocks this project has tuned; all-MiniLM-L6-v2, with low-rank
corrections of its layers) and heads trained by this project; `training/train_starter.py` makes them,
`assets/starter/MODEL_CARD.md` says from what and how good they are. `starter-free` is the same towers with other heads,
`training/free_heads.py`, for commercial use. Each tower is loaded when its modality is first asked for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.errors import ConfigError, WeightsMissing
from vidembed.models.arrays import floats, mapped, softmax
from vidembed.models.encoders.minilm import text_of
from vidembed.types import AudioSamples, Floats, Image, Item, Modality, Space
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.encoders._engines import Engine
    from vidembed.models.encoders.minilm import MiniLM, Tokenizer
    from vidembed.models.encoders.starter_sound import SoundTower
    from vidembed.models.heads import Head
    from vidembed.models.spec import ModelSpec

SPACE, FREE_SPACE = Space("starter-v1", 384), Space("starter-free-v1", 384)
FOLDER = Path(__file__).parents[2] / "assets" / "starter"
MANIFEST = "manifest.json"
PICTURE_FILE, TEXT_FILE, SOUND_FILE = "picture.safetensors", "text.safetensors", "sound.safetensors"
BANK_FILE = "bank.npy"  # vectors of the bundled query bank, by `training/keep_bank.py`
PICTURE_FEATURES = 1760  # 1280 means of the last map, 2 x 2 x 120 of the last one at stride 16
TUNED_FROM = 16  # the first block of the picture tower that training changes
SENTENCE_ENDS = (".", "!", "?")
_PICTURES = 8  # of each core in one pass: what its caches like, and little memory


class StarterEncoder:
    """Text, pictures and sound as unit vectors of one space. Thread-safe; the batch does not matter.

    folder: the trained files with their manifest. space: what they were made for. device: where pictures and sound are
    computed; text is always computed on the CPU. dtype: "float32", or "bfloat16" for pictures and sound. Files are
    checked against the manifest's SHA-256 when their tower is first used.
    """

    def __init__(
        self, folder: Path = FOLDER, *, space: Space = SPACE, device: str = "cpu", dtype: str = "float32"
    ) -> None:
        self.folder, self.space, self.device, self.dtype = folder, space, device, dtype
        self._manifest = read_manifest(folder, space)
        known: list[Modality] = ["text", "image"]
        if SOUND_FILE in self._manifest:
            known.append("audio")
        self.modalities: frozenset[Modality] = frozenset(known)
        self._lock = threading.RLock()  # two threads that ask first load once

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, 384) float32 unit rows; row i is item i. ValueError for a modality it does not understand."""
        if modality not in self.modalities:
            raise ValueError(f"the starter does not understand {modality!r}; known: {sorted(self.modalities)}")
        if not len(items):
            return np.zeros((0, self.space.dim), np.float32)
        if modality == "text":
            return self._texts([text_of(item) for item in items])
        if modality == "image":
            return self.place_pictures(self.picture_features([_picture(item) for item in items]))
        return self._sound.encode([_sound(item) for item in items])

    def kept_rows(self, texts: Sequence[str]) -> Floats | None:
        """`encode` of the bundled query bank, from a file; None for any other texts, and with another text tower."""
        made_of = {"texts": digest(texts), "tower": self._manifest[TEXT_FILE]["sha256"]}
        if not made_of.items() <= self._manifest.get(BANK_FILE, {}).items():
            return None
        try:
            return unit_rows(np.load(checked(self.folder, BANK_FILE, self._manifest)).astype(np.float32))
        except WeightsMissing:  # damaged: they can be made
            return None

    def features(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, 16, 1280) tokens of pictures: a 4x4 grid of the untuned EfficientNet's last map, for attention heads."""
        from vidembed.models.encoders._efficientnet import grid

        if modality != "image":
            raise ValueError(f"the starter has tokens of pictures only, not of {modality!r}")
        rows = [grid(self._backbone(pixels)[0], 4) for pixels in self._prepared([_picture(item) for item in items])]
        return np.concatenate(rows) if rows else np.zeros((0, 16, 1280), np.float32)

    def picture_features(self, images: Sequence[Image]) -> Floats:
        """(N, 1760): the means of the tuned last map, and a 2x2 grid of the last map at stride 16."""
        from vidembed.models.encoders._efficientnet import pooled_maps

        tower, _ = self._picture_tower
        rows = [pooled_maps(*tower(pixels)) for pixels in self._prepared(images)]
        return np.concatenate(rows) if rows else np.zeros((0, PICTURE_FEATURES), np.float32)

    def place_pictures(self, features: Floats) -> Floats:
        """(N, 384) unit rows of the space from `picture_features`' rows."""
        return self._picture_tower[1](features)

    def class_scores(self, tokens: Floats) -> Floats:
        """(N, 1000) ImageNet class probabilities of the backbone's own classifier, from the tokens of `features`."""
        weight, bias = self._loaded("_classifier")
        return softmax(tokens.mean(1) @ weight.T + bias)

    def sentence_vectors(self, texts: Sequence[str]) -> Floats:
        """(N, 384) unit sentence vectors of the text tower before its head, low-rank correction included."""
        from vidembed.models.encoders.minilm import sentence_vectors

        net, tokenizer = self._text_tower
        return sentence_vectors(net, tokenizer, texts)

    def _texts(self, texts: Sequence[str]) -> Floats:
        """What does not end as a sentence is read with a full stop too, which the captions it learnt from end with."""
        unfinished = [i for i, text in enumerate(texts) if not text.rstrip().endswith(SENTENCE_ENDS)]
        rows = self._as_written([*texts, *(f"{texts[i].rstrip()} ." for i in unfinished)])
        rows, finished = rows[: len(texts)], rows[len(texts) :]
        if unfinished:
            rows[unfinished] = unit_rows(rows[unfinished] + finished)
        return rows

    def _as_written(self, texts: Sequence[str]) -> Floats:
        return self._text_head(self.sentence_vectors(texts))

    def _prepared(self, images: Sequence[Image]) -> Iterator[Floats]:
        """The pictures as the backbone takes them, a few at a time."""
        from vidembed.models.encoders._efficientnet import prepare

        for start in range(0, len(images), _PICTURES):
            yield prepare(images[start : start + _PICTURES])

    @property
    def _backbone(self) -> Engine:
        return self._loaded("_backbone_engine")

    @property
    def _text_tower(self) -> tuple[MiniLM, Tokenizer]:
        return self._loaded("_text_net")

    @property
    def _picture_tower(self) -> tuple[Engine, Head]:
        return self._loaded("_picture_engine")

    @property
    def _text_head(self) -> Head:
        return self._loaded("_text_tensors")[0]

    @property
    def _sound(self) -> SoundTower:
        return self._loaded("_sound_tower")

    def _loaded(self, name: str) -> Any:
        with self._lock:
            return getattr(self, name)

    @cached_property
    def _classifier(self) -> tuple[Floats, Floats]:
        from vidembed.models.encoders import _efficientnet

        weights = _efficientnet.load()
        return weights["classifier.weight"], weights["classifier.bias"]

    @cached_property
    def _backbone_engine(self) -> Engine:
        """Untuned, the last map alone."""
        from vidembed.models.encoders import _efficientnet

        return self._engine(_efficientnet.load(), 1)

    @cached_property
    def _picture_engine(self) -> tuple[Engine, Head]:
        from vidembed.models.encoders import _efficientnet

        head, tensors = self._head(PICTURE_FILE)
        weights = _efficientnet.load()
        for name, value in tensors.items():  # a head alone belongs to the backbone as it comes
            ours = _untuned_name(name)
            if ours not in weights or weights[ours].shape != value.shape:
                raise WeightsMissing(f"{PICTURE_FILE} does not fit: {name} {value.shape}", hint="reinstall vidembed")
            weights[ours] = value
        return self._engine(weights, 2), head

    def _engine(self, weights: Mapping[str, Floats], count: int) -> Engine:
        """The first `count` maps of the picture network."""
        from vidembed.models.encoders._efficientnet import SIDE_PX, maps
        from vidembed.models.encoders._engines import engine

        return engine(lambda ops, pixels: maps(ops, pixels, weights)[:count], (3, SIDE_PX, SIDE_PX), device=self.device,
                      dtype=self.dtype)  # fmt: skip

    @cached_property
    def _text_tensors(self) -> tuple[Head, dict[str, Floats]]:
        return self._head(TEXT_FILE)

    @cached_property
    def _text_net(self) -> tuple[MiniLM, Tokenizer]:
        from vidembed.models.encoders import minilm

        return minilm.load_network(corrections=self._text_tensors[1])

    @cached_property
    def _sound_tower(self) -> SoundTower:
        from vidembed.models.encoders import starter_sound

        path = checked(self.folder, SOUND_FILE, self._manifest)
        tower = starter_sound.load(path, device=self.device, dtype=self.dtype)
        if tower.dim != self.space.dim:
            raise WeightsMissing(f"{SOUND_FILE} gives {tower.dim} dimensions, the space has {self.space.dim}")
        return tower

    def _head(self, name: str) -> tuple[Head, dict[str, Floats]]:
        """The head in a file and its other tensors, float32."""
        from vidembed.models.heads import Head, HeadSpec

        path = checked(self.folder, name, self._manifest)
        try:
            tensors = mapped(path)
            head = Head(HeadSpec(**self._manifest[name]["head"]), floats(tensors, "head."))
        except (ValueError, KeyError, TypeError, ConfigError) as error:
            raise WeightsMissing(f"{path} does not fit its manifest: {error}", hint="reinstall vidembed") from error
        return head, {key: value for key, value in floats(tensors).items() if not key.startswith("head.")}


def load(spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
         offline: bool = False, **options: Any) -> StarterEncoder:  # fmt: skip
    """The factory of the registry. dtype: "auto" is float32. weights_dir/NAME goes before the bundled files."""
    from vidembed.models.encoders._engines import checked_device

    if dtype not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"the starter runs in float32 or bfloat16, got dtype {dtype!r}", hint="use dtype: auto")
    if options:
        raise ConfigError(f"the starter takes no options, got {', '.join(sorted(options))}")
    own = None if weights_dir is None else weights_dir / spec.name
    folder = spec.path or (own if own is not None and (own / MANIFEST).is_file() else FOLDER.with_name(spec.name))
    dtype = "float32" if dtype == "auto" else dtype
    return StarterEncoder(folder, space=spec.space or SPACE, device=checked_device(device), dtype=dtype)


def read_manifest(folder: Path, space: Space = SPACE) -> dict[str, dict[str, Any]]:
    """File name -> its record (sha256, and what is needed to build it). Raises WeightsMissing."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if (content["space"], content["dim"]) != (space.name, space.dim):
            raise ValueError(f"made for {content['space']} ({content['dim']}), this is {space.name} ({space.dim})")
        files: dict[str, dict[str, Any]] = content["files"]
        return files
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsMissing(
            f"no usable starter weights in {folder}: {error}",
            hint="reinstall vidembed, or run training/train_starter.py",
        ) from error


def add_to_manifest(folder: Path, name: str, space: Space = SPACE, **about: Any) -> None:
    """Enter a file that training has just written, with its SHA-256; other files' entries stay."""
    try:
        files = read_manifest(folder, space)
    except WeightsMissing:
        files = {}
    files[name] = {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(), **about}
    content = {"space": space.name, "dim": space.dim, "files": dict(sorted(files.items()))}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def digest(texts: Sequence[str]) -> str:
    """Of texts in their order."""
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=16).hexdigest()


def checked(folder: Path, name: str, manifest: Mapping[str, Mapping[str, Any]]) -> Path:
    """The path of a file that is there and has the manifest's SHA-256. Raises WeightsMissing."""
    path = folder / name
    if name not in manifest or not path.is_file():
        raise WeightsMissing(f"no {name} in {folder}", hint="reinstall vidembed, or run its training script")
    if hashlib.sha256(path.read_bytes()).hexdigest() != manifest[name]["sha256"]:
        raise WeightsMissing(f"{path} does not have the SHA-256 its manifest states", hint="reinstall vidembed")
    return path


def _untuned_name(name: str) -> str:
    """tail.blocks.I.PART, counted from TUNED_FROM, and tail.head -> the backbone's own names."""
    parts = name.removeprefix("tail.").split(".")
    if parts[0] == "blocks":
        parts[1] = str(int(parts[1]) + TUNED_FROM)
    return ".".join(parts)


def _picture(item: Item) -> Image:
    if not isinstance(item, np.ndarray) or item.ndim != 3 or item.shape[2] != 3 or item.dtype != np.uint8:
        what = f"{item.shape} {item.dtype}" if isinstance(item, np.ndarray) else type(item).__name__
        raise ValueError(f"a picture must be (H, W, 3) uint8, got {what}")
    return item


def _sound(item: Item) -> AudioSamples:
    if not isinstance(item, AudioSamples):
        raise ValueError(f"a sound must be AudioSamples, got {type(item).__name__}")
    return item
