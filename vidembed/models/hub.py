"""Models of a hub as this machine has them: the commit and the files that a record stands for. Nobody is asked.

A name such as "main" is resolved once (`fetching`); its commit and files are noted beside them, in the hub's cache, so
that weights replaced on the hub change nothing here until `vidembed models update`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from vidembed.errors import WeightsMissing
from vidembed.files import write_text
from vidembed.models.spec import ModelSpec

COMMIT = re.compile(r"[0-9a-f]{40}")
# In the order open_clip itself prefers them; pickled ones are opened with torch's weights-only loader.
OPEN_CLIP_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "pytorch_model.bin",
)
# Settings and tokenizers; then one copy of the weights: the first of these that a folder has.
SMALL = (".json", ".txt", ".model", ".jinja")
_COPIES = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin", "model.bin", "*.bin", "*.pt", "*.pth")
_OTHER_ENGINES = frozenset({"onnx", "openvino", "coreml", "original", "flax", "gguf"})
_NOTE = "vidembed.json"  # in the repository's folder of the cache


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at one commit. sha256: of large files; small ones have git's hash of their content."""

    name: str
    size: int
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit.

    Attributes:
        repo: Its id on the hub.
        commit: 40 hex digits.
        files: Those that loading needs.
    """

    repo: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def folder(self) -> Path:
        """Where its files lie in the hub's cache."""
        return cache_folder(self.repo) / "snapshots" / self.commit

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self.files)

    @property
    def lacking(self) -> tuple[HubFile, ...]:
        """The files that are not here, or not whole."""
        return tuple(file for file in self.files if size_of(self.folder / file.name) != file.size)


def cache_folder(repo: str) -> Path:
    """The repository's folder in the cache that all of the hub's programs share."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"


def needed(names: Iterable[str], *, open_clip: bool) -> list[str]:
    """Those of a repository's files that loading takes: settings, tokenizers, one copy of the weights, no code.

    open_clip: whether open_clip reads it, which has its own names for weights.
    """
    folders: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if not _OTHER_ENGINES.intersection(path.parts[:-1]) and not any(part.startswith(".") for part in path.parts):
            folders.setdefault(str(path.parent), []).append(name)
    found = [name for inside in folders.values() for name in inside if name.endswith(SMALL)]
    for inside in folders.values():
        found += _weights(inside, open_clip=open_clip)
    return sorted(found)


def _weights(names: Sequence[str], *, open_clip: bool) -> list[str]:
    """One copy of the weights in one folder: the only file, or all shards of it."""
    by_name = {PurePosixPath(name).name: name for name in names}
    if open_clip:
        return [by_name[name] for name in OPEN_CLIP_WEIGHTS if name in by_name][:1]
    ours = [name for name in names if not PurePosixPath(name).name.startswith("open_clip_")]
    for pattern in _COPIES:
        if copy := [name for name in ours if PurePosixPath(name).match(pattern)]:
            return copy
    return []


def pinned(spec: ModelSpec, commit: str | None = None) -> ModelSpec:
    """The record at a commit instead of a name, where one is known; asks nobody.

    Args:
        spec: The record.
        commit: Goes before what is known here; of an index, so that it keeps its weights.
    """
    if spec.repo is None or COMMIT.fullmatch(spec.revision):
        return spec
    if commit is None or not COMMIT.fullmatch(commit):
        commit = _known_commit(spec)
    return replace(spec, revision=commit) if commit else spec


def file_folder(spec: ModelSpec) -> Path:
    """Where the file of a record with a url is kept: beside the cache of the hub's repositories."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).parent / "vidembed" / spec.name


def here(spec: ModelSpec) -> Path | None:
    """The folder with all files that the record needs; None when one is missing or cut short. Asks nobody."""
    if spec.url is not None:
        return file_folder(spec) if all((file_folder(spec) / name).is_file() for name in spec.files) else None
    found = snapshot(spec)
    return found.folder if found is not None and not found.lacking else None


def snapshot(spec: ModelSpec) -> Snapshot | None:
    """What is known here of the record's repository at its commit; None when it was never asked for."""
    assert spec.repo is not None
    commit = _known_commit(spec)
    if commit is None:
        return None
    files = note_of(spec.repo)["commits"].get(commit)
    if files is not None:
        return snapshot_of(spec, commit, [HubFile(name, **about) for name, about in files.items()])
    return _adopted(spec, commit)


# -- what is kept in the cache -----------------------------------------------------------------------------------------


def _known_commit(spec: ModelSpec) -> str | None:
    assert spec.repo is not None
    if COMMIT.fullmatch(spec.revision):
        return spec.revision
    kept = note_of(spec.repo)["revisions"].get(spec.revision)
    if kept is not None:
        return str(kept)
    try:  # as other programs of the hub keep it
        return (cache_folder(spec.repo) / "refs" / spec.revision).read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def note_of(repo: str) -> dict[str, Any]:
    """{"revisions": {name: commit}, "commits": {commit: {file: facts}}}."""
    try:
        note = json.loads((cache_folder(repo) / _NOTE).read_text(encoding="utf-8"))
        return {"revisions": dict(note["revisions"]), "commits": dict(note["commits"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"revisions": {}, "commits": {}}


def write_note(repo: str, note: dict[str, Any]) -> None:
    """Keep what `note_of` gives. Raises WeightsMissing where the cache cannot be written."""
    folder = cache_folder(repo)
    try:
        (folder / "snapshots").mkdir(parents=True, exist_ok=True)  # without it the hub's tools call the folder corrupt
        write_text(folder / _NOTE, json.dumps(note, indent=1))
    except OSError as error:
        raise WeightsMissing(
            f"cannot write to the hub's cache {folder}: {error.strerror}",
            hint="set HF_HOME to a folder you may write to",
        ) from error


def _adopted(spec: ModelSpec, commit: str) -> Snapshot | None:
    """What another program fetched: taken as whole when it has weights, and all shards that their index names."""
    assert spec.repo is not None
    folder = cache_folder(spec.repo) / "snapshots" / commit
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    chosen = needed(names, open_clip=_by_open_clip(spec, names))
    try:
        shards = {
            str(PurePosixPath(name).with_name(shard))
            for name in chosen
            if name.endswith(".index.json")
            for shard in json.loads((folder / name).read_text(encoding="utf-8"))["weight_map"].values()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if all(name.endswith(SMALL) for name in chosen) or not shards <= set(names):
        return None
    return Snapshot(spec.repo, commit, tuple(HubFile(name, (folder / name).stat().st_size) for name in chosen))


def snapshot_of(spec: ModelSpec, commit: str, files: Sequence[HubFile]) -> Snapshot:
    """The snapshot with those of a commit's files that the record needs."""
    assert spec.repo is not None
    names = [file.name for file in files]
    chosen = set(needed(names, open_clip=_by_open_clip(spec, names)))
    return Snapshot(spec.repo, commit, tuple(file for file in files if file.name in chosen))


def _by_open_clip(spec: ModelSpec, names: Iterable[str]) -> bool:
    if ".registry:" in spec.factory:  # found by the files, in the order of `registry.find`
        return "open_clip_config.json" in set(names)
    return ".open_clip:" in spec.factory


def size_of(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None
