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
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sound_batches import LABELS, Bank, Pool, Sampler
from sound_classes import SOUNDS
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.encoders.starter import FOLDER, MANIFEST, StarterEncoder, add_to_manifest
from vidembed.encoders.starter_sound import FEATURES, LogMel, SoundHead, SoundNet, audible, windows

# AudioSet classes that say nothing one would search for.
VAGUE = {
    "Animal", "Domestic animals, pets", "Wild animals", "Sound effect", "Inside, small room", "Music", "Vehicle",
    "Musical instrument", "Livestock, farm animals, working animals", "Silence", "Inside, large room or hall",
    "Inside, public space", "Outside, urban or manmade", "Outside, rural or natural", "Field recording",
}  # fmt: skip


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
    mel, out = LogMel(), []
    net.eval()
    with torch.inference_mode():
        for i in which:
            row = bank.rows[i]
            samples = bank.samples[row["start"] : row["start"] + row["count"]].astype(np.float32) / 32768
            out.append(net(mel(torch.from_numpy(audible(windows(samples))))))
    return out


def train_net(args: argparse.Namespace) -> None:
    bank = Bank.load(args.bank, args.validate_fold)
    torch.manual_seed(args.seed)
    sampler = Sampler(bank, seed=args.seed)
    pool = Pool(sampler, LogMel())
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


def texts_of_classes(names: list[str]) -> tuple[list[list[str]], NDArray[np.float32]]:
    """Phrases per class, our sounds first, then AudioSet's classes that no sound of ours stands for; and the (521, C)
    matrix that turns the teacher's scores into shares of these classes."""
    phrases = [list(sound.phrases) for sound in SOUNDS.values()]
    owners: dict[str, list[int]] = {}
    for k, sound in enumerate(SOUNDS.values()):
        for name in sound.audioset[:2]:  # the first ones mean the sound itself, later ones what contains it
            owners.setdefault(name, []).append(k)
    matrix = np.zeros((len(names), len(phrases) + len(names)), np.float32)
    for row, name in enumerate(names):
        if name in owners and name != "Music":
            matrix[row, owners[name]] = 1 / len(owners[name])
        elif name not in VAGUE:
            matrix[row, len(phrases)] = 1
            phrases.append([name.lower(), *(part.strip().lower() for part in name.split(",") if "," in name)])
    matrix[names.index("Music"), LABELS.index("music")] = 0.3
    return phrases, matrix[:, : len(phrases)]


@torch.no_grad()
def report_val(net: SoundNet, head: SoundHead, bank: Bank, rows: Tensor, groups: list[NDArray[np.int64]]) -> None:
    """Prints how often a validation file's best phrase, among those of our sounds, is one of its own sound."""
    val = [i for i, row in enumerate(bank.rows) if row["split"] == "val"]
    ours = [rows[g] for g in groups[: len(LABELS)]]
    places: dict[str, list[int]] = {}
    for features, i in zip(file_features(net, bank, val), val, strict=True):
        vector = F.normalize(F.normalize(head(features.clone()), dim=1).mean(0), dim=0)
        best = torch.stack([(phrases @ vector).max() for phrases in ours])
        own = LABELS.index(bank.rows[i]["label"])
        places.setdefault(LABELS[own], []).append(int((best > best[own]).sum()))
    every = np.concatenate([np.array(p) for p in places.values()])
    for k in (1, 5):
        per_sound = np.mean([np.mean(np.array(p) < k) for p in places.values()])
        print(
            f"val: {len(every)} files, top-{k} {np.mean(every < k):.3f}, mean of {len(places)} sounds {per_sound:.3f}"
        )


def train_head(args: argparse.Namespace) -> None:
    bank = Bank.load(args.bank, args.validate_fold)
    torch.manual_seed(args.seed)
    net = SoundNet()
    net.load_state_dict(torch.load(args.net, weights_only=True)["net"])
    net.eval()
    phrases, matrix = texts_of_classes(bank.names)
    flat = [p for group in phrases for p in group]
    rows = torch.from_numpy(StarterEncoder(args.starter).encode("text", flat))
    groups = np.split(np.arange(len(flat)), np.cumsum([len(g) for g in phrases])[:-1])
    dim = rows.shape[1]

    sampler, mel = Sampler(bank, seed=args.seed + 1, known=0.75), LogMel()
    features, targets = [], []
    with torch.inference_mode():
        for _ in range(args.draws):
            batch = sampler.draw(256)
            features.append(net(mel(batch.samples)))
            soft = batch.scores.clamp(min=0.05).sub(0.05) @ torch.from_numpy(matrix)
            soft = soft / soft.sum(1, keepdim=True).clamp(min=1.0)
            ours = F.pad(batch.labels, (0, len(phrases) - len(LABELS)))
            known = batch.labels.sum(1, keepdim=True).clamp(max=1)
            targets.append(known * (0.85 * ours + 0.15 * soft) + (1 - known) * soft)
    x, y = torch.cat(features).clone(), torch.cat(targets).clone()
    keep = y.sum(1) > 0.1
    x, y = x[keep], y[keep]

    head = SoundHead(dim, args.hidden)
    # Sound vectors start at the centre of the texts, whose common direction carries no information.
    scale = nn.Parameter(torch.tensor(np.log(1 / 0.05), dtype=torch.float32))
    optimiser = torch.optim.AdamW([*head.parameters(), scale], lr=1e-3, weight_decay=0.05)
    rng = np.random.default_rng(args.seed)
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
        loss = -(share * F.log_softmax(logits, 1)).sum(1)
        strength = y[pick].sum(1).clamp(max=1)
        optimiser.zero_grad()
        ((loss * strength).sum() / strength.sum()).backward()
        optimiser.step()
        schedule.step()
    print(f"head: {len(x)} windows, scale {scale.exp().item():.1f}, loss {loss.mean().item():.3f}", flush=True)
    report_val(net, head, bank, rows, groups)
    state = {f"net.{k}": v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    state |= {f"head.{k}": v for k, v in head.state_dict().items()}
    save_file({k: v.detach().half().contiguous() for k, v in state.items()}, args.out)
    if args.out.with_name(MANIFEST).is_file():
        add_to_manifest(args.out.parent, args.out.name)
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
    head.add_argument("--starter", type=Path, default=FOLDER, help="the folder with the text tower's weights")
    head.add_argument("--draws", type=int, default=120, help="batches of 256 windows whose features are kept")
    head.add_argument("--epochs", type=int, default=12)
    head.add_argument("--hidden", type=int, default=512)
    for command in (net, head):
        command.add_argument("--bank", type=Path, required=True)
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
