"""Which packets are decoded: worked out by hand on small streams."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from vidembed.media.reading.gops import (
    Gop,
    GopPlan,
    Jumps,
    StreamRequest,
    group,
    jumps,
    plan,
    served,
    slot_of,
    watched,
)
from vidembed.protocols import StreamMode


@dataclass
class Packet:
    pts: float | None
    is_keyframe: bool = False
    is_discard: bool = False
    size: int = 100
    dts: float | None = 0.0


def stream(text: str, step_s: float = 0.25) -> list[Packet]:
    """One packet per word, in decoding order: "K4" is a keyframe shown at step 4, "5" another frame at step 5."""
    return [Packet(int(word.lstrip("K")) * step_s, word.startswith("K")) for word in text.split()]


def gops(text: str) -> list[Gop]:
    return list(group([*stream(text), Packet(None, size=0, dts=None)], lambda packet: packet.pts))


def planned(text: str, mode: StreamMode, rate_hz: float = 1.0) -> list[tuple[tuple[int, ...], list[float]]]:
    """For each GOP: positions to decode, times wanted."""
    last, plans = -1, []
    for gop in gops(text):
        chosen = plan(gop, StreamRequest(rate_hz, 48, mode, 0.0, 1e9), last_slot=last)
        last = max([last, *chosen.wanted_s])
        plans.append((chosen.feed, sorted(chosen.wanted_s.values())))
    return plans


def test_grouping_finds_keyframes_and_open_gops() -> None:
    first, second, third = gops("K0 2 1 K4 3 5 K8 10 9")
    assert [len(first.packets), len(second.packets), len(third.packets)] == [3, 3, 3]
    assert first.refers_back, "3 is shown before the keyframe 4"
    assert second.is_leading(1)
    assert not second.refers_back
    assert (first.next_key_s, second.next_key_s, third.next_key_s) == (1.0, 2.0, None)


def test_fixed_takes_the_first_frame_of_each_second_and_stops_there() -> None:
    # Two seconds a GOP, four frames a second.
    text = "K0 1 2 3 4 5 6 7 K8 9 10 11 12 13 14 15"
    assert planned(text, "fixed") == [((0, 1, 2, 3, 4), [0.0, 1.0]), ((0, 1, 2, 3, 4), [2.0, 3.0])]
    # The whole GOP where the next one refers into it.
    assert planned("K0 1 2 3 4 5 6 7 K9 8 10", "fixed")[0] == (tuple(range(8)), [0.0, 1.0])


def test_adaptive_takes_keyframes_where_there_are_some() -> None:
    # Keyframes at 0, 0.75, 2.5 s: the second 1..2 has none.
    text = "K0 1 2 K3 4 5 6 7 8 9 K10 11"
    assert planned(text, "adaptive") == [((0,), [0.0]), ((0, 1), [1.0]), ((0,), [2.5])]
    assert planned(text, "fixed") == [((0,), [0.0]), ((0, 1, 2, 3, 4, 5), [1.0, 2.0]), ((), [])]
    # One keyframe a second, a little late each time: nothing else is decoded.
    assert planned("K0 1 2 3 4 K5 6 7 8 K9 10 11", "adaptive") == [((0,), [0.0]), ((0,), [1.25]), ((0,), [2.25])]


def test_adaptive_leaves_leading_pictures_alone() -> None:
    assert planned("K0 1 2 3 K5 4 6 7 8 9", "adaptive") == [((0,), [0.0]), ((0, 2, 3, 4), [1.25, 2.0])]


def test_keyframes_only() -> None:
    assert planned("K0 1 2 3 4 5 6 7 8 K9 10", "keyframes") == [((0,), [0.0]), ((0,), [2.25])]


def test_hidden_frames_are_decoded_but_not_wanted() -> None:
    packets = stream("K0 1 2 3 4 5")
    packets[0].is_discard = packets[1].is_discard = True
    (gop,) = group(packets, lambda packet: packet.pts)
    chosen = plan(gop, StreamRequest(1, 48, "fixed", 0, 9), last_slot=-1)
    assert chosen.feed == (0, 1, 2, 3, 4)
    assert sorted(chosen.wanted_s.values()) == [0.5, 1.0]


def test_what_is_not_known_is_not_planned() -> None:
    assert not next(group([Packet(0.0, True), Packet(None)], lambda packet: packet.pts)).planned
    assert not next(group(stream("1 2 3"), lambda packet: packet.pts)).planned, "no keyframe to begin with"


def test_endless_gops_are_handed_over_in_pieces() -> None:
    packets = [Packet(number / 30, number == 0) for number in range(5000)]
    pieces = list(group(packets, lambda packet: packet.pts))
    assert sum(len(piece.packets) for piece in pieces) == 5000
    assert max(len(piece.packets) for piece in pieces) <= 1200
    assert not any(piece.planned for piece in pieces)


def test_groups_are_independent_unless_pictures_between_them_are_decoded() -> None:
    first, second, third = gops("K0 2 1 K4 3 5 K8 10 9")

    def independent(gop: Gop, mode: StreamMode) -> bool:
        return plan(gop, StreamRequest(1, 48, mode, 0, 1e9), last_slot=-1).independent

    # 3 is shown before its keyframe 4 and refers into the first group.
    assert [independent(gop, "fixed") for gop in (first, second, third)] == [False, False, True]
    assert [independent(gop, "adaptive") for gop in (first, second, third)] == [True, True, True]


def test_the_frame_of_each_slot_is_the_first_that_is_not_before_it_is_due() -> None:
    """Due at 1.25 s in slot 1; what was due in slot 2 at 2.0 did not decode, so 2.5 stands in."""
    frames = [(name, float(name)) for name in ("0.5", "0.75", "1.0", "1.25", "1.5", "2.5", "2.75")]
    found = [(time_s, slot) for _, time_s, slot in served(frames, 1.0, {1: 1.25, 2: 2.0})]
    assert found == [(0.5, 0), (1.25, 1), (2.5, 2)]
    assert [slot for *_, slot in served(frames, 1.0, {}, after=0)] == [1, 2]


@pytest.mark.parametrize(
    ("time_s", "rate_hz", "slot"), [(0.0, 1, 0), (0.9999999, 1, 1), (0.99, 1, 0), (3 * 0.1, 10, 3)]
)
def test_slots_forgive_rounding(time_s: float, rate_hz: float, slot: int) -> None:
    assert slot_of(time_s, rate_hz) == slot


def sized(text: str, step_s: float = 0.04) -> Gop:
    """One group: "K0:900 4:100 2:50" are packets shown at steps 0, 4 and 2, of so many bytes."""
    gop = Gop()
    for word in text.split():
        step, size = word.lstrip("K").split(":")
        gop.add(Packet(int(step) * step_s, word.startswith("K"), size=int(size)), int(step) * step_s)
    return gop


def test_a_jump_is_told_by_the_size_of_its_packet() -> None:
    """Every second frame refers on; 10 has little in common with 8, so one looks at 9, which lies between."""
    seen = jumps(sized("K0:900 2:100 1:20 4:110 3:20 6:90 5:20 8:100 7:20 10:700 9:20 12:120 11:20"))
    assert seen == Jumps(places=frozenset({9}), near=frozenset({10}), last_cut=9)
    small = jumps(sized("K0:900 2:100 4:110 6:90 8:230"))
    assert small == Jumps(frozenset({4}), frozenset(), -1), "far from a keyframe's size"
    assert jumps(sized("K0:900")) == Jumps(frozenset(), frozenset(), -1)


def test_watching_takes_the_way_to_a_cut_and_serves_nothing_of_it() -> None:
    gop = sized("K0:900 1:100 2:100 3:100 4:100 5:600 6:100 7:100 8:100 9:100")
    chosen = watched(gop, GopPlan((0, 1), frozenset({1}), {0: 0.04}), mode="adaptive")
    assert chosen.feed == (0, 1, 2, 3, 4, 5)
    assert 0.04 <= chosen.served_until_s < 0.08
    calm = sized("K0:900 " + " ".join(f"{n}:100" for n in range(1, 10)))
    assert watched(calm, GopPlan((0, 1), frozenset({1}), {0: 0.04}), mode="adaptive").feed == (0, 1)
    assert watched(gop, GopPlan((), frozenset(), {}), mode="adaptive").feed == (), "only where it is needed"
