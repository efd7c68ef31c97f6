"""Batches, bounded read-ahead and encoding that never loses an item."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from vidembed.errors import ConfigError, StoreError
from vidembed.types import Failure

T = TypeVar("T")
R = TypeVar("R")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items, in order; the last may be shorter."""
    if size < 1:
        raise ConfigError(f"batch size must be at least 1, got {size}")
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def prefetch(items: Iterable[T], ahead: int) -> Iterator[T]:
    """The same items, made by a background thread at most `ahead` items early. ahead = 0: no thread.

    An exception of the producer is raised here, in its place. Closing the iterator stops the producer.
    """
    if ahead < 1:
        yield from items
        return
    ready: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def offer(entry: tuple[str, object]) -> bool:
        while not stop.is_set():
            try:
                ready.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in items:
                if not offer(("item", item)):
                    close = getattr(items, "close", None)
                    if close is not None:
                        close()
                    return
            offer(("end", None))
        except BaseException as error:
            offer(("error", error))

    thread = threading.Thread(target=produce, name="vidembed-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


def is_out_of_memory(error: BaseException) -> bool:
    """True for Python's MemoryError and for torch's out-of-memory error, without importing torch."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def encode_all(
    encode: Callable[[Sequence[T]], Sequence[R]],
    items: Sequence[T],
    *,
    names: Sequence[str],
    stage: str,
    batch_size: int,
) -> list[R | Failure]:
    """One result or Failure per item, in order; a batch that fails is split in two until the bad item is alone.

    So one bad item costs O(log batch) more calls and only itself; out-of-memory halves the batch the same way.
    ConfigError and StoreError stop the run at once: they are nobody's item.
    """
    results: list[R | Failure] = []
    for start in range(0, len(items), batch_size):
        stop = min(start + batch_size, len(items))
        results.extend(_encode_or_split(encode, items[start:stop], names[start:stop], stage))
    return results


def _encode_or_split(
    encode: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], names: Sequence[str], stage: str
) -> list[R | Failure]:
    try:
        rows = list(encode(items))
        if len(rows) != len(items):
            raise ValueError(f"{len(rows)} results for {len(items)} items")
        return list(rows)
    except (ConfigError, StoreError):
        raise
    except Exception as error:
        if len(items) == 1:
            return [failure_of(error, item=names[0], stage=stage)]
        half = len(items) // 2
        return _encode_or_split(encode, items[:half], names[:half], stage) + _encode_or_split(
            encode, items[half:], names[half:], stage
        )


def failure_of(error: BaseException, *, item: str, stage: str) -> Failure:
    """The record of an item that could not be done."""
    return Failure(item, stage, type(error).__name__, str(error) or repr(error), getattr(error, "hint", ""))
