"""What a forward pass skipped, decoded after all where a shot may change unseen.

Between two keyframes a second apart nothing may have been decoded. Where the two differ like two shots, the packets
between them, which are kept for a while, go through a decoder of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vidembed.media.reading.gops import EPSILON_S, Gop, GopPlan, jumps
from vidembed.media.reading.picture_stream import PictureStream
from vidembed.media.segmenting.cuts import CUT, SLIGHT_CUT, Look, Seen, near_s, see

_DIFFER = 0.85 * CUT  # in one of twenty pairs of pictures a second apart of one shot; in every pair of two shots
_LEAPS = 2.5  # times the change before it: a cut between two neighbours
_EARLY = 0.9  # of the longest group: one that is shorter ended early
_MAX_HELD_BYTES = 64 << 20  # of packets


class _Held(NamedTuple):
    """A group with the times of its first and last picture. early: the keyframe after it comes before its time."""

    gop: Gop
    first_s: float
    last_s: float
    size_bytes: int
    early: bool


class Skipped:
    """For one forward pass. opens: a stream of the file whose decoder may be given packets of any group."""

    def __init__(self, opens: Callable[[], PictureStream], frame_s: float) -> None:
        self._opens = opens
        self._frame_s, self._near_s = frame_s, near_s(frame_s)
        self._stream: PictureStream | None = None
        self._held: deque[_Held] = deque()
        self._held_bytes, self._longest_s = 0, 0.0
        self._before: Seen | None = None

    def hold(self, gop: Gop) -> None:
        """Keep the packets of the next group, until looks are past it."""
        times_s = [time_s for time_s in gop.times_s if time_s is not None]
        if not times_s:
            return
        length_s = gop.next_key_s - times_s[0] if gop.next_key_s is not None else 0.0
        self._longest_s = max(self._longest_s, length_s)
        early = length_s < _EARLY * self._longest_s
        size = sum(packet.size for packet in gop.packets)
        self._held.append(_Held(gop, min(times_s), max(times_s), size, early))
        self._held_bytes += size
        while self._held_bytes > _MAX_HELD_BYTES:
            self._drop()

    def filled(self, looks: Iterable[Look]) -> Iterator[Seen]:
        """What is seen, with what lies between two looks that differ and leave room for more."""
        for look in looks:
            before = self._before
            if before is not None and look.time_s <= before.time_s:
                continue
            for seen in [see(look, None)] if before is None else self._filled(before, look):
                self._before = seen
                yield seen
            while self._held and self._held[0].last_s < look.time_s:
                self._drop()

    def _filled(self, before: Seen, look: Look) -> Iterator[Seen]:
        """What lies between, and the look; again where what was found there leaves room for more."""
        direct = see(look, before)
        between = self._between(before.time_s, look.time_s) if self._leaves_room(before, direct) else []
        if not between:
            yield direct
            return
        for one in (*between, look):
            for seen in self._filled(before, one):
                before = seen
                yield seen

    def _leaves_room(self, before: Seen, seen: Seen) -> bool:
        apart_s = seen.time_s - before.time_s
        if apart_s > self._near_s:
            if seen.change < SLIGHT_CUT:
                return False
            # There a cut is sure, or worth a look although the shots hardly differ.
            early = self._ends_early(before.time_s, seen.time_s)
            return seen.change < CUT if early else seen.change >= _DIFFER
        return apart_s > 1.5 * self._frame_s and seen.change >= max(CUT, _LEAPS * before.change)

    def _ends_early(self, from_s: float, until_s: float) -> bool:
        """Whether the later look is at a keyframe that came early, with no jump before it: set where a shot begins."""
        for held in self._held:
            key_s = held.gop.next_key_s
            if held.first_s <= from_s and key_s is not None and abs(key_s - until_s) < EPSILON_S:
                jumped_s = (held.gop.times_s[place] for place in jumps(held.gop).places)
                return held.early and not any(time_s is not None and time_s > from_s for time_s in jumped_s)
        return False

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _between(self, from_s: float, until_s: float) -> list[Look]:
        """At what is shown after the one time and before the other, in order."""
        stream: PictureStream | None = None  # None: no group has been given to the decoder yet
        for gop, first_s, last_s, _, _ in self._held:
            # What is shown before a keyframe may be made from the group before that as well.
            begins = gop.refers_back and last_s >= from_s - self._near_s
            if not begins and (last_s <= from_s or first_s >= until_s):
                continue
            inside = frozenset(n for n, time_s in enumerate(gop.times_s) if from_s < (time_s or from_s) < until_s)
            end = len(gop.packets) if gop.refers_back and last_s < until_s else max(inside, default=-1) + 1
            feed = tuple(n for n in range(end) if stream is not None or not gop.is_leading(n))
            near = inside if until_s - from_s <= self._near_s else jumps(gop).near & inside
            stream = self._decoder()
            deque(stream.decode_gop(gop, GopPlan(feed, frozenset(), {}, near=near)), maxlen=0)
        if stream is None:
            return []
        deque(stream.drain(), maxlen=0)
        looks = {look.time_s: look for look in stream.take_looks() if from_s < look.time_s < until_s}
        return [looks[time_s] for time_s in sorted(looks)]

    def _decoder(self) -> PictureStream:
        if self._stream is None:
            self._stream = self._opens()
            self._stream.watch()
        return self._stream

    def _drop(self) -> None:
        self._held_bytes -= self._held.popleft().size_bytes
