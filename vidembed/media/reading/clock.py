"""When a file begins and ends, and where its time stamps begin again, by its packets: headers guess and lie.

Recordings that were joined, DVD cells, and chained Ogg have stamps that begin again in each part. They are told apart
by the place in the file where a part begins, and moved so that each part begins when the one before it ends.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidembed.media.reading.container import demuxer, open_container, packets

if TYPE_CHECKING:
    from av.container import InputContainer

    from vidembed.config.schema import LimitSettings

# Read whole: the formats whose stamps may begin again. Of the others the end is enough.
_JOINABLE = frozenset({"mpegts", "mpeg", "ogg"})
UNSTAMPED = frozenset({"h264", "hevc", "h263"})  # bare pictures: they say how many there are a second, at best
_H263_TICK_S = 1001 / 30000  # what its pictures are numbered by
_BACK_S = 0.1  # decoding times never go back within a part
_AHEAD_S = 60.0  # further ahead than a picture stands: another clock
_TOGETHER_S = 1.0  # streams of a part begin within this, else the part begins with the one that begins first
_TAIL_S = 2.0  # how far before its end to look for the last packets


@dataclass(frozen=True)
class Clock:
    """From the container's time stamps to one clock that never goes back.

    Attributes:
        start_s: The container's time of t = 0, in the first part.
        edges: Byte positions where the parts after the first begin; empty for nearly every file.
        shifts_s: What to add to the stamps of each part; one more than edges.
        keys_s: Where there are edges, when each key picture is shown, from t = 0, in order.
        times_s: Of a file without any time stamps, when each picture is shown; else empty.
    """

    start_s: float
    edges: tuple[int, ...] = ()
    shifts_s: tuple[float, ...] = (0.0,)
    keys_s: tuple[float, ...] = ()
    times_s: tuple[float, ...] = ()

    def carried_on(self, packets: Iterable[Any]) -> Iterable[Any]:
        """The same packets, with stamps that go on from part to part."""
        return self._moved(packets) if self.edges else packets

    def key_before(self, time_s: float) -> float:
        """Of a file with edges: when the last key picture at or before the time is shown; the first where none is."""
        place = bisect_right(self.keys_s, time_s) - 1
        return self.keys_s[max(0, place)] if self.keys_s else 0.0

    def _moved(self, packets: Iterable[Any]) -> Iterator[Any]:
        """From the first packet on: a part begins where the stamps of a stream jump, which part the place says."""
        parts: dict[int, int] = {}
        before_s: dict[int, float] = {}
        for packet in packets:
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is None:
                yield packet
                continue
            index, decoded_s = packet.stream.index, float(stamp * packet.time_base)
            if index not in parts or _jumps(decoded_s - before_s[index]):
                parts[index] = bisect_right(self.edges, packet.pos or 0)
            before_s[index] = decoded_s
            ticks = round(self.shifts_s[parts[index]] / packet.time_base)
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks
            yield packet


@dataclass(frozen=True)
class Extent:
    """clock; end_s: of the last picture or sound, from t = 0; missing_s: promised, or in other tracks, behind that."""

    clock: Clock
    end_s: float
    missing_s: float


def extent(
    container: InputContainer,
    path: Path,
    limits: LimitSettings,
    *,
    streams: tuple[int, ...],
    picture: int | None,
    start_s: float,
) -> Extent:
    """Read the packets that tell when a file ends: the last ones, or all where stamps may begin again.

    Args:
        container: The opened file; its position afterwards is undefined.
        path: The file, to open it once more.
        limits: For that.
        streams: Of picture and sound.
        picture: The one of them with the picture.
        start_s: The container's time of t = 0.

    Raises:
        MediaUnreadable: It cannot be opened again.
    """
    if demuxer(container) in _JOINABLE:
        rows = _all_rows(path, limits)
        others = [rows[stream.index] for stream in container.streams.video if stream.index in rows.keys() - streams]
        missing_s = 0.0 if picture not in rows else _elsewhere_s(rows[picture], others)
        return replace(_joined(rows, streams, picture, start_s), missing_s=missing_s)
    if demuxer(container) in UNSTAMPED:
        frame_s = 1 / float(container.streams.video[0].guessed_rate or 25)
        times_s = _counted(path, limits, frame_s)
        return Extent(Clock(0.0, times_s=times_s), max(times_s, default=0.0) + frame_s, 0.0)
    promised_s = _promised_s(container)
    ends_s = _ends_s(_last_rows(container, promised_s), promised_s)
    last_s = max((end for index, end in ends_s.items() if index in streams), default=-math.inf)
    if last_s < promised_s - _TAIL_S:
        # Something is missing, only subtitles go on so long, or the last picture lies far before others in the file.
        ends_s = _ends_s(_all_rows(path, limits), promised_s)
    end_s = max((end for index, end in ends_s.items() if index in streams), default=start_s)
    missing_s = promised_s - max(ends_s.values(), default=start_s)
    return Extent(Clock(start_s), end_s - start_s, max(0.0, missing_s))


Rows = NDArray[np.float64]  # (packets, 5): place in the file, decoding time, begin, end, whether it is a key; seconds
_POS, _DTS, _BEGIN, _END, _KEY = range(5)


def _promised_s(container: Any) -> float:
    """The container's time at which all ends, by the headers; 0 where they do not say."""
    if container.duration is None:
        return 0.0
    start_s = (container.start_time or 0) / 1_000_000
    # Others than MP4 count it from their zero, as far as they say when they start at all.
    return float(container.duration / 1_000_000 + (start_s if demuxer(container) == "mov" else min(0.0, start_s)))


def _last_rows(container: Any, promised_s: float) -> dict[int, Rows]:
    """The rows from shortly before the promised end on; empty where there are none, or no end is promised."""
    import av

    if promised_s <= _TAIL_S:
        return {}
    try:
        container.seek(int((promised_s - _TAIL_S) * 1_000_000), any_frame=True)
    except av.error.FFmpegError:
        return {}
    return _rows(container)


def _ends_s(found: dict[int, Rows], promised_s: float) -> dict[int, float]:
    """When each stream ends. MP4 says how long pictures are decoded, not shown: with B-frames that may be too long."""
    ends_s = {index: float(rows[:, _END].max()) for index, rows in found.items()}
    begins_s = {index: float(rows[:, _BEGIN].max()) for index, rows in found.items()}
    return {index: promised_s if begins_s[index] < promised_s < end else end for index, end in ends_s.items()}


def _all_rows(path: Path, limits: LimitSettings) -> dict[int, Rows]:
    with open_container(path, limits) as container:
        return _rows(container)


def _counted(path: Path, limits: LimitSettings, frame_s: float) -> tuple[float, ...]:
    """When each picture of a file is shown that has nothing else: one after the other, or as H.263 numbers them."""
    with open_container(path, limits) as container:
        found = packets(container, container.streams.video[0], {"corrupt": 0}, "corrupt")
        if demuxer(container) != "h263":
            return tuple(number * frame_s for number in range(sum(packet.size > 0 for packet in found)))
        numbers = [_temporal_reference(bytes(packet)) for packet in found if packet.size > 0]
    steps = np.diff(numbers, prepend=numbers[:1]) % 256
    return tuple((np.cumsum(steps) * _H263_TICK_S).tolist())


def _temporal_reference(picture: bytes) -> int:
    """The number of a picture: eight bits behind the start code of 22 (ITU-T H.263, 5.1)."""
    return int.from_bytes(picture[:4].ljust(4, b"\0")) >> 2 & 0xFF


def _rows(container: Any) -> dict[int, Rows]:
    rows: dict[int, list[tuple[float, float, float, float, float]]] = {}
    ticks = {stream.index: stream.time_base for stream in container.streams}
    last_pos: dict[int, int] = {}
    for packet in packets(container, list(container.streams), {"corrupt": 0}, "corrupt"):
        if packet.pts is None or packet.is_discard:
            continue
        index = packet.stream.index
        tick: Fraction = ticks[index]
        num, den = tick.numerator, tick.denominator
        pos = last_pos[index] = packet.pos if packet.pos is not None and packet.pos >= 0 else last_pos.get(index, 0)
        begin_s = packet.pts * num / den
        decoded_s = begin_s if packet.dts is None else packet.dts * num / den
        end_s = begin_s + (packet.duration or 0) * num / den
        rows.setdefault(index, []).append((pos, decoded_s, begin_s, end_s, packet.is_keyframe))
    return {index: np.array(found, dtype=np.float64) for index, found in rows.items()}


def _jumps(step_s: Any) -> Any:
    """Whether stamps that differ by so many seconds, a number or an array, are of two clocks."""
    return (step_s < -_BACK_S) | (step_s > _AHEAD_S)


def _joined(found: dict[int, Rows], streams: tuple[int, ...], picture: int | None, start_s: float) -> Extent:
    rows = {index: found[index] for index in streams if index in found}
    if not rows:
        return Extent(Clock(start_s), 0.0, 0.0)
    jumps = {index: np.flatnonzero(_jumps(np.diff(own[:, _DTS]))) + 1 for index, own in rows.items()}
    edges = _edges({index: own[jumps[index], _POS] for index, own in rows.items()})
    parts = {index: _parts(own[:, _POS], jumps[index], edges) for index, own in rows.items()}
    order = list(streams) if picture is None else [picture, *streams]
    shifts_s: list[float] = []
    reached: dict[int, float] = {}
    for part in range(len(edges) + 1):
        inside = {index: own[parts[index] == part] for index, own in rows.items()}
        begins = {index: float(own[:, _BEGIN].min()) for index, own in inside.items() if len(own)}
        shifts_s.append(_shift_s(reached, begins, order) if begins and reached else 0.0)
        reached |= {index: float(inside[index][:, _END].max()) + shifts_s[-1] for index in begins}
    keys: NDArray[np.float64] = np.empty(0)
    if edges and picture in rows:
        shown = rows[picture][:, _BEGIN] + np.array(shifts_s)[parts[picture]] - start_s
        keys = np.sort(shown[rows[picture][:, _KEY] > 0])
    clock = Clock(start_s, tuple(edges), tuple(shifts_s), tuple(keys.tolist()))
    return Extent(clock, max(reached.values()) - start_s, 0.0)


def _elsewhere_s(picture: Rows, others: Iterable[Rows]) -> float:
    """How long pictures go on in other tracks, all behind those of this one: parts were joined that number them so."""
    last = picture[:, _POS].max()
    return float(sum(own[:, _END].max() - own[:, _BEGIN].min() for own in others if own[:, _POS].min() > last))


def _edges(jumps: dict[int, NDArray[np.float64]]) -> list[int]:
    """Where parts begin. Each stream shows it by a jump at a place of its own, a little later than the part begins."""
    edges: list[int] = []
    seen: set[int] = set()
    for pos, index in sorted((float(pos), index) for index, places in jumps.items() for pos in places):
        if not edges or index in seen:
            edges.append(int(pos))
            seen = set()
        seen.add(index)
    return edges


def _parts(places: NDArray[np.float64], jumps: NDArray[np.int64], edges: list[int]) -> NDArray[np.int64]:
    """The part of each packet of a stream: it changes only where the stamps jump."""
    begins = np.concatenate([[0], jumps])
    of_run = np.searchsorted(edges, places[begins], side="right")
    return np.repeat(of_run, np.diff([*begins, len(places)]))


def _shift_s(reached: dict[int, float], begins: dict[int, float], order: list[int]) -> float:
    """So that a part begins where what was before it ends: its picture at once, unless its sound begins far earlier."""
    apart_s = max(reached.values()) - min(begins.values())
    first = next((index for index in order if index in begins and index in reached), None)
    if first is None:
        return apart_s
    close_s = reached[first] - begins[first]
    return close_s if abs(close_s - apart_s) < _TOGETHER_S else apart_s
