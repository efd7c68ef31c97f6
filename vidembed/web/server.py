"""The whole site as one ASGI app, and running it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.errors import InputError, MissingDependency
from vidembed.web.security import LOOPBACK, Guard
from vidembed.web.site import AppSettings, Site

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

_STOP_S = 5  # open streams are cut after this long when the server stops
_BODY_SLACK = 1 << 20


@dataclass(frozen=True)
class ServerSettings:
    """Where the server listens and to whom it talks.

    auth: (user, password), or None. hosts: names under which it answers besides loopback; None = loopback names when
    it listens on loopback, any name otherwise. mcp: offer the functions as MCP tools as well.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    auth: tuple[str, str] | None = None
    hosts: Sequence[str] = ()
    mcp: bool = False

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("127.0.0.1", "localhost", "::1")

    @property
    def allowed_hosts(self) -> list[str] | None:
        """What the Host header may say; None = anything."""
        if self.on_loopback or self.hosts:
            return [*LOOPBACK, *self.hosts]
        return None


def make_server(index: VideoIndex, settings: AppSettings | None = None, server: ServerSettings | None = None) -> Guard:
    """The page, its media and its API behind one door. The index stays the caller's to close."""
    import gradio as gr
    from fastapi import FastAPI
    from gradio.utils import get_upload_folder

    from vidembed.web.arrivals import add_arrivals
    from vidembed.web.intake import FileFields
    from vidembed.web.page import TITLE, Opening, build_app, looks
    from vidembed.web.routes import add_routes
    from vidembed.web.search_tab import PLACEHOLDER

    settings, server = settings or AppSettings(), server or ServerSettings()
    site = Site(index, settings)
    if server.mcp:
        _check_mcp()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            site.close()

    app = FastAPI(title="vidembed", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    add_routes(app, site)
    if not site.readonly:
        add_arrivals(app, site.arrivals)
    blocks = build_app(site)
    blocks.has_launched = True  # else gradio takes any file of this machine as an input
    gr.mount_gradio_app(
        app, blocks, path="/", root_path=settings.root_path or None, footer_links=["api"],
        max_file_size=f"{settings.max_upload_mb}mb", allowed_paths=[], blocked_paths=[str(index.path)],
        ssr_mode=False, run_history=False, enable_monitoring=False, mcp_server=server.mcp, show_error=True,
        favicon_path=None, **looks(),
    )  # fmt: skip
    if server.mcp:
        _answer_in_json(blocks.mcp_server_obj)
    body = (settings.max_upload_mb << 20) * settings.max_uploads + _BODY_SLACK
    fields = FileFields(app, Path(get_upload_folder()))
    opening = Opening(fields, title=TITLE, placeholder=PLACEHOLDER, root_path=settings.root_path)
    guard = Guard(opening, auth=server.auth, hosts=server.allowed_hosts, max_body_bytes=body)
    guard.site = site
    return guard


def serve(index: VideoIndex, settings: AppSettings, server: ServerSettings, *, quiet: bool = False) -> None:
    """Run until Ctrl-C or SIGTERM.

    Then streams are ended, the running job is stopped at its next step, temporary files are removed.

    Raises:
        InputError: If the port is taken.
    """
    temporary = tempfile.mkdtemp(prefix="vidembed-web-")
    before = os.environ.get("GRADIO_TEMP_DIR")
    os.environ["GRADIO_TEMP_DIR"] = temporary  # read by gradio when files arrive
    try:
        app = make_server(index, settings, server)
        warming = app.site.warm()
        try:
            make_runner(app, server, quiet=quiet).run()
        except SystemExit as stop:
            if stop.code:
                raise InputError(
                    f"cannot listen on {server.host}:{server.port}", hint="is it taken? choose another with --port"
                ) from stop
        finally:
            app.site.close()
            warming.join(_STOP_S)  # whoever called closes the index, under its hands
    finally:
        if before is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = before
        shutil.rmtree(temporary, ignore_errors=True)


def make_runner(app: Guard, server: ServerSettings, *, quiet: bool = True) -> Any:
    """A `uvicorn.Server` for the site that lets go of open pages when it is told to stop."""
    import uvicorn

    class Runner(uvicorn.Server):
        async def shutdown(self, sockets: Any = None) -> None:
            app.end_streams()
            await super().shutdown(sockets)

    return Runner(
        uvicorn.Config(
            app,
            host=server.host,
            port=server.port,
            log_level="error" if quiet else "info",
            access_log=False,
            timeout_graceful_shutdown=_STOP_S,
            server_header=False,
            ws="none",
        )
    )


def _answer_in_json(tools: Any) -> None:
    """Gradio hands Python's own spelling of records and lists to agents; JSON is what they read."""
    plain = tools.postprocess_output_data

    def answered(data: Any, root_url: str) -> Any:
        whole = (dict, list)
        return plain([json.dumps(one, ensure_ascii=False) if isinstance(one, whole) else one for one in data], root_url)

    tools.postprocess_output_data = answered


def _check_mcp() -> None:
    from importlib.util import find_spec

    if find_spec("mcp") is None:
        raise MissingDependency("--mcp needs the mcp package", hint="pip install 'vidembed[mcp]'")
