"""`vidembed caption` and `vidembed export`: captions of clips, as records and subtitles."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ConfigOption,
    IndexOption,
    ProfileOption,
    SetOption,
    counted,
    err,
    opened,
    out,
    plain,
    progress_bar,
    say_failures,
    step_bar,
)
from vidembed.cli.naming import complete_models
from vidembed.cli.terminal import path_text, wrapped
from vidembed.errors import InputError
from vidembed.types import format_time

if TYPE_CHECKING:
    from vidembed.captions.export import Outputs
    from vidembed.captions.run import CaptionedVideo

_file: Any = partial(typer.Option, rich_help_panel="Output")

OutOption = Annotated[Path | None, _file("--out", "-o", help="JSON Lines, one per clip; appended to. -: printed.")]
SrtOption = Annotated[Path | None, _file("--srt", help="Folder for one .srt per video.")]
VttOption = Annotated[Path | None, _file("--vtt", help="Folder for one .vtt per video, with .chapters.vtt.")]
CsvOption = Annotated[Path | None, _file("--csv", help="One table of all captions.")]
ParquetOption = Annotated[
    Path | None, _file("--parquet", help="The same table as Parquet, with all candidates; needs pyarrow.")
]
OverwriteOption = Annotated[bool, _file("--overwrite", help="Replace tables and subtitles that exist.")]
SidecarOption = Annotated[bool, _file("--sidecar", help="Subtitles beside each video, as VIDEO.captions.srt.")]


def caption(
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders or globs. Default: all.")] = None,
    out_file: OutOption = None,
    srt: SrtOption = None,
    vtt: VttOption = None,
    csv: CsvOption = None,
    parquet: ParquetOption = None,
    sidecar: SidecarOption = False,
    overwrite: OverwriteOption = False,
    model: Annotated[
        str | None, typer.Option(help="The captioner; see `vidembed models`.", autocompletion=complete_models)
    ] = None,
    candidates: Annotated[int | None, typer.Option(help="Candidate captions per clip.", min=1, max=64)] = None,
    prompt: Annotated[str | None, typer.Option(help="For captioners that take one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampling.")] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Correct captions in your editor ($EDITOR).")] = False,
    text: Annotated[
        str | None,
        typer.Option(help="Your caption of one clip: FILE@1:23, a number of the last search, or its id."),
    ] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Replace captions made by models.")] = False,
    rechoose: Annotated[bool, typer.Option("--rechoose", help="Re-rank stored candidates; no model call.")] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Caption videos clip by clip; videos that are not in the index are indexed first.

    A second run continues where the first stopped. Captions are searchable at once.
    """
    if edit or text is not None:
        from vidembed.cli import importing

        if text is None:
            importing.edit(index, videos)
        else:
            importing.write_one(index, videos, text)
        return
    from vidembed.captions.export import Outputs

    with (
        Outputs(out_file, srt=srt, vtt=vtt, csv=csv, parquet=parquet, sidecar=sidecar, overwrite=overwrite) as outputs,
        opened(index, profile=profile, config=config, settings=settings, create=bool(videos)) as open_index,
    ):
        failed = 0
        if videos:
            with progress_bar() as update:
                report = open_index.add(videos, progress=update)
            failed += outputs.failures(report.failed)
            videos = [*report.done, *report.unchanged]
        outputs.expect(path for record in open_index.videos() for path in record.paths)
        with step_bar("clips") as step:
            done = open_index.caption(
                videos, model=model, candidates=candidates, prompt=prompt, seed=seed, redo=redo, rechoose=rechoose,
                progress=step,
            )  # fmt: skip
            failed += _write(done, outputs, to_stdout=not outputs.any)
    if failed:
        raise typer.Exit(3)


def export(
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders or globs. Default: all.")] = None,
    out_file: OutOption = None,
    srt: SrtOption = None,
    vtt: VttOption = None,
    csv: CsvOption = None,
    parquet: ParquetOption = None,
    sidecar: SidecarOption = False,
    clips: Annotated[
        Path | None, _file("--clips", help="All clips with vectors, captions and tags as Parquet, for training.")
    ] = None,
    webdataset: Annotated[
        Path | None, _file("--webdataset", help="The same as WebDataset shards in a folder, with thumbnails.")
    ] = None,
    overwrite: OverwriteOption = False,
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Write the captions stored in an index, or its clips with their vectors; no model call."""
    from vidembed.captions.export import Outputs

    if clips is not None or webdataset is not None:
        with opened(index, readonly=True) as open_index:
            number = open_index.export_clips(videos, parquet=clips, webdataset=webdataset, overwrite=overwrite)
        err().print(counted(number, "clip"))
        if not (out_file or srt or vtt or csv or parquet or sidecar):
            return
    with Outputs(out_file, srt=srt, vtt=vtt, csv=csv, parquet=parquet, sidecar=sidecar, overwrite=overwrite) as outputs:
        if not outputs.any:
            raise InputError(
                "nothing to write",
                hint="name at least one of --out, --srt, --vtt, --csv, --parquet, --sidecar, --clips",
            )
        with opened(index, readonly=True) as open_index:
            outputs.expect(path for record in open_index.videos() for path in record.paths)
            failed = _write(open_index.captioned(videos), outputs, to_stdout=False)
    if failed:
        raise typer.Exit(3)


def _write(videos: Iterable[CaptionedVideo], outputs: Outputs, *, to_stdout: bool) -> int:
    """The number of failures."""
    failed = clips = 0
    for video in videos:
        failures = [*video.failures, *outputs.write(video)]
        clips += len(video.captions)
        failed += len(failures)
        say_failures(failures)
        if to_stdout:
            title = video.summary.title if video.summary else "no caption"
            plain(out(), wrapped(f"{path_text(video.path, beside=1)}: {title}", indent=2))
            for item in video.captions:
                mark = " " if item.confident else "?"
                span = f"{format_time(item.clip.span.start_s):>9} {format_time(item.clip.span.end_s):>9}"
                plain(out(), wrapped(f"  {span} {item.score:4.0%}{mark} {item.text}", indent=29))
    err().print(f"{counted(clips, 'caption')}, {failed} failed")
    if outputs.unsure:
        why = "all their captions are uncertain (--set caption.use_uncertain=true takes them)"
        err().print(f"no subtitles for {counted(outputs.unsure, 'video')}: {why}")
    return failed
