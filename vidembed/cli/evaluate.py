"""`vidembed evaluate`: how well an index answers your queries or a benchmark, and how good its captions are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ChannelsOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    SetOption,
    err,
    opened,
    out,
    parse_names,
    plain,
    print_json,
    progress_bar,
)
from vidembed.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from vidembed.evaluation import DataSet
    from vidembed.evaluation.report import Report
    from vidembed.index.video_index import VideoIndex


class _FileOrCommand(typer.core.TyperGroup):
    """`evaluate FILE` is `evaluate run FILE`."""

    def parse_args(
        self,
        ctx: typer.Context,  # type: ignore[override]
        args: list[str],
    ) -> list[str]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_FileOrCommand, no_args_is_help=True, help="Evaluate retrieval, moments and captions.")

FileArgument = Annotated[Path, typer.Argument(help="queries.jsonl, or the annotation file of a benchmark.")]
KindOption = Annotated[str, typer.Option(help="Format of the file: queries, or a benchmark (msrvtt, qvhighlights...).")]
MediaOption = Annotated[Path | None, typer.Option(help="Folder of the media. Default: the file's own.")]
SplitOption = Annotated[str | None, typer.Option(help="Split or protocol of the benchmark.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Refuse a benchmark's file with broken rows, instead of leaving them out.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Save the report as JSON.", rich_help_panel="Output")]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", help="Save a page with plots and the worst queries.", rich_help_panel="Output"),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace --out and --html if they exist.", rich_help_panel="Output")
]
AgainstOption = Annotated[
    Path | None,
    typer.Option(help="Earlier report (JSON) to compare with, query by query.", rich_help_panel="Output"),
]


@app.command("run")
def run(
    queries: FileArgument,
    kind: KindOption = "queries",
    media: MediaOption = None,
    split: SplitOption = None,
    strict: StrictOption = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
    channels: ChannelsOption = None,
    save: OutOption = None,
    html: HtmlOption = None,
    overwrite: OverwriteOption = False,
    against: AgainstOption = None,
    json: JsonOption = False,
) -> None:
    """Run the queries of a file and report how well the index answers. Short: `vidembed evaluate FILE`.

    Pictures (coco, flickr8k, flickr30k) need not be in the index: the model of its first channel that can ranks them.
    """
    from vidembed.evaluation.directions import of_pictures
    from vidembed.evaluation.run import evaluate, evaluate_pictures

    _check_new(save, html, overwrite=overwrite)

    with opened(index, settings=settings, readonly=True) as open_index:
        dataset = _dataset(queries, kind, media, split, open_index, strict=strict)
        asked, searcher = parse_names(channels), open_index.parts.searcher
        if dataset.task == "pictures":
            report = evaluate_pictures(open_index, dataset, of_pictures(searcher, dataset, asked))
        else:
            report = evaluate(open_index, dataset, channels=asked, vectors=searcher)
        _finish(report, open_index, save, html, against, as_json=json)


@app.command("builtin")
def builtin(
    work: Annotated[Path, typer.Option(help="Folder for the videos and their index.")] = Path("builtin-benchmark"),
    profile: ProfileOption = None,
    settings: SetOption = None,
    save: OutOption = None,
    html: HtmlOption = None,
    overwrite: OverwriteOption = False,
    against: AgainstOption = None,
    json: JsonOption = False,
) -> None:
    """Evaluate on long videos made of generated media and media from pip packages; no downloads."""
    from vidembed.evaluation.builtin import answerable, build, channels_to_fill
    from vidembed.evaluation.run import evaluate

    _check_new(save, html, overwrite=overwrite)
    dataset = build(work / "videos")
    with opened(work / "index", profile=profile, settings=settings, create=True) as open_index:
        with progress_bar() as update:
            wanted = channels_to_fill(open_index.config.channels)
            open_index.add(work / "videos", channels=wanted, progress=update)
        report = evaluate(open_index, answerable(dataset, list(open_index.parts.specs)))
        _finish(report, open_index, save, html, against, as_json=json)


@app.command("calibrate")
def calibrate(
    queries: Annotated[Path | None, typer.Argument(help="queries.jsonl; left out with --reset.")] = None,
    media: MediaOption = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
    channels: ChannelsOption = None,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the shipped curves.")] = False,
    json: JsonOption = False,
) -> None:
    """Fit the curves of confidence to your own queries, with and without answers, and save them with the index."""
    from vidembed.evaluation.calibrating import calibrate_index, calibration_card
    from vidembed.search.confidence import reset_curves

    if reset == (queries is not None):
        raise InputError("give a file of queries, or --reset", hint="vidembed evaluate calibrate queries.jsonl")
    if queries is None:
        with opened(index, settings=settings, readonly=True) as open_index:
            own = reset_curves(open_index.path)
        plain(err(), "own curves removed: the shipped ones hold" if own else "there were no own curves")
        return
    with opened(index, settings=settings, readonly=True) as open_index:
        dataset = _dataset(queries, "queries", media, None, open_index)
        found = calibrate_index(open_index, dataset, channels=parse_names(channels))
    if json:
        print_json(calibration_card(found))
        return
    for kind, one in found.items():
        plain(
            out(),
            f"{kind}: slope {one.curve.slope}, offset {one.curve.offset}, on {one.answers} first answers: calibration "
            f"error {one.before:.3f} before, {one.after:.3f} after, each half by the curve of the other",
        )
        if not one.helps:
            plain(err(), f"{kind}: no better for answers it was not fitted to: add queries, or take it back (--reset)")
    plain(err(), "saved with the index; searches opened from now on use it. --reset takes it back")


@app.command("captions")
def captions(
    references: Annotated[Path, typer.Argument(help='JSON lines: {"video": ..., "captions": [...]}.')],
    media: MediaOption = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    json: JsonOption = False,
) -> None:
    """Compare the captions of an index with human ones (BLEU, ROUGE-L, CIDEr-D) and with the clips (CLIPScore)."""
    from vidembed.evaluation.captions import caption_views, evaluate_captions, read_references

    dataset = read_references(references, media)
    with opened(index, readonly=True) as open_index:
        report = evaluate_captions(open_index, dataset, caption_views(open_index.parts))
    if json:
        print_json(report)
        return
    out().print(_figures_table({"captions": report["figures"]}))
    _say_missing(report["missing"])


@app.command("sweep")
def sweep(
    queries: FileArgument,
    values: Annotated[
        list[str], typer.Option("--try", help="Setting and values, such as search.fusion=rrf,evidence; repeatable.")
    ],
    kind: KindOption = "queries",
    media: MediaOption = None,
    split: SplitOption = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    channels: ChannelsOption = None,
    json: JsonOption = False,
) -> None:
    """Evaluate every combination of settings on the stored vectors, without encoding again."""
    from vidembed.evaluation.sweep import grid, sweep_settings

    combinations = grid(values)
    with opened(index, readonly=True) as open_index:
        dataset = _dataset(queries, kind, media, split, open_index)
        for setting, report in sweep_settings(open_index, dataset, combinations, channels=parse_names(channels)):
            figures = report.figures.get("all", {})
            if json:
                print_json({"settings": setting, "figures": _finite(figures), "no_answer": report.no_answer})
                continue
            shown = ", ".join(f"{key}={value}" for key, value in setting.items())
            names = [n for n in ("R@1", "R@5", "MRR", "R@1,IoU=0.5", "R@5,IoU=0.5", "mIoU") if n in figures]
            plain(out(), f"{shown}: " + "  ".join(f"{name} {figures[name]:.3f}" for name in names))


def _dataset(
    file: Path, kind: str, media: Path | None, split: str | None, index: VideoIndex, *, strict: bool = False
) -> DataSet:
    from vidembed.evaluation import READERS, read_dataset, read_queries

    if kind == "queries":
        if split is not None:
            raise InputError("your own queries have no splits", hint="omit --split, or name the benchmark with --kind")
        known = [name for record in index.videos() for name in (record.info.video_id, *map(str, record.paths))]
        return read_queries(file, media, known=known)
    if kind not in READERS:
        raise InputError(f"unknown kind {kind!r}; allowed: queries, {', '.join(READERS)}")
    return read_dataset(kind, file, media or file.parent, split=split, strict=strict)


def _check_new(*files: Path | None, overwrite: bool) -> None:
    from vidembed.files import refuse_existing

    for file in files:
        refuse_existing(file, overwrite=overwrite)


def _finish(
    report: Report, index: VideoIndex, save: Path | None, html: Path | None, against: Path | None, *, as_json: bool
) -> None:
    from vidembed.evaluation.report import compare_reports, read_report
    from vidembed.files import write_text

    if save is not None:
        write_text(save, report.to_json() + "\n")
    if html is not None:
        from vidembed.evaluation.report_html import page

        write_text(html, page(report, thumbnail=index.thumbnail))
    if as_json:
        typer.echo(report.to_json())
    else:
        _show(report)
    if against is not None:
        for name, found in compare_reports(read_report(against), report).items():
            err().print(
                f"{name} against {against.name}: {found.difference} p {found.p:.3f}, better on {found.better}, worse "
                f"on {found.worse}, same on {found.same}",
                markup=False,
            )


def _show(report: Report) -> None:
    plain(out(), f"{report.name}: {report.protocol}")
    plain(out(), ", ".join(f"{name} {count}" for name, count in report.counts.items()))
    out().print(_figures_table(report.figures))
    for group, metrics in report.intervals.items():
        shown = "  ".join(f"{name} {v:.3f} [{low:.3f}, {high:.3f}]" for name, (v, low, high) in metrics.items())
        plain(out(), f"{group}, 95% interval: {shown}")
    if report.no_answer:
        parts = (f"{name} {v:.3f}" if "ROC" in name else f"{v:.0f} {name}" for name, v in report.no_answer.items())
        plain(out(), "match or no match: " + ", ".join(parts))
    if report.trust:
        believed = (f"{name} {value:.3f}" for name, value in report.trust.items() if value == value)
        plain(out(), "confidence: " + ", ".join(believed))
        out().print(_reliability_table(report.reliability))
    plain(out(), ", ".join(f"{name} {value}" for name, value in report.timings.items()))
    models = (f"{channel} = {facts['model']} ({facts['revision']})" for channel, facts in report.models.items())
    plain(out(), "; ".join(models))
    _say_missing(report.missing)
    for row in report.broken[:10]:
        plain(err(), f"left out: {row}")
    if len(report.broken) > 10:
        plain(err(), f"and {len(report.broken) - 10} more broken rows; --out FILE lists them all")


def _say_missing(missing: Any) -> None:
    if missing:
        err().print(f"[yellow]{len(missing)} media are not in the index[/]: {', '.join(list(missing)[:10])}")


def _figures_table(figures: Any) -> Table:
    from rich.table import Table

    table = Table("", *figures)
    for metric in dict.fromkeys(name for group in figures.values() for name in group):
        cells = [group.get(metric) for group in figures.values()]
        table.add_row(
            metric, *("" if c is None else f"{c:.0f}" if float(c).is_integer() else f"{c:.3f}" for c in cells)
        )
    return table


def _reliability_table(bins: Sequence[Mapping[str, float]]) -> Table:
    """The reliability diagram as a table: in each bin, the answers, how sure they were, and how many were right."""
    from rich.table import Table

    table = Table("confidence", "answers", "mean", "right", "95%")
    for one in bins:
        bounds = f"{one['right_low']:.2f} to {one['right_high']:.2f}"
        table.add_row(
            f"{one['low']:.1f} to {one['high']:.1f}", f"{one['count']:.0f}", f"{one['confidence']:.2f}",
            f"{one['right']:.2f}", bounds,
        )  # fmt: skip
    return table


def _finite(figures: Any) -> dict[str, float | None]:
    return {name: value if abs(value) < 1e300 else None for name, value in figures.items()}
