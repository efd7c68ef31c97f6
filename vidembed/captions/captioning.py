"""Clips in, captions out: propose, drop what is degenerate, choose by embeddings, reuse for near-identical clips.

Knows no files and no models: readers, vectors and encoders are handed in (see build/ for the wiring).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vidembed.batching import batched, failure_of
from vidembed.captions.choose import BANK, ChoiceSettings, Lane, choose
from vidembed.captions.subtitles import Cue, clean, is_degenerate
from vidembed.captions.summarise import VideoSummary
from vidembed.errors import ConfigError, EncodingError, NoSuchStream, StoreError
from vidembed.protocols import Captioner, ClipMedia
from vidembed.types import Caption, Clip, Failure, Floats


@dataclass(frozen=True)
class CaptionedVideo:
    """One video's answer. captions: of all its clips that have one, new or kept, in order of time.

    cues: the same as subtitles; neighbours that mean the same are one.
    """

    video_id: str
    path: Path
    captions: tuple[Caption, ...]
    summary: VideoSummary | None
    failures: tuple[Failure, ...] = ()
    unchanged: bool = False  # nothing was asked of the captioner
    cues: tuple[Cue, ...] = ()


@dataclass(frozen=True)
class CaptionSettings:
    """How a run captions. n: candidates a clip; seed fixes sampling; max_chars cuts a candidate that never ends.

    bank_n: sentences of a bank that stand for election too.
    reuse_above: a clip whose vector has at least this cosine with one already captioned in the same video takes over
    its caption (no second model call for a static scene); above 1 switches that off.
    """

    choice: ChoiceSettings
    n: int = 5
    bank_n: int = 0
    prompt: str | None = None
    seed: int = 0
    batch_size: int = 8
    reuse_above: float = 0.985
    max_chars: int = 400

    def __post_init__(self) -> None:
        if self.n < 1 or self.batch_size < 1 or self.bank_n < 0:
            sizes = f"{self.n}, {self.batch_size}"
            raise ConfigError(f"caption.candidates and run.batch_size must be at least 1, got {sizes}")


@dataclass(frozen=True)
class Judge:
    """One channel's help in choosing.

    embed: texts -> (N, D) unit rows in the channel's space; bank: (B, D) ordinary sentences there;
    vector: clip -> (D,) or None where the clip has none; others: clip -> (M, D) of unlike clips of the index.
    """

    embed: Callable[[Sequence[str]], Floats]
    bank: Floats
    vector: Callable[[Clip], Floats | None]
    others: Callable[[Clip], Floats]


@runtime_checkable
class Comparing(Protocol):
    """A captioner that works on the clips' stored vectors: it is told, before its first clip, how to compare."""

    def compare_by(self, judges: Mapping[str, Judge], settings: ChoiceSettings) -> None: ...


@runtime_checkable
class Apart(Protocol):
    """A captioner whose clips do not share a pass: one that fails costs the others nothing."""

    def each(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str] | Exception]:
        """As `Captioner.candidates`, with what went wrong in the place of a clip's texts."""
        ...


class ClipCaptioning:
    """Captions clips of one video after the other. Not thread-safe; make one per worker."""

    def __init__(
        self,
        captioner: Captioner,
        judges: Mapping[str, Judge],
        settings: CaptionSettings,
        *,
        maker: str | None = None,
        bank: Captioner | None = None,
    ) -> None:
        unknown = {name for name, weight in settings.choice.weights.items() if weight > 0} - set(judges)
        if unknown:
            raise ConfigError(
                f"caption.rerank names channels that cannot compare text: {', '.join(sorted(unknown))}",
                hint=f"channels that can: {', '.join(sorted(judges)) or 'none'}",
            )
        self.captioner = captioner
        self.maker = maker or captioner.name  # what is saved as the caption's model
        self.judges = judges
        self.settings = settings
        self._bank = bank if settings.bank_n else None
        for one in (captioner, self._bank):
            if isinstance(one, Comparing):
                one.compare_by(judges, settings.choice)

    def run(self, clips: Iterable[ClipMedia], known: Sequence[Caption] = ()) -> Iterator[Caption | Failure]:
        """One Caption or Failure per clip, in order. ConfigError and StoreError stop the run.

        known: captions of the first video that an earlier run left, for its clips that look the same.
        """
        done = sorted(known, key=lambda caption: caption.clip.span.start_s)  # of the video in hand
        for batch in batched(clips, self.settings.batch_size):
            results: dict[str, Caption | Failure] = {}
            ask: list[ClipMedia] = []
            for media in batch:
                if done and done[0].clip.video_id != media.clip.video_id:
                    done = []
                twin = self._twin(media.clip, done)
                if twin is not None:
                    results[media.clip.clip_id] = replace(twin, clip=media.clip)
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
        """The same candidates judged anew (another encoder, other weights), without asking the captioner again."""
        texts, origins = [c.text for c in caption.candidates], [c.origin for c in caption.candidates]
        return self._choose(caption.clip, texts, origins, model=caption.model)

    def _propose(self, clips: Sequence[ClipMedia]) -> list[list[str] | Failure]:
        """Candidates per clip; a batch that fails is split until the bad clip is alone."""
        if not clips:
            return []
        asked: dict[str, Any] = {"n": self.settings.n, "prompt": self.settings.prompt, "seed": self.settings.seed}
        if isinstance(self.captioner, Apart):
            answers = self.captioner.each(clips, **asked)
            return [self._judged_answer(media.clip, answer) for media, answer in zip(clips, answers, strict=True)]
        try:
            proposed = self.captioner.candidates(clips, **asked)
            if len(proposed) != len(clips):
                raise EncodingError(f"{self.captioner.name} answered {len(proposed)} clips of {len(clips)}")
        except (ConfigError, StoreError):
            raise
        except Exception as error:
            if len(clips) == 1:
                return [self._judged_answer(clips[0].clip, error)]
            half = len(clips) // 2
            return self._propose(clips[:half]) + self._propose(clips[half:])
        return [self._usable(media.clip, texts) for media, texts in zip(clips, proposed, strict=True)]

    def _judged_answer(self, clip: Clip, answer: Sequence[str] | Exception) -> list[str] | Failure:
        if isinstance(answer, ConfigError | StoreError):
            raise answer
        if isinstance(answer, Exception):
            return failure_of(answer, item=clip.clip_id, stage=f"caption:{self.captioner.name}")
        return self._usable(clip, answer)

    def _usable(self, clip: Clip, texts: Sequence[str]) -> list[str] | Failure:
        """Clean, different, not degenerate ones in their order; a Failure when none is left."""
        kept: dict[str, str] = {}
        for text in texts:
            text = clean(text)[: self.settings.max_chars]
            if not is_degenerate(text):
                kept.setdefault(text.casefold(), text)
        if kept:
            return list(kept.values())
        sample = clean(texts[0])[:60] if texts else ""
        error = EncodingError(
            f"no usable caption: {len(texts)} candidates, all empty or repeating themselves, such as {sample!r}",
            hint="try another captioner, prompt or seed",
        )
        return failure_of(error, item=clip.clip_id, stage=f"caption:{self.captioner.name}")

    def _pooled(self, media: ClipMedia, texts: list[str]) -> tuple[list[str], list[str]]:
        """The captioner's texts and the bank's, with their origins."""
        if self._bank is None:
            return texts, [""] * len(texts)
        try:
            (found,) = self._bank.candidates([media], n=self.settings.bank_n)
        except NoSuchStream:  # no vector to compare with
            found = []
        said = {text.casefold() for text in texts}
        new = [text[:1].upper() + text[1:] for text in found if text.casefold() not in said]
        return [*texts, *new], [""] * len(texts) + [BANK] * len(new)

    def _choose(
        self, clip: Clip, texts: Sequence[str], origins: Sequence[str], *, model: str | None = None
    ) -> Caption | Failure:
        try:
            lanes = self._lanes(clip, texts)
            choice = choose(texts, lanes, self.settings.choice, origins)
        except (ConfigError, StoreError):
            raise
        except Exception as error:
            return failure_of(error, item=clip.clip_id, stage="caption:choose")
        return Caption(
            clip=clip,
            text=texts[choice.order[0]],
            score=choice.score,
            candidates=choice.candidates,
            model=model or self.maker,
            confident=choice.confident,
        )

    def _lanes(self, clip: Clip, texts: Sequence[str]) -> dict[str, Lane]:
        lanes: dict[str, Lane] = {}
        for name, judge in self.judges.items():
            if self.settings.choice.weights.get(name, 0.0) <= 0:
                continue
            vector = judge.vector(clip)
            if vector is not None:
                lanes[name] = Lane(judge.embed(texts), vector, judge.bank, judge.others(clip))
        return lanes

    def _twin(self, clip: Clip, done: Sequence[Caption]) -> Caption | None:
        """An earlier caption of a clip that looks and sounds the same in every channel that judges."""
        if self.settings.reuse_above > 1:
            return None
        judges = [j for name, j in self.judges.items() if self.settings.choice.weights.get(name, 0.0) > 0]
        own = [judge.vector(clip) for judge in judges]
        if not any(vector is not None for vector in own):
            return None
        for caption in reversed(done[-32:]):
            theirs = [judge.vector(caption.clip) for judge in judges]
            if all(_same(a, b, self.settings.reuse_above) for a, b in zip(own, theirs, strict=True)):
                return caption
        return None


def _same(a: Floats | None, b: Floats | None, above: float) -> bool:
    if a is None or b is None:
        return a is b
    return float(np.dot(a, b)) >= above
