"""Clip encoders made from item encoders: split a clip into units, encode all clips' units together, pool each clip's.

Units are frames of a `FrameBatch`, windows of an `AudioSamples`, lines of a `TimedText`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vidembed.batching import encode_all, is_out_of_memory
from vidembed.errors import BadQuery, ConfigError
from vidembed.protocols import Encoded, Encoder
from vidembed.types import AudioSamples, AudioVisual, Clip, Failure, Floats, FrameBatch, Item, Modality, TimedText
from vidembed.vectors import POOLINGS, Pooling, check, pool

Units = tuple[list[Item], list[float]]  # the units and the middle of each in seconds
SILENCE_RMS = 5e-4  # -66 dBFS: below it there is nothing to hear


class _Batched:
    """Runs an encoder over any number of items; remembers the batch size that fits into memory."""

    def __init__(self, encoder: Encoder, *, batch_size: int, templates: Sequence[str], stage: str) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        self.encoder = encoder
        self.space = encoder.space
        self.batch_size = batch_size
        self.templates = _checked(templates)
        self.stage = stage

    def with_templates(self, templates: Sequence[str]) -> Self:
        """The same towers with text queries put into other prompts; clips come out as before."""
        other = copy.copy(self)
        other.templates = _checked(templates)
        return other

    def rows(self, modality: Modality, items: Sequence[Item], names: Sequence[str]) -> list[Floats | Failure]:
        """One (D,) row or Failure per item; a batch that does not fit into memory makes the later ones smaller.

        What equals the item before it to the last bit, as pictures of slides and screens do, is encoded once.
        """

        def encode(batch: Sequence[Item]) -> list[Floats]:
            try:
                rows = self.encoder.encode(modality, batch)
            except Exception as error:
                if is_out_of_memory(error) and len(batch) > 1:
                    self.batch_size = min(self.batch_size, len(batch) // 2)
                raise
            return list(check(rows, n=len(batch), dim=self.space.dim, who=type(self.encoder).__name__))

        new = [place == 0 or not _equal(items[place - 1], item) for place, item in enumerate(items)]
        kept = [place for place, is_new in enumerate(new) if is_new]
        found = encode_all(
            encode,
            [items[place] for place in kept],
            names=[names[place] for place in kept],
            stage=self.stage,
            batch_size=self.batch_size,
        )
        answers: list[Floats | Failure] = []
        for name, number in zip(names, np.cumsum(new), strict=True):
            answer = found[int(number) - 1]
            answers.append(replace(answer, item=name) if isinstance(answer, Failure) else answer)
        return answers

    def query_rows(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, D) rows of a query's parts; its errors are the caller's, not a record."""
        parts = [
            self.encoder.encode(modality, items[i : i + self.batch_size]) for i in range(0, len(items), self.batch_size)
        ]
        return check(np.concatenate(parts), n=len(items), dim=self.space.dim, who=type(self.encoder).__name__)

    def text_query(self, text: str) -> Floats:
        """The centre of the text in every prompt template (Radford et al. 2021, section 3.1.4)."""
        if not text.strip():
            raise BadQuery("the query text is empty", hint="give at least one word")
        return pool(self.query_rows("text", [template.format(text.strip()) for template in self.templates]))

    def encode_queries(self, modality: Modality, values: Sequence[str]) -> Floats | None:
        """(N, D) query vectors of texts in few passes, row by row what `encode_query` gives; None without text."""
        if modality != "text" or "text" not in self.encoder.modalities:
            return None
        filled = [template.format(value.strip()) for value in values for template in self.templates]
        rows = self.query_rows("text", filled).reshape(len(values), len(self.templates), -1)
        return np.stack([pool(parts) for parts in rows])


class PooledEncoder(_Batched):
    """A `ClipEncoder` from an encoder of single frames, sounds or lines.

    source_modality: what the channel's source gives: "image" (FrameBatch), "audio" (AudioSamples) or "text"
    (TimedText); an AudioVisual is taken apart.
    pool: see `vectors.pool`. keep_units: units go along as float16 with their times.
    window_s, hop_s: audio is cut into windows of window_s, one each hop_s (default: window_s); None: one unit.
    Windows quieter than silence_rms are dropped; a clip with none left has no vector.
    templates: prompts for text queries; their vectors are averaged.
    """

    def __init__(
        self,
        encoder: Encoder,
        source_modality: Modality,
        *,
        pool: Pooling = "mean",
        batch_size: int = 32,
        keep_units: bool = True,
        window_s: float | None = None,
        hop_s: float | None = None,
        pad_short: bool = False,
        silence_rms: float = SILENCE_RMS,
        templates: Sequence[str] = ("{}",),
        stage: str = "encode",
    ) -> None:
        super().__init__(encoder, batch_size=batch_size, templates=templates, stage=stage)
        if source_modality not in encoder.modalities:
            raise ConfigError(
                f"{encoder.space.name} understands {', '.join(sorted(encoder.modalities))}, not {source_modality!r}"
            )
        if pool not in POOLINGS:
            raise ConfigError(f"unknown pooling {pool!r}; allowed: {', '.join(POOLINGS)}")
        if window_s is not None and not 0 < (hop_s or window_s) <= window_s:
            raise ConfigError(f"need 0 < hop_s <= window_s, got hop_s {hop_s} and window_s {window_s}")
        self.source_modality = source_modality
        self.pool: Pooling = pool
        self.keep_units = keep_units

        def windows(sound: AudioSamples) -> Units:
            return audio_windows(sound, window_s, hop_s, pad_short=pad_short, silence_rms=silence_rms)

        self._windows: Callable[[AudioSamples], Units] = windows

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        if len(items) != len(clips):
            raise ValueError(f"need one clip per item, got {len(items)} items and {len(clips)} clips")
        split = [self._units(item) for item in items]
        flat = [unit for units, _ in split for unit in units]
        names = [clip.clip_id for clip, (units, _) in zip(clips, split, strict=True) for _ in units]
        rows = iter(self.rows(self.source_modality, flat, names))
        return [self._join([next(rows) for _ in units], times) for units, times in split]

    def encode_query(self, modality: Modality, value: Item) -> Floats | None:
        if modality == "text" and "text" in self.encoder.modalities:
            return self.text_query(value.text if isinstance(value, TimedText) else str(value))
        if modality == "video":
            source: Modality = self.source_modality
            if source == "text" or _part(value, source) is None:
                return None
        elif modality in self.encoder.modalities and modality != "text":
            source = modality
        else:
            return None
        units = [value] if isinstance(value, np.ndarray) else self._units(value, source)[0]
        if not units:
            raise BadQuery(f"nothing to hear in the {modality} query: every window is below {SILENCE_RMS:g} rms")
        return pool(self.query_rows(source, units), self.pool)

    def _units(self, item: Item | None, modality: Modality | None = None) -> Units:
        part = _part(item, modality or self.source_modality)
        if isinstance(part, AudioSamples):
            return self._windows(part)
        if isinstance(part, FrameBatch):
            return list(part.rgb), part.times_s.tolist()
        if isinstance(part, TimedText):
            lines = [line for line in part.lines if line.text.strip()]
            return [line.text.strip() for line in lines], [line.span.middle_s for line in lines]
        return [], []

    def _join(self, rows: list[Floats | Failure], times_s: list[float]) -> Encoded | Failure | None:
        if not rows:
            return None
        for row in rows:
            if isinstance(row, Failure):
                return row
        units = np.stack(rows)  # type: ignore[arg-type]
        vector = pool(units, self.pool)
        if not self.keep_units:
            return Encoded(vector)
        return Encoded(vector, units.astype(np.float16), np.asarray(times_s, dtype=np.float64))


class TextLinesEncoder(PooledEncoder):
    """A `ClipEncoder` for speech, on-screen text and captions: one unit per line of a TimedText."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        pool: Pooling = "mean",
        batch_size: int = 32,
        keep_units: bool = True,
        templates: Sequence[str] = ("{}",),
        stage: str = "encode",
    ) -> None:
        super().__init__(
            encoder, "text", pool=pool, batch_size=batch_size, keep_units=keep_units, templates=templates, stage=stage
        )


class NativeEncoder(_Batched):
    """A `ClipEncoder` for towers that look at a clip as a whole: one vector per AudioVisual, no units."""

    def __init__(
        self, encoder: Encoder, *, batch_size: int = 8, templates: Sequence[str] = ("{}",), stage: str = "encode"
    ) -> None:
        super().__init__(encoder, batch_size=batch_size, templates=templates, stage=stage)
        if "video" not in encoder.modalities:
            raise ConfigError(f"{encoder.space.name} understands {', '.join(sorted(encoder.modalities))}, not 'video'")

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        if len(items) != len(clips):
            raise ValueError(f"need one clip per item, got {len(items)} items and {len(clips)} clips")
        present = [i for i, item in enumerate(items) if item is not None]
        answers: list[Encoded | Failure | None] = [None] * len(items)
        whole = [_whole(items[i]) for i in present]
        for i, row in zip(present, self.rows("video", whole, [clips[i].clip_id for i in present]), strict=True):
            answers[i] = row if isinstance(row, Failure) else Encoded(row)
        return answers

    def encode_query(self, modality: Modality, value: Item) -> Floats | None:
        if modality == "text" and "text" in self.encoder.modalities:
            return self.text_query(value.text if isinstance(value, TimedText) else str(value))
        if modality == "video":
            value = _whole(value)
        elif modality == "image" and "image" not in self.encoder.modalities and isinstance(value, np.ndarray):
            modality, value = "video", AudioVisual(FrameBatch(value[None], np.zeros(1)), None)
        elif modality not in self.encoder.modalities:
            return None
        return self.query_rows(modality, [value])[0]


def _checked(templates: Sequence[str]) -> tuple[str, ...]:
    if not templates or any(template.count("{}") != 1 for template in templates):
        raise ConfigError(f"templates need exactly one {{}} each and at least one of them, got {tuple(templates)}")
    return tuple(templates)


def audio_windows(
    sound: AudioSamples,
    window_s: float | None,
    hop_s: float | None = None,
    *,
    pad_short: bool = False,
    silence_rms: float = SILENCE_RMS,
) -> Units:
    """The windows of a sound that can be heard, and their middles in seconds.

    The last window is moved back to end with the sound, so that all are full. A sound shorter than a window stays as
    it is, or is padded with zeros where pad_short (encoders pad by their own model's rule, so the default is not to).
    """
    total = len(sound.samples)
    size = total if window_s is None else max(1, round(window_s * sound.rate_hz))
    hop = size if hop_s is None else max(1, round(hop_s * sound.rate_hz))
    count = 1 + max(0, math.ceil((total - size) / hop))
    starts = [max(0, min(i * hop, total - size)) for i in range(count)]
    kept = [(start, sound.samples[start : start + size]) for start in starts]
    kept = [(start, part) for start, part in kept if _rms(part) >= silence_rms]
    units: list[Item] = []
    times_s: list[float] = []
    for start, part in kept:
        start_s = sound.start_s + start / sound.rate_hz
        times_s.append(start_s + len(part) / sound.rate_hz / 2)
        whole = np.pad(part, (0, size - len(part))) if pad_short else part
        units.append(AudioSamples(whole, sound.rate_hz, start_s))
    return units, times_s


def _equal(one: Item, other: Item) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and np.array_equal(one[::16], other[::16]) and np.array_equal(one, other)
    return isinstance(one, str) and one == other


def _rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _part(item: Item | None, modality: Modality) -> Item | None:
    """The part of an AudioVisual that a modality needs; other items as they are."""
    if isinstance(item, AudioVisual):
        return item.frames if modality == "image" else item.audio
    return item


def _whole(item: Item | None) -> AudioVisual:
    """A clip's item as an AudioVisual, whatever the source gave."""
    if isinstance(item, FrameBatch):
        return AudioVisual(item, None)
    if isinstance(item, AudioSamples):
        return AudioVisual(None, item)
    if not isinstance(item, AudioVisual):
        raise TypeError(f"a video encoder takes an AudioVisual, got {type(item).__name__}")
    return item
