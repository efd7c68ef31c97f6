"""The calling thread's half of a run: encode, store, then record in the catalog what is done.

Order of writing, for every video: "pending" in the catalog, vectors into the store, then one transaction with
everything else. What a store has taken survives a crash once it is flushed, which is slow, so that is done every few
seconds, and only then "pending" is taken away. After a crash, whatever is pending is compared with the store
(`recover`): the catalog never calls done for long what is not stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vidembed.batching import failure_of
from vidembed.errors import FATAL
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.texts import ChannelState
from vidembed.index.pipeline.jobs import Chunk, Outcome, text_kind
from vidembed.protocols import Channel, Encoded, Store
from vidembed.types import Clip, Failure, Item, TimedText, format_time


@dataclass
class _Tally:
    """What became of one channel of one video."""

    stored: int = 0
    failed: int = 0
    first: Failure | None = None
    first_s: float = 0.0  # where its clip begins

    @property
    def state(self) -> ChannelState:
        return "failed" if self.failed else "done" if self.stored else "absent"


@dataclass
class _InHand:
    """A video whose chunks are coming in."""

    clips: list[Clip] = field(default_factory=list)
    channels: dict[str, _Tally] = field(default_factory=dict)
    texts: dict[str, dict[str, TimedText | None]] = field(default_factory=dict)


FLUSH_EVERY_S = 5.0


class Writer:
    """Encodes chunks, of several videos together where they are short, and finishes videos."""

    def __init__(self, catalog: Catalog, store: Store, *, on_failure: Callable[[Failure], None]) -> None:
        self._catalog = catalog
        self._store = store
        self._on_failure = on_failure
        self._in_hand: dict[str, _InHand] = {}
        self._unflushed: list[tuple[str, str]] = []  # (video_id, collection) of finished videos
        self._flushed_at = time.monotonic()

    def encode(self, chunks: list[Chunk]) -> None:
        """Encode the clips of these chunks, channel by channel, and put their vectors into the store."""
        by_channel: dict[str, list[Chunk]] = {}
        channels: dict[str, Channel] = {}
        for chunk in chunks:
            self._begin(chunk)
            for channel in chunk.job.channels:
                channels[channel.name] = channel
                by_channel.setdefault(channel.name, []).append(chunk)
        for name, parts in by_channel.items():
            self._encode_channel(channels[name], parts)

    def finish(self, outcomes: list[Outcome]) -> None:
        """Record these videos as done, with all that belongs to them."""
        with self._catalog.transaction():
            for outcome in outcomes:
                self._finish(outcome)

    def flush(self, *, at_once: bool = False) -> None:
        """Every few seconds: flush the store to disk, and only then settle the states of the finished videos."""
        if self._unflushed and (at_once or time.monotonic() - self._flushed_at >= FLUSH_EVERY_S):
            self._store.flush()
            self._catalog.states.settled(self._unflushed)
            self._unflushed.clear()
            self._flushed_at = time.monotonic()

    def fail(self, outcome: Outcome) -> list[Failure]:
        """Remove what a failed video has put, unless the index had it before; record why it failed."""
        job = outcome.job
        assert outcome.error is not None
        failure = failure_of(outcome.error, item=job.path, stage=outcome.stage)
        self.drop(job.video_id)
        with self._catalog.transaction():
            self._catalog.clear_failures(job.path)
            self._catalog.put_failure(failure)
        return [failure]

    def failures(self, outcome: Outcome) -> list[Failure]:
        """One failure for each channel of a decoded video that could not be filled."""
        job = outcome.job
        found = []
        for name, tally in self._in_hand.get(job.video_id, _InHand()).channels.items():
            if tally.first is not None:
                first = tally.first
                stage = first.stage if first.stage.startswith("source:") else f"encode:{name}"
                at = format_time(tally.first_s)
                where = f"at {at}" if tally.failed == 1 else f"{tally.failed} clips, the first at {at}"
                found.append(Failure(job.path, stage, first.kind, f"{where}: {first.message}", first.hint))
        return found

    def abandon(self) -> None:
        """The run stops here: remove what is half done."""
        for video_id in list(self._in_hand):
            self.drop(video_id)
        self.flush(at_once=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _begin(self, chunk: Chunk) -> None:
        job = chunk.job
        entry = self._in_hand.get(job.video_id)
        if entry is None:
            self._catalog.states.begin(job.video_id, [channel.collection for channel in job.channels])
            entry = _InHand(channels={channel.name: _Tally() for channel in job.channels})
            self._in_hand[job.video_id] = entry
        entry.clips.extend(chunk.clips)
        for kind, texts in chunk.texts.items():
            entry.texts.setdefault(kind, {}).update(texts)

    def _encode_channel(self, channel: Channel, chunks: list[Chunk]) -> None:
        clips = [clip for chunk in chunks for clip in chunk.clips]
        items = [item for chunk in chunks for item in chunk.items[channel.name]]
        answers = encoded(channel, items, clips)
        rows = []
        for clip, answer in zip(clips, answers, strict=True):
            tally = self._in_hand[clip.video_id].channels[channel.name]
            if isinstance(answer, Failure):
                tally.failed += 1
                if tally.first is None:
                    tally.first, tally.first_s = answer, clip.span.start_s
                    self._on_failure(answer)
            elif answer is not None:
                tally.stored += 1
                rows.append(answer.row(clip))
        if rows:
            self._store.put(channel.collection, rows)

    def _finish(self, outcome: Outcome) -> None:
        job, info = outcome.job, outcome.info
        assert info is not None
        failures = self.failures(outcome)
        # A video without a single clip still gets states, or every run would try it again.
        entry = self._in_hand.pop(job.video_id, _InHand(channels={channel.name: _Tally() for channel in job.channels}))
        catalog = self._catalog
        catalog.videos.put(info, reader=outcome.reader, counts=outcome.counts)
        if not job.clips:
            catalog.videos.put_clips(entry.clips)
        producers = dict(text_kind(channel) for channel in job.channels)
        for kind, texts in entry.texts.items():
            catalog.texts.put(kind, producers[kind], texts)
        for channel in job.channels:
            tally = entry.channels[channel.name]
            catalog.states.finish(job.video_id, channel.collection, tally.state, tally.stored)
            self._unflushed.append((job.video_id, channel.collection))
        catalog.clear_failures(job.path)
        for failure in failures:
            catalog.put_failure(failure)

    def drop(self, video_id: str) -> None:
        """Remove what a video has put, unless the index had it before."""
        if self._in_hand.pop(video_id, None) is not None:
            recover(self._catalog, self._store, only=video_id)


def recover(catalog: Catalog, store: Store, *, only: str | None = None) -> int:
    """Compare what a stopped run left pending with the store, and remove what is half done.

    A channel whose vectors are all there stays: it was finished, or tried again after a partial failure (vectors are
    then overwritten by equal ones). One that lost vectors to a power loss is forgotten, so that the next run fills it.

    Args:
        catalog: The catalog.
        store: The store.
        only: The id of the video to look at; None = all.

    Returns:
        How many (video, channel) pairs were removed.
    """
    dropped = 0
    known = store.collections()
    for video_id, collection in catalog.states.pending():
        if only not in (None, video_id):
            continue
        claimed = catalog.states.stored(video_id, collection)
        if claimed is not None and _count(catalog, store, video_id, collection, known) >= claimed:
            catalog.states.settled([(video_id, collection)])
            continue
        if collection in known:
            store.delete(video_id, collection=collection)
        with catalog.transaction():
            catalog.states.forget(collection, video_id)
            catalog.states.settled([(video_id, collection)])
        dropped += 1
    return dropped


def _count(catalog: Catalog, store: Store, video_id: str, collection: str, known: Mapping[str, object]) -> int:
    if collection not in known:
        return 0
    return len(store.rows(collection, [clip.clip_id for clip in catalog.videos.clips(video_id)], segments=False))


def encoded(
    channel: Channel, items: Sequence[Item | Encoded | Failure | None], clips: Sequence[Clip]
) -> list[Encoded | Failure | None]:
    """One answer per clip; a failure of the source, and what was encoded elsewhere, stay as they are."""
    answers: list[Encoded | Failure | None] = [item if isinstance(item, Failure | Encoded) else None for item in items]
    wanted = [i for i, item in enumerate(items) if item is not None and not isinstance(item, Failure | Encoded)]
    if not wanted:
        return answers
    try:
        found = channel.encoder.encode_clips([items[i] for i in wanted], [clips[i] for i in wanted])  # type: ignore[misc]
    except FATAL:
        raise
    except Exception as error:
        found = [failure_of(error, item=clips[i].clip_id, stage=f"encode:{channel.name}") for i in wanted]
    for i, answer in zip(wanted, found, strict=True):
        answers[i] = answer
    return answers
