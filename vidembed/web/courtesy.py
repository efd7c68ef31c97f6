"""Work in the background gives way to people who search: it runs at a lower priority and waits between its steps."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_NICER = 10  # steps of the system's priority
LONGEST_WAIT_S = 2.0  # for one step: with people who never cease to ask the work still gets on
_SHARE = 2.0  # of the time that a step took, at most, is waited after it


class Courtesy:
    """Counts the searches that run, and lets the background wait for them."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._searches = 0
        self._step_began = time.monotonic()

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Around what somebody waits for."""
        with self._change:
            self._searches += 1
        try:
            yield
        finally:
            with self._change:
                self._searches -= 1
                self._change.notify_all()

    def give_way(self) -> float:
        """Wait until nobody searches, by the thread that works, between two steps. Seconds that it waited.

        At most twice the time of the step before, and LONGEST_WAIT_S: a third of the time is the work's.
        """
        began = time.monotonic()
        longest_s = min(LONGEST_WAIT_S, _SHARE * (began - self._step_began))
        with self._change:
            self._change.wait_for(lambda: not self._searches, longest_s)
        self._step_began = time.monotonic()
        return self._step_began - began


def step_back() -> None:
    """Let the calling thread, and what it starts from now on, have what others leave of the processors.

    Linux alone has a priority for each thread; elsewhere nothing changes.
    """
    if sys.platform == "linux":
        mine = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, mine, min(19, os.getpriority(os.PRIO_PROCESS, mine) + _NICER))
