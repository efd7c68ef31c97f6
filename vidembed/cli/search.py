"""`vidembed search`: moments for a text, image, sound, video or clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    IndexOption,
    JsonOption,
    SetOption,
    err,
    moments_table,
    opened,
    out,
    parse_names,
    parse_pairs,
    plain,
    print_json,
)
from vidembed.errors import BadQuery
from vidembed.index.contents import ExportKind
from vidembed.types import Filter, Moment, Query, Span, format_time, parse_date, parse_span

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex
    from vidembed.search.sequence import Chain

_what: Any = partial(typer.Option, rich_help_panel="What to look for")
_where: Any = partial(typer.Option, rich_help_panel="Where")
_count: Any = partial(typer.Option, rich_help_panel="How many")
_output: Any = partial(typer.Option, rich_help_panel="Output")


def search(
    text: Annotated[str | None, typer.Argument(help="Words to look for.")] = None,
    image: Annotated[Path | None, _what(help="Image to look for.")] = None,
    audio: Annotated[Path | None, _what(help="Sound to look for.")] = None,
    video: Annotated[Path | None, _what(help="Video to look for.")] = None,
    like: Annotated[list[str] | None, _what(help="Find more like this clip id; repeatable.")] = None,
    unlike: Annotated[list[str] | None, _what(help="Find less like this clip id; repeatable.")] = None,
    without: Annotated[str | None, _what("--not", help="Exclude moments matching this text.")] = None,
    then: Annotated[list[str] | None, _what(help="What happens next in the same video; repeatable.")] = None,
    gap: Annotated[float, _what(help="With --then: most seconds between two steps.", min=0)] = 60.0,
    check: Annotated[
        str | None, _what(help="Ask this vision-language model about each moment; those it confirms come first.")
    ] = None,
    channels: Annotated[str | None, _what(help="Channels to search, such as vision,sound. Default: all.")] = None,
    weight: Annotated[list[str] | None, _what(help="Weight of a channel, such as vision=1.0; repeatable.")] = None,
    path: Annotated[list[str] | None, _where(help="Only files matching this glob; repeatable.")] = None,
    within: Annotated[str | None, _where(help="Only this part of each video, such as 0:30-2:00.")] = None,
    min_duration: Annotated[float | None, _where(help="Only videos at least this long, in seconds.")] = None,
    max_duration: Annotated[float | None, _where(help="Only videos at most this long, in seconds.")] = None,
    after: Annotated[str | None, _where(help="Only files modified since this date, such as 2026-01-31.")] = None,
    before: Annotated[str | None, _where(help="Only files modified before this date.")] = None,
    tag: Annotated[
        list[str] | None,
        _where(help="Only videos with this tag: camera=front, place!=beach, year>=2020; repeatable."),
    ] = None,
    k: Annotated[int, _count("-k", "--limit", help="Number of moments.", min=1)] = 10,
    offset: Annotated[int, _count(help="Skip the first moments: the next page.", min=0)] = 0,
    by_video: Annotated[bool, _count("--by-video", help="At most one moment per video.")] = False,
    diversity: Annotated[float, _count(help="0: best first; 1: as different as possible.", min=0, max=1)] = 0.0,
    json: JsonOption = False,
    play: Annotated[bool, _output("--open", help="Play the best moment.")] = False,
    cut_to: Annotated[Path | None, _output("--cut", help="Cut each moment into a file in this folder.")] = None,
    reel_to: Annotated[Path | None, _output("--reel", help="Join all moments into this file.")] = None,
    export: Annotated[
        str | None, _output(metavar="KIND", help="Print a file for editors: edl, fcpxml, otio, csv, json.")
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
        "where": where, "channels": parse_names(channels), "weights": parse_pairs(weight, option="--weight"), "k": k
    }  # fmt: skip
    output = Output(json=json, play=play, cut_to=cut_to, reel_to=reel_to, export=export)
    with opened(index, settings=settings, readonly=True) as open_index:
        floor = open_index.config.search.min_confidence
        if then:
            output.chains(open_index.search_sequence([query, *then], gap_s=gap, **options), floor)
        else:
            moments = open_index.search(query, offset=offset, group_by_video=by_video, diversity=diversity, **options)
            if check is not None:
                if text is None:
                    raise BadQuery("--check needs a text to check", hint="give words to look for, or omit --check")
                moments = open_index.check(text, moments, model=check)
            output.moments(moments, floor, offset=offset)
        output.file(open_index, title=text or "moments")
    output.media()


@dataclass
class Output:
    """What is done with the answers: printed, cut, joined, played. floor: confidence below which nothing matches."""

    json: bool
    play: bool
    cut_to: Path | None
    reel_to: Path | None
    export: str | None = None
    _found: Sequence[Moment | Chain] = ()

    def __post_init__(self) -> None:
        kinds = get_args(ExportKind)
        if self.export is not None and self.export not in kinds:
            raise BadQuery(f"--export {self.export!r}: no such kind", hint=f"one of: {', '.join(kinds)}")

    def moments(self, moments: Sequence[Moment], floor: float, *, offset: int) -> None:
        """Print moments, one line each."""
        self._begin(moments, floor)
        if self.export is not None:
            return
        if self.json:
            for moment in moments:
                print_json(moment.record())
        elif moments:
            out().print(moments_table(moments, offset=offset))

    def chains(self, chains: Sequence[Chain], floor: float) -> None:
        """Print one line per chain, its steps below it; as JSON, one object per chain with its steps as moments."""
        self._begin(chains, floor)
        if self.export is not None:
            return
        for place, chain in enumerate(chains, start=1):
            if self.json:
                times = {"start_s": round(chain.span.start_s, 3), "end_s": round(chain.span.end_s, 3)}
                steps = [moment.record() for moment in chain.moments]
                confidence = round(chain.confidence, 4)
                print_json({"path": str(chain.path), **times, "confidence": confidence, "steps": steps})
                continue
            plain(out(), f"{place:3} {chain.confidence:4.0%}  {chain.span}  {chain.path}")
            for number, moment in enumerate(chain.moments, start=1):
                plain(out(), f"         {number}. {moment.confidence:4.0%}  {moment.span}")

    def file(self, index: VideoIndex, *, title: str) -> None:
        """Print what was found as a file, where that was asked for."""
        if self.export is None:
            return
        moments: list[Moment] = []
        for found in self._found:
            moments += [found] if isinstance(found, Moment) else found.moments
        typer.echo(index.export(moments, cast("ExportKind", self.export), title=title), nl=False)

    def media(self) -> None:
        """Cut, join and play what was printed."""
        spans = [(answer.path, answer.span) for answer in self._found]
        if self.cut_to is not None:
            _cut_all(spans, self.cut_to)
        if self.reel_to is not None and spans:
            from vidembed.media.editing.cut import reel

            reel(spans, self.reel_to, overwrite=True)
            plain(err(), f"wrote {self.reel_to}")
        if self.play and spans:
            _play(*spans[0])

    def _begin(self, found: Sequence[Moment | Chain], floor: float) -> None:
        self._found = found
        if not found:
            err().print("nothing found")
        elif max(answer.confidence for answer in found) < floor:
            err().print("[yellow]no good match[/]: these are the closest moments")


def _cut_all(spans: Sequence[tuple[Path, Span]], folder: Path) -> None:
    from vidembed.media.editing.cut import cut

    folder.mkdir(parents=True, exist_ok=True)
    for place, (path, span) in enumerate(spans, start=1):
        target = folder / f"{place:02d}_{path.stem}_{span.start_s:.1f}s.mp4"
        cut(path, span, target, exact=True, overwrite=True)
        plain(err(), f"wrote {target}")


def _play(path: Path, span: Span) -> None:
    """Play from the span's start in mpv, vlc or ffplay; else open the file with the system's player."""
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
    err().print(f"no mpv, vlc or ffplay installed; opening the file, the moment is at {format_time(span.start_s)}")
    typer.launch(file)
