"""`vidembed search`: moments for a text, picture, sound, video or clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    IndexOption,
    JsonOption,
    SetOption,
    err,
    opened,
    out,
    parse_names,
    parse_pairs,
    print_json,
)
from vidembed.errors import BadQuery
from vidembed.types import Filter, Moment, Query, Span, format_time, parse_date, parse_span

if TYPE_CHECKING:
    from rich.table import Table

    from vidembed.search.sequence import Chain


def search(
    text: Annotated[str | None, typer.Argument(help="What to look for, in plain words.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to look for.")] = None,
    audio: Annotated[Path | None, typer.Option(help="A sound to look for.")] = None,
    video: Annotated[Path | None, typer.Option(help="A video to look for.")] = None,
    like: Annotated[list[str] | None, typer.Option(help="More like this clip id; may be repeated.")] = None,
    unlike: Annotated[list[str] | None, typer.Option(help="Less like this clip id; may be repeated.")] = None,
    without: Annotated[str | None, typer.Option("--not", help="Words for what should not be there.")] = None,
    then: Annotated[
        list[str] | None, typer.Option(help="What happens after that, in the same video; may be repeated.")
    ] = None,
    gap: Annotated[float, typer.Option(help="With --then: most seconds between two steps.", min=0)] = 60.0,
    check: Annotated[
        str | None,
        typer.Option(help="Show the moments found to this vision-language model and put first what it says yes to."),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--limit", help="How many moments.", min=1)] = 10,
    offset: Annotated[int, typer.Option(help="Skip the first moments: the next page.", min=0)] = 0,
    path: Annotated[list[str] | None, typer.Option(help="Only files matching this glob; may be repeated.")] = None,
    within: Annotated[str | None, typer.Option(help="Only this stretch of each video: 0:30-2:00.")] = None,
    min_duration: Annotated[float | None, typer.Option(help="Only videos at least this long, in seconds.")] = None,
    max_duration: Annotated[float | None, typer.Option(help="Only videos at most this long, in seconds.")] = None,
    after: Annotated[str | None, typer.Option(help="Only files changed since this date (2026-01-31).")] = None,
    before: Annotated[str | None, typer.Option(help="Only files changed before this date.")] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Only videos with this tag: camera=front, place!=beach, year>=2020; may be repeated."),
    ] = None,
    channels: Annotated[str | None, typer.Option(help="Lanes to search: 'vision,sound'. Default: all.")] = None,
    weight: Annotated[list[str] | None, typer.Option(help="Weight of a lane, vision=1.0; may be repeated.")] = None,
    by_video: Annotated[bool, typer.Option("--by-video", help="At most one moment a video.")] = False,
    diversity: Annotated[float, typer.Option(help="0 = best first, 1 = as different as possible.", min=0, max=1)] = 0.0,
    json: JsonOption = False,
    open_best: Annotated[bool, typer.Option("--open", help="Play the best moment.")] = False,
    cut_to: Annotated[Path | None, typer.Option("--cut", help="Cut every moment into its own file here.")] = None,
    reel_to: Annotated[
        Path | None, typer.Option("--reel", help="Put all moments one after the other into this file.")
    ] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Find the moments that show, sound or say what you ask for."""
    query = Query.combined(
        text, image=image, audio=audio, video=video, like=like or (), unlike=unlike or (), without=without
    )
    where = Filter(
        paths=tuple(path) if path else None,
        min_duration_s=min_duration,
        max_duration_s=max_duration,
        modified_after=parse_date(after, name="--after") if after else None,
        modified_before=parse_date(before, name="--before") if before else None,
        within=parse_span(within, name="--within") if within else None,
        tags=tuple(tag) if tag else None,
    )
    options: dict[str, Any] = {
        "where": where, "channels": parse_names(channels), "weights": parse_pairs(weight, option="--weight")
    }  # fmt: skip
    with opened(index, settings=settings, readonly=True) as open_index:
        floor = open_index.config.search.min_confidence
        if then:
            chains = open_index.search_sequence([query, *then], gap_s=gap, k=k, **options)
            say_how_good([chain.confidence for chain in chains], floor)
            show_chains(chains, as_json=json)
            pieces = [(chain.path, chain.span) for chain in chains]
        else:
            moments = open_index.search(
                query, k=k, offset=offset, group_by_video=by_video, diversity=diversity, **options
            )
            if check is not None:
                if text is None:
                    raise BadQuery("--check takes words to check", hint="give them, or leave --check out")
                moments = open_index.check(text, moments, model=check)
            say_how_good([moment.confidence for moment in moments], floor)
            _show(moments, offset, as_json=json)
            pieces = [(moment.path, moment.span) for moment in moments]
    if cut_to is not None:
        _cut_all(pieces, cut_to)
    if reel_to is not None and pieces:
        from vidembed.media.editing.cut import reel

        reel(pieces, reel_to, overwrite=True)
        err().print(f"wrote {reel_to}", markup=False)
    if open_best and pieces:
        _play(*pieces[0])


def say_how_good(confidences: Sequence[float], floor: float) -> None:
    if not confidences:
        err().print("nothing found")
    elif max(confidences) < floor:
        err().print("[yellow]no good match[/]: the nearest moments are shown, none is convincing")


def _show(moments: Sequence[Moment], offset: int, *, as_json: bool) -> None:
    if as_json:
        for moment in moments:
            print_json(moment.record())
    elif moments:
        out().print(_table(moments, offset=offset))


def show_chains(chains: Sequence[Chain], *, as_json: bool) -> None:
    """One line a chain, its steps below it; as JSON, one object a chain with the steps as moments."""
    for place, chain in enumerate(chains, start=1):
        if as_json:
            times = {"start_s": round(chain.span.start_s, 3), "end_s": round(chain.span.end_s, 3)}
            steps = [moment.record() for moment in chain.moments]
            confidence = round(chain.confidence, 4)
            print_json({"path": str(chain.path), **times, "confidence": confidence, "steps": steps})
        else:
            out().print(f"{place:3} {chain.confidence:4.0%}  {chain.span}  {chain.path}", markup=False, soft_wrap=True)
            for number, moment in enumerate(chain.moments, start=1):
                out().print(f"         {number}. {moment.confidence:4.0%}  {moment.span}", markup=False)


def _table(moments: Sequence[Moment], *, offset: int) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("#", "right"), ("confidence", "right"), ("start", "right"), ("end", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("file", overflow="fold")
    table.add_column("matched by")
    table.add_column("words", overflow="ellipsis", max_width=48, no_wrap=True)
    for place, moment in enumerate(moments, start=offset + 1):
        lanes = ", ".join(f"{hit.channel} {hit.score:.2f}" for hit in moment.hits)
        if moment.agreement is not None:
            lanes += f"; yes {moment.agreement:.0%}"
        words = moment.caption or " / ".join(moment.texts.values())
        table.add_row(
            str(place),
            f"{moment.confidence:.0%}",
            format_time(moment.span.start_s),
            format_time(moment.span.end_s),
            escape(str(moment.path)),
            lanes,
            escape(words),
        )
    return table


def _cut_all(pieces: Sequence[tuple[Path, Span]], folder: Path) -> None:
    from vidembed.media.editing.cut import cut

    folder.mkdir(parents=True, exist_ok=True)
    for place, (path, span) in enumerate(pieces, start=1):
        target = folder / f"{place:02d}_{path.stem}_{span.start_s:.1f}s.mp4"
        cut(path, span, target, exact=True, overwrite=True)
        err().print(f"cut {target}", markup=False)


def _play(path: Path, span: Span) -> None:
    """In mpv, vlc or ffplay at the right second; else in whatever the system opens it with."""
    import shutil
    import subprocess

    start = f"{span.start_s:.3f}"
    file = str(path.resolve())  # absolute, so that a leading dash is no option
    players = {
        "mpv": ["mpv", f"--start={start}", "--", file],
        "vlc": ["vlc", f"--start-time={start}", file],
        "ffplay": ["ffplay", "-ss", start, "-autoexit", file],
    }
    for name, command in players.items():
        if shutil.which(name):
            subprocess.run(command, check=False)
            return
    err().print(f"no mpv, vlc or ffplay found; opening the file, the moment is at {format_time(span.start_s)}")
    typer.launch(file)
