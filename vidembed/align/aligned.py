"""A trained alignment as a model like any other: base towers below, heads on top, one space of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidembed.align.features import compute
from vidembed.errors import ConfigError, WeightsMissing
from vidembed.models.arrays import floats, mapped
from vidembed.models.heads import Head, HeadSpec
from vidembed.protocols import Encoder
from vidembed.types import MODALITIES, Floats, Item, Modality, Space

FORMAT = 1
MANIFEST, HEADS, CARD = "align.json", "heads.safetensors", "MODEL_CARD.md"


@dataclass(frozen=True)
class FrozenTower:
    """One modality of an alignment: the base model by name, the space its features come from, the head's making."""

    model: str
    space: Space
    head: Mapping[str, Any]  # HeadSpec as a dict: readable without torch

    @property
    def tokens(self) -> bool:
        """Whether the head looks at the frozen model's tokens and not at its pooled vector."""
        return self.head.get("kind") == "attention"


@dataclass(frozen=True)
class HeadsManifest:
    """What a model folder says of itself; read without loading anything heavy."""

    name: str
    dim: int
    towers: Mapping[Modality, FrozenTower]
    sha256: Mapping[str, str]  # file -> hash
    about: Mapping[str, Any] = field(default_factory=dict)  # data, licence, seed, figures

    @property
    def space(self) -> Space:
        """Named after the weights too: two trainings of one name are two spaces."""
        return Space(f"{self.name}-{self.sha256[HEADS][:8]}", self.dim)

    def write(self, folder: Path) -> None:
        """Write the manifest into a model folder."""
        towers = {
            m: {"model": t.model, "space": {"name": t.space.name, "dim": t.space.dim}, "head": dict(t.head)}
            for m, t in self.towers.items()
        }
        content = {"format": FORMAT, "name": self.name, "dim": self.dim, "towers": towers}
        content |= {"sha256": dict(self.sha256), "about": dict(self.about)}
        (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> HeadsManifest:
        """Raises WeightsMissing when there is none, or it is damaged or of a newer format."""
        path = folder / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise WeightsMissing(f"{path} has format {content['format']!r}, this version reads {FORMAT}")
            towers: dict[Modality, FrozenTower] = {}
            for modality, t in content["towers"].items():
                if modality not in MODALITIES:
                    raise ValueError(f"modality {modality!r}")
                towers[modality] = FrozenTower(t["model"], Space(t["space"]["name"], int(t["space"]["dim"])), t["head"])
            return cls(content["name"], int(content["dim"]), towers, content["sha256"], content.get("about", {}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsMissing(
                f"{folder} is no usable align model: {error}",
                hint="a folder made by `vidembed align train` or `export`",
            ) from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class AlignedEncoder:
    """Base encoders with a trained head each, in the alignment's own space. An `Encoder`."""

    def __init__(self, space: Space, bases: Mapping[Modality, Encoder], heads: Mapping[Modality, Head]) -> None:
        if set(bases) != set(heads):
            raise ConfigError(f"bases for {sorted(bases)} but heads for {sorted(heads)}")
        self.space = space
        self.modalities: frozenset[Modality] = frozenset(bases)
        self._bases, self._heads = dict(bases), dict(heads)

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, D) float32 unit rows. ValueError for a modality it was not trained for."""
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} does not understand {modality!r}; known: {sorted(self.modalities)}")
        if not len(items):
            return np.zeros((0, self.space.dim), np.float32)
        head = self._heads[modality]
        return head(compute(self._bases[modality], modality, items, tokens=head.spec.kind == "attention"))


def load(
    folder: Path | str,
    *,
    load_encoder: Callable[[str], Encoder] | None = None,
    towers: Mapping[Modality, Encoder] | None = None,
) -> AlignedEncoder:
    """A trained model folder as an encoder.

    towers: the base encoders where they are at hand; others are loaded by their recorded names through `load_encoder`
    (default: the model registry). Heads are checked against their SHA-256, towers against the spaces trained on.
    Raises WeightsMissing, ConfigError (a tower of another space), and what loading a base model raises.
    """
    folder = Path(folder)
    manifest = HeadsManifest.read(folder)
    heads = _load_heads(folder, manifest)
    given, by_name = dict(towers or {}), dict[str, Encoder]()
    bases: dict[Modality, Encoder] = {}
    for modality, tower in manifest.towers.items():
        if modality in given:
            base = given[modality]
        else:
            if tower.model not in by_name:
                by_name[tower.model] = (load_encoder or _registry)(tower.model)
            base = by_name[tower.model]
        if base.space != tower.space:
            raise ConfigError(
                f"{manifest.name} was trained on {modality} features of {tower.space}, not of {base.space}",
                hint="train it again on the model at hand, or install the version it was trained with",
            )
        bases[modality] = base
    return AlignedEncoder(manifest.space, bases, heads)


def load_spec(spec: Any, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
              offline: bool = False, folder: Path | str | None = None, **options: Any) -> AlignedEncoder:  # fmt: skip
    """The factory the model registry calls; the folder is `folder`, or the record's `repo`."""
    from vidembed.models.registry import load_encoder

    def base(name: str) -> Encoder:
        found: Any = load_encoder(name, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline, **options)
        return found

    return load(Path(folder or spec.repo), load_encoder=base)


def _registry(name: str) -> Encoder:
    from vidembed.models.registry import load_encoder

    found: Any = load_encoder(name)
    return found


def _load_heads(folder: Path, manifest: HeadsManifest) -> dict[Modality, Head]:
    path = folder / HEADS
    if not path.is_file():
        raise WeightsMissing(f"no {HEADS} in {folder}")
    if sha256_of(path) != manifest.sha256.get(HEADS):
        raise WeightsMissing(f"{path} does not match the SHA-256 of {MANIFEST}", hint="copy or export the model again")
    heads: dict[Modality, Head] = {}
    try:
        tensors = mapped(path)
        for modality, tower in manifest.towers.items():
            heads[modality] = Head(HeadSpec(**tower.head), floats(tensors, f"{modality}."))
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsMissing(f"{path} does not fit {MANIFEST}: {error}") from error
    return heads
