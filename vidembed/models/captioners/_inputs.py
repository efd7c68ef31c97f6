"""Inputs of vision-language models: the request in words, and a clip as video with its times, pictures, or sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from vidembed.errors import ConfigError, NoSuchStream
from vidembed.protocols import ClipMedia
from vidembed.types import AudioSamples, FrameBatch, Span
from vidembed.vectors import evenly_spaced

Visuals = Literal["video", "pictures", "nothing"]


@dataclass(frozen=True)
class AnswerStyle:
    """How the answer shall read: the `caption.options` that all language models share.

    Attributes:
        language: A language's name, such as "German".
        style: Such as "like a headline".
        max_words: Asked for, not enforced.
    """

    language: str | None = None
    style: str | None = None
    max_words: int | None = None

    def __post_init__(self) -> None:
        if self.max_words is not None and self.max_words < 1:
            raise ConfigError(f"caption.options.max_words must be at least 1, got {self.max_words}")

    def request(self, prompt: str | None, *, shown: Visuals, heard: bool) -> str:
        """The user's prompt, or one that names what the model gets, followed by language, style and length."""
        parts = [prompt or _default_prompt(shown, heard)]
        if self.max_words is not None:
            parts.append(f"Use at most {self.max_words} words.")
        if self.style:
            parts.append(f"Style: {self.style}.")
        if self.language:
            parts.append(f"Answer in {self.language}.")
        return " ".join(parts)

    def written(self, request: str) -> str:
        """A request to summarise text; the keywords that the answer is parsed by stay English."""
        if not self.language:
            return request
        return f"{request}\nWrite in {self.language}, but keep the words Title, Summary and Chapter before the colons."


def _default_prompt(shown: Visuals, heard: bool) -> str:
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
class ClipInput:
    """What the model gets of one clip; at least one of frames and sound."""

    frames: FrameBatch | None
    sound: AudioSamples | None
    span: Span


@dataclass(frozen=True, eq=False)
class ModelBatch:
    """A batch ready for the model.

    Attributes:
        inputs: The processor's tensors.
        owners: Which clip each row is of, rising.
        prompt_tokens: Leading tokens of the output that are no answer.
    """

    inputs: Any
    owners: tuple[int, ...]
    prompt_tokens: int


class InputBuilder(Protocol):
    """Makes a model's batches from clips."""

    rate_hz: int | None  # of the sound it takes; None: it takes none

    def batch(self, clips: Sequence[ClipInput], prompt: str | None, style: AnswerStyle) -> ModelBatch:
        """Rows for clips that all have the same kinds of media."""
        ...


def read_clip(media: ClipMedia, *, frames: int, rate_hz: int | None) -> ClipInput:
    """Up to `frames` of the clip's frames, evenly spaced, and its sound where rate_hz is given.

    Raises NoSuchStream for a clip with neither.
    """
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
    return ClipInput(None if media.frames is None else spread(media.frames, frames), sound, media.clip.span)


def spread(frames: FrameBatch, most: int) -> FrameBatch:
    """At most so many frames: the middles of equal parts."""
    if len(frames) <= most:
        return frames
    return frames.take(evenly_spaced(len(frames), most, ends=False))


class ChatInputs:
    """Inputs of models with a chat template. Frames go in as one video where it takes one, else as pictures."""

    def __init__(self, processor: Any, *, sound: bool = True) -> None:
        self._processor = processor
        self._video = self._takes("video", "video_processor")
        hears = sound and self._takes("audio", "feature_extractor", "audio_processor")
        self.rate_hz: int | None = None
        if hears:
            part = getattr(processor, "feature_extractor", None) or processor.audio_processor
            self.rate_hz = int(part.sampling_rate)

    def batch(self, clips: Sequence[ClipInput], prompt: str | None, style: AnswerStyle) -> ModelBatch:
        """As `InputBuilder.batch`: one row a clip."""
        chats, media = [], _Media()
        for clip in clips:
            content: list[dict[str, str]] = []
            shown: Visuals = "nothing"
            if clip.frames is not None:
                shown = "video" if self._video else "pictures"
                content += media.add_video(clip) if self._video else media.add_pictures(clip.frames)
            if clip.sound is not None:
                content += media.add_sound(clip.sound)
            request = style.request(prompt, shown=shown, heard=clip.sound is not None)
            chats.append([*content, {"type": "text", "text": request}])
        return self._batch(chats, media)

    def asked(self, request: str, pictures: Sequence[tuple[str, Any]] = ()) -> ModelBatch:
        """One row: a request, then pictures, each after its words. pictures: (words, (H, W, 3) uint8 RGB)."""
        content, media = [{"type": "text", "text": request}], _Media()
        for words, _ in pictures:
            content += [{"type": "text", "text": words}, {"type": "image"}]
        if pictures:
            media.add_stills([rgb for _, rgb in pictures])
        return self._batch([content], media)

    @property
    def sees(self) -> bool:
        """Whether it takes single pictures."""
        return self._takes("image", "image_processor")

    def _batch(self, contents: Sequence[Sequence[dict[str, str]]], media: _Media) -> ModelBatch:
        chats = [[{"role": "user", "content": list(content)}] for content in contents]
        texts = self._processor.apply_chat_template(chats, add_generation_prompt=True, tokenize=False)
        begin = self._processor.tokenizer.bos_token
        inputs = self._processor(
            text=texts,
            **media.arguments(),
            add_special_tokens=not (begin and texts[0].startswith(begin)),  # some templates write them already
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        return ModelBatch(inputs, tuple(range(len(chats))), inputs["input_ids"].shape[1])

    def _takes(self, kind: str, *parts: str) -> bool:
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
        self.metadata: list[dict[str, Any]] = []
        self.pictures: list[list[Any]] = []
        self.sounds: list[Any] = []
        self.rate_hz = 0

    def add_video(self, clip: ClipInput) -> list[dict[str, str]]:
        assert clip.frames is not None
        length_s = max(clip.span.end_s - clip.span.start_s, 1e-3)
        # The clock ticks in milliseconds, so that frames that are not evenly spaced keep their own times.
        ticks = np.maximum(np.rint((clip.frames.times_s - clip.span.start_s) * 1000), 0).astype(int)
        rgb = clip.frames.rgb
        if len(rgb) == 1:  # models that join frames in pairs refuse a single one
            rgb, ticks = np.repeat(rgb, 2, axis=0), np.repeat(ticks, 2)
        height, width = rgb.shape[1:3]
        self.videos.append(rgb)
        self.metadata.append({
            "total_num_frames": max(round(length_s * 1000), 1), "fps": 1000.0, "duration": length_s,
            "frames_indices": ticks.tolist(), "width": width, "height": height,
        })  # fmt: skip
        return [{"type": "video"}]

    def add_pictures(self, frames: FrameBatch) -> list[dict[str, str]]:
        self.add_stills(frames.rgb)
        return [{"type": "image"} for _ in frames.rgb]

    def add_stills(self, pictures: Iterable[Any]) -> None:
        """The pictures of one row."""
        from PIL import Image

        self.pictures.append([Image.fromarray(rgb) for rgb in pictures])

    def add_sound(self, sound: AudioSamples) -> list[dict[str, str]]:
        self.sounds.append(sound.samples)
        self.rate_hz = sound.rate_hz
        return [{"type": "audio"}]

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the processor."""
        media: dict[str, Any] = {}
        if self.videos:
            media |= {"videos": self.videos, "video_metadata": self.metadata, "do_sample_frames": False}
        if self.pictures:
            media["images"] = self.pictures
        if self.sounds:
            media |= {"audio": self.sounds, "sampling_rate": self.rate_hz}
        return media


class PictureInputs:
    """Inputs of models without a chat template: each row is one picture, so a clip gets up to three rows.

    A prompt is the beginning of the sentence ("a video of") for models that continue it, else the question.
    """

    rate_hz: int | None = None

    def __init__(self, processor: Any, model_type: str, *, rows: int = 3) -> None:
        self._processor, self._type, self._rows = processor, model_type, rows

    def batch(self, clips: Sequence[ClipInput], prompt: str | None, style: AnswerStyle) -> ModelBatch:
        """As `InputBuilder.batch`; the style is left out: these models follow no instructions."""
        from PIL import Image

        if not prompt and self._type not in CONTINUING:
            raise ConfigError(
                f"models of type {self._type!r} need a prompt in the words they were trained with",
                hint='set caption.prompt, for example "caption en" for PaliGemma',
            )
        pictures: list[Any] = []
        owners: list[int] = []
        for owner, clip in enumerate(clips):
            assert clip.frames is not None
            for rgb in spread(clip.frames, self._rows).rgb:
                pictures.append(Image.fromarray(rgb))
                owners.append(owner)
        text = {"text": [prompt] * len(pictures), "padding": True} if prompt else {}
        inputs = self._processor(images=pictures, return_tensors="pt", **text)
        prompt_tokens = 0 if self._type in CONTINUING else inputs["input_ids"].shape[1]
        return ModelBatch(inputs, tuple(owners), prompt_tokens)
