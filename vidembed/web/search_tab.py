"""The Search tab."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.errors import VidembedError
from vidembed.types import parse_time
from vidembed.web import cards, html
from vidembed.web.answer_view import answered
from vidembed.web.asking import ADDRESS_FIELDS, Ask, filter_of, from_address, run, wrong_fields
from vidembed.web.html import html_part
from vidembed.web.search_form import (
    DATES,
    MAX_EXAMPLES,
    MEDIA_FIELDS,
    Examples,
    dates_of,
    filled_in,
    filter_parts,
    limits_of,
    marked_field,
    step_parts,
    unreadable_media,
)

if TYPE_CHECKING:
    from vidembed.web.site import Site

_log = logging.getLogger(__name__)
PLACEHOLDER = "A dog jumps into a lake"
_PAGE = 12
_MEDIA, _THEN, _FILTERS = "Picture, sound, video", "What comes next", "Filters"


class Turns:
    """What one visitor asked, counted: of two answers under way the one asked for last is shown."""

    def __init__(self) -> None:
        self._last = self._number = 0

    @property
    def asked(self) -> bool:
        """Whether anything was asked yet."""
        return self._last > 0

    def next(self, number: object = None) -> int:
        """A question begins; its turn, 0 where the page asked it before one that has begun.

        number: what the page counts its clicks by; the server may take up the second of two first.
        """
        if isinstance(number, int):
            if number < self._number:
                return 0
            self._number = number
        self._last += 1
        return self._last

    def is_last(self, turn: int) -> bool:
        """Whether nothing was asked since."""
        return turn == self._last


def search_tab(site: Site, blocks: gr.Blocks) -> None:
    """Build the tab inside the Blocks that are open."""
    turns = gr.State(Turns())
    examples = gr.State(Examples())
    count = gr.State(_PAGE)
    only = gr.State("")  # the one video that is searched
    region = gr.State("")  # the part of a picture that is searched for
    wrong = gr.State(())  # (field, what is wrong with it) of those that cannot be read
    dates = gr.State(("",) * len(DATES))  # that were searched last
    with gr.Row(elem_classes="ve-ask", equal_height=True):
        text = gr.Textbox(
            label="What are you looking for?", placeholder=PLACEHOLDER, lines=1, max_lines=3, scale=8,
            elem_id="ve-text", autofocus=True, show_label=False, container=False,
        )  # fmt: skip
        go = gr.Button("Search", variant="primary", scale=0, min_width=96, elem_id="ve-go")
        question = gr.Button("Ask", scale=0, min_width=64, elem_id="ve-question")
    with gr.Row(elem_classes="ve-tools"):
        by_media = gr.Button(_MEDIA, size="sm", scale=0, min_width=90, elem_id="ve-media-open", elem_classes="ve-tool")
        by_step = gr.Button(_THEN, size="sm", scale=0, min_width=90, elem_id="ve-then-open", elem_classes="ve-tool")
        by_filter = gr.Button(_FILTERS, size="sm", scale=0, min_width=90, elem_id="ve-options-open",
                              elem_classes="ve-tool")  # fmt: skip
        hints = html_part(elem_id="ve-suggested")
    with gr.Column(visible=False, elem_id="ve-media") as media_box, gr.Row():
        image = gr.Image(
            label="Picture", type="filepath", sources=["upload", "webcam", "clipboard"], height=210, elem_id="ve-image"
        )
        audio = gr.Audio(label="Sound", type="filepath", sources=["upload", "microphone"], elem_id="ve-audio")
        video = gr.Video(label="Video", sources=["upload", "webcam"], height=210, elem_id="ve-video")
    with gr.Group(visible=False, elem_id="ve-then") as step_box:
        steps = step_parts()
    with gr.Group(visible=False, elem_id="ve-options") as filter_box:
        filters = filter_parts(site)
    options = steps | filters
    terms = html_part(elem_id="ve-terms")
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            said = html_part(elem_id="ve-search-said")
            found = html_part(html.wait("Opening the library…"), elem_id="ve-results")

    address = html_part(elem_id="ve-address")  # the script tells it where Back and Forward lead
    media = {"picture": image, "sound": audio, "video": video}
    for part in (*media.values(), *options.values()):
        part.visible = False  # in a hidden box it is not drawn, but its script is loaded unless it is hidden itself
    usual = {name: part.value or "" if name in ADDRESS_FIELDS else part.value for name, part in options.items()}
    fields: dict[str, Any] = {"text": text, "image": image, "audio": audio, "video": video, **options}
    states = {"examples": examples, "only": only, "region": region, "wrong": wrong, "dates": dates}
    inputs: set[Any] = {count, turns, *states.values(), *fields.values()}
    # Gradio makes each output that an answer leaves as it is again, thrice the work of the search: most have few.
    answers = [found, terms, count, *states.values()]
    outputs = [*answers, said, hints, *fields.values()]

    def in_turn(handler: Callable[..., dict[Any, Any]]) -> Callable[..., dict[Any, Any]]:
        """The handler, whose answer changes nothing where another was asked for meanwhile; what was done is told."""

        @wraps(handler)
        def handled(data: Mapping[Any, Any], *rest: Any) -> dict[Any, Any]:
            turn = data[turns].next(*[event._data.get("number") for event in rest])
            told = handler(data, *rest)
            late: dict[Any, Any] = {part: value for part, value in told.items() if part is said}
            return told if data[turns].is_last(turn) else late or {count: gr.skip()}

        return handled

    def filled(data: Mapping[Any, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of the form and of `states`, by name."""
        given = {name: changed.get(name, data[part]) for name, part in (fields | states).items()}
        return given | {name: html.file_of(given[name]) for name in MEDIA_FIELDS.values()}

    def answer(data: Mapping[Any, Any], changed: Mapping[str, Any], k: int = _PAGE) -> dict[Any, Any]:
        """What changes on the page. changed: fields of the form and of `states`, instead of what is there."""
        given = filled(data, changed)
        told = {(fields | states)[name]: value for name, value in changed.items()}
        chosen, one, _, _ = (given.pop(name) for name in ("examples", "only", "wrong", "dates"))
        told |= {dates: dates_of(given), count: k}
        words = str(given["text"] or "").strip()
        marks: tuple[tuple[str, str], ...] = ()
        if not (
            words or chosen.like or chosen.unlike or given["region"] or any(given[n] for n in MEDIA_FIELDS.values())
        ):
            body, limits = _browsed(site, given, k, one)
        else:
            marks = tuple((name, error.sentences) for name, error in wrong_fields(site, given).items())
            broken = unreadable_media(site, given)
            body, limits = "".join(html.error_box(error) for error in broken.values()), []
            marks += tuple((name, "") for name in broken)  # taken out: they would stand in the way of later searches
            if not broken:
                body, limits = _answer(site, given, chosen, k, one)
        if marks != tuple(data[wrong]):
            body += "<span hidden data-marks></span>"  # the script has the fields marked
        shown = [name for name, field in MEDIA_FIELDS.items() if given[field]]
        chips = html.terms(site, chosen.like, chosen.unlike, shown, limits, given["region"])
        return {**told, found: body, terms: chips, wrong: marks}

    def mark(marks: Sequence[tuple[str, str]]) -> dict[Any, Any]:
        """What is wrong with a field beside it; a picture, sound or video that cannot be read goes."""
        said = dict(marks)
        gone = {fields[name]: None for name in said if name in MEDIA_FIELDS.values()}
        return gone | {fields[name]: marked_field(said.get(name, "")) for name in ADDRESS_FIELDS}

    def questioned(data: Mapping[Any, Any], changed: Mapping[str, Any]) -> Iterator[dict[Any, Any]]:
        """The answer to the words as a question, as it grows; without words as `answer`."""
        given = {name: value for name, value in filled(data, changed).items() if name in fields}
        if not str(given["text"] or "").strip():
            yield answer(data, changed)
            return
        one = changed.get("only", data[only])
        told = {part: changed[name] for name, part in (fields | states).items() if name in changed}
        told[examples] = Examples()
        try:
            asked = filled_in(site, given, Examples(), _PAGE, one)
            told[terms] = html.terms(site, (), (), (), limits_of(site, asked, one))
            for body in answered(site, asked):
                yield {**told, found: body}
        except VidembedError as error:
            yield {**told, found: html.error_box(error)}

    def at_address(data: Mapping[Any, Any], search: str) -> dict[Any, Any]:
        """The page as an address says: the form filled in, the search made, the player opened."""
        said = from_address(search)
        form: dict[str, Any] = {name: said.get(name, usual[name]) for name in ADDRESS_FIELDS}
        form["by_video"] = said.get("by_video") == "1"
        if said.get("channels"):
            form["channels"] = [name for name in said["channels"].split(",") if name in usual["channels"]]
        form["text"], opened = said.get("q", ""), said.get("v", "")
        form |= {"only": said.get("in", ""), "region": said.get("region", ""), "examples": Examples()}
        told = [*questioned(data, form)][-1] if said.get("ask") == "1" else answer(data, form)
        if opened and not any(form[name] for name in ("text", "only", "region")):
            told[found] = cards.video_page(site, opened, alone=False)  # the next search is over everything
        at_s = _seconds(said.get("t", "0")) if opened else None
        return {**told, found: told[found] + cards.opener(site, opened, at_s)}

    def first(data: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """The library, unless something was asked meanwhile; an address with a search is asked for by the script."""
        ready = {hints: html.suggestions(cards.suggested(site))}
        if data[turns].asked or (request is not None and request.query_params):
            return ready
        told = answer(data, {})
        return ready if data[turns].asked else {**told, **ready}

    @in_turn
    def searched(data: dict[Any, Any]) -> dict[Any, Any]:
        return answer(data, {})

    def dated(data: dict[Any, Any]) -> dict[Any, Any]:
        """A date field reports a change also when it is drawn and when the page itself fills it in."""
        given = {name: data[fields[name]] for name in DATES}
        return answer(data, {}) if dates_of(given) != tuple(data[dates]) else {count: data[count]}

    def asked(data: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
        yield from questioned(data, {})

    @in_turn
    def moved(data: dict[Any, Any], event: gr.EventData) -> dict[Any, Any]:
        if event._data.get("action") == "region":
            nothing = {"text": "", "examples": Examples(), **dict.fromkeys(MEDIA_FIELDS.values())}
            return answer(data, {**nothing, "region": str(event._data.get("region", ""))})
        return at_address(data, str(event._data.get("search", "")))

    @in_turn
    def clicked(data: dict[Any, Any], event: gr.EventData) -> dict[Any, Any]:
        action, clip_id = str(event._data.get("action", "")), str(event._data.get("clip", ""))
        if action == "welcome":  # the library changed while nobody had asked anything
            told = answer(data, {})
            return {**told, hints: html.suggestions(cards.suggested(site))}
        if action == "demo":
            return {found: _begin_demo(site)}
        if action == "facet":
            tags = ", ".join(filter(None, (str(data[fields["tags"]] or "").strip(), str(event._data.get("tag", "")))))
            return answer(data, {"tags": tags})
        if action == "more":
            return answer(data, {}, min(data[count] + _PAGE, site.settings.max_results))
        if action in ("tag", "untag", "tag-chosen", "caption-chosen"):
            return {said: _acted(site, action, dict(event._data)), **(answer(data, {}) if "tag" in action else {})}
        if action == "drop-media":
            name = str(event._data.get("media", ""))
            return answer(data, {field: None for shown, field in MEDIA_FIELDS.items() if shown == name})
        if action == "drop-limit":
            field = str(event._data.get("field", ""))
            dropped = {name: usual[name] for name in usual if field in (name, "all")}
            dropped |= {name: "" for name in ("only", "region") if field in (name, "all")}
            return answer(data, dropped)
        chosen = data[examples]
        for one in clip_id.split(",")[:MAX_EXAMPLES]:
            chosen = chosen.with_(action, one)
        return answer(data, {"examples": chosen})

    @in_turn
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
    turn(_THEN, by_step, [step_box, *steps.values()])
    turn(_FILTERS, by_filter, [filter_box, *filters.values()])
    # Past gradio's queue: its answers wait for a loop and a stream of events; `run` lets few search at once. Texts and
    # numbers come as they are: gradio would look at each of the fields in a thread of its own.
    quiet: dict[str, Any] = {
        "api_visibility": "private", "queue": False, "show_progress": "minimal", "preprocess": False,
    }  # fmt: skip
    blocks.load(first, inputs, [*answers, hints], **(quiet | {"show_progress": "hidden"}))
    blocks.load(None, js="() => window.vidembed.linked()")
    latest: dict[str, Any] = quiet | {"trigger_mode": "always_last"}  # what is asked meanwhile comes after it
    acts = [part.submit if isinstance(part, gr.Textbox) else part.input
            for name, part in options.items() if name not in DATES]  # fmt: skip
    gr.on([fields[name].change for name in DATES], dated, inputs, answers, **latest)
    gr.on([go.click, text.submit, *acts], searched, inputs, answers, **latest)
    question.click(asked, inputs, outputs, **(latest | {"queue": True, "concurrency_id": "question"}))
    given = [image.upload, audio.upload, video.upload, audio.stop_recording, video.stop_recording]
    gr.on(given, searched, inputs, answers, **latest)
    # With `always_last` gradio repeats the data of the first click instead of sending the last one's.
    each: dict[str, Any] = quiet | {"trigger_mode": "multiple"}
    gr.on([found.select, terms.select], clicked, inputs, outputs, **each)
    address.select(moved, inputs, outputs, **each)
    said.select(mark, wrong, list(fields.values()), **each)
    hints.select(suggest, inputs, [*answers, text], **each)


def _seconds(text: str) -> float:
    """Of an address: seconds, or a time such as 1:02; 0 for what is neither."""
    try:
        return parse_time(text, name="t") or 0.0
    except VidembedError:
        return 0.0


def _begin_demo(site: Site) -> str:
    return _acted(site, "demo", {}) or html.wait("The demo library is being added…")


def _acted(site: Site, action: str, given: dict[str, Any]) -> str:
    """Do what the Library does; HTML of what to tell."""
    from vidembed.web.library_tab import act

    try:
        return act(site, action, given)
    except VidembedError as error:
        return html.error_box(error)


def _browsed(site: Site, given: Mapping[str, Any], k: int, only: str) -> tuple[str, list[tuple[str, str]]]:
    """What is there before anybody asks: one video, or those that the filters allow; and the filters that are set."""
    if only:
        return cards.video_page(site, only), limits_of(site, Ask(), only)
    ask = filled_in(site, given, Examples(), k, "")
    try:
        body = cards.welcome(site, filter_of(ask), address=ask.address, tags=ask.tags)
    except VidembedError as error:
        body = html.error_box(error)
    return body, limits_of(site, ask, "")


def _answer(
    site: Site, given: Mapping[str, Any], chosen: Examples, k: int, only: str
) -> tuple[str, list[tuple[str, str]]]:
    """HTML of the answer, and the filters that are set."""
    if not given["channels"] and any(name.startswith("weight:") for name in given):
        return html.notice("error", "No channel is ticked", "Tick at least one channel to search."), []
    limits: list[tuple[str, str]] = []
    try:
        ask = filled_in(site, given, chosen, k, only)
        limits = limits_of(site, ask, only)
        answer = run(site, ask)
    except VidembedError as error:
        return html.error_box(error), limits
    except Exception:  # a bug: people see that it failed, the log says why, and the old answer does not stay
        _log.exception("a search failed")
        return html.notice("error", "The search failed", "The server's log says why. Try it once more."), limits
    body = cards.results(site, answer, floor=site.index.config.search.min_confidence)
    full = len(answer.chains) == k < site.settings.max_results
    return body + (html.button("Show more", "more", kind="ve-more") if full else ""), limits
