"""Finished searches, remembered for timelines and exports by a token nobody can guess."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache, TTLCache

from vidembed.types import Moment, Query


@dataclass(frozen=True, eq=False)
class Answer:
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
        self._known: LRUCache[str, Answer] = LRUCache(keep)
        self._lock = threading.Lock()

    def keep(self, answer: Answer) -> Answer:
        """Remember an answer by its token."""
        with self._lock:
            self._known[answer.token] = answer
        return answer

    def get(self, token: str) -> Answer | None:
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
