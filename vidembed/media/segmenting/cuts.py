"""Where shots begin, from looks at the pictures that were decoded.

The change between two pictures is the geometric mean of two measures: how far a coarse grid of their colours differs,
and how far the histograms of their colours do. A moving or shaking camera changes the grid and keeps the histograms,
a lamp changes the histograms and keeps the grid; another shot changes both. Three rules find where a shot begins:

- cut: the change from one picture to the next is large, and several times the changes around it (so that fast footage
  does not fall apart; the idea of PySceneDetect's AdaptiveDetector, scenedetect.com/docs), and what follows stays
  different from what was before (after a flash, the shot goes on);
- dissolve: pictures a second apart differ like two shots, and those between them are mixtures of these two, first
  more of the one, then of the other. A camera that turns shows pictures between that are no mixture;
- fade: the picture all but vanishes in black, and comes back.

Looks need not be evenly spaced; where they are far apart, nothing is known of what lies between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_PLAIN = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})  # taken without swscale
WIDTH_PX, HEIGHT_PX = 64, 36  # of a look, whatever is scaled for encoding
Stamp = NDArray[np.uint8]  # (3, 36, 64): luma and both colour differences, 0..255, squeezed to that shape
CUT = 0.105  # least change, 0..1, of a cut
_TIMES_USUAL = 2.5  # how many times the mean change around it a cut's is
SLIGHT_CUT, _TIMES_STILL = 0.06, 6.0  # likewise, of a cut between shots of like colours with little motion
_AROUND_S = 0.4
_SPARSE_S = 1.2
_BESIDE = 0.5  # of its change, the most that the pictures just before and after it change
_FLASH_S = 0.3  # a shot that is back after this was only interrupted
_BACK = 0.5  # below this share of the change a picture counts as the one before
_DISSOLVE = 0.065  # least score, 0..1
_DISSOLVES_S = 1.0, 1.6  # how far apart the pictures are that a dissolve leads from and to
_MIXED = 0.2  # least share of either picture in a mixture
_SLOW_S = 0.3  # from that share of the one to that of the other: a turn of the camera is faster
_ALIKE = 0.85  # least correlation of the luma of one picture in another light
_EVEN, _UNTINTED = 2.5, 20.0  # or how many times its scatter, and that of colours, a change of brightness is
_LEAP = 0.4  # of the way from the one to the other: a flash or a cut, not a dissolve
_DARK = 0.3  # what is left of the picture in the middle of a fade
_FADE_S = 0.6  # how long before and after it is there
_STEP_S = 0.1  # how densely dissolves are looked for
_LONGEST_S = 4.0  # of a stretch that is looked at as one
_APART_S = 0.6  # two shots that do not begin at a cut begin at least so far apart, and from cuts
_NEAR_FRAMES, _NEAR_S = 5, 0.15
HORIZON_S = 2.0  # what is settled lies so far before the last look
_LUMA = 18 * 32
_BINS = 32
_FIRST_BIN = np.arange(0, 3 * _BINS, _BINS, dtype=np.uint8)[:, None, None]
# Each bin counts for its neighbours too, so that even colours that shift a little do not change their bin altogether.
_SPREAD = np.maximum(0, 5 - np.abs(np.subtract.outer(np.arange(_BINS), np.arange(_BINS)))).astype(np.float32)
_SPREAD /= _SPREAD.sum(axis=1, keepdims=True)
_BLACK = np.float32(16 / 255)  # of limited range

Floats = NDArray[np.float32]


class Look(NamedTuple):
    """A picture that was decoded. time_s: when it is shown."""

    time_s: float
    stamp: Stamp


class Looker:
    """Makes stamps of the frames of one stream. About 0.02 ms each: a hundredth of decoding a picture of 480p."""

    def __init__(self) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._reformatter = VideoReformatter()
        # One pixel of each cell: where one picture ends and another begins, that is enough.
        self._interpolation = Interpolation.POINT
        self._places: dict[tuple[int, int, int], NDArray[np.intp]] = {}

    def stamp(self, frame: Any) -> Stamp:
        """Of an av.VideoFrame."""
        if frame.format.name in _PLAIN and frame.planes[0].line_size > 0:
            return np.stack([self._taken(plane) for plane in frame.planes])
        small = self._reformatter.reformat(
            frame, width=WIDTH_PX, height=HEIGHT_PX, format="yuv444p", interpolation=self._interpolation, threads=1
        )
        return np.asarray(small.to_ndarray(), dtype=np.uint8)

    def _taken(self, plane: Any) -> NDArray[np.uint8]:
        shape = plane.width, plane.height, plane.line_size
        if shape not in self._places:
            columns = (2 * np.arange(WIDTH_PX) + 1) * plane.width // (2 * WIDTH_PX)
            rows = (2 * np.arange(HEIGHT_PX) + 1) * plane.height // (2 * HEIGHT_PX)
            self._places[shape] = rows[:, None] * plane.line_size + columns
        return np.frombuffer(plane, np.uint8).take(self._places[shape])


class Seen(NamedTuple):
    """What is kept of a look. change: from the one before, 0..1; energy: how much picture there is above black."""

    time_s: float
    grid: Floats  # (1728,): 18 x 32 of luma, doubled, and of both colour differences
    histogram: (
        Floats  # (96,): 32 bins each of luma and both colour differences; square roots, whose squares add up to 3
    )
    energy: float
    change: float


def change(one: Seen, other: Seen) -> float:
    """How much two pictures differ, 0..1."""
    return _change(one.grid, one.histogram, other.grid, other.histogram)


def _change(grid: Floats, histogram: Floats, other_grid: Floats, other_histogram: Floats) -> float:
    apart = grid - other_grid
    moved = float(np.add.reduce(np.abs(apart, out=apart)) / apart.size)  # as `mean` does it, in half the time
    shared = float(histogram @ other_histogram) / 3
    return sqrt(moved * sqrt(max(0.0, 1 - shared)))


def see(look: Look, before: Seen | None) -> Seen:
    """What is kept of a look that follows another one."""
    grid, histogram, energy = measured(look.stamp)
    changed = 0.0 if before is None else _change(before.grid, before.histogram, grid, histogram)
    return Seen(look.time_s, grid, histogram, energy, changed)


def near_s(frame_s: float) -> float:
    """How far apart two looks may be, with nothing worth looking at between them."""
    return max(_NEAR_S, (_NEAR_FRAMES + 0.5) * frame_s)


class CutFinder:
    """Takes what is seen in the order of its time; holds that of a few seconds."""

    def __init__(self, near_s: float) -> None:
        """near_s: looks further apart than this are no neighbours; see `near_s`."""
        self._near_s = near_s
        self._seen: list[Seen] = []
        self._times_s: list[float] = []
        self._decided_s = -np.inf  # before this it is known what is a cut and what looks like a dissolve
        self._scored_s = -np.inf  # when a dissolve was last looked for
        self._cuts_s: list[float] = []  # the last ones told
        self._gradual: list[tuple[float, float]] = []  # when something like a dissolve or fade is seen, and how clearly

    def add(self, seen: Seen) -> None:
        """seen: its change is that from the one added before."""
        self._seen.append(seen)
        self._times_s.append(seen.time_s)

    @property
    def settled_s(self) -> float:
        """Every shot that begins before this has been told."""
        return min(self._decided_s, self._gradual[0][0]) if self._gradual else self._decided_s

    def settle(self, *, ended: bool = False) -> list[float]:
        """When the shots begin that are found for sure since the last call, in order. ended: no look will follow."""
        if not self._seen:
            return []
        until_s = np.inf if ended else self._times_s[-1] - HORIZON_S
        if until_s <= self._decided_s:
            return []
        first, last = self._within(self._decided_s, until_s)
        # Cuts are known further ahead than they are told, so that no dissolve is told where one is coming.
        ahead = bisect_left(self._times_s, until_s + _APART_S)
        cuts = [self._times_s[place] for place in range(max(first, 1), ahead) if self._is_cut(place)]
        self._score(first, last, self._cuts_s + cuts)
        now = [cut for cut in cuts if cut < until_s]
        self._cuts_s = (self._cuts_s + now)[-2:]
        self._decided_s = until_s
        self._forget(until_s - HORIZON_S)
        return sorted([*now, *self._strongest(until_s)])

    def _within(self, from_s: float, until_s: float) -> tuple[int, int]:
        return bisect_left(self._times_s, from_s), bisect_left(self._times_s, until_s)

    def _forget(self, before_s: float) -> None:
        count = max(0, bisect_left(self._times_s, before_s) - 1)
        del self._seen[:count], self._times_s[:count]

    def _is_cut(self, place: int) -> bool:
        here = self._seen[place]
        if self._is_near(place):
            if here.change < SLIGHT_CUT or not self._stands_out(place):
                return False
        elif here.change < CUT:
            return False
        before, least = self._seen[place - 1], _BACK * here.change
        _, last = self._within(here.time_s, here.time_s + _FLASH_S)
        if any(change(before, self._seen[n]) < least for n in range(place + 1, last)):
            return False
        # The look before what may have been a flash, at the latest.
        first = max(0, bisect_left(self._times_s, here.time_s - _FLASH_S) - 1)
        return all(change(self._seen[n], here) >= least for n in range(first, place - 1))

    def _is_near(self, place: int) -> bool:
        """Whether the look before was at a neighbour."""
        return self._times_s[place] - self._times_s[place - 1] <= self._near_s

    def _stands_out(self, place: int) -> bool:
        """Whether a change is several times those of neighbours around it."""
        here = self._seen[place].change
        # In a quick fade neighbours differ like two shots, but one after the other; slides come more slowly.
        first, last = self._within(self._times_s[place] - _SPARSE_S, self._times_s[place] + _SPARSE_S)
        beside = (n for n in (place - 1, place + 1) if max(1, first) <= n < last and self._is_near(n))
        if any(self._seen[n].change > _BESIDE * here for n in beside):
            return False
        around = sorted(self._seen[n].change for n in self._around(place) if n != place and self._is_near(n))
        times = _TIMES_USUAL if here >= CUT else _TIMES_STILL
        return not around or here >= times * float(np.mean(around[:-1] or around))

    def _around(self, place: int) -> range:
        """Looks within _AROUND_S of this one, or the three on either side where they are sparse."""
        time_s = self._times_s[place]
        first, last = self._within(time_s - _AROUND_S, time_s + _AROUND_S)
        at_most, at_least = self._within(time_s - _SPARSE_S, time_s + _SPARSE_S)
        return range(max(1, at_most, min(first, place - 3)), min(at_least, max(last, place + 4)))

    def _score(self, first: int, last: int, cuts_s: list[float]) -> None:
        """Look for dissolves and fades among the looks from first to last, but not at cuts."""
        for place in range(first, last):
            time_s = self._times_s[place]
            if time_s < self._scored_s + _STEP_S or any(abs(time_s - cut) < _APART_S for cut in cuts_s):
                continue
            self._scored_s = time_s
            score = max(self._fade(place), self._dissolve(place))
            if score > 0:
                self._gradual.append((time_s, score))

    def _strongest(self, until_s: float) -> list[float]:
        """Of each stretch of dissolves and fades that is over, when it is strongest."""
        found: list[float] = []
        start = 0
        for place, (time_s, _) in enumerate(self._gradual):
            following_s = self._gradual[place + 1][0] if place + 1 < len(self._gradual) else until_s
            if following_s - time_s > _APART_S or time_s - self._gradual[start][0] > _LONGEST_S:
                found.extend(peaks(self._gradual[start : place + 1]))
                start = place + 1
        del self._gradual[:start]
        return found

    def _ends(self, place: int, apart_s: float) -> tuple[int, int] | None:
        """The looks half of apart_s before and after, where there are such."""
        time_s = self._times_s[place]
        before = bisect_right(self._times_s, time_s - apart_s / 2) - 1
        after = bisect_left(self._times_s, time_s + apart_s / 2)
        if before < 0 or after >= len(self._times_s):
            return None
        return before, after

    def _fade(self, place: int) -> float:
        ends = self._ends(place, 2 * _FADE_S)
        if ends is None:
            return 0.0
        before, after = (self._seen[end] for end in ends)
        left = self._seen[place].energy / max(1e-6, min(before.energy, after.energy))
        return 1.0 - left if left < _DARK and change(before, after) >= _BACK * CUT else 0.0

    def _dissolve(self, place: int) -> float:
        return max(self._mixed(place, apart_s) for apart_s in _DISSOLVES_S)

    def _mixed(self, place: int, apart_s: float) -> float:
        """How clearly the pictures here are mixtures of the two that are apart_s apart, 0..1."""
        ends = self._ends(place, apart_s)
        if ends is None or ends[1] - ends[0] < 4:
            return 0.0
        before, after = (self._seen[end] for end in ends)
        differs = change(before, after)
        if differs < _DISSOLVE or relit(before, after):
            return 0.0
        way = after.grid - before.grid
        between = np.stack([seen.grid for seen in self._seen[ends[0] : ends[1] + 1]]) - before.grid
        length = float(way @ way)
        shares = between @ way / length
        at, mixed = place - ends[0], (shares > _MIXED) & (shares < 1 - _MIXED)
        if not mixed[at] or np.abs(np.diff(shares)).max() > _LEAP:
            return 0.0
        times_s = np.array(self._times_s[ends[0] : ends[1] + 1])
        if (
            crossing(shares[at:], times_s[at:], 1 - _MIXED) - crossing(shares[at::-1], times_s[at::-1], _MIXED)
            < _SLOW_S
        ):
            return 0.0
        stray = np.sqrt(np.square(between - shares[:, None] * way).sum(axis=1) / length)
        score = differs * max(0.0, 1.0 - float(stray[mixed].mean())) ** 2
        return score if score >= _DISSOLVE else 0.0


def relit(one: Seen, other: Seen) -> bool:
    """Whether two pictures are one in another light: brighter or darker throughout."""
    luma, other_luma = one.grid[:_LUMA], other.grid[:_LUMA]
    centred, other_centred = luma - luma.mean(), other_luma - other_luma.mean()
    if float(centred @ other_centred) > _ALIKE * float(np.sqrt((centred @ centred) * (other_centred @ other_centred))):
        return True
    shift = other_luma - luma
    tint = float(np.abs(one.grid[_LUMA:] - other.grid[_LUMA:]).mean())
    return abs(float(shift.mean())) > max(_EVEN * float(shift.std()), _UNTINTED * tint)


def crossing(shares: NDArray[np.floating], times_s: NDArray[np.float64], level: float) -> float:
    """When the shares, from a first one on this side of a level, first get to its other side."""
    beyond = int(np.argmax((shares >= level) != (shares[0] >= level)))
    part = (level - shares[beyond - 1]) / (shares[beyond] - shares[beyond - 1])
    return float(times_s[beyond - 1] + part * (times_s[beyond] - times_s[beyond - 1]))


def peaks(scored: Sequence[tuple[float, float]]) -> list[float]:
    """Times of the highest scores of (time, score): a second apart, with a score of less than half between any two."""
    found: list[int] = []
    for place in sorted(range(len(scored)), key=lambda n: -scored[n][1]):
        time_s, score = scored[place]
        apart = (
            abs(time_s - scored[other][0]) >= _DISSOLVES_S[0]
            and _valley(scored[min(place, other) : max(place, other) + 1]) < score / 2
            for other in found
        )
        if all(apart):
            found.append(place)
    return sorted(scored[place][0] for place in found)


def _valley(scored: Sequence[tuple[float, float]]) -> float:
    """The least score of a stretch; 0 where nothing was seen for a while in between."""
    gap = any(other[0] - one[0] > 2.5 * _STEP_S for one, other in pairwise(scored))
    return 0.0 if gap else min(score for _, score in scored)


def measured(stamp: Stamp) -> tuple[Floats, Floats, float]:
    """(grid, histogram, energy) of a look (see `Seen`)."""
    wide = stamp.astype(np.uint16)
    rows = wide[:, 0::2] + wide[:, 1::2]
    cells = (rows[:, :, 0::2] + rows[:, :, 1::2]).astype(np.float32) / np.float32(4 * 255)
    luma = cells[0].ravel()
    over = np.maximum(luma - _BLACK, 0)
    cells[0] *= 2
    bins = (stamp >> 3) + _FIRST_BIN
    counts = np.bincount(bins.ravel(), minlength=3 * _BINS).astype(np.float32).reshape(3, _BINS)
    histogram = np.sqrt((counts @ _SPREAD).ravel() / stamp[0].size)
    return cells.ravel(), histogram, float(np.sqrt(over @ over / over.size))
