"""`vidembed align`: train projection heads on frozen encoders with your own pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vidembed.cli.common import JsonOption, err, out, plain, print_json, step_bar
from vidembed.errors import InputError

if TYPE_CHECKING:
    from vidembed.align import BadRow, Epoch
    from vidembed.types import Failure, Modality

app = typer.Typer(help="Adapt a model to your own pairs of media and text.", no_args_is_help=True)

PairsArgument = Annotated[list[Path], typer.Argument(help="CSV or JSON Lines with media and text; see docs/align.md.")]
ModalityOption = Annotated[str | None, typer.Option(help="Modality of rows that name none: image, audio or video.")]


@app.command("train")
def train(
    pairs: PairsArgument,
    out_folder: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the model is OUT/model.")],
    model: Annotated[str, typer.Option(help="Encoder of all modalities; see `vidembed models`.")] = "starter",
    text_model: Annotated[str | None, typer.Option(help="Text encoder, if it is another model.")] = None,
    name: Annotated[str, typer.Option(help="Name of the new space.")] = "aligned",
    modality: ModalityOption = None,
    head: Annotated[str, typer.Option(help="linear, mlp, low_rank or attention.")] = "mlp",
    dim: Annotated[int, typer.Option(help="Dimensions of the new space.", min=8, max=4096)] = 256,
    loss: Annotated[str, typer.Option(help="info_nce (CLIP) or sigmoid (SigLIP).")] = "info_nce",
    epochs: Annotated[int, typer.Option(min=1)] = 30,
    batch_size: Annotated[int, typer.Option(min=2)] = 512,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1.0)] = 1e-3,
    held_out: Annotated[float, typer.Option(help="Share held out for early stopping, if rows name no split.")] = 0.1,
    seed: Annotated[int, typer.Option()] = 0,
    data: Annotated[str, typer.Option(help="Description of the data, for the model card.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the data, for the model card.")] = "",
    restart: Annotated[bool, typer.Option("--restart", help="Start again instead of resuming.")] = False,
    device: Annotated[str, typer.Option()] = "auto",
    json: JsonOption = False,
) -> None:
    """Train heads. Use the result like any model: `--set channels.vision.model=OUT/model`."""
    from vidembed import align
    from vidembed.align.pairs import PairLoader
    from vidembed.config.load import load_config
    from vidembed.models import registry

    known = align.read_pairs(pairs, modality=_modality(modality))
    kinds = sorted({item.modality for item in known.items})
    tower = registry.load_encoder(model, device=device)
    text = tower if text_model is None else registry.load_encoder(text_model, device=device)
    settings = align.AlignSettings(
        name=name,
        dim=dim,
        head=cast("Any", head),
        held_out=held_out,
        data=data,
        licence=licence,
        fit=align.FitSettings(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, loss=cast("Any", loss), seed=seed
        ),
    )
    with step_bar("items") as progress:
        report = align.train(
            known,
            out=out_folder,
            towers={**dict.fromkeys(kinds, cast("Any", tower)), "text": cast("Any", text)},
            load_media=PairLoader(load_config()),
            settings=settings,
            models={**dict.fromkeys(kinds, model), "text": text_model or model},
            resume=not restart,
            progress=progress,
            on_epoch=lambda epoch: plain(err(), _epoch(epoch)),
        )
    _bad(report.bad_rows, report.failures)
    figures = {name: str(direction) for name, direction in report.held_out.items()}
    if json:
        print_json({"model": str(report.folder), "best_epoch": report.best_epoch, "held_out": figures})
    else:
        for name, line in figures.items():
            plain(out(), f"{name:16} {line}")
        plain(out(), f"model: {report.folder}")
    if report.bad_rows or report.failures:
        raise typer.Exit(3)


@app.command("evaluate")
def evaluate(
    pairs: PairsArgument,
    model: Annotated[str, typer.Option(help="Name of a model, or folder of a trained one.")] = "starter",
    split: Annotated[list[str] | None, typer.Option(help="Only rows of this split; repeatable.")] = None,
    modality: ModalityOption = None,
    device: Annotated[str, typer.Option()] = "auto",
    json: JsonOption = False,
) -> None:
    """Evaluate retrieval of a model on pairs, in both directions."""
    from dataclasses import asdict

    from vidembed import align
    from vidembed.align.pairs import PairLoader
    from vidembed.config.load import load_config
    from vidembed.models import registry

    encoder = cast("Any", registry.load_encoder(model, device=device))
    with step_bar("items") as progress:
        report = align.evaluate(
            encoder,
            pairs,
            load_media=PairLoader(load_config()),
            modality=_modality(modality),
            splits=split,
            progress=progress,
        )
    _bad(report.bad_rows, report.failures)
    if json:
        print_json({"model": report.model, **{name: asdict(d) for name, d in report.directions.items()}})
    else:
        for name, direction in report.directions.items():
            plain(out(), f"{name:16} {direction}")
    if report.bad_rows or report.failures:
        raise typer.Exit(3)


@app.command("export")
def export(
    model: Annotated[Path, typer.Argument(help="Folder of a run or of its model.")],
    out_folder: Annotated[Path, typer.Argument(metavar="OUT", help="New folder, ready to share.")],
    name: Annotated[str | None, typer.Option(help="New name of the space.")] = None,
    precision: Annotated[str, typer.Option(help="float16 or float32.")] = "float16",
    licence: Annotated[str | None, typer.Option(help="Override it in the model card.")] = None,
    data: Annotated[str | None, typer.Option(help="Override it in the model card.")] = None,
) -> None:
    """Copy a trained model, with its card, in half precision."""
    from vidembed import align

    if precision not in ("float16", "float32"):
        raise InputError(f"--precision takes float16 or float32, got {precision!r}")
    folder = align.export(model, out_folder, name=name, precision=cast("Any", precision), licence=licence, data=data)
    plain(err(), f"wrote {folder}")


def _modality(text: str | None) -> Modality | None:
    if text not in (None, "image", "audio", "video"):
        raise InputError(f"--modality takes image, audio or video, got {text!r}")
    return cast("Modality | None", text)


def _epoch(epoch: Epoch) -> str:
    recall = "" if epoch.recall is None else f", held-out recall {epoch.recall:.4f}"
    return f"epoch {epoch.epoch}: loss {epoch.loss:.3f}{recall}"


def _bad(rows: tuple[BadRow, ...], failures: tuple[Failure, ...]) -> None:
    for row in rows:
        plain(err(), f"skipped {row}")
    for failure in failures:
        plain(err(), f"skipped {failure.item}: {failure.message}")
