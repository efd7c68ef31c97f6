"""Which packets must be decoded to get about one frame per interval: decided from packet times, without decoding.

A group of pictures (GOP) is a keyframe packet and what follows it up to the next one, in decoding order. Time is cut
into intervals ("slots") of 1 / rate_hz seconds from t = 0. Every slot is served by one frame:

- fixed: the first frame of the slot;
- adaptive: the first keyframe of the slot where there is one, else its first frame;
- keyframes: the first keyframe of the slot, if any.

Packets after the last wanted frame of a GOP are not decoded at all; before it, those that no other frame refers to
(H.264 and HEVC say it in the header of each NAL unit). So where keyframes are dense enough only they are decoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, NamedTuple

from vidembed.protocols import StreamMode

# Where keyframe flags and packet times can be trusted for leaving packets out. Others (GIF, whose frames build on one
# another although all are flagged as keys) are decoded whole.
_NAMES = (
    "h264 hevc av1 vp8 vp9 mpeg1video mpeg2video mpeg4 msmpeg4v2 msmpeg4v3 h263 flv1 wmv1 wmv2 wmv3 vc1 theora "
    "mjpeg prores dnxhd"
)
PLANNABLE = frozenset(_NAMES.split())
EPSILON_S = 1e-6  # a time that came from a frame finds that frame again
_MAX_HELD_BYTES = 32 << 20  # of one GOP's packets; a longer GOP is decoded whole
_MAX_HELD_PACKETS = 1200
_JUMP = 2.0  # times the median of those before: perhaps a cut
_CUT_JUMP, _CUT_SHARE = 4.0, 0.25  # and of the keyframe: very likely one
_JUDGED_BY = 8  # pictures


def slot_of(time_s: float, rate_hz: float) -> int:
    """The interval a time falls into. The small term keeps 1/3 + 1/3 + 1/3 in the interval of 1."""
    return math.floor(time_s * rate_hz + 1e-6)


@dataclass(frozen=True)
class StreamRequest:
    """See `protocols.VideoReader.stream`. Frames outside [from_s, until_s) are not wanted; until_s may be infinite."""

    rate_hz: float
    short_side_px: int
    mode: StreamMode
    from_s: float
    until_s: float
    cuts: bool = False


@dataclass
class Gop:
    """Packets in decoding order with their times (None = unknown).

    planned: it begins with a keyframe and all is known that leaving packets out needs.
    refers_back: the GOP after it begins with pictures that refer into this one (an "open" GOP).
    """

    packets: list[Any] = field(default_factory=list)
    times_s: list[float | None] = field(default_factory=list)
    planned: bool = True
    refers_back: bool = False
    next_key_s: float | None = None  # when the keyframe after it is shown, where that is known

    def add(self, packet: Any, time_s: float | None) -> None:
        self.packets.append(packet)
        self.times_s.append(time_s)
        self.planned = self.planned and time_s is not None

    def is_leading(self, position: int) -> bool:
        """Shown before the keyframe it follows, so it may refer to the GOP before."""
        time_s, key_s = self.times_s[position], self.times_s[0]
        return time_s is not None and key_s is not None and time_s < key_s


@dataclass(frozen=True)
class GopPlan:
    """feed: positions of the packets to decode, in order; wanted: those whose frames are asked for, slot -> time.

    near: those beside a jump (see `jumps`); they, and what is shown after served_until_s, are only looked at.
    independent: nothing of it refers to another GOP, nor another to it, so a decoder of its own can have it.
    """

    feed: tuple[int, ...]
    wanted: frozenset[int]
    wanted_s: dict[int, float]
    independent: bool = False
    near: frozenset[int] = frozenset()
    served_until_s: float = math.inf


def everything(gop: Gop) -> GopPlan:
    """Decode all of it: for GOPs whose packets do not say enough."""
    positions = range(len(gop.packets))
    return GopPlan(tuple(positions), frozenset(positions), {})


def flagged(packet: Any) -> bool:
    """Whether the container calls it a keyframe."""
    return bool(packet.is_keyframe)


def group(
    packets: Iterable[Any], time_of: Callable[[Any], float | None], begins: Callable[[Any], bool] = flagged
) -> Iterator[Gop]:
    """Cut a packet stream into GOPs, holding the compressed bytes of one. The flushing empty packet is left out.

    Args:
        packets: In decoding order.
        time_of: When a packet's picture is shown, in seconds; None where that is not known.
        begins: Whether decoding can begin at a packet (see `bitstream.begins_group`).
    """
    before: Gop | None = None  # complete, but for whether the current one refers back into it
    gop = Gop()
    held = 0
    for packet in packets:
        if packet.size == 0 and packet.dts is None and packet.pts is None:
            continue
        full = held > _MAX_HELD_BYTES or len(gop.packets) >= _MAX_HELD_PACKETS
        key = begins(packet)
        if not gop.packets:
            gop.planned = key
        elif key or full:
            if before is not None:
                yield before
            before, gop, held = gop, Gop(planned=key), 0
            if key:
                before.next_key_s = time_of(packet)
            else:
                before.planned = False
        gop.add(packet, time_of(packet))
        held += packet.size
        # Leading pictures come right behind their keyframe.
        if before is not None and len(gop.packets) == 2:
            before.refers_back = gop.is_leading(1)
            yield before
            before = None
    if before is not None:
        yield before
    if gop.packets:
        yield gop


def plan(gop: Gop, request: StreamRequest, *, last_slot: int) -> GopPlan:
    """Choose the packets of one planned GOP. last_slot: the last one served before."""
    mode, rate_hz, from_s, until_s = request.mode, request.rate_hz, request.from_s, request.until_s
    best: dict[int, tuple[float, int]] = {}
    # A slot that the next keyframe falls into is left to it.
    awaited = None
    if mode == "adaptive" and gop.next_key_s is not None and from_s <= gop.next_key_s < until_s:
        awaited = slot_of(gop.next_key_s, rate_hz)
    for position, (packet, time_s) in enumerate(zip(gop.packets, gop.times_s, strict=True)):
        if time_s is None or packet.is_discard or not from_s <= time_s < until_s:
            continue
        # Only "fixed" asks for the very first frame of a slot; only it needs leading pictures and their references.
        if (mode == "keyframes" and position > 0) or (mode == "adaptive" and gop.is_leading(position)):
            continue
        slot = slot_of(time_s, rate_hz)
        keyframe_stands = mode == "adaptive" and best.get(slot, (0.0, -1))[1] == 0
        if slot == awaited and position > 0:
            continue
        if slot > last_slot and not keyframe_stands:
            prefers_key = mode == "adaptive" and position == 0
            if slot not in best or prefers_key or time_s < best[slot][0]:
                best[slot] = (time_s, position)
    wanted = frozenset(position for _, position in best.values())
    needed_next = mode == "fixed" and gop.refers_back
    end = len(gop.packets) if needed_next else max(wanted, default=-1) + 1
    feed = tuple(n for n in range(end) if mode == "fixed" or not gop.is_leading(n))
    independent = not needed_next and not any(gop.is_leading(n) for n in feed)
    return GopPlan(feed, wanted, {slot: time_s for slot, (time_s, _) in best.items()}, independent)


def watched(gop: Gop, chosen: GopPlan, *, mode: StreamMode) -> GopPlan:
    """The same, with what it takes to see where shots change.

    That is the group up to the last packet that looks like a cut, and of what no other picture refers to, what lies
    beside a jump.
    """
    if not chosen.feed:
        return chosen
    seen = jumps(gop)
    rest = range(chosen.feed[-1] + 1, seen.last_cut + 1)
    feed = (*chosen.feed, *(place for place in rest if not gop.is_leading(place)))
    # The first frames of all intervals are wanted in the fixed mode anyway; the others leave some to later groups.
    until_s = math.inf if mode == "fixed" else max(chosen.wanted_s.values(), default=-math.inf) + EPSILON_S
    return replace(chosen, feed=feed, near=seen.near, served_until_s=until_s)


def first_look() -> GopPlan:
    """Decode a group's first picture, only to look at it: where no later one is looked at, a shot may begin unseen."""
    return GopPlan((0,), frozenset(), {}, near=frozenset({0}), served_until_s=-math.inf)


class Jumps(NamedTuple):
    """places: of packets that jump; near: of pictures shown just before one; last_cut: that looks like a cut, or -1."""

    places: frozenset[int]
    near: frozenset[int]
    last_cut: int


def jumps(gop: Gop) -> Jumps:
    """Where the packets of a group are far larger than those of their like before.

    Such a picture has little in common with those that it is made from. With the pictures that are decoded after it,
    shown before it, and that no other refers to, one sees exactly where it changed.
    """
    near: set[int] = set()
    places: set[int] = set()
    sizes: list[int] = []  # of pictures that are shown in the order they are decoded
    latest_s, jump, last_cut = -math.inf, False, -1
    for place, (packet, time_s) in enumerate(zip(gop.packets, gop.times_s, strict=True)):
        if time_s is None:
            continue
        if time_s < latest_s:
            if jump:
                near.add(place)
            continue
        latest_s = time_s
        if place:
            usual = median(sizes[-_JUDGED_BY:]) if sizes else packet.size
            jump = packet.size > _JUMP * usual
            places |= {place} if jump else set()
            if packet.size > max(_CUT_JUMP * usual, _CUT_SHARE * gop.packets[0].size):
                last_cut = place
            sizes.append(packet.size)
    return Jumps(frozenset(places), frozenset(near), last_cut)


def served(
    frames: Iterable[tuple[Any, float]], rate_hz: float, due: Mapping[int, float], *, after: float = -math.inf
) -> Iterator[tuple[Any, float, int]]:
    """The frame of each slot later than `after`: the first that comes not before its `due` time (slot -> seconds)."""
    for frame, time_s in frames:
        slot = slot_of(time_s, rate_hz)
        if slot > after and time_s > due.get(slot, -math.inf) - EPSILON_S:
            after = slot
            yield frame, time_s, slot
