"""Train heads between frozen towers on paired data, and write the result as a model folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidembed.align.aligned import FrozenTower
from vidembed.align.features import FeatureCache, MediaLoader, Progress
from vidembed.align.fit import Batch, Epoch, Fit, FitSettings, fit
from vidembed.align.heads import TrainableHead
from vidembed.align.measuring import Direction, both_ways, unique_texts, write_model
from vidembed.align.pairs import BadRow, Pair, Pairs, read_pairs
from vidembed.errors import ConfigError, InputError
from vidembed.models.heads import HeadKind, HeadSpec
from vidembed.protocols import Encoder
from vidembed.types import Failure, Floats, Modality

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"


@dataclass(frozen=True)
class AlignSettings:
    """What to train. dim: of the new space; low_rank heads keep the size of the towers' space instead."""

    name: str = "aligned"
    dim: int = 256
    head: HeadKind = "mlp"
    text_head: HeadKind | None = None  # None: as `head`, and mlp where that is attention
    hidden: int = 512
    rank: int = 16
    dropout: float = 0.1
    held_out: float = 0.1  # share of the items for early stopping, where the file names no val or dev split
    fit: FitSettings = field(default_factory=FitSettings)
    data: str = ""  # what the pairs are, for the model card
    licence: str = ""  # of the pairs, for the model card

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held_out must be in 0..1, got {self.held_out}")
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name):
            raise ConfigError(f"a model name takes letters, digits, '-', '_' and '.', got {self.name!r}")


@dataclass(frozen=True)
class TrainReport:
    """How a training went. recall figures are of the held-out items; empty where there are none."""

    folder: Path  # of the model: usable by `load`
    epochs: tuple[Epoch, ...]
    best_epoch: int
    held_out: Mapping[str, Direction]
    items: Mapping[str, int]  # "image train" -> how many
    bad_rows: tuple[BadRow, ...]
    failures: tuple[Failure, ...]


@dataclass
class _Side:
    """One modality's items that could be encoded, split in two."""

    modality: Modality
    items: list[Pair]
    features: NDArray[np.float32]
    train: NDArray[np.int64]
    held: NDArray[np.int64]


def train(
    pairs: Pairs | Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    towers: Mapping[Modality, Encoder],
    load_media: MediaLoader,
    settings: AlignSettings | None = None,
    models: Mapping[Modality, str] | None = None,
    cache: Path | None = None,
    resume: bool = True,
    progress: Progress | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> TrainReport:
    """Fit one head per modality so that media and their texts meet in one space.

    Args:
        pairs: The result of `read_pairs`, or its files.
        out: The run's folder; the model itself is `out/model`.
        towers: The frozen encoder of "text" and of each media modality.
        load_media: Opens an item's media, such as `PairLoader`.
        settings: What to train; the default settings where None.
        models: The names the registry knows the towers by (default: their spaces' names), so that the result can be
            loaded again.
        cache: Folder of the features (default: `out/features`).
        resume: Go on from the last epoch of an equal run.
        progress: Called as progress(what, done, of) while features are computed.
        on_epoch: Called after each epoch of training.

    Returns:
        The report, with recall on the held-out items.

    Raises:
        InputError: No usable pair, or too few.
        ConfigError: A modality without a tower, or wrong settings.
        EncodingError: A tower gave features of a wrong shape.
    """
    settings = settings or AlignSettings()
    known = pairs if isinstance(pairs, Pairs) else read_pairs(pairs)
    _check_towers(known, towers)
    text = towers["text"]
    towers = {kind: tower for kind, tower in towers.items() if kind != "text"}
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    store = FeatureCache(cache or out / "features")
    sides, failures = _sides(known, towers, store, load_media, settings, progress)
    texts, rights = _texts(sides)
    text_features = store.texts(text, texts, progress=progress)
    heads = _heads(sides, text_features, settings)
    job = _Job(sides, text_features, rights, heads, settings)
    checkpoint = out / CHECKPOINT
    job_id = _job_id(settings, known, towers, text)
    _forget_other_run(out, job_id, resume)
    with (out / LOG).open("a", encoding="utf-8") as log:

        def tell(epoch: Epoch) -> None:
            log.write(json.dumps(asdict(epoch)) + "\n")
            log.flush()
            if on_epoch is not None:
                on_epoch(epoch)

        result: Fit = fit(
            heads, batches=job.batches, steps_per_epoch=job.steps, settings=settings.fit,
            validate=job.validate if job.has_held_out else None, checkpoint=checkpoint, progress=tell,
        )  # fmt: skip
    held_out = job.directions()
    names = dict(models or {})
    modules: dict[Modality, tuple[str, Encoder, TrainableHead]] = {
        side.modality: (names.get(side.modality, towers[side.modality].space.name), towers[side.modality],
                        heads[side.modality]) for side in sides
    }  # fmt: skip
    modules["text"] = (names.get("text", text.space.name), text, heads["text"])
    counts = {f"{s.modality} {part}": len(n) for s in sides for part, n in (("train", s.train), ("held out", s.held))}
    about = {
        "data": settings.data, "licence": settings.licence, "items": counts, "settings": asdict(settings),
        "best_epoch": result.best_epoch, "held_out": {name: asdict(d) for name, d in held_out.items()},
        "bad_rows": len(known.bad),
    }  # fmt: skip
    folder = write_model(
        out / "model",
        name=settings.name,
        heads={m: head for m, (_, _, head) in modules.items()},
        towers={
            m: FrozenTower(name, encoder.space, head.spec.as_dict()) for m, (name, encoder, head) in modules.items()
        },
        about=about,
    )
    return TrainReport(
        folder, tuple(result.epochs), result.best_epoch, held_out, counts, known.bad, tuple(failures)
    )  # fmt: skip


class _Job:
    """Batches and validation over computed features."""

    def __init__(
        self,
        sides: list[_Side],
        text_features: Floats,
        rights: dict[Modality, list[list[int]]],
        heads: dict[str, TrainableHead],
        settings: AlignSettings,
    ) -> None:
        import torch

        self.sides, self.text_features, self.rights, self.heads = sides, text_features, rights, heads
        self.seed = settings.fit.seed
        self.total = sum(len(side.train) for side in sides)
        self.size = min(settings.fit.batch_size, self.total)
        self.steps = max(1, self.total // self.size)
        self.has_held_out = any(len(side.held) for side in sides)
        self._tensors = {side.modality: torch.from_numpy(side.features) for side in sides}
        self._texts = torch.from_numpy(text_features)
        self._right = _padded(rights)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Items of all modalities in a random order, each with one of its texts."""
        import torch

        rng = np.random.default_rng((self.seed, epoch))
        order = [(s, int(i)) for s, side in enumerate(self.sides) for i in side.train]
        order = [order[i] for i in rng.permutation(len(order))]
        for start in range(0, self.steps * self.size, self.size):
            rows = order[start : start + self.size]
            media, rights, picked = [], [], []
            for s, side in enumerate(self.sides):
                own = [i for which, i in rows if which == s]
                if own:
                    picked += [int(rng.choice(self.rights[side.modality][i])) for i in own]
                    rights.append(self._right[side.modality][own])
                    media.append((side.modality, (self._tensors[side.modality][own],)))
            texts = list(dict.fromkeys(picked))  # a text stands once in a batch, right for all its items
            positives = (np.concatenate(rights)[:, :, None] == np.array(texts)).any(1)
            yield Batch(media, (self._texts[texts],), torch.from_numpy(positives))

    def directions(self) -> dict[str, Direction]:
        out: dict[str, Direction] = {}
        for side in self.sides:
            if not len(side.held):
                continue
            texts, right = unique_texts([side.items[i] for i in side.held])
            index = {t: i for i, t in enumerate(self._order)}
            media = self.heads[side.modality].learnt()(side.features[side.held])
            said = self.heads["text"].learnt()(self._of(texts, index))
            out |= both_ways(side.modality, media, said, right)
        return out

    def validate(self) -> float:
        return float(np.mean([d.mean_recall for d in self.directions().values()]))

    def _of(self, texts: list[str], index: dict[str, int]) -> Floats:
        return self.text_features[[index[t] for t in texts]]

    @property
    def _order(self) -> list[str]:
        return _texts(self.sides)[0]


def _texts(sides: list[_Side]) -> tuple[list[str], dict[Modality, list[list[int]]]]:
    """All different texts, and for each item of each modality the numbers of its own."""
    texts = list(dict.fromkeys(t for side in sides for item in side.items for t in item.texts))
    number = {t: i for i, t in enumerate(texts)}
    return texts, {side.modality: [[number[t] for t in item.texts] for item in side.items] for side in sides}


def _padded(rights: Mapping[Modality, list[list[int]]]) -> dict[Modality, NDArray[np.int64]]:
    """(N, K) text numbers per modality, rows filled up with -1."""
    longest = max(len(numbers) for rows in rights.values() for numbers in rows)
    return {
        modality: np.array([numbers + [-1] * (longest - len(numbers)) for numbers in rows], np.int64)
        for modality, rows in rights.items()
    }


def _check_towers(known: Pairs, towers: Mapping[Modality, Encoder]) -> None:
    for kind in dict.fromkeys(["text", *(item.modality for item in known.items)]):
        if kind not in towers:
            raise ConfigError(f"the pairs hold {kind} items, but there is no {kind} tower; given: {sorted(towers)}")
        if kind not in towers[kind].modalities:
            raise ConfigError(
                f"{towers[kind].space.name} does not encode {kind}; it knows {sorted(towers[kind].modalities)}"
            )


def _sides(
    known: Pairs, towers: Mapping[Modality, Encoder], store: FeatureCache, load: MediaLoader, settings: AlignSettings,
    progress: Progress | None,
) -> tuple[list[_Side], list[Failure]]:  # fmt: skip
    sides: list[_Side] = []
    failures: list[Failure] = []
    usable = [item for item in known.items if item.split != "test"]  # test items are for `evaluate` alone
    for kind in towers:
        own = [item for item in usable if item.modality == kind]
        if not own:
            continue
        tokens = settings.head == "attention"
        positions, features, failed = store.media(towers[kind], kind, own, load, tokens=tokens, progress=progress)
        failures += failed
        items = [own[i] for i in positions]
        held = _held_out(items, settings)
        if items:
            sides.append(_Side(kind, items, features, np.flatnonzero(~held), np.flatnonzero(held)))
    if sum(len(side.train) for side in sides) < 2:
        why = f": {failures[0].item}: {failures[0].message}" if failures else ""
        raise InputError(f"fewer than two usable items to train on{why}", hint="more pairs, or a smaller held_out")
    return sides, failures


def _held_out(items: Sequence[Pair], settings: AlignSettings) -> NDArray[np.bool_]:
    """The file's own val or dev items; where it names none, a share of the media files, whole files only."""
    named = np.array([item.split in ("val", "dev") for item in items], bool)
    if named.any() or not settings.held_out:
        return named
    files = sorted({str(item.path) for item in items})
    chosen = np.random.default_rng(settings.fit.seed).permutation(len(files))[: int(len(files) * settings.held_out)]
    held = {files[i] for i in chosen}
    return np.array([str(item.path) in held for item in items], bool)


def _heads(sides: list[_Side], text_features: Floats, settings: AlignSettings) -> dict[str, TrainableHead]:
    import torch

    torch.manual_seed(settings.fit.seed)
    text_kind = settings.text_head or ("mlp" if settings.head == "attention" else settings.head)
    dim = text_features.shape[1] if "low_rank" in (settings.head, text_kind) else settings.dim
    heads: dict[str, TrainableHead] = {}
    wanted: list[tuple[str, HeadKind, Floats]] = [(s.modality, settings.head, s.features[s.train]) for s in sides]
    for name, kind, features in [*wanted, ("text", text_kind, text_features)]:
        spec = HeadSpec(kind, features.shape[-1], dim, settings.hidden, settings.rank, dropout=settings.dropout)
        heads[name] = TrainableHead(spec)
        heads[name].standardize(torch.from_numpy(features))
    return heads


def _job_id(settings: AlignSettings, known: Pairs, towers: Mapping[Modality, Encoder], text: Encoder) -> str:
    """Equal for equal jobs: a checkpoint is taken up only by the run that it belongs to."""
    # More epochs is another job too: the rate's cosine runs over all of them.
    parts = [repr(settings), text.space.name, *(f"{m}={e.space.name}" for m, e in sorted(towers.items()))]
    parts += [repr(replace(item, line=0)) for item in known.items]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _forget_other_run(out: Path, job_id: str, resume: bool) -> None:
    marker = out / "job.txt"
    if not resume or not marker.is_file() or marker.read_text(encoding="utf-8") != job_id:
        (out / CHECKPOINT).unlink(missing_ok=True)
        (out / LOG).unlink(missing_ok=True)
    marker.write_text(job_id, encoding="utf-8")
