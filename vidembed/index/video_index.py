"""`VideoIndex`: add videos, search them, look at what is in them, take them out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vidembed.captions.run import CaptionedVideo
from vidembed.config.load import Overrides
from vidembed.config.schema import Config, Fusion
from vidembed.errors import BadQuery
from vidembed.index import contents, searching
from vidembed.index.captioning import CaptionRequest, caption_videos, captioned_videos
from vidembed.index.catalog import Catalog
from vidembed.index.channels import wanted_specs
from vidembed.index.contents import IndexInfo, VideoRecord
from vidembed.index.filling import Filling, Paths, new_specs, select, with_run
from vidembed.index.manifest import check_specs
from vidembed.index.parts import IndexParts
from vidembed.index.pipeline.progress import ProgressCallback
from vidembed.index.watching import watch
from vidembed.search.duplicates import Duplicate, duplicates
from vidembed.search.query import SearchOptions
from vidembed.search.sequence import Chain, follow
from vidembed.types import Caption, Clip, Failure, Filter, Moment, Query, Row, RunReport, TimedText

Videos = str | Path | Iterable[str | Path]  # by path, folder, glob or video id
_PER_STEP = 200  # moments of one query that a sequence is looked for in


class VideoIndex:
    """One index, open. Made by `vidembed.open_index`; a context manager.

    Safe for many threads: searches may go on while one thread adds. Models and vectors are loaded when first needed.

    Attributes:
        path: The index's folder.
        parts: What the index is made of, for tools that build on it.
    """

    def __init__(self, parts: IndexParts) -> None:
        self.path = parts.path
        self.parts = parts
        self._verifiers: dict[str | None, searching.Verifier] = {}
        self._verifiers_mutex = threading.Lock()

    @property
    def config(self) -> Config:
        """The settings that hold."""
        return self.parts.config

    @property
    def catalog(self) -> Catalog:
        """Videos, clips, texts, captions, failures; to be read, not written."""
        return self.parts.catalog

    @property
    def readonly(self) -> bool:
        """Whether whatever changes the index is refused."""
        return self.parts.readonly

    # -- adding and changing -----------------------------------------------------------------------------------------

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
        A file that fails keeps what the index had of it.

        Args:
            paths: What to index.
            channels: Channels to fill, ["vision"], or on top of the profile's ["+speech", "+ocr", "-sound"].
            progress: Called as clips are done.
            workers: Videos decoded side by side.
            on_error: "record" (the default) or "raise".
            prune: Forget videos whose files are gone; otherwise they are only hidden.

        Raises:
            MediaNotFound, ConfigError, ModelError, StoreError: At once; errors of single files are in the report.
        """
        config = with_run(self.config, workers=workers, on_error=on_error)
        specs = wanted_specs(self.config, channels)
        check_specs(self.parts.manifest, specs, self.path)
        with self.parts.writing():
            report = Filling(self.parts).add(paths, specs, config=config, progress=progress, prune=prune)
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
        """Encode channels anew, with the models and settings that these name for them; old vectors stay live meanwhile.

        The new vectors take over once every video that the old ones cover is done; an interrupted or partly failed
        run leaves the old ones live, and the next call goes on where it stopped. Arguments as of `open_index`.
        """
        specs = new_specs(self.parts, channels, profile, config, overrides)
        run = with_run(self.config, workers=workers)
        with self.parts.writing():
            report = Filling(self.parts).reencode(specs, config=run, progress=progress)
            self.parts.refresh(report)
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
        watch(paths, lambda: self.add(paths, channels=channels), interval_s=interval_s, stop=stop, report=report)

    def remove(self, paths_or_ids: Videos) -> int:
        """Take videos out of the index, by path, folder, glob or video id; how many were found. Files stay."""
        given = [paths_or_ids] if isinstance(paths_or_ids, str | Path) else list(paths_or_ids)
        with self.parts.writing():
            removed = Filling(self.parts).remove([str(item) for item in given])
            self.parts.invalidate()
        return removed

    def tag(self, videos: Videos | None, changes: Mapping[str, str | None]) -> int:
        """Set tags of videos, by path, folder, glob or id (None: all); a value of None takes a tag away.

        How many videos were meant. `Filter(tags=["camera=front"])` searches by them. Raises MediaNotFound, BadQuery.
        """
        for key in changes:
            if not key.strip() or any(sign in key for sign in "=!<>"):
                raise BadQuery(f"invalid tag name {key!r}", hint="letters, digits and spaces, without = ! < >")
        with self.parts.writing():
            chosen = select(self.catalog, videos)
            self.catalog.tags.change(chosen, changes)
        return len(chosen)

    def caption(
        self,
        videos: Videos | None = None,
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
        """Caption videos of the index; yields each as it is done and saved.

        What the same captioner with the same settings has done is kept, a person's captions always. Captions are
        searchable at once, in the `caption` channels. Errors of single clips and files are in
        `CaptionedVideo.failures`; ConfigError and model errors are raised.

        Args:
            videos: By path, folder, glob or id; None = all.
            model, candidates, prompt, seed, options: In place of the index's settings (`caption.*`).
            redo: Caption anew what is captioned.
            rechoose: Re-rank stored candidates, by the vectors and settings of now; no model call.
            progress: Called with (path, clips done, clips in all).
        """
        request = CaptionRequest(model, candidates, prompt, seed, redo, rechoose, dict(options) if options else None)
        chosen = select(self.catalog, videos)
        yield from caption_videos(self.parts, chosen, request, save=self.save_captions, progress=progress)

    def save_captions(self, captions: Sequence[Caption]) -> list[Caption]:
        """Save and make searchable; those that were saved. A model's caption never replaces a person's."""
        with self.parts.writing():
            saved = Filling(self.parts).save_captions(captions)
            self.parts.invalidate()
        return saved

    def move_store(self, to: str) -> dict[str, int]:
        """Copy all vectors to a Qdrant server (its address) or back ("edge"), compare, use it from now on.

        Returns clips per collection. The old vectors stay where they are.
        """
        with self.parts.writing():
            return self.parts.move_store(to)

    def optimize(self) -> None:
        """Build what makes searches fast, and free the space of deleted vectors."""
        with self.parts.writing():
            self.parts.store.optimize()

    # -- searching ---------------------------------------------------------------------------------------------------

    def search(
        self,
        query: str | Query,
        *,
        k: int = 10,
        channels: Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
        where: Filter | None = None,
        group_by_video: bool = False,
        diversity: float = 0.0,
        offset: int = 0,
        fusion: Fusion | None = None,
    ) -> list[Moment]:
        """The k best moments, best first. A plain string is text. See `search.query.SearchOptions` for the options.

        `moment.confidence` below `config.search.min_confidence` means that it is no good match.
        Raises BadQuery, MediaNotFound and MediaUnreadable for what cannot be asked.
        """
        options = SearchOptions(
            k=k, offset=offset, channels=channels, weights=weights, where=where, group_by_video=group_by_video,
            diversity=diversity, fusion=fusion,
        )  # fmt: skip
        return self.parts.searcher.search(query, options)

    def search_sequence(
        self, queries: Sequence[str | Query], *, gap_s: float = 60.0, k: int = 10, **options: Any
    ) -> list[Chain]:
        """Moments that follow each other in one video: the first query's, then the second's at most `gap_s` later, ...

        options: as of `search`, for every step. Raises BadQuery as `search` does, and for fewer than two queries.
        """
        return follow([self.search(query, k=_PER_STEP, **options) for query in queries], gap_s=gap_s, k=k)

    def check(self, claim: str, moments: Sequence[Moment], *, model: str | None = None) -> list[Moment]:
        """The moments with their `agreement`, best first: a vision-language model is shown each and says yes or no.

        Slow and sharp, for the best of a search: `index.check(words, index.search(words, k=20), model="qwen3-vl-2b")`.
        model: a captioner that answers questions; None: the index's own. Ties keep their order. Raises ConfigError,
        model errors, and what reading the files raises.
        """
        with self._verifiers_mutex:
            if model not in self._verifiers:
                self._verifiers[model] = searching.load_verifier(self.config, model)
        return searching.check(self.config, claim, moments, self._verifiers[model])

    def curve(
        self, query: str | Query, video_id: str, **options: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(times_s, scores) of one video, (N,) float64 each: how well each time fits the query.

        options: channels and weights, as of `search`.
        """
        return self.parts.searcher.curve(query, video_id, **options)

    def duplicates(self, *, channel: str = "vision", above: float = 0.8, min_s: float = 2.0) -> Iterator[Duplicate]:
        """Pairs of videos that are duplicates, whole or in part, with the stretches they share, found frame by frame.

        above: least cosine of two frames that are the same; min_s: shortest stretch that counts. Raises BadQuery.
        """
        spec = self.parts.spec(channel)
        if spec.model.kind == "words":
            raise BadQuery(
                f"channel {channel!r} holds words; duplicates are found by vectors", hint="use channel vision"
            )
        records = self.videos()
        for record in records:
            for path in record.paths[1:]:
                yield Duplicate(record.paths[0], path, "same file")
        infos = {record.info.video_id: record.info for record in records}
        yield from duplicates(self.parts.store, spec.collection, infos, self.clips(), above=above, min_s=min_s)

    # -- looking -----------------------------------------------------------------------------------------------------

    def videos(self) -> list[VideoRecord]:
        """Every video with its files, state, coverage and failures, by path."""
        return contents.videos(self.parts)

    def info(self) -> IndexInfo:
        """Counts, coverage of each channel, models, sizes. Opens no model and no store."""
        return contents.info(self.parts)

    def failures(self) -> list[Failure]:
        """What could not be indexed, and why."""
        return self.catalog.failures()

    def clips(self, video_id: str | None = None) -> list[Clip]:
        """The clips of one video, or of all, in order."""
        return self.catalog.videos.clips(video_id)

    def clip(self, clip_id: str) -> Clip:
        """One clip. Raises BadQuery for an unknown id."""
        return self.parts.clip(clip_id)

    def path_of(self, video_id: str) -> Path:
        """Where the video lies; one of its places when there are copies. Raises MediaNotFound."""
        return self.parts.path_of(video_id)

    def texts(self, clip_id: str) -> dict[str, TimedText]:
        """channel -> what was said, written or captioned in the clip"""
        return dict(self.parts.lookup.texts([clip_id])[clip_id])

    def captions(self, video_id: str | None = None) -> list[Caption]:
        """The captions of one video, or of all, in order of time."""
        return self.catalog.captions.get(video_id)

    def captioned(self, videos: Videos | None = None) -> Iterator[CaptionedVideo]:
        """What is captioned already, video by video; nothing is captioned."""
        yield from captioned_videos(self.parts, select(self.catalog, videos))

    def rows(self, channel: str, clip_ids: Sequence[str], *, units: bool = True) -> dict[str, Row]:
        """clip_id -> the stored vectors; clips without any are left out. units: with those of frames or windows."""
        return self.parts.store.rows(self.parts.spec(channel).collection, clip_ids, units=units)

    def thumbnail(self, clip_id: str) -> Path | None:
        """The clip's JPEG, made now if it is not there; None for a clip without pictures."""
        return contents.thumbnail(self.parts, clip_id)

    def close(self) -> None:
        """Free the files; what is asked afterwards raises StoreError."""
        self.parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"VideoIndex({str(self.path)!r}, profile {self.parts.manifest.profile!r})"
