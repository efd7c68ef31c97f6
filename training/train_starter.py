"""Train the starter's picture and text heads, and the low-rank correction of the text tower, on Flickr8k.

Needs the features of `starter_features.py`. Chooses the epoch on a part of `train`; `dev` is never looked at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from starter_features import FIRST_TUNED_LAYER, VIEWS, read_captions
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.align.fit import Batch, Epoch, FitSettings, fit
from vidembed.align.measuring import both_ways
from vidembed.encoders import _efficientnet, _minilm
from vidembed.encoders.starter import FOLDER, PICTURE_FEATURES, PICTURE_FILE, SPACE, TEXT_FILE, add_to_manifest
from vidembed.heads import Head, HeadSpec

CLASSES_PER_BATCH = 128


class TextTower(nn.Module):
    """Rows of the cached states -> unit vectors: MiniLM's last layers with corrections, mean, head."""

    def __init__(
        self, states: NDArray[np.float16], lengths: NDArray[np.int64], *, rank: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.states, self.lengths = states, torch.from_numpy(lengths)
        self.net, _ = _minilm.load()
        if rank:
            _minilm.add_corrections(self.net, first=FIRST_TUNED_LAYER, rank=rank)
        self.head = Head(HeadSpec("mlp", _minilm.WIDTH, SPACE.dim, hidden=hidden, dropout=dropout))
        self.tuned = rank > 0
        self.fixed = self.sentences(torch.arange(len(lengths))) if not rank else None
        sample = torch.arange(0, len(lengths), 17)
        with torch.no_grad():
            self.head.standardize(self.sentences(sample))

    def sentences(self, rows: Tensor) -> Tensor:
        """(N, 384) unit sentence vectors, computed shortest first so that little is padded."""
        order = torch.argsort(self.lengths[rows])
        parts = []
        with torch.set_grad_enabled(self.tuned and torch.is_grad_enabled()):
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
        return self.head(self.sentences(rows) if self.fixed is None else self.fixed[rows])


def class_features(sample: Tensor) -> Tensor:
    """(1000, 1760) pictures of the classes: the average picture moved along each class's row of the classifier."""
    weights = _efficientnet.load().classifier.weight.detach()
    weights = (weights - weights.mean(0)) / weights.std(0)
    found = sample.mean(0).repeat(len(weights), 1)
    found[:, : _efficientnet.FEATURES] += weights * sample[:, : _efficientnet.FEATURES].std(0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="where starter_features.py has put its files")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="folder of the shipped files (default: this package's)"
    )
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--correction-rate", type=float, default=1.0, help="factor on the rate of the corrections")
    parser.add_argument("--rank", type=int, default=0, help="of the text tower's correction; 0 leaves it as it is")
    parser.add_argument("--hidden", type=int, default=640, help="of the picture head")
    parser.add_argument("--dropout", type=float, default=0.4, help="in the picture head; half of it in the text head")
    parser.add_argument("--decay", type=float, default=0.1, help="weight decay")
    parser.add_argument("--held-out", type=int, default=300, help="pictures of train on which the epoch is chosen")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", type=Path, default=None)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    captions = read_captions(args.data)
    if json.loads((args.cache / "texts.json").read_text(encoding="utf-8")) != captions.texts:
        raise SystemExit("the cache was made from other captions: run starter_features.py again")
    order = np.random.default_rng(7).permutation(captions.train)
    held, used = np.sort(order[: args.held_out]), np.sort(order[args.held_out :])
    views = [np.load(args.cache / f"pool{v}.npy") for v in range(VIEWS)]
    sample = torch.from_numpy(views[0][used]).float()
    picture = Head(HeadSpec("mlp", PICTURE_FEATURES, SPACE.dim, hidden=args.hidden, dropout=args.dropout))
    picture.standardize(sample)
    classes = class_features(sample)
    states = np.load(args.cache / "states.npy", mmap_mode="r")
    text = TextTower(states, np.load(args.cache / "lengths.npy"), rank=args.rank, hidden=384, dropout=args.dropout / 2)

    def batches(epoch: int) -> Iterator[Batch]:
        """Each picture in a random view with one of its captions; beside them, classes with one of their prompts."""
        rng = np.random.default_rng((args.seed, epoch))
        shuffled = rng.permutation(used)
        for start in range(0, len(shuffled) - args.batch + 1, args.batch):
            rows = shuffled[start : start + args.batch]
            seen = np.stack([views[v][i] for v, i in zip(rng.integers(VIEWS, size=len(rows)), rows)])
            named = rng.choice(len(classes), CLASSES_PER_BATCH, replace=False)
            prompts = captions.classes[named, rng.integers(captions.classes.shape[1], size=len(named))]
            own = [rng.choice(r[r >= 0]) for r in captions.rights[rows]]
            texts = np.array(list(dict.fromkeys([*own, *prompts])))
            right = np.full((len(rows) + len(named), captions.rights.shape[1]), -1)
            right[: len(rows)], right[len(rows) :, : captions.classes.shape[1]] = (
                captions.rights[rows],
                captions.classes[named],
            )
            positives = (right[:, :, None] == texts).any(1)
            features = torch.cat([torch.from_numpy(seen).float(), classes[named]])
            yield Batch([("image", (features,))], (torch.from_numpy(texts),), torch.from_numpy(positives))

    @torch.no_grad()
    def validate() -> float:
        rights = captions.rights[held]
        rows = np.unique(rights[rights >= 0])
        found = both_ways("image", picture(torch.from_numpy(views[0][held]).float()).numpy(),
                          text(torch.from_numpy(rows)).numpy(), (rights[:, :, None] == rows).any(1))  # fmt: skip
        return float(np.mean([d.mean_recall for d in found.values()]))

    def tell(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.epoch}: loss {epoch.loss:.3f}, held-out recall {epoch.recall:.4f}, {epoch.seconds:.0f} s",
            flush=True,
        )

    settings = FitSettings(epochs=args.epochs, batch_size=args.batch, learning_rate=args.rate, temperature=0.05,
                           weight_decay=args.decay,
                           average=0.9, patience=args.epochs, seed=args.seed)  # fmt: skip
    rates = {"text.net": args.correction_rate}
    result = fit({"image": picture, "text": text}, batches=batches, steps_per_epoch=len(used) // args.batch,
                 settings=settings, validate=validate, rates=rates,
                 checkpoint=args.checkpoint, progress=tell)  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    heads: list[tuple[str, Head, dict[str, Tensor]]] = [
        (PICTURE_FILE, picture, {}),
        (TEXT_FILE, text.head, _minilm.corrections(text.net)),
    ]
    for name, head, extra in heads:
        tensors = {f"head.{key}": value for key, value in head.state_dict().items()} | extra
        save_file({key: value.half().contiguous() for key, value in tensors.items()}, args.out / name)
        (args.out / name).chmod(0o644)  # save_file makes it private
        add_to_manifest(args.out, name, head=head.spec.as_dict())
    print(f"kept epoch {result.best_epoch}; written to {args.out}")


if __name__ == "__main__":
    main()
