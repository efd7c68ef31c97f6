"""How well a trained alignment retrieves, and writing it as a folder: heads, manifest, model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidembed.align.aligned import CARD, HEADS, MANIFEST, FrozenTower, HeadsManifest, sha256_of
from vidembed.align.features import FeatureCache, MediaLoader, Progress
from vidembed.align.pairs import BadRow, Pair, Pairs, read_pairs
from vidembed.errors import InputError
from vidembed.protocols import Encoder
from vidembed.types import Failure, Modality

if TYPE_CHECKING:
    from vidembed.align.heads import TrainableHead


@dataclass(frozen=True)
class Direction:
    """One way of asking. Recalls are shares of queries (0..1) whose first right answer is among the k best."""

    r1: float
    r5: float
    r10: float
    median_rank: float  # of the first right answer, from 1
    queries: int
    candidates: int

    @property
    def mean_recall(self) -> float:
        """Mean of recall at 1, 5 and 10, in 0..1."""
        return (self.r1 + self.r5 + self.r10) / 3

    def __str__(self) -> str:
        return (
            f"R@1 {self.r1:.3f}  R@5 {self.r5:.3f}  R@10 {self.r10:.3f}  median rank {self.median_rank:g}"
            f"  ({self.queries} queries, {self.candidates} candidates)"
        )


@dataclass(frozen=True)
class EvalReport:
    """Results by direction ("text to image"), and what could not be used."""

    model: str
    directions: Mapping[str, Direction]
    bad_rows: tuple[BadRow, ...] = ()
    failures: tuple[Failure, ...] = field(default=(), repr=False)

    @property
    def mean_recall(self) -> float:
        """Mean recall over all directions, in 0..1."""
        return float(np.mean([d.mean_recall for d in self.directions.values()]))

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"model": self.model, "directions": {name: asdict(d) for name, d in self.directions.items()}}

    def __str__(self) -> str:
        return "\n".join(f"{name:16} {direction}" for name, direction in self.directions.items())


def ranks(scores: NDArray[Any], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(Q,) rank of each query's best right answer, from 1; wrong answers that tie with it count against it.

    scores: (Q, C), higher is better; right: (Q, C), at least one True in each row.
    """
    if scores.shape != right.shape or not right.any(axis=1).all():
        raise ValueError(f"need (Q, C) scores and a right answer for every query, got {scores.shape}, {right.shape}")
    best = np.where(right, scores, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((scores >= best) & ~right).sum(axis=1)


def direction(scores: NDArray[Any], right: NDArray[np.bool_]) -> Direction:
    """Recalls and median rank of (Q, C) scores."""
    found = ranks(scores, right)
    r1, r5, r10 = (float((found <= k).mean()) for k in (1, 5, 10))
    return Direction(r1, r5, r10, float(np.median(found)), *scores.shape)


def both_ways(
    modality: Modality, media: NDArray[Any], texts: NDArray[Any], right: NDArray[np.bool_]
) -> dict[str, Direction]:
    """Text to media and back, from unit rows (M, D), (T, D) and right (M, T)."""
    scores = media @ texts.T
    return {
        f"text to {modality}": direction(scores.T, right.T),
        f"{modality} to text": direction(scores, right),
    }


def unique_texts(items: Sequence[Pair]) -> tuple[list[str], NDArray[np.bool_]]:
    """The different texts of the items, and (M, T) which are right for which: a text of two items is right for both."""
    texts = list(dict.fromkeys(text for item in items for text in item.texts))
    column = {text: i for i, text in enumerate(texts)}
    right = np.zeros((len(items), len(texts)), bool)
    for row, item in enumerate(items):
        right[row, [column[text] for text in item.texts]] = True
    return texts, right


def evaluate(
    model: Encoder,
    pairs: Pairs | Path | str | Sequence[Path | str],
    *,
    load_media: MediaLoader,
    modality: Modality | None = None,
    splits: Sequence[str] | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> EvalReport:
    """Retrieval figures of an encoder on pairs, by modality and direction.

    pairs: `read_pairs`' result or its files. splits: which to use; None takes all the items. cache: a folder to keep
    the vectors in. Files that cannot be decoded are left out and reported.
    Raises InputError when nothing is left.
    """
    known = pairs if isinstance(pairs, Pairs) else read_pairs(pairs, modality=modality)
    items = known.items if splits is None else known.split(*splits)
    store = FeatureCache(cache)
    directions: dict[str, Direction] = {}
    failures: list[Failure] = []
    kinds: tuple[Modality, ...] = ("image", "audio", "video")
    for kind in kinds:
        own = [item for item in items if item.modality == kind]
        if not own:
            continue
        positions, media, failed = store.media(model, kind, own, load_media, progress=progress)
        failures += failed
        if not positions:
            continue
        texts, right = unique_texts([own[i] for i in positions])
        directions |= both_ways(kind, media, store.texts(model, texts, progress=progress), right)
    if not directions:
        what = f" in split {' or '.join(splits)}" if splits is not None else ""
        raise InputError(
            f"no pair to evaluate on{what}" + (f": {failures[0].message}" if failures else ""),
            hint="give the rows a split (train, val, dev, test), or evaluate on all of them",
        )
    return EvalReport(model.space.name, directions, known.bad, tuple(failures))


Precision = Literal["float32", "float16"]


def write_model(
    folder: Path,
    *,
    name: str,
    heads: Mapping[Modality, TrainableHead],
    towers: Mapping[Modality, FrozenTower],
    about: Mapping[str, Any],
) -> Path:
    """Write the model folder: heads.safetensors (float32), align.json, MODEL_CARD.md. Returns the folder."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{m}.{key}": value.contiguous() for m, head in heads.items() for key, value in head.state_dict().items()
    }
    save_file(tensors, folder / HEADS)
    dim = next(iter(heads.values())).spec.out_dim
    manifest = HeadsManifest(name, dim, dict(towers), {HEADS: sha256_of(folder / HEADS)}, about)
    manifest.write(folder)
    (folder / CARD).write_text(card(manifest), encoding="utf-8")
    return folder


def export(
    model: Path | str,
    out: Path | str,
    *,
    name: str | None = None,
    precision: Precision = "float16",
    licence: str | None = None,
    data: str | None = None,
) -> Path:
    """Copy a trained model (a run's folder or its `model`) into `out`, ready to be given away. Returns `out`.

    precision: of the stored heads; float16 halves the file, the heads still run in float32. name, licence and data
    replace what the training wrote into manifest and card. Another precision or name is another space.
    Raises WeightsMissing (no such model), InputError (`out` is not empty).
    """
    import torch
    from safetensors.torch import load_file, save_file

    model, out = Path(model), Path(out)
    if not (model / MANIFEST).is_file() and (model / "model" / MANIFEST).is_file():
        model = model / "model"
    manifest = HeadsManifest.read(model)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} exists and is not empty", hint="choose a new folder")
    out.mkdir(parents=True, exist_ok=True)
    kind = torch.float16 if precision == "float16" else torch.float32
    save_file({k: v.to(kind).contiguous() for k, v in load_file(model / HEADS).items()}, out / HEADS)
    about = dict(manifest.about)
    about |= {key: value for key, value in (("licence", licence), ("data", data)) if value is not None}
    made = replace(manifest, name=name or manifest.name, sha256={HEADS: sha256_of(out / HEADS)}, about=about)
    made.write(out)
    (out / CARD).write_text(card(made), encoding="utf-8")
    return out


def card(manifest: HeadsManifest) -> str:
    """The model card in Markdown, from what the manifest knows."""
    about = manifest.about
    lines = [f"# {manifest.name}", ""]
    lines += [f"Projection heads into one space of {manifest.dim} dimensions, trained with `vidembed align`.", ""]
    lines += ["| modality | base model | base space | head |", "| --- | --- | --- | --- |"]
    for modality, tower in manifest.towers.items():
        lines.append(
            f"| {modality} | {tower.model} | {tower.space.name} ({tower.space.dim}) | {tower.head.get('kind')} |"
        )
    lines += ["", "## Data", "", str(about.get("data") or "Not stated."), ""]
    lines += ["## Licence", "", str(about.get("licence") or "Not stated: that of the data and of the base models."), ""]
    items = about.get("items", {})
    if items:
        lines += ["Items: " + ", ".join(f"{count} {what}" for what, count in items.items()) + ".", ""]
    if about.get("bad_rows"):
        lines += [f"{about['bad_rows']} rows of the pairs files could not be used.", ""]
    held_out = about.get("held_out", {})
    if held_out:
        lines += ["## Figures on held-out items", ""]
        lines += ["| direction | R@1 | R@5 | R@10 | median rank | queries | candidates |", "| --- " * 7 + "|"]
        for what, d in held_out.items():
            recalls = " | ".join(f"{d[k]:.3f}" for k in ("r1", "r5", "r10"))
            lines.append(f"| {what} | {recalls} | {d['median_rank']:g} | {d['queries']} | {d['candidates']} |")
        lines += ["", "The best epoch was chosen on these items; figures on others may be a little lower.", ""]
    settings = about.get("settings")
    if settings:
        lines += ["## Training", "", f"Best epoch {about.get('best_epoch')}. Settings:", "", "```"]
        lines += [f"{key}: {value}" for key, value in settings.items()] + ["```", ""]
    return "\n".join(lines)
