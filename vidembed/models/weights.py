"""Finding a model's weights: in a local folder, the user's weights folder, or the hub's cache; never random ones."""

from __future__ import annotations

import hashlib
import json
import shlex
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidembed.errors import ModelError, WeightsMissing
from vidembed.models import fetching, hub
from vidembed.models.spec import ModelSpec

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")


def folder(spec: ModelSpec, *, weights_dir: Path | None = None, offline: bool = False) -> Path:
    """The folder (or file) with the model's weights; downloads them unless offline.

    Args:
        spec: Its `path` is searched first.
        weights_dir: `weights_dir/NAME` is searched second, then the hub's cache, then the hub.
        offline: Search the cache only.

    Raises:
        WeightsMissing: With the places searched and the command that fetches the weights; also for a file whose
            SHA-256 is not the record's.
    """
    found = _local(spec, weights_dir) or _from_hub(spec, weights_dir, offline)
    for name, expected in spec.files.items():
        check_sha256(found / name, expected, spec)
    return found


def is_local(spec: ModelSpec, weights_dir: str | Path | None) -> bool:
    """Whether the weights are in a folder of the user's, or there is no hub to ask for them."""
    own = weights_dir is not None and (Path(weights_dir).expanduser() / spec.name).is_dir()
    return own or spec.path is not None or not spec.fetched


def _local(spec: ModelSpec, weights_dir: Path | None) -> Path | None:
    if spec.path is not None:
        if not spec.path.exists():
            raise WeightsMissing(f"the weights of {spec.name!r} are not at {spec.path}: no such file or folder")
        return spec.path
    if weights_dir is not None and (weights_dir / spec.name).is_dir():
        return weights_dir / spec.name
    return None


def _from_hub(spec: ModelSpec, weights_dir: Path | None, offline: bool) -> Path:
    if not spec.fetched:
        where = weights_dir / spec.name if weights_dir else "a weights folder"
        raise WeightsMissing(
            f"the weights of {spec.name!r} are not in {where}, and no hub repository is known for them"
        )
    found = hub.here(spec)
    if found is None and offline:
        raise missing(spec, weights_dir)
    return found or fetching.fetch(spec)


def missing(spec: ModelSpec, weights_dir: Path | None = None) -> WeightsMissing:
    """The error for weights that were not found, with the places searched and the command to run."""
    places = [str(weights_dir / spec.name)] if weights_dir else []
    kept = hub.file_folder(spec) if spec.url is not None else hub.cache_folder(str(spec.repo)).parent
    places.append(f"the cache {kept}" if spec.url is not None else f"the hub cache {kept}")
    return WeightsMissing(
        f"the weights of {spec.name!r} are not in {' or '.join(places)}",
        hint=f"with network access run: {fetch_command(spec, weights_dir)}",
    )


def fetch_command(spec: ModelSpec, weights_dir: Path | None = None) -> str:
    """The shell command that puts the weights where `folder` finds them."""
    name = f"hf:{spec.repo}" if spec.name.startswith("open_clip:") else spec.name
    return shlex.join(["vidembed", "models", "download", name, *(["--to", str(weights_dir)] if weights_dir else [])])


@contextmanager
def loading(spec: ModelSpec, at: Path) -> Iterator[None]:
    """Turns errors of reading weights (absent, truncated, of another shape) into WeightsMissing."""
    try:
        yield
    except (ModelError, ImportError, MemoryError):
        raise
    except Exception as error:  # safetensors, zip, json, torch and transformers each have their own
        if type(error).__name__ == "OutOfMemoryError":
            raise
        broken = damaged(at)
        reason = f"{broken.name} is cut short or damaged" if broken else f"{type(error).__name__}: {_first_line(error)}"
        raise WeightsMissing(
            f"the weights of {spec.name!r} in {at} do not load: {reason}", hint=_again(spec, at)
        ) from error


def _again(spec: ModelSpec, at: Path) -> str:
    if not spec.repo:
        return "save or copy the folder again"
    folder = at if at.is_dir() else at.parent
    if folder.is_relative_to(hub.cache_folder(spec.repo)):
        return f"fetch them again: vidembed models rm {spec.name}, then: {fetch_command(spec)}"
    return f"fetch them again: {fetch_command(spec, folder.parent)}"


def damaged(at: Path) -> Path | None:
    """The first file of weights or settings that is cut short or not what its name says; None when all look whole."""
    files = [at] if at.is_file() else sorted(path for path in at.rglob("*") if path.is_file())
    return next((path for path in files if not _looks_whole(path)), None)


def _looks_whole(path: Path) -> bool:
    """By its header and size; content is not read."""
    try:
        if path.suffix == ".safetensors":
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if length > path.stat().st_size:
                    return False
                header = json.loads(file.read(length))
            ends = [about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"]
            return 8 + length + max(ends, default=0) == path.stat().st_size
        if path.suffix in (".bin", ".pt", ".pth"):
            with path.open("rb") as file:
                start = file.read(4)
            return start != b"PK\3\4" or zipfile.is_zipfile(path)  # older torch files, CTranslate2's: unknown
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError, OSError, MemoryError):
        return False
    return True


def read_json(path: Path, spec: ModelSpec) -> dict[str, Any]:
    """A JSON object of the model's folder. Raises WeightsMissing when it is absent, broken or no object."""
    with loading(spec, path.parent):
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"{path.name} must hold an object")
    return value


def find_file(at: Path, names: Sequence[str], spec: ModelSpec) -> Path:
    """The first of these files that the folder has. Raises WeightsMissing when it has none."""
    for name in names:
        if (at / name).is_file():
            return at / name
    hint = _again(spec, at) if spec.repo else "check that the folder is the saved model"
    raise WeightsMissing(f"the weights of {spec.name!r}: none of {', '.join(names)} is in {at}", hint=hint)


def check_sha256(path: Path, expected: str, spec: ModelSpec) -> None:
    """Raises WeightsMissing unless the file is there with that hash."""
    if not path.is_file():
        raise WeightsMissing(f"the weights of {spec.name!r} lack the file {path}")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected.lower():
        raise WeightsMissing(
            f"{path} of {spec.name!r} has SHA-256 {actual}, expected {expected}",
            hint="the file is damaged or of another version: delete it and fetch it again",
        )


def space_name(spec: ModelSpec, at: Path) -> str:
    """The name of the space of a model without a record: the hub id, or for local weights a hash of their content.

    So a folder may move and keep its space, and new weights in it make a new space.
    """
    if spec.path is None:
        return spec.name
    files = [at] if at.is_file() else sorted(p for pattern in _WEIGHTS for p in at.glob(pattern))
    digest = hashlib.blake2b(digest_size=4)
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(2**20))
            file.seek(max(0, size - 2**20))
            digest.update(file.read())
    return f"{at.resolve().stem}-{digest.hexdigest()}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0][:300]
