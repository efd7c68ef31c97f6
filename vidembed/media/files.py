"""Find media files; tell a file by its content."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vidembed import tables
from vidembed.errors import InputError, MediaNotFound, MediaUnreadable
from vidembed.files import printable
from vidembed.media import remote
from vidembed.media.kinds import LIST_EXTENSIONS, MEDIA_EXTENSIONS, archive_or_text, may_move, picture_kind
from vidembed.types import Failure

_PATH_COLUMNS = ("path", "file", "video")

_SAMPLE_BYTES = 1 << 20
_LATEST_NS = (1 << 63) - 1  # in the year 2262: the catalog's integers, and those of most tables, end there
FIND = "find"  # the stage of failures that are about finding files


def video_id(path: str | Path) -> str:
    """Tell a file by its content: a rename or a copy keeps the id, and a terabyte file costs two reads.

    Returns:
        32 hex digits: BLAKE2b-128 of the file's size and its first and last MiB.

    Raises:
        MediaNotFound: There is no such file.
        MediaUnreadable: It is no regular file, may not be read, or is a picture, an archive or a text.
    """
    if remote.is_remote(path):
        return _id_of(Path(path), *remote.ends(path, _SAMPLE_BYTES))
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_SAMPLE_BYTES)
        file.seek(max(len(head), size - _SAMPLE_BYTES))
        return _id_of(Path(path), size, head, file.read(_SAMPLE_BYTES))


def _id_of(path: Path, size: int, head: bytes, tail: bytes) -> str:
    """The id from the first MiB and the last one of what comes after it. Raises MediaUnreadable as `video_id`."""
    _refuse_other_kinds(path, head)
    return hashlib.blake2b(size.to_bytes(8, "little") + head + tail, digest_size=16).hexdigest()


def open_regular(path: str | Path):  # type: ignore[no-untyped-def]  # BufferedReader; its type is longer than the use
    """Open a local regular file for reading; devices, sockets and named pipes are refused without blocking on them."""
    try:
        # O_NONBLOCK: opening a named pipe nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _of_os_error(error, path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MediaUnreadable(f"{path}: not a regular file", hint="give a file, not a folder, device or pipe")
    return os.fdopen(descriptor, "rb")


def stat_regular(path: str | Path) -> os.stat_result:
    """The file's status. Raises MediaNotFound, or MediaUnreadable for what is no readable regular file or is empty."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
    if status.st_size == 0:
        raise MediaUnreadable(f"{path}: the file is empty (0 bytes)", hint="copy or record it again")
    return status


def mtime_ns(status: os.stat_result) -> int:
    """When the file was modified, in nanoseconds, within what 64 bits hold: 1677 to 2262."""
    return max(-_LATEST_NS, min(status.st_mtime_ns, _LATEST_NS))


def _refuse_other_kinds(path: Path, head: bytes) -> None:
    """Raise MediaUnreadable for what was named by mistake. A file with a usual extension is always tried."""
    if path.suffix.lower() in MEDIA_EXTENSIONS:
        return
    if picture_kind(head) and not may_move(head):
        raise MediaUnreadable(
            f"{path.name}: a picture, not a video", hint=f"to search with it: vidembed search --image {path.name}"
        )
    other = archive_or_text(head)
    if other:
        raise MediaUnreadable(f"{path.name}: {other[0]}, not a video", hint=other[1])


def _of_os_error(error: OSError, path: str | Path) -> MediaNotFound | MediaUnreadable:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _not_found(str(path), "file")
    if isinstance(error, PermissionError):
        return MediaUnreadable(f"{path}: no permission to read it", hint="check the file's permissions")
    if isinstance(error, IsADirectoryError):
        return MediaUnreadable(f"{path}: a folder, not a file")
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return MediaUnreadable(f"{path}: not a regular file", hint="give a file, not a folder, device or pipe")
    return MediaUnreadable(f"{path}: cannot be read: {error.strerror or error}")


def _not_found(text: str, what: str) -> MediaNotFound:
    hint = f"addresses begin with {', '.join(remote.PROTOCOLS)}" if re.match(r"\w\w+:/", text) else "check the path"
    return MediaNotFound(f"{text}: no such {what}", hint=hint)


Paths = str | Path | Iterable[str | Path]
Tagged = tuple[Path, dict[str, str]]  # a media file, and what a list says of it besides: column -> value


def as_list(paths: Paths) -> list[str | Path]:
    """One path, or several. Raises InputError for what is none."""
    if isinstance(paths, str | Path):
        return [paths]
    several = list(paths) if isinstance(paths, Iterable) and not isinstance(paths, bytes) else [paths]
    for one in several:
        if not isinstance(one, str | Path):
            raise InputError(f"a video is named by a text or a Path, got {one!r}", hint="give one, or a list of them")
    return several


@dataclass
class Survey:
    """What inputs name.

    Attributes:
        files: Each file, an absolute path, with what a list says of it: column -> value.
        problems: What could not be looked at, at the stage `FIND`: folders, and rows of lists ("LIST:ROW").
        links: How many links were left out, since they lead out of the folder that was walked.
    """

    files: dict[Path, dict[str, str]] = field(default_factory=dict)
    problems: list[Failure] = field(default_factory=list)
    links: int = 0

    def problem(self, item: str | Path, error: MediaNotFound | MediaUnreadable) -> None:
        """Note what could not be looked at."""
        name = item if isinstance(item, str) else item.as_posix()
        told = printable(str(error))
        self.problems.append(Failure(printable(name), FIND, type(error).__name__, told, error.hint))


def survey(inputs: Paths, *, base: Path | None = None, strict: bool = True) -> Survey:
    """Find all media files that the inputs name, and what lists among them say of their videos besides.

    What is said of a folder holds for all in it. A folder that cannot be read, and a row of a list that names nothing,
    cost no other file.

    Args:
        inputs: As for `find_videos`.
        base: The folder that relative inputs are relative to; None = the current one.
        strict: False: an input that names nothing is one of the problems, and no problem if it is a glob.

    Raises:
        MediaNotFound: An input names nothing, or a list cannot be read.
        MissingDependency: A .parquet list without pyarrow.
    """
    found = Survey()
    for given in as_list(inputs):
        try:
            for path, tags in _expand(given, base or Path.cwd(), found):
                found.files.setdefault(path, {}).update(tags)
        except MediaNotFound as error:
            if strict:
                raise
            if not glob.has_magic(os.fspath(given)):
                found.problem(given if isinstance(given, Path) else Path(given), error)
    return found


def find_videos(inputs: Paths, *, base: Path | None = None) -> list[Path]:
    """Find all media files that the inputs name.

    Args:
        inputs: Files (always taken); folders (walked; hidden entries, other extensions and links that lead out of them
            are left out); addresses of both (s3://, gs://, abfs://, https://); glob patterns ("clips/**/*.mkv"); list
            files (.txt, .lst: one path a line, "#" comments; .csv: in the first column or the one named path; .jsonl:
            under "path"; .parquet: in the column path, file or video; relative to the list's folder).
        base: The folder that relative inputs are relative to; None = the current one.

    Returns:
        Absolute paths, each once, in natural order within each input; without what cannot be read (see `survey`).

    Raises:
        MediaNotFound: An input names nothing, or a list cannot be read.
        MissingDependency: A .parquet list without pyarrow.
    """
    return list(survey(inputs, base=base).files)


def _expand(given: str | Path, base: Path, found: Survey) -> Iterator[Tagged]:
    text = os.fspath(given)
    if not text.strip():
        raise MediaNotFound("an empty path was given", hint="name a file, folder, glob or list file")
    if remote.is_remote(text):
        found_there = remote.find(text, lambda name: Path(name).suffix.lower() in MEDIA_EXTENSIONS and name[0] != ".")
        yield from ((file, {}) for file in sorted(found_there, key=lambda file: natural_key(file.as_posix())))
        return
    if printable(text) != text:
        raise MediaNotFound(f"{printable(text)}: the name is not valid Unicode", hint="rename it")
    path = Path(os.path.abspath(base / Path(text).expanduser()))
    if os.path.isfile(path) and path.suffix.lower() in LIST_EXTENSIONS:
        for number, entry, tags in _list_rows(path):
            try:
                yield from ((file, tags) for file, _ in _expand(entry, path.parent, found))
            except MediaNotFound as error:
                found.problem(f"{path.as_posix()}:{number}", error)
        return
    if os.path.isdir(path):
        files = _walk(path, path.resolve(), found)
    elif os.path.lexists(path):
        files = iter([path])  # also pipes and devices: opening them says what is wrong, with the name
    elif glob.has_magic(text):
        files = _glob(text, base, found)
    else:
        raise _not_found(text, "file or folder")
    yield from ((file, {}) for file in files)


def _glob(pattern: str, base: Path, found: Survey) -> Iterator[Path]:
    full = os.path.join(base, os.path.expanduser(pattern))
    names = sorted(glob.glob(full, recursive=True), key=natural_key)
    if not names:
        raise MediaNotFound(f"{pattern}: no file matches", hint="quote the pattern so that the shell leaves it alone")
    for path in (Path(os.path.abspath(name)) for name in names):
        if os.path.isdir(path):
            yield from _walk(path, path.resolve(), found)
        elif _wanted(path):
            yield path


def _list_rows(path: Path) -> Iterator[tuple[int, str, dict[str, str]]]:
    """(row, entry, what else the row says). Raises MediaNotFound for a malformed row, with its number."""
    try:
        for number, row in _rows_of(path):
            column = next((name for name in row if name.lower() in _PATH_COLUMNS), None)
            if column is None or not isinstance(row[column], str | None):
                columns = ", ".join(_PATH_COLUMNS)
                raise ValueError(f"row {number} has no path; it must be text in a column named {columns}")
            entry = (row[column] or "").strip()
            if not entry or entry.startswith("#"):
                continue
            if Path(entry).suffix.lower() in LIST_EXTENSIONS:
                raise MediaNotFound(f"{path}: names another list, {entry}", hint="list media files only")
            tags = {name: _plain(value) for name, value in row.items() if name and name != column}
            yield number, entry, {name: value for name, value in tags.items() if value}
    except ValueError as error:  # also what is no UTF-8
        raise MediaNotFound(f"{path}: {error}", hint="see `vidembed index --help` for the forms of a list") from error


def _rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, column -> value) of each row. Only .csv has columns: elsewhere a comma is part of the name."""
    kind = path.suffix.lower()
    if kind == ".jsonl" or kind in tables.PARQUET:
        for number, row in tables.rows(path):
            if isinstance(row, ValueError):
                raise row
            yield number, row
        return
    if kind == ".csv":
        yield from _csv_rows(path)
        return
    with open(path, encoding="utf-8-sig", newline="") as file:
        yield from ((number, {"path": line}) for number, line in enumerate(file, start=1))


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Without a header that names the path, it is in the first column."""
    header = ["path"]
    for number, (_, row) in enumerate(tables.csv_cells(path), start=1):
        cells = [cell.strip() for cell in row]
        if number == 1 and any(cell.lower() in _PATH_COLUMNS for cell in cells):
            header = cells
        else:
            yield number, dict(zip_longest(header, cells, fillvalue=""))


def _plain(value: object) -> str:
    """A field as a tag: true and numbers as they are written, nothing for null, lists and objects."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _walk(folder: Path, root: Path, found: Survey) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: natural_key(entry.name))
    except OSError as error:
        hint = "check the folder's permissions, or that its drive is there"
        found.problem(folder, MediaUnreadable(f"{folder}: the folder cannot be read: {error.strerror}", hint=hint))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(path, root, found)
            elif entry.is_symlink():
                if _leads_inside(path, root, found):
                    yield path
            elif entry.is_file() and _wanted(path):
                yield path
        except OSError as error:
            found.problem(path, _of_os_error(error, path))


def _leads_inside(link: Path, root: Path, found: Survey) -> bool:
    """Whether a link leads to a media file inside the folder that the user named: only such are his to index here."""
    try:
        target = Path(os.path.realpath(link, strict=True))
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        found.problem(link, MediaUnreadable(f"{link}: a link that leads back to itself", hint="remove the link"))
        return False
    if target.is_file() and _wanted(link) and target.is_relative_to(root):
        return True
    found.links += target.is_dir() or _wanted(link)
    return False


def _wanted(path: Path) -> bool:
    return path.suffix.lower() in MEDIA_EXTENSIONS and not path.name.startswith(".") and os.path.isfile(path)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which "clip 2" comes before "clip 10"."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part)
