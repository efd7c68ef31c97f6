"""Batches and encoding that never loses an item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from vidembed.errors import FATAL, ConfigError
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
    `errors.FATAL` stop the run at once: they are nobody's item.
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
    except FATAL:
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
