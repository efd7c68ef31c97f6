"""Which files are meant: those that a run is given, or all that is known; those that a path, folder or glob names."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from vidembed.errors import InputError, MediaNotFound
from vidembed.files import composed, printable
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.videos import path_there
from vidembed.media.files import FIND, Paths, as_list
from vidembed.media.kinds import LIST_EXTENSIONS, MEDIA_EXTENSIONS
from vidembed.media.remote import exists, is_remote

Under = Callable[[str], bool]  # whether a path of the catalog is among those that a run was given


def absolute(given: str | Path) -> str:
    """A path as the catalog holds it."""
    if is_remote(given):
        return Path(given).as_posix()
    return printable(Path(os.path.abspath(Path(given).expanduser())).as_posix())


def lies_under(inputs: Iterable[str | Path], *, globs: bool = False) -> Under:
    """Whether a catalog path is one of the inputs or lies below it; with `globs`, whether it matches one."""
    exact, patterns = set(), []
    for given in inputs:
        path = absolute(given)
        exact.add(composed(path))
        if globs and glob.has_magic(path) and not os.path.lexists(path):
            patterns.append(composed(path))
    folders = tuple(f"{path.rstrip('/')}/" for path in exact)

    def under(path: str) -> bool:
        path = composed(path)  # people type one form of an accent, some file systems keep the other
        return path in exact or path.startswith(folders) or any(fnmatchcase(path, glob) for glob in patterns)

    return under


def in_shard(path: str, shard: tuple[int, int] | None) -> bool:
    """Whether a path of the catalog is of shard number N of M, (N, M) from (1, M); of no shard: always.

    It depends on the path alone: not on what else there is, nor on the machine.
    """
    if shard is None:
        return True
    if not 1 <= shard[0] <= shard[1]:
        raise InputError(f"shard takes (N, M) with N from 1 to M, got {shard!r}", hint="such as shard=(3, 16)")
    number = int.from_bytes(hashlib.blake2b(composed(path).encode("utf-8", "surrogateescape"), digest_size=8).digest())
    return number % shard[1] == shard[0] - 1


def remember(catalog: Catalog, inputs: Iterable[str | Path]) -> None:
    """Keep the folders, globs and lists of a run, for runs that are given nothing."""
    catalog.places.add("given", [absolute(given) for given in inputs if _is_many(given)])


def known(catalog: Catalog) -> tuple[list[str | Path], Under]:
    """What a run looks at that is given nothing, and what lies in folders that are not there.

    The first are the folders, globs and lists of earlier runs, and single files that lie in none of them. A folder that
    is not there may be a drive that is not connected: what it holds is not to be forgotten.

    Raises:
        MediaNotFound: Nothing is known.
    """
    given = catalog.places.get("given")
    under = lies_under(given)
    tried = [*catalog.videos.paths(), *(failure.item for failure in catalog.failures() if failure.stage != FIND)]
    files = [path for path in dict.fromkeys(tried) if not under(path) and exists(path)]
    if not given and not tried:
        raise MediaNotFound("nothing to index", hint="name folders, files or globs: vidembed index VIDEOS")
    away = lies_under(place for place in given if not exists(place) and not glob.has_magic(place))
    return [*given, *files], away


def left(catalog: Catalog, moved_from: Under) -> None:
    """Forget folders that are gone because all that they held has moved."""
    gone = [place for place in catalog.places.get("given") if not os.path.lexists(place) and moved_from(f"{place}/")]
    catalog.places.remove("given", gone)


def ignore(catalog: Catalog, paths: Paths, *, undo: bool) -> list[str]:
    """See `VideoIndex.ignore`."""
    places = [absolute(given) for given in as_list(paths)]
    held = catalog.places.get("ignored")
    if undo:
        unknown = [place for place in places if place not in held]
        if unknown:
            raise MediaNotFound(f"{unknown[0]} is not ignored", hint=f"ignored are: {', '.join(held) or 'no files'}")
        catalog.places.remove("ignored", places)
        return catalog.places.get("ignored")
    failed = {failure.item for failure in catalog.failures()}
    for place in places:
        there = os.path.lexists(place) or glob.has_magic(place)
        if not there and place not in catalog.videos.paths() and place not in failed:
            raise MediaNotFound(f"{place}: no such file or folder", hint="vidembed info --failures lists what failed")
    catalog.places.add("ignored", places)
    under = lies_under(places, globs=True)
    for item in failed:
        if under(item):
            catalog.clear_failures(item)
    return catalog.places.get("ignored")


def select(catalog: Catalog, given: Paths | None) -> list[str]:
    """Ids of videos that have a file, ordered by path.

    Args:
        catalog: The catalog.
        given: By path, folder, glob or id; None = all.

    Raises:
        MediaNotFound: A name fits no video.
    """
    present = {video_id: [row.path for row in rows] for video_id, rows in catalog.videos.present_paths().items()}
    ordered = sorted(present, key=lambda video_id: present[video_id][0])
    if given is None:
        return ordered
    chosen: set[str] = set()
    for name in as_list(given):
        under = lies_under([name], globs=True)
        found = {v for v, paths in present.items() if v == str(name) or any(under(path) for path in paths)}
        if not found:
            raise MediaNotFound(f"no video of this index is {str(name)!r}", hint="vidembed info --videos lists them")
        chosen |= found
    return [video_id for video_id in ordered if video_id in chosen]


def named_paths(catalog: Catalog, given: Paths | None) -> dict[str, Path]:
    """Video id -> the file of it that was named by path, folder or glob: one of its copies may be meant."""
    if given is None:
        return {}
    under = lies_under(as_list(given), globs=True)
    named = {v: [row for row in rows if under(row.path)] for v, rows in catalog.videos.present_paths().items()}
    return {video_id: path_there(rows) for video_id, rows in named.items() if rows}


def _is_many(given: str | Path) -> bool:
    path = absolute(given)
    if is_remote(path):
        return Path(path).suffix.lower() not in MEDIA_EXTENSIONS
    if os.path.lexists(path):
        return os.path.isdir(path) or Path(path).suffix.lower() in LIST_EXTENSIONS
    return glob.has_magic(path)
