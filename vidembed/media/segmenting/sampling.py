"""Leave out frames that look like the one kept before them, so that a static hour costs little."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SampleSettings
from vidembed.protocols import Frame
from vidembed.types import FrameBatch, Image
from vidembed.vectors import evenly_spaced

# Distance is the largest difference over a 16 x 16 grid of mean grey levels, on a scale of 0..1. Sensor and coding
# noise, averaged over a cell, stays below about 0.02; a person walking through one cell of a wide shot moves that
# cell by 0.05 and more. The mean over the grid would miss the person. So the default is 0.03.
_GRID = 16


def thumbprint(rgb: Image) -> NDArray[np.float32]:
    """(16, 16) float32 mean grey levels, 0..1, of a (H, W, 3) uint8 picture. Luma weights: ITU-R BT.601."""
    height, width = rgb.shape[:2]
    # About four samples a cell and axis are enough, and make the cost the same for every size.
    sampled = rgb[:: max(1, height // (4 * _GRID)), :: max(1, width // (4 * _GRID))].astype(np.float32)
    grey = sampled @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255.0
    return _cells(_cells(grey, 0), 1)


def _cells(grey: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Means over `_GRID` cells along one axis; pictures smaller than the grid repeat their pixels."""
    size = grey.shape[axis]
    if size < _GRID:
        return np.take(grey, np.arange(_GRID) * size // _GRID, axis=axis)
    edges = np.arange(_GRID) * size // _GRID
    counts = np.diff(np.append(edges, size)).astype(np.float32)
    sums = np.add.reduceat(grey, edges, axis=axis)
    return (sums / (counts[:, None] if axis == 0 else counts)).astype(np.float32)


def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How different two thumbprints are, 0..1."""
    return float(np.abs(one - other).max())


def distinct(frames: Iterable[Frame], settings: SampleSettings) -> Iterator[Frame]:
    """All frames, in order; those that look like the last one not marked are marked `repeats=True`.

    Nothing is dropped here: who cuts clips keeps the first frame of each clip even when it repeats (see `kept`), so
    that a clip is never without a picture. In mode "fixed" nothing more is marked.
    """
    if settings.mode == "fixed":
        yield from frames
        return
    reference: NDArray[np.float32] | None = None
    for frame in frames:
        if frame.repeats:
            yield frame
            continue
        print_ = thumbprint(frame.rgb)
        if reference is not None and distance(print_, reference) <= settings.distinct:
            yield replace(frame, repeats=True)
        else:
            reference = print_
            yield frame


def distinct_frames(clip: list[Frame], most: int) -> FrameBatch | None:
    """The frames of one clip worth encoding, at most so many, evenly spaced. None for a clip without frames."""
    places = kept(clip)
    if not places:
        return None
    if len(places) > most:
        places = [places[n] for n in evenly_spaced(len(places), most)]
    times_s = np.array([clip[place].time_s for place in places], dtype=np.float64)
    borders_s = np.array([_border_s(clip, *pair) for pair in pairwise(places)], dtype=np.float64)
    return FrameBatch(np.stack([clip[place].rgb for place in places]), times_s, borders_s)


def kept(clip: list[Frame]) -> list[int]:
    """Places of the frames of one clip worth encoding: its first, and those that do not repeat."""
    return [place for place, frame in enumerate(clip) if place == 0 or not frame.repeats]


def _border_s(clip: list[Frame], place: int, following: int) -> float:
    """When one picture gives way to another: where it stood until then, when the other is first seen; else half-way."""
    between = clip[place + 1 : following]
    if between and all(frame.repeats for frame in between):
        return clip[following].time_s
    return (clip[place].time_s + clip[following].time_s) / 2
