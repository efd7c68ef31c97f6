"""The site's own addresses: media, thumbnails, timelines, exports, subtitles. All by id, never by path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse

from vidembed.errors import InputError, VidembedError
from vidembed.web.export import WRITERS
from vidembed.web.html import strip
from vidembed.web.intake import safe_name
from vidembed.web.media import BROWSER_TYPES
from vidembed.web.opening import ICON

if TYPE_CHECKING:
    from vidembed.web.site import Site

_VIDEO_ID = re.compile(r"[0-9a-f]{32}")
_CLIP_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PRIVATE = {"Cache-Control": "private, max-age=86400"}


def add_routes(app: FastAPI, site: Site) -> None:
    """Put them on the app. Handlers are plain functions: the server runs them on threads."""

    @app.exception_handler(VidembedError)
    async def said(_: Request, error: VidembedError) -> Response:
        status = 404 if isinstance(error, InputError) else 500
        return PlainTextResponse(f"{error.message}. {error.hint}".rstrip(". "), status_code=status)

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

    @app.get("/media/{video_id}", include_in_schema=False)
    def media(video_id: str) -> FileResponse:
        """The file itself; players ask for the byte ranges they need."""
        path = site.media.original(_checked(video_id, _VIDEO_ID))
        kind = BROWSER_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(path, media_type=kind, headers=_PRIVATE)

    @app.get("/piece/{video_id}", include_in_schema=False)
    def piece(video_id: str, start_s: float = 0.0) -> FileResponse:
        """A transcoded piece around a second; X-Start-S says which second of the video it begins with."""
        path, span = site.media.piece(_checked(video_id, _VIDEO_ID), start_s if start_s == start_s else 0.0)
        return FileResponse(path, media_type="video/mp4", headers={**_PRIVATE, "X-Start-S": f"{span.start_s:.3f}"})

    @app.get("/thumb/{clip_id}", include_in_schema=False)
    def thumb(clip_id: str) -> Response:
        """A clip's picture; a sound has none."""
        path = site.index.thumbnail(_checked(clip_id, _CLIP_ID))
        if path is None:
            return Response(_NO_PICTURE, media_type="image/svg+xml", headers=_PRIVATE)
        return FileResponse(path, media_type="image/jpeg", headers=_PRIVATE)

    @app.get("/curve/{token}/{place}", include_in_schema=False)
    def curve(token: str, place: int) -> HTMLResponse:
        """The timeline of the video of one moment of an answer."""
        answer = site.answers.get(token)
        if answer is None or not 0 <= place < len(answer.moments):
            raise InputError("this search is no longer remembered", hint="search again")
        video_id = answer.moments[place].video_id
        row = site.index.catalog.videos.get(video_id)
        times_s, scores = site.index.curve(answer.query, video_id, **answer.options)
        own = [moment for moment in answer.moments if moment.video_id == video_id]
        duration_s = row.info.duration_s if row is not None else float(times_s[-1]) if len(times_s) else 1.0
        return HTMLResponse(strip(times_s, scores, duration_s, own), headers={"Cache-Control": "no-store"})

    @app.get("/export/{token}.{kind}", include_in_schema=False)
    def export(token: str, kind: str) -> Response:
        answer = site.answers.get(token)
        if answer is None or kind not in WRITERS:
            raise InputError("this search is no longer remembered", hint="search again")
        write, media_type = WRITERS[kind]
        return _download(write(site, answer), media_type, f"moments.{kind}")

    @app.get("/captions/{video_id}.{kind}", include_in_schema=False)
    def captions(video_id: str, kind: str) -> Response:
        from vidembed.web.captioning import SUBTITLES, subtitles

        if kind not in SUBTITLES:
            raise InputError(f"no such kind of subtitles: {kind!r}", hint=", ".join(SUBTITLES))
        text, name = subtitles(site, _checked(video_id, _VIDEO_ID), kind)
        return _download(text.encode("utf-8"), SUBTITLES[kind], name)


_NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180"><rect width="320" height="180" fill="#64748b"/>'
    '<path d="M140 60v44a14 14 0 1 0 8 12V78l36-8v26a14 14 0 1 0 8 12V50z" fill="#e2e8f0"/></svg>'
)


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
