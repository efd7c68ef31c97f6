"""Records of models: names, sizes, licence, where the weights are. Nothing is loaded to read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from vidembed.errors import ConfigError
from vidembed.types import MODALITIES, Floats, Modality, Space, SpaceKind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ASSETS = Path(__file__).parents[1] / "assets"

Kind = Literal["encoder", "words", "late", "captioner", "speech", "reranker", "ocr"]
_STARTER = "vidembed.models.encoders.starter:load"
# Change it when the preprocessing of the starter's pictures or texts changes.
_STARTER_PREPARATION = "long pictures are cut towards 4:3, unfinished sentences are read with a full stop too"
_STARTER_TOWERS = ("picture.safetensors", "text.safetensors", "sound.safetensors")  # all that vectors depend on
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class ModelInput:
    """What the model takes; None = does not apply or only the weights know."""

    image_px: int | None = None  # side of the square the tower sees
    frames: int | None = None  # per clip, for video towers
    window_s: float | None = None  # of sound
    rate_hz: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Known:
    """What others have published of a text tower: `vidembed models check` compares it with the weights that are here.

    Attributes:
        source: Where the numbers are published.
        texts: As the tower gets them, prompts included.
        begins: The first values of each text's unit vector, of as many texts as it has rows.
        cosines: (T, T) of the texts' vectors.
        within: Largest difference that rounding explains.
    """

    source: str
    texts: tuple[str, ...]
    begins: tuple[tuple[float, ...], ...] = ()
    cosines: tuple[tuple[float, ...], ...] = ()
    within: float = 1e-3

    def largest_difference(self, rows: Floats) -> float:
        """From the published numbers to those of the texts' (T, D) unit rows."""
        begins = [np.abs(row[: len(begin)] - begin).max() for row, begin in zip(rows, self.begins)]
        cosines = [np.abs(rows @ rows.T - self.cosines).max()] if self.cosines else []
        return float(max(begins + cosines))


@dataclass(frozen=True)
class ModelSpec:
    """The record of a model. Raises ValueError for values that do not fit together; nothing is imported or read."""

    name: str  # what people write in a config; local and hub forms keep their own spelling
    kind: Kind
    factory: str  # "module:function", called as load(spec, *, device, dtype, weights_dir, offline, **options)
    summary: str = ""
    license: str = "unknown"  # SPDX id or the licence's own name
    commercial: bool = False  # the weights may be used commercially
    space: Space | None = None  # None: captioners, and folders whose space only the weights know
    modalities: frozenset[Modality] = frozenset()
    repo: str | None = None  # hub id; None: weights come with a pip package, from `path`, or there are none
    revision: str = "main"
    url: str | None = None  # of the one file of `files`, for weights that are on no hub
    files: Mapping[str, str] = field(default_factory=dict)  # relative path -> SHA-256, checked before loading
    path: Path | None = None  # local folder or file with the weights
    size_gb: float = 0.0  # to download
    min_gpu_gb: float | None = None  # None: runs well on a CPU
    dtypes: tuple[str, ...] = ("float32", "bfloat16")  # in which its vectors keep their places; on a GPU auto takes one
    extra: str | None = None  # the extra of ours that brings its packages
    input: ModelInput = ModelInput()
    templates: tuple[str, ...] = ("{}",)  # prompts for text queries; their vectors are averaged
    documents: str | None = None  # prompt for texts that are stored; None: what the weights say, if anything
    known: Known | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # defaults for the factory's **options
    reference: str = ""  # where these facts come from

    @property
    def fetched(self) -> bool:
        """Whether its weights are to be fetched, from a hub or from elsewhere."""
        return self.repo is not None or self.url is not None

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.name) or ":" in self.name or self.path):
            raise ValueError(f"model name {self.name!r} must match {_NAME.pattern}")
        module, _, function = self.factory.partition(":")
        if not module or not function:
            raise ValueError(f"factory of {self.name} must be 'module:function', got {self.factory!r}")
        if self.kind in ("captioner", "speech", "reranker", "ocr") and self.space is not None:
            raise ValueError(f"{self.name}: a model of kind {self.kind} has no space")
        if unknown := self.modalities - set(MODALITIES):
            raise ValueError(f"{self.name}: unknown modalities {sorted(unknown)}")
        if self.url is not None and len(self.files) != 1:
            raise ValueError(f"{self.name}: a url needs one file with its SHA-256, got {sorted(self.files)}")
        if not self.templates or any(t.count("{}") != 1 for t in self.templates):
            raise ValueError(f"{self.name}: every template needs exactly one {{}}, got {self.templates}")


def read_options(kind: type[DataclassInstance], given: Mapping[str, Any], name: str) -> Any:
    """A factory's options as a dataclass.

    Args:
        kind: The dataclass whose fields are the options.
        given: Options by name, as in the settings.
        name: Of the model, for the message.

    Raises:
        ConfigError: For an unknown option, or a value that the dataclass refuses.
    """
    allowed = [field.name for field in fields(kind)]
    for option in given:
        if option not in allowed:
            raise unknown_option(name, option, allowed)
    return kind(**given)


def unknown_option(name: str, option: str, allowed: Iterable[str]) -> ConfigError:
    """The error for an option that a model does not have."""
    return ConfigError(f"{name!r} has no option {option!r}; allowed: {', '.join(sorted(allowed)) or 'none'}")


class _Family(BaseModel):
    """What records.yaml may hold for a family of models; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factory: str = ""
    kind: Kind = "encoder"
    modalities: tuple[Modality, ...] = ()
    templates: tuple[str, ...] = ("{}",)
    documents: str | None = None
    input: ModelInput = ModelInput()
    dtypes: tuple[Literal["float32", "bfloat16", "float16"], ...] = ("float32", "bfloat16")
    extra: str | None = None


class _Record(_Family):
    name: str
    family: str | None = None
    summary: str
    license: str = "Apache-2.0"
    commercial: bool = True
    space: str | None = None
    dim: int | None = None
    space_kind: SpaceKind = "dense"
    repo: str | None = None
    revision: str = "main"
    url: str | None = None
    files: dict[str, str] = {}
    size_gb: float = 0.0
    min_gpu_gb: float | None = None
    known: Known | None = None
    options: dict[str, Any] = {}
    reference: str = ""


def builtin() -> list[ModelSpec]:
    """The records of records.yaml, checked against their schema."""
    text = resources.files("vidembed.models").joinpath("records.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    data = loader.get_single_data()
    families = {name: _Family(**given) for name, given in data["families"].items()}
    shared = {name: family.model_dump(exclude_unset=True) for name, family in families.items()}
    return [_spec(_Record(**{**shared.get(given.get("family"), {}), **given})) for given in data["records"]]


def _spec(record: _Record) -> ModelSpec:
    given = {name: getattr(record, name) for name in _Record.model_fields}
    for name in ("family", "space", "dim", "space_kind"):
        del given[name]
    if record.dim is not None:
        given["space"] = Space(record.space or record.name, record.dim, record.space_kind)
    if record.factory == _STARTER and record.kind == "encoder":
        given["revision"] = _starter_revision(record.name)
    page = f"https://huggingface.co/{record.repo}" if record.repo else ""
    return ModelSpec(**{**given, "modalities": frozenset(record.modalities), "reference": record.reference or page})


def _starter_revision(name: str) -> str:
    """8 hex digits of the shipped weights, so that vectors of other weights never mix with theirs."""
    manifest = json.loads((ASSETS / name / "manifest.json").read_text("utf-8"))
    towers = {name: entry["sha256"] for name, entry in manifest["files"].items() if name in _STARTER_TOWERS}
    towers["preparation"] = _STARTER_PREPARATION
    return blake2b(json.dumps(towers, sort_keys=True).encode(), digest_size=4).hexdigest()
