"""Files in object storage and on the web, through fsspec: s3://, gs://, abfs://, https:// and its other file systems.

In the index such a file has a path as any other, "s3:/bucket/film.mp4": the address with one slash, as `Path` has it.
It is told by its content (two reads of 1 MiB); decoders read a copy, which is there for as long as somebody holds it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from vidembed.config.schema import LimitSettings
from vidembed.errors import MediaNotFound, MediaUnreadable, VidembedError, missing_dependency
from vidembed.files import digest, folded

PROTOCOLS = ("s3", "gs", "abfs", "https", "http", "memory")
_ADDRESS = re.compile(rf"({'|'.join(PROTOCOLS)}):/+(?=[^/])")
_BLOCK_BYTES = 8 << 20
_SPARE_BYTES = 1 << 30  # of the disk, for others


def is_remote(path: str | PurePath) -> bool:
    """Whether it is an address, or the path of one."""
    return _ADDRESS.match(_text(path)) is not None


def address(path: str | PurePath) -> str:
    """The address of a path, "s3://bucket/film.mp4"; other paths as they are."""
    return _ADDRESS.sub(r"\1://", _text(path), count=1) if is_remote(path) else os.fspath(path)


def _text(path: str | PurePath) -> str:
    return path.as_posix() if isinstance(path, PurePath) else path  # Windows has backslashes in its paths


def url(path: Path) -> str:
    """What opens it elsewhere: its address, or file://."""
    return address(path) if is_remote(path) else path.absolute().as_uri()


def unsigned(path: Path) -> Path:
    """The path without what signs its address on the web, so that its name is that of the file; others as they are."""
    return Path(path.as_posix().partition("?")[0]) if path.as_posix().startswith("http") and is_remote(path) else path


def name_of(path: Path) -> str:
    """The file's name as people are shown it: without what signs an address."""
    return unsigned(path).name


def shown(path: str | Path) -> str:
    """The address or path as people are shown it: without what signs an address."""
    return address(unsigned(Path(path)))


def distinct_names(paths: Iterable[Path]) -> dict[Path, str]:
    """A name for what is made of each file, different from the others' on any file system, without what signs it.

    Returns:
        Its stem where no other has it, else its name, with a digest of its folder where others have that, too.
    """
    shared: dict[str, list[Path]] = {}
    for path in sorted(set(paths)):
        shared.setdefault(folded(unsigned(path).stem), []).append(path)
    names: dict[Path, str] = {}
    for same in shared.values():
        whole = [folded(name_of(path)) for path in same]
        for path, name in zip(same, whole, strict=True):
            place = path.parent if unsigned(path) == path else path  # two addresses may differ by what signs them alone
            mark = f"-{digest(os.fsencode(place))[:6]}" if whole.count(name) > 1 else ""
            names[path] = unsigned(path).stem if len(same) == 1 else f"{name_of(path)}{mark}"
    return names


def exists(path: str | Path) -> bool:
    """Whether a file is there; of one that is elsewhere only listing its folder tells that it is not."""
    return is_remote(path) or os.path.lexists(path)


def find(given: str, wanted: Callable[[str], bool]) -> list[Path]:
    """The files of an address: one, or those wanted (by name) of a folder or glob. On the web: one.

    Raises:
        MediaNotFound: There is nothing, or the address cannot be used.
        MissingDependency: The package for that kind of address.
    """
    url = address(given)
    if "@" in url.split("/")[2] or "::" in url:
        raise MediaNotFound(
            f"{shown(given)}: an address with a name and a password, or several in one, is not taken",
            hint="the index would keep them: give credentials in the environment or the file of that service",
        )
    if "//" in url.split("://", 1)[1] or re.search(r"/\.\.?(/|$)", url):
        raise MediaNotFound(f"{shown(given)}: an empty part, . or .. in the address", hint="rename the object")
    if url.startswith("http"):
        return [Path(url)]
    with _said(given):
        system, name = _opened(url)
        if any(mark in name for mark in "*["):
            names = system.glob(name)
        elif system.isdir(name):
            names = system.find(name)
        else:
            return [Path(url)]
        found = [Path(system.unstrip_protocol(one)) for one in names]
    if not (files := [path for path in found if wanted(path.name)]):
        raise MediaNotFound(
            f"{shown(given)}: no videos there", hint="files of the usual video and sound extensions are taken"
        )
    return files


def status(path: str | Path) -> tuple[int, int]:
    """(bytes, time of the last change in nanoseconds, or another number that changes with the file).

    Raises MediaNotFound, MediaUnreadable, MissingDependency.
    """
    with _said(path):
        system, name = _opened(address(path))
        system.invalidate_cache()
        info = system.info(name)
    if info.get("type") == "directory" or not isinstance(info.get("size"), int):
        raise MediaUnreadable(f"{shown(path)}: a folder, or a file of unknown size", hint="name a file")
    if info["size"] == 0:
        raise MediaUnreadable(f"{shown(path)}: the file is empty (0 bytes)", hint="copy or record it again")
    facts = {key.lower(): value for key, value in info.items()}
    names = ("lastmodified", "updated", "mtime", "last_modified", "created")
    changed = next((facts[name] for name in names if name in facts), None)
    if isinstance(changed, datetime):
        return info["size"], int(changed.timestamp() * 1e9)
    mark = str(facts.get("etag") or facts.get("last-modified") or changed or "")
    return info["size"], int.from_bytes(hashlib.blake2b(mark.encode(), digest_size=7).digest())


def ends(path: str | Path, most: int) -> tuple[int, bytes, bytes]:
    """The size, the first bytes, and the last of what comes after them: at most so many each.

    Raises MediaNotFound, MediaUnreadable, MissingDependency.
    """
    size, _ = status(path)
    with _said(path):
        system, name = _opened(address(path))
        with system.open(name, "rb", block_size=most) as file:
            head = file.read(min(size, most))
            file.seek(max(len(head), size - most))
            return size, head, file.read(size - file.tell())


@dataclass
class _Held:
    holders: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    folder: str = ""  # of the copy, once there is one


class Copies:
    """Local copies of remote files, each there while it is held. They lie in the system's temporary folder (TMPDIR)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    @contextmanager
    def kept(self, path: Path) -> Iterator[None]:
        """Whatever copy of the file is made stays until the block ends."""
        key = path.as_posix()
        with self._lock:
            held = self._held.setdefault(key, _Held())
            held.holders += 1
        try:
            yield
        finally:
            with self._lock:
                held.holders -= 1
                if not held.holders:
                    del self._held[key]
                    shutil.rmtree(held.folder, ignore_errors=True) if held.folder else None

    def in_turn(self, paths: Sequence[str | Path]) -> Iterator[int]:
        """The places of paths, those of one file one after the other, with one copy of it."""
        places: dict[Path, list[int]] = {}
        for place, path in enumerate(paths):
            places.setdefault(Path(path), []).append(place)
        for path, own in places.items():
            with self.kept(path):
                yield from own

    @contextmanager
    def local(self, path: Path, limits: LimitSettings) -> Iterator[Path]:
        """The file itself, or a copy of it that is there for the block.

        Raises MediaNotFound, MediaUnreadable, MissingDependency.
        """
        if not is_remote(path):
            yield path
            return
        with self.kept(path):
            held = self._held[path.as_posix()]
            with held.lock:
                if not held.folder:
                    held.folder = _fetched(path, limits)
            yield _copy(held.folder, path)


COPIES = Copies()


def _fetched(path: Path, limits: LimitSettings) -> str:
    """The new folder in which a copy of the file is."""
    size, _ = status(path)
    if size > limits.max_size_bytes:
        raise MediaUnreadable(
            f"{shown(path)}: {size} bytes, more than media.limits.max_size_bytes",
            hint="raise it, or leave the file out",
        )
    if shutil.disk_usage(tempfile.gettempdir()).free < size + _SPARE_BYTES:
        raise MediaUnreadable(
            f"{shown(path)}: no room for a copy of {size} bytes in {tempfile.gettempdir()}",
            hint="free space there, or name another folder in TMPDIR",
        )
    folder = tempfile.mkdtemp(prefix="vidembed-copy-")
    try:
        with _said(path):
            system, name = _opened(address(path))
            left = size
            with system.open(name, "rb", block_size=_BLOCK_BYTES) as source, open(_copy(folder, path), "wb") as copy:
                while left and (block := source.read(min(left, _BLOCK_BYTES))):
                    copy.write(block)
                    left -= len(block)
        if left:
            raise MediaUnreadable(f"{shown(path)}: it ended {left} bytes early", hint="try again")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _copy(folder: str, path: Path) -> Path:
    return Path(folder, name_of(path))


def _opened(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:  # says which package
        raise missing_dependency(_package(str(error)), extra="remote", purpose=f"reading {shown(url)}") from error


def _package(text: str) -> str:
    found = re.search(r"(?i)(?:install |requires .?)([a-z0-9_]+)", text)
    return found[1] if found else text


@contextmanager
def _said(path: str | Path) -> Iterator[None]:
    """What file systems raise, as our errors: each has its own exceptions."""
    try:
        yield
    except VidembedError:
        raise
    except FileNotFoundError as error:
        why = error.__cause__  # on the web they raise it for whatever goes wrong
        if why is not None and getattr(why, "status", None) not in (404, 410):
            raise _unreadable(path, why) from error
        raise MediaNotFound(f"{shown(path)}: no such file", hint="check the address") from error
    except PermissionError as error:
        raise MediaUnreadable(
            f"{shown(path)}: no permission to read it", hint="check the credentials in the environment"
        ) from error
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, why: BaseException) -> MediaUnreadable:
    text = " ".join(str(why).replace(address(path), shown(path)).split())[:200] or type(why).__name__
    status = getattr(why, "status", None)
    refused = status in (401, 403)
    return MediaUnreadable(
        f"{shown(path)}: cannot be read: {f'the server answers {status}' if isinstance(status, int) else text}",
        hint="is the address signed, and still valid?" if refused else "is the address reachable from here?",
    )
