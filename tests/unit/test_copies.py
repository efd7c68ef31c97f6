"""Stretches that two videos share, on frames whose vectors are axes: equal or at right angles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidembed.search.duplicates import SharedStretch, Track, shared_stretches
from vidembed.types import Clip, Row, Span

A, B, C, D, E, X, Y, Z = np.eye(8, dtype=np.float32)


def track(frames: Sequence[np.ndarray], *, start_s: float = 0.0, blank: np.ndarray | None = None) -> Track:
    """One frame a second. blank: what counts as a picture of nothing."""
    starts = start_s + np.arange(len(frames), dtype=np.float64)
    return Track(np.stack(frames), starts, starts + 1, np.array([frame is blank for frame in frames]))


def test_an_excerpt_is_found_where_it_lies() -> None:
    found = shared_stretches(track([X, Y, A, B, C, D, Z]), track([A, B, C, D]))
    assert found == [SharedStretch(Span(2, 6), Span(0, 4), 1.0)]


def test_single_frames_in_common_are_no_copy() -> None:
    assert shared_stretches(track([A, X, Y]), track([Z, Z, Z, A])) == []


def test_black_alone_is_nothing_in_common() -> None:
    """Three seconds of it before and after other films; before the same film it belongs to what is shared."""
    film = track([Z, Z, Z, A, B, C, Z, Z, Z], blank=Z)
    assert shared_stretches(film, track([Z, Z, Z, X, Y, D, Z, Z, Z], blank=Z)) == []
    assert shared_stretches(film, track([Z, Z, Z, A, B, C, D], blank=Z)) == [SharedStretch(Span(0, 6), Span(0, 6), 1.0)]


def test_the_same_pictures_in_another_order_are_no_copy() -> None:
    """Read backwards no two pairs of frames that follow each other have one lag: 4, 2, 0, -2, -4."""
    assert shared_stretches(track([A, B, C, D, E]), track([E, D, C, B, A]), slack_s=1.0) == []


def test_two_stretches_at_two_lags_longest_first() -> None:
    found = shared_stretches(track([A, B, C, X, X, X, X, X, X, D, E]), track([D, E, Y, Y, Y, Y, Y, Y, A, B, C]))
    assert [(s.one, s.other) for s in found] == [(Span(0, 3), Span(8, 11)), (Span(9, 11), Span(0, 2))]


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    one, gap = [A, B, X, X, C, D], [A, B, Y, Y, C, D]
    assert shared_stretches(track(one), track(gap))[0].one == Span(0, 6)
    assert {s.one for s in shared_stretches(track(one), track(gap), gap_s=1.0)} == {Span(0, 2), Span(4, 6)}


def test_times_that_wander_by_half_a_second_still_match() -> None:
    other = Track(
        np.stack([A, B, C, D]), np.array([0.0, 1.4, 1.9, 3.2]), np.array([1.4, 1.9, 3.2, 4.0]), np.zeros(4, bool)
    )
    assert shared_stretches(track([X, A, B, C, D]), other) == [SharedStretch(Span(1, 5), Span(0, 4), 1.0)]


@pytest.mark.parametrize(("cosine", "count"), [(0.81, 1), (0.79, 0)])
def test_the_threshold_is_a_cosine(cosine: float, count: int) -> None:
    tilted = [cosine * frame + np.sqrt(1 - cosine**2) * Z for frame in (A, B, C)]
    found = shared_stretches(track([A, B, C]), track(np.asarray(tilted, np.float32)))
    assert len(found) == count
    assert all(s.similarity == pytest.approx(cosine, abs=1e-3) for s in found)


def test_too_short_a_stretch_does_not_count() -> None:
    assert shared_stretches(track([A, B, X]), track([A, B, Y]), min_s=2.5) == []


def test_frames_stand_until_the_next_one() -> None:
    """Repeats are not stored: the frame at 10 s stands for 10 to 14 s, the last one until the clip's end."""
    clips = [Clip.make("0" * 32, 0, Span(10, 16)), Clip.make("0" * 32, 1, Span(16, 20))]
    segments = np.stack([A, B]).astype(np.float16)
    rows = [Row(clips[1], C), Row(clips[0], A, segments, np.array([10.2, 14.0]))]
    made = Track.of_rows(rows)
    assert made.starts_s.tolist() == [10, 14, 16]
    assert made.ends_s.tolist() == [14, 16, 20]
    assert made.rows.argmax(1).tolist() == [0, 1, 2]
