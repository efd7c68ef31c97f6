"""Shot changes from the frames that stream by.

Change between neighbouring frames = the mean difference of hue, saturation and brightness on a small grid, plus a
difference of colour histograms that forgives motion. A cut is a frame whose change is both large in itself and
several times the changes around it, so that shaky or fast footage does not fall apart into shots; the method of
PySceneDetect's AdaptiveDetector (scenedetect.com/docs), with the neighbourhood's median in place of its mean, because
at one frame a second two cuts can be neighbours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vidembed.protocols import Frame
from vidembed.types import Image

_SIDE = 2  # frames looked at on each side
_LEAST_CHANGE = 0.36  # of 0..1: below this nothing is a cut, however quiet the surroundings
_SURE_CHANGE = 0.60  # above this everything is
_TIMES_USUAL = 3.0  # in between, what is so many times the changes around it
_BINS = 8
_GRID = 24


class ShotDetector:
    """Marks the first frame of each new shot, a few frames late (it looks at what follows)."""

    def mark(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        """(frame, whether a shot begins with it), in order. Holds 2 x 2 + 1 frames."""
        before: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        window: deque[tuple[Frame, float]] = deque(maxlen=2 * _SIDE + 1)
        ahead = 0  # entries of the window not handed out yet
        for frame in frames:
            look = appearance(frame.rgb)
            window.append((frame, 0.0 if before is None else change(before, look)))
            before = look
            ahead += 1
            if ahead > _SIDE:
                yield self._judge(window, len(window) - ahead)
                ahead -= 1
        while ahead:
            yield self._judge(window, len(window) - ahead)
            ahead -= 1

    def _judge(self, window: deque[tuple[Frame, float]], position: int) -> tuple[Frame, bool]:
        frame, here = window[position]
        around = [value for n, (_, value) in enumerate(window) if n != position and abs(n - position) <= _SIDE]
        usual = float(np.median(around)) if around else 0.0
        return frame, here >= _SURE_CHANGE or (here >= _LEAST_CHANGE and here >= _TIMES_USUAL * usual)


def appearance(rgb: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What cuts are judged by: a (24, 24, 3) grid of colours, 0..1, and an (8, 8, 8) histogram that adds up to 1."""
    height, width = rgb.shape[:2]
    small = rgb[:: max(1, height // 96), :: max(1, width // 96)]
    rows = np.arange(_GRID) * small.shape[0] // _GRID
    columns = np.arange(_GRID) * small.shape[1] // _GRID
    grid = small[np.ix_(rows, columns)].astype(np.float32) / 255.0
    bins = (small >> 5).astype(np.int32).reshape(-1, 3)
    flat = (bins[:, 0] * _BINS + bins[:, 1]) * _BINS + bins[:, 2]
    histogram = np.bincount(flat, minlength=_BINS**3).astype(np.float32)
    return grid, (histogram / len(flat)).astype(np.float32)


def change(
    one: tuple[NDArray[np.float32], NDArray[np.float32]], other: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> float:
    """How much two appearances differ, 0..1: geometric mean of the grids' and the histograms' differences.

    A moving camera changes the grid and keeps the histogram, a lamp changes the histogram and keeps the edges; only a
    cut changes both. Grids: mean difference times 3 (two unrelated pictures differ by a third), at most 1. Histograms:
    Hellinger distance, which is soft on neighbouring bins.
    """
    grids = min(1.0, 3.0 * float(np.abs(one[0] - other[0]).mean()))
    overlap = float(np.sqrt(one[1] * other[1]).sum())
    return float(np.sqrt(grids * np.sqrt(max(0.0, 1.0 - overlap))))
