"""`vidembed caption` and `vidembed export`: sentences for clips, as records and subtitles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ConfigOption,
    IndexOption,
    ProfileOption,
    SetOption,
    caption_bar,
    err,
    opened,
    out,
    progress_bar,
)
from vidembed.errors import InputError
from vidembed.types import format_time

if TYPE_CHECKING:
    from vidembed.captions.captioning import CaptionedVideo
    from vidembed.captions.export import Outputs

OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="JSON Lines, one record a clip, appended to.")]
SrtOption = Annotated[Path | None, typer.Option("--srt", help="Folder for one .srt a video.")]
VttOption = Annotated[Path | None, typer.Option("--vtt", help="Folder for one .vtt a video, with .chapters.vtt.")]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="One table of all captions.")]
ParquetOption = Annotated[
    Path | None, typer.Option("--parquet", help="The same table as Parquet, with all candidates; needs pyarrow.")
]
SidecarOption = Annotated[bool, typer.Option("--sidecar", help="Subtitles beside each video, as VIDEO.captions.srt.")]


def caption(
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders, globs. None: the whole index.")] = None,
    out_file: OutOption = None,
    srt: SrtOption = None,
    vtt: VttOption = None,
    csv: CsvOption = None,
    parquet: ParquetOption = None,
    sidecar: SidecarOption = False,
    model: Annotated[str | None, typer.Option(help="Who proposes; see `vidembed models`.")] = None,
    candidates: Annotated[int | None, typer.Option(help="Proposals a clip.", min=1, max=64)] = None,
    prompt: Annotated[str | None, typer.Option(help="For models that take one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes what is sampled.")] = None,
    redo: Annotated[bool, typer.Option("--redo", help="Caption anew what is captioned.")] = False,
    rechoose: Annotated[
        bool, typer.Option("--rechoose", help="Ask no captioner; choose anew among the proposals that are kept.")
    ] = False,
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> None:
    """Caption videos clip by clip; what is not in the index yet is indexed first.

    Running it again goes on where it stopped. Captions are searchable at once.
    """
    from vidembed.captions.export import Outputs

    with (
        Outputs(out_file, srt=srt, vtt=vtt, csv=csv, parquet=parquet, sidecar=sidecar) as outputs,
        opened(index, profile=profile, config=config, settings=settings, create=bool(videos)) as open_index,
    ):
        failed = 0
        if videos:
            with progress_bar() as update:
                report = open_index.add(videos, progress=update)
            failed += outputs.failures(report.failed)
            videos = [*report.done, *report.unchanged]
        with caption_bar() as step:
            done = open_index.caption(
                videos, model=model, candidates=candidates, prompt=prompt, seed=seed, redo=redo, rechoose=rechoose,
                progress=step,
            )  # fmt: skip
            failed += _write(done, outputs, to_stdout=not outputs.any)
    if failed:
        raise typer.Exit(3)


def export(
    videos: Annotated[list[str] | None, typer.Argument(help="Videos, folders or globs. None: all.")] = None,
    out_file: OutOption = None,
    srt: SrtOption = None,
    vtt: VttOption = None,
    csv: CsvOption = None,
    parquet: ParquetOption = None,
    sidecar: SidecarOption = False,
    index: IndexOption = Path(DEFAULT_INDEX),
) -> None:
    """Write the captions that an index holds; nothing is captioned."""
    from vidembed.captions.export import Outputs

    with Outputs(out_file, srt=srt, vtt=vtt, csv=csv, parquet=parquet, sidecar=sidecar) as outputs:
        if not outputs.any:
            raise InputError(
                "nothing to write", hint="name at least one of --out, --srt, --vtt, --csv, --parquet, --sidecar"
            )
        with opened(index, readonly=True) as open_index:
            _write(open_index.captioned(videos), outputs, to_stdout=False)


def _write(videos: Iterable[CaptionedVideo], outputs: Outputs, *, to_stdout: bool) -> int:
    """How many failures there were."""
    failed = clips = 0
    for video in videos:
        outputs.write(video)
        clips += len(video.captions)
        failed += len(video.failures)
        for failure in video.failures:
            err().print(f"failed {failure.item} ({failure.stage}): {failure.message}", markup=False, soft_wrap=True)
        if to_stdout:
            title = video.summary.title if video.summary else "no caption"
            out().print(f"{video.path}: {title}", markup=False, soft_wrap=True)
            for item in video.captions:
                mark = " " if item.confident else "?"
                span = f"{format_time(item.clip.span.start_s):>9} {format_time(item.clip.span.end_s):>9}"
                out().print(f"  {span} {item.score:4.0%}{mark} {item.text}", markup=False, soft_wrap=True)
    err().print(f"{clips} captions, {failed} failed")
    return failed
