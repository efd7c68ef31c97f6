"""The Search tab."""

from __future__ import annotations

import logging
from abc import ABCMeta
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from vidembed.errors import VidembedError
from vidembed.types import parse_time
from vidembed.web import cards, html
from vidembed.web.answer_view import answered
from vidembed.web.asking import ADDRESS_FIELDS, Ask, check_query, from_address, run
from vidembed.web.html import html_part

if TYPE_CHECKING:
    from vidembed.web.site import Site

_log = logging.getLogger(__name__)
PLACEHOLDER = "Describe the moment: a dog jumps into a lake"
_PAGE = 12
_MAX_EXAMPLES = 8
_MEDIA, _FILTERS = "Picture, sound, video", "Filters"
_FIELDS = {"picture": "image", "sound": "audio", "video": "video"}  # as people call it -> field of `Ask`


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
            like = (*like, clip_id)[-_MAX_EXAMPLES:]
        elif kind == "unlike":
            unlike = (*unlike, clip_id)[-_MAX_EXAMPLES:]
        return Examples(like, unlike)


def _as_uploaded(part: Any, payload: Any) -> str | None:
    """The file of a picture. Gradio's own opens it before anybody can say what is wrong with it; the search does."""
    return None if payload is None else str(payload.path)


# Made past gradio's own metaclass, which writes a .pyi file beside the source of every part that is derived.
Picture: Any = ABCMeta.__new__(
    type(gr.Image), "Picture", (gr.Image,), {"preprocess": _as_uploaded, "is_template": True, "__module__": __name__}
)


def search_tab(site: Site, blocks: gr.Blocks) -> None:
    """Build the tab inside the Blocks that are open."""
    examples = gr.State(Examples())
    count = gr.State(_PAGE)
    only = gr.State("")  # the one video that is searched
    with gr.Row(elem_classes="ve-ask", equal_height=True):
        text = gr.Textbox(
            label="What are you looking for?", placeholder=PLACEHOLDER, lines=1, max_lines=3, scale=8,
            elem_id="ve-text", autofocus=True, show_label=False, container=False,
        )  # fmt: skip
        go = gr.Button("Search", variant="primary", scale=0, min_width=96, elem_id="ve-go")
        question = gr.Button("Ask", scale=0, min_width=64, elem_id="ve-question")
    with gr.Row(elem_classes="ve-tools"):
        by_media = gr.Button(_MEDIA, size="sm", scale=0, min_width=90, elem_id="ve-media-open", elem_classes="ve-tool")
        by_filter = gr.Button(_FILTERS, size="sm", scale=0, min_width=90, elem_id="ve-options-open",
                              elem_classes="ve-tool")  # fmt: skip
        hints = html_part(elem_id="ve-suggested")
    with gr.Column(visible=False, elem_id="ve-media") as media_box, gr.Row():
        image = Picture(
            label="Picture", type="filepath", sources=["upload", "webcam", "clipboard"], height=210, elem_id="ve-image"
        )
        audio = gr.Audio(label="Sound", type="filepath", sources=["upload", "microphone"], elem_id="ve-audio")
        video = gr.Video(label="Video", sources=["upload", "webcam"], height=210, elem_id="ve-video")
    with gr.Group(visible=False, elem_id="ve-options") as filter_box:
        options = _options(site)
    terms = html_part(elem_id="ve-terms")
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            found = html_part(html.wait("Opening the library…"), elem_id="ve-results")
            more = gr.Button("Show more", visible=False, elem_id="ve-more")

    address = html_part(elem_id="ve-address")  # the script tells it where Back and Forward lead
    media = {"picture": image, "sound": audio, "video": video}
    for part in (*media.values(), *options.values()):
        part.visible = False  # in a hidden box it is not drawn, but its script is loaded unless it is hidden itself
    usual = {name: part.value for name, part in options.items()}
    fields: dict[str, Any] = {"text": text, "image": image, "audio": audio, "video": video, **options}
    inputs: set[Any] = {examples, count, only, *fields.values()}
    outputs = [found, terms, examples, count, more, hints, only, *fields.values()]

    def answer(data: Mapping[Any, Any], changed: Mapping[str, Any], k: int = _PAGE) -> dict[Any, Any]:
        """What changes on the page. changed: fields of the form, "examples" and "only", instead of what is there."""
        now = {**data, **{part: changed[name] for name, part in states.items() if name in changed}}
        given = {name: changed.get(name, data[part]) for name, part in fields.items()}
        chosen, one = now[examples], now[only]
        told = {fields[name]: value for name, value in changed.items() if name in fields}
        told |= {states[name]: value for name, value in changed.items() if name in states}
        words = str(given["text"] or "").strip()
        if not (words or chosen.like or chosen.unlike or any(given[name] for name in _FIELDS.values())):
            body = cards.video_page(site, one) if one else cards.welcome(site)
            limits = _limits(site, Ask(), one)
            return {**told, found: body, terms: html.terms(site, (), (), (), limits), more: gr.update(visible=False)}
        broken = _unreadable(site, given)
        if broken:  # taken out again: it would stand in the way of every later search
            notes = "".join(html.error_box(error) for error in broken.values())
            return {**told, found: notes, more: gr.update(visible=False), **{fields[name]: None for name in broken}}
        body, full, limits = _answer(site, given, chosen, k, one)
        shown = [name for name, field in _FIELDS.items() if given[field]]
        chips = html.terms(site, chosen.like, chosen.unlike, shown, limits)
        return {**told, found: body, terms: chips, count: k, more: gr.update(visible=full)}

    def questioned(data: Mapping[Any, Any], changed: Mapping[str, Any]) -> Iterator[dict[Any, Any]]:
        """The answer to the words as a question, as it grows; without words as `answer`."""
        given = {name: changed.get(name, data[part]) for name, part in fields.items()}
        if not str(given["text"] or "").strip():
            yield answer(data, changed)
            return
        one = changed.get("only", data[only])
        told = {part: changed[name] for name, part in (fields | states).items() if name in changed}
        told |= {examples: Examples(), more: gr.update(visible=False)}
        try:
            asked = _filled_in(site, given, Examples(), _PAGE, one)
            told[terms] = html.terms(site, (), (), (), _limits(site, asked, one))
            for body in answered(site, asked):
                yield {**told, found: body}
        except VidembedError as error:
            yield {**told, found: html.error_box(error)}

    states = {"examples": examples, "only": only}

    def at_address(data: Mapping[Any, Any], search: str) -> dict[Any, Any]:
        """The page as an address says: the form filled in, the search made, the player opened."""
        said = from_address(search)
        form: dict[str, Any] = {name: said.get(name, usual[name]) for name in ADDRESS_FIELDS}
        form["by_video"] = said.get("by_video") == "1"
        if said.get("channels"):
            form["channels"] = [name for name in said["channels"].split(",") if name in usual["channels"]]
        form["text"], one, opened = said.get("q", ""), said.get("in", ""), said.get("v", "")
        form |= {"only": one or ("" if form["text"] else opened), "examples": Examples()}
        told = [*questioned(data, form)][-1] if said.get("ask") == "1" else answer(data, form)
        at_s = _seconds(said.get("t", "0")) if opened else None
        return {**told, found: told[found] + cards.opener(site, opened, at_s)}

    def first(data: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
        search = urlencode(dict(request.query_params)) if request is not None else ""
        ready = html.suggestions(cards.suggested(site))
        told = at_address(data, search) if search else answer(data, {})
        return {**told, hints: ready}

    def searched(data: dict[Any, Any]) -> dict[Any, Any]:
        return answer(data, {})

    def asked(data: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
        yield from questioned(data, {})

    def further(data: dict[Any, Any]) -> dict[Any, Any]:
        return answer(data, {}, min(data[count] + _PAGE, site.settings.max_results))

    def moved(data: dict[Any, Any], event: gr.EventData) -> dict[Any, Any]:
        return at_address(data, str(event._data.get("search", "")))

    def clicked(data: dict[Any, Any], event: gr.EventData) -> dict[Any, Any]:
        action, clip_id = str(event._data.get("action", "")), str(event._data.get("clip", ""))
        if action == "welcome":  # the library changed while nobody had asked anything
            told = answer(data, {})
            return {**told, hints: html.suggestions(cards.suggested(site))}
        if action == "demo":
            return {found: _begin_demo(site)}
        if action == "drop-media":
            name = str(event._data.get("media", ""))
            return answer(data, {field: None for shown, field in _FIELDS.items() if shown == name})
        if action == "drop-limit":
            field = str(event._data.get("field", ""))
            dropped = {name: usual[name] for name in usual if field in (name, "all")}
            return answer(data, {**dropped, **({"only": ""} if field in ("only", "all") else {})})
        return answer(data, {"examples": data[examples].with_(action, clip_id)})

    def suggest(data: dict[Any, Any], event: gr.EventData) -> dict[Any, Any]:
        return answer(data, {"text": str(event._data.get("text", ""))})

    def turn(label: str, button: Any, parts: Sequence[Any]) -> None:
        is_open = gr.State(False)

        def turned(shown: bool) -> list[Any]:
            named = label if shown else f"Hide {label.lower()}"
            return [not shown, named, *[gr.update(visible=not shown) for _ in parts]]

        button.click(
            turned, is_open, [is_open, button, *parts], api_visibility="private", show_progress="hidden", queue=False
        )

    turn(_MEDIA, by_media, [media_box, *media.values()])
    turn(_FILTERS, by_filter, [filter_box, *options.values()])
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "search"}
    quiet |= {"concurrency_limit": site.settings.searches_at_once, "show_progress": "minimal"}
    blocks.load(first, inputs, outputs, **(quiet | {"show_progress": "hidden"}))
    latest: dict[str, Any] = quiet | {"trigger_mode": "always_last"}  # what is asked meanwhile comes after it
    acts = [part.submit if isinstance(part, gr.Textbox) else part.input for part in options.values()]
    gr.on([go.click, text.submit, *acts], searched, inputs, outputs, **latest)
    question.click(asked, inputs, outputs, **latest)
    given = [image.upload, audio.upload, video.upload, audio.stop_recording, video.stop_recording]
    gr.on(given, searched, inputs, outputs, **latest)
    more.click(further, inputs, outputs, **quiet)
    gr.on([found.select, terms.select], clicked, inputs, outputs, **latest)
    address.select(moved, inputs, outputs, **latest)
    hints.select(suggest, inputs, outputs, **latest)


def _seconds(text: str) -> float:
    """Of an address: seconds, or a time such as 1:02; 0 for what is neither."""
    try:
        return parse_time(text, name="t") or 0.0
    except VidembedError:
        return 0.0


def _limits(site: Site, ask: Ask, only: str) -> list[tuple[str, str]]:
    """(field, what it says) of each filter, for the chips."""
    row = site.index.catalog.videos.get(only) if only else None
    return [*([("only", f"in {row.info.path.name}")] if row is not None else []), *ask.filters]


def _begin_demo(site: Site) -> str:
    from vidembed.web.library_tab import act

    try:
        act(site, "demo", {})
    except VidembedError as error:
        return html.error_box(error)
    return html.wait("The demo library is being added…")


def _options(site: Site) -> dict[str, Any]:
    """The parts for filters and channels, by the name of the `Ask` field; weights as "weight:CHANNEL"."""
    filled = site.index.parts.specs
    channels = [name for name, given in site.index.config.channels.items() if given.enabled or name in filled]
    usual = site.index.config.search.weights
    with gr.Row():
        parts: dict[str, Any] = {
            "names": gr.Textbox(label="File name has", placeholder="holiday, *.mkv", lines=1),
            "within": gr.Textbox(label="Only this stretch of each video", placeholder="0:30-2:00", lines=1),
            "without": gr.Textbox(label="Not these words", placeholder="snow", lines=1),
            "tags": gr.Textbox(label="Tags", placeholder="camera=front, year>=2020", lines=1),
        }
    with gr.Row():
        parts["at_least"] = gr.Textbox(label="Video at least", placeholder="0:30", lines=1)
        parts["at_most"] = gr.Textbox(label="Video at most", placeholder="1:00:00", lines=1)
        parts["after"] = gr.Textbox(label="File changed after", placeholder="2026-01-31", lines=1)
        parts["before"] = gr.Textbox(label="File changed before", placeholder="2026-12-31", lines=1)
    with gr.Row():
        parts["channels"] = gr.CheckboxGroup(channels, value=channels, label="Channels to search")
        parts["by_video"] = gr.Checkbox(label="At most one moment a video", value=False)
        parts["diversity"] = gr.Slider(0, 1, value=0, step=0.1, label="Variety among the answers")
    with gr.Accordion("Advanced: weights of the channels", open=False), gr.Row():
        for name in channels:
            parts[f"weight:{name}"] = gr.Slider(
                0, 3, value=float(usual.get(name, 1.0)), step=0.1, label=f"Weight of {name}"
            )
    return parts


def _unreadable(site: Site, given: Mapping[str, Any]) -> dict[str, VidembedError]:
    """Given media that cannot be searched with: field -> why, without the server's folders."""
    broken = {}
    for field in _FIELDS.values():
        if not given[field]:
            continue
        try:
            check_query(site, field, Path(given[field]))
        except VidembedError as error:
            broken[field] = error
    return broken


def _answer(
    site: Site, given: Mapping[str, Any], chosen: Examples, k: int, only: str
) -> tuple[str, bool, list[tuple[str, str]]]:
    """HTML of the answer, whether there may be more, and the filters that are set."""
    if not given["channels"] and any(name.startswith("weight:") for name in given):
        return html.notice("error", "No channel is ticked", "Tick at least one channel to search."), False, []
    limits: list[tuple[str, str]] = []
    try:
        ask = _filled_in(site, given, chosen, k, only)
        limits = _limits(site, ask, only)
        answer = run(site, ask)
    except VidembedError as error:
        return html.error_box(error), False, limits
    except Exception:  # a bug: people see that it failed, the log says why, and the old answer does not stay
        _log.exception("a search failed")
        return html.notice("error", "The search failed", "The server's log says why. Try it once more."), False, limits
    body = cards.results(site, answer, floor=site.index.config.search.min_confidence)
    return body, len(answer.moments) == k < site.settings.max_results, limits


def _filled_in(site: Site, given: Mapping[str, Any], chosen: Examples, k: int, only: str) -> Ask:
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
