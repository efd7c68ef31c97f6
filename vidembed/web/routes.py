"""The site's own addresses: media, thumbnails, timelines, exports, subtitles. All by id, never by path.

The same functions for programs: documented gradio endpoints, which are also MCP tools.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from gradio.events import api

from vidembed.captions.export import caption_record
from vidembed.errors import InputError, VidembedError
from vidembed.types import Caption, Span
from vidembed.web.arrivals import safe_name
from vidembed.web.asking import Ask, run
from vidembed.web.captioning import SUBTITLES, caption_videos, edit, subtitles, transcript_html
from vidembed.web.export import MEDIA_TYPES, record, written
from vidembed.web.html import ICON, strip
from vidembed.web.media import BROWSER_TYPES, Region, preview

if TYPE_CHECKING:
    from vidembed.web.site import Site


VIDEO_ID = re.compile(r"[0-9a-f]{32}")
_CLIP_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACES = re.compile(r"(\d{1,3}(,\d{1,3})*)?")
_PRIVATE = {"Cache-Control": "private, max-age=86400"}


def add_routes(app: FastAPI, site: Site) -> None:
    """Put them on the app. Handlers are plain functions: the server runs them on threads."""

    @app.exception_handler(VidembedError)
    async def said(_: Request, error: VidembedError) -> Response:
        status = 404 if isinstance(error, InputError) else 500
        return PlainTextResponse(error.sentences, status_code=status)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/status", include_in_schema=False)
    def status() -> JSONResponse:
        """What runs now; the top of the page asks every few seconds."""
        return JSONResponse(site.status(), headers={"Cache-Control": "no-store"})

    @app.get("/icon.svg", include_in_schema=False)
    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(ICON, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})

    @app.get("/preview.png", include_in_schema=False)
    def shown_beside_links() -> Response:
        return Response(preview(), media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})

    @app.get("/media/{video_id}", include_in_schema=False)
    def media(video_id: str) -> FileResponse:
        """The file itself; players ask for the byte ranges they need."""
        path = site.media.original(_checked(video_id, VIDEO_ID))
        kind = BROWSER_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(path, media_type=kind, headers=_PRIVATE)

    @app.get("/playable/{video_id}", include_in_schema=False)
    def playable(video_id: str) -> JSONResponse:
        """Whether browsers play the file itself: some play it mute or blind without an error."""
        plays = site.media.plays(_checked(video_id, VIDEO_ID))
        return JSONResponse({"plays": plays}, headers={"Cache-Control": "private, max-age=600"})

    @app.get("/frame/{video_id}", include_in_schema=False)
    def frame(video_id: str, at: float = 0.0) -> Response:
        """What is shown at a second."""
        with site.courtesy.searching():
            return _picture(site.pictures.frame(_checked(video_id, VIDEO_ID), at if isfinite(at) else 0.0))

    @app.get("/part/{region}", include_in_schema=False)
    def part(region: str) -> Response:
        """A part of what is shown at a second."""
        return _picture(site.pictures.part(Region.parse(region)))

    @app.get("/film/{video_id}", include_in_schema=False)
    def film(video_id: str, start: float = 0.0, end: float = 0.0) -> Response:
        """Frames of a stretch side by side."""
        if not 0 <= start < end < inf:
            raise InputError("a stretch needs its start before its end")
        return _picture(site.pictures.film(_checked(video_id, VIDEO_ID), Span(start, end)))

    @app.get("/piece/{video_id}", include_in_schema=False)
    def piece(video_id: str, start_s: float = 0.0) -> FileResponse:
        """A transcoded piece around a second; X-Start-S says which second of the video it begins with."""
        path, span = site.media.piece(_checked(video_id, VIDEO_ID), start_s if start_s == start_s else 0.0)
        return FileResponse(path, media_type="video/mp4", headers={**_PRIVATE, "X-Start-S": f"{span.start_s:.3f}"})

    @app.get("/thumb/{clip_id}", include_in_schema=False)
    def thumb(clip_id: str) -> Response:
        """A clip's picture; a sound has none."""
        return _picture(site.index.thumbnail(_checked(clip_id, _CLIP_ID)))

    @app.get("/curve/{token}/{place}", include_in_schema=False)
    def curve(token: str, place: int) -> HTMLResponse:
        """The timeline of the video of one moment of an answer."""
        answer = site.answers.get(token)
        if answer is None or not 0 <= place < len(answer.moments):
            raise InputError("this search is no longer remembered", hint="search again")
        video_id = answer.moments[place].video_id
        row = site.index.catalog.videos.get(video_id)
        times_s, scores = site.index.curve(answer.query_of(place), video_id, **answer.options)
        own = [moment for moment in answer.moments if moment.video_id == video_id]
        duration_s = row.info.duration_s if row is not None else float(times_s[-1]) if len(times_s) else 1.0
        return HTMLResponse(strip(times_s, scores, duration_s, own), headers={"Cache-Control": "no-store"})

    @app.get("/export/{token}.{kind}", include_in_schema=False)
    def export(token: str, kind: str, only: str = "", ticket: str = "") -> Response:
        """An answer, or the moments of it whose places `only` names: "0,3". ticket: to ask how far the cutting is."""
        answer = site.answers.get(token)
        if answer is None or not _PLACES.fullmatch(only):
            raise InputError("this search is no longer remembered", hint="search again")
        chosen = [int(place) for place in only.split(",") if place]

        def tell(done: int, total: int) -> None:
            site.cutting[ticket[:40]] = (done, total)

        body = written(site, answer, kind, chosen, progress=tell if ticket else None)
        return _download(body, MEDIA_TYPES[kind], f"moments.{kind}")

    @app.get("/cutting/{ticket}", include_in_schema=False)
    def cutting(ticket: str) -> JSONResponse:
        """How far an export is that cuts."""
        done, total = site.cutting.get(ticket, (0, 0))
        return JSONResponse({"done": done, "total": total}, headers={"Cache-Control": "no-store"})

    @app.get("/transcript/{video_id}", include_in_schema=False)
    def transcript(video_id: str) -> HTMLResponse:
        """The words of a video, for the pane beside the player."""
        words = transcript_html(site, _checked(video_id, VIDEO_ID))
        return HTMLResponse(words, headers={"Cache-Control": "no-store"})

    @app.get("/captions/{video_id}.{kind}", include_in_schema=False)
    def captions(video_id: str, kind: str) -> Response:
        if kind not in SUBTITLES:
            raise InputError(f"no such kind of subtitles: {kind!r}", hint=", ".join(SUBTITLES))
        text, name = subtitles(site, _checked(video_id, VIDEO_ID), kind)
        return _download(text.encode("utf-8"), SUBTITLES[kind], name)


_NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180"><rect width="320" height="180" fill="#64748b"/>'
    '<path d="M140 60v44a14 14 0 1 0 8 12V78l36-8v26a14 14 0 1 0 8 12V50z" fill="#e2e8f0"/></svg>'
)


def _picture(path: Path | None) -> Response:
    if path is None:
        return Response(_NO_PICTURE, media_type="image/svg+xml", headers=_PRIVATE)
    # Read at once: starlette goes to another thread for every piece of a file.
    return Response(path.read_bytes(), media_type="image/jpeg", headers=_PRIVATE)


def _checked(value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise InputError("no such id in this library")
    return value


def _download(body: bytes, media_type: str, name: str) -> Response:
    plain = safe_name(name).encode("ascii", "replace").decode().replace("?", "_")
    return Response(
        body,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{plain}"', "Cache-Control": "no-store"},
    )


R = TypeVar("R")


def _said(function: Callable[..., R]) -> Callable[..., R]:
    """Our errors reach the caller as text, not as "an error occurred"."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> R:
        try:
            return function(*args, **kwargs)
        except VidembedError as error:
            raise gr.Error(error.sentences, print_exception=False) from error

    return call


def add_api(site: Site) -> None:
    """Put the endpoints on the Blocks that are open."""

    @_said
    def search_moments(
        text: str = "",
        k: int = 10,
        like: list[str] | None = None,
        unlike: list[str] | None = None,
        without: str = "",
        channels: list[str] | None = None,
        names: str = "",
        within: str = "",
        by_video: bool = False,
    ) -> dict[str, Any]:
        """Find the moments in the video library that show, sound or say what is asked for.

        Args:
            text: what to look for, in plain words, such as "a dog jumps into a lake"
            k: how many moments to give
            like: clip ids of example moments to find more of; may replace the text
            unlike: clip ids of moments to move away from
            without: words for what should not be there
            channels: which channels to search, such as ["vision", "sound"]; empty means all
            names: only files whose name has this; globs, separated by commas
            within: only this stretch of each video, such as "0:30-2:00"
            by_video: at most one moment a video

        Returns:
            good_match: whether any answer is convincing; moments: file, start_s, end_s, confidence (0 to 1), caption,
            clip_id and video_id of each, best first
        """
        ask = Ask(text=text, k=k, like=like or (), unlike=unlike or (), without=without, channels=channels or (),
                  names=names, within=within, by_video=by_video)  # fmt: skip
        answer = run(site, ask)
        floor = site.index.config.search.min_confidence
        return {
            "good_match": any(moment.confidence >= floor for moment in answer.moments),
            "moments": [record(site, moment) for moment in answer.moments],
        }

    @_said
    def list_videos() -> list[dict[str, Any]]:
        """List the videos of the library with their length, state and number of clips."""
        return [
            {
                "video_id": r.info.video_id, "name": site.shown(r.info.path), "duration_s": round(r.info.duration_s, 3),
                "state": r.state, "clips": r.clips, "channels": dict(r.channels),
            }
            for r in site.videos()
        ]  # fmt: skip

    @_said
    def get_captions(video_id: str, kind: str = "json") -> Any:
        """Give the captions of one video.

        Args:
            video_id: from list_videos or a search
            kind: "json" for records, or the text of a file: "srt", "vtt", "jsonl"
        """
        if kind in SUBTITLES:
            return subtitles(site, video_id, kind)[0]
        if kind != "json":
            raise InputError(f"no such kind of captions: {kind!r}", hint=f"one of: json, {', '.join(SUBTITLES)}")
        return [_caption(site, caption) for caption in site.index.captions(video_id)]

    api(search_moments, api_name="search_moments", concurrency_limit=site.settings.searches_at_once)
    api(list_videos, api_name="list_videos")
    api(get_captions, api_name="get_captions")
    if site.readonly:
        return

    @_said
    def caption_video(video_id: str, model: str = "", style: str = "") -> list[dict[str, Any]]:
        """Write captions for every clip of one video, and give them. Takes a while for long videos.

        Args:
            video_id: from list_videos or a search
            model: name of the captioning model; empty for the usual one
            style: what kind of sentences to write, for models that take it
        """
        job = caption_videos(site, [video_id], model=model or None, prompt=style or None)
        job.wait()
        return [_caption(site, caption) for caption in site.index.captions(video_id)]

    @_said
    def edit_caption(clip_id: str, text: str) -> dict[str, Any]:
        """Set the caption of one clip by hand; never replaced by a model.

        It is searchable at once, or, while videos are being added, after that.

        Args:
            clip_id: from a search or from the captions
            text: the caption
        """
        return _caption(site, edit(site, clip_id, text)[0])

    api(caption_video, api_name="caption_video", concurrency_limit=1)
    api(edit_caption, api_name="edit_caption")


def _caption(site: Site, caption: Caption) -> dict[str, Any]:
    plain = caption_record(caption, "")
    del plain["path"]  # gradio's clients would try to download it
    return {"file": site.shown(site.index.path_of(caption.clip.video_id)), **plain}
