"""`vidembed align`: fit projection heads between frozen towers on your own pairs, and use them as a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vidembed.cli.common import JsonOption, err, out, print_json
from vidembed.errors import InputError

if TYPE_CHECKING:
    from vidembed.align import BadRow, Epoch
    from vidembed.types import Failure, Modality

app = typer.Typer(help="Adapt the space to your own pairs of media and text.", no_args_is_help=True)

PairsArgument = Annotated[list[Path], typer.Argument(help="CSV or JSON Lines with media and text; see docs/align.md.")]
ModalityOption = Annotated[str | None, typer.Option(help="Of rows that name none: image, audio or video.")]


@app.command("train")
def train(
    pairs: PairsArgument,
    out_folder: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the model is OUT/model.")],
    model: Annotated[str, typer.Option(help="Towers of all modalities; see `vidembed models`.")] = "starter",
    text_model: Annotated[str | None, typer.Option(help="Text tower, where it is another one.")] = None,
    name: Annotated[str, typer.Option(help="Name of the new space.")] = "aligned",
    modality: ModalityOption = None,
    head: Annotated[str, typer.Option(help="linear, mlp, low_rank or attention.")] = "mlp",
    dim: Annotated[int, typer.Option(help="Of the new space.", min=8, max=4096)] = 256,
    loss: Annotated[str, typer.Option(help="info_nce (CLIP) or sigmoid (SigLIP).")] = "info_nce",
    epochs: Annotated[int, typer.Option(min=1)] = 30,
    batch_size: Annotated[int, typer.Option(min=2)] = 512,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1.0)] = 1e-3,
    held_out: Annotated[float, typer.Option(help="Share for early stopping where rows name no split.")] = 0.1,
    seed: Annotated[int, typer.Option()] = 0,
    data: Annotated[str, typer.Option(help="What the data is, for the model card.")] = "",
    licence: Annotated[str, typer.Option(help="The data's licence, for the model card.")] = "",
    restart: Annotated[bool, typer.Option("--restart", help="Do not go on from an earlier run.")] = False,
    device: Annotated[str, typer.Option()] = "auto",
    json: JsonOption = False,
) -> None:
    """Train heads; the result is used like any model: `--set channels.vision.model=OUT/model`."""
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
        fit=align.FitSettings(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, loss=cast("Any", loss), seed=seed
        ),
    )
    with _bar() as progress:
        report = align.train(
            known,
            out=out_folder,
            towers={kind: cast("Any", tower) for kind in kinds},
            text=cast("Any", text),
            load_media=PairLoader(load_config()),
            settings=settings,
            models={**dict.fromkeys(kinds, model), "text": text_model or model},
            data=data,
            licence=licence,
            resume=not restart,
            progress=progress,
            on_epoch=lambda epoch: err().print(_epoch(epoch), markup=False),
        )
    _bad(report.bad_rows, report.failures)
    figures = {name: str(direction) for name, direction in report.held_out.items()}
    if json:
        print_json({"model": str(report.folder), "best_epoch": report.best_epoch, "held_out": figures})
    else:
        for name, line in figures.items():
            out().print(f"{name:16} {line}", markup=False)
        out().print(f"model: {report.folder}", markup=False, soft_wrap=True)
    if report.bad_rows or report.failures:
        raise typer.Exit(3)


@app.command("evaluate")
def evaluate(
    pairs: PairsArgument,
    model: Annotated[str, typer.Option(help="A name, or the folder of a trained model.")] = "starter",
    split: Annotated[list[str] | None, typer.Option(help="Only rows of this split; may be repeated.")] = None,
    modality: ModalityOption = None,
    device: Annotated[str, typer.Option()] = "auto",
    json: JsonOption = False,
) -> None:
    """Retrieval figures of a model on pairs, both directions."""
    from dataclasses import asdict

    from vidembed import align
    from vidembed.align.pairs import PairLoader
    from vidembed.config.load import load_config
    from vidembed.models import registry

    encoder = cast("Any", registry.load_encoder(model, device=device))
    with _bar() as progress:
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
            out().print(f"{name:16} {direction}", markup=False)
    if report.bad_rows or report.failures:
        raise typer.Exit(3)


@app.command("export")
def export(
    model: Annotated[Path, typer.Argument(help="A run's folder or its model.")],
    out_folder: Annotated[Path, typer.Argument(metavar="OUT", help="New folder, ready to be given away.")],
    name: Annotated[str | None, typer.Option(help="Another name of the space.")] = None,
    precision: Annotated[str, typer.Option(help="float16 or float32.")] = "float16",
    licence: Annotated[str | None, typer.Option(help="For the model card.")] = None,
    data: Annotated[str | None, typer.Option(help="For the model card.")] = None,
) -> None:
    """Copy a trained model, with its card, in half precision."""
    from vidembed import align

    if precision not in ("float16", "float32"):
        raise InputError(f"--precision takes float16 or float32, got {precision!r}")
    folder = align.export(model, out_folder, name=name, precision=cast("Any", precision), licence=licence, data=data)
    err().print(f"wrote {folder}", markup=False)


def _modality(text: str | None) -> Modality | None:
    if text not in (None, "image", "audio", "video"):
        raise InputError(f"--modality takes image, audio or video, got {text!r}")
    return cast("Modality | None", text)


def _epoch(epoch: Epoch) -> str:
    recall = "" if epoch.recall is None else f", held-out recall {epoch.recall:.4f}"
    return f"epoch {epoch.epoch}: loss {epoch.loss:.3f}{recall}"


def _bad(rows: tuple[BadRow, ...], failures: tuple[Failure, ...]) -> None:
    console = err()
    for row in rows:
        console.print(f"left out {row}", markup=False, soft_wrap=True)
    for failure in failures:
        console.print(f"left out {failure.item}: {failure.message}", markup=False, soft_wrap=True)


@contextmanager
def _bar() -> Iterator[Any]:
    """A bar for the features on a terminal, silence elsewhere."""
    console = err()
    if not console.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        yield update
