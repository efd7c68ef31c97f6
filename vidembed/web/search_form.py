"""The form of the Search tab: its parts, and what is filled in as a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.errors import VidembedError
from vidembed.media.remote import name_of
from vidembed.web.asking import Ask, check_query

if TYPE_CHECKING:
    from vidembed.web.site import Site

MAX_EXAMPLES = 8
DATES = {
    "shot_after": "Shot after",
    "shot_before": "Shot before",
    "after": "File changed after",
    "before": "File changed before",
}
MEDIA_FIELDS = {"picture": "image", "sound": "audio", "video": "video"}  # as people call it -> field of `Ask`


@dataclass(frozen=True)
class Examples:
    """Moments given as examples. Frozen: each change makes a new one, so that sessions never share."""

    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()

    def with_(self, kind: str, clip_id: str) -> Examples:
        """With a clip as one to be "like" or "unlike"; any other kind takes it out."""
        like = tuple(c for c in self.like if c != clip_id)
        unlike = tuple(c for c in self.unlike if c != clip_id)
        if kind == "like":
            like = (*like, clip_id)[-MAX_EXAMPLES:]
        elif kind == "unlike":
            unlike = (*unlike, clip_id)[-MAX_EXAMPLES:]
        return Examples(like, unlike)


def step_parts() -> dict[str, Any]:
    """The parts for a sequence, by the name of the `Ask` field."""
    with gr.Row():
        return {
            "then": gr.Textbox(label="And then, later in the same video", lines=1, scale=3, elem_id="ve-then-text",
                               placeholder="the ball goes in; they cheer"),
            "gap": gr.Textbox(label="At most this long after", placeholder="1:00", lines=1, scale=1),
        }  # fmt: skip


def filter_parts(site: Site) -> dict[str, Any]:
    """The parts for filters and channels, by the name of the `Ask` field; weights as "weight:CHANNEL"."""
    filled = site.index.parts.specs
    channels = [name for name, given in site.index.config.channels.items() if given.enabled or name in filled]
    usual = site.index.config.search.weights
    with gr.Row():
        parts: dict[str, Any] = {
            "names": gr.Textbox(label="File name has", placeholder="holiday, *.mkv", lines=1),
            "within": gr.Textbox(label="Stretch of each video", placeholder="0:30-2:00", lines=1, elem_id="ve-within"),
            "without": gr.Textbox(label="Not these words", placeholder="snow", lines=1),
            "tags": gr.Textbox(label="Tags", placeholder="camera=front", lines=1),
        }
    with gr.Row():
        parts["at_least"] = gr.Textbox(label="Video at least", placeholder="0:30", lines=1)
        parts["at_most"] = gr.Textbox(label="Video at most", placeholder="1:00:00", lines=1)
        parts |= _date_parts("shot_after", "shot_before")
    with gr.Row():
        parts["channels"] = gr.CheckboxGroup(channels, value=channels, label="Channels to search")
        parts["by_video"] = gr.Checkbox(label="At most one moment a video", value=False)
        parts["diversity"] = gr.Slider(0, 1, value=0, step=0.1, label="Variety among the answers")
    with gr.Accordion("Advanced: date of the file, weights of the channels", open=False, elem_id="ve-advanced"):
        with gr.Row():
            parts |= _date_parts("after", "before")
        with gr.Row():
            for name in channels:
                parts[f"weight:{name}"] = gr.Slider(
                    0, 3, value=float(usual.get(name, 1.0)), step=0.1, label=f"Weight of {name}"
                )
    return parts


def _date_parts(*names: str) -> dict[str, Any]:
    """Fields for dates, by name."""
    return {
        name: gr.DateTime(label=DATES[name], include_time=False, type="string", elem_id=f"ve-{name.replace('_', '-')}")
        for name in names
    }


def dates_of(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The dates of a form. given: fields by name."""
    return tuple(str(given[name] or "") for name in DATES)


def marked_field(said: str) -> Any:
    """A field with what is wrong with it beside it; "" = nothing."""
    return gr.update(info=said, elem_classes=["ve-wrong"] if said else [])


def unreadable_media(site: Site, given: Mapping[str, Any]) -> dict[str, VidembedError]:
    """Given media that cannot be searched with: field -> why, without the server's folders."""
    broken = {}
    for field in MEDIA_FIELDS.values():
        if not given[field]:
            continue
        try:
            check_query(site, field, Path(given[field]))
        except VidembedError as error:
            broken[field] = error
    return broken


def filled_in(site: Site, given: Mapping[str, Any], chosen: Examples, k: int, only: str) -> Ask:
    """The form as a search. given: fields of the form by name."""
    weights = {name.partition(":")[2]: value for name, value in given.items() if name.startswith("weight:")}
    plain = {name: value for name, value in given.items() if not name.startswith("weight:") and value is not None}
    channels = plain.pop("channels", [])
    everything = len(channels) == len(weights)  # all channels: the search chooses those that understand the query
    usual = site.index.config.search.weights
    changed = {name: float(value) for name, value in weights.items() if float(value) != float(usual.get(name, 1.0))}
    return Ask(
        **plain, like=chosen.like, unlike=chosen.unlike, k=k, videos=(only,) if only else (),
        channels=() if everything else tuple(channels),
        weights={name: value for name, value in changed.items() if everything or name in channels},
    )  # fmt: skip


def limits_of(site: Site, ask: Ask, only: str) -> list[tuple[str, str]]:
    """(field, what it says) of each filter, for the chips."""
    row = site.index.catalog.videos.get(only) if only else None
    said = [("only", f"in {name_of(row.info.path)}")] if row is not None else []
    return said + ([("region", "This part of a picture")] if ask.region else []) + ask.filters
