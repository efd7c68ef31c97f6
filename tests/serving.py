"""Run the page's server on a thread, for as long as a test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

START_S = 120  # a bound for a hanging start, not a time that is waited


@contextmanager
def serving(server: Any) -> Iterator[None]:
    """A uvicorn server; inside, it answers."""
    up = threading.Event()
    startup = server.startup

    async def told(*given: Any, **named: Any) -> None:
        await startup(*given, **named)
        up.set()

    server.startup = told
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert up.wait(START_S), "the server did not start"
        yield
    finally:
        server.should_exit = True
        thread.join(15)
