"""Fetching models from a hub: each file once, checked by its hash, resumed where it was cut; errors say what to do."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vidembed.errors import ModelError, WeightsMissing, did_you_mean
from vidembed.models.hub import (
    COMMIT,
    SMALL,
    HubFile,
    Snapshot,
    cache_folder,
    file_folder,
    note_of,
    pinned,
    size_of,
    snapshot,
    snapshot_of,
    write_note,
)
from vidembed.models.spec import ModelSpec, builtin

Advance = Callable[[int], None]  # bytes more
Watcher = Callable[[str, int], AbstractContextManager[Advance]]  # what is fetched and how many bytes -> while it is
_TRIES = 5  # without one byte more
_GB = 1e9
_watcher: list[Watcher] = [lambda what, size: nullcontext(lambda more: None)]


def resolve(spec: ModelSpec) -> ModelSpec:
    """The record at its commit: known here, else asked for once; kept. Raises WeightsMissing as `fetch`."""
    known = pinned(spec)
    if known.repo is None or COMMIT.fullmatch(spec.revision):
        return known
    if not COMMIT.fullmatch(known.revision):
        return replace(spec, revision=ask(spec).commit)
    note = note_of(known.repo)
    if note["revisions"].get(spec.revision) != known.revision:  # another program's, which may move it
        note["revisions"][spec.revision] = known.revision
        write_note(known.repo, note)
    return known


def ask(spec: ModelSpec) -> Snapshot:
    """Ask the hub which commit and files the record stands for, and keep the answer. Raises WeightsMissing."""
    from huggingface_hub import HfApi

    assert spec.repo is not None
    with _explained(spec):
        info = HfApi().model_info(spec.repo, revision=spec.revision, files_metadata=True, timeout=30)
        files = [
            HubFile(one.rfilename, int(one.size or 0), one.lfs.sha256 if one.lfs else None, one.blob_id)
            for one in info.siblings or ()
        ]
        commit = str(info.sha)
    note = note_of(spec.repo)
    note["commits"][commit] = {file.name: {k: v for k, v in asdict(file).items() if k != "name"} for file in files}
    if not COMMIT.fullmatch(spec.revision):
        note["revisions"][spec.revision] = commit
    write_note(spec.repo, note)
    return snapshot_of(spec, commit, files)


def fetch(spec: ModelSpec) -> Path:
    """The folder with the record's files; those that are not here are fetched, checked, and resumed where cut.

    Raises:
        WeightsMissing: The repository is missing, gated or not for this account; the connection is cut; the disk is
            full; a file's hash is not the hub's. The hint says what to do.
    """
    if spec.url is not None:
        return _fetch_from_url(spec)
    found = snapshot(spec)
    if found is None or found.lacking or found.commit not in note_of(found.repo)["commits"]:
        found = ask(replace(spec, revision=found.commit) if found else spec)
    if not any(not file.name.endswith(SMALL) for file in found.files):
        raise WeightsMissing(
            f"the hub repository {found.repo} of {spec.name!r} has no weights that load here",
            hint="needed are .safetensors, .bin, .pt or .pth files, not Flax, TensorFlow or ONNX ones",
        )
    lacking = found.lacking
    if lacking:
        _check_space(spec, lacking)
        what = f"{spec.name} ({found.repo})"
        with _watcher[0](what, sum(file.size for file in lacking)) as advance, _explained(spec):
            for file in sorted(
                lacking, key=lambda file: file.sha256 is not None
            ):  # small ones first: refusals show early
                _fetch_file(found, file, advance)
    return found.folder


def _fetch_from_url(spec: ModelSpec) -> Path:
    """The folder with the one file of a record that is on no hub."""
    from filelock import FileLock

    assert spec.url is not None
    folder, ((name, sha256),) = file_folder(spec), spec.files.items()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.incomplete"
    with FileLock(folder / f"{name}.lock"):
        if not (folder / name).is_file():
            what = f"{spec.name} ({urlsplit(spec.url).hostname})"
            with _watcher[0](what, round(spec.size_gb * _GB)) as advance, _explained(spec):
                advance(size_of(part) or 0)
                _download(spec.url, part, None, advance, headers={})  # the hub's token is not for others
            if _sha256(part) != sha256:
                part.unlink()
                raise WeightsMissing(
                    f"{name} came from {spec.url} with another SHA-256 than the record of {spec.name!r} has",
                    hint="run the same command again; the file is deleted",
                )
            part.replace(folder / name)
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def watch(watcher: Watcher) -> None:
    """Show downloads of this process with it from now on. It may raise to refuse one."""
    _watcher[0] = watcher


def _check_space(spec: ModelSpec, lacking: Sequence[HubFile]) -> None:
    folder = cache_folder(str(spec.repo))
    size = sum(file.size for file in lacking)
    size -= sum(size_of(_blob(folder, file, ".incomplete")) or 0 for file in lacking if file.sha256)
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    if size > free:
        raise WeightsMissing(
            f"the weights of {spec.name!r} need {size / _GB:.2f} GB more, and {folder} has {free / _GB:.2f} GB free",
            hint="free some space, or set HF_HOME to a folder on a larger disk",
        )


def _blob(folder: Path, file: HubFile, suffix: str = "") -> Path:
    return folder / "blobs" / f"{file.sha256}{suffix}"


def _fetch_file(found: Snapshot, file: HubFile, advance: Advance) -> None:
    """Fetch one file into the cache and check it; a large one is resumed at the byte that the last try reached."""
    from huggingface_hub import hf_hub_download

    path = found.folder / file.name
    if path.is_file():  # cut short
        path.resolve().unlink()
    if file.sha256 is not None:
        _fetch_blob(found, file, advance)
    # The client makes the cache's links; what it still has to fetch is small.
    hf_hub_download(found.repo, file.name, revision=found.commit, tqdm_class=_no_bar())
    if file.sha256 is None:
        advance(file.size)
        content = path.read_bytes()
        if file.git_sha1 and hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != file.git_sha1:
            path.resolve().unlink()
            raise _damaged(found, file)


def _fetch_blob(found: Snapshot, file: HubFile, advance: Advance) -> None:
    from filelock import FileLock
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers

    folder = cache_folder(found.repo)
    part = _blob(folder, file, ".incomplete")
    part.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(_blob(folder, file, ".lock")):
        if not _blob(folder, file).exists():
            advance(min(size_of(part) or 0, file.size))
            url = hf_hub_url(found.repo, file.name, revision=found.commit)
            _download(url, part, file.size, advance, headers=build_hf_headers())
            if _sha256(part) != file.sha256:
                part.unlink()
                raise _damaged(found, file)
            part.replace(_blob(folder, file))
    _blob(folder, file, ".lock").unlink(missing_ok=True)


def _damaged(found: Snapshot, file: HubFile) -> WeightsMissing:
    return WeightsMissing(
        f"{file.name} of {found.repo} came with another hash than the hub states: damaged on the way",
        hint="run the same command again; the file is deleted",
    )


def _download(url: str, part: Path, size: int | None, advance: Advance, *, headers: Mapping[str, str]) -> None:
    """Append what is missing; size: None = as the server says.

    Raises the connection's last error after some tries that brought no byte more.
    """
    failed, reached = 0, -1
    while (have := size_of(part) or 0) < (size or 1 << 60):
        failed, reached = (0 if have > reached else failed), have
        try:
            size = _append(url, part, have, advance, headers) or size
        except Exception as error:
            failed += 1
            if not _is_connection(error) or failed >= _TRIES:
                raise
            if (size_of(part) or 0) <= reached:
                time.sleep(min(2.0 ** (failed - 1), 8.0))
    if have > (size or have):
        part.unlink()
        raise OSError(f"{url} sent more than the {size} bytes that the hub states")


def _append(url: str, part: Path, have: int, advance: Advance, headers: Mapping[str, str]) -> int | None:
    """Append what comes; how many bytes the whole file has, where the server says so."""
    from huggingface_hub import get_session
    from huggingface_hub.utils._http import hf_raise_for_status

    headers = {**headers, "Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    with get_session().stream("GET", url, headers=headers, follow_redirects=True) as response:
        hf_raise_for_status(response)
        told = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get("Content-Length")
        whole = response.status_code != 206  # the server ignores ranges
        if whole:
            advance(-have)
        with part.open("wb" if whole else "ab") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                advance(len(chunk))
    return int(told) if told and told.isdigit() else size_of(part)


def _is_connection(error: BaseException) -> bool:
    """Whether the connection failed: the client's errors are those of its http package, whose version differs."""
    return any(kind.__name__ == "TransportError" for kind in type(error).__mro__) or isinstance(error, ConnectionError)


@contextmanager
def _explained(spec: ModelSpec) -> Iterator[None]:
    """Turns the client's errors into WeightsMissing that say what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except ModelError:
        raise
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise _explanation(spec, error) from error
    except Exception as error:
        if not _is_connection(error):
            raise
        raise _explanation(spec, error) from error


def _explanation(spec: ModelSpec, error: BaseException) -> WeightsMissing:
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__  # the client's own words hide why
    if spec.url is not None and not isinstance(error, OfflineModeIsEnabled):
        return _of_url(spec, error)
    repo, page = spec.repo, f"{constants.ENDPOINT}/{spec.repo}"
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(error, OfflineModeIsEnabled):
        return WeightsMissing(
            f"the weights of {spec.name!r} are not here, and HF_HUB_OFFLINE forbids to fetch them",
            hint=f"unset it, or on a machine with network access run: vidembed models download {spec.name}",
        )
    if isinstance(error, GatedRepoError) or status == 403:
        way = "wait until access is granted to your account" if get_token() else "run: hf auth login, or set HF_TOKEN"
        return WeightsMissing(
            f"{repo} is gated: its weights are for accounts that have accepted its licence",
            hint=f"accept it at {page}, then {way}",
        )
    if isinstance(error, RevisionNotFoundError):
        return WeightsMissing(f"{repo} has no revision {spec.revision!r}", hint=f"see {page}/commits/main")
    if status == 401 and response is not None and "credentials" in response.headers.get("X-Error-Message", ""):
        return WeightsMissing(
            "the hub refuses the access token", hint="make a new one: hf auth login; or correct or unset HF_TOKEN"
        )
    # A repository that is not there and a private one are both 401 to those who are not logged in.
    if status == 401 or isinstance(error, RepositoryNotFoundError | HFValidationError):
        known = sorted({record.repo for record in builtin() if record.repo})
        close = did_you_mean(str(repo), known)
        return WeightsMissing(
            f"the hub has no model {repo!r}, or it is private",
            hint=(close if close.startswith("did you mean") else "check the name on the hub")
            + " For a private one: hf auth login, or set HF_TOKEN",
        )
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    again = f"run the same command again: it goes on where it stopped; or: vidembed models download {spec.name}"
    if getattr(error, "errno", None) == 28:
        return WeightsMissing(f"the disk is full: {cache_folder(str(repo))}", hint=f"free some space, then {again}")
    what = f"the hub answered {status}" if status else f"the connection to {constants.ENDPOINT} failed"
    return WeightsMissing(f"the weights of {spec.name!r} could not be fetched: {what} ({reason})", hint=again)


def _of_url(spec: ModelSpec, error: BaseException) -> WeightsMissing:
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    what = f"{spec.url} answered {status}" if status else f"{spec.url}: {reason}"
    return WeightsMissing(
        f"the weights of {spec.name!r} could not be fetched: {what}",
        hint=f"run the same command again: it goes on where it stopped; or: vidembed models download {spec.name}",
    )


def _no_bar() -> Any:
    from huggingface_hub.utils.tqdm import tqdm

    class NoBar(tqdm):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **{**named, "disable": True})  # type: ignore[no-untyped-call]

    return NoBar
