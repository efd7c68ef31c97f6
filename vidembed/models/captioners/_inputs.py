"""What a language model is asked: the task in words, with language, length and style as settings.

A clip as a vision-language model takes it: real video with its times, single pictures, or sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from vidembed.errors import ConfigError, NoSuchStream
from vidembed.protocols import ClipMedia
from vidembed.types import AudioSamples, FrameBatch, Span
from vidembed.vectors import evenly_spaced

Shown = Literal["video", "pictures", "nothing"]


@dataclass(frozen=True)
class Wording:
    """How the answer shall read. language: a name such as "German"; style: such as "like a headline"."""

    language: str | None = None
    style: str | None = None
    max_words: int | None = None

    def __post_init__(self) -> None:
        if self.max_words is not None and self.max_words < 1:
            raise ConfigError(f"caption.options.max_words must be at least 1, got {self.max_words}")

    def request(self, prompt: str | None, *, shown: Shown, heard: bool) -> str:
        """The user's prompt, or one that names what the model gets, followed by the wishes about the answer."""
        parts = [prompt or _task(shown, heard)]
        if self.max_words is not None:
            parts.append(f"Use at most {self.max_words} words.")
        if self.style:
            parts.append(f"Style: {self.style}.")
        if self.language:
            parts.append(f"Answer in {self.language}.")
        return " ".join(parts)

    def written(self, request: str) -> str:
        """A request for words about words; its form must survive the language."""
        if not self.language:
            return request
        return f"{request}\nWrite in {self.language}, but keep the words Title, Summary and Chapter before the colons."


def _task(shown: Shown, heard: bool) -> str:
    if shown == "nothing":
        return "Describe in one plain sentence what is heard."
    what = "what is seen and heard" if heard else "what happens"
    if shown == "video":
        return f"Describe in one plain sentence {what} in this video clip."
    return f"These are frames of one short video clip in order. Describe in one plain sentence {what}."


MAX_SOUND_S = 30.0  # what the audio towers of Gemma 3n and 4 hear at once
# Models whose sentence goes on from the prompt, so that the prompt is part of the caption.
CONTINUING = frozenset({"blip", "git"})


@dataclass(frozen=True, eq=False)
class Seen:
    """What is shown of one clip; at least one of frames and sound."""

    frames: FrameBatch | None
    sound: AudioSamples | None
    span: Span


@dataclass(frozen=True, eq=False)
class Shot:
    """A batch ready for the model. owners: which clip each row is of, rising; cut: leading tokens to drop."""

    inputs: Any
    owners: tuple[int, ...]
    cut: int


class Showing(Protocol):
    rate_hz: int | None  # of the sound it takes; None: it takes none

    def batch(self, seen: Sequence[Seen], prompt: str | None, wording: Wording) -> Shot:
        """Rows for clips that all have the same kinds of media."""
        ...


def look(media: ClipMedia, *, frames: int, rate_hz: int | None) -> Seen:
    """Up to `frames` of the clip's frames, evenly spread, and its sound where the model hears."""
    sound = None
    if rate_hz is not None and media.info.has_audio:
        span = media.clip.span
        excess = max(0.0, span.end_s - span.start_s - MAX_SOUND_S) / 2  # the middle of a long clip
        try:
            sound = media.video.audio(Span(span.start_s + excess, span.end_s - excess), rate_hz=rate_hz)
        except NoSuchStream:
            sound = None
    if media.frames is None and sound is None:
        raise NoSuchStream("this captioner needs pictures, and the clip has none")
    return Seen(None if media.frames is None else spread(media.frames, frames), sound, media.clip.span)


def spread(frames: FrameBatch, most: int) -> FrameBatch:
    """At most so many frames: the middles of equal parts."""
    if len(frames) <= most:
        return frames
    return frames.take(evenly_spaced(len(frames), most, ends=False))


class ChatShowing:
    """Models with a chat template. Frames go in as one video where it has a place for one, else as pictures."""

    def __init__(self, processor: Any, *, sound: bool = True) -> None:
        self._processor = processor
        self._video = self._has_place_for("video", "video_processor")
        hears = sound and self._has_place_for("audio", "feature_extractor", "audio_processor")
        self.rate_hz: int | None = None
        if hears:
            part = getattr(processor, "feature_extractor", None) or processor.audio_processor
            self.rate_hz = int(part.sampling_rate)

    def batch(self, seen: Sequence[Seen], prompt: str | None, wording: Wording) -> Shot:
        talks, media = [], _Media()
        for clip in seen:
            content: list[dict[str, str]] = []
            shown: Shown = "nothing"
            if clip.frames is not None:
                shown = "video" if self._video else "pictures"
                content += media.show_video(clip) if self._video else media.show_pictures(clip.frames)
            if clip.sound is not None:
                content += media.play(clip.sound)
            request = wording.request(prompt, shown=shown, heard=clip.sound is not None)
            talks.append([*content, {"type": "text", "text": request}])
        return self._shot(talks, media)

    def words(self, request: str) -> Shot:
        """One row with nothing to see or hear."""
        return self._shot([[{"type": "text", "text": request}]], _Media())

    def _shot(self, contents: Sequence[Sequence[dict[str, str]]], media: _Media) -> Shot:
        talks = [[{"role": "user", "content": list(content)}] for content in contents]
        texts = self._processor.apply_chat_template(talks, add_generation_prompt=True, tokenize=False)
        begin = self._processor.tokenizer.bos_token
        inputs = self._processor(
            text=texts,
            **media.given(),
            add_special_tokens=not (begin and texts[0].startswith(begin)),  # some templates write them already
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        return Shot(inputs, tuple(range(len(talks))), inputs["input_ids"].shape[1])

    def _has_place_for(self, kind: str, *parts: str) -> bool:
        """Whether the processor takes that medium and the chat template writes its placeholder."""
        token = getattr(self._processor, f"{kind}_token", None)
        if not token or all(getattr(self._processor, part, None) is None for part in parts):
            return False
        content = [{"type": kind}, {"type": "text", "text": "?"}]
        try:
            text = self._processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
        except Exception:  # templates raise what they like for media they do not know
            return False
        return str(token) in text


class _Media:
    """The media of a batch in the processor's order."""

    def __init__(self) -> None:
        self.videos: list[Any] = []
        self.facts: list[dict[str, Any]] = []
        self.pictures: list[list[Any]] = []
        self.sounds: list[Any] = []
        self.rate_hz = 0

    def show_video(self, clip: Seen) -> list[dict[str, str]]:
        assert clip.frames is not None
        length_s = max(clip.span.end_s - clip.span.start_s, 1e-3)
        # The clock ticks in milliseconds, so that frames that are not evenly spaced keep their own times.
        ticks = np.maximum(np.rint((clip.frames.times_s - clip.span.start_s) * 1000), 0).astype(int)
        rgb = clip.frames.rgb
        if len(rgb) == 1:  # models that join frames in pairs refuse a single one
            rgb, ticks = np.repeat(rgb, 2, axis=0), np.repeat(ticks, 2)
        height, width = rgb.shape[1:3]
        self.videos.append(rgb)
        self.facts.append({
            "total_num_frames": max(round(length_s * 1000), 1), "fps": 1000.0, "duration": length_s,
            "frames_indices": ticks.tolist(), "width": width, "height": height,
        })  # fmt: skip
        return [{"type": "video"}]

    def show_pictures(self, frames: FrameBatch) -> list[dict[str, str]]:
        from PIL import Image

        self.pictures.append([Image.fromarray(rgb) for rgb in frames.rgb])
        return [{"type": "image"} for _ in frames.rgb]

    def play(self, sound: AudioSamples) -> list[dict[str, str]]:
        self.sounds.append(sound.samples)
        self.rate_hz = sound.rate_hz
        return [{"type": "audio"}]

    def given(self) -> dict[str, Any]:
        """Keyword arguments for the processor."""
        media: dict[str, Any] = {}
        if self.videos:
            media |= {"videos": self.videos, "video_metadata": self.facts, "do_sample_frames": False}
        if self.pictures:
            media["images"] = self.pictures
        if self.sounds:
            media |= {"audio": self.sounds, "sampling_rate": self.rate_hz}
        return media


class PictureShowing:
    """Classics without a chat template: each row is one picture, so a clip gets a row for each of up to three frames.

    A prompt is the beginning of the sentence ("a video of"), for models that go on from it, else the question.
    """

    rate_hz: int | None = None

    def __init__(self, processor: Any, model_type: str, *, rows: int = 3) -> None:
        self._processor, self._type, self._rows = processor, model_type, rows

    def batch(self, seen: Sequence[Seen], prompt: str | None, wording: Wording) -> Shot:
        from PIL import Image

        if not prompt and self._type not in CONTINUING:
            raise ConfigError(
                f"models of type {self._type!r} need a prompt in the words they were trained with",
                hint='set caption.prompt, for example "caption en" for PaliGemma',
            )
        pictures: list[Any] = []
        owners: list[int] = []
        for owner, clip in enumerate(seen):
            assert clip.frames is not None
            for rgb in spread(clip.frames, self._rows).rgb:
                pictures.append(Image.fromarray(rgb))
                owners.append(owner)
        text = {"text": [prompt] * len(pictures), "padding": True} if prompt else {}
        inputs = self._processor(images=pictures, return_tensors="pt", **text)
        cut = 0 if self._type in CONTINUING else inputs["input_ids"].shape[1]
        return Shot(inputs, tuple(owners), cut)
