"""The web page: index, search and caption in a browser. `vidembed serve` starts it.

from vidembed.web import AppSettings, build_app

build_app(index, AppSettings()).launch()      # inside your own Gradio program
make_server(index, AppSettings(), ...)        # the whole site as one ASGI app
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidembed.web.page import build_app
    from vidembed.web.server import ServerSettings, make_server, serve
    from vidembed.web.site import AppSettings, Site

_HOMES = {
    "AppSettings": "vidembed.web.site",
    "ServerSettings": "vidembed.web.server",
    "Site": "vidembed.web.site",
    "build_app": "vidembed.web.page",
    "make_server": "vidembed.web.server",
    "serve": "vidembed.web.server",
}

__all__ = ["AppSettings", "ServerSettings", "Site", "build_app", "make_server", "serve"]


def __getattr__(name: str) -> Any:
    """Gradio is loaded when one of the names is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vidembed.web' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
