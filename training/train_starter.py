"""Train the starter's picture and text towers on Flickr8k: heads first, then with them the towers' last layers.

Needs the features of `starter_features.py`. Chooses the epochs on a part of `train`; `dev` is never looked at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from starter_features import FIRST_TUNED_LAYER, LAST_FROZEN, VIEWS, Captions, batches, read_captions
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.align.fit import Batch, Epoch, Fit, FitSettings, fit
from vidembed.align.measuring import both_ways
from vidembed.encoders import _efficientnet, _minilm
from vidembed.encoders.starter import (
    FOLDER,
    PICTURE_FEATURES,
    PICTURE_FILE,
    SPACE,
    TEXT_FILE,
    TUNED_FROM,
    add_to_manifest,
)
from vidembed.heads import Head, HeadSpec

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """One view of the training pictures: what the picture head sees of the frozen tower, and the map tuning starts at.

    means (N, 1280) float32; middle (N, 480) float32, the 2 x 2 grid at stride 16; late (N, 208, 8, 8) float16.
    """

    means: Tensor
    middle: Tensor
    late: Tensor

    @property
    def features(self) -> Tensor:
        return torch.cat([self.means, self.middle], 1)


def read_view(cache: Path, view: int, count: int) -> View:
    """The first `count` pictures. The blocks between the cached map and the tuned ones are run here."""
    tok, middle, late = (
        np.load(cache / f"{name}{view}.npy", mmap_mode="r")[:count] for name in ("tok", "middle", "late")
    )
    cells = torch.from_numpy(middle.astype(np.float32)).reshape(count, 2, 2, 2, 2, 120).mean((2, 4)).flatten(1)
    kept = cache / f"tuned_from_{TUNED_FROM}_{view}.npy"
    if not kept.is_file():
        between = _efficientnet.load().blocks[LAST_FROZEN + 1 : TUNED_FROM]
        maps = np.empty_like(late)
        with torch.inference_mode():
            for part in batches(count, 64):
                x = torch.from_numpy(late[part].astype(np.float32)).contiguous(memory_format=torch.channels_last)
                for block in between:
                    x = block(x)
                maps[part] = x.half().numpy()
        np.save(kept, maps)
    means = np.concatenate([tok[part].astype(np.float32).mean(1) for part in batches(count, 500)])
    return View(torch.from_numpy(means), cells, torch.from_numpy(np.load(kept)))


class PictureTower(nn.Module):
    """late (B, 208, 8, 8) and middle (B, 480) -> (B, 384): the tuned blocks, then the head."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.tail = _efficientnet.Tail(_efficientnet.load(), TUNED_FROM).requires_grad_(True)
        self.head = head

    def forward(self, late: Tensor, middle: Tensor) -> Tensor:
        means = self.tail(late.float().contiguous(memory_format=torch.channels_last)).mean((2, 3))
        return self.head(torch.cat([means, middle], 1))


class TextTower(nn.Module):
    """Rows of the cached states -> (B, 384): MiniLM's last layers with corrections, mean, head.

    As long as `rank` is 0 the cached sentence vectors are taken instead.
    """

    def __init__(self, cache: Path, head: Head, rank: int) -> None:
        super().__init__()
        self.head = head
        self.sentences = torch.from_numpy(np.load(cache / "sentences.npy").astype(np.float32))
        self.states = np.load(cache / "states.npy", mmap_mode="r")
        self.lengths = torch.from_numpy(np.load(cache / "lengths.npy"))
        self.net = _minilm.load()[0]
        self.rank = rank
        if rank:
            _minilm.add_corrections(self.net, first=FIRST_TUNED_LAYER, rank=rank)

    def corrected(self, rows: Tensor) -> Tensor:
        """(N, 384) unit sentence vectors, computed shortest first so that little is padded."""
        order = torch.argsort(self.lengths[rows])
        parts = []
        for part in order.split(96):
            lengths = self.lengths[rows[part]]
            longest = int(lengths.max())
            states = torch.from_numpy(self.states[rows[part].numpy(), :longest]).float()
            mask = torch.arange(longest)[None] < lengths[:, None]
            states = self.net.run(states, mask, first=FIRST_TUNED_LAYER)
            parts.append(F.normalize(_minilm.mean_pool(states, mask), dim=-1))
        found = torch.cat(parts)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return found[back]

    def forward(self, rows: Tensor) -> Tensor:
        return self.head(self.corrected(rows) if self.rank else self.sentences[rows])


def class_features(sample: Tensor) -> Tensor:
    """(1000, 1760) pictures of the classes: the average picture moved along each class's row of the classifier."""
    weights = _efficientnet.load().classifier.weight.detach()
    weights = (weights - weights.mean(0)) / weights.std(0)
    found = sample.mean(0).repeat(len(weights), 1)
    found[:, : _efficientnet.FEATURES] += weights * sample[:, : _efficientnet.FEATURES].std(0)
    return found


class Sampler:
    """Batches: pictures in random views with some of their captions; beside them, classes with one of their prompts."""

    def __init__(self, captions: Captions, views: list[View], used: Positions, args: argparse.Namespace) -> None:
        self.captions, self.views, self.used, self.args = captions, views, used, args
        self.classes = class_features(views[0].features[used])
        self.features = [view.features for view in views]

    def draw(
        self, epoch: int, size: int, classes: int
    ) -> Iterator[tuple[Positions, Positions, Positions, Tensor, Tensor]]:
        """(picture rows, their views, classes, text rows, positives (pictures + classes, texts)) per batch."""
        rng = np.random.default_rng((self.args.seed, epoch))
        shuffled = rng.permutation(self.used)
        rights = self.captions.rights
        for start in range(0, len(shuffled) - size + 1, size):
            rows = shuffled[start : start + size]
            # half of them whole, as they will be seen
            views = np.where(rng.random(size) < 0.5, 0, rng.integers(len(self.views), size=size))
            named = rng.choice(len(self.classes), classes, replace=False)
            prompts = self.captions.classes[named, rng.integers(self.captions.classes.shape[1], size=classes)]
            own = [
                text
                for r in rights[rows]
                for text in rng.choice(r[r >= 0], min(self.args.texts, int((r >= 0).sum())), replace=False)
            ]
            texts = np.array(list(dict.fromkeys([*own, *prompts])))
            right = np.full((size + classes, rights.shape[1]), -1)
            right[:size] = rights[rows]
            right[size:, : self.captions.classes.shape[1]] = self.captions.classes[named]
            positives = (right[:, :, None] == texts).any(1)
            yield rows, views, named, torch.from_numpy(texts), torch.from_numpy(positives)

    def frozen(self, epoch: int) -> Iterator[Batch]:
        for rows, views, named, texts, positives in self.draw(epoch, self.args.batch, self.args.classes):
            seen = torch.stack([self.features[v][i] for v, i in zip(views, rows)])
            yield Batch([("image", (torch.cat([seen, self.classes[named]]),))], (texts,), positives)

    def tuned(self, epoch: int) -> Iterator[Batch]:
        for rows, views, named, texts, positives in self.draw(
            1000 + epoch, self.args.tuned_batch, self.args.classes // 2
        ):
            late = torch.stack([self.views[v].late[i] for v, i in zip(views, rows)])
            middle = torch.stack([self.views[v].middle[i] for v, i in zip(views, rows)]).reshape(-1, 2, 2, 120)
            late[::2], middle[::2] = late[::2].flip(3), middle[::2].flip(2)  # nearly what mirrored pictures give
            middle = middle.flatten(1)
            yield Batch([("image", (late, middle)), ("class", (self.classes[named],))], (texts,), positives)


def tell(epoch: Epoch) -> None:
    recall = "" if epoch.recall is None else f", held-out recall {epoch.recall:.4f}"
    print(
        f"epoch {epoch.epoch}: loss {epoch.loss:.3f}, scale {epoch.scale:.1f}{recall}, {epoch.seconds:.0f} s",
        flush=True,
    )


def train(captions: Captions, args: argparse.Namespace) -> tuple[PictureTower, TextTower]:
    order = np.random.default_rng(7).permutation(captions.train)
    held = np.sort(order[: args.held_out])
    used = np.sort(order if args.all else order[args.held_out :])
    views = [read_view(args.cache, v, captions.train) for v in range(args.views)]
    sampler = Sampler(captions, views, used, args)
    head = Head(HeadSpec("mlp", PICTURE_FEATURES, SPACE.dim, hidden=args.hidden, dropout=args.dropout))
    head.standardize(sampler.features[0][used])
    text = TextTower(
        args.cache, Head(HeadSpec("mlp", _minilm.WIDTH, SPACE.dim, hidden=384, dropout=args.dropout / 2)), 0
    )
    text.head.standardize(text.sentences[captions.rights[used].max(1)])
    rights = captions.rights[held]
    rows = np.unique(rights[rights >= 0])
    right = (rights[:, :, None] == rows).any(1)

    def measured(see: Callable[[], Tensor], read: nn.Module) -> Callable[[], float]:
        @torch.no_grad()
        def validate() -> float:
            found = both_ways("image", see().numpy(), read(torch.from_numpy(rows)).numpy(), right)
            print(f"  {found['text to image']}\n  {found['image to text']}")
            return float(np.mean([d.mean_recall for d in found.values()]))

        return validate

    def run(name: str, networks: Mapping[str, nn.Module], settings: FitSettings,
            drawn: Callable[[int], Iterator[Batch]], see: Callable[[], Tensor],
            rates: Mapping[str, float] | None = None) -> Fit:  # fmt: skip
        return fit(networks, batches=drawn, steps_per_epoch=len(used) // settings.batch_size, settings=settings,
                   validate=None if args.all else measured(see, networks["text"]), rates=rates, progress=tell,
                   checkpoint=None if args.checkpoint is None else args.checkpoint / f"{name}.pt")  # fmt: skip

    settings = FitSettings(epochs=args.epochs, batch_size=args.batch, learning_rate=args.rate, temperature=0.05,
                           weight_decay=args.decay, average=0.95, patience=args.epochs, seed=args.seed)  # fmt: skip
    first = run("heads", {"image": head, "text": text}, settings, sampler.frozen, lambda: head(views[0].features[held]))
    picture = PictureTower(head)
    text = TextTower(args.cache, text.head, args.rank)
    if args.tuned_epochs:
        settings = FitSettings(epochs=args.tuned_epochs, batch_size=args.tuned_batch, learning_rate=args.tuned_rate,
                               temperature=1 / first.epochs[-1].scale, weight_decay=args.decay, average=0.9,
                               patience=args.tuned_epochs, seed=args.seed)  # fmt: skip
        run("towers", {"image": picture, "class": head, "text": text}, settings, sampler.tuned,
            lambda: picture(views[0].late[held], views[0].middle[held]),
            {"image.tail": args.tail_rate, "text.net": args.correction_rate})  # fmt: skip
    return picture, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="where starter_features.py has put its files")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="folder of the shipped files (default: this package's)"
    )
    parser.add_argument("--views", type=int, default=VIEWS, help="of each picture, of those computed")
    parser.add_argument("--epochs", type=int, default=45, help="with frozen towers")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--tuned-epochs", type=int, default=5, help="with the towers' last layers; 0: heads only")
    parser.add_argument("--tuned-batch", type=int, default=250)
    parser.add_argument("--tuned-rate", type=float, default=5e-4)
    parser.add_argument("--tail-rate", type=float, default=0.3, help="factor on the rate of the picture tower's blocks")
    parser.add_argument("--correction-rate", type=float, default=3.0, help="factor on the rate of the text corrections")
    parser.add_argument("--texts", type=int, default=2, help="captions of each picture in a batch")
    parser.add_argument("--classes", type=int, default=128, help="ImageNet classes in a batch; half as many in tuning")
    parser.add_argument("--rank", type=int, default=0, help="of the text tower's correction; 0 leaves it as it is")
    parser.add_argument("--hidden", type=int, default=640, help="of the picture head")
    parser.add_argument("--dropout", type=float, default=0.4, help="in the picture head; half of it in the text head")
    parser.add_argument("--decay", type=float, default=0.1, help="weight decay")
    parser.add_argument("--held-out", type=int, default=300, help="pictures of train on which the epoch is chosen")
    parser.add_argument("--all", action="store_true", help="train on those too and keep the last epoch: the final run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, default=None, help="folder for what an interrupted run goes on from")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    captions = read_captions(args.data)
    if json.loads((args.cache / "texts.json").read_text(encoding="utf-8")) != captions.texts:
        raise SystemExit("the cache was made from other captions: run starter_features.py again")
    picture, text = train(captions, args)
    args.out.mkdir(parents=True, exist_ok=True)
    tail = {f"tail.{key}": value for key, value in picture.tail.state_dict().items()} if args.tuned_epochs else {}
    heads: list[tuple[str, Head, dict[str, Tensor]]] = [
        (PICTURE_FILE, picture.head, tail),
        (TEXT_FILE, text.head, _minilm.corrections(text.net)),
    ]
    for name, head, extra in heads:
        tensors = {f"head.{key}": value for key, value in head.state_dict().items()} | extra
        save_file({key: value.half().contiguous() for key, value in tensors.items()}, args.out / name)
        (args.out / name).chmod(0o644)  # save_file makes it private
        add_to_manifest(args.out, name, head=head.spec.as_dict())
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
