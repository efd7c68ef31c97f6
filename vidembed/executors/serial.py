"""One item after the other, on the calling thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from vidembed.batching import failure_of
from vidembed.errors import FATAL
from vidembed.types import Failure

T = TypeVar("T")
R = TypeVar("R")


class SerialExecutor:
    """Does each item when its result is asked for."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """As in `protocols.Executor`. Errors of `errors.FATAL` are raised: they are nobody's item."""
        for item in items:
            yield item, attempt(work, item)


def attempt(work: Callable[[T], R], item: T) -> R | Failure:
    """The result of the work, or the record of why there is none."""
    try:
        return work(item)
    except FATAL:
        raise
    except Exception as error:
        return failure_of(error, item=str(item), stage="work")
