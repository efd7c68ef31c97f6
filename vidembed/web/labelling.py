"""Tags from a person's own words: what has a label is shown, accepted or rejected by key, then kept as tags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.errors import InputError, VidembedError
from vidembed.index.classifying import LabelExample, Labelled
from vidembed.media.remote import name_of
from vidembed.web import html
from vidembed.web.html import count, e, html_part

if TYPE_CHECKING:
    from vidembed.web.site import Site

_SHOWN = 24  # stretches of one label
_VERDICTS = {"accept": True, "reject": False}
Examples = tuple[LabelExample, ...]


def labelling_part(site: Site) -> Any:
    """Build it inside the Blocks that are open. Returns the event after which tags may have changed."""
    with gr.Accordion("Tag by your own words", open=False, elem_id="ve-labelling"):
        with gr.Row(elem_classes="ve-form", equal_height=True):
            words = gr.Textbox(label="Labels, one a line", lines=3, placeholder="a dog\na cat", scale=4,
                               elem_id="ve-labels")  # fmt: skip
            name = gr.Textbox(label="Name of the tag", value="label", lines=1, scale=2, min_width=120)
            one = gr.Checkbox(label="At most one for a clip", value=False, scale=2, min_width=160)
            go = gr.Button("Find", scale=0, min_width=90, elem_id="ve-labels-go")
        told = html_part(elem_id="ve-label-told")
        found = html_part(elem_id="ve-labelled")
    examples = gr.State(())
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}

    def find(text: str, tag: str, single: bool, known: Examples) -> list[str]:
        try:
            return ["", labelled_html(site, labels_of(text, tag, one=single), known)]
        except VidembedError as error:
            return [html.error_box(error), ""]

    def clicked(text: str, tag: str, single: bool, known: Examples, event: gr.EventData) -> list[Any]:
        action = str(event._data.get("action", ""))
        try:
            if action == "save-labels":
                return [save_labels(site, labels_of(text, tag, one=single), known), known]
            known = judged(known, action, str(event._data.get("tag", "")), str(event._data.get("clip", "")))
        except VidembedError as error:
            return [html.error_box(error), known]
        accepted = sum(one.accepted for one in known)
        said = f"{accepted} accepted, {len(known) - accepted} rejected. Find again to have the labels learn from them."
        return [html.notice("info", said), known]

    form = [words, name, one, examples]
    go.click(find, form, [told, found], **quiet)
    # One after the other: a second verdict must know the first.
    return found.select(
        clicked, form, [told, examples], trigger_mode="multiple", concurrency_limit=1, concurrency_id="labels", **quiet
    )


def labels_of(text: str, tag: str, *, one: bool) -> dict[str, Any]:
    """What somebody typed, as `VideoIndex.classify` takes it. Raises InputError where there is no label."""
    lines = list(dict.fromkeys(" ".join(line.split()) for line in text.splitlines() if line.strip()))
    if not lines:
        raise InputError("no labels yet", hint="write what you look for, one a line")
    return {tag.strip() or "label": {"one_of" if one else "several": lines}}


def judged(known: Examples, action: str, label: str, clip_id: str) -> Examples:
    """The examples with one more, in place of what was said of the clip and label before."""
    if action not in _VERDICTS or not clip_id:
        raise InputError(f"unknown action {action!r}")
    others = (one for one in known if (one.label, one.clip_id) != (label, clip_id))
    return (*others, LabelExample(label, clip_id, accepted=_VERDICTS[action]))


def save_labels(site: Site, labels: dict[str, Any], known: Examples) -> str:
    """Keep the labels as tags, now or after what runs; HTML of what to tell."""
    site.check_writable()
    tag = next(iter(labels))

    def change() -> None:
        site.index.classify(labels, examples=_of(labels, known), save=True)

    at_once = site.jobs.soon("Tagging", f"tagged {tag}", change)
    if not at_once:
        return html.notice("info", f"The tag {tag} is kept when the running work is done")
    held = site.index.catalog.tags.counts().get(tag, {})
    facets = ", ".join(f"{value}: {count(videos, 'video')}" for value, videos in held.items())
    return html.notice("good", f"Kept as the tag {tag}", facets or "No video has any of these labels.")


def labelled_html(site: Site, labels: dict[str, Any], known: Examples) -> str:
    """The stretches that have a label, surest first, each with a button to accept and one to reject it."""
    examples = _of(labels, known)
    found = site.index.classify(labels, examples=examples)
    if not found:
        return html.empty("Nothing has these labels", "Try other words, or accept some clips of a search first.")
    said = {(one.label, one.clip_id): one.accepted for one in examples}
    order = {label: place for place, label in enumerate(next(iter(next(iter(labels.values())).values())))}
    body = ""
    for label, ones in groupby(sorted(found, key=lambda one: (order[one.label], -one.confidence)), lambda o: o.label):
        stretches = list(ones)
        cards = "".join(_card(site, one, said) for one in stretches[:_SHOWN])
        body += f'<h2 class="ve-less">{e(label)} <span>{len(stretches)}</span></h2>'
        body += f'<div class="ve-grid ve-small" role="list">{cards}</div>'
    keep = "" if site.readonly else html.button("Keep as tags", "save-labels", kind="ve-primary")
    keys = "<kbd>A</kbd> accepts the one that plays, <kbd>X</kbd> rejects it"
    videos = count(len({one.video_id for one in found}), "video")
    head = f'<span role="status">{count(len(found), "stretch", "stretches")} in {videos}. {keys}.</span>{keep}'
    return f'<div class="ve-bar">{head}</div>{body}'


def _card(site: Site, one: Labelled, said: dict[tuple[str, str], bool]) -> str:
    row = site.index.catalog.videos.get(one.video_id)
    if row is None:  # taken out meanwhile
        return ""
    clip_id = next((each for each in one.clip_ids if site.index.clip(each).span.contains(one.best_s)), one.clip_ids[0])
    badge = f'<span class="ve-conf">{one.confidence:.0%}</span>'
    verdict = next((said[key] for key in ((one.label, each) for each in one.clip_ids) if key in said), None)
    mark = {True: " ve-accepted", False: " ve-rejected", None: ""}[verdict]
    name = name_of(one.path)
    buttons = "".join(
        html.button(sign, action, kind="ve-quiet", tag=one.label, clip=clip_id,
                    title=f"{action.capitalize()}: {name} as {one.label}")
        for action, sign in (("accept", "✓ Accept"), ("reject", "✕ Reject"))
    )  # fmt: skip
    return (
        f'<article class="ve-card{mark}" role="listitem">'
        f"{html.play_button(site, row.info, one.span, clip_id, best_s=one.best_s, badge=badge)}"
        f'<div class="ve-body"><div class="ve-file" title="{e(name)}">{e(html.middle(name))}</div>'
        f'<div class="ve-actions">{buttons}</div></div></article>'
    )


def _of(labels: dict[str, Any], known: Sequence[LabelExample]) -> list[LabelExample]:
    """The examples of labels that are asked for."""
    names = {name for group in labels.values() for asked in group.values() for name in asked}
    return [one for one in known if one.label in names]
