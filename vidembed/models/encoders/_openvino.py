"""Towers converted for OpenVINO (`_conversion`), run without torch: bfloat16 where the CPU has it and it agrees.

Measured by benchmarks/image_tower.py: several times torch float32 on CPUs with AVX512-BF16 or AMX.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidembed.models.encoders._engines import Compiled, package
from vidembed.models.encoders._tokens import Tokens
from vidembed.types import Floats
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.encoders._pictures import Preparation
    from vidembed.types import Image

PIECE = 4  # pictures of a batch computed at once, at most: their intermediate values stay small, and near the core
AGREEMENT = 0.999  # smallest cosine with torch float32 at which a faster precision may be used by default
_TEXTS = 8  # as PIECE; each is computed by all cores, since somebody waits for the few forms of a query
MODEL, WORDS, REFERENCE, ABOUT = "model.xml", "words.npy", "reference.npy", "about.json"
# What towers are compared on: short, long, and with what a tokenizer must treat as training did.
TEXTS = ("a red car", "Two dogs, running!", "", "été 2024: l'homme & 3 €", "a word " * 90)
_log = logging.getLogger(__name__)


class PictureTower:
    """(H, W, 3) uint8 pictures -> (N, D) features.

    folder: a part that `_conversion` made. dtype: "auto": the CPU's own half precision where the smallest cosine with
    torch in float32 on probe pictures is at least AGREEMENT, else float32. A named dtype is taken as it is.

    Attributes:
        precision: "float32", "bfloat16" or "float16".
    """

    def __init__(self, folder: Path, prepare: Preparation, dtype: str = "auto") -> None:
        self._prepare = prepare
        probe, reference = probe_pictures(prepare.size), np.load(folder / REFERENCE)
        for self.precision in _precisions(dtype):
            self.compiled = Compiled(folder / MODEL, dtype=self.precision, piece=PIECE)
            if dtype != "auto" or self.precision == "float32":
                return
            found = agreement(self.compiled(probe)[0], reference)
            if found >= AGREEMENT:
                return
            _log.info("OpenVINO %s agrees with float32 to %.5f only; trying the next precision", self.precision, found)

    def __call__(self, images: Sequence[Image]) -> Floats:
        """Raises ValueError for what is no picture."""
        return self.compiled(self._prepare(images))[0]


class TextTower:
    """Texts -> (N, D) features, in float32: the words' vectors are read from a mapped file, the rest is OpenVINO's.

    folder: a part that `_conversion` or `_text_conversion` made.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self._tokens, self._ends_early = Tokens(folder, about), about["ends_early"]
        self._masked = about.get("masked", False)
        self._words = np.load(folder / WORDS, mmap_mode="r") if about["words"] else None
        self._compiled = Compiled(folder / MODEL, piece=_TEXTS, together=True)

    def __call__(self, texts: Sequence[str]) -> Floats:
        ids, mask = self._tokens.with_mask(texts)
        if self._masked:
            return self._by_length(ids, mask)
        if self._ends_early:
            ids = ids[:, : int(ids.argmax(axis=1).max()) + 1]
        return self._compiled(*text_inputs(ids, self._words))[0]

    def _by_length(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Floats:
        """Texts of like lengths go together, so that little is computed that only pads."""
        lengths = mask.sum(axis=1)
        order = np.argsort(lengths, kind="stable")
        found = []
        for i in range(0, len(order), _TEXTS):
            piece = order[i : i + _TEXTS]
            here = piece, slice(0, int(lengths[piece].max()))
            found += self._compiled(*text_inputs(ids[here], self._words, mask[here]))
        return np.concatenate(found)[np.argsort(order)]


def text_inputs(
    ids: NDArray[np.int64], words: NDArray[Any] | None, mask: NDArray[np.int64] | None = None
) -> list[NDArray[Any]]:
    """What a converted text tower takes: token ids, their vectors where these are kept apart, a mask if it has one."""
    rows = [] if words is None else [words[ids].astype(np.float32)]
    return [ids, *rows, *([] if mask is None else [mask])]


def agreement(output: Floats, reference: Floats) -> float:
    """The smallest cosine of rows of the same place; -1 where some are not finite."""
    if not np.all(np.isfinite(output)):
        return -1.0
    return float((unit_rows(output) * unit_rows(reference)).sum(axis=1).min())


def probe_pictures(size: tuple[int, int]) -> Floats:
    """(4, 3, *size): noise, a slope each way, stripes: what is smooth and what is not."""
    shape = (3, *size)
    rows = np.broadcast_to(np.linspace(-1.5, 1.5, size[0], dtype=np.float32)[:, None], shape)
    columns = np.broadcast_to(np.linspace(1.5, -1.5, size[1], dtype=np.float32), shape)
    noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return np.stack([noise, rows, columns, np.sign(np.sin(40 * rows + 20 * columns))])


def _precisions(dtype: str) -> list[str]:
    if dtype != "auto":
        return [dtype]
    able = package().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    half = {"bfloat16": "BF16", "float16": "FP16"}
    return [*[name for name, theirs in half.items() if theirs in able][:1], "float32"]
