"""Uploads that arrive piece by piece: with a percentage and Cancel, and they go on after a reload or a restart."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from vidembed.errors import InputError
from vidembed.files import fitting

PIECE_BYTES = 1 << 20
KEEP_S = 24 * 3600.0  # since its last piece
_ID = re.compile(r"[0-9a-f]{32}")
_PART = "part"
_UNSAFE = re.compile(r"[^\w .,()+@=-]+", re.UNICODE)


def safe_name(name: str) -> str:
    """A file name that is one: no folders, no control characters, no leading dot or dash, at most 120 characters."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, suffix = base.rpartition(".")
    stem, suffix = (stem, suffix) if dot else (base, "")
    stem = _UNSAFE.sub("_", stem).strip(" .-_") or "video"
    suffix = re.sub(r"[^A-Za-z0-9]", "", suffix)[:8].lower()
    return fitting(stem[:110], f".{suffix}" if suffix else "")


class Arrivals:
    """Files on their way, each in a folder of its own whose name nobody can guess. What has arrived is its size."""

    def __init__(self, folder: Path, *, max_bytes: int, at_once: int) -> None:
        self._folder, self._max_bytes, self._at_once = folder, max_bytes, at_once
        self._lock = threading.Lock()

    def begin(self, name: str, size: int) -> str:
        """The id of a new upload. Raises InputError for what would be refused at the end, and for too many."""
        from vidembed.media.kinds import MEDIA_EXTENSIONS

        if Path(name).suffix.lower() not in MEDIA_EXTENSIONS:
            raise InputError(f"{safe_name(name)}: not a video or sound file by its extension")
        if not 0 < size <= self._max_bytes:
            what = (
                "it is empty" if size <= 0 else f"{size >> 20} MB is more than the {self._max_bytes >> 20} MB allowed"
            )
            raise InputError(f"{safe_name(name)}: {what}")
        self.sweep()
        with self._lock:
            if sum(1 for _ in self._folder.glob("*")) >= self._at_once:
                raise InputError(
                    f"{self._at_once} uploads are on their way already", hint="try again when some are done"
                )
            arrival = secrets.token_hex(16)
            (self._folder / arrival).mkdir(parents=True)
            (self._folder / arrival / _PART).touch()
        return arrival

    def held(self, arrival: str) -> int:
        """Bytes that have arrived. Raises InputError for an unknown id."""
        try:
            return self._part(arrival).stat().st_size
        except FileNotFoundError as error:
            raise InputError("no such upload") from error

    def put(self, arrival: str, at: int, piece: bytes) -> int:
        """Append a piece that begins at a byte; bytes that have arrived. A piece from elsewhere changes nothing."""
        with self._lock:
            held = self.held(arrival)
            if at != held:
                return held
            if held + len(piece) > self._max_bytes:
                raise InputError(f"more than the {self._max_bytes >> 20} MB allowed")
            with self._part(arrival).open("ab") as file:
                file.write(piece)
            return held + len(piece)

    def drop(self, arrival: str) -> None:
        """Forget an upload; an unknown one is no error."""
        with self._lock:  # not while a piece is written
            if _ID.fullmatch(arrival):
                shutil.rmtree(self._folder / arrival, ignore_errors=True)

    def taken(self, arrival: str, name: str) -> Path:
        """The whole file under its name; whoever takes it drops the upload."""
        self.held(arrival)
        part = self._part(arrival)
        return part.rename(part.with_name(safe_name(name)))

    def sweep(self, *, now_s: float | None = None) -> None:
        """Delete what nobody has gone on with for a day."""
        now_s = time.time() if now_s is None else now_s
        for folder in self._folder.glob("*"):
            newest = max((path.stat().st_mtime for path in [folder, *folder.glob("*")]), default=0.0)
            if newest + KEEP_S < now_s:
                self.drop(folder.name)

    def _part(self, arrival: str) -> Path:
        if not _ID.fullmatch(arrival):
            raise InputError("no such upload")
        return self._folder / arrival / _PART


def add_arrivals(app: FastAPI, arrivals: Arrivals) -> None:
    """Put their addresses on the app; each answers how much has arrived."""

    def said(**facts: Any) -> JSONResponse:
        return JSONResponse(facts, headers={"Cache-Control": "no-store"})

    @app.post("/arrivals", include_in_schema=False)
    def begin(name: str, size: int) -> JSONResponse:
        return said(id=arrivals.begin(name, size), held=0)

    @app.get("/arrivals/{arrival}", include_in_schema=False)
    def held(arrival: str) -> JSONResponse:
        return said(held=arrivals.held(arrival))

    @app.put("/arrivals/{arrival}", include_in_schema=False)
    async def put(arrival: str, at: int, request: Request) -> JSONResponse:
        piece = b""
        async for part in request.stream():
            piece += part
            if len(piece) > PIECE_BYTES:
                raise InputError(f"a piece has at most {PIECE_BYTES} bytes")
        return said(held=await run_in_threadpool(arrivals.put, arrival, at, piece))

    @app.delete("/arrivals/{arrival}", include_in_schema=False)
    def drop(arrival: str) -> Response:
        arrivals.drop(arrival)
        return Response(status_code=204)
