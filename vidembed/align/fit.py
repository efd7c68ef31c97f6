"""Contrastive losses that know that one item may have many right texts.

The training loop: networks on both sides of a contrastive loss, averaged weights, early stopping, resume.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.errors import ConfigError
from vidembed.files import replacing

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


MAX_SCALE = math.log(100)  # CLIP's bound on the learned temperature


@dataclass(frozen=True)
class FitSettings:
    """How to train. Rates are for AdamW with a warm-up over a tenth of the steps, then a cosine to nearly 0."""

    epochs: int = 30
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    loss: LossName = "info_nce"
    temperature: float = 0.07  # where the learned temperature starts
    average: float = 0.95  # of the weights, per step (EMA); what is validated and kept; 0 = off
    patience: int = 8  # epochs without a better held-out recall before it stops
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ConfigError(f"unknown loss {self.loss!r}; allowed: {', '.join(LOSSES)}")
        if self.epochs < 1 or self.batch_size < 2 or self.patience < 1:
            raise ConfigError(f"epochs and patience must be at least 1 and batch_size at least 2, got {self}")
        if not (self.learning_rate > 0 and self.temperature > 0 and 0 <= self.average < 1 and self.weight_decay >= 0):
            raise ConfigError(f"learning_rate and temperature must be positive and 0 <= average < 1, got {self}")


@dataclass
class Batch:
    """Inputs by network, and which belong together.

    media: (network, its inputs) per modality, M items in all; text: the inputs of the network "text", T texts;
    positives: (M, T) bool.
    """

    media: Sequence[tuple[str, tuple[Tensor, ...]]]
    text: tuple[Tensor, ...]
    positives: Tensor


@dataclass(frozen=True)
class Epoch:
    """One line of the log."""

    epoch: int  # from 1
    loss: float
    scale: float  # 1 / temperature
    recall: float | None  # held-out, mean over modalities and directions; None without held-out items
    seconds: float


@dataclass
class Fit:
    """How a run went: the epochs, and which one's weights the networks now carry."""

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0


class _Average:
    """Exponential moving average of the trained parameters, swapped in for validation."""

    def __init__(self, networks: nn.ModuleDict, rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.parameters = [p for p in networks.parameters() if p.requires_grad]
        self.values = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        rate = min(self.rate, self.steps / (self.steps + 9))  # young averages follow faster
        for value, parameter in zip(self.values, self.parameters):
            value.lerp_(parameter, 1 - rate)

    @torch.no_grad()
    def swap(self) -> None:
        for i, parameter in enumerate(self.parameters):
            kept = parameter.detach().clone()
            parameter.copy_(self.values[i])
            self.values[i] = kept


def fit(
    networks: Mapping[str, nn.Module],
    *,
    batches: Callable[[int], Iterator[Batch]],
    steps_per_epoch: int,
    settings: FitSettings,
    validate: Callable[[], float] | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Train the networks in place and leave the best epoch's weights (the last one's without `validate`) in them.

    batches(epoch) gives that epoch's batches and must depend on nothing but the epoch, so that a resumed run equals an
    uninterrupted one. checkpoint: a file to write after every epoch and to go on from. progress is called
    once per epoch.
    """
    modules = nn.ModuleDict(dict(networks))
    scale = nn.Parameter(torch.tensor(math.log(1 / settings.temperature)))
    bias = nn.Parameter(torch.tensor(-10.0 if settings.loss == "sigmoid" else 0.0))  # SigLIP's start
    optimizer, schedule = _optimizer(modules, [scale, bias], settings, steps_per_epoch)
    average = _Average(modules, settings.average)
    result, best = Fit(), _trained(modules)
    state = _State(modules, average, optimizer, schedule, [scale, bias], result)
    if checkpoint is not None and checkpoint.is_file():
        best = state.restore(checkpoint)
    for epoch in range(len(result.epochs) + 1, settings.epochs + 1):
        if _stalled(result, settings.patience):
            break
        started, total, count = time.perf_counter(), 0.0, 0
        torch.manual_seed(settings.seed * 100_003 + epoch)  # dropout of a resumed run as of an uninterrupted one
        modules.train()
        for batch in batches(epoch):
            loss = _loss(modules, batch, scale, bias, settings.loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                scale.clamp_(max=MAX_SCALE)
            average.update()
            total, count = total + float(loss.detach()), count + 1
        if settings.average:
            average.swap()
        modules.eval()
        recall = None if validate is None else validate()
        known = [e.recall for e in result.epochs if e.recall is not None]
        result.epochs.append(
            Epoch(epoch, total / max(count, 1), float(scale.detach().exp()), recall, time.perf_counter() - started)
        )
        if recall is None or not known or recall > max(known):
            best, result.best_epoch = _trained(modules), epoch
        if settings.average:
            average.swap()
        if checkpoint is not None:
            state.save(checkpoint, best)
        if progress is not None:
            progress(result.epochs[-1])
    _put(modules, best)
    modules.eval()
    return result


def _trained(modules: nn.ModuleDict) -> dict[str, Tensor]:
    """A copy of what is being trained; frozen towers are left out."""
    return {name: p.detach().clone() for name, p in modules.named_parameters() if p.requires_grad}


@torch.no_grad()
def _put(modules: nn.ModuleDict, values: Mapping[str, Tensor]) -> None:
    parameters = dict(modules.named_parameters())
    for name, value in values.items():
        parameters[name].copy_(value)


def _loss(modules: nn.ModuleDict, batch: Batch, scale: Tensor, bias: Tensor, loss: LossName) -> Tensor:
    texts = modules["text"](*batch.text)
    media = torch.cat([modules[name](*values) for name, values in batch.media])
    logits = media @ texts.T * scale.exp()
    return info_nce(logits, batch.positives) if loss == "info_nce" else sigmoid_loss(logits + bias, batch.positives)


def _optimizer(
    modules: nn.ModuleDict, scalars: list[nn.Parameter], settings: FitSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    trained = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    groups = [
        {"params": [*scalars, *(p for p in trained if p.ndim <= 1)], "weight_decay": 0.0},
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate)
    total = settings.epochs * steps
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_cosine(step, total))


def warm_cosine(step: int, total: int) -> float:
    """The factor on the rate: a warm-up over a tenth of the steps, then a cosine to nearly 0."""
    warm = min(1.0, (step + 1) / max(0.1 * total, 1))
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(total, 1)))))


def _stalled(result: Fit, patience: int) -> bool:
    recalls = [e.recall for e in result.epochs]
    return bool(recalls) and recalls[-1] is not None and len(recalls) - result.best_epoch >= patience


@dataclass
class _State:
    """All that an interrupted run needs to go on as if nothing had happened."""

    modules: nn.ModuleDict
    average: _Average
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    scalars: list[nn.Parameter]
    result: Fit

    def save(self, path: Path, best: dict[str, Tensor]) -> None:
        content = {
            "modules": _trained(self.modules),
            "best": best,
            "average": self.average.values,
            "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scalars": [s.detach() for s in self.scalars],
            "result": json.dumps({"epochs": [asdict(e) for e in self.result.epochs], "best": self.result.best_epoch}),
        }
        with replacing(path) as part:
            torch.save(content, part)

    def restore(self, path: Path) -> dict[str, Tensor]:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        _put(self.modules, content["modules"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.average.values, self.average.steps = content["average"], content["average_steps"]
        with torch.no_grad():
            for scalar, value in zip(self.scalars, content["scalars"]):
                scalar.copy_(value)
        told = json.loads(content["result"])
        self.result.epochs = [Epoch(**epoch) for epoch in told["epochs"]]
        self.result.best_epoch = told["best"]
        return content["best"]  # type: ignore[no-any-return]
