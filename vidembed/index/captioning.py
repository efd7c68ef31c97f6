"""Captions videos of an index: resumable, one video after the other, saved as each is done."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vidembed.batching import failure_of
from vidembed.captions.run import CaptionedVideo, ClipCaptioning
from vidembed.captions.summarise import Writer
from vidembed.config.schema import CaptionSettings, MediaSettings
from vidembed.errors import FATAL, ConfigError, NoSuchStream
from vidembed.index.judging import Judging, Summariser, judging_weights
from vidembed.index.parts import IndexParts
from vidembed.index.pipeline.in_hand import InHand
from vidembed.media.reading.reader import open_video
from vidembed.media.segmenting.sampling import distinct, distinct_frames
from vidembed.media.segmenting.segment import KnownSpans
from vidembed.media.segmenting.standing import Beside
from vidembed.protocols import Captioner, ClipMedia
from vidembed.types import Caption, Clip, Failure, Span

MAX_FRAMES = 16
_SHORT_SIDE_PX = 384
SAVE_EVERY = 64  # clips: what a crash in a long video costs at most
SAVE_AFTER_S = 2.0  # a slow captioner's clips can be read one by one
Save = Callable[[Sequence[Caption]], list[Caption]]
Step = Callable[[int], None]  # told how many of the video's clips are done


def caption_videos(
    parts: IndexParts,
    video_ids: Sequence[str],
    settings: CaptionSettings,
    *,
    save: Save,
    redo: bool = False,
    rechoose: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[CaptionedVideo]:
    """Caption videos; yields each as it is done. A person's caption, and what this captioner has done, is kept.

    Args:
        parts: The index.
        video_ids: The videos, in order.
        settings: What to caption with.
        save: Saves captions (`VideoIndex.save_captions`).
        redo: Caption again what this captioner has captioned with these settings.
        rechoose: Ask no captioner: choose again among the stored candidates.
        progress: Called with (path, clips done, clips in all) as clips are done and at the end.
    """
    tell = progress or (lambda path, done, total: None)
    counts = [len(parts.catalog.videos.clips(video_id)) for video_id in video_ids] if progress else [0] * len(video_ids)
    run = _CaptionRun(parts, settings, save, redo=redo, rechoose=rechoose)
    done = 0
    for video_id, count in zip(video_ids, counts, strict=True):
        path = parts.path_of(video_id)

        def step(clips: int, path: Path = path, before: int = done) -> None:
            tell(str(path), before + clips, sum(counts))

        step(0)
        yield run.video(video_id, path, step)
        done += count
    tell("", sum(counts), sum(counts))


def captioned_videos(parts: IndexParts, video_ids: Sequence[str]) -> Iterator[CaptionedVideo]:
    """What the catalog holds; videos without a caption are left out."""
    summariser = Summariser(parts, next(iter(judging_weights(parts.specs, parts.config.caption.rerank)), None))
    for video_id in video_ids:
        captions = tuple(parts.catalog.captions.get(video_id))
        if captions:
            summary, cues = summariser.kept_or_extracted(captions), summariser.cues(captions)
            yield CaptionedVideo(video_id, parts.path_of(video_id), captions, summary, unchanged=True, cues=cues)


class _CaptionRun:
    """The captioner, loaded when the first clip needs it, and what judges its texts."""

    def __init__(self, parts: IndexParts, settings: CaptionSettings, save: Save, *, redo: bool, rechoose: bool) -> None:
        if settings.model is None and not rechoose:
            raise ConfigError(
                "no captioner is set in this profile",
                hint="choose one with --model, for example starter-captioner; vidembed models lists them",
            )
        if settings.model == "retrieval":  # it proposes the bank's sentences itself
            settings = settings.model_copy(update={"bank_candidates": 0})
        self._parts = parts
        self._model, self._settings = settings.model or "", settings
        self._save, self._redo, self._rechoose = save, redo, rechoose
        self._in_hand = InHand(parts.path / "in-hand", parts.catalog.failures())
        weights = judging_weights(parts.specs, settings.rerank)
        self._judging = Judging(parts, weights)
        self._summariser = Summariser(parts, next(iter(weights), None))

    @property
    def producer(self) -> str:
        """What is saved as the caption's model: the name and, in eight digits, the settings that change its words."""
        given = self._settings
        facts: list[Any] = [self._model, given.options, given.candidates, given.prompt, given.seed]
        if given.bank_candidates:
            facts.append({"bank": given.bank_candidates})
        text = json.dumps(facts, sort_keys=True, default=str)
        return f"{self._model}#{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"

    def video(self, video_id: str, path: Path, step: Step) -> CaptionedVideo:
        """Caption one video and sum it up."""
        clips = self._parts.catalog.videos.clips(video_id)
        known = {caption.clip.clip_id: caption for caption in self._parts.catalog.captions.get(video_id)}
        todo = [c for c in clips if not self._is_done(known.get(c.clip_id))]
        failures: list[Failure] = []
        if todo:
            self._judging.look_up(clips)
            results = self._rechosen(todo, known) if self._rechoose else self._new(path, clips, todo, known)
            saved = self._saved(results, path, failures, {clip.clip_id: clip.span for clip in todo})
            for done, result in enumerate(saved, start=len(clips) - len(todo) + 1):
                known[result.clip.clip_id] = result
                step(min(done, len(clips)))
        captions = tuple(known[clip.clip_id] for clip in clips if clip.clip_id in known)
        seed = self._settings.seed
        summary, failure = self._summariser.make(captions, writer=self._writer, seed=seed, redo=self._redo)
        failures += [failure] if failure else []
        cues = self._summariser.cues(captions)
        return CaptionedVideo(video_id, path, captions, summary, tuple(failures), unchanged=not todo, cues=cues)

    def _is_done(self, caption: Caption | None) -> bool:
        if self._rechoose:
            return caption is None or caption.human or not caption.candidates
        if caption is None:
            return False
        return caption.human or (caption.model == self.producer and not self._redo)

    def _saved(
        self,
        results: Iterator[Caption | Failure],
        path: Path,
        failures: list[Failure],
        spans: Mapping[str, Span],
    ) -> Iterator[Caption]:
        """The captions, saved in portions; failures, and what breaks the whole file, go into the list.

        A clip without what the captioner looks at, such as one of a sound file, is no failure.
        """
        waiting: list[Caption] = []
        saved_s = time.monotonic()
        try:
            for result in results:
                if isinstance(result, Failure):
                    if result.kind != NoSuchStream.__name__:
                        failures.append(replace(result, item=f"{path} {spans[result.item]}"))
                    continue
                waiting.append(result)
                if len(waiting) >= SAVE_EVERY or time.monotonic() - saved_s >= SAVE_AFTER_S:
                    self._save(waiting)
                    waiting.clear()
                    saved_s = time.monotonic()
                yield result
        except FATAL:
            raise
        except Exception as error:  # the file itself: gone, damaged since it was indexed
            failures.append(failure_of(error, item=str(path), stage="caption:decode"))
        self._save(waiting)

    def _new(
        self, path: Path, clips: Sequence[Clip], todo: Sequence[Clip], known: Mapping[str, Caption]
    ) -> Iterator[Caption | Failure]:
        """The captioner's answers; what an earlier run of it left of the video is kept in mind."""
        wanted = {clip.clip_id for clip in todo}
        made = [c for c in known.values() if c.model == self.producer and not c.human and c.clip.clip_id not in wanted]
        captioning = self._captioning
        settings = self._in_hand.media(path, self._parts.config.media)
        with self._in_hand.hold(path), open_video(path, settings) as video:
            media = (m for m in self._media(path, settings, video, clips) if m.clip.clip_id in wanted)
            yield from captioning.run(media, made)

    def _rechosen(self, todo: Sequence[Clip], known: Mapping[str, Caption]) -> Iterator[Caption | Failure]:
        choosing = ClipCaptioning(_Nobody(), self._judging.judges(), self._settings)
        return (choosing.rechoose(known[clip.clip_id]) for clip in todo)

    def _media(self, path: Path, settings: MediaSettings, video: Any, clips: Sequence[Clip]) -> Iterator[ClipMedia]:
        """The clips with their frames, in one forward pass."""
        config = self._parts.config
        if not video.info.has_video or not getattr(self._captioning.captioner, "needs_frames", True):
            yield from (ClipMedia(clip, video.info, None, video) for clip in clips)
            return
        frames = video.stream(rate_hz=config.sample.rate_hz, short_side_px=_SHORT_SIDE_PX, mode=config.sample.mode)
        cut = KnownSpans([clip.span for clip in clips], max_frames=max(64, MAX_FRAMES)).clips(
            distinct(frames, config.sample), duration_s=video.info.duration_s
        )
        with ExitStack() as opened:
            beside = Beside(lambda: opened.enter_context(open_video(path, settings)), _SHORT_SIDE_PX)
            for clip, (_, found) in zip(clips, cut, strict=True):
                # A short shot may lie between two frames, a picture may stand for longer than a clip.
                shown = found or [beside.shown_at(clip.span.start_s)]
                frames_of = None if shown[0].time_s >= clip.span.end_s else distinct_frames(shown, MAX_FRAMES)
                yield ClipMedia(clip, video.info, frames_of, video)

    @cached_property
    def _captioning(self) -> ClipCaptioning:
        from vidembed.models.registry import load_captioner

        config = self._parts.config
        captioner: Captioner = load_captioner(
            self._model,
            device=config.device,
            weights_dir=config.weights_dir,
            offline=config.offline,
            **self._settings.options,
        )
        return ClipCaptioning(
            captioner,
            self._judging.judges(),
            self._settings,
            batch_size=config.run.batch_size,
            producer=self.producer,
            bank=load_captioner("retrieval") if self._settings.bank_candidates else None,
        )

    def _writer(self) -> Writer | None:
        """The captioner, where it can write of whole videos and shall."""
        if self._rechoose or self._settings.summary == "extract":
            return None
        captioner = self._captioning.captioner
        return captioner if isinstance(captioner, Writer) and captioner.can_write else None


class _Nobody:
    """A captioner that is not asked."""

    name = "nobody"

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        raise AssertionError("choosing anew asks no captioner")
