"""The Search tab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.app import html
from vidembed.app.asking import Ask, run
from vidembed.app.parts import html_part
from vidembed.demo import DEMO_QUERIES
from vidembed.errors import VidembedError

if TYPE_CHECKING:
    from vidembed.app.site import Site

_PAGE = 12
_MAX_EXAMPLES = 8


@dataclass(frozen=True)
class Examples:
    """Moments given as examples. Frozen: each change makes a new one, so that sessions never share."""

    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()

    def with_(self, kind: str, clip_id: str) -> Examples:
        like = tuple(c for c in self.like if c != clip_id)
        unlike = tuple(c for c in self.unlike if c != clip_id)
        if kind == "like":
            like = (*like, clip_id)[-_MAX_EXAMPLES:]
        elif kind == "unlike":
            unlike = (*unlike, clip_id)[-_MAX_EXAMPLES:]
        return Examples(like, unlike)


def search_tab(site: Site) -> None:
    """Build the tab inside the Blocks that are open."""
    examples = gr.State(Examples())
    count = gr.State(_PAGE)
    with gr.Row(elem_classes="ve-ask", equal_height=True):
        text = gr.Textbox(
            label="What are you looking for?", placeholder="a dog jumps into a lake", lines=1, max_lines=3, scale=8,
            elem_id="ve-text", autofocus=True, show_label=False, container=False,
        )  # fmt: skip
        go = gr.Button("Search", variant="primary", scale=1, min_width=90, elem_id="ve-go")
    suggested = html_part(html.suggestions(DEMO_QUERIES), elem_id="ve-suggested")
    with gr.Accordion("Picture, sound or video", open=False, elem_id="ve-media"), gr.Row():
        image = gr.Image(
            label="Picture", type="filepath", sources=["upload", "webcam", "clipboard"], height=220, elem_id="ve-image"
        )
        audio = gr.Audio(label="Sound", type="filepath", sources=["upload", "microphone"], elem_id="ve-audio")
        video = gr.Video(label="Video", sources=["upload", "webcam"], height=220, elem_id="ve-video")
    options = _options(site)
    terms = html_part(elem_id="ve-terms")
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            found = html_part(_welcome(site), elem_id="ve-results")
            more = gr.Button("Show more", visible=False, elem_id="ve-more")

    fields: dict[str, Any] = {"text": text, "image": image, "audio": audio, "video": video, **options}
    inputs: set[Any] = {examples, count, *fields.values()}
    outputs = [found, terms, examples, count, more]

    def answer(data: Mapping[Any, Any], chosen: Examples, k: int, **changed: Any) -> list[Any]:
        given = {name: data[part] for name, part in fields.items()} | changed
        body, full = _answer(site, given, chosen, k)
        return [body, html.terms(site, chosen.like, chosen.unlike), chosen, k, gr.update(visible=full)]

    def search(data: dict[Any, Any]) -> list[Any]:
        return answer(data, data[examples], _PAGE)

    def further(data: dict[Any, Any]) -> list[Any]:
        return answer(data, data[examples], min(data[count] + _PAGE, site.settings.max_results))

    def clicked(data: dict[Any, Any], event: gr.EventData) -> list[Any]:
        action, clip_id = str(event._data.get("action", "")), str(event._data.get("clip", ""))
        return answer(data, data[examples].with_(action, clip_id), _PAGE)

    def suggest(data: dict[Any, Any], event: gr.EventData) -> list[Any]:
        words = str(event._data.get("text", ""))
        return [*answer(data, data[examples], _PAGE, text=words), words]

    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "search"}
    quiet |= {"concurrency_limit": site.settings.searches_at_once, "show_progress": "minimal"}
    gr.on([go.click, text.submit], search, inputs, outputs, **quiet)
    given = [image.upload, audio.upload, video.upload, audio.stop_recording, video.stop_recording]
    gr.on(given, search, inputs, outputs, **quiet)
    more.click(further, inputs, outputs, **quiet)
    found.select(clicked, inputs, outputs, **quiet)
    terms.select(clicked, inputs, outputs, **quiet)
    suggested.select(suggest, inputs, [*outputs, text], **quiet)


def _options(site: Site) -> dict[str, Any]:
    """The parts for filters and lanes, by the name of the `Ask` field; weights as "weight:LANE"."""
    lanes = [name for name, given in site.index.config.channels.items() if given.enabled or name in site.index.lanes]
    usual = site.index.config.search.weights
    with gr.Accordion("Filters and lanes", open=False, elem_id="ve-options"):
        with gr.Row():
            parts: dict[str, Any] = {
                "names": gr.Textbox(label="File name has", placeholder="holiday, *.mkv", lines=1),
                "within": gr.Textbox(label="Only this stretch of each video", placeholder="0:30-2:00", lines=1),
                "without": gr.Textbox(label="Not these words", placeholder="snow", lines=1),
            }
        with gr.Row():
            parts["min_duration_s"] = gr.Number(label="Video at least (seconds)", value=None, minimum=0)
            parts["max_duration_s"] = gr.Number(label="Video at most (seconds)", value=None, minimum=0)
            parts["after"] = gr.Textbox(label="File changed after", placeholder="2026-01-31", lines=1)
            parts["before"] = gr.Textbox(label="File changed before", placeholder="2026-12-31", lines=1)
        with gr.Row():
            parts["lanes"] = gr.CheckboxGroup(lanes, value=lanes, label="Lanes to search")
            parts["by_video"] = gr.Checkbox(label="At most one moment a video", value=False)
            parts["diversity"] = gr.Slider(0, 1, value=0, step=0.1, label="Variety among the answers")
        with gr.Row():
            for name in lanes:
                parts[f"weight:{name}"] = gr.Slider(
                    0, 3, value=float(usual.get(name, 1.0)), step=0.1, label=f"Weight of {name}"
                )
    return parts


def _answer(site: Site, given: Mapping[str, Any], chosen: Examples, k: int) -> tuple[str, bool]:
    """HTML of the answer, and whether there may be more."""
    weights = {name.partition(":")[2]: value for name, value in given.items() if name.startswith("weight:")}
    plain = {name: value for name, value in given.items() if not name.startswith("weight:") and value is not None}
    lanes = plain.pop("lanes", [])
    everything = len(lanes) == len(weights)  # all lanes: the search chooses those that understand the query
    usual = site.index.config.search.weights
    changed = {name: float(value) for name, value in weights.items() if float(value) != float(usual.get(name, 1.0))}
    try:
        ask = Ask(
            **plain, like=chosen.like, unlike=chosen.unlike, k=k,
            lanes=() if everything else tuple(lanes),
            weights={name: value for name, value in changed.items() if everything or name in lanes},
        )  # fmt: skip
        answer = run(site, ask)
    except VidembedError as error:
        return html.error_box(error), False
    body = html.results(site, answer, floor=site.index.config.search.min_confidence)
    return body, len(answer.moments) == k < site.settings.max_results


def _welcome(site: Site) -> str:
    facts = site.index.info()
    if not facts.clips:
        return html.empty(
            "The library is empty", "Open the Library tab to add videos, or the demo library with one click."
        )
    return html.empty(
        f"{facts.videos} videos, {facts.clips} clips", "Say what the moment shows or how it sounds, in plain words."
    )
