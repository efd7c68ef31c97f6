"""Sampling words with random numbers of our own, so that a seed fixes a text whatever the device or the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from vidembed.types import Floats


def luck(seeds: Sequence[Sequence[int]], per_row: int, steps: int) -> Floats:
    """(rows * per_row, steps) numbers in [0, 1), rows in turn; the first text of each row gets zeros: no chance in it.

    seeds: one per row; they depend on the clip and the run's seed, not on the clip's place in a batch.
    """
    draws = [np.random.default_rng(list(seed)).random((per_row, steps), dtype=np.float32) for seed in seeds]
    for row in draws:
        row[0] = 0.0
    return np.concatenate(draws) if draws else np.zeros((0, steps), np.float32)


class NucleusDraws(LogitsProcessor):  # type: ignore[misc]
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
