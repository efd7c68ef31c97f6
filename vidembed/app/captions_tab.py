"""The Captions tab: let a model write, read along, correct by hand, take the subtitles away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from vidembed.app import html
from vidembed.app.captioning import SUBTITLES, caption_videos, edit
from vidembed.app.html import clock, e
from vidembed.app.library_tab import act, jobs_html
from vidembed.app.parts import html_part
from vidembed.errors import VidembedError
from vidembed.types import Caption, Clip

if TYPE_CHECKING:
    from vidembed.app.site import Site

_LINES = 200
_TICK_S = 1.5


def captions_tab(site: Site, tab: gr.Tab) -> None:
    """Build the tab inside the Blocks that are open."""
    with gr.Row(equal_height=False):
        videos = gr.Dropdown(
            _choices(site), label="Videos", multiselect=True, max_choices=50, scale=4, elem_id="ve-caption-videos"
        )
        model = gr.Dropdown(_models(site), label="Written by", value=site.index.config.caption.model, scale=2)
        style = gr.Textbox(label="Style, in your words (for models that take it)", lines=1, scale=3,
                           placeholder="one short sentence, present tense")  # fmt: skip
        go = gr.Button("Caption", variant="primary", scale=1, min_width=120, interactive=not site.readonly,
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
            caption_videos(site, chosen or [], model=name, prompt=words.strip())
        except VidembedError as error:
            return [html.error_box(error), gr.skip(), gr.skip()]
        return ["", jobs_html(site), gr.Timer(active=True)]

    def tick(chosen: list[str] | None, key: str) -> list[Any]:
        now = f"{len(site.index.captions())}/{site.jobs.busy}"
        body = gr.skip() if now == key else lines_html(site, chosen or [])
        return [jobs_html(site), body, now, gr.Timer(active=site.jobs.busy)]

    def clicked(chosen: list[str] | None, event: gr.EventData) -> list[Any]:
        data = dict(event._data)
        try:
            if data.get("action") == "save":
                edit(site, str(data.get("clip", "")), str(data.get("text", "")))
                text = html.notice("good", "Saved", "Searchable at once, and no model will replace it.")
            else:
                text = act(site, str(data.get("action", "")), data)
        except VidembedError as error:
            return [html.error_box(error), gr.skip(), gr.skip()]
        return [text, lines_html(site, chosen or []), jobs_html(site)]

    tab.select(opened, videos, [videos, lines, timer], **quiet)
    videos.change(lambda chosen: lines_html(site, chosen or []), videos, lines, **quiet)
    go.click(start, [videos, model, style], [said, jobs, timer], **quiet)
    timer.tick(tick, [videos, seen], [jobs, lines, seen, timer], queue=False, **quiet)
    gr.on([lines.select, jobs.select], clicked, videos, [said, lines, jobs], **quiet)


def lines_html(site: Site, videos: list[str]) -> str:
    """Every clip of the chosen videos with its caption, ready to be corrected."""
    if not videos:
        return html.empty("Choose a video", "Its clips appear here with their captions; every line can be corrected.")
    known = {row.info.video_id: row.info for row in site.index.catalog.videos.all()}
    return "".join(_video(site, video_id, known[video_id].codec) for video_id in videos if video_id in known)


def _video(site: Site, video_id: str, codec: str) -> str:
    name = site.index.path_of(video_id).name
    clips = site.index.clips(video_id)
    captions = {caption.clip.clip_id: caption for caption in site.index.captions(video_id)}
    links = "".join(
        f'<a class="ve-btn" href="{e(site.url(f"captions/{video_id}.{kind}"))}" download>{kind.upper()}</a>'
        for kind in SUBTITLES
    )
    links = links if captions else ""
    head = f'<div class="ve-bar"><strong>{e(name)}</strong><span class="ve-actions">{links}</span></div>'
    lines = "".join(_line(site, clip, name, codec, captions.get(clip.clip_id)) for clip in clips[:_LINES])
    more = f'<p class="ve-why">{len(clips) - _LINES} more clips</p>' if len(clips) > _LINES else ""
    return f'{head}<div class="ve-lines">{lines}</div>{more}'


def _line(site: Site, clip: Clip, name: str, codec: str, caption: Caption | None) -> str:
    span = f"{clock(clip.span.start_s)} – {clock(clip.span.end_s)}"
    play = html.player_data(site, clip.video_id, name, codec, clip.span.start_s, clip.span.end_s)
    data = "".join(f' data-{key}="{e(value)}"' for key, value in play.items())
    if caption is None:
        origin = '<span class="ve-pill ve-absent">no caption yet</span>'
    elif caption.human:
        origin = '<span class="ve-pill ve-done">by hand</span>'
    else:
        sure = "" if caption.confident else " · unsure"
        origin = f'<span class="ve-pill">{e(caption.model)} · {caption.score:.0%}{sure}</span>'
    text = caption.text if caption else ""
    disabled = " readonly" if site.readonly else ""
    save = "" if site.readonly else html.button(
        "Save", "save", clip=clip.clip_id, reads="textarea", title=f"Save the caption of {name} at {span}"
    )  # fmt: skip
    return f"""<div class="ve-line" data-record>
<button type="button" class="ve-thumb" data-action="play"{data} aria-label="{e(f"Play {name} from {span}")}">
{html.thumb(site, clip.clip_id)}<span class="ve-span">{e(clock(clip.span.start_s))}</span></button>
<div><textarea aria-label="{e(f"Caption of {name} at {span}")}" maxlength="1000"{disabled}>{e(text)}</textarea>
<div class="ve-line-foot">{save}{origin}</div></div></div>"""


def _choices(site: Site) -> list[tuple[str, str]]:
    return [(record.info.path.name, record.info.video_id) for record in site.index.videos() if record.state != "gone"]


def _models(site: Site) -> list[str]:
    from vidembed.models import specs

    names = [spec.name for spec in specs("captioner")]
    usual = site.index.config.caption.model
    return names if usual is None or usual in names else [usual, *names]
