"""How the server stops."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from vidembed import VideoIndex
from vidembed.web import AppSettings, ServerSettings, Site, server


def test_the_server_ends_after_what_warms_it_up(index: VideoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, ended = threading.Event(), []

    def warm(self: Site) -> threading.Thread:
        thread = threading.Thread(target=lambda: ended.append(closed.wait(20)))
        thread.start()
        return thread

    close = Site.close
    monkeypatch.setattr(Site, "warm", warm)
    monkeypatch.setattr(Site, "close", lambda self: (close(self), closed.set()))
    monkeypatch.setattr(server, "make_runner", lambda *args, **given: SimpleNamespace(run=lambda: None))
    server.serve(index, AppSettings(), ServerSettings())
    assert ended == [True]
    assert index.search("red", k=1)
