"""A model hub on 127.0.0.1: what the hub's client asks for, and what may go wrong on the way."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

LARGE = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx")  # kept outside git, with a SHA-256


@dataclass
class Repository:
    """Commits of one repository: name of a branch -> commit -> folder. `token`: whom its files are for."""

    commits: dict[str, Path] = field(default_factory=dict)
    main: str = ""
    token: str | None = None


@dataclass
class Faults:
    """What goes wrong with the next requests.

    Attributes:
        cut_at: Large files end there, counted in their own bytes; for `cuts` requests.
        no_ranges: The server sends files whole, whatever was asked for.
        status, message: Answered to everything.
        changed: Bytes sent in place of large files, of the same length.
        hold: Requests wait for it.
    """

    cut_at: int | None = None
    cuts: int = 0
    no_ranges: bool = False
    status: int | None = None
    message: str = "the hub is down"
    changed: bool = False
    hold: threading.Event | None = None


class Hub:
    """The repositories, the faults, and what was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults = Faults()
        self.asked: list[str] = []  # "GET /path"
        self.headers: list[dict[str, str]] = []  # of the requests
        self.sent: dict[str, int] = {}  # bytes of large files by path
        self.url = ""
        self.arrived = threading.Event()

    def add(self, repo: str, folder: Path, *, commit: str | None = None, token: str | None = None) -> str:
        """Publish a folder as the newest commit."""
        made = commit or hashlib.sha1(f"{repo}{folder}".encode()).hexdigest()
        found = self.repositories.setdefault(repo, Repository())
        found.commits[made], found.main, found.token = folder, made, token
        return made

    def names(self) -> list[str]:
        """File names of the content requests so far."""
        return [
            entry.partition("/resolve/")[2].partition("/")[2]
            for entry in self.asked
            if entry.startswith("GET") and "/resolve/" in entry
        ]


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        if hub.faults.hold is not None:
            hub.faults.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def use(hub: Hub, cache: Path, patch: pytest.MonkeyPatch) -> None:
    """The client of this process talks to that hub and keeps files in that cache."""
    from huggingface_hub import constants

    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "ENDPOINT", hub.url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        patch.delenv(name, raising=False)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *given: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.hub
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        hub.headers.append(dict(self.headers.items()))
        hub.arrived.set()
        if hub.faults.hold is not None:
            hub.faults.hold.wait(60)
        if hub.faults.status is not None:
            self._send(hub.faults.status, b"", {"X-Error-Message": hub.faults.message})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            self._about(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            self._tree(found[1], found[2])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(found[1], found[2], found[3])
        else:
            self._send(404, b"not a path of a hub")

    def _commit(self, repo: str, revision: str) -> tuple[str, Path] | None:
        known = self.hub.repositories.get(repo)
        if known is None:
            # As the hub does for those it does not know: a missing repository and a private one look alike.
            self._send(401, b"Invalid username or password.", {"X-Error-Message": "Invalid username or password."})
            return None
        commit = known.main if revision == "main" else revision
        if commit not in known.commits:
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            return None
        return commit, known.commits[commit]

    def _about(self, repo: str, revision: str) -> None:
        if (found := self._commit(repo, revision)) is None:
            return
        commit, folder = found
        siblings = [
            {"rfilename": name, "size": size, "blobId": sha1, **({"lfs": lfs} if lfs else {})}
            for name, size, sha1, lfs in _listed(folder)
        ]
        record = {"id": repo, "modelId": repo, "sha": commit, "private": False, "tags": [], "siblings": siblings}
        self._send(200, json.dumps(record).encode(), {"Content-Type": "application/json"})

    def _tree(self, repo: str, revision: str) -> None:
        if (found := self._commit(repo, revision)) is None:
            return
        entries = [
            {
                "type": "file",
                "path": name,
                "size": size,
                "oid": sha1,
                **({"lfs": {**lfs, "oid": lfs["sha256"]}} if lfs else {}),
            }
            for name, size, sha1, lfs in _listed(found[1])
        ]
        self._send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _file(self, repo: str, revision: str, name: str) -> None:
        if (found := self._commit(repo, revision)) is None:
            return
        commit, folder = found
        token = self.hub.repositories[repo].token
        if token is not None and self.headers.get("Authorization") != f"Bearer {token}":
            told = "Authorization" in self.headers
            self._send(403 if told else 401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"})
            return
        path = folder / name
        if not path.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
            return
        content = path.read_bytes()
        large = path.suffix in LARGE
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if large:
            sha256 = hashlib.sha256(content).hexdigest()
            headers |= {
                "ETag": f'"{_git_sha1(content)}"',
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
            }
        else:
            headers["ETag"] = f'"{_git_sha1(content)}"'
        self._content(name, content, headers, large=large)

    def _content(self, name: str, content: bytes, headers: dict[str, str], *, large: bool) -> None:
        faults, start, status = self.hub.faults, 0, 200
        if self.hub.faults.changed and large:
            content = bytes(len(content))
        given = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if given and not faults.no_ranges:
            start, status = int(given[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content) - start)}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        end = len(content)
        if large and faults.cut_at is not None and faults.cuts > 0 and start <= faults.cut_at < end:
            faults.cuts -= 1
            end = max(start, faults.cut_at)
            self.close_connection = True
        if large:  # counted first: whoever has read it all may ask at once
            self.hub.sent[name] = self.hub.sent.get(name, 0) + end - start
        self.wfile.write(content[start:end])

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _listed(folder: Path) -> Iterator[tuple[str, int, str, dict[str, Any] | None]]:
    """Name, size, git's hash and, for large files, what the hub says of their content."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        lfs = {"sha256": sha256, "size": len(content), "pointerSize": 130} if path.suffix in LARGE else None
        yield path.relative_to(folder).as_posix(), len(content), _git_sha1(content), lfs


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
