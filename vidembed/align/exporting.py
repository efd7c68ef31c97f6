"""Write a trained alignment as a folder that anybody can load: heads, manifest, model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidembed.align.aligned import CARD, HEADS, MANIFEST, Manifest, Tower, sha256_of
from vidembed.errors import InputError
from vidembed.types import Modality

if TYPE_CHECKING:
    from vidembed.align.heads import TrainableHead

Precision = Literal["float32", "float16"]


def write_model(
    folder: Path,
    *,
    name: str,
    heads: Mapping[Modality, TrainableHead],
    towers: Mapping[Modality, Tower],
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
    manifest = Manifest(name, dim, dict(towers), {HEADS: sha256_of(folder / HEADS)}, about)
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
    Raises WeightsMissing (no such model), InputError (`out` holds something else).
    """
    import torch
    from safetensors.torch import load_file, save_file

    model, out = Path(model), Path(out)
    if not (model / MANIFEST).is_file() and (model / "model" / MANIFEST).is_file():
        model = model / "model"
    manifest = Manifest.read(model)
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise InputError(f"{out} is not empty and holds no align model", hint="choose a new folder")
    out.mkdir(parents=True, exist_ok=True)
    kind = torch.float16 if precision == "float16" else torch.float32
    save_file({k: v.to(kind).contiguous() for k, v in load_file(model / HEADS).items()}, out / HEADS)
    about = dict(manifest.about)
    about |= {key: value for key, value in (("licence", licence), ("data", data)) if value is not None}
    made = replace(manifest, name=name or manifest.name, sha256={HEADS: sha256_of(out / HEADS)}, about=about)
    made.write(out)
    (out / CARD).write_text(card(made), encoding="utf-8")
    return out


def card(manifest: Manifest) -> str:
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
