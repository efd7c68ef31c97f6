"""The records that travel between the rooms: frozen, checked when made, printed by shape.

Time is seconds from the first shown video frame (`t = 0`), spans are half-open `[start_s, end_s)`.
Vectors are plain `numpy.float32` arrays with unit rows; there is no wrapper type.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Modality = Literal["text", "image", "audio", "video"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "audio", "video")
Floats: TypeAlias = NDArray[np.float32]
Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB

# Clip ids are UUIDs because Qdrant accepts only UUIDs and integers as point ids.
_CLIP_NAMESPACE = uuid.UUID("6a1bb1f2-31c5-4c28-9d3c-0c7c9a0e5f11")


@dataclass(frozen=True, order=True)
class Span:
    """A half-open stretch of time `[start_s, end_s)`, in seconds, never empty."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise ValueError(f"span bounds must be finite, got {self.start_s}..{self.end_s}")
        if not 0 <= self.start_s < self.end_s:
            raise ValueError(f"span needs 0 <= start_s < end_s, got {self.start_s}..{self.end_s}")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2

    def overlap_s(self, other: Span) -> float:
        """Seconds both spans share; 0 when they do not touch."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Span) -> float:
        """Intersection over union in time, 0..1."""
        shared = self.overlap_s(other)
        return shared / (self.duration_s + other.duration_s - shared)

    def union(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start_s, other.start_s), max(self.end_s, other.end_s))

    def contains(self, time_s: float) -> bool:
        return self.start_s <= time_s < self.end_s

    def __str__(self) -> str:
        return f"{format_time(self.start_s)}-{format_time(self.end_s)}"


def format_time(seconds: float) -> str:
    """`h:mm:ss.mmm` without a leading zero hour; rounded once, in integer milliseconds."""
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, ms = divmod(ms, 1000)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{whole:02d}.{ms:03d}"


@dataclass(frozen=True)
class VideoInfo:
    """What the container's headers say of one file."""

    video_id: str  # 32 hex digits: BLAKE2b of the size and the first and last MiB, so a rename keeps it
    path: Path
    size_bytes: int
    mtime_ns: int
    duration_s: float  # of the longest stream, from the first shown frame
    width_px: int  # as shown, after rotation; 0 = no picture
    height_px: int
    fps: Fraction  # average; for information only, never for finding frames; 0 = no picture
    audio_rate_hz: int | None  # None = no sound track
    audio_channels: int | None
    codec: str = ""  # of the picture, ffmpeg's name

    @property
    def has_video(self) -> bool:
        return self.width_px > 0

    @property
    def has_audio(self) -> bool:
        return self.audio_rate_hz is not None


@dataclass(frozen=True)
class Clip:
    """One stretch of one video; the unit that is embedded, captioned and found."""

    clip_id: str  # UUID5 of the video id and the span in integer milliseconds: same cut, same id
    video_id: str
    index: int  # position in its video, from 0
    span: Span

    @classmethod
    def make(cls, video_id: str, index: int, span: Span) -> Clip:
        start_ms, end_ms = round(span.start_s * 1000), round(span.end_s * 1000)
        return cls(str(uuid.uuid5(_CLIP_NAMESPACE, f"{video_id}:{start_ms}:{end_ms}")), video_id, index, span)


@dataclass(frozen=True, eq=False, repr=False)
class FrameBatch:
    """Decoded frames of one clip. rgb: (T, H, W, 3) uint8; times_s: (T,) float64, strictly rising; T >= 1."""

    rgb: NDArray[np.uint8]
    times_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.rgb.ndim != 4 or self.rgb.shape[3] != 3 or self.rgb.dtype != np.uint8:
            raise ValueError(f"rgb must be (T, H, W, 3) uint8, got {self.rgb.shape} {self.rgb.dtype}")
        if len(self.rgb) < 1 or self.times_s.shape != (len(self.rgb),):
            raise ValueError(f"need one time per frame and at least one, got {self.times_s.shape} for {len(self.rgb)}")
        if not np.all(np.diff(self.times_s) > 0):
            raise ValueError("frame times must rise strictly")

    def __len__(self) -> int:
        return len(self.rgb)

    def take(self, indices: Sequence[int]) -> FrameBatch:
        """The frames at these positions, which must rise."""
        return FrameBatch(self.rgb[list(indices)], self.times_s[list(indices)])

    def __repr__(self) -> str:
        t, h, w, _ = self.rgb.shape
        return f"FrameBatch({t} frames {w}x{h}, {self.times_s[0]:.3f}..{self.times_s[-1]:.3f} s)"


@dataclass(frozen=True, eq=False, repr=False)
class AudioSamples:
    """Mono sound. samples: (N,) float32 in [-1, 1], N >= 1, finite."""

    samples: Floats
    rate_hz: int
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or len(self.samples) < 1 or self.samples.dtype != np.float32:
            raise ValueError(f"samples must be (N,) float32 with N >= 1, got {self.samples.shape} {self.samples.dtype}")
        if self.rate_hz <= 0:
            raise ValueError(f"rate_hz must be positive, got {self.rate_hz}")
        if not np.all(np.isfinite(self.samples)):
            raise ValueError("samples must be finite")

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz

    @property
    def rms(self) -> float:
        """Root mean square level, 0..1; 0 is digital silence."""
        return float(np.sqrt(np.mean(np.square(self.samples, dtype=np.float64))))

    def __repr__(self) -> str:
        return f"AudioSamples({self.duration_s:.3f} s at {self.rate_hz} Hz from {self.start_s:.3f} s)"


@dataclass(frozen=True)
class TextLine:
    """A piece of text with its time: a spoken phrase, a line read on screen, a caption."""

    span: Span
    text: str
    confidence: float | None = None  # 0..1 where the model says so
    words: tuple[tuple[float, float, str], ...] = ()  # (start_s, end_s, word) where word times are known


@dataclass(frozen=True)
class TimedText:
    """The text of one clip in one lane (speech, on-screen text, caption), kept line by line. Never empty."""

    lines: tuple[TextLine, ...]
    language: str | None = None  # ISO 639-1 code where known

    def __post_init__(self) -> None:
        if not any(line.text.strip() for line in self.lines):
            raise ValueError("a TimedText needs at least one line with text; absent text is None")

    @property
    def text(self) -> str:
        return " ".join(line.text.strip() for line in self.lines if line.text.strip())


@dataclass(frozen=True, eq=False)
class AudioVisual:
    """A clip for encoders that take pictures and sound together; either may be absent, not both."""

    frames: FrameBatch | None
    audio: AudioSamples | None

    def __post_init__(self) -> None:
        if self.frames is None and self.audio is None:
            raise ValueError("an AudioVisual item needs frames or audio")


# What encoders eat, by modality: text `str` (or TimedText from a source), image (H, W, 3) uint8,
# audio AudioSamples, video AudioVisual.
Item: TypeAlias = "str | TimedText | Image | FrameBatch | AudioSamples | AudioVisual"


@dataclass(frozen=True)
class Space:
    """A vector space by name. Vectors may be compared only when their spaces are equal.

    kind "dense": (D,) float32 unit vectors, cosine; kind "sparse": weighted words, dim 0, dot product with IDF.
    """

    name: str
    dim: int
    kind: Literal["dense", "sparse"] = "dense"


@dataclass(frozen=True, eq=False)
class SparseVector:
    """Weighted words: indices (K,) uint32 strictly rising, values (K,) float32 > 0; K >= 1."""

    indices: NDArray[np.uint32]
    values: Floats

    def __post_init__(self) -> None:
        if self.indices.shape != self.values.shape or self.indices.ndim != 1 or len(self.indices) < 1:
            raise ValueError(f"need as many values as indices, at least one: {self.indices.shape}, {self.values.shape}")
        if not (np.all(np.diff(self.indices.astype(np.int64)) > 0) and np.all(self.values > 0)):
            raise ValueError("indices must rise strictly and values be positive")


@dataclass(frozen=True, eq=False)
class Row:
    """What a store keeps of one clip in one channel.

    vector: (D,) float32 unit row (dense channel) or SparseVector (sparse channel).
    units: (U, D) float16 unit rows, the vectors the clip vector was pooled from (frames, windows, lines), or None.
    unit_times_s: (U,) float64, the middle of each unit in seconds of the video; None exactly when units is None.
    """

    clip: Clip
    vector: Floats | SparseVector
    units: NDArray[np.float16] | None = None
    unit_times_s: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if (self.units is None) != (self.unit_times_s is None):
            raise ValueError("units and unit_times_s come together")
        if self.units is not None and self.unit_times_s is not None and len(self.units) != len(self.unit_times_s):
            raise ValueError(f"need one time per unit, got {len(self.unit_times_s)} for {len(self.units)}")


@dataclass(frozen=True)
class Filter:
    """What a search is limited to. None = no limit. Conditions are joined by AND.

    paths: shell globs matched against the full path and against the file name ("videos/2024/*", "*.mkv").
    """

    paths: tuple[str, ...] | None = None
    videos: tuple[str, ...] | None = None  # video ids
    min_duration_s: float | None = None  # of the whole video
    max_duration_s: float | None = None
    modified_after: float | None = None  # POSIX seconds
    modified_before: float | None = None
    within: Span | None = None  # only clips that overlap this stretch of their video

    def __post_init__(self) -> None:
        for name in ("paths", "videos"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise TypeError(f"Filter.{name} takes a sequence of strings, got the string {value!r}")
            if value is not None:
                object.__setattr__(self, name, tuple(value))


@dataclass(frozen=True)
class Where:
    """A `Filter` resolved by the catalog into what a store can check by itself. None = no limit."""

    video_ids: frozenset[str] | None = None
    within: Span | None = None
    not_clips: frozenset[str] = frozenset()

    def allows(self, clip: Clip) -> bool:
        """The meaning of the filter, for stores that check in Python and as the oracle for those that do not."""
        if self.video_ids is not None and clip.video_id not in self.video_ids:
            return False
        if self.within is not None and clip.span.overlap_s(self.within) <= 0:
            return False
        return clip.clip_id not in self.not_clips


TermModality = Literal["text", "image", "audio", "video", "clip"]


@dataclass(frozen=True, eq=False)
class Term:
    """One part of a query. weight < 0 means "less like this"; modality "clip" takes a clip_id of the index.

    value: text `str`; image path, PIL image or (H, W, 3) uint8; audio path or AudioSamples;
    video path or AudioVisual; clip `str`.
    """

    modality: TermModality
    value: Any
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Query:
    """What is looked for: terms that add up, so `Query.text("a dog") + Query.image("x.jpg") - Query.text("snow")`."""

    terms: tuple[Term, ...]
    where: Filter | None = None

    @classmethod
    def text(cls, value: str, *, where: Filter | None = None) -> Query:
        return cls((Term("text", value),), where)

    @classmethod
    def image(cls, value: Any, *, where: Filter | None = None) -> Query:
        return cls((Term("image", value),), where)

    @classmethod
    def audio(cls, value: Any, *, where: Filter | None = None) -> Query:
        return cls((Term("audio", value),), where)

    @classmethod
    def video(cls, value: Any, *, where: Filter | None = None) -> Query:
        return cls((Term("video", value),), where)

    @classmethod
    def clip(cls, clip_id: str, *, where: Filter | None = None) -> Query:
        """ "More like this": the stored vectors of a clip of the same index."""
        return cls((Term("clip", clip_id),), where)

    def __mul__(self, weight: float) -> Query:
        return replace(self, terms=tuple(replace(t, weight=t.weight * weight) for t in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Query:
        return self * -1.0

    def __add__(self, other: Query) -> Query:
        return Query(self.terms + other.terms, self.where if other.where is None else other.where)

    def __sub__(self, other: Query) -> Query:
        return self + -other


@dataclass(frozen=True)
class Hit:
    """One clip in one channel's ranking. score: cosine in -1..1 (dense) or BM25 > 0 (sparse); rank from 1."""

    clip_id: str
    channel: str
    score: float
    rank: int


@dataclass(frozen=True)
class Moment:
    """One answer: a span of a video, with the evidence for it."""

    video_id: str
    path: Path
    span: Span
    best_s: float  # time of the best frame, inside the span
    score: float  # fused over channels; no unit, comparable within one answer list only
    confidence: float  # calibrated, 0..1; below `search.min_confidence` = "no good match"
    clip_id: str  # the clip the moment was found from
    hits: tuple[Hit, ...] = ()  # best hit per channel, the evidence shown to people
    caption: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)  # lane -> the words that matched (speech, ocr)


@dataclass(frozen=True)
class Candidate:
    """One proposed caption with what each channel thinks of it."""

    text: str
    scores: Mapping[str, float]  # channel -> cosine with the clip
    origin: str = ""  # "beam 1", "sample 3", "bank"


@dataclass(frozen=True)
class Caption:
    """The chosen text of one clip; the candidates stay, so that the choice can be explained and redone."""

    clip: Clip
    text: str
    score: float  # calibrated, 0..1
    candidates: tuple[Candidate, ...]
    model: str
    confident: bool = True
    human: bool = False  # written or edited by a person; never overwritten by a model


@dataclass(frozen=True)
class Failure:
    """One item that could not be done. item: path or clip id; stage: "probe", "decode", "encode:vision"..."""

    item: str
    stage: str
    kind: str  # class name of the error
    message: str
    hint: str = ""


@dataclass(frozen=True)
class RunReport:
    """How a run over many items ended; found == done + unchanged + failed."""

    done: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    clips: int = 0
    seconds_of_video: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)  # frames decoded, kept, skipped, corrupt, ...

    @property
    def found(self) -> int:
        return len(self.done) + len(self.unchanged) + len({f.item for f in self.failed} - set(self.done))

    def __str__(self) -> str:
        return f"{len(self.done)} done, {len(self.unchanged)} unchanged, {len(self.failed)} failed"
