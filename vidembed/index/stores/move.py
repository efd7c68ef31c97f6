"""Copy an index's vectors from one store to another, for `vidembed store move --to URL`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vidembed.errors import StoreError
from vidembed.protocols import Store
from vidembed.types import Row, SparseVector


def move(
    source: Store,
    target: Store,
    collections: Sequence[str] | None = None,
    *,
    batch: int = 256,
    replace: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, int]:
    """Copy collections (default: all) with their aliases; the source stays as it is. Returns clips per collection.

    Can be broken off and called again: rows that are already there and equal are not sent twice. Aliases are set only
    after every count agrees. replace=True drops the target's collections of the same name first.
    progress: called with (collection, clips done, clips in all) after each batch.
    Raises StoreError when a count differs at the end, IndexMismatch when the target holds another size or kind.
    """
    spaces = source.collections()
    names = list(spaces) if collections is None else list(collections)
    for name in names:
        if name not in spaces:
            raise StoreError(f"no collection {name!r} to move", hint=f"there are: {', '.join(spaces) or 'none'}")
    counts: dict[str, int] = {}
    for name in names:
        if replace:
            target.drop(name)
        target.create(name, spaces[name])
        counts[name] = _copy(source, target, name, batch, progress)
    target.flush()
    for name, expected in counts.items():
        if (got := target.count(name)) != expected:
            raise StoreError(
                f"collection {name!r} has {expected} clips here and {got} in the target; aliases were not changed",
                hint="the target holds rows of its own, or somebody writes to it: move again with replace=True",
            )
    for alias, name in source.aliases().items():
        if name in counts:
            target.set_alias(alias, name)
    target.optimize()
    return counts


def _copy(source: Store, target: Store, name: str, batch: int, progress: Callable[[str, int, int], None] | None) -> int:
    total, done = source.count(name), 0
    for rows in source.scan(name, units=True, batch=batch):
        there = target.rows(name, [row.clip.clip_id for row in rows])
        missing = [row for row in rows if not _same(row, there.get(row.clip.clip_id))]
        if missing:
            target.put(name, missing)
        done += len(rows)
        if progress is not None:
            progress(name, done, max(total, done))
    return done


def _same(row: Row, other: Row | None) -> bool:
    if other is None or row.clip != other.clip or (row.units is None) != (other.units is None):
        return False
    if row.units is not None and other.units is not None:
        if row.units.shape != other.units.shape or not np.allclose(row.units, other.units, atol=1e-3):
            return False
        assert row.unit_times_s is not None
        assert other.unit_times_s is not None
        if not np.allclose(row.unit_times_s, other.unit_times_s):
            return False
    if isinstance(row.vector, SparseVector) and isinstance(other.vector, SparseVector):
        return np.array_equal(row.vector.indices, other.vector.indices) and np.allclose(
            row.vector.values, other.vector.values
        )
    if isinstance(row.vector, SparseVector) or isinstance(other.vector, SparseVector):
        return False
    return row.vector.shape == other.vector.shape and bool(np.allclose(row.vector, other.vector, atol=1e-5))
