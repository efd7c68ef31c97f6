"""What may come into the library: uploads that decode, and files under the folders named at start.

Files in the inputs of the page: only what this server itself received as an upload.

Gradio checks that for apps that it launches; mounted in another app, as here, it does not, and it fetches whatever an
http address names. So the bodies are looked at before gradio sees them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.errors import InputError, MediaNotFound, MediaUnreadable, VidembedError
from vidembed.web.arrivals import safe_name
from vidembed.web.security import App, Receive, Scope, Send, refuse

if TYPE_CHECKING:
    from vidembed.web.site import Site


_TRIED_S = 30  # seconds of the upload that are decoded to see whether it can be


@dataclass(frozen=True)
class Refusal:
    """One upload that was not taken, and why."""

    name: str
    reason: str
    known: bool = False  # it is in the library already


def take_uploads(site: Site, files: Sequence[str | Path]) -> tuple[list[Path], list[Refusal]]:
    """Try each uploaded file and move the good ones into the library's own folder; the bad ones are deleted.

    Raises InputError when there are too many at once or uploads are off.
    """
    site.check_writable()
    if len(files) > site.settings.max_uploads:
        raise InputError(f"{len(files)} files at once; at most {site.settings.max_uploads} are taken")
    taken: list[Path] = []
    refused: list[Refusal] = []
    for file in map(Path, files):
        try:
            check_media(site, file)
            known = _known(site, file)
            if known:
                refused.append(Refusal(file.name, f"as {known}" if known != file.name else "", known=True))
            else:
                taken.append(_take(site, file))
        except VidembedError as error:
            refused.append(Refusal(file.name, _without_folder(error.message, file)))
        finally:
            file.unlink(missing_ok=True)  # gradio's temporary copy
    return taken, refused


def _known(site: Site, file: Path) -> str:
    """The name under which the library has this content; "" where it has not. A copy must not rename it."""
    from vidembed.media.files import video_id
    from vidembed.media.remote import exists, name_of

    row = site.index.catalog.videos.get(video_id(file))
    return "" if row is None or row.missing or not exists(row.info.path) else name_of(row.info.path)


def _take(site: Site, file: Path) -> Path:
    from vidembed.media.files import video_id

    target = site.uploads / video_id(file)[:16] / safe_name(file.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, target)
    return target


def check_media(site: Site, file: Path) -> None:
    """Whether a file that somebody sent may be opened here: by extension, size, headers and a trial decoding.

    Raises InputError or MediaUnreadable with the reason.
    """
    from vidembed.media.kinds import MEDIA_EXTENSIONS
    from vidembed.media.reading.probe import probe

    if file.suffix.lower() not in MEDIA_EXTENSIONS:
        raise InputError(f"{file.name}: not a video or sound file by its extension {file.suffix!r}")
    size = file.stat().st_size
    if size > site.settings.max_upload_mb << 20:
        raise InputError(f"{file.name}: {size >> 20} MB is more than the {site.settings.max_upload_mb} MB allowed")
    probe(file, limits=site.index.config.media.limits)
    try_decoding(file, timeout_s=site.settings.check_s)


def try_decoding(file: Path, *, timeout_s: float) -> None:
    """Decode the beginning in a process of its own, which is killed when it takes too long.

    Raises MediaUnreadable for a file that hangs or breaks the decoder: it must not get near the server's own threads.
    """
    import ffmpeg

    from vidembed.media.editing import ffmpeg as program
    from vidembed.media.reading.container import DEMUXERS

    source = ffmpeg.input(f"file:{file.absolute()}", t=_TRIED_S, protocol_whitelist="file", format_whitelist=DEMUXERS)
    try:
        program.run(source.output("-", format="null"), doing=f"trying {file.name}", timeout_s=timeout_s)
    except MediaUnreadable as error:
        if "took longer" in error.message:
            raise MediaUnreadable(
                f"{file.name}: decoding its first seconds took longer than {timeout_s:g} s, so it is refused"
            ) from error
        raise


def files_under_roots(site: Site, folder: str) -> list[Path]:
    """All media files of a folder or the file itself, if it lies under a folder named at start.

    Raises InputError for anything else, in the same words whether it exists or not.
    """
    from vidembed.media.files import find_videos
    from vidembed.media.kinds import MEDIA_EXTENSIONS

    site.check_writable()
    if not site.settings.roots:
        raise InputError("no folders of this machine were opened to the page", hint="start it with --root FOLDER")
    text = folder.strip()
    if not text or "\x00" in text:
        raise InputError("name a folder", hint=f"under {_named(site)}")
    given = Path(text)
    target = (given if given.is_absolute() else site.settings.roots[0] / given).resolve()
    inside = _inside(target, site.settings.roots)
    if not inside or not target.exists() or (target.is_file() and target.suffix.lower() not in MEDIA_EXTENSIONS):
        raise InputError(f"{text!r} is no folder or video that this page may add", hint=f"it may add {_named(site)}")
    found = [path for path in find_videos(target) if _inside(path.resolve(), site.settings.roots)]
    if not found:
        raise MediaNotFound(f"no videos in {text!r}")
    return found


def _inside(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _named(site: Site) -> str:
    return ", ".join(map(str, site.settings.roots))


def _without_folder(message: str, file: Path) -> str:
    """The server's folders are nobody's business."""
    return message.replace(str(file), file.name).replace(str(file.parent), "")


_MAX_JSON = 4 << 20  # bytes; the inputs of the page are a few hundred
_MAX_DEPTH = 40


class FileFields:
    """Refuses JSON bodies that name a file outside the folder of uploads."""

    def __init__(self, app: App, uploads: Path) -> None:
        self._app = app
        self._uploads = uploads.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body of a JSON request, then pass it on."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _MAX_JSON:
                await refuse(scope, send, 413, f"too large: inputs take at most {_MAX_JSON >> 20} MB")
                return
        try:
            named = list(_paths(json.loads(body))) if body.strip() else []
        except (ValueError, RecursionError):
            await refuse(scope, send, 400, "this is no JSON that the page understands")
            return
        if not all(self._received(path) for path in named):
            await refuse(scope, send, 403, "files have to be uploaded before they are used")
            return
        given = False

        async def again() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    def _received(self, path: object) -> bool:
        if not isinstance(path, str) or "\x00" in path:
            return False
        return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self._uploads)


def _is_json(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name.lower() == b"content-type"]
    # Without a type gradio reads JSON as well; uploads are multipart.
    return not any(kind.lower().startswith((b"multipart/", b"application/x-www-form")) for kind in kinds)


def _paths(value: Any, depth: int = 0) -> Iterator[object]:
    """Whatever stands where gradio looks for a file. Raises ValueError for what is nested without end."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        if value.get("path") is not None:
            yield value["path"]
        for inner in value.values():
            yield from _paths(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, depth + 1)
