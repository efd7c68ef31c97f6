"""One video from file to items: opened once, frames streamed once for all channels, sound read clip by clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from vidembed.batching import failure_of
from vidembed.errors import FATAL, NoSuchStream
from vidembed.index.pipeline.jobs import Chunk, FileChanged, Job, Outcome, Tools, check_unchanged, text_kind
from vidembed.media.segmenting.sampling import distinct_frames
from vidembed.media.segmenting.shots import with_known_cuts
from vidembed.media.segmenting.standing import Beside, with_standing
from vidembed.protocols import Channel, ClipMedia, Frame, VideoReader
from vidembed.types import (
    AudioSamples,
    AudioVisual,
    Clip,
    Failure,
    FrameBatch,
    Item,
    Span,
    TimedText,
    VideoInfo,
)

GIVE_UP_AFTER = 8  # clips in a row whose source failed: from then on it is not asked about this video
CHUNK_BYTES = 8 << 20  # of decoded pictures and sound; with `prefetch` it bounds the memory of a run


def decode(job: Job, tools: Tools, *, batch_size: int) -> Iterator[Chunk | Outcome]:
    """Decode one video: chunks of at most batch_size clips and about CHUNK_BYTES, then its outcome.

    Raises `errors.FATAL` only; other errors are in the outcome.
    """
    with tools.hold(Path(job.path)):
        yield from _decode(job, tools, batch_size)


def _decode(job: Job, tools: Tools, batch_size: int) -> Iterator[Chunk | Outcome]:
    stage, info, backend, counts = "probe", None, "", {}
    wanted = True
    try:
        check_unchanged(job, growing=job.again)
        with tools.open(Path(job.path)) as video, _Again(lambda: tools.open(Path(job.path))) as again:
            stage, info = "decode", _as_planned(video.info, job)
            sources = _Sources(job, info, video, again)
            try:
                yield from sources.chunks(_cut(job, tools, info, video, sources), tools, batch_size)
            except GeneratorExit:
                wanted = False
                raise
            counts = {**video.counts, **sources.counts}
            backend = video.backend if counts.get("decoded") else ""
        check_unchanged(job, growing=True)
    except FATAL:
        raise
    except Exception as error:
        if wanted:  # else it comes from closing the file, and a generator that is closed must not yield
            yield Outcome(job, info, backend, counts, _cause(job, error), stage)
        return
    yield Outcome(job, info, backend, counts)


def _as_planned(info: VideoInfo, job: Job) -> VideoInfo:
    """The facts under the id that was planned, also of a file that has grown since."""
    return replace(info, video_id=job.video_id, size_bytes=job.file.size_bytes, mtime_ns=job.file.mtime_ns)


def _cause(job: Job, error: Exception) -> Exception:
    """What to say of a failed file: first, whether it was written to meanwhile."""
    try:
        check_unchanged(job, growing=False)
    except FileChanged as changed:
        return error if job.again else changed
    except Exception:
        return error
    return error


def _cut(
    job: Job, tools: Tools, info: VideoInfo, video: VideoReader, sources: _Sources
) -> Iterator[tuple[Clip, list[Frame]]]:
    """The clips with their frames; a video that is in the index is cut where it was cut before."""
    if not sources.need_frames:
        if job.clips:
            yield from ((clip, []) for clip in job.clips)
        else:
            yield from _numbered(job, tools.segmenter.clips((), duration_s=info.duration_s))
        return
    short_side_px = max(sources.short_side_px, tools.thumbnail_px if tools.save_thumbnail else 0)
    with ExitStack() as opened:
        frames = tools.distinct(_stream(job, tools, info, video, short_side_px, opened))
        if job.clips:
            spans = tools.known_spans([clip.span for clip in job.clips])
            cut = spans.clips(frames, duration_s=info.duration_s)
            yield from ((clip, found) for clip, (_, found) in zip(job.clips, cut, strict=True))
        else:
            found = tools.segmenter.clips(frames, duration_s=info.duration_s)
            yield from _numbered(job, (clip for clip in found if clip[1] or info.has_audio))


def _stream(
    job: Job, tools: Tools, info: VideoInfo, video: VideoReader, short_side_px: int, opened: ExitStack
) -> Iterator[Frame]:
    """The frames, with the shots they belong to, and pictures that stand.

    Also where the clips are known: what was cut at shots then had one frame more for each shot without any.
    """
    beside = Beside(lambda: opened.enter_context(tools.open(Path(job.path))), short_side_px)
    frames = video.stream(rate_hz=tools.rate_hz, short_side_px=short_side_px, mode=tools.mode, cuts=tools.cuts)
    if tools.detect is not None:
        frames = with_known_cuts(frames, tools.detect(beside.video), beside.shown_at)
    if tools.mode == "keyframes":
        return frames
    return with_standing(
        frames,
        beside.shown_at,
        rate_hz=tools.rate_hz,
        end_s=lambda: 0.0 if video.counts.get("missing") else info.duration_s,
        has_sound=info.has_audio,
    )


def _numbered(job: Job, cut: Iterable[tuple[Span, list[Frame]]]) -> Iterator[tuple[Clip, list[Frame]]]:
    for index, (span, frames) in enumerate(cut):
        yield Clip.make(job.video_id, index, span), frames


class _Again:
    """The video opened once more, when a source first asks for pictures of its own: the first stream goes on.

    It keeps its last answer, because channels of one model ask alike.
    """

    def __init__(self, opens: Callable[[], VideoReader]) -> None:
        self._opens = opens
        self._video: VideoReader | None = None
        self._last: tuple[object, FrameBatch] | None = None

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        """As `VideoReader.frames`."""
        asked = (*times_s, short_side_px)
        if self._last is None or self._last[0] != asked:
            self._video = self._video or self._opens()
            self._last = asked, self._video.frames(times_s, short_side_px=short_side_px)
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *given: object) -> None:
        if self._video is not None:
            self._video.close()


class _Sources:
    """The sources of one job's channels over one opened video. One that keeps failing is asked no more."""

    def __init__(self, job: Job, info: VideoInfo, video: VideoReader, again: _Again) -> None:
        self._job = job
        self._info = info
        self._video, self._again = video, again
        self._errors_in_row: dict[int, int] = {}
        self._last_error: dict[int, Failure] = {}
        self.counts: dict[str, int] = {"frames": 0, "repeats": 0, "kept": 0}
        asked = [channel.source for channel in job.channels if not self._all_known(channel)]
        self.need_frames = info.has_video and any(source.needs_frames for source in asked)
        self.short_side_px = max((source.short_side_px for source in asked if source.needs_frames), default=0)

    def chunks(self, cut: Iterable[tuple[Clip, list[Frame]]], tools: Tools, batch_size: int) -> Iterator[Chunk]:
        chunk, size = self._empty(), 0
        for clip, frames in cut:
            batch = self._frames(frames, tools.max_frames_per_clip)
            if batch is not None and tools.save_thumbnail is not None:
                tools.save_thumbnail(batch.rgb[len(batch) // 2], clip.clip_id)
            size += self._fill(chunk, ClipMedia(clip, self._info, batch, self._video, self._again.frames))
            if len(chunk.clips) >= batch_size or size >= CHUNK_BYTES:
                yield replace(chunk, size_bytes=size)
                chunk, size = self._empty(), 0
        if chunk.clips:
            yield replace(chunk, size_bytes=size)

    def _empty(self) -> Chunk:
        names = [channel.name for channel in self._job.channels]
        return Chunk(self._job, [], {name: [] for name in names}, {}, 0, self._info.duration_s)

    def _fill(self, chunk: Chunk, media: ClipMedia) -> int:
        """Add one clip; how many bytes its items hold, each counted once."""
        chunk.clips.append(media.clip)
        seen: dict[int, Item | Failure | None] = {}  # channels may share a source: it is asked once a clip
        for channel in self._job.channels:
            key = id(channel.source)
            if key not in seen:
                seen[key] = self._item(channel, media, chunk)
            chunk.items[channel.name].append(seen[key])
        return _size(list(seen.values()))

    def _item(self, channel: Channel, media: ClipMedia, chunk: Chunk) -> Item | Failure | None:
        key = id(channel.source)
        if self._errors_in_row.get(key, 0) >= GIVE_UP_AFTER:
            return self._last_error[key]
        kind, _ = text_kind(channel)
        known = self._job.texts.get(kind, {})
        if media.clip.clip_id in known:
            return _words(known[media.clip.clip_id])
        try:
            item = channel.source.item(media)
        except NoSuchStream:
            item = None
        except FATAL:
            raise
        except Exception as error:
            self._errors_in_row[key] = self._errors_in_row.get(key, 0) + 1
            self._last_error[key] = failure_of(error, item=self._job.path, stage=f"source:{channel.name}")
            return self._last_error[key]
        self._errors_in_row[key] = 0
        if kind:
            chunk.texts.setdefault(kind, {})[media.clip.clip_id] = item if isinstance(item, TimedText) else None
        return _words(item)

    def _all_known(self, channel: Channel) -> bool:
        known = self._job.texts.get(text_kind(channel)[0], {})
        return bool(self._job.clips) and all(clip.clip_id in known for clip in self._job.clips)

    def _frames(self, frames: list[Frame], limit: int) -> FrameBatch | None:
        """The clip's distinct frames, thinned to the limit."""
        batch = distinct_frames(frames, limit)
        if batch is not None:
            self.counts["frames"] += len(frames)
            self.counts["repeats"] += sum(frame.repeats for frame in frames)
            self.counts["kept"] += len(batch)
        return batch


def _words(item: Item | None) -> Item | None:
    """The item; nothing for a text of which no word was read."""
    return None if isinstance(item, TimedText) and not item.lines else item


def _size(items: list[Any]) -> int:
    pictures: dict[int, int] = {}
    sound = 0
    for item in items:
        frames = item.frames if isinstance(item, AudioVisual) else item
        audio = item.audio if isinstance(item, AudioVisual) else item
        if isinstance(frames, FrameBatch):
            pictures[id(frames)] = frames.rgb.nbytes
        if isinstance(audio, AudioSamples):
            sound += audio.samples.nbytes
    return sum(pictures.values()) + sound
