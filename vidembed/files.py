"""Writing files whole or not at all; reading banks of sentences."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path

from vidembed.errors import ConfigError, InputError

BANK_LINES = 20  # a bank has at least so many


@contextmanager
def replacing(path: Path, *, overwrite: bool = True, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to `path` when the block ends without an error.

    Readers see the old file or the new one, never half of one. After an error the old file stays.

    Args:
        path: The file to write. Missing folders above it are made.
        overwrite: False: refuse to replace a file, even one that appears while the block runs.
        durable: Return only when the file survives a power loss.

    Yields:
        A path in the same folder with the same extension, at which nothing exists yet.

    Raises:
        InputError: `path` exists and may not be overwritten.
        OSError: The folder cannot be written.
    """
    refuse_existing(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        yield part
        if durable:
            _sync(part, os.O_RDWR)
        _rename(part, path, overwrite)
        if durable:
            sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """A name beside `path`, with an extension like its own, for what is not whole yet."""
    ending = path.suffix if len(path.suffix) < 20 else ""
    return path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}.part{ending}")


_MOST_NAME_BYTES = 255  # of one name, on all usual file systems


def fitting(stem: str, ending: str) -> str:
    """The name `stem + ending`, with a digest in place of the stem's end where it were too long for a file system."""
    room = _MOST_NAME_BYTES - len(ending.encode())
    whole = stem.encode(errors="surrogateescape")
    if len(whole) <= room:
        return stem + ending
    return f"{whole[: room - 9].decode(errors='ignore')}-{digest(whole)}{ending}"


def printable(name: str) -> str:
    """The name with an escape for each byte that is no Unicode, which can be neither printed nor stored."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def check_printable(path: str | Path) -> None:
    """Raise InputError for a name that can be neither printed nor stored."""
    if printable(str(path)) != str(path):
        raise InputError(f"{printable(str(path))}: the name is not valid Unicode", hint="rename the file")


def folded(name: str) -> str:
    """The name as file systems compare it that do not tell apart case and the forms of letters with accents."""
    return composed(composed(name).casefold())


def composed(name: str) -> str:
    """The name with each letter and its accent as one character, where there is one."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def digest(content: bytes) -> str:
    """Eight hex digits that tell names apart."""
    return hashlib.blake2b(content, digest_size=4).hexdigest()


def write_bytes(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file with `replacing`."""
    with replacing(path, durable=durable) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with `replacing`, durably.

    Raises:
        InputError: The file cannot be written.
    """
    with writing(path):
        write_bytes(path, text.encode(), durable=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses becomes an InputError that names the file or folder."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {error.strerror or error}", hint="choose a folder you may write to"
        ) from error


def sync_folder(path: Path) -> None:
    """Make renames in a folder survive a power loss. Windows does so by itself and has no such call."""
    if os.name != "nt":
        _sync(path, os.O_RDONLY)


def _sync(path: Path, mode: int) -> None:
    handle = os.open(path, mode)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _rename(part: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        if path.exists():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        part.replace(path)
        return
    try:
        os.link(part, path)  # unlike a rename, fails when the name was taken in the meantime
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:
        part.rename(path)  # a file system without hard links


def refuse_existing(path: Path | None, *, overwrite: bool) -> None:
    """Raises InputError where there is such a file and it may not be replaced. None: no file is to be written."""
    if path is not None and path.exists() and not overwrite:
        raise _exists(path)


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists", hint="choose another name, or replace it: --overwrite, overwrite=True")


def read_bank(path: str | Path | None, bundled: Traversable, *, kind: str) -> tuple[str, ...]:
    """The different lines of a bank (UTF-8, one sentence a line, "#" comments), in their order.

    Args:
        path: A file of one's own; None = the bundled one.
        bundled: The bank that comes along.
        kind: What messages call it, such as "query bank".

    Raises:
        InputError: The file cannot be read.
        ConfigError: It has fewer than 20 different lines.
    """
    try:
        text = (bundled if path is None else Path(path).expanduser()).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the {kind} {path}: {error}") from error
    lines = (" ".join(line.split()) for line in text.splitlines())
    sentences = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if len(sentences) < BANK_LINES:
        raise ConfigError(f"the {kind} {path} has {len(sentences)} different lines; at least {BANK_LINES} are needed")
    return sentences
