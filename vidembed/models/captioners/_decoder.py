"""The starter captioner: picture tokens in, words out. A small transformer in numpy (Vaswani et al. 2017).

Pre-norm, tied word embeddings, keys and values kept while writing; training/caption_net.py is the same network in
torch, to be trained. Words are chosen by beam search or nucleus sampling, without repeats, any batch alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidembed.models.arrays import gelu, softmax
from vidembed.types import Floats

PAD, START, END, UNKNOWN = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
_EPS = np.float32(1e-5)

Memory = list[tuple[Floats, Floats]]  # per layer: keys and values, (B, heads, S, width / heads)
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of the network; kept in the weights' metadata."""

    vocabulary: int
    features: int = 1280  # of one picture token
    tokens: int = 16  # of one picture
    width: int = 256
    heads: int = 4
    inner: int = 512
    layers: int = 2
    positions: int = 32  # words of the longest caption, start and end included


class CaptionNet:
    """Tokens of one or more pictures -> next-word scores."""

    def __init__(self, tensors: Mapping[str, Floats], shape: DecoderShape) -> None:
        """tensors: float32 or float16, by the names of the trained network. Raises KeyError, ValueError."""
        self.shape = shape
        self._tensors = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        found = {name: self._tensors[name].shape for name in ("words.weight", "project.weight", "positions")}
        size = shape.width
        if found != {
            "words.weight": (shape.vocabulary, size), "project.weight": (size, shape.features),
            "positions": (shape.positions, size),
        } or f"layers.{shape.layers - 1}.up.weight" not in self._tensors:  # fmt: skip
            raise ValueError(f"the tensors {found} are not those of {asdict(shape)}")

    def look(self, pictures: Floats) -> Floats:
        """(P, tokens, features) of P pictures -> (P * tokens, width)."""
        tensors = self._tensors
        x = self._linear("project", (pictures - tensors["mean"]) / tensors["spread"]) + tensors["places"]
        own = self._norm("encoder.norms.0", x)
        x = x + self._attention("encoder.own", own, *self._keys_values("encoder.own", own))
        return self._norm("encoded", self._fed("encoder", "norms.1", x)).reshape(-1, self.shape.width)

    def memory(self, seen: Floats) -> Memory:
        """(B, S, width) -> what the layers look at while writing."""
        return [self._keys_values(f"layers.{i}.cross", seen) for i in range(self.shape.layers)]

    def step(self, ids: Rows, at: int, memory: Memory, past: Memory, mask: Mask | None) -> tuple[Floats, Memory]:
        """One word further. ids (B,) at position `at`; past: what `step` gave last, [] at first.

        mask: (B, 1, 1, S), True where the memory may be looked at. -> (B, vocabulary) scores, the new past.
        """
        words = self._tensors["words.weight"]
        x = (words[ids] * np.float32(self.shape.width**0.5) + self._tensors["positions"][at])[:, None]
        now: Memory = []
        for i, kept in enumerate(memory):
            name = f"layers.{i}"
            own = self._norm(f"{name}.norms.0", x)
            keys, values = self._keys_values(f"{name}.own", own)
            if past:
                keys, values = np.concatenate([past[i][0], keys], 2), np.concatenate([past[i][1], values], 2)
            now.append((keys, values))
            x = x + self._attention(f"{name}.own", own, keys, values)
            x = x + self._attention(f"{name}.cross", self._norm(f"{name}.norms.1", x), *kept, mask)
            x = self._fed(name, "norms.2", x)
        scores: Floats = self._norm("norm", x[:, 0]) @ words.T + self._tensors["bias"]
        return scores, now

    def _keys_values(self, name: str, x: Floats) -> tuple[Floats, Floats]:
        """(B, S, width) -> two of (B, heads, S, width / heads)."""
        keys, values = np.split(self._linear(f"{name}.key_value", x), 2, axis=-1)
        return self._heads(keys), self._heads(values)

    def _attention(self, name: str, x: Floats, keys: Floats, values: Floats, mask: Mask | None = None) -> Floats:
        scores = self._heads(self._linear(f"{name}.query", x)) @ keys.swapaxes(2, 3)
        scores *= np.float32(keys.shape[-1] ** -0.5)
        if mask is not None:
            scores = np.where(mask, scores, np.float32(-np.inf))
        seen = (softmax(scores) @ values).swapaxes(1, 2)
        return self._linear(f"{name}.out", seen.reshape(*x.shape))

    def _heads(self, x: Floats) -> Floats:
        return x.reshape(*x.shape[:2], self.shape.heads, -1).swapaxes(1, 2)

    def _fed(self, name: str, norm: str, x: Floats) -> Floats:
        inner = self._linear(f"{name}.up", self._norm(f"{name}.{norm}", x))
        return x + self._linear(f"{name}.down", gelu(inner.reshape(-1, inner.shape[-1])).reshape(inner.shape))

    def _linear(self, name: str, x: Floats) -> Floats:
        return x @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]

    def _norm(self, name: str, x: Floats) -> Floats:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + _EPS)
        return x * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]


@dataclass(frozen=True)
class Writing:
    """How captions are written. Word counts leave out start and end.

    length_power: scores are divided by length to this power (Wu et al. 2016, without the offset).
    top_p, temperature: nucleus sampling (Holtzman et al. 2020).
    """

    beams: int = 8
    length_power: float = 1.0
    top_p: float = 0.8
    temperature: float = 0.8
    min_words: int = 4
    max_words: int = 20


def _banned(words: Sequence[int]) -> list[int]:
    """Words that would repeat the last word or a word pair that was there before."""
    if not words:
        return []
    last = words[-1]
    return [last] + [b for a, b in pairwise(words) if a == last]


def _scores(raw: Floats, texts: Sequence[Sequence[int]], writing: Writing) -> Floats:
    """(R, V) log-probabilities with what may not follow set to -inf."""
    raw[:, [PAD, START, UNKNOWN]] = -np.inf
    for row, words in enumerate(texts):
        if len(words) < writing.min_words:
            raw[row, END] = -np.inf
        if banned := _banned(words):
            raw[row, banned] = -np.inf
        if len(words) >= writing.max_words:
            end = raw[row, END]
            raw[row] = -np.inf
            raw[row, END] = end if np.isfinite(end) else 0.0
    raw -= raw.max(1, keepdims=True)
    return raw - np.log(np.exp(raw).sum(1, keepdims=True))


def _pick(kept: Memory, rows: Rows) -> Memory:
    return [(k[rows], v[rows]) for k, v in kept]


def _best(scores: Floats, count: int) -> tuple[Floats, Rows]:
    """(B, count) the highest values of each row, best first, and where they are."""
    where = np.argpartition(-scores, count, axis=1)[:, :count]
    where = np.take_along_axis(where, np.lexsort((where, -np.take_along_axis(scores, where, 1))), 1)
    return np.take_along_axis(scores, where, 1), where


def beam_search(net: CaptionNet, seen: Floats, mask: Mask, writing: Writing) -> list[list[tuple[list[int], float]]]:
    """For each of B pictures the finished beams, best first, as (word ids, score). seen (B, S, W), mask (B, S)."""
    batch, width = len(seen), writing.beams
    rows = np.arange(batch).repeat(width)
    memory, wide_mask = _pick(net.memory(seen), rows), mask[rows][:, None, None]
    texts: list[list[int]] = [[] for _ in rows]
    totals = np.full((batch, width), -np.inf, np.float32)
    totals[:, 0] = 0.0
    finished: list[list[tuple[list[int], float]]] = [[] for _ in range(batch)]
    past: Memory = []
    ids = np.full(len(rows), START)
    for at in range(writing.max_words + 1):
        raw, past = net.step(ids, at, memory, past, wide_mask)
        steps = _scores(raw, texts, writing).reshape(batch, width, -1) + totals[..., None]
        vocabulary = steps.shape[-1]
        best, where = _best(steps.reshape(batch, -1), 2 * width)
        source, next_texts, next_ids = [], [], []
        for b in range(batch):
            chosen, enough = 0, len(finished[b]) >= 2 * width  # others of the batch may need longer
            for score, place in zip(best[b].tolist(), where[b].tolist(), strict=True):
                row, word = b * width + place // vocabulary, place % vocabulary
                if word == END and score > -np.inf:
                    if enough:
                        continue
                    finished[b].append((texts[row], score / max(len(texts[row]) + 1, 1) ** writing.length_power))
                elif chosen < width:
                    source.append(row)
                    next_texts.append([*texts[row], word])
                    next_ids.append(word)
                    totals[b, chosen] = score if word != END else -np.inf
                    chosen += 1
        texts, ids, past = next_texts, np.array(next_ids), _pick(past, np.array(source))
        if all(len(done) >= 2 * width for done in finished):
            break
    return [sorted(done, key=lambda t: (-t[1], t[0])) for done in finished]


def sample(
    net: CaptionNet, seen: Floats, mask: Mask, draws: Sequence[NDArray[np.float64]], writing: Writing
) -> list[list[list[int]]]:
    """For each of B pictures as many word-id lists as its draws have rows; draws[b]: (n, max_words + 1) in [0, 1)."""
    counts = [len(d) for d in draws]
    rows = np.arange(len(seen)).repeat(counts)
    luck = np.concatenate(draws)
    memory, wide_mask = _pick(net.memory(seen), rows), mask[rows][:, None, None]
    texts: list[list[int]] = [[] for _ in rows]
    past: Memory = []
    ids = np.full(len(rows), START)
    open_rows = np.ones(len(rows), bool)
    for at in range(writing.max_words + 1):
        raw, past = net.step(ids, at, memory, past, wide_mask)
        shares = softmax(_scores(raw, texts, writing) / np.float32(writing.temperature))
        where = np.argsort(-shares, axis=1, kind="stable")
        ordered = np.take_along_axis(shares, where, 1)
        sums = ordered.cumsum(1, dtype=np.float64)
        inside = sums - ordered < writing.top_p  # the smallest set of words that reaches top_p
        sums = (ordered * inside).cumsum(1, dtype=np.float64)
        goal = luck[:, at : at + 1] * sums[:, -1:]
        places = np.minimum((sums <= goal).sum(1, keepdims=True), inside.shape[1] - 1)
        ids = np.take_along_axis(where, places, 1)[:, 0]
        for row, word in enumerate(ids.tolist()):
            if open_rows[row] and word == END:
                open_rows[row] = False
            elif open_rows[row]:
                texts[row].append(word)
        if not open_rows.any():
            break
    ends = np.cumsum(counts)
    return [texts[end - count : end] for end, count in zip(ends.tolist(), counts, strict=True)]
