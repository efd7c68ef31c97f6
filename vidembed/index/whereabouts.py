"""Where known files are: what became of them (moved, gone, forgotten), and a library that moves with its index."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile
from pathlib import Path, PurePath

from vidembed.errors import InputError, MediaNotFound
from vidembed.files import composed
from vidembed.index.catalog import Catalog
from vidembed.index.places import Under
from vidembed.media.files import FIND
from vidembed.media.remote import exists
from vidembed.types import Failure

_MOST_NAMED = 3  # of the places that an index was made of


def note_problems(catalog: Catalog, problems: Sequence[Failure], under: Under) -> None:
    """Record what could not be looked at, in place of what could not the last time."""
    for failure in catalog.failures():
        if failure.stage == FIND and (under(failure.item) or under(failure.item.rpartition(":")[0])):
            catalog.clear_failures(failure.item)
    for failure in problems:
        catalog.put_failure(failure)


def settle_moved(catalog: Catalog, found: Collection[str], new: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Forget where videos were that this run found elsewhere, in whichever folder that was.

    Copies that were known before count where a folder of one name became one of another: /lib/1.mp4 is lost with all
    of /lib, and /lib2/1.mp4 is there.

    Args:
        catalog: As the run left it.
        found: All paths of the run.
        new: Those of them that the catalog did not know before.

    Returns:
        (old, new) paths.
    """
    rows = catalog.videos.paths().values()
    there: dict[str, list[str]] = {}
    for row in rows:
        if row.path in found:
            there.setdefault(row.video_id, []).append(row.path)
    lost = [row for row in rows if row.video_id in there and row.path not in found]
    moved = []
    for old, found_at in ((row.path, there[row.video_id]) for row in lost if not exists(row.path)):
        places = [path for path in found_at if path in new or _folder_became(old, path)]
        if places:
            place = max(places, key=lambda path: _shared(old, path))  # of copies, each to the one of its name
            moved.append((old, place))
            if len(found_at) > 1:
                found_at.remove(place)
    catalog.videos.unlink(old for old, _ in moved)
    return tuple(moved)


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
    beside = {old.rpartition("/")[0] for old, _ in pairs}
    roots = {renamed(old, new)[0] for old, new in pairs}
    vanished = tuple(f"{root.rstrip('/')}/" for root in roots if not os.path.lexists(root))
    return lambda path: path.startswith(vanished) or path.rpartition("/")[0] in beside


def renamed(old: str, new: str) -> tuple[str, str]:
    """The folders that a move is a renaming of: /lib/a/1.mp4 and /lib2/a/1.mp4 give /lib and /lib2.

    A file whose own name changed is its own such folder.
    """
    before, after, shared = PurePath(old).parts, PurePath(new).parts, _shared(old, new)
    return PurePath(*before[: len(before) - shared]).as_posix(), PurePath(*after[: len(after) - shared]).as_posix()


def _folder_became(old: str, new: str) -> bool:
    """Whether a folder above one path is gone, where the other has a folder of another name."""
    return _shared(old, new) > 0 and not os.path.lexists(renamed(old, new)[0])


def _shared(one: str, other: str) -> int:
    """How many folders and names two paths have in common at their ends."""
    pairs = zip(reversed(PurePath(one).parts[1:]), reversed(PurePath(other).parts[1:]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def relocate(catalog: Catalog, old: str | Path, new: str | Path) -> tuple[tuple[str, str], ...]:
    """Note that all files below a folder are below another one now; (old, new) paths.

    Raises:
        InputError: The new folder does not exist.
        MediaNotFound: No known file is below the old one.
    """
    before, after = (os.path.abspath(Path(place).expanduser()) for place in (old, new))
    if not os.path.lexists(after):
        raise InputError(f"{after}: no such file or folder", hint="name the folder in which the files are now")
    folder = f"{composed(Path(before).as_posix()).rstrip('/')}/"
    below = [path for path in _known(catalog) if f"{composed(path)}/".startswith(folder)]
    moves = _moves(below, Path(before).as_posix(), after)
    if not moves:
        known = ", ".join(sorted(_places(catalog))[:_MOST_NAMED])
        raise MediaNotFound(
            f"no file of this index is in {before}",
            hint=f"it was made of {known}; vidembed info --videos lists its files",
        )
    places = [path for path in _places(catalog) if f"{composed(path)}/".startswith(folder)]
    catalog.rename([*moves, *_moves(places, Path(before).as_posix(), after)])
    catalog.videos.mark_missing(target for _, target in moves if not os.path.lexists(target))
    return moves


def follow_index(catalog: Catalog, folder: Path, *, readonly: bool) -> None:
    """Where the index moved together with its videos, take the paths at which they are now.

    A library and its index on one disk so work on another machine, where the disk has another mount point.
    """
    then, now = catalog.home(), Path(os.path.abspath(folder)).as_posix()
    if then == now:
        return
    moves = _moved_along(catalog, then, now) if then else ()
    if readonly and moves:
        catalog.detach()
    if moves or not readonly:
        catalog.rename(moves, home=None if readonly else now)


def _moved_along(catalog: Catalog, then: str, now: str) -> tuple[tuple[str, str], ...]:
    old, new = renamed(then, now)
    if old == then:  # the index's folder has another name, too
        old, new = PurePath(then).parent.as_posix(), PurePath(now).parent.as_posix()
    folder = f"{old.rstrip('/')}/"
    known = [*_known(catalog), *_places(catalog)]
    lost = [path for path in known if f"{path}/".startswith(folder) and not os.path.lexists(path)]
    moves = _moves(lost, old, new)
    here = tuple(move for move in moves if os.path.lexists(move[1]))
    return moves if here and not os.path.isdir(old) else here


def _places(catalog: Catalog) -> list[str]:
    return [*catalog.places.get("given"), *catalog.places.get("ignored")]


def _known(catalog: Catalog) -> list[str]:
    """Files that are indexed, and those that failed."""
    return sorted({*catalog.videos.paths(), *(failure.item for failure in catalog.failures())})


def _moves(paths: Iterable[str], old: str, new: str) -> tuple[tuple[str, str], ...]:
    size = len(PurePath(old).parts)
    return tuple((path, PurePath(new, *PurePath(path).parts[size:]).as_posix()) for path in paths)
