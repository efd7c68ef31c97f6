"""Choosing the words of the starter's captions: beam search and nucleus sampling, without repeats, any batch alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidembed.models.arrays import softmax
from vidembed.models.captioners._decoder import END, PAD, START, UNKNOWN, CaptionNet, Mask, Memory, Rows
from vidembed.types import Floats


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
