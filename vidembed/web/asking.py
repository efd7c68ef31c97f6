"""From what people filled in to a `Query` and a `Filter`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, urlencode

from vidembed.errors import BadQuery, InputError, VidembedError
from vidembed.media.images import load_image
from vidembed.types import Filter, Query, parse_date, parse_span, parse_time
from vidembed.web.intake import check_media

if TYPE_CHECKING:
    from vidembed.web.site import Answer, Site

_MAX_TEXT = 2000
ADDRESS_FIELDS = ("without", "names", "within", "tags", "at_least", "at_most", "after", "before")
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
    after: str = ""
    before: str = ""
    by_video: bool = False
    diversity: float = 0.0

    @property
    def label(self) -> str:
        """What was asked, in a few words."""
        parts = [f"“{self.text.strip()}”"] if self.text.strip() else []
        parts += [
            word
            for word, given in (("a picture", self.image), ("a sound", self.audio), ("a video", self.video))
            if given
        ]
        if self.like:
            parts.append(f"like {len(self.like)} moment{'s' * (len(self.like) > 1)}")
        if self.unlike:
            parts.append(f"unlike {len(self.unlike)}")
        if self.without.strip():
            parts.append(f"without “{self.without.strip()}”")
        return ", ".join(parts + self.limits) or "nothing"

    @property
    def limits(self) -> list[str]:
        """The filters in a few words each, so that nobody wonders where the rest is."""
        return [said for _, said in self.filters]

    @property
    def filters(self) -> list[tuple[str, str]]:
        """(field, in a few words) of each filter that is set."""
        said = {
            "names": f"in files named “{self.names.strip()}”",
            "within": f"within {self.within.strip()}",
            "tags": f"tagged “{self.tags.strip()}”",
            "at_least": f"in videos of at least {self.at_least.strip()}",
            "at_most": f"in videos of at most {self.at_most.strip()}",
            "after": f"changed after {self.after.strip()}",
            "before": f"changed before {self.before.strip()}",
            "channels": f"by {' and '.join(self.channels)}",
        }
        found = [(field, words) for field, words in said.items() if (getattr(self, field) or "") not in ("", ())]
        return found + ([("by_video", "one moment a video")] if self.by_video else [])

    @property
    def address(self) -> str:
        """The query and its filters as the page's address holds them: "q=a+dog&names=holiday"."""
        given = {"q": self.text.strip(), "in": ",".join(self.videos), "channels": ",".join(self.channels)}
        given |= {name: str(getattr(self, name)).strip() for name in ADDRESS_FIELDS}
        given |= {"by_video": "1" if self.by_video else ""}
        return urlencode({name: value for name, value in given.items() if value})


def query_of(ask: Ask) -> Query:
    """Raises BadQuery when nothing is asked, or too much."""
    text = ask.text.strip()
    if len(text) > _MAX_TEXT or len(ask.without) > _MAX_TEXT:
        raise BadQuery(f"too long: at most {_MAX_TEXT} characters", hint="say it in a sentence or two")
    if not (text or ask.image or ask.audio or ask.video or ask.like):
        raise BadQuery(
            "nothing to look for yet", hint="type a few words, or give a picture, a sound or a video to compare with"
        )
    image, audio, video = (Path(file) if file else None for file in (ask.image, ask.audio, ask.video))
    without = ask.without.strip() or None
    return Query.combined(
        text or None, image=image, audio=audio, video=video, like=ask.like, unlike=ask.unlike, without=without
    )


def filter_of(ask: Ask) -> Filter:
    """Raises InputError for a time or date that cannot be read."""
    globs = tuple(_glob(name.strip()) for name in ask.names.split(",") if name.strip())
    return Filter(
        paths=globs or None,
        videos=tuple(ask.videos) or None,
        min_duration_s=_given(parse_time, ask.at_least, "the length of a video"),
        max_duration_s=_given(parse_time, ask.at_most, "the length of a video"),
        modified_after=_given(parse_date, ask.after, "after"),
        modified_before=_given(parse_date, ask.before, "before"),
        within=_given(parse_span, ask.within, "within"),
        tags=tuple(tag.strip() for tag in ask.tags.split(",") if tag.strip()) or None,
    )


def run(site: Site, ask: Ask) -> Answer:
    """Search and remember the answer. Raises what `VideoIndex.search` raises, and InputError."""
    if not 1 <= ask.k <= site.settings.max_results:
        raise InputError(f"between 1 and {site.settings.max_results} moments can be asked for, got {ask.k}")
    query = query_of(ask)
    where = filter_of(ask)
    for name, file in (("image", ask.image), ("audio", ask.audio), ("video", ask.video)):
        if file:
            check_query(site, name, Path(file))
    if not site.index.parts.specs:
        return site.answers.put(query, ask.label, [], {}, address=ask.address)  # nothing was added yet
    options: dict[str, object] = {"channels": list(ask.channels) or None, "weights": dict(ask.weights) or None}
    moments = site.index.search(
        query,
        k=ask.k,
        where=where,
        group_by_video=ask.by_video,
        diversity=ask.diversity,
        channels=list(ask.channels) or None,
        weights=dict(ask.weights) or None,
    )
    return site.answers.put(query, ask.label, moments, options, address=ask.address)


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
