"""From what people filled in to a `Query` and a `Filter`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlencode

from vidembed.errors import BadQuery, InputError, VidembedError
from vidembed.index.understanding import understand
from vidembed.media.images import load_image
from vidembed.search.filters import check_tags
from vidembed.types import Filter, Moment, Query, parse_date, parse_span, parse_time
from vidembed.web.intake import check_media
from vidembed.web.media import Region
from vidembed.web.searches import SearchAnswer

if TYPE_CHECKING:
    from vidembed.web.site import Site

_MAX_TEXT = 2000
_GAP_S = 60.0
ADDRESS_FIELDS = (
    "without", "then", "gap", "names", "within", "tags", "at_least", "at_most", "shot_after", "shot_before", "after",
    "before",
)  # fmt: skip
_MAX_ADDRESS = 500  # characters of one value


def from_address(search: str) -> dict[str, str]:
    """What an address says, by name; what is too long is cut."""
    found = parse_qs(search.removeprefix("?"), max_num_fields=40)
    return {name: values[0][:_MAX_ADDRESS] for name, values in found.items()}


T = TypeVar("T")


@dataclass(frozen=True)
class Ask:
    """One filled-in search form. Empty text and None mean: not given."""

    text: str = ""
    without: str = ""
    image: str | None = None
    audio: str | None = None
    video: str | None = None
    region: str = ""  # a part of a picture of the library, as `Region` writes it
    then: str = ""  # what happens next in the same video; more steps after a semicolon
    gap: str = ""  # most time between two steps; "" = a minute
    like: Sequence[str] = ()
    unlike: Sequence[str] = ()
    k: int = 12
    channels: Sequence[str] = ()  # none = all
    weights: Mapping[str, float] = field(default_factory=dict)
    names: str = ""  # globs, separated by commas
    videos: Sequence[str] = ()  # ids
    within: str = ""
    tags: str = ""  # conditions, separated by commas
    at_least: str = ""  # length of the video, "0:30" or seconds
    at_most: str = ""
    shot_after: str = ""  # as the camera wrote it
    shot_before: str = ""
    after: str = ""  # the file's own date
    before: str = ""
    by_video: bool = False
    diversity: float = 0.0

    @property
    def label(self) -> str:
        """What was asked, in a few words."""
        parts = [f"“{self.text.strip()}”"] if self.text.strip() else []
        parts += [
            word
            for word, given in (
                ("a picture", self.image), ("a part of a picture", self.region), ("a sound", self.audio),
                ("a video", self.video),
            )
            if given
        ]  # fmt: skip
        if self.like:
            parts.append(f"like {len(self.like)} moment{'s' * (len(self.like) > 1)}")
        if self.unlike:
            parts.append(f"unlike {len(self.unlike)}")
        if self.without.strip():
            parts.append(f"without “{self.without.strip()}”")
        parts += [f"then “{step}”" for step in self.steps]
        return ", ".join(parts + self.limits) or "nothing"

    @property
    def steps(self) -> list[str]:
        """What comes after the query, in order."""
        return [step.strip() for step in self.then.split(";") if step.strip()]

    @property
    def limits(self) -> list[str]:
        """The filters in a few words each, so that nobody wonders where the rest is."""
        return [said for _, said in self.filters]

    @property
    def filters(self) -> list[tuple[str, str]]:
        """(field, in a few words) of each filter that is set."""
        said = {
            "gap": f"steps at most {self.gap.strip()} apart" if self.steps else "",
            "names": f"in files named “{self.names.strip()}”",
            "within": f"within {self.within.strip()}",
            "tags": f"tagged “{self.tags.strip()}”",
            "at_least": f"in videos of at least {self.at_least.strip()}",
            "at_most": f"in videos of at most {self.at_most.strip()}",
            "shot_after": f"shot after {self.shot_after.strip()}",
            "shot_before": f"shot before {self.shot_before.strip()}",
            "after": f"changed after {self.after.strip()}",
            "before": f"changed before {self.before.strip()}",
            "channels": f"by {' and '.join(self.channels)}",
        }
        found = [(name, words) for name, words in said.items() if words and (getattr(self, name) or "") not in ("", ())]
        return found + ([("by_video", "one moment a video")] if self.by_video else [])

    @property
    def address(self) -> str:
        """The query and its filters as the page's address holds them: "q=a+dog&names=holiday"."""
        given = {"q": self.text.strip(), "in": ",".join(self.videos), "channels": ",".join(self.channels)}
        given |= {name: str(getattr(self, name)).strip() for name in ADDRESS_FIELDS}
        given |= {"by_video": "1" if self.by_video else "", "region": self.region}
        return urlencode({name: value for name, value in given.items() if value})


def query_of(ask: Ask, region: Path | None = None) -> Query:
    """The query; region: the picture that `ask.region` means. Raises BadQuery when nothing is asked, or too much."""
    text = ask.text.strip()
    if len(text) > _MAX_TEXT or len(ask.without) > _MAX_TEXT:
        raise BadQuery(f"too long: at most {_MAX_TEXT} characters", hint="say it in a sentence or two")
    if not (text or ask.image or ask.audio or ask.video or ask.like or region):
        raise BadQuery(
            "nothing to look for yet", hint="type a few words, or give a picture, a sound or a video to compare with"
        )
    image, audio, video = (Path(file) if file else None for file in (ask.image, ask.audio, ask.video))
    without = ask.without.strip() or None
    if region is not None and image is not None:
        raise BadQuery("a picture and a part of a picture", hint="take one of them out")
    return Query.combined(
        text or None, image=image or region, audio=audio, video=video, like=ask.like, unlike=ask.unlike, without=without
    )


def filter_of(ask: Ask) -> Filter:
    """Raises InputError for a time or date that cannot be read."""
    globs = tuple(_glob(name.strip()) for name in ask.names.split(",") if name.strip())
    return Filter(
        paths=globs or None,
        videos=tuple(ask.videos) or None,
        min_duration_s=_given(parse_time, ask.at_least, "the length of a video"),
        max_duration_s=_given(parse_time, ask.at_most, "the length of a video"),
        shot_after=_given(parse_date, ask.shot_after, "after"),
        shot_before=_given(parse_date, ask.shot_before, "before"),
        modified_after=_given(parse_date, ask.after, "after"),
        modified_before=_given(parse_date, ask.before, "before"),
        within=_given(parse_span, ask.within, "within"),
        tags=tuple(tag.strip() for tag in ask.tags.split(",") if tag.strip()) or None,
    )


def run(site: Site, ask: Ask) -> SearchAnswer:
    """Search and remember the answer. Raises what `VideoIndex.search` raises, and InputError."""
    if not 1 <= ask.k <= site.settings.max_results:
        raise InputError(f"between 1 and {site.settings.max_results} moments can be asked for, got {ask.k}")
    region = site.pictures.part(Region.parse(ask.region)) if ask.region else None
    query = query_of(ask, region)
    for name, file in (("image", ask.image), ("audio", ask.audio), ("video", ask.video)):
        if file:
            check_query(site, name, Path(file))
    scope: dict[str, Any] = {"channels": list(ask.channels) or None, "weights": dict(ask.weights) or None}
    answer = SearchAnswer((query, *map(Query.text, ask.steps)), ask.label, (), scope, ask.address, tags=ask.tags)
    where = filter_of(ask)
    text = ask.text.strip()
    if text and not ask.steps:
        understood = understand(site.index.parts, text, where)
        where = understood.where
        query = query_of(replace(ask, text=understood.text), region)
        answer = replace(
            answer, queries=(query,), means=understood.means, notice=understood.notice or "", address=ask.address
        )
    if site.index.parts.specs:  # else nothing was added yet
        asked = (repr(ask), site.index.catalog.version())
        with site.courtesy.searching():
            moments = site.recent.found(asked, lambda: _searched(site, ask, answer, where))
        answer = replace(answer, moments=moments)
    return site.answers.keep(answer)


def _searched(site: Site, ask: Ask, answer: SearchAnswer, where: Filter) -> tuple[Moment, ...]:
    with site.searching:
        return tuple(_found(site, ask, answer, where))


def _found(site: Site, ask: Ask, answer: SearchAnswer, where: Filter) -> Iterator[Moment]:
    options: dict[str, Any] = {**answer.options, "where": where, "k": ask.k}
    if not ask.steps:
        yield from site.index.search(answer.queries[0], group_by_video=ask.by_video, diversity=ask.diversity, **options)
        return
    gap_s = _given(parse_time, ask.gap, "gap") or _GAP_S
    for chain in site.index.search_sequence(answer.queries, gap_s=gap_s, **options):
        yield from chain.moments


def wrong_fields(site: Site, given: Mapping[str, Any]) -> dict[str, VidembedError]:
    """Filters that cannot be read: field of the form -> what is wrong with it."""
    wrong = {}
    for name in ADDRESS_FIELDS:
        text = str(given.get(name) or "").strip()
        if not text:
            continue
        try:
            one = replace(Ask(), **{name: text})  # type: ignore[arg-type]  # all of them are texts
            tags = filter_of(one).tags
            if tags:
                check_tags(tags, site.index.catalog.tags.all().values())
            _given(parse_time, one.gap, "gap")
        except VidembedError as error:
            wrong[name] = error
    return wrong


def check_query(site: Site, field: str, file: Path) -> None:
    """Whether a file that somebody sent can be searched with. Raises what is wrong, naming no folder."""
    try:
        if field == "image":
            load_image(file, limits=site.index.config.media.limits)
        else:
            check_media(site, file)
    except VidembedError as error:
        what = {"image": "picture", "audio": "sound"}.get(field, field)
        text = error.message.replace(str(file), file.name).replace(str(file.parent), "")
        raise type(error)(f"this {what} cannot be used: {text}", hint="give another file") from error


def _glob(name: str) -> str:
    """People type a part of the name; those who know globs may use them."""
    return name if any(sign in name for sign in "*?[") else f"*{name}*"


def _given(parse: Callable[..., T], text: str, name: str) -> T | None:
    return parse(text.strip(), name=name) if text.strip() else None
