"""`VideoIndex`: add videos, search them, caption them, see what is in the index, remove them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

from vidembed.config.load import Overrides, with_values
from vidembed.config.schema import Config
from vidembed.errors import BadQuery
from vidembed.index.channels import wanted_specs
from vidembed.index.filling import Filling, new_specs
from vidembed.index.manifest import check_specs
from vidembed.index.pipeline.run import ProgressCallback
from vidembed.index.places import ignore, known, lies_under, select
from vidembed.index.questions import Questions
from vidembed.index.watching import watch
from vidembed.index.whereabouts import relocate
from vidembed.media.files import Paths, as_list
from vidembed.media.remote import exists
from vidembed.types import RunReport


class VideoIndex(Questions):
    """An open index; `vidembed.open_index` makes it. A context manager.

    Safe for many threads: searches go on while one thread adds. Models and vectors are loaded when first needed. All
    that changes the index raises StoreError when it is open for reading only, and IndexBusy while another process
    changes it. `videos` are named by path, folder, glob or id.
    """

    # -- adding and changing -----------------------------------------------------------------------------------------

    def add(
        self,
        paths: Paths | None = None,
        *,
        channels: Sequence[str] | None = None,
        progress: ProgressCallback | None = None,
        workers: int | None = None,
        prefetch: int | None = None,
        on_error: str | None = None,
        prune: bool = False,
        shard: tuple[int, int] | None = None,
    ) -> RunReport:
        """Index what is missing of these files. A file that fails keeps what the index had of it.

        Args:
            paths: Folders, files, globs, list files; None = those of earlier runs, with what they hold now. Further
                columns of a list (.csv with a header, .jsonl, .parquet) become the videos' tags; see `tag`.
            channels: Channels to fill, ["vision"], or on top of the profile's ["+speech", "+ocr", "-sound"].
            progress: Called as clips are done.
            workers: Videos decoded in parallel.
            prefetch: Batches decoded ahead; 0 = decode and encode in turn, on one processor.
            on_error: "record" (the default) or "raise".
            prune: Forget videos whose files are gone; otherwise they are only hidden.
            shard: (3, 16): only the third of 16 parts of the files; `vidembed.index.merging.merge` joins them.

        Raises:
            MediaNotFound: There is nothing to index. Errors of single files are in the report.
            ConfigError: A channel is unknown, or a value is out of bounds.
            ModelError: A model cannot be loaded.
        """
        config = with_values(self.config, "run", workers=workers, prefetch=prefetch, on_error=on_error)
        return self._add(paths, channels, config=config, progress=progress, prune=prune, shard=shard)

    def _add(
        self,
        paths: Paths | None,
        channels: Sequence[str] | None,
        *,
        config: Config | None = None,
        progress: ProgressCallback | None = None,
        prune: bool = False,
        leave_out: Collection[Path] = (),
        shard: tuple[int, int] | None = None,
    ) -> RunReport:
        specs = wanted_specs(self.config, channels, self.parts.manifest.channels)
        check_specs(self.parts.manifest, specs, self.path)
        with self.parts.writing():
            report = Filling(self.parts).add(
                paths,
                specs,
                config=config or self.config,
                progress=progress,
                prune=prune,
                leave_out=leave_out,
                shard=shard,
            )
            self.parts.refresh(report)
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
        """Re-encode channels with other models or settings; old vectors stay live meanwhile.

        The new ones take over once every video that the old ones cover is done. Call again after a run that broke off.

        Args:
            channels: Names of the channels.
            profile: With the new models; None = the index's own. This and the next two as for `vidembed.open_index`.
            config: Your YAML on top.
            overrides: Single settings on top.
            progress: Called as clips are done.
            workers: Videos decoded in parallel.

        Raises:
            ConfigError, ModelError, StoreError: At once; errors of single files are in the report.
        """
        specs = new_specs(self.parts, channels, profile, config, overrides)
        run = with_values(self.config, "run", workers=workers)
        with self.parts.writing():
            report = Filling(self.parts).reencode(specs, config=run, progress=progress)
            self.parts.refresh(report)
        return report

    def watch(
        self,
        paths: Paths | None = None,
        *,
        interval_s: float = 5.0,
        stop: threading.Event | None = None,
        channels: Sequence[str] | None = None,
        report: Callable[[RunReport], None] | None = None,
    ) -> None:
        """Add now, and again when files have changed, until `stop` is set or Ctrl-C.

        Args:
            paths: What to index, as for `add`.
            interval_s: Seconds without a further change before files are added.
            stop: Ends the watching when set.
            channels: Channels to fill, as for `add`.
            report: Called after each run.
        """

        def add(leave_out: Collection[Path]) -> RunReport:
            return self._add(paths, channels, leave_out=leave_out)

        watch(known(self.catalog)[0] if paths is None else paths, add, interval_s=interval_s, stop=stop, report=report)

    def remove(self, paths_or_ids: Paths) -> int:
        """Remove videos from the index, by path, folder, glob or video id; files stay. Returns how many were found."""
        with self.parts.writing():
            removed = Filling(self.parts).remove([str(item) for item in as_list(paths_or_ids)])
            self.parts.invalidate()
        return removed

    def relocate(self, old: str | Path, new: str | Path) -> tuple[tuple[str, str], ...]:
        """Say that all files below the folder `old` are below `new` now; (old, new) paths. Nothing is read or encoded.

        Raises InputError where `new` does not exist, MediaNotFound where no file of the index was below `old`.
        """
        with self.parts.writing():
            moved = relocate(self.catalog, old, new)
            self.parts.invalidate()
        return moved

    def ignore(self, paths: Paths, *, undo: bool = False) -> list[str]:
        """Leave known-bad files out of runs from now on; what the index holds of them stays.

        Args:
            paths: Files, folders, globs.
            undo: Look at them again.

        Returns:
            All that is ignored.

        Raises:
            MediaNotFound: A path names nothing, or, with `undo`, is not ignored.
        """
        with self.parts.writing():
            return ignore(self.catalog, paths, undo=undo)

    def hide(self, videos: Paths, *, hidden: bool = True) -> None:
        """Leave videos out of searches, or take them in again with all that is known of them; so does adding again."""
        with self.parts.writing():
            given = {str(item) for item in as_list(videos)}
            under = lies_under(given, globs=True)
            rows = [row for row in self.catalog.videos.paths().values() if row.video_id in given or under(row.path)]
            present = [row.path for row in rows if hidden or exists(row.path)]
            self.catalog.videos.mark_missing(present, missing=hidden)
            self.parts.invalidate()

    def tag(self, videos: Paths | None, changes: Mapping[str, str | None]) -> int:
        """Tag videos (None: all), value by tag; a value of None removes the tag. Returns how many videos these are.

        `Filter(tags=["camera=front"])` searches by tags. Raises MediaNotFound, BadQuery for an invalid name of a tag.
        """
        for key in changes:
            if not key.strip() or any(sign in key for sign in "=!<>"):
                raise BadQuery(f"invalid tag name {key!r}", hint="letters, digits and spaces, without = ! < >")
        with self.parts.writing():
            chosen = select(self.catalog, videos)
            self.catalog.tags.change(chosen, changes)
        return len(chosen)

    def move_store(self, to: str, *, processes: int = 1) -> dict[str, int]:
        """Copy all vectors to a Qdrant server (its address) or "edge", and use that; returns clips per collection.

        processes: That send to a server at once; more than one needs a main module that can be imported.
        """
        with self.parts.writing():
            return self.parts.move_store(to, processes=processes)

    def optimize(self) -> None:
        """Build what makes searches fast, and free the space of deleted vectors."""
        with self.parts.writing():
            self.parts.own_store.optimize()

    def close(self) -> None:
        """Free the files; what is asked afterwards raises StoreError."""
        self.parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"VideoIndex({str(self.path)!r}, profile {self.parts.manifest.profile!r})"
