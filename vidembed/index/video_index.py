"""`VideoIndex`: add videos, search them, look at what is in them, take them out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.config.load import Overrides, load_config
from vidembed.config.schema import Config
from vidembed.errors import BadQuery, ConfigError, IndexBusy, StoreError, did_you_mean
from vidembed.index.base import OpenIndex
from vidembed.index.channels import lane
from vidembed.index.filling import Filling, Paths
from vidembed.index.manifest import Manifest, check_lanes
from vidembed.index.parts import make_bank
from vidembed.index.pipeline.progress import ProgressCallback
from vidembed.index.wanted import wanted_lanes, with_run
from vidembed.types import Caption, RunReport

if TYPE_CHECKING:
    from vidembed.index.captioning import CaptionedVideo


class VideoIndex(OpenIndex):
    """One index, open. Made by `vidembed.open_index`; a context manager.

    Safe for many threads: searches may go on while one thread adds. Models and vectors are loaded when first needed.
    """

    def __init__(self, path: Path, config: Config, manifest: Manifest, *, readonly: bool = False) -> None:
        super().__init__(path, config, manifest, readonly=readonly)
        self._write_mutex = threading.RLock()

    # -- writing -----------------------------------------------------------------------------------------------------

    def add(
        self,
        paths: Paths,
        *,
        channels: Sequence[str] | None = None,
        progress: ProgressCallback | None = None,
        workers: int | None = None,
        on_error: str | None = None,
        prune: bool = False,
    ) -> RunReport:
        """Index a folder, file, glob, list file or several of them; does only what is missing.

        Further columns of a list (.csv with a header, .jsonl, .parquet) become the videos' tags; see `tag`.
        channels: lanes to fill, ["vision"], or on top of the profile's ["+speech", "+ocr", "-sound"].
        workers: videos decoded side by side. on_error: "record" (the default) or "raise". prune: forget videos whose
        files are gone; otherwise they are only hidden. A file that fails keeps what the index had of it.
        Raises MediaNotFound, ConfigError, model and store errors at once; errors of single files are in the report.
        """
        run = {"workers": workers, "on_error": on_error}
        config = with_run(self.config, {key: value for key, value in run.items() if value is not None})
        lanes = wanted_lanes(self.config, channels)
        check_lanes(self._manifest, lanes, self.path)
        with self._writing():
            report = Filling(self).add(paths, lanes, config=config, progress=progress, prune=prune)
            self._changed(report)
        return report

    def reencode(
        self,
        channels: str | Sequence[str],
        *,
        profile: str | None = None,
        config: str | Path | None = None,
        overrides: Overrides | None = None,
        progress: ProgressCallback | None = None,
        workers: int | None = None,
    ) -> RunReport:
        """Encode channels anew, with the models and settings that these name for them; the old ones serve meanwhile.

        The new vectors take over once every video that the old ones cover is done; an interrupted or partly failed
        run leaves the old ones serving, and the next call goes on where it stopped.
        """
        names = [channels] if isinstance(channels, str) else list(channels)
        if not names:
            raise ConfigError("no channel to encode anew", hint=f"this index has: {', '.join(self.config.channels)}")
        stored = self._manifest.stored_settings() if profile in (None, self._manifest.profile) else None
        wanted = load_config(profile or self._manifest.profile, config, overrides, stored=stored)
        for name in names:
            if name not in wanted.channels:
                raise ConfigError(f"no channel {name!r} in these settings", hint=did_you_mean(name, wanted.channels))
        lanes = {name: lane(name, wanted.channels[name]) for name in names}
        run = with_run(self.config, {} if workers is None else {"workers": workers})
        with self._writing():
            report = Filling(self).reencode(lanes, config=run, progress=progress)
            self._changed(report)
        return report

    def watch(
        self,
        paths: Paths,
        *,
        interval_s: float = 5.0,
        stop: threading.Event | None = None,
        channels: Sequence[str] | None = None,
        report: Callable[[RunReport], None] | None = None,
    ) -> None:
        """Add now and whenever something changes, until `stop` is set or Ctrl-C. report: called after each run."""
        from vidembed.index.watching import watch

        watch(paths, lambda: self.add(paths, channels=channels), interval_s=interval_s, stop=stop, report=report)

    def remove(self, paths_or_ids: str | Path | Iterable[str | Path]) -> int:
        """Take videos out of the index, by path, folder, glob or video id; how many were found. Files stay."""
        given = [paths_or_ids] if isinstance(paths_or_ids, str | Path) else list(paths_or_ids)
        with self._writing():
            removed = Filling(self).remove([str(item) for item in given])
            self._invalidate()
        return removed

    def tag(self, videos: str | Path | Iterable[str | Path] | None, changes: Mapping[str, str | None]) -> int:
        """Set tags of videos, by path, folder, glob or id (None: all); a value of None takes a tag away.

        How many videos were meant. `Filter(tags=["camera=front"])` searches by them. Raises MediaNotFound, BadQuery.
        """
        from vidembed.index.filling import select

        for key in changes:
            if not key.strip() or any(sign in key for sign in "=!<>"):
                raise BadQuery(f"no name for a tag: {key!r}", hint="letters, digits and spaces, without = ! < >")
        with self._writing():
            chosen = select(self.catalog, videos)
            self.catalog.tags.change(chosen, changes)
        return len(chosen)

    def save_captions(self, captions: Sequence[Caption]) -> list[Caption]:
        """Save and make searchable; those that were saved. A model's caption never replaces a person's."""
        from vidembed.index.captioned import save_captions

        with self._writing():
            saved = save_captions(self, captions)
            self._invalidate()
        return saved

    def caption(
        self,
        videos: str | Path | Iterable[str | Path] | None = None,
        *,
        model: str | None = None,
        candidates: int | None = None,
        prompt: str | None = None,
        seed: int | None = None,
        redo: bool = False,
        rechoose: bool = False,
        options: Mapping[str, Any] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Iterator[CaptionedVideo]:
        """Caption videos of the index, by path, folder, glob or id (None: all); yields each as it is done and saved.

        What the same captioner with the same settings has done is kept (redo: done anew), a person's captions always.
        rechoose: nobody is asked; the choice among the kept proposals is made anew, by the vectors and settings of now.
        None takes the setting of the index (caption.*). Captions are searchable at once, in the `caption` channels.
        Errors of single clips and files are in `CaptionedVideo.failures`; ConfigError and model errors are raised.
        """
        from vidembed.index.captioning import CaptionRequest, caption_videos
        from vidembed.index.filling import select

        request = CaptionRequest(model, candidates, prompt, seed, redo, rechoose, dict(options) if options else None)
        yield from caption_videos(self, select(self.catalog, videos), request, progress=progress)

    def move_store(self, to: str) -> dict[str, int]:
        """Copy all vectors to a Qdrant server (its address) or back ("edge"), compare, use it from now on.

        Returns clips per collection. The old vectors stay where they are.
        """
        from vidembed.index.moving import move_store

        with self._writing():
            counts, self._manifest, self.config, self._store = move_store(self, self._manifest, to)
            self._searcher = None
        return counts

    # -- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time, among threads and among processes."""
        from filelock import FileLock, Timeout

        if self.readonly:
            raise StoreError(f"the index {str(self.path)!r} is open for reading only")
        with self._write_mutex:
            guard = FileLock(self.path / "write.lock", timeout=0)
            try:
                guard.acquire()
            except Timeout as error:
                raise IndexBusy(
                    f"another process is writing to the index {str(self.path)!r}", hint="wait until it is done"
                ) from error
            try:
                yield
            finally:
                guard.release()

    def _changed(self, report: RunReport) -> None:
        self._invalidate()
        if report.done and self.config.search.calibration.enabled:
            bank = make_bank(self.config, self._cache())
            for channel in self.channels.values():
                bank(channel)  # kept on disk, so that no search has to wait for it
