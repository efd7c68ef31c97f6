"""A second look at what a forward pass left out, where a shot may change unseen.

Between two keyframes a second apart nothing may have been decoded. Where the two differ like two shots, the packets
between them, which are kept for a while, go through a decoder of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from vidembed.media.reading.gops import Gop, Plan, jumps
from vidembed.media.reading.picture_stream import PictureStream
from vidembed.media.segmenting.cuts import CUT, Look, Seen, near_s, see

_DIFFER = 0.85 * CUT  # in one of twenty pairs of pictures a second apart of one shot; in every pair of two shots
_LEAPS = 2.5  # times the change before it: a cut between two neighbours
_MAX_HELD_BYTES = 64 << 20  # of packets


class SecondLook:
    """For one forward pass. opens: a stream of the file whose decoder may be given packets of any group."""

    def __init__(self, opens: Callable[[], PictureStream], frame_s: float) -> None:
        self._opens = opens
        self._frame_s, self._near_s = frame_s, near_s(frame_s)
        self._stream: PictureStream | None = None
        self._held: deque[tuple[Gop, float, float, int]] = deque()  # with its first and last time, and its bytes
        self._held_bytes = 0
        self._before: Seen | None = None

    def hold(self, gop: Gop) -> None:
        """Keep the packets of the next group, until looks are past it."""
        times_s = [time_s for time_s in gop.times_s if time_s is not None]
        if not times_s:
            return
        size = sum(packet.size for packet in gop.packets)
        self._held.append((gop, min(times_s), max(times_s), size))
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
            while self._held and self._held[0][2] < look.time_s:
                self._drop()

    def _filled(self, before: Seen, look: Look) -> Iterator[Seen]:
        """What lies between, and the look; again where what was found there leaves room for more."""
        direct = see(look, before)
        between = list(self._between(before.time_s, look.time_s)) if self._leaves_room(before, direct) else []
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
            return seen.change >= _DIFFER
        return apart_s > 1.5 * self._frame_s and seen.change >= max(CUT, _LEAPS * before.change)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _between(self, from_s: float, until_s: float) -> Iterator[Look]:
        found: list[Look] = []
        fresh = True  # the decoder has not been given the group before
        for gop, first_s, last_s, _ in self._held:
            # What is shown before a keyframe may be made from the group before that as well.
            before = gop.refers_back and last_s >= from_s - self._near_s
            if not before and (last_s <= from_s or first_s >= until_s):
                continue
            inside = frozenset(
                place for place, time_s in enumerate(gop.times_s) if time_s is not None and from_s < time_s < until_s
            )
            end = len(gop.packets) if gop.refers_back and last_s < until_s else max(inside, default=-1) + 1
            feed = tuple(n for n in range(end) if not (fresh and gop.is_leading(n)))
            near = inside if until_s - from_s <= self._near_s else jumps(gop).near & inside
            chosen = Plan(feed, frozenset(), {}, near=near)
            fresh = False
            if self._stream is None:
                self._stream = self._opens()
                self._stream.watch()
            for _ in self._stream.decode_gop(gop, chosen):
                pass
        if self._stream is not None and not fresh:
            for _ in self._stream.drain():
                pass
            seen = (look for look in self._stream.take_looks() if from_s < look.time_s < until_s)
            found = sorted(seen, key=lambda look: look.time_s)
        last_s = from_s
        for look in found:
            if look.time_s > last_s:
                last_s = look.time_s
                yield look

    def _drop(self) -> None:
        self._held_bytes -= self._held.popleft()[3]
