"""The Captions tab: let a model write, read along, correct by hand, take the subtitles away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.captions.by_hand import MAX_CHARACTERS
from vidembed.errors import VidembedError
from vidembed.media.remote import name_of
from vidembed.types import Caption, Clip, VideoInfo
from vidembed.web import html
from vidembed.web.captioning import SUBTITLES, caption_videos, edit
from vidembed.web.cards import empty_library
from vidembed.web.changes import delete_caption, revert_caption
from vidembed.web.html import count, e, html_part, times
from vidembed.web.library_tab import act
from vidembed.web.library_view import jobs_html

if TYPE_CHECKING:
    from vidembed.web.site import Site


_LINES = 200
_PLAIN = ("starter", "toy", "retrieval")  # captioners that take no prompt
_TICK_S = 1.5
_TAKEN_BACK = {"revert": revert_caption, "delete": delete_caption}


def captions_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open."""
    usual = site.index.config.caption.model
    with gr.Row(elem_classes="ve-form", equal_height=True):
        videos = gr.Dropdown(
            [], label="Videos", multiselect=True, max_choices=50, scale=4, min_width=260, elem_id="ve-caption-videos"
        )
        model = gr.Dropdown(_models(site), label="Model that writes", value=usual, scale=2, min_width=200)
        style = gr.Textbox(label="Style, in your words", lines=1, scale=3, visible=_takes_style(usual),
                           placeholder="one short sentence, present tense")  # fmt: skip
        go = gr.Button("Write captions", variant="primary", scale=0, min_width=180, interactive=not site.readonly,
                       elem_id="ve-caption-go")  # fmt: skip
    said = html_part(elem_id="ve-caption-said")
    jobs = html_part(elem_id="ve-caption-jobs")
    with gr.Row(elem_classes="ve-stage"):
        with gr.Column(elem_classes="ve-side"):
            html_part(html.PLAYER)
        with gr.Column(elem_classes="ve-main"):
            lines = html_part(lines_html(site, []), elem_id="ve-lines")
    seen = gr.State("")
    timer = gr.Timer(_TICK_S, active=False)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    def opened(chosen: list[str] | None) -> list[Any]:
        choices = _choices(site)
        kept = [video_id for video_id in chosen or [] if video_id in {value for _, value in choices}]
        return [gr.Dropdown(choices=choices, value=kept), lines_html(site, kept), gr.Timer(active=site.jobs.busy)]

    def start(chosen: list[str] | None, name: str, words: str) -> list[Any]:
        try:
            prompt = words.strip() if _takes_style(name) else ""
            caption_videos(site, chosen or [], model=name, prompt=prompt)
        except VidembedError as error:
            return [html.error_box(error), gr.skip(), gr.skip()]
        return ["", jobs_html(site), gr.Timer(active=True)]

    def tick(chosen: list[str] | None, key: str) -> list[Any]:
        now = f"{len(site.index.captions())}/{site.jobs.busy}"
        body = gr.skip() if now == key else lines_html(site, chosen or [])
        return [jobs_html(site), body, now, gr.Timer(active=site.jobs.busy)]

    def clicked(chosen: list[str] | None, event: gr.EventData) -> list[Any]:
        data = dict(event._data)
        text, told = "", {}
        try:
            if data.get("action") == "save":
                caption, at_once = edit(site, str(data.get("clip", "")), str(data.get("text", "")))
                told[caption.clip.clip_id] = "Saved" if at_once else "Saved when the running work is done"
            elif data.get("action") in _TAKEN_BACK:
                text = _TAKEN_BACK[str(data["action"])](site, str(data.get("clip", "")))
            else:
                text = act(site, str(data.get("action", "")), data)
        except VidembedError as error:
            return [html.error_box(error), gr.skip(), gr.skip()]
        return [text, lines_html(site, chosen or [], told), jobs_html(site)]

    tab.select(opened, videos, [videos, lines, timer], **quiet)
    model.change(lambda name: gr.update(visible=_takes_style(name)), model, style, **quiet)
    # The dropdown reports itself empty when it is first drawn, maybe after `opened` filled it: that draws nothing.
    videos.change(lambda chosen: lines_html(site, chosen) if chosen else gr.skip(), videos, lines, **quiet)
    go.click(start, [videos, model, style], [said, jobs, timer], **quiet)
    timer.tick(tick, [videos, seen], [jobs, lines, seen, timer], queue=False, **quiet)
    gr.on([lines.select, jobs.select], clicked, videos, [said, lines, jobs], trigger_mode="multiple", **quiet)


def lines_html(site: Site, videos: list[str], told: Mapping[str, str] | None = None) -> str:
    """Every clip of the chosen videos with its caption, ready to be corrected. told: clip -> what is said beside it."""
    if not videos:
        if not site.index.catalog.videos.totals()[0]:
            return empty_library(site)
        return html.empty("Choose a video", "Its clips appear here with their captions; every line can be corrected.")
    known = {row.info.video_id: row.info for row in site.index.catalog.videos.all()}
    return "".join(_video(site, known[video_id], told or {}) for video_id in videos if video_id in known)


def _video(site: Site, info: VideoInfo, told: Mapping[str, str]) -> str:
    video_id, name = info.video_id, name_of(info.path)
    clips = site.index.clips(video_id)
    captions = {caption.clip.clip_id: caption for caption in site.index.captions(video_id)}
    captions |= {clip: caption for clip, caption in site.edits.waiting().items() if caption.clip.video_id == video_id}
    links = "".join(
        f'<a class="ve-btn" href="{e(site.url(f"captions/{video_id}.{kind}"))}" download>{kind.upper()}</a>'
        for kind in SUBTITLES
    )
    links = f'<span class="ve-why">Download</span>{links}' if captions else ""
    said = f"{len(captions)} of {count(len(clips), 'clip')} captioned"
    head = (
        f'<div class="ve-bar"><div><h2 class="ve-name">{e(name)}</h2><span class="ve-why">{e(said)}</span></div>'
        f'<span class="ve-actions">{links}</span></div>'
    )
    lines = "".join(
        _line(site, clip, info, captions.get(clip.clip_id), told.get(clip.clip_id, "")) for clip in clips[:_LINES]
    )
    more = f'<p class="ve-why">{len(clips) - _LINES} more clips</p>' if len(clips) > _LINES else ""
    return f'{head}<div class="ve-lines">{lines}</div>{more}'


def _line(site: Site, clip: Clip, info: VideoInfo, caption: Caption | None, told: str) -> str:
    name, span = name_of(info.path), times(clip.span)
    if caption is None:
        origin = '<span class="ve-pill ve-absent">no caption yet</span>'
    elif caption.human:
        origin = '<span class="ve-pill ve-done">by hand</span>'
    else:
        sure = "" if caption.confident else " · unsure"
        model = caption.model.partition("#")[0]  # behind it: which weights exactly
        origin = f'<span class="ve-pill" title="{e(caption.model)}">{e(model)} · {caption.score:.0%}{sure}</span>'
    if told:
        origin += f'<span role="status" class="ve-why">{e(told)}</span>'
    text = caption.text if caption else ""
    disabled = " readonly" if site.readonly else ""
    save = "" if site.readonly else html.button(
        "Save", "save", clip=clip.clip_id, kind="ve-save", reads="textarea",
        title=f"Save the caption of {name} at {span}",
    )  # fmt: skip
    if caption is not None and not site.readonly:
        at = f"the caption of {name} at {span}"
        back = caption.human and caption.candidates
        save += html.button("Revert", "revert", clip=clip.clip_id, kind="ve-quiet",
                            title=f"Revert {at} to the model's") if back else ""  # fmt: skip
        save += html.button("Delete", "delete", clip=clip.clip_id, kind="ve-quiet ve-danger", title=f"Delete {at}")
    return f"""<div class="ve-line" data-record>{html.play_button(site, info, clip.span, clip.clip_id)}
<div><textarea aria-label="{e(f"Caption of {name} at {span}")}" data-clip="{e(clip.clip_id)}"
 maxlength="{MAX_CHARACTERS}" rows="2"
 placeholder="{"" if site.readonly else "Write what happens here"}"{disabled}>{e(text)}</textarea>
<div class="ve-line-foot"><span class="ve-actions">{origin}</span>
<span class="ve-actions">{save}</span></div></div></div>"""


def _takes_style(model: str | None) -> bool:
    """The small captioners of ours only describe."""
    return model is not None and not model.startswith(_PLAIN)


def _choices(site: Site) -> list[tuple[str, str]]:
    return [
        (name_of(record.info.path), record.info.video_id) for record in site.index.videos() if record.state != "gone"
    ]


def _models(site: Site) -> list[str]:
    from vidembed.models.registry import specs

    names = [spec.name for spec in specs("captioner")]
    usual = site.index.config.caption.model
    return names if usual is None or usual in names else [usual, *names]
