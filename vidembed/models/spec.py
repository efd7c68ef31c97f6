"""What is known of a model before anything is loaded: names, sizes, licence, where the weights are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vidembed.types import MODALITIES, Modality, Space

Kind = Literal["encoder", "words", "captioner"]
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
class ModelSpec:
    """A model's record. Checks itself when made; nothing is imported or read."""

    name: str  # what people write in a config; local and hub forms keep their own spelling
    kind: Kind
    factory: str  # "module:function", called as load(spec, *, device, dtype, weights_dir, offline, **options)
    summary: str = ""
    license: str = "unknown"  # SPDX id or the licence's own name
    commercial: bool = False  # the weights may be used commercially; so are those of laptop, gpu, joint and gemma
    space: Space | None = None  # None: captioners, and folders whose space only the weights know
    modalities: frozenset[Modality] = frozenset()
    repo: str | None = None  # hub id; None: weights come with a pip package, from `path`, or there are none
    revision: str = "main"
    files: Mapping[str, str] = field(default_factory=dict)  # relative path -> SHA-256, checked before loading
    path: Path | None = None  # a local folder or file that holds the weights
    size_gb: float = 0.0  # to download
    min_gpu_gb: float | None = None  # None: runs well on a CPU
    extra: str | None = None  # the extra of ours that brings its packages
    input: ModelInput = ModelInput()
    templates: tuple[str, ...] = ("{}",)  # prompts for text queries; their vectors are averaged
    options: Mapping[str, Any] = field(default_factory=dict)  # defaults for the factory's **options
    reference: str = ""  # where these facts come from

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.name) or ":" in self.name or self.path):
            raise ValueError(f"model name {self.name!r} must match {_NAME.pattern}")
        module, _, function = self.factory.partition(":")
        if not module or not function:
            raise ValueError(f"factory of {self.name} must be 'module:function', got {self.factory!r}")
        if self.kind == "captioner" and self.space is not None:
            raise ValueError(f"{self.name}: a captioner has no space")
        if unknown := self.modalities - set(MODALITIES):
            raise ValueError(f"{self.name}: unknown modalities {sorted(unknown)}")
        if not self.templates or any(t.count("{}") != 1 for t in self.templates):
            raise ValueError(f"{self.name}: every template needs exactly one {{}}, got {self.templates}")
