"""Torch towers of open_clip converted for OpenVINO: made once, kept (`kept`), run without torch (`_openvino`)."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.models.encoders import _tokens
from vidembed.models.encoders._engines import Compiled, package
from vidembed.models.encoders._openvino import (
    ABOUT,
    MODEL,
    REFERENCE,
    TEXTS,
    WORDS,
    TextTower,
    agreement,
    probe_pictures,
    text_inputs,
)  # fmt: skip

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vidembed.models.encoders._open_clip_torch import TorchModel

EXACT = 0.9999  # smallest cosine with torch, both in float32, of a conversion that is kept
_TRACED: Any = torch.jit.TracerWarning  # type: ignore[attr-defined]


class Disagreement(ValueError):
    """A converted tower does not compute what the tower does."""


def convert_pictures(model: TorchModel, folder: Path) -> None:
    """Write the image tower, for any number of pictures.

    Args:
        model: In float32, on the CPU.
        folder: Empty.

    Raises:
        Disagreement: The result differs from torch's.
        Exception: Of torch's tracer and of OpenVINO, for what they cannot translate.
    """
    convert_tower(model.visual, model.prepare.size, folder)


def convert_tower(tower: nn.Module, size: tuple[int, int], folder: Path) -> None:
    """Write a module of torch, (N, 3, *size) -> (N, D). As `convert_pictures`."""
    pixels = probe_pictures(size)
    with tracing():
        example = torch.from_numpy(pixels[:2])
        converted = package().convert_model(_depthwise(tower), example_input=example, input=[-1, 3, *size])
        reference = tower(torch.from_numpy(pixels)).numpy()
    write(converted, folder, [pixels], reference)


def convert_texts(model: TorchModel, folder: Path) -> None:
    """Write the text tower and its tokenizer; of texts of any length where what pads them changes nothing.

    The vectors of words, most of a small tower's weights, are written apart: few of them are ever read.

    Args:
        model: In float32, on the CPU.
        folder: Empty.

    Raises:
        Disagreement: The result differs from torch's, or its tokens from open_clip's.
        Exception: As `convert_pictures`; AttributeError, KeyError or TypeError for an unknown kind of tokenizer.
    """
    about = _convert_tokenizer(model.tokenizer, folder)
    wrapped = _TextTower(model.model, shorten=model.ends_early)
    words: Any = None if wrapped.words is None else wrapped.words.weight.detach().numpy().astype(np.float16)
    about |= {"ends_early": model.ends_early, "words": words is not None}
    if words is not None:
        np.save(folder / WORDS, words)
    tokens = model.tokenizer(list(TEXTS))
    given = text_inputs(tokens.numpy(), words)
    example = tuple(torch.from_numpy(part[:2]) for part in given)
    length = -1 if model.ends_early else tokens.shape[1]
    shapes = [([-1, length, *part.shape[2:]], package().Type(part.dtype)) for part in given]
    with tracing():
        reference = model.model.encode_text(tokens).numpy()
        converted = package().convert_model(wrapped, example_input=example, input=shapes)
    write(converted, folder, given, reference)
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    if agreement(TextTower(folder)(TEXTS), reference) < EXACT:
        raise Disagreement("texts without what pads them have other vectors")


def _convert_tokenizer(tokenizer: Any, folder: Path) -> dict[str, Any]:
    """Write a tokenizer; what `Tokens` needs to know."""
    made, about = _tokens.converted(tokenizer)
    made.save(str(folder / _tokens.FILE))
    if not np.array_equal(_tokens.Tokens(folder, about)(TEXTS), tokenizer(list(TEXTS)).numpy()):
        raise Disagreement("its tokens are not those of open_clip")
    return about


class _TextTower(torch.nn.Module):
    """open_clip's `encode_text`, of token ids and, where words have a table, their rows of it."""

    def __init__(self, model: Any, *, shorten: bool) -> None:
        super().__init__()
        self._model, self._shorten = model, shorten
        self._owner = model.text if hasattr(model, "text") else model  # of the words' table
        table = getattr(self._owner, "token_embedding", None)
        self.words = table if isinstance(table, torch.nn.Embedding) else None

    def forward(self, ids: Tensor, rows: Tensor | None = None) -> Tensor:
        """(N, L) ids and (N, L, D) rows -> (N, D)."""
        owner, length = self._owner, ids.shape[1]
        whole = dict(owner._modules), dict(owner._parameters), dict(owner._buffers)
        if rows is not None:
            owner._modules["token_embedding"] = Given(rows)
        if self._shorten:
            owner._parameters["positional_embedding"] = owner.positional_embedding[:length]
            owner._buffers["attn_mask"] = owner.attn_mask[:length, :length]
        try:
            output: Tensor = self._model.encode_text(ids)
        finally:
            owner._modules, owner._parameters, owner._buffers = whole
        return output


class Given(torch.nn.Module):
    """The words' vectors that are given, in place of a table."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self._rows = rows

    def forward(self, _: Tensor) -> Tensor:
        return self._rows


@contextmanager
def tracing() -> Iterator[None]:
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # it still traces with torch.jit
        warnings.filterwarnings("ignore", category=_TRACED)  # sizes are fixed: what it traced once holds
        yield


def write(model: Any, folder: Path, probe: Sequence[Any], reference: Any) -> None:
    """The model and torch's answers to the probe; weights in float16 where they agree so. Raises Disagreement."""
    np.save(folder / REFERENCE, reference)
    for half in (True, False):
        package().save_model(model, folder / MODEL, compress_to_fp16=half)
        found = agreement(Compiled(folder / MODEL)(*probe)[0], reference)
        if found >= EXACT:
            return
    raise Disagreement(f"its vectors agree with torch to {found:.5f} only")


def _depthwise(module: nn.Module) -> nn.Module:
    """A copy in which a convolution that gives m > 1 outputs per input channel is m depthwise ones.

    The sums are the same. OpenVINO has a fast kernel for depthwise convolutions and a slow one for the others: a tenth
    of MobileCLIP2-S0's time.
    """
    if isinstance(module, torch.nn.Conv2d) and module.out_channels > module.in_channels == module.groups > 1:
        return _Depthwise(module)
    other = copy.copy(module)
    other._modules = {name: child and _depthwise(child) for name, child in module._modules.items()}
    return other


class _Depthwise(torch.nn.Module):
    """(N, C, H, W) -> (N, C m, H', W'); output channel c m + j is input channel c under its j-th kernel."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        count = conv.out_channels // conv.in_channels
        self.parts = torch.nn.ModuleList(_part(conv, j, count) for j in range(count))

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.stack([part(pixels) for part in self.parts], dim=2).flatten(1, 2)


def _part(conv: nn.Conv2d, j: int, count: int) -> nn.Conv2d:
    part = copy.copy(conv)
    part.out_channels = conv.in_channels
    bias = None if conv.bias is None else torch.nn.Parameter(conv.bias[j::count], requires_grad=False)
    part._parameters = {"weight": torch.nn.Parameter(conv.weight[j::count], requires_grad=False), "bias": bias}
    return part
