"""What all tabs and routes share: the open index, the limits, the running job, remembered answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache

from vidembed.errors import ConfigError, InputError, VidembedError
from vidembed.index.phrasing import load_writer
from vidembed.media.remote import name_of
from vidembed.web.arrivals import Arrivals
from vidembed.web.jobs import Edits, Jobs, Trash, sweep_uploads
from vidembed.web.media import MediaFiles, Pictures
from vidembed.web.searches import Answers, Courtesy, Recent

if TYPE_CHECKING:
    from vidembed.captions.summarise import Writer
    from vidembed.index.contents import VideoRecord
    from vidembed.index.video_index import VideoIndex

_log = logging.getLogger(__name__)
_PICTURES_BYTES = 256 << 20
DOCS_URL = "https://github.com/vidembed/vidembed/tree/main/docs"


@dataclass(frozen=True)
class AppSettings:
    """What the page allows.

    roots: folders of this machine from which videos may be added. readonly: nothing can be added, removed or edited.
    show_paths: exports and the API give whole paths instead of file names (the people are on this machine).
    max_upload_mb, max_uploads: per file, and files at once. check_s: longest time one upload is tried out.
    proxy_mb: disk that transcoded pieces may take. max_results: answers of one search. searches_at_once: threads.
    root_path: the prefix under which a reverse proxy serves the page, "/videos".
    ask_model, ask_endpoint: what phrases answers to questions, as for `VideoIndex.ask`; None = the videos' own words.
    """

    roots: tuple[Path, ...] = ()
    readonly: bool = False
    show_paths: bool = False
    max_upload_mb: int = 2048
    max_uploads: int = 50
    check_s: float = 30.0
    proxy_mb: int = 2048
    max_results: int = 60
    searches_at_once: int = 4
    root_path: str = ""
    ask_model: str | None = None
    ask_endpoint: str | None = None

    def __post_init__(self) -> None:
        for name in ("max_upload_mb", "max_uploads", "check_s", "proxy_mb", "max_results", "searches_at_once"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        if self.ask_endpoint is not None and self.ask_model is None:
            raise ConfigError("--ask-endpoint needs --ask-model", hint="the endpoint's name for the model")
        roots = tuple(Path(root).expanduser().resolve() for root in self.roots)
        for root in roots:
            if not root.is_dir():
                raise InputError(f"--root {str(root)!r}: no such folder")
        object.__setattr__(self, "roots", roots)
        prefix = self.root_path.strip("/")
        object.__setattr__(self, "root_path", f"/{prefix}" if prefix else "")


class Site:
    """One page over one open index."""

    def __init__(self, index: VideoIndex, settings: AppSettings | None = None) -> None:
        self.index = index
        self.settings = settings or AppSettings()
        self.readonly = self.settings.readonly or index.readonly
        self.answers, self.recent = Answers(), Recent()
        self.cutting: MutableMapping[str, tuple[int, int]] = LRUCache(500)  # ticket -> moments cut, and all
        self.searching = threading.BoundedSemaphore(self.settings.searches_at_once)
        self.courtesy = Courtesy()
        self.jobs = Jobs(self.courtesy)
        self.media = MediaFiles(index, index.path / "cache" / "proxies", max_bytes=self.settings.proxy_mb << 20)
        self.pictures = Pictures(index, self.media, index.path / "cache" / "frames", max_bytes=_PICTURES_BYTES)
        limit = self.settings.max_upload_mb << 20
        self.arrivals = Arrivals(self.uploads / "arriving", max_bytes=limit, at_once=4 * self.settings.max_uploads)
        self.bin = Trash(index, self.jobs, self.uploads)
        self.edits = Edits(index, self.jobs)
        if not self.readonly:
            self.bin.forget()

    @cached_property
    def writer(self) -> Writer | None:
        """What phrases answers to questions. Raises ConfigError and ModelError."""
        model, endpoint = self.settings.ask_model, self.settings.ask_endpoint
        return load_writer(self.index.config, model, endpoint=endpoint) if model is not None else None

    def check_writable(self) -> None:
        """Raises InputError where the page only shows the library."""
        if self.readonly:
            raise InputError("this page only shows the library: nothing can be changed")

    @property
    def uploads(self) -> Path:
        """Where uploaded videos are kept."""
        return self.index.path / "uploads"

    def videos(self) -> list[VideoRecord]:
        """The videos of the library, without those that were taken out, by path."""
        out = {one.video_id for one in self.bin.all()}
        return [record for record in self.index.videos() if record.info.video_id not in out]

    def url(self, path: str) -> str:
        """The address of one of our routes, as the browser sees it."""
        return f"{self.settings.root_path}/{path}"

    def shown(self, path: Path) -> str:
        """A file as people see it: its whole path only to those who sit at this machine."""
        return str(path) if self.settings.show_paths else name_of(path)

    def warm(self) -> threading.Thread:
        """Load in the background what the first search would have to wait for."""

        def load() -> None:
            try:
                if self.index.parts.specs:
                    self.index.search("warm up", k=1)
            except VidembedError as error:  # the first search says it to whoever asks
                _log.info("could not get ready for the first search: %s", error)

        thread = threading.Thread(target=load, name="vidembed-warm", daemon=True)
        thread.start()
        return thread

    def status(self) -> dict[str, object]:
        """What the top of every page shows.

        busy, text, share (0..1, None while unknown), change: differs whenever there is something new to see.
        """
        jobs = self.jobs.all()
        running = next((job for job in jobs if job.state in ("running", "stopping")), None)
        waiting = sum(job.state == "waiting" for job in jobs)
        gone = len(self.index.catalog.videos.gone())
        change = f"{self.index.catalog.videos.totals()[:2]}/{gone}/{sum(job.ended for job in jobs)}"
        if running is None:
            return {"busy": waiting > 0, "text": "", "share": None, "change": change}
        title = f"Stopping: {running.title}" if running.state == "stopping" else running.title
        text = title + (f", {waiting} waiting" if waiting else "")
        return {"busy": True, "text": text, "share": running.share, "change": change}

    def close(self) -> None:
        """Stop the running job and delete uploads of no video; the index stays open, it is the caller's."""
        self.jobs.close()
        self.pictures.close()
        self.edits.close()
        if not self.readonly:
            sweep_uploads(self.index, self.uploads)
