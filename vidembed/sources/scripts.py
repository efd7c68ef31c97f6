"""Which script a line of text in a picture is written in, by a small network of our own (see its model card)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.models.arrays import floats, mapped
from vidembed.types import Floats, Image

# "latin" holds digits and signs as well, "cjk" Chinese characters and Japanese kana, "other" all scripts not named.
SCRIPTS = ("latin", "cjk", "hangul", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "thai", "other")
HEIGHT_PX = 32
_WEIGHTS = Path(__file__).parents[1] / "assets" / "scripts" / "scripts.safetensors"
_LONGEST_PX = 640  # what a longer line begins with says enough
# Of each layer: the steps down and across, and the rows and columns of zeros around its input.
LAYERS = {
    "a": (2, 2, 1, 1), "b": (2, 2, 1, 1), "c": (2, 1, 1, 1), "d": (1, 1, 0, 1), "e": (1, 1, 0, 2), "f": (1, 1, 0, 2),
}  # fmt: skip


class ScriptTeller:
    """Tells scripts of lines of text. Thread-safe; about 9 ms of one core a line."""

    def shares(self, lines: Sequence[Image]) -> Floats:
        """(N, S) float32: how likely each line is in each of the S = len(SCRIPTS) scripts; rows sum to 1.

        Args:
            lines: N of (H, W, 3) or (H, W) uint8, each cut out so that the text fills its height.
        """
        return np.array([self._share(_prepared(line)) for line in lines], np.float32).reshape(-1, len(SCRIPTS))

    def _share(self, x: Floats) -> Floats:
        for name, (down, across, rows, columns) in LAYERS.items():
            padded = np.pad(x, ((0, 0), (rows, rows), (columns, columns)))
            weights, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
            windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[2:], (1, 2))[:, ::down, ::across]
            x = np.tensordot(weights, windows, ((1, 2, 3), (0, 3, 4))) + bias[:, None, None]
            x = np.maximum(0, x, out=x)
        columns_of = x[:, 0]  # (C, columns)
        said = self._weights["said.weight"] @ columns_of + self._weights["said.bias"][:, None]
        heeded = _softmax((self._weights["heeded.weight"] @ columns_of)[0])
        return _softmax(said @ heeded)

    @cached_property
    def _weights(self) -> dict[str, Floats]:
        return floats(mapped(_WEIGHTS))


def _prepared(line: Image) -> Floats:
    """(1, HEIGHT_PX, W) of mean 0 and deviation 1."""
    import cv2

    grey = line if line.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(line), cv2.COLOR_RGB2GRAY)
    width = min(_LONGEST_PX, max(8, round(grey.shape[1] * HEIGHT_PX / grey.shape[0])))
    grey = grey[:, : max(1, round(width * grey.shape[0] / HEIGHT_PX))]
    how = cv2.INTER_AREA if grey.shape[0] > HEIGHT_PX else cv2.INTER_LINEAR
    small = cv2.resize(grey, (width, HEIGHT_PX), interpolation=how)
    return normalized(np.asarray(small, np.float32))[None]


def normalized(grey: Floats) -> Floats:
    """Grey values less their mean, over their deviation."""
    return np.asarray((grey - grey.mean()) / (grey.std() + 4.0), np.float32)


def _softmax(x: NDArray[Any]) -> Floats:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum(), np.float32)
