"""Train the starter's sound tower: the network from a teacher and labels, then the head into the shared space.

    python training/train_sound.py net  --bank bank --out net.pt --epochs 20 --validate-fold 3
    python training/train_sound.py head --bank bank --net net.pt --out vidembed/assets/starter/sound.safetensors

`net` learns three things at once from 2 s windows: the teacher's embedding, its 521 class scores, and the labels.
`head` freezes the network and learns to land on the text vectors of a sound's phrases (multi-positive InfoNCE against
the phrases of all sounds and of AudioSet's classes, with the teacher's scores as soft positives). It takes a minute or
two and is run again whenever the starter's text tower changes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sound_batches import LABELS, Bank, Pool, Sampler
from sound_texts import texts_of_classes, texts_without_sound
from starter_nets import SoundHead, SoundNet, log_mel
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.models.encoders.starter import FOLDER, FREE_SPACE, MANIFEST, SPACE, StarterEncoder, add_to_manifest
from vidembed.models.encoders.starter_sound import FEATURES, audible, windows


def mask_bands(mel: Tensor, rng: np.random.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019): one stretch of bands and one of time blanked on half of the rows."""
    for k in np.flatnonzero(rng.random(len(mel)) < 0.5):
        band, width = rng.integers(0, 56), rng.integers(1, 9)
        at, long = rng.integers(0, 170), rng.integers(1, 40)
        mel[k, :, band : band + width] = mel[k].mean()
        mel[k, :, :, at : at + long] = mel[k].mean()
    return mel


class Heads(nn.Module):
    """What the network is trained through and what is thrown away after."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(FEATURES, 1024)
        self.scores = nn.Linear(FEATURES, 521)
        self.labels = nn.Linear(FEATURES, len(LABELS))


def net_loss(heads: Heads, features: Tensor, goals: tuple[Tensor, ...]) -> Tensor:
    soft, embedding, weight, shares = goals
    far = 1 - F.cosine_similarity(heads.embedding(features), embedding, dim=1)
    scores = F.binary_cross_entropy_with_logits(heads.scores(features), soft, reduction="none").sum(1)
    labels = -(shares * F.log_softmax(heads.labels(features), 1)).sum(1)[shares.any(1)]
    return 3.0 * (far * weight).mean() + 0.3 * scores.mean() + 0.5 * labels.mean()


def file_features(net: SoundNet, bank: Bank, which: list[int]) -> list[Tensor]:
    """(W, 512) features of the windows of each of these rows, not degraded."""
    out = []
    net.eval()
    with torch.inference_mode():
        for i in which:
            row = bank.rows[i]
            samples = bank.samples[row["start"] : row["start"] + row["count"]].astype(np.float32) / 32768
            out.append(net(log_mel(torch.from_numpy(audible(windows(samples))))))
    return out


def train_net(args: argparse.Namespace) -> None:
    bank = Bank.load(args.bank, args.validate_fold)
    torch.manual_seed(args.seed)
    sampler = Sampler(bank, seed=args.seed)
    pool = Pool(sampler, log_mel)
    net, heads = SoundNet(), Heads()
    if args.init:
        state = torch.load(args.init, weights_only=True)
        net.load_state_dict(state["net"])
        heads.load_state_dict(state["heads"])
    net = net.to(memory_format=torch.channels_last)
    parameters = [*net.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=args.rate, weight_decay=0.02)
    steps = args.epochs * args.steps
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=steps, pct_start=0.15)
    val = [i for i, row in enumerate(bank.rows) if row["split"] == "val"]
    print(
        f"{len(sampler.all)} files to train on, {len(sampler.by_label)} labels, {len(val)} to validate on", flush=True
    )
    for epoch in range(args.epochs):
        net.train()
        total, began = 0.0, time.monotonic()
        for _ in range(args.steps):
            seen, *goals = pool.draw(args.batch)
            seen = mask_bands(seen, sampler.rng)
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                features = net(seen.contiguous(memory_format=torch.channels_last))
            loss = net_loss(heads, features.float(), tuple(goals))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        accuracy = {}
        if epoch % 2 == 1 or epoch == args.epochs - 1:
            with torch.inference_mode():
                guesses = [int(heads.labels(f).softmax(1).mean(0).argmax()) for f in file_features(net, bank, val)]
            right = np.array([LABELS[g] == bank.rows[i]["label"] for g, i in zip(guesses, val, strict=True)])
            fold = np.array([bool(bank.rows[i]["fold"]) for i in val])
            accuracy = {"fold": right[fold].mean() if fold.any() else None, "files": right[~fold].mean()}
        print(f"epoch {epoch} loss {total / args.steps:.3f} {time.monotonic() - began:.0f} s {accuracy}", flush=True)
        torch.save({"net": net.state_dict(), "heads": heads.state_dict()}, args.out)


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the head learns from, computed once for a network: it does not depend on the texts.

    features (N, 512), scores (N, 521) of the teacher, labels (N, L) shares of degraded windows; val (V, 512) features
    of the clean windows of the validation files, val_counts windows and val_labels label of each file.
    """

    features: NDArray[np.float16]
    scores: NDArray[np.float16]
    labels: NDArray[np.float16]
    val: NDArray[np.float16]
    val_counts: NDArray[np.int64]
    val_labels: NDArray[np.int64]
    names: NDArray[np.str_]

    @classmethod
    def of(cls, net: SoundNet, bank: Bank, *, draws: int, seed: int) -> Drawn:
        sampler = Sampler(bank, seed=seed + 1, known=0.75)
        parts = []
        with torch.inference_mode():
            for _ in range(draws):
                batch = sampler.draw(256)
                parts.append((net(log_mel(batch.samples)), batch.scores, batch.labels))
        val = [i for i, row in enumerate(bank.rows) if row["split"] == "val"]
        clean = file_features(net, bank, val)
        return cls(
            *(torch.cat(column).half().numpy() for column in zip(*parts, strict=True)),
            torch.cat(clean).half().numpy(),
            np.array([len(rows) for rows in clean]),
            np.array([LABELS.index(bank.rows[i]["label"]) for i in val]),
            np.array(bank.names),
        )

    @classmethod
    def cached(cls, file: Path | None, make: Callable[[], Drawn]) -> Drawn:
        if file is not None and file.is_file():
            return cls(**np.load(file, allow_pickle=False))
        drawn = make()
        if file is not None:
            np.savez(file, **vars(drawn))
        return drawn


@torch.no_grad()
def report_val(head: SoundHead, drawn: Drawn, rows: Tensor, groups: list[NDArray[np.int64]], silent: Tensor) -> None:
    """Prints how often a validation file's best phrase, among those of our sounds, is one of its own sound; and where
    texts without a sound lie, in deviations of what phrases of other sounds get."""
    segments = F.normalize(head(torch.from_numpy(drawn.val.astype(np.float32))), dim=1)
    vectors = torch.stack([part.mean(0) for part in segments.split(drawn.val_counts.tolist())])
    vectors = F.normalize(vectors, dim=1)
    best = torch.stack([(vectors @ rows[g].T).amax(1) for g in groups[: len(LABELS)]], dim=1)
    own = torch.from_numpy(drawn.val_labels)
    places = (best > best.gather(1, own[:, None])).sum(1).numpy()
    for k in (1, 5):
        per_sound = np.mean([np.mean(places[drawn.val_labels == label] < k) for label in set(drawn.val_labels)])
        print(
            f"val: {len(places)} files, top-{k} {np.mean(places < k):.3f}, "
            f"mean of {len(set(drawn.val_labels))} sounds {per_sound:.3f}"
        )
    if len(silent):
        high = (vectors @ silent.T).quantile(0.99, dim=1).mean()
        right = best.gather(1, own[:, None]).mean()
        print(f"cosine of right phrases {right:.3f}; texts without a sound, 99th percentile {high:.3f}")


def load_net(file: Path) -> SoundNet:
    """The network from a checkpoint of `net` or from the safetensors file of an earlier head."""
    net = SoundNet()
    if file.suffix == ".safetensors":
        state = {k.removeprefix("net."): v.float() for k, v in load_file(file).items() if k.startswith("net.")}
    else:
        state = torch.load(file, weights_only=True)["net"]
    counters = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}  # are not shipped
    net.load_state_dict(counters | state)
    return net.eval()


def targets(drawn: Drawn, matrix: NDArray[np.float32]) -> Tensor:
    """(N, C) shares of the classes: labels where known, with a little of what the teacher heard, else the latter."""
    soft = torch.from_numpy(drawn.scores.astype(np.float32)).clamp(min=0.05).sub(0.05) @ torch.from_numpy(matrix)
    soft = soft / soft.sum(1, keepdim=True).clamp(min=1.0)
    labels = torch.from_numpy(drawn.labels.astype(np.float32))
    known = labels.sum(1, keepdim=True).clamp(max=1)
    ours = F.pad(labels, (0, soft.shape[1] - len(LABELS)))
    return known * (0.85 * ours + 0.15 * soft) + (1 - known) * soft


def train_head(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    net = load_net(args.net)
    rng = np.random.default_rng(args.seed)
    drawn = Drawn.cached(
        args.cache,
        lambda: Drawn.of(net, Bank.load(args.bank, args.validate_fold), draws=args.draws, seed=args.seed),
    )
    phrases, matrix = texts_of_classes(drawn.names.tolist())
    flat = [p for group in phrases for p in group]
    space = FREE_SPACE if args.free else SPACE
    encoder = StarterEncoder(args.starter or FOLDER.with_name("starter-free" if args.free else "starter"), space=space)
    rows = torch.from_numpy(encoder.encode("text", flat))
    groups = np.split(np.arange(len(flat)), np.cumsum([len(g) for g in phrases])[:-1])
    without = texts_without_sound(args.captions, args.unheard, rng) if args.captions or args.free else []
    silent = torch.from_numpy(encoder.encode("text", without))
    kept_out, silent = silent[::10], silent[torch.arange(len(silent)) % 10 != 0]

    x, y = torch.from_numpy(drawn.features.astype(np.float32)), targets(drawn, matrix)
    keep = y.sum(1) > 0.1
    x, y = x[keep], y[keep]
    head = SoundHead(rows.shape[1], args.hidden)
    # Sound vectors start at the centre of the texts, whose common direction carries no information.
    scale = nn.Parameter(torch.tensor(np.log(1 / 0.05), dtype=torch.float32))
    optimiser = torch.optim.AdamW([*head.parameters(), scale], lr=1e-3, weight_decay=0.05)
    steps = args.epochs * (len(x) // 512)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        pick = torch.from_numpy(rng.integers(0, len(x), 512))
        # One phrase of each class a step, sometimes blended with its fellows: the head must fit their common meaning.
        chosen = torch.stack([rows[int(rng.choice(g))] if rng.random() < 0.7 else rows[g].mean(0) for g in groups])
        chosen = F.normalize(chosen, dim=1)
        seen = F.dropout(x[pick], 0.1)
        out = F.normalize(head(seen), dim=1)
        logits = out @ chosen.T * scale.exp().clamp(max=60)
        share = y[pick] / y[pick].sum(1, keepdim=True)
        flat_loss = torch.zeros(())
        if len(silent):
            others = out @ silent[torch.from_numpy(rng.integers(0, len(silent), args.silent))].T
            logits = torch.cat([logits, others * scale.exp().clamp(max=60)], dim=1)
            share = F.pad(share, (0, args.silent))
            # What is seen should be equally far from every sound: one that stands out would be taken for an answer.
            flat_loss = (others - others.mean(1, keepdim=True).detach()).clamp(min=0).square().mean()
        loss = -(share * F.log_softmax(logits, 1)).sum(1)
        strength = y[pick].sum(1).clamp(max=1)
        optimiser.zero_grad()
        ((loss * strength).sum() / strength.sum() + args.flat * flat_loss).backward()
        optimiser.step()
        schedule.step()
    print(f"head: {len(x)} windows, scale {scale.exp().item():.1f}, loss {loss.mean().item():.3f}", flush=True)
    report_val(head.eval(), drawn, rows, groups, kept_out)
    state = {f"net.{k}": v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    state |= {f"head.{k}": v for k, v in head.state_dict().items()}
    save_file({k: v.detach().half().contiguous() for k, v in state.items()}, args.out)
    if args.out.with_name(MANIFEST).is_file():
        add_to_manifest(args.out.parent, args.out.name, space=space)
    print(f"{args.out} {args.out.stat().st_size / 1e6:.2f} MB")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    net = commands.add_parser("net")
    net.set_defaults(run=train_net, validate_fold=None)
    net.add_argument("--epochs", type=int, default=20)
    net.add_argument("--steps", type=int, default=180, help="batches an epoch")
    net.add_argument("--batch", type=int, default=64)
    net.add_argument("--rate", type=float, default=2e-3)
    net.add_argument("--bf16", action="store_true", help="half the time on CPUs that have it")
    net.add_argument("--init", type=Path, help="start from this checkpoint")
    head = commands.add_parser("head")
    head.set_defaults(run=train_head)
    head.add_argument("--net", type=Path, required=True)
    head.add_argument("--starter", type=Path, help="the folder with the text tower's weights")
    head.add_argument("--free", action="store_true", help="for starter-free, against texts that this project wrote")
    head.add_argument("--draws", type=int, default=120, help="batches of 256 windows whose features are kept")
    head.add_argument("--epochs", type=int, default=12)
    head.add_argument("--hidden", type=int, default=512)
    head.add_argument("--cache", type=Path, help="keep the network's features here: the next head needs no bank")
    head.add_argument("--captions", type=Path, help="captions.csv (split, caption) of pictures: texts without a sound")
    head.add_argument("--unheard", type=int, default=1200, help="captions taken whole, and as many cut short")
    head.add_argument("--silent", type=int, default=256, help="texts without a sound a step")
    head.add_argument("--flat", type=float, default=10.0, help="weight of keeping texts without a sound equally far")
    for command in (net, head):
        command.add_argument("--bank", type=Path, required=command is net, help="folder that sound_bank.py wrote")
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--validate-fold", default=None)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    args.run(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
