"""Fit projection heads between frozen towers on your own pairs, and use the result as a model.

`read_pairs` reads CSV or JSON Lines; `train` fits heads and writes a model folder; `evaluate` measures retrieval;
`export` writes a folder to give away; `load` makes an encoder of it. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vidembed.align.pairs import BadRow, Pair, Pairs, read_pairs

if TYPE_CHECKING:
    from vidembed.align.aligned import AlignedEncoder, HeadsManifest, load
    from vidembed.align.fit import Epoch, FitSettings
    from vidembed.align.measuring import Direction, EvalReport, evaluate, export
    from vidembed.align.training import AlignSettings, TrainReport, train

# No module has the name of a function: importing it would put the module in the function's place.
_WHERE = {
    "AlignSettings": "training", "AlignedEncoder": "aligned", "Direction": "measuring", "Epoch": "fit",
    "EvalReport": "measuring", "FitSettings": "fit", "HeadsManifest": "aligned", "TrainReport": "training",
    "evaluate": "measuring", "export": "measuring", "load": "aligned", "train": "training",
}  # fmt: skip

__all__ = [
    "AlignSettings", "AlignedEncoder", "BadRow", "Direction", "Epoch", "EvalReport", "FitSettings", "HeadsManifest",
    "Pair", "Pairs", "TrainReport", "evaluate", "export", "load", "read_pairs", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'vidembed.align' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vidembed.align.{_WHERE[name]}"), name)
