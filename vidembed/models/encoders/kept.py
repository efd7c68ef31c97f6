"""Models converted for OpenVINO, kept in the user's cache folder, so that torch is needed once.

A model's folder is named after its weights, the settings and the packages that converted it. Its parts ("facts",
"image", "text") are folders, renamed into place when they are whole: a killed run, a full disk or two processes at once
leave no half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vidembed.files import part_of, write_bytes

_FORM = 3  # of what is kept; raised when that changes, so that models kept before are converted anew
_FACTS = "facts.json"
_PACKAGES = ("openvino", "open_clip_torch", "torch", "transformers", "sentence-transformers")
_LEFT_AFTER_S = 86_400  # what is being filled for a day is what a killed run left


def cache_folder() -> Path:
    """Where converted models are kept: $VIDEMBED_CACHE, or vidembed/ in the user's cache folder."""
    root = os.environ.get("VIDEMBED_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidembed"
    return base / "openvino"


class Kept:
    """What is kept of one model, or will be."""

    def __init__(self, files: Sequence[Path], settings: Mapping[str, Any]) -> None:
        """files: all that the model is made from; their content is read once. settings: what else its making uses."""
        self._files, self._settings = files, dict(settings)
        self._made_by = {name: version_of(name) for name in _PACKAGES}
        made = {"form": _FORM, "settings": settings, **self._made_by}
        name = hashlib.blake2b(f"{_content(files)} {json.dumps(made, sort_keys=True)}".encode(), digest_size=16)
        self.folder = cache_folder() / name.hexdigest()

    def facts(self) -> dict[str, Any] | None:
        """What `add_facts` was given; None where nothing is kept."""
        try:
            return _read(self.part("facts") / _FACTS)
        except (OSError, ValueError):
            return None

    def part(self, name: str) -> Path:
        """The folder of a part, there or not."""
        return self.folder / name

    @contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """A folder to fill, which becomes the part when the block ends without an error. One that is there stays."""
        for left in cache_folder().glob("*/.*.part"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
                    shutil.rmtree(left)
        self.folder.mkdir(parents=True, exist_ok=True)
        filling = part_of(self.part(name))
        filling.mkdir()
        try:
            yield filling
            try:
                filling.rename(self.part(name))
            except OSError:
                if not self.part(name).is_dir():  # else another process was first
                    raise
        finally:
            shutil.rmtree(filling, ignore_errors=True)

    def add_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep what opens the model without its weights. Older conversions of the same go, and older forms.

        Of those by other versions of the packages, as environments that share the folder have, the newest stays.
        """
        for left in cache_folder().glob("*.*"):
            with suppress(OSError):
                left.unlink()
        shutil.rmtree(cache_folder() / "compiled", ignore_errors=True)
        shutil.rmtree(self.part("facts"), ignore_errors=True)  # damaged ones, or it would not be asked for them
        made_from = {"weights": str(self._files[0].resolve()), "settings": self._settings}
        same = [(at, found) for at, found in _all_facts() if at != self.folder and made_from.items() <= found.items()]
        others = [at for at, found in same if found.get("made_by", self._made_by) != self._made_by]
        newest = max(others, key=lambda at: (at / "facts").stat().st_mtime, default=None)
        for older, _ in same:
            if older != newest:
                shutil.rmtree(older, ignore_errors=True)
        with self.adding("facts") as folder:
            whole = {**made_from, "made_by": self._made_by, **facts}
            (folder / _FACTS).write_text(json.dumps(whole), encoding="utf-8")


def forget(at: Path) -> int:
    """Delete what was made from the weights in a folder; how many bytes that were."""
    freed = 0
    for folder, facts in _all_facts():
        if Path(facts["weights"]).is_relative_to(at.resolve()):
            freed += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            shutil.rmtree(folder, ignore_errors=True)
    return freed


def _all_facts() -> Iterator[tuple[Path, dict[str, Any]]]:
    """The models that are kept: folder and facts."""
    for path in cache_folder().glob(f"*/facts/{_FACTS}"):
        with suppress(OSError, ValueError):
            yield path.parents[1], _read(path)


def _read(path: Path) -> dict[str, Any]:
    """The facts of a file. Raises OSError, ValueError."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or not {"weights", "settings", "dim", "prepare"} <= found.keys():
        raise ValueError(f"{path} is damaged")
    return found


def noted(question: str, ask: Callable[[], str]) -> str:
    """An answer that takes long, from the note of it where there is one."""
    note = cache_folder() / "notes" / hashlib.blake2b(question.encode(), digest_size=16).hexdigest()
    try:
        return note.read_text(encoding="utf-8")
    except OSError:
        answer = ask()
        with suppress(OSError):  # it will be asked again
            write_bytes(note, answer.encode())
        return answer


def _content(files: Sequence[Path]) -> str:
    """A hash of the files' content, noted by their places, sizes and times."""
    stats = [(str(file.resolve()), file.stat()) for file in files]
    seen = [(path, stat.st_size, stat.st_mtime_ns, stat.st_ino) for path, stat in stats]
    return noted(json.dumps(seen), lambda: hashlib.blake2b(b"".join(map(_hash, files)), digest_size=16).hexdigest())


def _hash(file: Path) -> bytes:
    with file.open("rb") as content:
        return file.name.encode() + hashlib.file_digest(content, "blake2b").digest()


def version_of(package: str) -> str:
    """Of an installed package, without importing it; "" where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
