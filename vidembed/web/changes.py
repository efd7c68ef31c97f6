"""Changes of the library that people make by hand: taking videos out and back in, correcting captions.

The index has one writer at a time. While something is being indexed, these wait in the queue instead of holding up the
page.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.errors import InputError
from vidembed.types import Caption

if TYPE_CHECKING:
    from vidembed.index.info import VideoRecord
    from vidembed.index.pipeline.progress import ProgressCallback
    from vidembed.web.site import Site

_KEEP = 20


@dataclass(frozen=True)
class Removed:
    """A video that was taken out, with what only people could say again."""

    token: str
    name: str
    paths: tuple[Path, ...]
    captions: tuple[Caption, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class Bin:
    """The videos taken out last: uploads keep their file for as long as they can be put back."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._held: dict[str, Removed] = {}
        self._lock = threading.Lock()

    def remove(self, record: VideoRecord) -> Removed:
        """Take the video out now, or after what runs; it can be put back."""
        video_id = record.info.video_id
        mine = tuple(caption for caption in self._site.index.captions(video_id) if caption.human)
        gone = Removed(secrets.token_urlsafe(8), record.info.path.name, record.paths, mine, dict(record.tags))

        def work(report: ProgressCallback) -> str:
            self._site.index.remove(video_id)
            return "taken out of the library"

        if self._site.jobs.busy:
            self._site.jobs.start(f"Removing {gone.name}", work)
        else:
            self._site.index.remove(video_id)
        with self._lock:
            self._held[gone.token] = gone
            dropped = [self._held.pop(token) for token in list(self._held)[:-_KEEP]]
        for old in dropped:
            self._discard(old)
        return gone

    def put_back(self, token: str) -> Removed:
        """Index the video again and give it back its captions by hand and tags. Raises InputError when it is gone."""
        with self._lock:
            gone = self._held.pop(token, None)
        if gone is None:
            raise InputError("this removal can no longer be undone", hint="add the file again")

        def work(report: ProgressCallback) -> str:
            index = self._site.index
            run = index.add(list(gone.paths), progress=report)
            known = {clip.clip_id for caption in gone.captions[:1] for clip in index.clips(caption.clip.video_id)}
            index.save_captions([caption for caption in gone.captions if caption.clip.clip_id in known])
            if gone.tags:
                index.tag(list(gone.paths), gone.tags)
            return f"{gone.name} is back" if not run.failed else str(run)

        self._site.jobs.start(f"Putting {gone.name} back", work)
        return gone

    def _discard(self, gone: Removed) -> None:
        from vidembed.web.intake import discard_upload

        known = {row.path for row in self._site.index.catalog.videos.paths().values()}
        discard_upload(self._site, [path for path in gone.paths if path.as_posix() not in known])


class Edits:
    """Captions by hand: saved at once, or after what runs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._waiting: dict[str, Caption] = {}
        self._lock = threading.Lock()

    def save(self, captions: Sequence[Caption]) -> bool:
        """Whether they are saved already; else they wait for the running work."""
        if not self._site.jobs.busy:
            self._site.index.save_captions(captions)
            return True
        with self._lock:
            if not self._waiting:
                self._site.jobs.start("Saving captions", self._flush, keep=True)
            self._waiting |= {caption.clip.clip_id: caption for caption in captions}
        return False

    def waiting(self) -> dict[str, Caption]:
        """Clip id -> the caption that will be saved."""
        with self._lock:
            return dict(self._waiting)

    def close(self) -> None:
        """Save what still waits; called when nothing runs any more."""
        self._flush(lambda progress: None)

    def _flush(self, report: ProgressCallback) -> str:
        saved = 0
        while waiting := self.waiting():
            saved += len(self._site.index.save_captions(list(waiting.values())))
            with self._lock:
                for clip_id, caption in waiting.items():
                    if self._waiting.get(clip_id) is caption:  # else it was corrected again meanwhile
                        del self._waiting[clip_id]
        return f"{saved} saved"
