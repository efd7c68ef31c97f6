"""Vector spaces and what a store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidembed.types.media import Clip, Floats

SpaceKind = Literal["dense", "sparse", "late"]


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
