"""What became of known files: moved, gone or forgotten."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import PurePath

from vidembed.index.catalog import Catalog
from vidembed.media.files import FIND
from vidembed.types import Failure

Under = Callable[[str], bool]  # whether a path of the catalog is among those that a run was given


def note_problems(catalog: Catalog, problems: Sequence[Failure], under: Under) -> None:
    """Record what could not be looked at, in place of what could not the last time."""
    for failure in catalog.failures():
        if failure.stage == FIND and (under(failure.item) or under(failure.item.rpartition(":")[0])):
            catalog.clear_failures(failure.item)
    for failure in problems:
        catalog.put_failure(failure)


def settle_moved(catalog: Catalog, found: Collection[str], new: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Forget where videos were that this run found elsewhere, in whichever folder that was.

    Args:
        catalog: As the run left it.
        found: All paths of the run.
        new: Those of them that the catalog did not know before.

    Returns:
        (old, new) paths.
    """
    rows = catalog.videos.paths().values()
    there = {row.video_id: row.path for row in rows if row.path in new}
    lost = [row for row in rows if row.video_id in there and row.path not in found]
    moved = tuple((row.path, there[row.video_id]) for row in lost if not os.path.lexists(row.path))
    catalog.videos.unlink(old for old, _ in moved)
    return moved


def settle_gone(catalog: Catalog, under: Under, found: Collection[str], *, prune: bool) -> tuple[str, ...]:
    """Mark files that are no longer there; prune: forget them. Returns those that were not marked so before, or all."""
    rows = [row for row in catalog.videos.paths().values() if under(row.path)]
    gone = [row for row in rows if row.path not in found and not os.path.lexists(row.path)]
    catalog.videos.mark_missing(row.path for row in gone)
    for failure in catalog.failures():
        over = failure.stage != FIND and (prune or not os.path.lexists(failure.item))
        if over and under(failure.item) and failure.item not in found:
            catalog.clear_failures(failure.item)
    if prune:
        catalog.videos.unlink(row.path for row in gone)
    return tuple(row.path for row in gone if prune or not row.missing)


def left_folders(moved: Iterable[tuple[str, str]]) -> Under:
    """Whether a path lies where files moved away from: below a folder that is gone, or beside one of them."""
    pairs = list(moved)
    beside = {PurePath(old).parent for old, _ in pairs}
    roots = {renamed(old, new)[0] for old, new in pairs}
    vanished = tuple(f"{root.rstrip('/')}/" for root in roots if not os.path.lexists(root))
    return lambda path: path.startswith(vanished) or PurePath(path).parent in beside


def renamed(old: str, new: str) -> tuple[str, str]:
    """The folders that a move is a renaming of: /lib/a/1.mp4 and /lib2/a/1.mp4 give /lib and /lib2.

    A file whose own name changed is its own such folder.
    """
    before, after = PurePath(old).parts, PurePath(new).parts
    shared = 0
    while shared < min(len(before), len(after)) - 1 and before[-1 - shared] == after[-1 - shared]:
        shared += 1
    return PurePath(*before[: len(before) - shared]).as_posix(), PurePath(*after[: len(after) - shared]).as_posix()
