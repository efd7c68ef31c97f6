"""Clip encoders made from item encoders: split clips into segments, encode these together, pool those of each clip."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from vidembed.batching import encode_all, is_out_of_memory
from vidembed.errors import BadQuery, ConfigError
from vidembed.models.encoders.segments import AudioWindows, Segments, segments_of
from vidembed.protocols import Encoded, Encoder
from vidembed.types import AudioSamples, AudioVisual, Clip, Failure, Floats, FrameBatch, Item, Modality, TimedText
from vidembed.vectors import POOLINGS, Pooling, check, pool

CACHED_ROWS = 4096  # some minutes of frames, a few megabytes


class _BatchedEncoder:
    """Runs an encoder over any number of items; remembers the batch size that fits into memory."""

    def __init__(self, encoder: Encoder, *, batch_size: int, templates: Sequence[str], stage: str) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        self.encoder = encoder
        self.space = encoder.space
        self.batch_size = batch_size
        self.templates = _checked(templates)
        self.stage = stage

    @property
    def text_key(self) -> tuple[object, ...]:
        """Clip encoders with equal keys give a text the same query vector: the same towers and prompts."""
        return self.encoder, self.templates

    def with_templates(self, templates: Sequence[str]) -> Self:
        """The same encoder with other prompt templates for text queries; clips come out as before."""
        other = copy.copy(self)
        other.templates = _checked(templates)
        return other

    def rows(self, modality: Modality, items: Sequence[Item], names: Sequence[str]) -> list[Floats | Failure]:
        """One (D,) row or Failure per item; a batch that does not fit into memory makes the later ones smaller.

        Neighbours that are equal to the last bit, as frames of slides and screens are, are encoded once.
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
        """(N, D) rows of a query's parts. Raises what the encoder raises: a query has no failure record."""
        parts = [
            self.encoder.encode(modality, items[i : i + self.batch_size]) for i in range(0, len(items), self.batch_size)
        ]
        return check(np.concatenate(parts), n=len(items), dim=self.space.dim, who=type(self.encoder).__name__)

    def text_query(self, value: Item) -> Floats | None:
        """(D,) mean, at length 1, of the text in every prompt template (Radford et al. 2021, section 3.1.4).

        None where the encoder reads no text. Raises BadQuery for an empty one.
        """
        if "text" not in self.encoder.modalities:
            return None
        text = value.text if isinstance(value, TimedText) else str(value)
        if not text.strip():
            raise BadQuery("the query text is empty", hint="give at least one word")
        return pool(self.query_rows("text", [template.format(text.strip()) for template in self.templates]))

    def encode_queries(self, modality: Modality, values: Sequence[str]) -> Floats | None:
        """(N, D) query vectors of texts, encoded in batches: row i is `encode_query` of text i. None where not text.

        An encoder may keep the rows of some texts (`StarterEncoder.kept_rows`).
        """
        if modality != "text" or "text" not in self.encoder.modalities:
            return None
        filled = [template.format(value.strip()) for value in values for template in self.templates]
        kept = self.encoder.kept_rows(filled) if hasattr(self.encoder, "kept_rows") else None
        rows = self.query_rows("text", filled) if kept is None else kept
        rows = rows.reshape(len(values), len(self.templates), -1)
        return np.stack([pool(parts) for parts in rows])


class PooledEncoder(_BatchedEncoder):
    """A `ClipEncoder` from an encoder of single frames, sounds or lines of text.

    A clip without segments, such as one whose sound is silent, has no vector.
    """

    def __init__(
        self,
        encoder: Encoder,
        source_modality: Modality,
        *,
        pool: Pooling = "mean",
        batch_size: int = 32,
        keep_segments: bool = True,
        windows: AudioWindows | None = None,
        templates: Sequence[str] = ("{}",),
        documents: str = "{}",
        stage: str = "encode",
    ) -> None:
        """Check that the encoder takes what the channel's source gives.

        Args:
            encoder: Of single items.
            source_modality: What the source gives: "image" (FrameBatch), "audio" (AudioSamples) or "text"
                (TimedText); of an AudioVisual the part that fits is taken.
            pool: See `vectors.pool`.
            batch_size: Segments encoded at once, at most.
            keep_segments: Keep the segment embeddings, as float16 with their times.
            windows: How sounds are cut; None: one window a sound.
            templates: Prompts for text queries; their vectors are averaged.
            documents: Prompt for the lines of a clip's text.
            stage: Named in failure records.

        Raises:
            ConfigError: For a modality, pooling, batch size or template that does not fit.
        """
        super().__init__(encoder, batch_size=batch_size, templates=templates, stage=stage)
        if source_modality not in encoder.modalities:
            raise ConfigError(
                f"{encoder.space.name} understands {', '.join(sorted(encoder.modalities))}, not {source_modality!r}"
            )
        if pool not in POOLINGS:
            raise ConfigError(f"unknown pooling {pool!r}; allowed: {', '.join(POOLINGS)}")
        self.source_modality = source_modality
        self.pool: Pooling = pool
        self.keep_segments = keep_segments
        self.documents = _checked([documents])[0]
        self.windows = windows or AudioWindows()

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        """As `ClipEncoder.encode_clips`: the segments of all clips go through the encoder together."""
        _check_paired(items, clips)
        split = [self._segments(item, self.source_modality) for item in items]
        flat = [segment for segments, *_ in split for segment in segments]
        names = [clip.clip_id for clip, (segments, *_) in zip(clips, split, strict=True) for _ in segments]
        rows = iter(self.rows(self.source_modality, flat, names))
        return [
            self._pooled([next(rows) for _ in segments], times_s, np.clip(spans_s, clip.span.start_s, clip.span.end_s))
            for clip, (segments, times_s, spans_s) in zip(clips, split, strict=True)
        ]

    def encode_query(self, modality: Modality, value: Item) -> Floats | None:
        """As `ClipEncoder.encode_query`. Raises BadQuery for an empty text or a silent sound."""
        if modality == "text":
            return self.text_query(value)
        if modality == "video":
            source: Modality = self.source_modality
            if source == "text" or _part(value, source) is None:
                return None
        elif modality in self.encoder.modalities:
            source = modality
        else:
            return None
        segments = [value] if isinstance(value, np.ndarray) else self._segments(value, source)[0]
        if not segments:
            raise BadQuery(
                f"the sound of the {modality} query is silent: every window is below {self.windows.silence_rms:g} rms"
            )
        return pool(self.query_rows(source, segments), self.pool)

    def _segments(self, item: Item | None, modality: Modality) -> Segments:
        return segments_of(_part(item, modality), self.windows, self.documents)

    def _pooled(
        self, rows: list[Floats | Failure], times_s: list[float], spans_s: NDArray[np.float64]
    ) -> Encoded | Failure | None:
        if not rows:
            return None
        for row in rows:
            if isinstance(row, Failure):
                return row
        segments = np.stack(rows)  # type: ignore[arg-type]
        vector = pool(segments, self.pool)
        if not self.keep_segments:
            return Encoded(vector)
        return Encoded(vector, segments.astype(np.float16), np.asarray(times_s, dtype=np.float64), spans_s)


class WholeClipEncoder(_BatchedEncoder):
    """A `ClipEncoder` for encoders that take a clip as a whole: one vector per AudioVisual, no segment embeddings."""

    def __init__(
        self, encoder: Encoder, *, batch_size: int = 8, templates: Sequence[str] = ("{}",), stage: str = "encode"
    ) -> None:
        super().__init__(encoder, batch_size=batch_size, templates=templates, stage=stage)
        if "video" not in encoder.modalities:
            raise ConfigError(f"{encoder.space.name} understands {', '.join(sorted(encoder.modalities))}, not 'video'")

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        """As `ClipEncoder.encode_clips`."""
        _check_paired(items, clips)
        present = [i for i, item in enumerate(items) if item is not None]
        answers: list[Encoded | Failure | None] = [None] * len(items)
        whole = [_whole(items[i]) for i in present]
        for i, row in zip(present, self.rows("video", whole, [clips[i].clip_id for i in present]), strict=True):
            answers[i] = row if isinstance(row, Failure) else Encoded(row)
        return answers

    def encode_query(self, modality: Modality, value: Item) -> Floats | None:
        """As `ClipEncoder.encode_query`; a picture is taken as a clip of one frame where the encoder needs clips."""
        if modality == "text":
            return self.text_query(value)
        if modality == "video":
            value = _whole(value)
        elif modality == "image" and "image" not in self.encoder.modalities and isinstance(value, np.ndarray):
            modality, value = "video", AudioVisual(FrameBatch(value[None], np.zeros(1)), None)
        elif modality not in self.encoder.modalities:
            return None
        return self.query_rows(modality, [value])[0]


class CachingEncoder:
    """An `Encoder` that keeps the rows of the latest pictures and encodes none twice. Thread-safe.

    For those who need the vectors of frames before the clips are encoded, such as a segmenter. Everything but
    pictures goes straight to the encoder.
    """

    def __init__(self, encoder: Encoder, *, size: int = CACHED_ROWS) -> None:
        """size: rows kept, at most."""
        self.space, self.modalities = encoder.space, encoder.modalities
        self._encoder = encoder
        self._rows: LRUCache[bytes, Floats] = LRUCache(size)
        self._lock = threading.Lock()

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """As `Encoder.encode`."""
        if modality != "image" or not len(items):
            return self._encoder.encode(modality, items)
        keys = [_pixel_hash(item) for item in items]
        with self._lock:
            known = {key: self._rows[key] for key in keys if key in self._rows}
        new = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
        if new:
            known |= zip(new, self._encoder.encode("image", list(new.values())), strict=True)
        with self._lock:
            self._rows.update((key, known[key]) for key in keys)
        return np.stack([known[key] for key in keys])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)


def _pixel_hash(item: Item) -> bytes:
    pixels = np.ascontiguousarray(item)
    return hashlib.blake2b(pixels.data, digest_size=16, key=str(pixels.shape).encode()).digest()


def _check_paired(items: Sequence[Item | None], clips: Sequence[Clip]) -> None:
    if len(items) != len(clips):
        raise ValueError(f"need one clip per item, got {len(items)} items and {len(clips)} clips")


def _checked(templates: Sequence[str]) -> tuple[str, ...]:
    if not templates or any(template.count("{}") != 1 for template in templates):
        raise ConfigError(f"templates need exactly one {{}} each and at least one of them, got {tuple(templates)}")
    return tuple(templates)


def _equal(one: Item, other: Item) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and np.array_equal(one[::16], other[::16]) and np.array_equal(one, other)
    return isinstance(one, str) and one == other


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
