"""What changes an index: runs over files, re-encoding, captions, forgetting. Called with the write lock held."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from vidembed.config.load import Overrides, load_config
from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import ConfigError, InputError, MediaNotFound, ModelError, VidembedError, did_you_mean
from vidembed.files import printable
from vidembed.index.catalog.texts import FINISHED
from vidembed.index.channels import ChannelSpec, channel_spec, frame_encoder, resolved
from vidembed.index.manifest import layout_of
from vidembed.index.media import make_tools
from vidembed.index.parts import IndexParts
from vidembed.index.pipeline.in_hand import InHand
from vidembed.index.pipeline.run import Indexer, ProgressCallback
from vidembed.index.pipeline.write import recover
from vidembed.index.places import absolute, in_shard, known, left, lies_under, remember
from vidembed.index.whereabouts import left_folders, note_problems, settle_gone, settle_moved
from vidembed.index.worker import make_executor, make_remote
from vidembed.media.captured import captured
from vidembed.media.files import Paths, as_list, survey
from vidembed.media.remote import exists, is_remote
from vidembed.protocols import Channel
from vidembed.sources.basic import caption_text
from vidembed.types import Caption, Failure, RunReport

_log = logging.getLogger(__name__)


class Filling:
    """What changes an index; its methods are called with the write lock held."""

    def __init__(self, parts: IndexParts) -> None:
        self._parts = parts
        self._catalog = parts.catalog

    def add(
        self,
        paths: Paths | None,
        specs: Mapping[str, ChannelSpec],
        *,
        config: Config,
        progress: ProgressCallback | None,
        prune: bool,
        leave_out: Collection[Path] = (),
        shard: tuple[int, int] | None = None,
    ) -> RunReport:
        """Index what is missing of these files; see `VideoIndex.add`.

        leave_out: Files that are not looked at this time.

        Raises:
            MediaNotFound: There are no files, and no reason is known why.
        """
        inputs, away = known(self._catalog) if paths is None else (as_list(paths), lies_under(()))
        found = survey(inputs, strict=paths is not None)
        under = lies_under(inputs if paths is not None else [*inputs, *self._catalog.videos.paths()])
        if not found.files and not found.problems and not any(under(path) for path in self._catalog.videos.paths()):
            raise _no_videos(inputs, found.links)
        remember(self._catalog, inputs)
        self.repair(specs)
        is_ignored = lies_under(self._catalog.places.get("ignored"), globs=True)
        mine = [path for path in found.files if in_shard(path.as_posix(), shard)]
        ignored = tuple(path.as_posix() for path in mine if is_ignored(printable(path.as_posix())))
        files = [path for path in mine if path not in leave_out and path.as_posix() not in ignored]
        problems = tuple(failure for failure in found.problems if not is_ignored(failure.item))
        before = frozenset(self._catalog.videos.paths())
        given, made = self._parts.config.channels, self._parts.manifest.channels
        try:
            report = self._run(files, specs, config=config, prepare=self._use, progress=progress)
        except (InputError, ModelError):
            self._withdraw([spec for spec in specs.values() if spec.name not in made], given)
            raise
        self._tag(found.files)
        self._tag_captured(before, config)
        note_problems(self._catalog, problems, under)
        reached = {printable(path.as_posix()) for path in found.files}
        moved = settle_moved(self._catalog, reached, reached - before)
        moved_from = left_folders(moved)
        left(self._catalog, moved_from)
        hidden = settle_gone(self._catalog, away, reached, prune=False)
        gone = settle_gone(
            self._catalog, lambda path: (under(path) or moved_from(path)) and not away(path), reached, prune=prune
        )
        for video_id in self._catalog.videos.without_files() if prune else ():
            self.forget(video_id)
        report = replace(report, failed=(*problems, *report.failed), moved=moved, ignored=ignored)
        return replace(report, forgotten=gone, gone=hidden) if prune else replace(report, gone=(*hidden, *gone))

    def reencode(
        self, specs: Mapping[str, ChannelSpec], *, config: Config, progress: ProgressCallback | None
    ) -> RunReport:
        """Fill new channels from every file that is there; each is put to use if it covers what the old one did."""
        self.repair({})
        present = self._catalog.videos.present_paths()
        files = [Path(rows[0].path) for rows in present.values() if exists(rows[0].path)]

        for spec in specs.values():
            self._create(spec)
        report = self._run(files, specs, config=config, prepare=self._create, progress=progress)
        states = self._catalog.states.all()
        reached = {path.as_posix() for path in files}
        videos = [video_id for video_id, rows in present.items() if rows[0].path in reached]
        for spec in specs.values():
            old = self._parts.manifest.collection(spec.name)
            covered = [v for v in videos if old is None or states.get(v, {}).get(old) in FINISHED]
            if all(states.get(v, {}).get(spec.collection) in FINISHED for v in covered):
                self._replace(spec)
        return report

    def repair(self, specs: Mapping[str, ChannelSpec]) -> None:
        """Remove what a killed run left; forget channels whose vectors are gone (a memory store, a deleted folder)."""
        store = self._parts.own_store
        recover(self._catalog, store)
        counts = self._catalog.states.counts()
        for spec in specs.values():
            known = counts.get(spec.collection)
            if known is not None and store.count(spec.collection) < known.stored:
                _log.warning("the vectors of channel %s are gone from the store; encoding them again", spec.name)
                self._catalog.states.forget(spec.collection)

    def forget(self, video_id: str) -> None:
        """Remove a video from catalog, store and thumbnails. A crash in between is repaired by the next run."""
        collections = list(self._catalog.states.of(video_id))
        clips = self._catalog.videos.clips(video_id)
        with self._catalog.transaction():
            for row in self._catalog.videos.paths_of(video_id):
                self._catalog.clear_failures(row.path)
            self._catalog.videos.delete(video_id)
            self._catalog.states.begin(video_id, collections)
        recover(self._catalog, self._parts.own_store, only=video_id)
        for clip in clips:
            self._parts.thumbnails.remove(clip.clip_id)

    def remove(self, given: Sequence[str]) -> int:
        """Remove files, by path, folder or glob, and videos by id; how many were found."""
        known = self._catalog.videos.paths()
        ids = {row.video_id for row in known.values()} | {row.info.video_id for row in self._catalog.videos.all()}
        videos = [item for item in given if item in ids]
        under = lies_under([item for item in given if item not in ids], globs=True)
        paths = {path for path in known if under(path)}
        failed = {failure.item for failure in self._catalog.failures() if under(failure.item)}
        self._catalog.videos.unlink(paths)
        self._catalog.places.remove("given", [absolute(item) for item in given])
        for path in failed:
            self._catalog.clear_failures(path)
        for video_id in {*videos, *self._catalog.videos.without_files()}:
            self.forget(video_id)
        return len(videos) + len(paths | failed)

    def save_captions(self, captions: Sequence[Caption]) -> list[Caption]:
        """Save captions in the catalog and in the channels that search them; those that were saved.

        A crash is repaired by the next `add`: the channels' states are forgotten until their vectors are stored.
        """
        with self._catalog.transaction():
            saved = self._catalog.captions.put(captions)
            specs, videos = self._to_encode(saved)
        for spec in specs if saved else ():
            self._encode_captions(spec, saved, videos)
        return saved

    def delete_captions(self, captions: Sequence[Caption]) -> None:
        """Forget captions, in the catalog and in the channels that search them."""
        with self._catalog.transaction():
            self._catalog.captions.delete(caption.clip.clip_id for caption in captions)
            specs, videos = self._to_encode(captions)
        left = [caption for video_id in videos for caption in self._catalog.captions.get(video_id)]
        for spec in specs:
            for video_id in videos:
                self._parts.own_store.delete(video_id, collection=spec.collection)
            self._encode_captions(spec, left, videos)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _to_encode(self, captions: Sequence[Caption]) -> tuple[list[ChannelSpec], list[str]]:
        """The channels that search captions, and the videos of these, which count as not done in them from now on."""
        specs = [spec for spec in self._parts.specs.values() if spec.settings.source == "captions"]
        videos = sorted({caption.clip.video_id for caption in captions})
        for spec in specs:
            for video_id in videos:
                self._catalog.states.forget(spec.collection, video_id)
        return specs, videos

    def _encode_captions(self, spec: ChannelSpec, saved: Sequence[Caption], videos: Sequence[str]) -> None:
        store = self._parts.own_store
        clips = [caption.clip for caption in saved]
        texts = [caption_text(caption.clip, caption.text) for caption in saved]
        rows = []
        for clip, answer in zip(clips, self._parts.load(spec).encoder.encode_clips(texts, clips), strict=True):
            if isinstance(answer, Failure):
                where = f"{self._parts.path_of(clip.video_id)} {clip.span}"
                raise VidembedError(f"the caption of {where} cannot be encoded: {answer.message}")
            if answer is not None:
                rows.append(answer.row(clip))
        if rows:
            store.put(spec.collection, rows)
        store.flush()
        for video_id in videos:
            captioned = [caption.clip.clip_id for caption in self._catalog.captions.get(video_id)]
            stored = len(store.rows(spec.collection, captioned, segments=False))
            self._catalog.states.finish(video_id, spec.collection, "done" if stored else "absent", stored)

    def _run(
        self,
        files: Sequence[Path],
        specs: Mapping[str, ChannelSpec],
        *,
        config: Config,
        prepare: Callable[[ChannelSpec], Channel],
        progress: ProgressCallback | None,
    ) -> RunReport:
        parts = self._parts
        thumbnails = parts.thumbnails if config.thumbnails.enabled else None
        encode_frames = frame_encoder({**parts.specs, **specs}, parts.load)
        captions_of = partial(self._catalog.captions.texts_of, uncertain=config.caption.use_uncertain)
        indexer = Indexer(
            self._catalog,
            parts.own_store,
            make_tools(
                config,
                save_thumbnail=thumbnails.save if thumbnails is not None else None,
                workers=config.run.workers,
                encode_frames=encode_frames,
                in_hand=InHand(parts.path / "in-hand", self._catalog.failures()),
            ),
            {name: spec.collection for name, spec in specs.items()},
            cache(lambda name: prepare(specs[name])),
            executor=make_executor(config.run),
            settings=config.run,
            forget=self.forget,
            remote=make_remote(config, specs, thumbnails=thumbnails, captions_of=captions_of),
        )
        report = indexer.run(files, progress=progress)
        if report.clips:
            parts.own_store.optimize()
        return report

    def _create(self, spec: ChannelSpec) -> Channel:
        """Load the channel and make its collection."""
        channel = self._parts.load(spec)
        self._parts.own_store.create(spec.collection, channel.encoder.space)
        return channel

    def _use(self, spec: ChannelSpec) -> Channel:
        """The same, and put the collection to use."""
        channel, store = self._create(spec), self._parts.own_store
        if store.aliases().get(spec.name) != spec.collection:
            store.set_alias(spec.name, spec.collection)
        self._parts.serve(spec)
        return channel

    def _withdraw(self, begun: Sequence[ChannelSpec], given: Mapping[str, ChannelSettings]) -> None:
        """Leave out again what holds nothing, as where a package is missing: every later run would fail for it."""
        store = self._parts.own_store
        for spec in begun:
            if spec.name in self._parts.manifest.channels and not store.count(spec.collection):
                self._catalog.states.forget(spec.collection)
                store.drop(spec.collection)
                self._parts.withdraw(spec.name, given[spec.name])

    def _replace(self, spec: ChannelSpec) -> None:
        """Put the collection to use, and drop those that it replaces."""
        store = self._parts.own_store
        store.flush()
        self._use(spec)
        for collection in store.collections():
            if collection.startswith(f"{spec.name}.") and collection != spec.collection:
                self._catalog.states.forget(collection)
                store.drop(collection)

    def _tag(self, tags: Mapping[Path, Mapping[str, str]]) -> None:
        known = self._catalog.videos.paths()
        for path, given in tags.items():
            if path.as_posix() in known:
                self._catalog.tags.change([known[path.as_posix()].video_id], given)

    def _tag_captured(self, before: Collection[str], config: Config) -> None:
        """What the cameras wrote into the new files, as tags; what a person set under these names stays."""
        held = self._catalog.tags.all()
        for path, row in self._catalog.videos.paths().items():
            if path not in before and not is_remote(path):
                facts = captured(path, config.media.limits)
                own = held.get(row.video_id, {})
                self._catalog.tags.change([row.video_id], {k: v for k, v in facts.items() if k not in own})


def _no_videos(inputs: Sequence[str | Path], links: int) -> MediaNotFound:
    where = ", ".join(str(given) for given in inputs) or "an empty list"
    if links:
        return MediaNotFound(
            f"no videos in {where}: {links} link{'s' * (links != 1)} in it lead elsewhere, and are not followed",
            hint="name what they lead to, or the links themselves: 'FOLDER/*'",
        )
    return MediaNotFound(
        f"no videos in {where}",
        hint="folders are searched for the usual video and sound extensions; name other files directly",
    )


def new_specs(
    parts: IndexParts,
    channels: str | Sequence[str],
    profile: str | None,
    config: str | Path | None,
    overrides: Overrides | None,
) -> dict[str, ChannelSpec]:
    """The channels as these settings, on top of the index's own, make them (see `VideoIndex.reencode`)."""
    names = [channels] if isinstance(channels, str) else list(channels)
    if not names:
        raise ConfigError("no channel to re-encode", hint=f"this index has: {', '.join(parts.config.channels)}")
    manifest = parts.manifest
    stored = manifest.stored_settings() if profile in (None, manifest.profile) else None
    wanted = load_config(profile or manifest.profile, config, overrides, stored=stored)
    if layout_of(wanted) != layout_of(load_config(profile or manifest.profile, stored=stored)):
        raise ConfigError(
            "re-encoding keeps the clips: settings of sample and segment cannot change",
            hint="leave them out, or index into a new folder",
        )
    for name in names:
        if name not in wanted.channels:
            raise ConfigError(f"no channel {name!r} in these settings", hint=did_you_mean(name, wanted.channels))
    return {name: resolved(channel_spec(name, wanted.channels[name]), wanted) for name in names}
