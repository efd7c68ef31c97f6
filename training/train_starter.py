"""Train the starter's picture and text towers on captioned pictures.

Learnt are the picture tower's last blocks, low-rank corrections of the text tower and a head on each. The loss has
three parts: captions and pictures that belong together (InfoNCE), what the picture tower knew of ImageNet's classes
(learning without forgetting, Li and Hoiem 2016), and, in a second run, the answers of the first run's networks
(born-again networks, Furlanello et al. 2018). Kept is the running mean of the weights.

The epochs are fixed; settings are chosen by what is printed of pictures of `train` that are held out. `dev` is
never looked at. In float32 on CPUs, bfloat16 on GPUs.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import augment
import numpy as np
import starter_nets
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from starter_corpus import Captions, read_captions, read_pictures
from starter_nets import Backbone, Tail, pooled_maps
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from vidembed.align.fit import MAX_SCALE, info_nce, warm_cosine
from vidembed.align.heads import TrainableHead
from vidembed.align.measuring import both_ways
from vidembed.models.encoders import minilm
from vidembed.models.encoders._efficientnet import FEATURES
from vidembed.models.encoders.starter import (
    FOLDER,
    PICTURE_FEATURES,
    PICTURE_FILE,
    SPACE,
    TEXT_FILE,
    add_to_manifest,
)
from vidembed.models.heads import HeadSpec

Rows = NDArray[np.int64]
MAX_TOKENS = 42
PICTURE_SIDE = 224  # pictures wait in this size
TAIL_RATE, CORRECTION_RATE = 0.2, 2.0  # factors on the rate of the heads
WARM_EPOCHS = 3  # in which the heads alone learn, so that the towers are not pulled about by random ones
HIDDEN_WORDS = 0.1  # share of words a text loses
AVERAGE = 0.97  # of the weights, per step
START_TEMPERATURE = 0.05


class Texts:
    """All texts as tokens. A call gives (ids, mask) of rows, padded to the longest."""

    def __init__(self, texts: list[str], tokenizer: minilm.Tokenizer, device: torch.device) -> None:
        ids, mask = map(torch.from_numpy, tokenizer(texts))
        self.ids, self.lengths = ids[:, :MAX_TOKENS].to(device), mask[:, :MAX_TOKENS].sum(1).to(device)

    def __call__(self, rows: Rows) -> tuple[Tensor, Tensor]:
        chosen = torch.from_numpy(rows).to(self.ids.device)
        lengths = self.lengths[chosen]
        longest = int(lengths.max())
        return self.ids[chosen, :longest], torch.arange(longest, device=lengths.device) < lengths[:, None]


class Towers(nn.Module):
    """What is trained."""

    def __init__(self, backbone: Backbone, sentences: starter_nets.MiniLM, rank: int) -> None:
        super().__init__()
        self.tail = Tail(backbone.weights)
        self.picture_head = TrainableHead(HeadSpec("linear", PICTURE_FEATURES, SPACE.dim, dropout=0.3))
        self.sentences = sentences
        starter_nets.add_corrections(self.sentences, first=0, rank=rank)
        self.text_head = TrainableHead(HeadSpec("mlp", minilm.WIDTH, SPACE.dim, hidden=384, dropout=0.2))

    def pictures(self, middle: Tensor, late: Tensor) -> Tensor:
        """(B, 384) unit rows of the frozen blocks' maps."""
        return self.picture_head(pooled_maps(self.tail(late), middle))  # type: ignore[no-any-return]

    def sentence_vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        return F.normalize(starter_nets.mean_pool(self.sentences(ids, mask).float(), mask), dim=-1)

    def texts(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.text_head(self.sentence_vectors(ids, mask))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Batch:
    """rows: of the pictures; named, prompts: classes and each one's text row; texts: rows; positives: (P + C, T)."""

    rows: Rows
    named: Rows
    prompts: Rows
    texts: Rows
    positives: Tensor


class Training:
    """The data on the device, and what both runs share."""

    def __init__(self, captions: Captions, args: argparse.Namespace) -> None:
        self.captions, self.args, self.device = captions, args, torch.device(args.device)
        order = np.random.default_rng(7).permutation(len(captions.items))
        self.held = np.sort(order[: args.held_out])
        self.used = np.sort(order if args.all else order[args.held_out :])
        self.seen = read_pictures([item.path for item in captions.items], PICTURE_SIDE).to(self.device)
        self.backbone = Backbone(self.device)
        self.sentences = starter_nets.load_sentences()
        tokenizer = minilm.Tokenizer(minilm.weights_file().with_name("tokenizer.json"))
        self.texts = Texts(captions.texts, tokenizer, self.device)
        features = torch.cat([self._features(part) for part in _parts(self.used)])
        self.classes = class_features(self.backbone, features)
        self.start = self._start(features)

    def run(self, name: str, epochs: int, teacher: Towers | None = None) -> Towers:
        """Train from the start; returns the mean of the weights, in inference mode."""
        args = self.args
        torch.manual_seed(args.seed)  # dropout
        random = torch.Generator(self.device).manual_seed(args.seed)
        towers = copy.deepcopy(self.start)
        # young means follow faster
        mean = AveragedModel(towers, multi_avg_fn=lambda means, new, step: torch._foreach_lerp_(
            means, new, 1 - min(AVERAGE, (int(step) + 1) / (int(step) + 10))))  # fmt: skip
        scale = nn.Parameter(torch.tensor(math.log(1 / START_TEMPERATURE), device=self.device))
        groups = [
            {"params": group, "lr": rate, "weight_decay": decay}
            for (rate, decay), group in self._groups(towers, scale).items()
        ]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        total = epochs * (len(self.used) // args.batch)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_cosine(step, total))
        for epoch in range(epochs):
            towers.train()
            began, losses = time.monotonic(), []
            for batch in self._batches(epoch):
                loss = self._loss(towers, teacher if epoch >= WARM_EPOCHS else None, scale, batch, random)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                if epoch < WARM_EPOCHS:
                    for parameter in (*towers.tail.parameters(), *towers.sentences.parameters()):
                        parameter.grad = None
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    scale.clamp_(max=MAX_SCALE)
                mean.update_parameters(towers)
                losses.append(loss.detach())
            told = f"loss {float(torch.stack(losses).mean()):.3f}, scale {float(scale.detach().exp()):.1f}"
            print(f"{name} {epoch + 1}: {told}, {time.monotonic() - began:.0f} s", flush=True)
        found = cast(Towers, mean.module).eval().requires_grad_(False)
        if not args.all:
            self._measure(found)
        return found

    def _loss(
        self, towers: Towers, teacher: Towers | None, scale: Tensor, batch: Batch, random: torch.Generator
    ) -> Tensor:
        x = augment.varied(self.seen[batch.rows], random)
        ids, mask = self.texts(batch.texts)
        keep = torch.rand(mask.shape, generator=random, device=self.device) >= HIDDEN_WORDS
        keep[:, 0] = True
        mask &= keep
        named = self.classes[batch.named]

        def logits(net: Towers) -> Tensor:
            with self._half():
                seen, sentences = net.pictures(middle, late), net.sentence_vectors(ids, mask)
            media = torch.cat([seen.float(), net.picture_head(named)])
            return media @ net.text_head(sentences).float().T * scale.exp()  # type: ignore[no-any-return]

        with torch.no_grad(), self._half():
            middle, late = self.backbone.fine(x)
            known = self._class_scores(late)[:, batch.named].softmax(1)
        found = logits(towers)
        loss = info_nce(found, batch.positives.to(self.device))
        if teacher is not None:
            with torch.no_grad():
                told = logits(teacher)
            apart = sum(F.cross_entropy(a, b.softmax(1)) for a, b in ((found, told), (found.T, told.T)))
            loss = (1 - self.args.distil) * loss + self.args.distil * apart / 2
        columns = np.searchsorted(batch.texts, batch.prompts)
        remembered = found[: len(batch.rows), torch.from_numpy(columns).to(self.device)].log_softmax(1)
        return loss + self.args.remember * F.kl_div(remembered, known, reduction="batchmean")

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """Pictures with some of their captions; beside them, classes with one of their prompts."""
        rng = np.random.default_rng((self.args.seed, epoch))
        rights, classes, size = self.captions.rights, self.captions.classes, self.args.batch
        shuffled = rng.permutation(self.used)
        for start in range(0, len(shuffled) - size + 1, size):
            rows = shuffled[start : start + size]
            named = rng.choice(len(classes), self.args.classes, replace=False)
            prompts = classes[named, rng.integers(classes.shape[1], size=len(named))]
            own = [
                rng.choice(r[r >= 0], min(self.args.texts, int((r >= 0).sum())), replace=False) for r in rights[rows]
            ]
            texts = np.unique(np.concatenate([*own, prompts]))
            right = np.full((size + len(named), max(rights.shape[1], classes.shape[1])), -1)
            right[:size, : rights.shape[1]] = rights[rows]
            right[size:, : classes.shape[1]] = classes[named]
            positives = torch.from_numpy((right[:, :, None] == texts).any(1))
            yield Batch(rows, named, prompts, texts, positives)

    def _groups(self, towers: Towers, scale: Tensor) -> dict[tuple[float, float], list[Tensor]]:
        """(rate, weight decay) -> parameters. Biases, the scale and the thin corrections do not decay."""
        groups: dict[tuple[float, float], list[Tensor]] = {(self.args.rate, 0.0): [scale]}
        for name, parameter in towers.named_parameters():
            if parameter.requires_grad:
                part = name.partition(".")[0]
                factor = {"tail": TAIL_RATE, "sentences": CORRECTION_RATE}.get(part, 1.0)
                decay = self.args.decay if parameter.ndim > 1 and part != "sentences" else 0.0
                groups.setdefault((self.args.rate * factor, decay), []).append(parameter)
        return groups

    def _half(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _class_scores(self, late: Tensor) -> Tensor:
        """(B, 1000) what the untuned network's own classifier says."""
        return self.backbone.class_scores(self.backbone.last(late).float().mean((2, 3))).float()

    @torch.no_grad()
    def _features(self, rows: Rows) -> Tensor:
        with self._half():
            middle, late = self.backbone.fine(augment.whole(self.seen[rows]))
            return pooled_maps(self.backbone.last(late), middle)

    @torch.no_grad()
    def _start(self, features: Tensor) -> Towers:
        torch.manual_seed(self.args.seed)
        towers = Towers(self.backbone, self.sentences, self.args.rank).to(self.device)
        towers.picture_head.standardize(features)
        rights = self.captions.rights[self.used]
        parts = _parts(rights[rights >= 0])
        towers.text_head.standardize(torch.cat([towers.sentence_vectors(*self.texts(part)) for part in parts]))
        return towers

    @torch.no_grad()
    def _measure(self, towers: Towers) -> None:
        """Print how captions of the held-out pictures find these among themselves."""
        rights = self.captions.rights[self.held]
        texts = np.unique(rights[rights >= 0])
        with self._half():
            maps = [self.backbone.fine(augment.whole(self.seen[p])) for p in _parts(self.held)]
            seen = torch.cat([towers.pictures(*pair).float() for pair in maps])
            said = torch.cat([towers.texts(*self.texts(part)).float() for part in _parts(texts)])
        found = both_ways("image", seen.cpu().numpy(), said.cpu().numpy(), (rights[:, :, None] == texts).any(1))
        print("\n".join(f"  {name}: {direction}" for name, direction in found.items()), flush=True)


def class_features(backbone: Backbone, sample: Tensor) -> Tensor:
    """(1000, 1760) pictures of the classes: the average picture moved along each class's row of the classifier."""
    weights = backbone.weights["classifier.weight"]
    weights = (weights - weights.mean(0)) / weights.std(0)
    found = sample.mean(0).repeat(len(weights), 1)
    found[:, :FEATURES] += weights * sample[:, :FEATURES].std(0)
    return found


def _parts(rows: Rows, size: int = 250) -> list[Rows]:
    return np.array_split(rows, max(1, len(rows) // size))


def save(towers: Towers, folder: Path) -> None:
    """The two files, in float16, and their SHA-256 in the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    heads: list[tuple[str, TrainableHead, dict[str, Tensor]]] = [
        (PICTURE_FILE, towers.picture_head, towers.tail.tensors()),
        (TEXT_FILE, towers.text_head, starter_nets.corrections(towers.sentences)),
    ]
    for name, head, extra in heads:
        tensors = {f"head.{key}": value for key, value in head.state_dict().items()} | extra
        save_file({key: value.half().cpu().contiguous() for key, value in tensors.items()}, folder / name)
        (folder / name).chmod(0o644)  # save_file makes it private
        add_to_manifest(folder, name, head=head.spec.as_dict())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/captions.csv and the pictures")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the shipped files (default: the package's)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--student-epochs", type=int, default=28, help="of the second run; 0: keep the first run's")
    parser.add_argument("--batch", type=int, default=512, help="pictures")
    parser.add_argument("--texts", type=int, default=2, help="captions of each picture in a batch")
    parser.add_argument("--classes", type=int, default=256, help="ImageNet classes in a batch")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=0.1, help="weight decay")
    parser.add_argument("--rank", type=int, default=16, help="of the text tower's corrections")
    parser.add_argument("--remember", type=float, default=0.5, help="weight of the class scores of the untuned tower")
    parser.add_argument(
        "--distil", type=float, default=0.6, help="share of the first run's answers in the second's loss"
    )
    parser.add_argument("--held-out", type=int, default=500, help="pictures of train that are measured, not learnt")
    parser.add_argument("--all", action="store_true", help="learn from those too, and measure nothing: the final run")
    parser.add_argument("--limit", type=int, default=None, help="take so many pictures only, to try the script")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    captions = read_captions(args.data)
    if args.limit:
        captions = Captions(
            captions.items[: args.limit], captions.texts, captions.rights[: args.limit], captions.classes
        )
    training = Training(captions, args)
    towers = training.run("first", args.epochs)
    if args.student_epochs:
        towers = training.run("second", args.student_epochs, teacher=towers)
    save(towers, args.out)
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
