"""What every `Segmenter` must do, whatever the frames: spans in order, none empty, the frames where they belong."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidembed.config.schema import SegmentSettings
from vidembed.errors import ConfigError
from vidembed.media.segmenting import make_segmenter
from vidembed.media.segmenting.kernel import KernelSegmenter
from vidembed.media.segmenting.segment import (
    MAX_CLIP_FRAMES,
    FixedWindows,
    KnownSpans,
    Shots,
    Thinned,
    WholeVideo,
    window_spans,
)
from vidembed.protocols import Frame, Segmenter
from vidembed.types import Span

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def colours_seen(images: Sequence[np.ndarray]) -> np.ndarray:
    """A tower that sees the shares of red, green and blue: unit rows."""
    rows = np.stack([image.mean(axis=(0, 1)) + 1 for image in images]).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def windows(window_s: float, overlap_s: float = 0.0) -> FixedWindows:
    return FixedWindows(SegmentSettings(window_s=window_s, overlap_s=overlap_s))


def shots(min_s: float, max_s: float) -> Shots:
    return Shots(SegmentSettings(min_s=min_s, max_s=max_s))


def kernel(min_s: float, max_s: float) -> KernelSegmenter:
    return KernelSegmenter(colours_seen, SegmentSettings(min_s=min_s, max_s=max_s))


SEGMENTERS = {
    "windows": lambda: windows(10.0),
    "overlapping": lambda: windows(10.0, 4.0),
    "tiny windows": lambda: windows(0.7, 0.2),
    "shots": lambda: shots(2.0, 20.0),
    "short shots": lambda: shots(0.5, 3.0),
    "shots of any length": lambda: shots(0.0, 20.0),
    "changes": lambda: kernel(2.0, 20.0),
    "short changes": lambda: kernel(0.5, 3.0),
    "whole": lambda: WholeVideo(),
}


def frame(time_s: float, colour: tuple[int, int, int] = RED) -> Frame:
    return Frame(time_s, np.full((12, 16, 3), colour, dtype=np.uint8))


def coloured(duration_s: float, cuts_s: list[float], rate_hz: float = 2.0) -> Iterator[Frame]:
    """Red, green, blue, red ... changing at each cut, which readers tell with the first frame that follows."""
    colours = (RED, GREEN, BLUE)
    past = 0
    for number in range(int(duration_s * rate_hz)):
        time_s = number / rate_hz
        passed = sum(cut <= time_s for cut in cuts_s)
        cut_s = cuts_s[passed - 1] if number and passed > past else None
        past = passed
        yield replace(frame(time_s, colours[passed % 3]), cut_s=cut_s)


@pytest.mark.parametrize("name", SEGMENTERS)
@settings(max_examples=25, deadline=None)
@given(
    duration_s=st.floats(0.04, 200.0),
    rate_hz=st.sampled_from([0.2, 1.0, 3.0]),
    cuts=st.lists(st.floats(0.0, 200.0), max_size=12),
    decodable=st.sampled_from([0.0, 0.5, 1.0, 1.1]),
)
def test_contract(name: str, duration_s: float, rate_hz: float, cuts: list[float], decodable: float) -> None:
    segmenter: Segmenter = SEGMENTERS[name]()
    frames = list(coloured(duration_s * decodable, sorted(cuts), rate_hz))
    clips = list(segmenter.clips(iter(frames), duration_s=duration_s))
    spans = [span for span, _ in clips]
    assert spans[0].start_s == 0.0
    assert max(span.end_s for span in spans) == pytest.approx(duration_s)
    for earlier, later in pairwise(spans):
        assert earlier.start_s < later.start_s
        assert later.start_s <= earlier.end_s + 1e-9, "nothing between clips is left out"
    for span, held in clips:
        times_s = [one.time_s for one in held]
        assert times_s == sorted(set(times_s))
        assert len(held) <= MAX_CLIP_FRAMES
        assert all(span.start_s <= time_s < max(span.end_s, duration_s + 100) for time_s in times_s)
        inside = [one.time_s for one in frames if span.contains(one.time_s)]
        if inside:
            assert times_s[0] == inside[0], "the first frame of a clip is kept"
        late = [one.time_s for one in frames if one.time_s >= duration_s]  # they go to a last clip
        if 0 < len(inside) <= MAX_CLIP_FRAMES - len(late):
            assert times_s[: len(inside)] == inside


def test_fixed_windows_and_the_last_sliver() -> None:
    assert window_spans(25, 10) == [Span(0, 10), Span(10, 20), Span(20, 25)]
    assert window_spans(24, 10) == [Span(0, 10), Span(10, 24)], "4 s is less than half a window"
    assert window_spans(20, 10) == [Span(0, 10), Span(10, 20)]
    assert window_spans(3, 10) == [Span(0, 3)]
    assert window_spans(21, 10, overlap_s=5) == [Span(0, 10), Span(5, 15), Span(10, 21)]
    assert window_spans(23, 10, overlap_s=5) == [Span(0, 10), Span(5, 15), Span(10, 20), Span(15, 23)]
    assert window_spans(20.5, 10, min_s=0) == [Span(0, 10), Span(10, 20), Span(20, 20.5)]


def test_overlapping_windows_share_frames() -> None:
    clips = list(windows(4, 2).clips(coloured(8, []), duration_s=8))
    assert [span for span, _ in clips] == [Span(0, 4), Span(2, 6), Span(4, 8)]
    assert [[one.time_s for one in held] for _, held in clips] == [
        [number / 2 for number in range(8)],
        [number / 2 for number in range(4, 12)],
        [number / 2 for number in range(8, 16)],
    ]


def test_shots_begin_where_the_reader_says_also_between_frames() -> None:
    clips = list(shots(1, 20).clips(coloured(12, [3.0, 7.36]), duration_s=12))
    assert [span for span, _ in clips] == [Span(0, 3), Span(3, 7.36), Span(7.36, 12)]
    assert [held[0].time_s for _, held in clips] == [0, 3, 7.5]


def test_the_default_keeps_shots_of_a_third_of_a_second() -> None:
    frames = [frame(0.0), *(replace(frame(time_s), cut_s=time_s) for time_s in (1.0, 1.35, 1.55))]
    spans = [span for span, _ in Shots(SegmentSettings()).clips(frames, duration_s=3.0)]
    assert spans == [Span(0, 1), Span(1, 1.35), Span(1.35, 3)], "0.2 s join what follows"


def test_a_shot_below_the_least_length_joins_the_one_before() -> None:
    spans = [span for span, _ in shots(2, 20).clips(coloured(12, [3.0, 4.0, 11.0]), duration_s=12)]
    assert spans == [Span(0, 3), Span(3, 12)], "1 s after the cut at 3 s, and 1 s before the end"


def test_long_shots_are_split() -> None:
    spans = [span for span, _ in shots(2, 10).clips(coloured(25, []), duration_s=25)]
    assert spans == [Span(0, 10), Span(10, 20), Span(20, 25)]
    spans = [span for span, _ in shots(2, 10).clips(coloured(11, []), duration_s=11)]
    assert spans == [Span(0, 5.5), Span(5.5, 11)]


def test_without_a_picture_windows_take_over() -> None:
    spans = [span for span, held in shots(2, 10).clips([], duration_s=25) if held == []]
    assert spans == [Span(0, 10), Span(10, 20), Span(20, 25)]


@pytest.mark.parametrize("segmenter", [shots(1.0, 5.0), kernel(1.0, 5.0)], ids=["shots", "changes"])
def test_what_is_heard_before_the_first_picture_is_clips_of_its_own(segmenter: Segmenter) -> None:
    """Pictures from 8 to 12 s: 5 s and 3 s of sound before."""
    frames = [frame(8.0 + number / 2) for number in range(8)]
    found = [(span, len(own)) for span, own in segmenter.clips(frames, duration_s=12.0)]
    assert found == [(Span(0.0, 5.0), 0), (Span(5.0, 8.0), 0), (Span(8.0, 12.0), 8)]


def test_known_spans_stay_as_they_are() -> None:
    known = [Span(0, 4), Span(1, 2), Span(3, 8), Span(30, 40)]
    clips = list(KnownSpans(known).clips(coloured(10, []), duration_s=10))
    assert [span for span, _ in clips] == known
    assert [[one.time_s for one in held][:2] for _, held in clips] == [[0.0, 0.5], [1.0, 1.5], [3.0, 3.5], []]
    with pytest.raises(ValueError, match="must rise"):
        KnownSpans([Span(3, 4), Span(1, 2)])


def test_whole_video_is_thinned_evenly() -> None:
    ((span, held),) = WholeVideo(max_frames=8).clips(coloured(500, [], rate_hz=1), duration_s=500)
    times_s = [one.time_s for one in held]
    assert span == Span(0, 500)
    assert times_s == [0, 64, 128, 192, 256, 320, 384, 448]


def test_thinning_keeps_the_first_and_even_steps() -> None:
    for total in range(1, 200):
        thinned = Thinned(10)
        for number in range(total):
            thinned.add(frame(float(number)))
        times_s = [one.time_s for one in thinned.frames]
        assert times_s[0] == 0
        assert len(times_s) <= 10
        assert len(set(np.diff(times_s))) <= 1
        assert len(times_s) >= min(total, 5)


@pytest.mark.parametrize("name", SEGMENTERS)
def test_memory_does_not_grow_with_the_length(name: str) -> None:
    """Frames of 64 KB: twenty minutes of them would be 156 MB; what is held stays below 12 MB."""

    def frames() -> Iterator[Frame]:
        for number in range(2400):
            yield Frame(number / 2, np.full((128, 170, 3), number % 7, dtype=np.uint8))

    tracemalloc.start()
    for _span, _held in SEGMENTERS[name]().clips(frames(), duration_s=1200.0):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


def test_the_kind_chooses_the_segmenter() -> None:
    assert isinstance(make_segmenter(SegmentSettings(kind="windows")), FixedWindows)
    assert isinstance(make_segmenter(SegmentSettings(kind="shots")), Shots)
    assert isinstance(make_segmenter(SegmentSettings(kind="whole")), WholeVideo)
    changes = SegmentSettings(kind="changes")
    assert isinstance(make_segmenter(changes, encode=colours_seen), KernelSegmenter)
    with pytest.raises(ConfigError, match="needs a channel that encodes frames") as caught:
        make_segmenter(changes)
    assert "vision" in caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window_s": 0}, "greater than 0"),
        ({"window_s": 5, "overlap_s": 5}, "must be less than window_s"),
        ({"min_s": 6, "max_s": 5}, "must not be more than max_s"),
        ({"change": 0}, "greater than 0"),
        ({"kind": "shot"}, "'shots'"),
    ],
)
def test_settings_are_checked(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegmentSettings.model_validate(wrong)
