"""Text towers of transformers and sentence-transformers converted for OpenVINO, as `_conversion` does open_clip's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.models.encoders import _tokens
from vidembed.models.encoders._conversion import EXACT, Disagreement, Given, tracing, write
from vidembed.models.encoders._engines import package
from vidembed.models.encoders._openvino import ABOUT, TEXTS, WORDS, TextTower, agreement, text_inputs

if TYPE_CHECKING:
    from torch import Tensor

    from vidembed.models.encoders._torch import TransformersTower
    from vidembed.models.encoders.sentence import SentenceEncoder


def convert(tower: TransformersTower | SentenceEncoder, folder: Path) -> None:
    """Write a tower's network for texts, its tokenizer, and apart from them the vectors of words.

    Args:
        tower: In float32, on the CPU, with `text_network`.
        folder: Empty.

    Raises:
        Disagreement: The result differs from torch's.
        Exception: Of torch's tracer and of OpenVINO, for what they cannot translate; AttributeError for a tokenizer of
            another kind.
    """
    network = _Network(tower)
    tokenizer, length = tower.text_tokenizer
    tokenizer.backend_tokenizer.save(str(folder / _tokens.FILE))
    about = {"length": length, "pad": int(tokenizer.pad_token_id), "strip": None, "clean": ""}
    words = network.table.weight.detach().numpy().astype(np.float16)
    np.save(folder / WORDS, words)
    (folder / ABOUT).write_text(
        json.dumps({**about, "ends_early": False, "masked": True, "words": True}), encoding="utf-8"
    )
    ids, mask = _tokens.Tokens(folder, about).with_mask(TEXTS)
    longest = int(mask.sum(axis=1).max())
    given = text_inputs(ids[:, :longest], words, mask[:, :longest])
    example = tuple(torch.from_numpy(part[:2]) for part in given)
    shapes = [([-1, -1, *part.shape[2:]], package().Type(part.dtype)) for part in given]
    with tracing():
        reference = np.concatenate([tower.encode("text", [text]) for text in TEXTS])  # nothing pads one text
        converted = package().convert_model(network, example_input=example, input=shapes)
    write(converted, folder, given, reference)
    if agreement(TextTower(folder)(TEXTS), reference) < EXACT:
        raise Disagreement("texts have other vectors")


class _Network(torch.nn.Module):
    """A tower's `text_network`, given the words' rows of its table."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self._model, self._network = tower._model, tower.text_network
        self._owner = next(part for part in self._model.modules() if hasattr(part, "word_embeddings"))
        self.table = self._owner.word_embeddings

    def forward(self, ids: Tensor, rows: Tensor, mask: Tensor) -> Tensor:
        """(N, L) ids, (N, L, D) rows, (N, L) mask -> (N, D)."""
        self._owner._modules["word_embeddings"] = Given(rows)
        try:
            output: Tensor = self._network(ids, mask)
        finally:
            self._owner._modules["word_embeddings"] = self.table
        return output
