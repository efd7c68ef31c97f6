"""Videos, clips, what is decoded of them, and the vectors that a store keeps of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidembed.types.time import Span

Modality = Literal["text", "image", "audio", "video"]
SpaceKind = Literal["dense", "sparse", "late"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "audio", "video")
Floats: TypeAlias = NDArray[np.float32]
Image: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB

# Clip ids are UUIDs because Qdrant accepts only UUIDs and integers as point ids.
_CLIP_NAMESPACE = uuid.UUID("6a1bb1f2-31c5-4c28-9d3c-0c7c9a0e5f11")


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
        """Whether there is a picture; False for files of sound alone."""
        return self.width_px > 0

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound track."""
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
        """The clip of a video at a span, with its stable id.

        Args:
            video_id: The video, 32 hex digits.
            index: Position in the video, from 0.
            span: In seconds; the id depends on it in whole milliseconds.
        """
        start_ms, end_ms = round(span.start_s * 1000), round(span.end_s * 1000)
        return cls(str(uuid.uuid5(_CLIP_NAMESPACE, f"{video_id}:{start_ms}:{end_ms}")), video_id, index, span)


@dataclass(frozen=True, eq=False, repr=False)
class FrameBatch:
    """Decoded frames of one clip, T >= 1.

    rgb: (T, H, W, 3) uint8. times_s: (T,) float64, strictly rising. borders_s: (T - 1,) float64, when each frame gives
    way to the next; half-way where not given.
    """

    rgb: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    borders_s: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.rgb.ndim != 4 or self.rgb.shape[3] != 3 or self.rgb.dtype != np.uint8:
            raise ValueError(f"rgb must be (T, H, W, 3) uint8, got {self.rgb.shape} {self.rgb.dtype}")
        if len(self.rgb) < 1 or self.times_s.shape != (len(self.rgb),):
            raise ValueError(f"need one time per frame and at least one, got {self.times_s.shape} for {len(self.rgb)}")
        if not np.all(np.diff(self.times_s) > 0):
            raise ValueError("frame times must rise strictly")
        if self.borders_s is not None and self.borders_s.shape != (len(self.rgb) - 1,):
            raise ValueError(f"need one border between any two frames, got {self.borders_s.shape} for {len(self.rgb)}")

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
        """Length in seconds."""
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
    speaker: int | None = None  # from 1 in order of appearance, where speakers are told apart


def script_name(script: str) -> str:
    """For people: "Cyrillic script"."""
    return "another script" if script == "other" else f"{script.capitalize()} script"


@dataclass(frozen=True)
class UnreadLine:
    """A line on screen in a script that no recogniser in use reads. script: such as "cyrillic", or "other"."""

    span: Span
    script: str

    def __str__(self) -> str:
        return f"text in {script_name(self.script)}, not read"


@dataclass(frozen=True)
class TimedText:
    """The text of one clip in one channel (speech, on-screen text, caption), kept line by line. Never empty."""

    lines: tuple[TextLine, ...]
    language: str | None = None  # ISO 639-1 code where known
    origin: str = ""  # the subtitles it was taken from; "" = recognised
    unread: tuple[UnreadLine, ...] = ()  # on screen, in scripts that are not read

    def __post_init__(self) -> None:
        if not self.unread and not any(line.text.strip() for line in self.lines):
            raise ValueError("a TimedText needs at least one line with text; absent text is None")

    @property
    def text(self) -> str:
        """All lines in one, joined by spaces."""
        return " ".join(line.text.strip() for line in self.lines if line.text.strip())


SubtitleKind: TypeAlias = Literal["full", "sdh", "forced"]


@dataclass(frozen=True)
class SubtitleTrack:
    """Subtitles that come with a video, in order of time.

    Attributes:
        lines: The cues, without markup.
        origin: Where they come from, for people: "talk.en.srt", "subtitle track 1 (subrip)".
        language: ISO 639-1 code where known.
        kind: "full"; "sdh" names sounds and speakers too; "forced" holds only what is foreign in the video.
        default: The file says to show this one.
        broken: Cues whose end is not after their start; they are in `lines`, with the shortest length.
        pictures: PNG of each line where the track is one of pictures; its lines are then without text.
    """

    lines: tuple[TextLine, ...]
    origin: str
    language: str | None = None
    kind: SubtitleKind = "full"
    default: bool = False
    broken: int = 0
    pictures: tuple[bytes, ...] = ()


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
    kind "late": as dense, and a query of (T, D) unit rows is compared with a clip's segments: the mean over its rows of
    their best cosine (late interaction, MaxSim).
    """

    name: str
    dim: int
    kind: SpaceKind = "dense"


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
    segments: (U, D) float16 unit rows, the vectors the clip vector was pooled from (frames, windows, lines), or None.
    segment_times_s: (U,) float64, the time of a frame, the middle of a window or line; None when segments is.
    segment_spans_s: (U, 2) float64, what each segment stands for, from when to when; None: half-way to its neighbours.
    """

    clip: Clip
    vector: Floats | SparseVector
    segments: NDArray[np.float16] | None = None
    segment_times_s: NDArray[np.float64] | None = None
    segment_spans_s: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if (self.segments is None) != (self.segment_times_s is None):
            raise ValueError("segments and segment_times_s come together")
        if (
            self.segments is not None
            and self.segment_times_s is not None
            and len(self.segments) != len(self.segment_times_s)
        ):
            raise ValueError(f"need one time per segment, got {len(self.segment_times_s)} for {len(self.segments)}")
        if self.segment_spans_s is not None and (
            self.segments is None or self.segment_spans_s.shape != (len(self.segments), 2)
        ):
            raise ValueError(f"need one start and end per segment, got {self.segment_spans_s.shape}")
