"""The channels of decoded sound as one, where FFmpeg's own mix would lose what is heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidembed.types import Floats

# The sample formats of FFmpeg, packed or planar.
_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_MOST_PLANES = 8  # AV_NUM_DATA_POINTERS
_SILENT, _HEARD = 0.002, 0.02  # of full scale


def samples_of(frames: Sequence[Any]) -> list[Floats]:
    """The samples of mono frames of floats, as a resampler gives them, without those that are empty."""
    given = (frame for frame in frames if frame is not None and frame.samples)
    return [np.frombuffer(frame.planes[0], np.float32, frame.samples).copy() for frame in given]


def cancels(frame: Any, mixed: Sequence[Floats]) -> bool:
    """Whether left and right are heard, and their mix, as far as it came out, is silent: one is wired upside down."""
    if not mixed or any(part.max() > _SILENT or part.min() < -_SILENT for part in mixed):
        return False
    if frame.layout.nb_channels != 2:
        return False
    left, right = _channels(frame)
    return bool(np.abs(left).max() > _HEARD and np.abs(left + right).max() < _SILENT)


def left_channel(frame: Any) -> Any:
    """The frame as mono, of its first channel. Raises ValueError as `mean_of_channels` does."""
    return _mono(frame, _channels(frame)[0])


def mean_of_channels(frame: Any) -> Any:
    """The frame as mono, for channels whose places are not known.

    Raises:
        ValueError: The planes do not hold what the frame claims. A damaged file can change the channels between two
            frames, and PyAV counts planes until it meets an empty one, which with more than eight is beyond the end.
    """
    return _mono(frame, _channels(frame).mean(axis=0))


def _mono(frame: Any, samples: Floats) -> Any:
    from av import AudioFrame

    mono = AudioFrame.from_ndarray(samples.astype(np.float32)[None, :], format="flt", layout="mono")
    mono.sample_rate, mono.pts, mono.time_base = frame.sample_rate, frame.pts, frame.time_base
    return mono


def _channels(frame: Any) -> Floats:
    """(channels, samples), in -1..1. Raises ValueError as `mean_of_channels` does."""
    samples = np.stack([np.frombuffer(plane, dtype)[: frame.samples * width] for plane, dtype, width in _planes(frame)])
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = (float(info.max) + info.min + 1) / 2
        samples = (samples - middle) / (float(info.max) - middle + 1)
    return samples.astype(np.float32)


def _planes(frame: Any) -> list[tuple[Any, str, int]]:
    """(plane, dtype, values a sample) of each plane that the frame claims to have."""
    channels, planar = frame.layout.nb_channels, frame.format.is_planar
    if planar and channels > _MOST_PLANES:
        raise ValueError(f"{channels} channels of unknown places, at most {_MOST_PLANES} can be mixed")
    kind = frame.format.packed.name
    if kind not in _DTYPES:
        raise ValueError(f"unknown samples {kind!r}")
    dtype, width = _DTYPES[kind], 1 if planar else channels
    planes = frame.planes[: channels if planar else 1]
    needed = frame.samples * width * np.dtype(dtype).itemsize
    if len(planes) < (channels if planar else 1) or any(plane.buffer_size < needed for plane in planes):
        raise ValueError("the frame claims more samples than its planes hold")
    return [(plane, dtype, width) for plane in planes]
