"""Cut where what the frames show changes, by their embeddings and not by their colours.

The stretches are those with the least sum of squared distances of their frames' vectors to the stretch's mean, plus
`change` a cut: kernel temporal segmentation with a linear kernel (Potapov et al. 2014, "Category-specific video
summarization", section 3.2), solved by optimal partitioning (Jackson et al. 2005). Lengths are bounded, so that a
horizon of a few times the greatest is enough to settle the next cut, and a film of any length is cut as it streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import SegmentSettings
from vidembed.media.segmenting.segment import MAX_CLIP_FRAMES, Clips, before_pictures, begins_late, even_pieces
from vidembed.protocols import Frame
from vidembed.types import Floats, Image

FrameEncoder = Callable[[Sequence[Image]], Floats]  # N pictures -> (N, D) float32 unit rows
DEFAULT_CHANGE = 0.5
_ENCODED_AT_ONCE = 16  # frames
_HORIZON = 3  # times the greatest length, and times the frames of one clip
_SAME = 1e-6  # a difference of costs that is rounding
_FORBIDDEN = 1e6  # cost of each second by which a length is missed: more than any scatter


class KernelSegmenter:
    """One clip per stretch of like frames, between min_s and max_s long where the frames' times allow it.

    `SegmentSettings.change` is by how much a cut must lower the sum of squared distances. Between m and n frames of two
    embeddings of cosine c it lowers it by 2 (1 - c) m n / (m + n): with five frames each and 0.5, below c = 0.9.
    """

    def __init__(self, encode: FrameEncoder, settings: SegmentSettings, *, max_frames: int = MAX_CLIP_FRAMES) -> None:
        self._encode, self.min_s, self.max_s = encode, settings.shortest_s, settings.max_s
        self.change = settings.change or DEFAULT_CHANGE
        self._max_frames = max_frames

    def clips(self, frames: Iterable[Frame], *, duration_s: float) -> Clips:
        """See `protocols.Segmenter.clips`. Holds the frames of three clips."""
        start_s, any_frame = 0.0, False
        held: list[tuple[Frame, Floats]] = []
        for frame, row in self._embedded(frames):
            if not any_frame and begins_late(frame.time_s, duration_s, self.min_s):
                yield from before_pictures(frame.time_s, max_s=self.max_s, min_s=self.min_s)
                start_s = frame.time_s
            any_frame = True
            held.append((frame, row))
            crowded = len(held) > _HORIZON * self._max_frames
            while frame.time_s < duration_s and (crowded or frame.time_s - start_s > _HORIZON * self.max_s):
                cuts = self._cuts(start_s, held, duration_s, ended=False)
                if not cuts:  # one stretch throughout, of which every second frame tells the same
                    held = held[::2] if crowded else held
                    break
                count = cuts[0]
                end_s = held[count][0].time_s
                yield from self._closed(start_s, end_s, held[:count])
                start_s, held, crowded = end_s, held[count:], False
        if not any_frame:
            yield from before_pictures(duration_s, max_s=self.max_s, min_s=self.min_s)
            return
        edges = [0, *self._cuts(start_s, held, duration_s, ended=True), len(held)]
        for low, high in pairwise(edges):
            end_s = held[high][0].time_s if high < len(held) else duration_s
            yield from self._closed(start_s, end_s, held[low:high])
            start_s = end_s

    def _closed(self, start_s: float, end_s: float, held: Sequence[tuple[Frame, Floats]]) -> Clips:
        frames = [frame for frame, _ in held]
        return even_pieces(start_s, end_s, frames, min_s=self.min_s, max_s=self.max_s, max_frames=self._max_frames)

    def _embedded(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Floats]]:
        """Frames with their rows; one that repeats the frame before it has its row."""
        row: Floats | None = None
        waiting = iter(frames)
        while batch := list(islice(waiting, _ENCODED_AT_ONCE)):
            new = [frame for place, frame in enumerate(batch) if not frame.repeats or (row is None and place == 0)]
            rows = iter(self._encode([frame.rgb for frame in new]) if new else ())
            for frame in batch:
                if not frame.repeats or row is None:
                    row = next(rows)
                yield frame, row

    def _cuts(
        self, start_s: float, held: Sequence[tuple[Frame, Floats]], duration_s: float, *, ended: bool
    ) -> list[int]:
        """Places in `held` at which a clip begins, without the first. not ended: the last stretch goes on unseen."""
        if not held:
            return []
        shown_s = [frame.time_s for frame, _ in held[1:]]
        last_s = duration_s if ended else held[-1][0].time_s
        edges_s = np.array([start_s, *shown_s, last_s], dtype=np.float64)
        costs = stretch_costs(np.stack([row for _, row in held]))
        best, before = np.zeros(len(edges_s)), np.zeros(len(edges_s), dtype=int)
        for end in range(1, len(edges_s)):
            lengths_s = edges_s[end] - edges_s[:end]
            open_ = end == len(edges_s) - 1 and not ended
            missed_s = np.maximum(lengths_s - self.max_s, 0) + (0 if open_ else np.maximum(self.min_s - lengths_s, 0))
            total = best[:end] + costs[:end, end] + self.change + _FORBIDDEN * missed_s
            # Of equals the last, so that where nothing changes clips are as long as they may be.
            before[end] = int(np.flatnonzero(total <= total.min() + _SAME)[-1])
            best[end] = total[before[end]]
        cuts: list[int] = []
        place = before[-1]
        while place > 0:
            cuts.append(int(place))
            place = before[place]
        # Beyond the end that the headers name nothing begins: the last clip takes the rest.
        return [cut for cut in reversed(cuts) if held[cut][0].time_s < duration_s]


def stretch_costs(rows: Floats) -> NDArray[np.float64]:
    """(N, N + 1): at [i, j], i < j, the sum of squared distances of rows i..j-1 to their mean; 0 elsewhere."""
    count = len(rows)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(rows, dtype=np.float64).sum(axis=1))])
    costs = np.zeros((count, count + 1))
    for end in range(1, count + 1):
        total = np.square(sums[end] - sums[:end]).sum(axis=1)
        costs[:end, end] = np.maximum(squares[end] - squares[:end] - total / (end - np.arange(end)), 0.0)
    return costs
