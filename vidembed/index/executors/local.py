"""Work in this process: on the calling thread, or on several, as decoders release the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from vidembed.batching import failure_of
from vidembed.errors import FATAL, ConfigError
from vidembed.types import Failure

T = TypeVar("T")
R = TypeVar("R")


class SerialExecutor:
    """One item after the other, on the calling thread, each when its result is asked for."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """See `protocols.Executor`. Raises `errors.FATAL`: errors that belong to no single item."""
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


class ThreadExecutor:
    """Threads: at most `workers` items at once; the next is taken when one is done, so endless iterables are fine."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}")
        self._workers = workers

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """See `protocols.Executor`. Raises `errors.FATAL`: errors that belong to no single item."""
        source = iter(items)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="vidembed-work") as pool:
            running: dict[Future[R | Failure], T] = {}
            try:
                while True:
                    for item in islice(source, self._workers - len(running)):
                        running[pool.submit(attempt, work, item)] = item
                    if not running:
                        return
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield running.pop(future), future.result()
            finally:
                for future in running:
                    future.cancel()
