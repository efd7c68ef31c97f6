"""Encoders of transformers whose texts run on OpenVINO, without torch once they were converted (`kept`).

What else they understand is the torch encoder's, which is loaded when it is first asked for; so are texts where
OpenVINO cannot run them.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.batching import is_out_of_memory
from vidembed.errors import VidembedError
from vidembed.models import weights
from vidembed.models.encoders import kept
from vidembed.models.encoders._tokens import texts_of
from vidembed.models.encoders.open_clip import on_openvino
from vidembed.protocols import Encoder
from vidembed.types import Floats, Item, Modality, Space
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec

_FILES = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model", "*/*.safetensors", "*/*.bin", "*/*.json")
_TOLD = ("queries", "documents", "clip_frames")  # what a channel asks of an encoder, if it has it
_log = logging.getLogger(__name__)


class LeanEncoder:
    """An `Encoder`; texts by what is kept, all else by the encoder that `make` gives. Thread-safe."""

    def __init__(
        self,
        facts: dict[str, Any],
        texts: Path,
        make: Callable[[], Encoder],
        convert: Callable[[Encoder], None],
        made: Encoder | None = None,
    ) -> None:
        """Load nothing yet.

        Args:
            facts: `facts_of` the encoder.
            texts: The converted part, there or not.
            make: Gives the encoder.
            convert: Makes the part from it; raises OSError.
            made: What `make` gave already.
        """
        self.space = Space(facts["space"], int(facts["dim"]))
        self.modalities: frozenset[Modality] = frozenset(facts["modalities"])
        for name in _TOLD:
            setattr(self, name, facts[name])
        self._texts, self._make, self._convert, self._lock = texts, make, convert, RLock()
        self._made: dict[str, Any] = {} if made is None else {"torch": made}

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """As `Encoder.encode`."""
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} understands {' and '.join(sorted(self.modalities))}, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        tower = self._once("texts", self._opened) if modality == "text" else None
        if tower is None:
            return self._once("torch", self._make).encode(modality, items)  # type: ignore[no-any-return]
        return unit_rows(tower(texts_of(items)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._once("torch", self._make), name)

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

    def _opened(self) -> Any:
        """The tower that is kept, a damaged one made anew; None where there is none."""
        if not self._texts.is_dir():
            return None
        from vidembed.models.encoders._openvino import TextTower

        try:
            return TextTower(self._texts)
        except Exception as error:  # of OpenVINO, numpy, tokenizers
            if is_out_of_memory(error):
                raise
            _log.warning("%s is damaged and made anew", self._texts)
            shutil.rmtree(self._texts, ignore_errors=True)
        with suppress(OSError):  # of the disk
            self._convert(self._once("torch", self._make))
        return TextTower(self._texts) if self._texts.is_dir() else None


def facts_of(encoder: Any) -> dict[str, Any]:
    """What a `LeanEncoder` tells of an encoder without loading it."""
    told = {name: getattr(encoder, name, None) for name in _TOLD}
    space = {"space": encoder.space.name, "dim": encoder.space.dim, "prepare": {}}
    return {**space, "modalities": sorted(encoder.modalities), **told}


def load_clap(spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
              offline: bool = False) -> Encoder:  # fmt: skip
    """The registry's factory of CLAP. As `dual.ClapEncoder.load`."""
    from_disk: dict[str, Any] = {"weights_dir": weights_dir, "offline": offline}

    def make() -> Encoder:
        from vidembed.models.encoders.dual import ClapEncoder

        return ClapEncoder.load(spec, device=device, dtype=dtype, **from_disk)

    return _lean(spec, make, {"texts": "clap"}, device=device, dtype=dtype, **from_disk)


def load_sentence(
    spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
    offline: bool = False, dim: int | None = None, frames: int | None = None, with_sound: bool = False,
) -> Encoder:  # fmt: skip
    """The registry's factory of sentence-transformers. As `sentence.load`."""
    from_disk: dict[str, Any] = {"weights_dir": weights_dir, "offline": offline}

    def make() -> Encoder:
        from vidembed.models.encoders.sentence import load

        return load(spec, device=device, dtype=dtype, **from_disk, dim=dim, frames=frames, with_sound=with_sound)

    if spec.modalities - {"text"}:  # large models, of whose text tower a search would not be lean
        return make()
    return _lean(spec, make, {"texts": "sentence", "dim": dim}, device=device, dtype=dtype, **from_disk)


def _lean(
    spec: ModelSpec, make: Callable[[], Encoder], settings: dict[str, Any], *, device: str, dtype: str, **from_disk: Any
) -> Encoder:
    """The encoder with its texts on OpenVINO, where that runs on a CPU in float32; else as it is made."""
    if dtype not in ("auto", "float32") or not on_openvino("auto", device):
        return make()
    at = weights.folder(spec, **from_disk)
    files = sorted(
        {path for pattern in _FILES for path in at.glob(pattern)}, key=lambda path: (-path.stat().st_size, path)
    )
    if not files:
        return make()
    ours = kept.Kept(files, {**settings, "model": spec.name})  # by which its space goes
    convert = partial(_convert, ours, spec.name)
    known = ours.facts()
    if known is not None:
        return LeanEncoder(known, ours.part("text"), make, convert)
    encoder = make()
    facts = facts_of(encoder)
    if settings["texts"] == "sentence" and facts["modalities"] != ["text"]:
        return encoder
    try:
        convert(encoder)
        ours.add_facts(facts)
    except OSError:  # of the disk
        return encoder
    of_texts_alone = facts["modalities"] == ["text"] and ours.part("text").is_dir()
    return LeanEncoder(facts, ours.part("text"), make, convert, None if of_texts_alone else encoder)


def _convert(ours: kept.Kept, name: str, encoder: Encoder) -> None:
    """Keep the encoder's text tower; nothing, with a word, where OpenVINO cannot run it. Raises OSError."""
    from vidembed.models.encoders import _text_conversion

    try:
        with ours.adding("text") as folder:
            _text_conversion.convert(encoder, folder)  # type: ignore[arg-type]
    except (VidembedError, MemoryError, OSError):
        raise
    except Exception as error:  # of torch's tracer, of OpenVINO
        why = (str(error).strip() or repr(error)).splitlines()[0]
        _log.warning("OpenVINO cannot run the texts of %s; torch takes its place and is slower: %s", name, why[:200])
