"""all-MiniLM-L6-v2 from pip: text against text, without a hub. The starter's channels of speech and text use it.

The same network under the starter's text tower is bent towards what pictures show; what people say and write is better
compared by the sentences' own meaning.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.errors import BadQuery, ConfigError
from vidembed.types import Floats, Item, Modality, Space, TimedText

if TYPE_CHECKING:
    from vidembed.models.encoders._minilm import MiniLM, Tokenizer
    from vidembed.models.spec import ModelSpec

SPACE = Space("all-minilm-l6-v2", 384)


class MiniLmEncoder:
    """Texts as unit vectors of the model's own space. Thread-safe; weights are read when first used."""

    space = SPACE
    modalities: frozenset[Modality] = frozenset({"text"})

    def __init__(self) -> None:
        self._lock = threading.Lock()  # two threads that ask first load once

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, 384) float32 unit rows; row i is item i. ValueError for anything but text, BadQuery for an empty one."""
        if modality != "text":
            raise ValueError(f"{self.space.name} understands text only, not {modality!r}")
        texts = [text_of(item) for item in items]
        from vidembed.models.encoders._minilm import sentence_vectors

        with self._lock:
            net, tokenizer = self._loaded
        return sentence_vectors(net, tokenizer, texts)

    @cached_property
    def _loaded(self) -> tuple[MiniLM, Tokenizer]:
        from vidembed.models.encoders import _minilm

        return _minilm.load()


def text_of(item: Item) -> str:
    """The words of a text or a timed text, white space made single. Raises BadQuery when there are none."""
    text = item.text if isinstance(item, TimedText) else item
    if not isinstance(text, str) or not text.strip():
        raise BadQuery(f"a text must be a non-empty string, got {type(item).__name__}")
    return re.sub(r"\s+", " ", text).strip()


def load(spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
         offline: bool = False, **options: Any) -> MiniLmEncoder:  # fmt: skip
    """The factory of the registry. device: any; texts are computed on the CPU. dtype: "auto" or "float32"."""
    from vidembed.models.encoders._engines import checked_device

    if dtype not in ("auto", "float32"):
        raise ConfigError(f"{spec.name} runs in float32 only, got dtype {dtype!r}", hint="use dtype: auto")
    if options:
        raise ConfigError(f"{spec.name} takes no options, got {', '.join(sorted(options))}")
    checked_device(device)
    return MiniLmEncoder()
