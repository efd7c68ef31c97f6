"""Pictures and text through open_clip: any architecture, pretrained tag, hub id or local checkpoint.

On a CPU its towers run on OpenVINO. They are converted the first time and kept (`kept`); from then on neither torch
nor open_clip is imported.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.batching import is_out_of_memory
from vidembed.errors import ConfigError, MissingDependency, VidembedError
from vidembed.models import weights
from vidembed.models.encoders import _engines, kept
from vidembed.models.encoders._pictures import Preparation
from vidembed.models.encoders._tokens import texts_of
from vidembed.models.hub import OPEN_CLIP_WEIGHTS
from vidembed.types import Floats, Item, Modality, Space
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.encoders._open_clip_torch import TorchModel
    from vidembed.models.spec import ModelSpec

ENGINES = ("auto", "torch", "openvino")
_SMALL = ("open_clip_config.json", "*token*.json", "vocab*", "merges.txt", "*.model")  # settings and words
Tower = Callable[[Sequence[Any]], Floats]  # pictures or texts -> (N, D) features
_log = logging.getLogger(__name__)


class OpenClipEncoder:
    """An `Encoder` of pictures and text. Thread-safe. Made by `load`."""

    modalities: frozenset[Modality] = frozenset({"text", "image"})

    def __init__(self, space: Space, prepare: Preparation, make: Callable[[Modality], Tower]) -> None:
        """make: the tower of a modality, called when it is first used: a search by text waits for no other."""
        self.space, self.prepare = space, prepare
        self._make, self._making = make, Lock()
        self._towers: dict[Modality, Tower] = {}

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """As `Encoder.encode`."""
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} understands {' and '.join(sorted(self.modalities))}, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        if modality == "text":
            return unit_rows(self.tower("text")(texts_of(items)))
        return unit_rows(self.tower("image")(items))

    def tower(self, modality: Modality) -> Tower:
        """What computes the modality's features."""
        with self._making:
            if modality not in self._towers:
                self._towers[modality] = self._make(modality)
            return self._towers[modality]


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    arch: str | None = None,
    tag: str | None = None,
    engine: str = "auto",
) -> OpenClipEncoder:
    """The registry's factory: loads the record's folder, checkpoint, or hub repository, or that of the tag.

    Args:
        spec: The record.
        device: See `registry.load`.
        dtype: See `registry.load`.
        weights_dir: See `registry.load`.
        offline: See `registry.load`.
        arch: open_clip's name of the architecture; needed where the folder has no open_clip_config.json.
        tag: open_clip's name of the pretrained weights.
        engine: What runs the towers on a CPU. "openvino" takes bfloat16 for pictures where the CPU has it and the
            vectors agree with float32 (cosine >= 0.999, checked when loaded). "auto": OpenVINO where it is installed,
            else torch.

    Raises:
        UnknownModel: For an unknown architecture or tag.
        WeightsMissing: When the weights are not found or do not load.
        ConfigError: For an unknown engine, device or dtype.
        MissingDependency: For engine "openvino" without the package.
    """
    converted = on_openvino(engine, device)
    if spec.path is None and spec.repo is None:
        asked = f"repository of {arch}/{tag} in open_clip {kept.version_of('open_clip_torch')}"
        spec = replace(spec, repo=kept.noted(asked, partial(_repository, arch, tag)))
    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    made: _Converted | TorchModel
    if converted and (files := _files(at)):
        ours = kept.Kept(files, {"arch": arch, "tag": tag})
        made = _Converted(spec, at, ours, dtype=dtype, arch=arch, tag=tag, needed=engine == "openvino")
    else:
        made = _in_torch(spec, at, arch=arch, tag=tag, device=device, dtype=dtype)
    space = spec.space or Space(weights.space_name(spec, at), made.dim)
    encoder = OpenClipEncoder(space, made.prepare, made.tower)
    if engine == "openvino":
        encoder.tower("image")  # whoever asks for it by name hears at once when it cannot be
    return encoder


def _repository(arch: str | None, tag: str | None) -> str:
    from vidembed.models.encoders._open_clip_torch import repository

    return repository(arch, tag)


def _in_torch(spec: ModelSpec, at: Path, **how: Any) -> TorchModel:
    from vidembed.models.encoders._open_clip_torch import TorchModel

    return TorchModel(spec, at, **how)


def _files(at: Path) -> list[Path]:
    """What a model is made from: weights first, then settings and words. [] without weights."""
    folder = at if at.is_dir() else at.parent
    named = [at] if at.is_file() else [folder / name for name in OPEN_CLIP_WEIGHTS if (folder / name).is_file()][:1]
    return named and [*named, *sorted(path for pattern in _SMALL for path in folder.glob(pattern) if path.is_file())]


def on_openvino(engine: str, device: str) -> bool:
    """Whether the towers are to run there. Raises ConfigError, MissingDependency."""
    if engine not in ENGINES:
        raise ConfigError(f"unknown engine {engine!r}; allowed: {', '.join(ENGINES)}")
    if engine == "torch":
        return False
    on_cpu = _engines.is_cpu(_engines.checked_device(device))
    if on_cpu and device == "auto" and sys.platform == "darwin":
        from vidembed.models.encoders._torch import pick_device

        on_cpu = pick_device(device).type == "cpu"
    if engine == "auto":
        return on_cpu and _engines.available()
    if not on_cpu:
        raise ConfigError(
            f"engine 'openvino' runs on the CPU, not on {device}", hint="set device: cpu or engine: torch"
        )
    if not _engines.available():
        raise MissingDependency(
            "engine openvino needs the package 'openvino', which is not installed", hint="pip install openvino"
        )
    return True


class _Converted:
    """A model's towers on OpenVINO, from what is kept; what is not kept yet is converted from torch."""

    def __init__(self, spec: ModelSpec, at: Path, ours: kept.Kept, *, dtype: str, needed: bool, **how: Any) -> None:
        """needed: a picture tower that cannot be converted is an error. Raises ConfigError, and as `TorchModel`."""
        if dtype not in ("auto", *_engines.PRECISIONS):
            raise ConfigError(f"unknown dtype {dtype!r}; allowed: auto, {', '.join(_engines.PRECISIONS)}")
        self._name, self._kept, self._dtype, self._needed = spec.name, ours, dtype, needed
        self._load = partial(_in_torch, spec, at, device="cpu", dtype="float32", **how)
        facts = ours.facts()
        if facts is None:
            facts = {"dim": self._torch.dim, "prepare": asdict(self._torch.prepare)}
            with suppress(OSError):
                ours.add_facts(facts)
        self.dim, self.prepare = int(facts["dim"]), Preparation.read(facts["prepare"])

    @cached_property
    def _torch(self) -> TorchModel:
        return self._load()

    def tower(self, modality: Modality) -> Tower:
        """From what is kept; else converted and kept; else torch's, with a word."""
        try:
            if self._kept.part(modality).is_dir():
                return self._opened(modality)
        except Exception as error:  # of OpenVINO, numpy, tokenizers
            if is_out_of_memory(error):
                raise
            _log.warning("%s is damaged and made anew", self._kept.part(modality))
            shutil.rmtree(self._kept.part(modality), ignore_errors=True)
        try:
            self._convert(modality)
            return self._opened(modality)
        except (VidembedError, MemoryError):
            raise
        except Exception as error:  # of torch's tracer, of OpenVINO, of the disk
            what, why = f"the {modality} tower of {self._name}", (str(error).strip() or repr(error)).splitlines()[0]
            if self._needed and modality == "image":
                raise ConfigError(
                    f"OpenVINO cannot run {what}: {why[:200]}", hint="set the channel's engine to torch or auto"
                ) from error
            _log.warning("OpenVINO cannot run %s; torch takes its place and is slower: %s", what, why[:200])
            return self._torch.tower(modality)

    def _convert(self, modality: Modality) -> None:
        from vidembed.models.encoders import _conversion

        convert = _conversion.convert_pictures if modality == "image" else _conversion.convert_texts
        with self._kept.adding(modality) as folder:
            convert(self._torch, folder)
        del self._torch  # its memory

    def _opened(self, modality: Modality) -> Tower:
        from vidembed.models.encoders import _openvino

        folder = self._kept.part(modality)
        if modality == "text":
            return _openvino.TextTower(folder)
        return _openvino.PictureTower(folder, self.prepare, self._dtype)
