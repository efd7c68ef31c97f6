"""Choosing the next word, with random numbers of our own: a seed fixes a text whatever the device or the batch.

For language models of transformers, and for the starter's network: beam search and nucleus sampling without repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LogitsProcessor

from vidembed.models.captioners._decoder import END, PAD, START, UNKNOWN, CaptionNet, Memory
from vidembed.types import Floats


def uniform_draws(seeds: Sequence[Sequence[int]], per_row: int, steps: int) -> Floats:
    """(rows * per_row, steps) numbers in [0, 1), rows in turn; the first text of each row gets zeros: no chance in it.

    seeds: one per row; they depend on the clip and the run's seed, not on the clip's place in a batch.
    """
    draws = [np.random.default_rng(list(seed)).random((per_row, steps), dtype=np.float32) for seed in seeds]
    for row in draws:
        row[0] = 0.0
    return np.concatenate(draws) if draws else np.zeros((0, steps), np.float32)


class SeededNucleus(LogitsProcessor):  # type: ignore[misc]
    """Leaves one word per text: the one that its number falls on among the likeliest words, sorted.

    Nucleus sampling (Holtzman et al., ICLR 2020) by inverting the cumulative distribution: a number of 0 is the
    likeliest word, so a row of zeros decodes greedily. draws: (texts, steps), on any device.
    """

    def __init__(self, draws: Floats, *, temperature: float, top_p: float) -> None:
        self.draws, self.temperature, self.top_p = draws, temperature, top_p
        self._start: int | None = None  # tokens before the first new one

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._start is None:
            self._start = input_ids.shape[1]
        step = input_ids.shape[1] - self._start
        number = torch.from_numpy(np.ascontiguousarray(self.draws[:, step])).to(scores.device)[:, None]
        shares, words = torch.softmax(scores.float() / self.temperature, dim=-1).sort(
            dim=-1, descending=True, stable=True
        )
        before = shares.cumsum(dim=-1) - shares
        shares = shares.masked_fill(before >= self.top_p, 0.0)  # the likeliest word has nothing before it: it stays
        reached = shares.cumsum(dim=-1)
        place = (reached <= number * reached[:, -1:]).sum(dim=-1, keepdim=True)
        last = (shares > 0).sum(dim=-1, keepdim=True) - 1
        chosen = words.gather(-1, torch.minimum(place, last))
        return torch.full_like(scores, -torch.inf).scatter(-1, chosen, 0.0)


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


def _scores(raw: Tensor, texts: Sequence[Sequence[int]], writing: Writing) -> Tensor:
    """(R, V) log-probabilities with what may not follow set to -inf."""
    raw = raw.float()
    raw[:, [PAD, START, UNKNOWN]] = -torch.inf
    for row, words in enumerate(texts):
        if len(words) < writing.min_words:
            raw[row, END] = -torch.inf
        if banned := _banned(words):
            raw[row, banned] = -torch.inf
        if len(words) >= writing.max_words:
            end = raw[row, END].clone()
            raw[row] = -torch.inf
            raw[row, END] = end if torch.isfinite(end) else 0.0
    return torch.log_softmax(raw, dim=1)


def _pick(kept: Memory, rows: Tensor) -> Memory:
    return [(k[rows], v[rows]) for k, v in kept]


@torch.inference_mode()
def beam_search(net: CaptionNet, seen: Tensor, mask: Tensor, writing: Writing) -> list[list[tuple[list[int], float]]]:
    """For each of B pictures the finished beams, best first, as (word ids, score). seen (B, S, W), mask (B, S) bool."""
    batch, width = len(seen), writing.beams
    rows = torch.arange(batch).repeat_interleave(width)
    memory, wide_mask = _pick(net.memory(seen), rows), mask[rows][:, None, None]
    texts: list[list[int]] = [[] for _ in rows]
    totals = torch.full((batch, width), -torch.inf)
    totals[:, 0] = 0.0
    finished: list[list[tuple[list[int], float]]] = [[] for _ in range(batch)]
    past: Memory = []
    ids = torch.full((len(rows),), START)
    for at in range(writing.max_words + 1):
        raw, past = net.step(ids, at, memory, past, wide_mask)
        steps = _scores(raw, texts, writing).reshape(batch, width, -1) + totals[..., None]
        vocabulary = steps.shape[-1]
        best, where = steps.flatten(1).topk(2 * width, dim=1)
        source, next_texts, next_ids = [], [], []
        for b in range(batch):
            chosen = 0
            for score, place in zip(best[b].tolist(), where[b].tolist(), strict=True):
                row, word = b * width + place // vocabulary, place % vocabulary
                if word == END and score > -np.inf:
                    finished[b].append((texts[row], score / max(len(texts[row]) + 1, 1) ** writing.length_power))
                elif chosen < width:
                    source.append(row)
                    next_texts.append([*texts[row], word])
                    next_ids.append(word)
                    totals[b, chosen] = score if word != END else -torch.inf
                    chosen += 1
        texts, ids, past = next_texts, torch.tensor(next_ids), _pick(past, torch.tensor(source))
        if all(len(done) >= 2 * width for done in finished):
            break
    return [sorted(done, key=lambda t: (-t[1], t[0])) for done in finished]


@torch.inference_mode()
def sample(
    net: CaptionNet, seen: Tensor, mask: Tensor, draws: Sequence[NDArray[np.float64]], writing: Writing
) -> list[list[list[int]]]:
    """For each of B pictures as many word-id lists as its draws have rows; draws[b]: (n, max_words + 1) in [0, 1)."""
    counts = [len(d) for d in draws]
    rows = torch.repeat_interleave(torch.arange(len(seen)), torch.tensor(counts))
    luck = np.concatenate(draws)
    memory, wide_mask = _pick(net.memory(seen), rows), mask[rows][:, None, None]
    texts: list[list[int]] = [[] for _ in rows]
    past: Memory = []
    ids = torch.full((len(rows),), START)
    open_rows = np.ones(len(rows), bool)
    for at in range(writing.max_words + 1):
        raw, past = net.step(ids, at, memory, past, wide_mask)
        shares = (_scores(raw, texts, writing) / writing.temperature).softmax(1)
        ordered, where = shares.sort(dim=1, descending=True, stable=True)
        sums = ordered.double().cumsum(1)
        inside = sums - ordered < writing.top_p  # the smallest set of words that reaches top_p
        sums = (ordered * inside).double().cumsum(1)
        goal = torch.from_numpy(luck[:, at : at + 1]) * sums[:, -1:]
        ids = where.gather(1, (sums <= goal).sum(1, keepdim=True).clamp(max=inside.shape[1] - 1))[:, 0]
        for row, word in enumerate(ids.tolist()):
            if open_rows[row] and word == END:
                open_rows[row] = False
            elif open_rows[row]:
                texts[row].append(word)
        if not open_rows.any():
            break
    ends = np.cumsum(counts)
    return [texts[end - count : end] for end, count in zip(ends.tolist(), counts, strict=True)]
