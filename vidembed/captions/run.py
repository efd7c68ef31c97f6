"""Caption clips: propose candidates, drop degenerate ones, choose by embeddings, reuse for near-identical clips.

Readers, vectors and encoders are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from vidembed.batching import batched, encode_all, failure_of
from vidembed.captions.choose import BANK, JudgeVectors, choose
from vidembed.captions.subtitles import Cue, clean, is_degenerate
from vidembed.captions.summarise import VideoSummary
from vidembed.config.schema import CaptionSettings, ChoiceSettings
from vidembed.errors import FATAL, EncodingError, NoSuchStream
from vidembed.protocols import Captioner, ClipMedia
from vidembed.types import Caption, Clip, Failure, Floats

_LOOK_BACK = 32  # earlier captions among which a similar clip is looked for


@dataclass(frozen=True)
class CaptionedVideo:
    """Captions of one video.

    Attributes:
        captions: Of all its clips that have one, new or kept, in order of time.
        unchanged: The captioner was not called.
        cues: The captions as subtitles; neighbours that mean the same are merged.
    """

    video_id: str
    path: Path
    captions: tuple[Caption, ...]
    summary: VideoSummary | None
    failures: tuple[Failure, ...] = ()
    unchanged: bool = False
    cues: tuple[Cue, ...] = ()


@dataclass(frozen=True)
class Judge:
    """What one channel contributes to choosing.

    Attributes:
        embed: Texts -> (N, D) unit rows in the channel's space.
        bank: (B, D) ordinary sentences.
        vector: Clip -> (D,), or None if the channel lacks it.
        others: Clip -> (M, D) of dissimilar clips of the index.
        weight: Above 0.
        embed_bank: `embed` for texts that every run asks for, which may keep the rows; None: like any other.
    """

    embed: Callable[[Sequence[str]], Floats]
    bank: Floats
    vector: Callable[[Clip], Floats | None]
    others: Callable[[Clip], Floats]
    weight: float = 1.0
    embed_bank: Callable[[Sequence[str]], Floats | None] | None = None

    def view(self, clip: Clip, texts: Callable[[], Floats]) -> JudgeVectors | None:
        """The channel's view of a clip; None if it lacks the clip. texts: gives (N, D), called if needed."""
        vector = self.vector(clip)
        return None if vector is None else JudgeVectors(texts(), vector, self.bank, self.others(clip), self.weight)


@runtime_checkable
class VectorCaptioner(Protocol):
    """A captioner that looks at stored vectors, not at media."""

    def compare_by(self, judges: Mapping[str, Judge], settings: ChoiceSettings) -> None:
        """Called once, before the first clip."""


@runtime_checkable
class SingleClipCaptioner(Protocol):
    """A captioner that looks at one clip per call, so that a clip that fails costs no other."""

    def each(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str] | Exception]:
        """As `Captioner.candidates`, with the exception in place of a failed clip's texts."""


class ClipCaptioning:
    """Captions clips of one video after the other. Not thread-safe; make one per worker."""

    def __init__(
        self,
        captioner: Captioner,
        judges: Mapping[str, Judge],
        settings: CaptionSettings,
        *,
        batch_size: int = 8,
        producer: str | None = None,
        bank: Captioner | None = None,
    ) -> None:
        """Set up a run.

        Args:
            captioner: Proposes candidates.
            judges: By channel.
            settings: The settings under `caption`.
            batch_size: Clips per call of the captioner.
            producer: Saved as the captions' model; None = the captioner's name.
            bank: Proposes `settings.bank_candidates` more per clip.
        """
        self.captioner = captioner
        self._judges, self._settings, self._batch_size = judges, settings, batch_size
        self._producer = producer or captioner.name
        self._bank = bank if settings.bank_candidates else None
        for one in (captioner, self._bank):
            if isinstance(one, VectorCaptioner):
                one.compare_by(judges, settings.choice)

    def run(self, clips: Iterable[ClipMedia], known: Sequence[Caption] = ()) -> Iterator[Caption | Failure]:
        """Caption clips.

        Args:
            clips: Of one video after the other.
            known: Captions of the first video from an earlier run, to reuse for similar clips.

        Yields:
            One Caption or Failure per clip, in order. `errors.FATAL` stop the run.
        """
        done = sorted(known, key=lambda caption: caption.clip.span.start_s)  # of the video in hand
        for batch in batched(clips, self._batch_size):
            results: dict[str, Caption | Failure] = {}
            ask: list[ClipMedia] = []
            for media in batch:
                if done and done[0].clip.video_id != media.clip.video_id:
                    done = []
                similar = self._similar(media.clip, done)
                if similar is not None:
                    results[media.clip.clip_id] = replace(similar, clip=media.clip)
                else:
                    ask.append(media)
            for media, texts in zip(ask, self._propose(ask), strict=True):
                result = texts if isinstance(texts, Failure) else self._choose(media.clip, *self._pooled(media, texts))
                results[media.clip.clip_id] = result
                if isinstance(result, Caption):
                    done.append(result)
            for media in batch:
                yield results[media.clip.clip_id]

    def rechoose(self, caption: Caption) -> Caption | Failure:
        """Choose again among a caption's candidates, with other encoders or settings; no model call."""
        texts, origins = [c.text for c in caption.candidates], [c.origin for c in caption.candidates]
        return self._choose(caption.clip, texts, origins, model=caption.model)

    def _propose(self, clips: Sequence[ClipMedia]) -> list[list[str] | Failure]:
        """Candidates per clip; a failing batch is split until the failing clip is alone."""
        given, captioner = self._settings, self.captioner
        answers: Sequence[list[str] | Exception | Failure]
        if isinstance(captioner, SingleClipCaptioner):
            answers = captioner.each(clips, n=given.candidates, prompt=given.prompt, seed=given.seed)
        else:
            answers = encode_all(
                lambda some: captioner.candidates(some, n=given.candidates, prompt=given.prompt, seed=given.seed),
                clips,
                names=[media.clip.clip_id for media in clips],
                stage=self._stage,
                batch_size=self._batch_size,
            )
        return [self._usable(media.clip, answer) for media, answer in zip(clips, answers, strict=True)]

    @property
    def _stage(self) -> str:
        return f"caption:{self.captioner.name}"

    def _usable(self, clip: Clip, answer: list[str] | Exception | Failure) -> list[str] | Failure:
        """Clean, distinct, non-degenerate texts in order; a Failure if none is left."""
        if isinstance(answer, FATAL):
            raise answer
        if isinstance(answer, Exception):
            return failure_of(answer, item=clip.clip_id, stage=self._stage)
        if isinstance(answer, Failure):
            return answer
        kept: dict[str, str] = {}
        for text in answer:
            text = clean(text)[: self._settings.max_chars]
            if not is_degenerate(text):
                kept.setdefault(text.casefold(), text)
        if kept:
            return list(kept.values())
        sample = clean(answer[0])[:60] if answer else ""
        error = EncodingError(
            f"no usable caption: {len(answer)} candidates, all empty or repetitive, such as {sample!r}",
            hint="try another captioner, prompt or seed",
        )
        return failure_of(error, item=clip.clip_id, stage=self._stage)

    def _pooled(self, media: ClipMedia, texts: list[str]) -> tuple[list[str], list[str]]:
        """The captioner's texts, then the bank's, with their origins."""
        if self._bank is None:
            return texts, [""] * len(texts)
        try:
            (found,) = self._bank.candidates([media], n=self._settings.bank_candidates)
        except NoSuchStream:  # no vector to compare with
            found = []
        said = {text.casefold() for text in texts}
        new = [text[:1].upper() + text[1:] for text in found if text.casefold() not in said]
        return [*texts, *new], [""] * len(texts) + [BANK] * len(new)

    def _choose(
        self, clip: Clip, texts: Sequence[str], origins: Sequence[str], *, model: str | None = None
    ) -> Caption | Failure:
        try:
            views = {name: judge.view(clip, partial(judge.embed, texts)) for name, judge in self._judges.items()}
            seen = {name: view for name, view in views.items() if view is not None}
            choice = choose(texts, seen, self._settings, origins)
        except FATAL:
            raise
        except Exception as error:
            return failure_of(error, item=clip.clip_id, stage="caption:choose")
        return Caption(
            clip=clip,
            text=texts[choice.order[0]],
            score=choice.score,
            candidates=choice.candidates,
            model=model or self._producer,
            confident=choice.confident,
        )

    def _similar(self, clip: Clip, done: Sequence[Caption]) -> Caption | None:
        """An earlier caption of a clip that is similar in every channel that judges."""
        above = self._settings.reuse_above
        own = [judge.vector(clip) for judge in self._judges.values()] if above <= 1 else []
        if not any(vector is not None for vector in own):
            return None
        for caption in reversed(done[-_LOOK_BACK:]):
            theirs = [judge.vector(caption.clip) for judge in self._judges.values()]
            if all(_same(a, b, above) for a, b in zip(own, theirs, strict=True)):
                return caption
        return None


def _same(a: Floats | None, b: Floats | None, above: float) -> bool:
    if a is None or b is None:
        return a is b
    return float(np.dot(a, b)) >= above
