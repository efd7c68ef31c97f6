"""The interfaces between the rooms. Each has one contract suite in tests/contracts, run over every implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidembed.types import (
    AudioSamples,
    Clip,
    Failure,
    Floats,
    FrameBatch,
    Image,
    Item,
    Modality,
    Row,
    Space,
    Span,
    SparseVector,
    SubtitleTrack,
    VideoInfo,
    Where,
)

StreamMode = Literal["fixed", "adaptive", "keyframes"]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded frame of a forward pass.

    rgb: (H, W, 3) uint8; repeats: it looks like the frame kept before it; cut_s: when the shot began that it is the
    first frame of, at most its own time (None: it is of the same shot as the frame before, or nobody looked).
    """

    time_s: float
    rgb: Image
    repeats: bool = False
    cut_s: float | None = None


@runtime_checkable
class VideoReader(Protocol):
    """One opened video. Not thread-safe; `close()` frees its memory at once. A context manager."""

    info: VideoInfo
    backend: str  # "pyav", "decord": recorded in the catalog

    @property
    def counts(self) -> Mapping[str, int]:
        """What happened so far.

        Frames decoded, skipped (read, but not asked for), corrupt (not decodable) and missing (listed in the header,
        but the file ends before), audio_corrupt (packets of sound not decodable), seeks.
        """
        ...

    def frames(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        """The frame shown at each time (the last one with pts <= time; the first one before that), doubles dropped.

        times_s rise. Scaled in the decoder so that the short side is at most short_side_px; never enlarged.
        Raises NoSuchStream without a picture, MediaUnreadable when nothing can be decoded there.
        """
        ...

    def stream(
        self,
        *,
        rate_hz: float,
        short_side_px: int,
        span: Span | None = None,
        mode: StreamMode = "fixed",
        cuts: bool = False,
    ) -> Iterator[Frame]:
        """One frame of every 1 / rate_hz seconds in one forward pass, each at its own timestamp; none twice.

        mode "fixed": the first frame of each interval; "adaptive": its first keyframe where it has one, else its first
        frame, which decodes less; "keyframes": keyframes only, which may leave intervals out. The intervals count from
        t = 0, so a span gives the frames the whole video has there (where none begins inside it, the one on show).
        cuts: look for shots too (`Frame.cut_s`); each that has no frame so gets one more, its first.
        Memory does not grow with the length. Corrupt frames are counted and skipped. NoSuchStream without a picture;
        MediaUnreadable when not one picture of the whole video can be decoded.
        """
        ...

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        """Mono sound of the span, on the video's clock; zeros where the track has a gap inside the span.

        Raises NoSuchStream when there is no sound track or it has no sample in the span.
        """
        ...

    def subtitles(self, *, pictures: bool = False) -> list[SubtitleTrack]:
        """The subtitles that come with the video: files beside it, then text tracks inside, on the video's clock.

        pictures: the tracks of pictures inside instead (PGS, DVB, VobSub), whose words are not read yet.
        A file that cannot be read is left out with a warning. Raises MediaUnreadable.
        """
        ...

    def close(self) -> None:
        """Free memory and the file; calling it twice is no error."""
        ...

    def __enter__(self) -> VideoReader: ...

    def __exit__(self, *exc: object) -> None: ...


class Segmenter(Protocol):
    """Cuts a video into clips while its frames stream by."""

    def clips(self, frames: Iterable[Frame], *, duration_s: float) -> Iterator[tuple[Span, list[Frame]]]:
        """Spans in order, covering [0, duration_s) or windows over it, none empty, each with its frames.

        `frames` may be empty (no picture): the spans then come from the duration alone.
        Holds the frames of one clip at a time only (overlapping windows: of one window and its overlap).
        """
        ...


@dataclass(frozen=True, eq=False)
class ClipMedia:
    """What a source may look at for one clip.

    Attributes:
        clip: The clip.
        info: Of its video.
        frames: Already decoded, distinct ones; None when no channel asked.
        video: The opened video. Its pictures may be streaming by: see `pictures`.
        again: `VideoReader.frames` of the video opened once more; None where `video` is free.
    """

    clip: Clip
    info: VideoInfo
    frames: FrameBatch | None
    video: VideoReader
    again: Callable[..., FrameBatch] | None = None

    def pictures(self, times_s: Sequence[float], *, short_side_px: int) -> FrameBatch:
        """As `VideoReader.frames`, whatever else is being read."""
        return (self.again or self.video.frames)(times_s, short_side_px=short_side_px)


class Source(Protocol):
    """What of a clip is encoded: its frames, sound, both, speech, on-screen text, caption."""

    modality: Modality
    needs_frames: bool  # False: adding this channel to an index decodes no picture
    short_side_px: int  # of the frames it wants; 0 when it needs none

    def item(self, media: ClipMedia) -> Item | None:
        """The clip's item, or None where there is nothing (no sound track, silence, nobody speaks).

        modality "image": FrameBatch; "audio": AudioSamples; "video": AudioVisual; "text": TimedText.
        """
        ...


class Encoder(Protocol):
    """Turns items into unit vectors of one space."""

    space: Space
    modalities: frozenset[Modality]

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """(N, D) float32 unit rows; row i belongs to item i; N = 0 gives (0, D).

        Items: text str, image (H, W, 3) uint8, audio AudioSamples, video AudioVisual.
        Raises EncodingError; a modality it does not understand is a ValueError.
        """
        ...


class WordEncoder(Protocol):
    """Turns text into weighted words for exact matches (BM25); the store multiplies by the words' rarity (IDF)."""

    space: Space  # kind "sparse"

    def encode_documents(self, texts: Sequence[str]) -> list[SparseVector | None]:
        """One vector per text; None when no word is left (only stop words or punctuation)."""
        ...

    def encode_query(self, text: str) -> SparseVector | None:
        """The vector of a query; None when no word is left."""
        ...


class Captioner(Protocol):
    """Proposes texts for clips; choosing among them is done elsewhere, by embeddings."""

    name: str

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """Up to n different, non-empty texts for each clip, the captioner's own favourite first."""
        ...


class Store(Protocol):
    """Keeps the vectors. A collection holds one channel as one model made it; an alias names the one in use.

    Collections are named "vision.1f3a9c02" (channel, dot, fingerprint of what made it) and aliases "vision".
    `put`, `search`, `rows`, `count` take either. Write order is the caller's: vectors first, catalog after.
    """

    def create(self, collection: str, space: Space) -> None:
        """Make it if absent. Raises IndexMismatch when it exists with another size or kind."""
        ...

    def put(self, collection: str, rows: Sequence[Row]) -> None:
        """Add or replace by clip_id. Zero, non-finite or wrong-sized vectors raise EncodingError, nothing written."""
        ...

    def load(self, collection: str, rows: Iterable[Row], *, processes: int = 1) -> None:
        """`put` for very many rows, read as they are written; searches may be slow until it is done.

        processes: That send to a server at once; more than one needs a main module that can be imported.
        """
        ...

    def search(
        self, collection: str, vector: Floats | SparseVector, *, k: int, where: Where | None = None
    ) -> list[tuple[str, float]]:
        """(clip_id, score) of the k best by score down, then clip_id. Dense: cosine. Sparse: dot product with IDF.

        Unknown collection: StoreError. Fewer than k clips: all of them. Sparse: only clips that share a word.
        """
        ...

    def rows(self, collection: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        """The stored rows of these clips; ids that are not there are left out."""
        ...

    def scan(self, collection: str, *, segments: bool = False, batch: int = 1000) -> Iterator[list[Row]]:
        """All rows, by clip_id, in batches: for moving, maps and background levels."""
        ...

    def delete(self, video_id: str, *, collection: str | None = None) -> None:
        """Remove the video's rows from one collection, or from all. Removing what is not there is no error."""
        ...

    def count(self, collection: str) -> int:
        """Clips in it; 0 when it does not exist."""
        ...

    def collections(self) -> dict[str, Space]:
        """Name -> space of each collection."""
        ...

    def aliases(self) -> dict[str, str]:
        """Alias -> collection."""
        ...

    def set_alias(self, alias: str, collection: str) -> None:
        """Point the alias at the collection, in one step."""
        ...

    def drop(self, collection: str) -> None:
        """Remove a collection with its rows; removing what is not there is no error."""
        ...

    def optimize(self) -> None:
        """Build what makes searches fast; called after a run, may do nothing."""
        ...

    def flush(self) -> None:
        """Return only when all that was put survives a power loss."""
        ...

    def close(self) -> None:
        """Write what is pending and free the folder or the connection."""
        ...


class Executor(Protocol):
    """Where the work on many items runs: in this process, on threads, on a cluster."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """Each item with its result or its Failure, in the order of completion; takes items only as room is free."""
        ...


@dataclass(frozen=True, eq=False)
class Encoded:
    """One clip's vectors in one channel, as a `ClipEncoder` makes them. Fields as in `types.Row`."""

    vector: Floats | SparseVector
    segments: NDArray[np.float16] | None = None
    segment_times_s: NDArray[np.float64] | None = None
    segment_spans_s: NDArray[np.float64] | None = None

    def row(self, clip: Clip) -> Row:
        """What a store keeps of the clip."""
        return Row(clip, self.vector, self.segments, self.segment_times_s, self.segment_spans_s)


class ClipEncoder(Protocol):
    """Encodes whole clips: splits an item into segments (frames, windows, lines), encodes them together, pools."""

    space: Space

    def encode_clips(self, items: Sequence[Item | None], clips: Sequence[Clip]) -> list[Encoded | Failure | None]:
        """One answer per item: vectors, None where the item is None or empty, or the Failure of that item alone."""
        ...

    def encode_query(self, modality: Modality, value: Item) -> Floats | SparseVector | None:
        """The vector of a query term, or None when this channel does not understand the modality."""
        ...


@dataclass(frozen=True, eq=False)
class Channel:
    """A channel of the index: a name, what of a clip it looks at, and what turns that into vectors."""

    name: str
    source: Source
    encoder: ClipEncoder
    fingerprint: str  # 8 hex digits of model, revision and settings: names the collection

    @property
    def collection(self) -> str:
        """The name of the collection that holds its vectors."""
        return collection_name(self.name, self.fingerprint)


def collection_name(channel: str, fingerprint: str) -> str:
    """Of the vectors of a channel as one model made them."""
    return f"{channel}.{fingerprint}"
