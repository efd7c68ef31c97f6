"""Train the starter captioner on pictures with human captions.

    python training/train_captioner.py --captions captions.csv --images DIR --cache features --out captioner.safetensors

captions.csv has the columns file, split (train, dev) and caption. Picture tokens are made once per view (see
picture_tokens.py) and kept under --cache. First the next word of the captions is learnt (--epochs), then captions
of the network's own are rewarded (--reward-epochs, see caption_reward.py). A tenth of `train` picks the epoch and the
settings; `dev` is never looked at here (see benchmarks/caption_choice.py). The first stage keeps the epoch whose beams
reach the highest CIDEr-D on the tenth; the second, whose epochs differ by chance alone after the first of them, their
mean.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from caption_corpus import Corpus, read_corpus, to_ids, vocabulary_of
from caption_net import CaptionNet
from caption_reward import Reward, self_critical_loss
from numpy.typing import NDArray
from picture_tokens import VIEWS
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.evaluation.captions import cider_d, tokens
from vidembed.models.captioners._decoder import PAD, UNKNOWN, DecoderShape, Writing, beam_search
from vidembed.models.encoders.starter import MANIFEST, add_to_manifest

LENGTHS = 3  # parts of a batch, by length: less padding


def loss_of(net: CaptionNet, pictures: Tensor, ids: Tensor, owner: Tensor, *, smooth: float, drop: float) -> Tensor:
    """Cross-entropy of the next word. pictures (B, P, 16, 1280); ids (R, L); owner (R,): whose picture each row tells.

    drop: share of picture tokens hidden and of input words made unknown.
    """
    memory = net.memory(net.look(pictures))
    total, count = torch.zeros(()), 0
    lengths = (ids != PAD).sum(1)
    for rows in torch.tensor_split(lengths.argsort(), LENGTHS):
        part = ids[rows][:, : int(lengths[rows].max())]
        kept = [(keys[owner[rows]], values[owner[rows]]) for keys, values in memory]
        mask = (torch.rand(len(rows), 1, 1, kept[0][0].shape[2]) >= drop) if drop else None
        inputs = part[:, :-1]
        if drop:
            inputs = inputs.masked_fill((torch.rand(inputs.shape) < drop) & (inputs > UNKNOWN), UNKNOWN)
        goal = part[:, 1:]
        told = (goal != PAD) & (goal != UNKNOWN)  # never learn to say "unknown"
        scores = net.scores(net.states(inputs, kept, mask)[told])
        total = total + F.cross_entropy(scores.float(), goal[told], label_smoothing=smooth, reduction="sum")
        count += int(told.sum())
    return total / count


class Running:
    """The mean of the weights over the last steps, which is what is measured and kept."""

    def __init__(self, net: CaptionNet, most: float = 0.997) -> None:
        self.state = {key: value.detach().clone() for key, value in net.state_dict().items()}
        self._most, self._step = most, 0

    @torch.no_grad()
    def update(self, net: CaptionNet) -> None:
        self._step += 1
        keep = min(self._most, (1 + self._step) / (10 + self._step))
        torch._foreach_lerp_(list(self.state.values()), list(net.state_dict().values()), 1 - keep)

    def net(self, shape: DecoderShape) -> CaptionNet:
        made = CaptionNet(shape).eval().requires_grad_(False)
        made.load_state_dict(self.state)
        return made


class Training:
    """What both stages share: batches, steps, measuring, keeping the best."""

    def __init__(self, net: CaptionNet, corpus: Corpus, words: Sequence[str], args: argparse.Namespace) -> None:
        self.net, self.corpus, self.words, self.args = net, corpus, list(words), args
        index = {word: i for i, word in enumerate(words)}
        self.ids = [to_ids(group, index, net.shape.positions) for group in corpus.captions]
        self.rng = np.random.default_rng(args.seed)
        self.best = -1.0

    def run(
        self,
        name: str,
        epochs: int,
        rate: float,
        size: int,
        loss: Callable[[NDArray[np.int64]], tuple[Tensor, float]],
        *,
        mean: bool = False,
    ) -> None:
        """loss(picture numbers): the loss and what is told of it. mean: keep the mean of all epochs but the first."""
        weights = [p for p in self.net.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
        steps = epochs * (len(self.corpus.train) // size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
        running, states = Running(self.net), []
        for epoch in range(epochs):
            began, seen = time.monotonic(), []
            self.net.train()
            for chosen in self._batches(size):
                value, told = loss(chosen)
                optimiser.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(weights, 1.0)
                optimiser.step()
                schedule.step()
                running.update(self.net)
                seen.append(told)
            best = self._measure(running, f"{name} {epoch} train {np.mean(seen):.3f} {time.monotonic() - began:.0f} s")
            if mean or best:
                states.append({key: value.clone() for key, value in running.state.items()})
        taken = states[min(1, len(states) - 1) :] if mean else states[-1:]
        self.net.load_state_dict({key: torch.stack([s[key] for s in taken]).mean(0) for key in taken[0]})

    def next_word(self, chosen: NDArray[np.int64]) -> tuple[Tensor, float]:
        value = loss_of(self.net, self.corpus.varied(chosen.tolist(), self.rng), *self._rows(chosen),
                        smooth=0.1, drop=0.08)  # fmt: skip
        return value, value.item()

    def rewarded(self, reward: Reward) -> Callable[[NDArray[np.int64]], tuple[Tensor, float]]:
        def loss(chosen: NDArray[np.int64]) -> tuple[Tensor, float]:
            pictures = self.corpus.varied(chosen.tolist(), self.rng)
            value, mean = self_critical_loss(
                self.net, reward, pictures, chosen.tolist(), samples=self.args.samples, longest=Writing().max_words,
                temperature=self.args.temperature,
            )  # fmt: skip
            if self.args.keep:  # still say what people said
                said = loss_of(self.net, pictures, *self._rows(chosen), smooth=0.1, drop=0.08)
                value = value + self.args.keep * said
            return value, mean

        return loss

    def _batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        order = self.rng.permutation(self.corpus.train)
        return (order[at : at + size] for at in range(0, len(order) - size + 1, size))

    def _rows(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        groups = [self.ids[i] for i in chosen]
        return torch.cat(groups), torch.repeat_interleave(torch.arange(len(groups)), torch.tensor([*map(len, groups)]))

    def save(self) -> None:
        meta = {"shape": json.dumps(asdict(self.net.shape)), "words": json.dumps(self.words)}
        state = self.net.state_dict()
        save_file({k: v.half().contiguous() for k, v in state.items()}, self.args.out, metadata=meta)
        self.args.out.chmod(0o644)

    def _measure(self, running: Running, line: str) -> bool:
        """Print the loss and CIDEr-D on the tenth; whether the latter is the best of this stage."""
        net, val = running.net(self.net.shape), self.corpus.val
        losses, texts = [], []
        for part in np.array_split(val, max(1, len(val) // 40)):
            pictures = self.corpus.pictures(part.tolist())
            with torch.inference_mode():
                losses.append(loss_of(net, pictures, *self._rows(part), smooth=0.0, drop=0.0).item())
                seen = net.look(pictures)
            found = beam_search(net.learnt(), seen.numpy(), np.ones(seen.shape[:2], bool), Writing(beams=3))
            texts += [" ".join(self.words[i] for i in beams[0][0]) for beams in found]
        references = [[tokens(" ".join(words)) for words in self.corpus.captions[i]] for i in val]
        score = float(cider_d([tokens(text) for text in texts], references).mean())
        best = score > self.best
        print(f"{line} val {np.mean(losses):.3f} CIDEr-D {score:.3f}{' *' if best else ''}", flush=True)
        self.best = max(self.best, score)
        return best


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True, help="what the file column is relative to")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="go on from these weights")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--pictures", type=int, default=40, help="a batch, each with all its captions")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--reward-epochs", type=int, default=4)
    parser.add_argument("--reward-pictures", type=int, default=30, help="a batch of the rewarded stage")
    parser.add_argument("--reward-rate", type=float, default=5e-5)
    parser.add_argument("--samples", type=int, default=5, help="captions sampled a picture and rewarded")
    parser.add_argument("--temperature", type=float, default=0.5, help="of the sampled captions")
    parser.add_argument("--keep", type=float, default=0.0, help="weight of the next-word loss beside the reward")
    parser.add_argument("--least", type=int, default=5, help="how often a word must occur to be in the vocabulary")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--views", type=int, default=VIEWS)
    parser.add_argument("--all", action="store_true", help="train on the validation tenth too, for the last run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    corpus = read_corpus(args.captions, args.images, args.cache, views=args.views, everything=args.all)
    words = vocabulary_of([c for i in corpus.train for c in corpus.captions[i]], args.least)
    shape = DecoderShape(len(words), layers=args.layers)
    net = CaptionNet(shape, args.dropout)
    some = corpus.views[0][np.sort(corpus.train)[::4]].astype(np.float32).reshape(-1, shape.features)
    net.mean.data, net.spread.data = torch.from_numpy(some.mean(0)), torch.from_numpy(some.std(0) + 1e-3)
    if args.init:
        net.load_state_dict({key: value.float() for key, value in load_file(args.init).items()})
    size = sum(p.numel() for p in net.parameters()) / 1e6
    print(f"{len(corpus.train)} pictures, {len(words)} words, {size:.2f} M", flush=True)

    training = Training(net, corpus, words, args)
    if args.epochs:
        training.run("words", args.epochs, args.rate, args.pictures, training.next_word)
        training.save()
    if args.reward_epochs:
        reward = Reward({int(i): corpus.captions[i] for i in corpus.train}, words)
        training.net = CaptionNet(shape)  # without dropout: what draws and what learns shall be the same network
        training.net.load_state_dict(net.state_dict())
        loss = training.rewarded(reward)
        training.run("reward", args.reward_epochs, args.reward_rate, args.reward_pictures, loss, mean=True)
        training.save()
    if args.out.with_name(MANIFEST).is_file():
        add_to_manifest(args.out.parent, args.out.name)
    print(f"{args.out} {args.out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
