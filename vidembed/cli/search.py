"""`vidembed search`: moments for a text, image, sound, video or clip."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
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
    opened,
    parse_names,
    parse_pairs,
    print_json,
    say,
)
from vidembed.cli.naming import complete_channels, complete_models, complete_tags, example, remember
from vidembed.cli.showing import show_chains, show_moments
from vidembed.errors import BadQuery, InputError
from vidembed.index.contents import ExportKind
from vidembed.index.understanding import Understood, literal, understand
from vidembed.media.captured import GPS, SHOT
from vidembed.search.filters import check_tags
from vidembed.search.sequence import Chain
from vidembed.types import Filter, Moment, Query, Span, format_time, parse_date, parse_place, parse_span

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

_what: Any = partial(typer.Option, rich_help_panel="What to look for")
_where: Any = partial(typer.Option, rich_help_panel="Where")
_count: Any = partial(typer.Option, rich_help_panel="How many")
_output: Any = partial(typer.Option, rich_help_panel="Output")


def search(
    context: typer.Context,
    text: Annotated[list[str] | None, typer.Argument(help="Words to look for; -: one query a line of stdin.")] = None,
    image: Annotated[Path | None, _what(help="Image to look for.")] = None,
    audio: Annotated[Path | None, _what(help="Sound to look for.")] = None,
    video: Annotated[Path | None, _what(help="Video to look for.")] = None,
    like: Annotated[
        list[str] | None,
        _what(help="More like this: a number of the last search, FILE@1:23 or a clip id; repeatable."),
    ] = None,
    unlike: Annotated[list[str] | None, _what(help="Less like this, named as for --like; repeatable.")] = None,
    without: Annotated[str | None, _what("--not", help="Exclude moments matching this text.")] = None,
    then: Annotated[
        list[str] | None, _what(help="What happens next in the same video, after the step before; repeatable.")
    ] = None,
    gap: Annotated[float, _what(help="With --then: most seconds between two steps.", min=0)] = 60.0,
    check: Annotated[
        str | None,
        _what(
            help="Ask this reranker or vision-language model about each moment; those it confirms come first.",
            autocompletion=complete_models,
        ),
    ] = None,
    ground: Annotated[
        str | None,
        _what(
            help="Ask this vision-language model from when to when each moment is; both spans are shown.",
            autocompletion=complete_models,
        ),
    ] = None,
    channels: Annotated[
        str | None,
        _what(help="Channels to search, such as vision,sound. Default: all.", autocompletion=complete_channels),
    ] = None,
    weight: Annotated[list[str] | None, _what(help="Weight of a channel, such as vision=1.0; repeatable.")] = None,
    path: Annotated[list[str] | None, _where(help="Only files matching this glob; repeatable.")] = None,
    within: Annotated[str | None, _where(help="Only this part of each video, such as 0:30-2:00.")] = None,
    min_duration: Annotated[float | None, _where(help="Only videos at least this long, in seconds.")] = None,
    max_duration: Annotated[float | None, _where(help="Only videos at most this long, in seconds.")] = None,
    after: Annotated[str | None, _where(help="Only files modified since this date, such as 2026-01-31.")] = None,
    before: Annotated[str | None, _where(help="Only files modified before this date.")] = None,
    shot_after: Annotated[
        str | None, _where(help="Only what was shot since this date, as the camera wrote it.")
    ] = None,
    shot_before: Annotated[str | None, _where(help="Only what was shot before this date.")] = None,
    near: Annotated[str | None, _where(help="Only what was shot near LAT,LON, such as 48.86,2.35.")] = None,
    within_km: Annotated[float, _where(help="With --near: how near, in kilometres.", min=0.0)] = 1.0,
    tag: Annotated[
        list[str] | None,
        _where(
            help="Only videos with this tag: camera=front, place!=beach, year>=2020; repeatable.",
            autocompletion=complete_tags,
        ),
    ] = None,
    k: Annotated[int, _count("-k", "--limit", help="Number of moments.", min=1)] = 10,
    offset: Annotated[int, _count(help="Skip the first moments: the next page.", min=0)] = 0,
    by_video: Annotated[bool, _count("--by-video", help="At most one moment per video.")] = False,
    diversity: Annotated[float, _count(help="0: best first; 1: as different as possible.", min=0, max=1)] = 0.0,
    as_is: Annotated[
        bool, _what("--as-is", help='Look for the words as they are, also for "last week" and "without cars".')
    ] = False,
    good: Annotated[bool, _count("--good", help="Only good matches.")] = False,
    min_confidence: Annotated[
        float | None, _count(help="Only moments at least this sure, such as 0.5.", min=0, max=1)
    ] = None,
    json: JsonOption = False,
    play: Annotated[bool, _output("--open", help="Play the best moment.")] = False,
    cut_to: Annotated[Path | None, _output("--cut", help="Cut each moment into a file in this folder.")] = None,
    reel_to: Annotated[Path | None, _output("--reel", help="Join all moments into this file.")] = None,
    overwrite: Annotated[bool, _output("--overwrite", help="With --cut and --reel: replace files that exist.")] = False,
    export: Annotated[
        str | None, _output(metavar="KIND", help="Print a file for editors: edl, fcpxml, otio, csv, json.")
    ] = None,
    index: IndexOption = Path(DEFAULT_INDEX),
    settings: SetOption = None,
) -> None:
    """Find the moments that show, sound or say what you ask for."""
    where = Filter(
        paths=tuple(path) if path else None,
        min_duration_s=min_duration,
        max_duration_s=max_duration,
        modified_after=parse_date(after, name="--after") if after else None,
        modified_before=parse_date(before, name="--before") if before else None,
        within=parse_span(within, name="--within") if within else None,
        tags=tuple(tag) if tag else None,
        shot_after=parse_date(shot_after, name="--shot-after") if shot_after else None,
        shot_before=parse_date(shot_before, name="--shot-before") if shot_before else None,
        near=parse_place(near, name="--near") if near else None,
        within_km=within_km,
    )
    options: dict[str, Any] = {
        "where": where, "channels": parse_names(channels), "weights": parse_pairs(weight, option="--weight"), "k": k
    }  # fmt: skip
    pages: dict[str, Any] = {"offset": offset, "group_by_video": by_video, "diversity": diversity}
    words = " ".join(text) if text else None
    output = Output(json, play, cut_to, reel_to, export, overwrite=overwrite)
    _refuse(
        "--then",
        then,
        {"--check": check, "--ground": ground, "--by-video": by_video, "--offset": offset, "--diversity": diversity},
    )
    _refuse("-", words == "-", {"--cut": cut_to, "--reel": reel_to, "--export": export, "--open": play})
    _refuse("--json", json, {"--export": export})
    kept: VideoIndex | None = context.obj  # of `vidembed shell`
    with nullcontext(kept) if kept is not None else opened(index, settings=settings, readonly=True) as open_index:
        check_tags(where.tags or (), open_index.catalog.tags.all().values())
        examples = [[example(open_index, one) for one in given or ()] for given in (like, unlike)]
        floor = open_index.config.search.min_confidence if good and min_confidence is None else min_confidence or 0.0

        def found(words: str | None) -> Sequence[Moment | Chain]:
            understood = None if words is None or as_is or then else understand(open_index.parts, words, where)
            if understood is not None:
                words, options["where"] = understood.text, understood.where
                _say_understood(understood)
            query = Query.combined(
                words, image=image, audio=audio, video=video, like=examples[0], unlike=examples[1], without=without
            )
            query = literal(query) if as_is else query
            answers: Sequence[Moment | Chain]
            if then:
                answers = open_index.search_sequence([query, *then], gap_s=gap, **options)
            else:
                moments = open_index.search(query, **options, **pages)
                for option, model, look in (
                    ("--check", check, open_index.check),
                    ("--ground", ground, open_index.ground),
                ):
                    if model is not None:
                        if words is None:
                            raise BadQuery(f"{option} needs a text", hint=f"give words to look for, or omit {option}")
                        moments = look(words, moments, model=model)
                answers = moments
            return [answer for answer in answers if answer.confidence >= floor]

        if words == "-":
            _each_line(found)
            return
        answers = found(words)
        if not answers:
            say(_nothing(open_index, options["where"]))
        output.show(answers, open_index, title=words or "moments", offset=offset)


def _nothing(index: VideoIndex, where: Filter) -> str:
    """That nothing was found, and why, where it is the filter."""
    allowed = index.parts.searcher.catalog.resolve(where).video_ids
    if allowed is None or allowed:
        return "nothing found"
    tags = list(index.catalog.tags.all().values())
    shot = where.shot_after is not None or where.shot_before is not None
    asked = ((shot, SHOT, "when they were shot"), (where.near is not None, GPS, "where they were shot"))
    known = [f"{sum(tag in one for one in tags)} say {what}" for wanted, tag, what in asked if wanted]
    return "nothing found: no video meets the filter" + (f" ({', '.join(known)})" if known else "")


def _say_understood(understood: Understood) -> None:
    if understood.means:
        say(f"understood: {', '.join(understood.means)} (--as-is looks for the words)")
    if understood.notice:
        say(f"note: {understood.notice}", style="yellow")


def _refuse(option: str, given: object, others: Mapping[str, object]) -> None:
    """Nothing is passed over in silence: an option that would be is refused."""
    for other, value in others.items():
        if given and value:
            raise BadQuery(f"{option} goes without {other}", hint="leave one of them out")


def _each_line(find: Callable[[str], Sequence[Moment | Chain]]) -> None:
    """Answer each line of standard input with one JSON object; a line that cannot be asked has an error in it."""
    failed = False
    for line in sys.stdin:
        text = line.strip()
        if not text:
            continue
        try:
            answers = find(text)
            good = any(answer.good_match for answer in answers)
            print_json({"query": text, "good_match": good, "moments": [answer.to_dict() for answer in answers]})
        except InputError as error:
            failed = True
            print_json({"query": text, "error": error.message, "hint": error.hint})
        sys.stdout.flush()
    if failed:
        raise typer.Exit(3)


@dataclass
class Output:
    """What is done with the answers: printed, cut, joined, played."""

    json: bool
    play: bool
    cut_to: Path | None
    reel_to: Path | None
    export: str | None
    overwrite: bool

    def __post_init__(self) -> None:
        kinds = get_args(ExportKind)
        if self.export is not None and self.export not in kinds:
            raise BadQuery(f"--export {self.export!r}: no such kind", hint=f"one of: {', '.join(kinds)}")

    def show(self, found: Sequence[Moment | Chain], index: VideoIndex, *, title: str, offset: int) -> None:
        """Print answers; cut, join and play them where that was asked for."""
        if found and not any(answer.good_match for answer in found):
            say("no good match: these are the closest moments")
        moments = [moment for answer in found for moment in (answer.moments if isinstance(answer, Chain) else [answer])]
        if self.export is not None:
            typer.echo(index.export(moments, cast("ExportKind", self.export), title=title), nl=False)
        elif self.json:
            for answer in found:
                print_json(answer.to_dict())
        elif found:
            self._print(found, index, offset)
        if self.cut_to is not None:
            for file in index.cut(found, self.cut_to, overwrite=self.overwrite):
                say(f"wrote {file}")
        if self.reel_to is not None and found:
            say(f"wrote {index.reel(found, self.reel_to, overwrite=self.overwrite)}")
        if self.play and found:
            _play(found[0].path, found[0].span)

    def _print(self, found: Sequence[Moment | Chain], index: VideoIndex, offset: int) -> None:
        moments = [answer for answer in found if isinstance(answer, Moment)]
        if moments:
            show_moments(moments, index.config, offset=offset)
            remember(index.path, {str(n): moment.clip_id for n, moment in enumerate(moments, start=offset + 1)})
        else:
            show_chains([answer for answer in found if isinstance(answer, Chain)], index.config)


def _play(path: Path, span: Span) -> None:
    """Play from the span's start in mpv, vlc or ffplay; else open the file with the system's player."""
    import shutil
    import subprocess

    from vidembed.media.remote import address, is_remote

    start = f"{span.start_s:.3f}"
    file = address(path) if is_remote(path) else str(path.resolve())  # absolute: a leading dash is no option
    if is_remote(path) and not file.startswith("http"):
        raise InputError(f"{file}: players do not open it", hint="cut the moment into a file: --cut FOLDER")
    players = {
        "mpv": ["mpv", f"--start={start}", "--", file],
        "vlc": ["vlc", f"--start-time={start}", file],
        "ffplay": ["ffplay", "-ss", start, "-autoexit", file],
    }
    for name, command in players.items():
        if shutil.which(name):
            subprocess.run(command, check=False)
            return
    say(f"no mpv, vlc or ffplay installed; opening the file, the moment is at {format_time(span.start_s)}")
    typer.launch(file)
