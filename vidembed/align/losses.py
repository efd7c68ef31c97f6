"""Contrastive losses that know that one item may have many right texts."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

LossName = Literal["info_nce", "sigmoid"]
LOSSES: tuple[str, ...] = get_args(LossName)


def info_nce(logits: Tensor, positives: Tensor) -> Tensor:
    """The symmetric contrastive loss, each positive against the negatives only.

    logits: (M, T) cosines times the learned scale; positives: (M, T) bool. With one positive a row this is CLIP's
    loss (Radford et al. 2021); other right texts of the same item are left out of the denominator rather than
    pushed away. Rows and columns without a positive count for nothing. Scalar; 0 when nothing is positive.
    """
    return (_one_way(logits, positives) + _one_way(logits.T, positives.T)) / 2


def _one_way(logits: Tensor, positives: Tensor) -> Tensor:
    negatives = torch.logsumexp(logits.masked_fill(positives, -torch.inf), dim=1, keepdim=True)
    # softplus(n - p) = -log(e^p / (e^p + sum of e^negatives)); a row without negatives gives softplus(-inf) = 0
    losses = F.softplus(negatives - logits) * positives
    count = positives.sum(1)
    used = count > 0
    if not bool(used.any()):
        return logits.sum() * 0
    return (losses.sum(1)[used] / count[used]).mean()


def sigmoid_loss(logits: Tensor, positives: Tensor) -> Tensor:
    """SigLIP's loss (Zhai et al. 2023): every pair is its own yes-or-no question; summed over a row, mean of rows."""
    signs = positives.to(logits.dtype) * 2 - 1
    return -F.logsigmoid(signs * logits).sum(1).mean()
