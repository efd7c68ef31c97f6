"""Searches of many people: finished ones remembered by a token nobody can guess, equal ones made once.

Work in the background gives way to them: it runs at a lower priority and waits between its steps.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache, TTLCache

from vidembed.types import Moment, Query


@dataclass(frozen=True, eq=False)
class SearchAnswer:
    """One finished search.

    queries: of each step, one where nothing follows. name: what was asked, for people. moments: best first; of a
    sequence one of each step, chain after chain. options: channels and weights. address: of the page. means: what was
    made of the words (filters, exclusions); notice: why the models may not read them. tags: conditions on tags.
    """

    queries: tuple[Query, ...]
    name: str
    moments: tuple[Moment, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""
    means: tuple[str, ...] = ()
    notice: str = ""
    tags: str = ""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def chains(self) -> list[Sequence[Moment]]:
        """The moments that follow each other; of a search without steps each stands alone."""
        steps = len(self.queries)
        return [self.moments[start : start + steps] for start in range(0, len(self.moments), steps)]

    def query_of(self, place: int) -> Query:
        """What the moment at a place answers."""
        return self.queries[place % len(self.queries)]


class Answers:
    """The last searches; those not used for longest are forgotten."""

    def __init__(self, keep: int = 500) -> None:
        self._known: LRUCache[str, SearchAnswer] = LRUCache(keep)
        self._lock = threading.Lock()

    def keep(self, answer: SearchAnswer) -> SearchAnswer:
        """Remember an answer by its token."""
        with self._lock:
            self._known[answer.token] = answer
        return answer

    def get(self, token: str) -> SearchAnswer | None:
        """The answer of a token; None when it is forgotten or never was."""
        with self._lock:
            return self._known.get(token)


class Recent:
    """What was just found, for those who ask the same: who asks meanwhile waits for the one search."""

    def __init__(self, keep: int = 200, seconds: float = 30.0) -> None:
        self._known: TTLCache[Hashable, Future[tuple[Moment, ...]]] = TTLCache(keep, seconds)
        self._lock = threading.Lock()

    def found(self, key: Hashable, search: Callable[[], tuple[Moment, ...]]) -> tuple[Moment, ...]:
        """The moments; what `search` raises reaches all who wait, and is not kept. key: the question and the index."""
        with self._lock:
            begun = self._known.get(key)
            if begun is None:
                mine = self._known[key] = Future()
        if begun is not None:
            return begun.result()
        try:
            mine.set_result(search())
        except BaseException as error:
            with self._lock:
                self._known.pop(key, None)
            mine.set_exception(error)
        return mine.result()


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
