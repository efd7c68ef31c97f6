"""The Search tab."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.errors import VidembedError
from vidembed.web import cards, html
from vidembed.web.asking import Ask, check_query, run
from vidembed.web.html import html_part

if TYPE_CHECKING:
    from vidembed.web.site import Site

_log = logging.getLogger(__name__)
PLACEHOLDER = "Describe the moment: a dog jumps into a lake"
_PAGE = 12
_MAX_EXAMPLES = 8
_MAX_LINK = 500  # characters of a query in the page's address
_MEDIA, _FILTERS = "Picture, sound, video", "Filters and channels"
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


def _as_uploaded(payload: Any) -> str | None:
    """The file of a picture. Gradio's own opens it before anybody can say what is wrong with it; the search does."""
    return None if payload is None else str(payload.path)


def search_tab(site: Site, blocks: gr.Blocks) -> None:
    """Build the tab inside the Blocks that are open."""
    examples = gr.State(Examples())
    count = gr.State(_PAGE)
    with gr.Row(elem_classes="ve-ask", equal_height=True):
        text = gr.Textbox(
            label="What are you looking for?", placeholder=PLACEHOLDER, lines=1, max_lines=3, scale=8,
            elem_id="ve-text", autofocus=True, show_label=False, container=False,
        )  # fmt: skip
        go = gr.Button("Search", variant="primary", scale=0, min_width=96, elem_id="ve-go")
    with gr.Row(elem_classes="ve-tools"):
        by_media = gr.Button(_MEDIA, size="sm", scale=0, min_width=90, elem_id="ve-media-open", elem_classes="ve-tool")
        by_filter = gr.Button(_FILTERS, size="sm", scale=0, min_width=90, elem_id="ve-options-open",
                              elem_classes="ve-tool")  # fmt: skip
        hints = html_part(elem_id="ve-suggested")
    with gr.Column(visible=False, elem_id="ve-media") as media_box, gr.Row():
        image = gr.Image(
            label="Picture", type="filepath", sources=["upload", "webcam", "clipboard"], height=210, elem_id="ve-image"
        )
        image.preprocess = _as_uploaded  # type: ignore[method-assign, assignment]
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

    media = {"picture": image, "sound": audio, "video": video}
    for part in (*media.values(), *options.values()):
        part.visible = False  # in a hidden box it is not drawn, but its script is loaded unless it is hidden itself
    fields: dict[str, Any] = {"text": text, "image": image, "audio": audio, "video": video, **options}
    inputs: set[Any] = {examples, count, *fields.values()}
    outputs = [found, terms, examples, count, more, hints, *media.values()]
    kept = [gr.skip()] * len(media)

    def answer(data: Mapping[Any, Any], chosen: Examples, k: int, **changed: Any) -> list[Any]:
        given = {name: data[part] for name, part in fields.items()} | changed
        if not asks(data, chosen, **changed):
            return [cards.welcome(site), "", chosen, k, gr.update(visible=False), gr.skip(), *kept]
        broken = _unreadable(site, given)
        if broken:  # taken out again: it would stand in the way of every later search
            cleared = [None if _FIELDS[name] in broken else gr.skip() for name in media]
            notes = "".join(html.error_box(error) for error in broken.values())
            return [notes, gr.skip(), chosen, k, gr.update(visible=False), gr.skip(), *cleared]
        body, full = _answer(site, given, chosen, k)
        shown = [name for name, field in _FIELDS.items() if given[field]]
        terms_now = html.terms(site, chosen.like, chosen.unlike, shown)
        return [body, terms_now, chosen, k, gr.update(visible=full), gr.skip(), *kept]

    def first(data: dict[Any, Any], request: gr.Request) -> list[Any]:
        words = str(request.query_params.get("q", ""))[:_MAX_LINK] if request is not None else ""
        ready = html.suggestions(cards.suggested(site))
        if words.strip():
            said = answer(data, Examples(), _PAGE, text=words)
            said[outputs.index(hints)] = ready
            return [*said, words]
        return [cards.welcome(site), "", Examples(), _PAGE, gr.update(visible=False), ready, *kept, gr.skip()]

    def search(data: dict[Any, Any]) -> list[Any]:
        return answer(data, data[examples], _PAGE)

    def further(data: dict[Any, Any]) -> list[Any]:
        return answer(data, data[examples], min(data[count] + _PAGE, site.settings.max_results))

    def clicked(data: dict[Any, Any], event: gr.EventData) -> list[Any]:
        action, clip_id = str(event._data.get("action", "")), str(event._data.get("clip", ""))
        if action == "welcome":  # the library changed while nobody had asked anything
            if asks(data, data[examples]):
                return [gr.skip()] * len(outputs)
            ready = html.suggestions(cards.suggested(site))
            return [cards.welcome(site), *[gr.skip()] * 4, ready, *kept]
        if action == "demo":
            return [_begin_demo(site), *[gr.skip()] * 5, *kept]
        if action == "drop-media":
            name = str(event._data.get("media", ""))
            without = {field: None for shown, field in _FIELDS.items() if shown == name}
            cleared = [None if shown == name else gr.skip() for shown in media]
            return [*answer(data, data[examples], _PAGE, **without)[: -len(kept)], *cleared]
        return answer(data, data[examples].with_(action, clip_id), _PAGE)

    def asks(data: Mapping[Any, Any], chosen: Examples, **changed: Any) -> bool:
        given = {name: data[part] for name, part in fields.items()} | changed
        words = str(given["text"] or "").strip()
        return bool(words or chosen.like or chosen.unlike or any(given[name] for name in _FIELDS.values()))

    def suggest(data: dict[Any, Any], event: gr.EventData) -> list[Any]:
        words = str(event._data.get("text", ""))
        return [*answer(data, data[examples], _PAGE, text=words), words]

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
    blocks.load(first, inputs, [*outputs, text], **(quiet | {"show_progress": "hidden"}))
    latest: dict[str, Any] = quiet | {"trigger_mode": "always_last"}  # what is asked meanwhile comes after it
    gr.on([go.click, text.submit], search, inputs, outputs, **latest)
    given = [image.upload, audio.upload, video.upload, audio.stop_recording, video.stop_recording]
    gr.on(given, search, inputs, outputs, **latest)
    more.click(further, inputs, outputs, **quiet)
    gr.on([found.select, terms.select], clicked, inputs, outputs, **latest)
    hints.select(suggest, inputs, [*outputs, text], **latest)


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
    with gr.Row():
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


def _answer(site: Site, given: Mapping[str, Any], chosen: Examples, k: int) -> tuple[str, bool]:
    """HTML of the answer, and whether there may be more."""
    weights = {name.partition(":")[2]: value for name, value in given.items() if name.startswith("weight:")}
    plain = {name: value for name, value in given.items() if not name.startswith("weight:") and value is not None}
    channels = plain.pop("channels", [])
    if not channels and weights:
        return html.notice("error", "No channel is ticked", "Tick at least one channel to search."), False
    everything = len(channels) == len(weights)  # all channels: the search chooses those that understand the query
    usual = site.index.config.search.weights
    changed = {name: float(value) for name, value in weights.items() if float(value) != float(usual.get(name, 1.0))}
    try:
        ask = Ask(
            **plain, like=chosen.like, unlike=chosen.unlike, k=k,
            channels=() if everything else tuple(channels),
            weights={name: value for name, value in changed.items() if everything or name in channels},
        )  # fmt: skip
        answer = run(site, ask)
    except VidembedError as error:
        return html.error_box(error), False
    except Exception:  # a bug: people see that it failed, the log says why, and the old answer does not stay
        _log.exception("a search failed")
        return html.notice("error", "The search failed", "The server's log says why. Try it once more."), False
    body = cards.results(site, answer, floor=site.index.config.search.min_confidence)
    return body, len(answer.moments) == k < site.settings.max_results
