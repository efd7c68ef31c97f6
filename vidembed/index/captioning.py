"""Captions videos of an index: resumable, one video after the other, saved as each is done."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.batching import failure_of
from vidembed.build.parts import make_bank, make_distinct, make_judged, open_video
from vidembed.captions.captioning import CaptionSettings, ClipCaptioning, Judge
from vidembed.captions.choosing import ChoiceSettings
from vidembed.captions.summary import VideoSummary, summarise
from vidembed.errors import FATAL, ConfigError
from vidembed.evaluation.captions import View
from vidembed.media.sampling import kept
from vidembed.media.segment import KnownSpans
from vidembed.protocols import Captioner, ClipMedia
from vidembed.search.calibration import encode_texts
from vidembed.types import Caption, Clip, Failure, Floats, FrameBatch

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex

OTHERS = 64  # clips of the index that a caption must not fit as well
UNLIKE = 0.9  # cosine above which a clip is no "other" clip but the same scene again
MAX_FRAMES = 16
SAVE_EVERY = 64  # clips: what a crash in a long video costs at most


@dataclass(frozen=True)
class CaptionedVideo:
    """One video's answer. captions: of all its clips that have one, new or kept, in order of time."""

    video_id: str
    path: Path
    captions: tuple[Caption, ...]
    summary: VideoSummary | None
    failures: tuple[Failure, ...] = ()
    unchanged: bool = False  # nothing was asked of the captioner


@dataclass(frozen=True)
class CaptionRequest:
    """What to caption with; None takes the index's setting (caption.*)."""

    model: str | None = None
    candidates: int | None = None
    prompt: str | None = None
    seed: int | None = None
    redo: bool = False  # caption anew what this very captioner has done before
    options: dict[str, Any] | None = None


def caption_videos(
    index: VideoIndex,
    video_ids: Sequence[str],
    request: CaptionRequest,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[CaptionedVideo]:
    """See `VideoIndex.caption`. progress(path, videos done, videos in all) is called before each video and at the end.

    A clip that the same captioner with the same settings has captioned is kept; a person's caption always is.
    """
    work = _Work(index, request)
    for done, video_id in enumerate(video_ids):
        path = index.path_of(video_id)
        if progress is not None:
            progress(str(path), done, len(video_ids))
        yield work.video(video_id, path)
    if progress is not None:
        progress("", len(video_ids), len(video_ids))


def captioned_videos(index: VideoIndex, video_ids: Sequence[str]) -> Iterator[CaptionedVideo]:
    """What the catalog holds; videos without a caption are left out. The summary is made from it."""
    judges = make_judged(index.lanes, index.config.caption.rerank)
    for video_id in video_ids:
        captions = tuple(index.captions(video_id))
        if captions:
            summary = _summary(index, captions, next(iter(judges), None))
            yield CaptionedVideo(video_id, index.path_of(video_id), captions, summary, unchanged=True)


def caption(
    paths: str | Path | Iterable[str | Path],
    *,
    index: str | Path | None = None,
    profile: str | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] | Mapping[str, Any] | None = None,
    **request: Any,
) -> Iterator[CaptionedVideo]:
    """Caption videos in one call; yields each as it is done. `vidembed.caption("videos/")`.

    index: a folder that keeps what was done, so that the next call goes on where this one stopped, and searches find
    it; None: a temporary one. request: model, candidates, prompt, seed, redo, options, progress of
    `VideoIndex.caption`. A file that cannot be indexed is yielded with its failure and no caption.
    """
    from vidembed.index.opening import open_index

    given = [paths] if isinstance(paths, str | Path) else list(paths)
    with ExitStack() as stack:
        folder = Path(index or stack.enter_context(tempfile.TemporaryDirectory(prefix="vidembed-")))
        opened = stack.enter_context(open_index(folder, profile=profile, config=config, overrides=overrides))
        report = opened.add(given)
        for failure in report.failed:
            yield CaptionedVideo("", Path(failure.item), (), None, (failure,))
        yield from opened.caption([*report.done, *report.unchanged], **request)


class _Work:
    """The captioner, loaded when the first clip needs it, and what judges its texts."""

    def __init__(self, index: VideoIndex, request: CaptionRequest) -> None:
        given = index.config.caption
        model = request.model or given.model
        if model is None:
            raise ConfigError(
                "no captioner is set in this profile",
                hint="choose one with --model, for example starter-captioner; vidembed models lists them",
            )
        self._index = index
        self._model = model
        self._options = {**given.options, **(request.options or {})}
        judges = make_judged(index.lanes, given.rerank)
        self._settings = CaptionSettings(
            choice=ChoiceSettings(weights=judges, min_score=given.min_confidence),
            n=request.candidates or given.candidates,
            bank_n=given.bank_candidates if self._model != "retrieval" else 0,
            prompt=request.prompt if request.prompt is not None else given.prompt,
            seed=request.seed if request.seed is not None else given.seed,
        )
        self._redo = request.redo
        self._captioning: ClipCaptioning | None = None
        self._vectors: dict[str, dict[str, Floats]] = {}  # channel -> clip_id -> vector, of the video in hand
        self._others: dict[str, tuple[list[str], Floats]] = {}
        self._embed: Callable[[Sequence[str]], Floats] | None = None

    @property
    def maker(self) -> str:
        """What is saved as the caption's model: the name and, in eight digits, the settings that change its words."""
        facts = [self._model, self._options, self._settings.n, self._settings.prompt, self._settings.seed]
        if self._settings.bank_n:
            facts.append({"bank": self._settings.bank_n})
        text = json.dumps(facts, sort_keys=True, default=str)
        return f"{self._model}#{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"

    def video(self, video_id: str, path: Path) -> CaptionedVideo:
        index = self._index
        clips = index.clips(video_id)
        known = {caption.clip.clip_id: caption for caption in index.captions(video_id)}
        todo = [c for c in clips if not self._is_done(known.get(c.clip_id))]
        failures: list[Failure] = []
        if todo:
            made = [c for c in known.values() if c.model == self.maker and not c.human]
            results, failures = self._caption(path, clips, {clip.clip_id for clip in todo}, made)
            known |= {caption.clip.clip_id: caption for caption in results}
        captions = tuple(known[clip.clip_id] for clip in clips if clip.clip_id in known)
        return CaptionedVideo(video_id, path, captions, self._sum_up(captions), tuple(failures), unchanged=not todo)

    def _sum_up(self, captions: Sequence[Caption]) -> VideoSummary | None:
        return _summary(self._index, captions, next(iter(self._settings.choice.weights), None))

    def _is_done(self, caption: Caption | None) -> bool:
        if caption is None:
            return False
        return caption.human or (caption.model == self.maker and not self._redo)

    def _caption(
        self, path: Path, clips: Sequence[Clip], todo: set[str], made: Sequence[Caption]
    ) -> tuple[list[Caption], list[Failure]]:
        """Caption and save the clips named; made: what an earlier run of this captioner left of the video."""
        captioning = self._loaded()
        self._look_up(clips)
        captions: list[Caption] = []
        failures: list[Failure] = []
        saved = 0
        try:
            with open_video(self._index.config, path) as video:
                media = (m for m in self._media(video, clips) if m.clip.clip_id in todo)
                for result in captioning.run(media, made):
                    (captions if isinstance(result, Caption) else failures).append(result)  # type: ignore[arg-type]
                    if len(captions) - saved >= SAVE_EVERY:
                        self._index.save_captions(captions[saved:])
                        saved = len(captions)
        except FATAL:
            raise
        except Exception as error:  # the file itself: gone, damaged since it was indexed
            failures.append(failure_of(error, item=str(path), stage="caption:decode"))
        self._index.save_captions(captions[saved:])
        return captions, failures

    def _media(self, video: Any, clips: Sequence[Clip]) -> Iterator[ClipMedia]:
        """The clips with their frames, in one forward pass."""
        config = self._index.config
        if not video.info.has_video or not getattr(self._loaded().captioner, "needs_frames", True):
            yield from (ClipMedia(clip, video.info, None, video) for clip in clips)
            return
        frames = video.stream(rate_hz=config.sample.rate_hz, short_side_px=384, mode=config.sample.mode)
        cut = KnownSpans([clip.span for clip in clips], max_frames=max(64, MAX_FRAMES)).clips(
            make_distinct(config)(frames), duration_s=video.info.duration_s
        )
        for clip, (_, found) in zip(clips, cut, strict=True):
            different = kept(found) if found else []
            if len(different) > MAX_FRAMES:
                places = np.linspace(0, len(different) - 1, MAX_FRAMES).round().astype(int)
                different = [different[place] for place in places]
            batch = None
            if different:
                batch = FrameBatch(np.stack([f.rgb for f in different]), np.array([f.time_s for f in different]))
            yield ClipMedia(clip, video.info, batch, video)

    # -- judging -----------------------------------------------------------------------------------------------------

    def _loaded(self) -> ClipCaptioning:
        if self._captioning is None:
            from vidembed.models import load_captioner

            config = self._index.config
            captioner: Captioner = load_captioner(
                self._model,
                device=config.device,
                weights_dir=config.weights_dir,
                offline=config.offline,
                **self._options,
            )
            judges = {name: self._judge(name) for name in self._settings.choice.weights}
            bank: Captioner | None = load_captioner("retrieval") if self._settings.bank_n else None
            self._captioning = ClipCaptioning(captioner, judges, self._settings, maker=self.maker, bank=bank)
        return self._captioning

    def _judge(self, name: str) -> Judge:
        channel = self._index.channels[name]
        bank = make_bank(self._index.config, None)(channel)
        if bank is None:
            raise ConfigError(f"caption.rerank names {name!r}, whose model takes no text", hint="leave it out")
        return Judge(
            embed=lambda texts: _texts(channel, texts),
            bank=bank,
            vector=lambda clip: self._vectors[name].get(clip.clip_id),
            others=lambda clip: self._unlike(name, clip),
        )

    def _look_up(self, clips: Sequence[Clip]) -> None:
        """The stored vectors of the video in hand."""
        index = self._index
        ids = [clip.clip_id for clip in clips]
        for name in self._settings.choice.weights:
            rows = index.store.rows(index.lanes[name].collection, ids, units=False)
            self._vectors[name] = {clip_id: np.asarray(row.vector) for clip_id, row in rows.items()}

    def _unlike(self, name: str, clip: Clip) -> Floats:
        """(M, D) of a fixed sample of the index, without this clip and those of its scene."""
        if name not in self._others:
            # Clip ids are hashes: their first ones in order are a fair sample, the same in every run.
            ids = sorted(c.clip_id for c in self._index.clips())[:OTHERS]
            rows = self._index.store.rows(self._index.lanes[name].collection, ids, units=False)
            found = [clip_id for clip_id in ids if clip_id in rows]
            dim = self._index.channels[name].encoder.space.dim
            vectors = np.stack([np.asarray(rows[i].vector) for i in found]) if found else np.zeros((0, dim), np.float32)
            self._others[name] = (found, vectors)
        ids, vectors = self._others[name]
        own = self._vectors[name].get(clip.clip_id)
        if own is None or not len(vectors):
            return vectors
        unlike = (vectors @ own < UNLIKE) & np.array([clip_id != clip.clip_id for clip_id in ids])
        return vectors[unlike]


def caption_views(index: VideoIndex) -> dict[str, View]:
    """The channels that compare captions with clips (caption.rerank), for CLIPScore."""

    def view(name: str) -> View:
        entry = index.lanes[name]

        def vectors(clip_ids: Sequence[str]) -> dict[str, Floats]:
            rows = index.store.rows(entry.collection, clip_ids, units=False)
            return {clip_id: np.asarray(row.vector) for clip_id, row in rows.items()}

        return View(lambda texts: _texts(index.channels[name], texts), vectors)

    return {name: view(name) for name in make_judged(index.lanes, index.config.caption.rerank)}


def _summary(index: VideoIndex, captions: Sequence[Caption], judge: str | None) -> VideoSummary | None:
    if not captions or judge is None:
        return None
    channel = index.channels[judge]
    extra = [
        line.text
        for caption in captions
        for lane, text in index.texts(caption.clip.clip_id).items()
        if not lane.startswith("caption")
        for line in text.lines
    ]
    return summarise(captions, embed=lambda texts: _texts(channel, texts), extra=list(dict.fromkeys(extra))[:200])


def _texts(channel: Any, texts: Sequence[str]) -> Floats:
    rows = encode_texts(channel, texts)
    if rows is None:
        raise ConfigError(f"channel {channel.name!r} takes no text")
    return rows
