"""Segments by change of meaning, with a tower whose vectors are written down: costs and cuts worked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidembed.config.schema import SegmentSettings
from vidembed.media.segmenting.kernel import FrameEncoder, KernelSegmenter, stretch_costs
from vidembed.models.encoders.pooled import CachingEncoder
from vidembed.protocols import Frame
from vidembed.types import Floats, Image, Space, Span

ROWS = {0: (1.0, 0.0), 1: (0.0, 1.0), 2: (0.8, 0.6), 3: (-1.0, 0.0)}  # what a picture of that grey means


def look(images: Sequence[Image]) -> Floats:
    return np.array([ROWS[int(image[0, 0, 0])] for image in images], dtype=np.float32)


def film(greys: Sequence[int], *, rate_hz: float = 1.0) -> list[Frame]:
    return [Frame(n / rate_hz, np.full((4, 4, 3), grey, dtype=np.uint8)) for n, grey in enumerate(greys)]


def kernel(
    min_s: float, max_s: float, *, change: float | None = None, encode: FrameEncoder = look, **options: int
) -> KernelSegmenter:
    return KernelSegmenter(encode, SegmentSettings(min_s=min_s, max_s=max_s, change=change), **options)


def cut(segmenter: KernelSegmenter, greys: Sequence[int], *, rate_hz: float = 1.0) -> list[Span]:
    frames = film(greys, rate_hz=rate_hz)
    return [span for span, _ in segmenter.clips(iter(frames), duration_s=len(greys) / rate_hz)]


def test_costs_by_hand() -> None:
    """Two equal vectors and one at a right angle: their mean is (2/3, 1/3), the distances 2/9, 2/9 and 8/9."""
    costs = stretch_costs(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32))
    expected = np.array([[0, 0, 0, 4 / 3], [0, 0, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(costs, expected, atol=1e-9)


def test_cuts_lie_where_the_vectors_change() -> None:
    spans = cut(kernel(1, 20), [0] * 3 + [1] * 5 + [3] * 4)
    assert spans == [Span(0, 3), Span(3, 8), Span(8, 12)]


def test_a_cut_must_lower_the_cost_by_more_than_it_costs() -> None:
    """Four and four frames of cosine 0.8: 2 (1 - 0.8) 4 x 4 / 8 = 0.8."""
    greys = [0] * 4 + [2] * 4
    assert cut(kernel(1, 20, change=0.79), greys) == [Span(0, 4), Span(4, 8)]
    assert cut(kernel(1, 20, change=0.81), greys) == [Span(0, 8)]


def test_a_glance_aside_is_no_clip_of_its_own() -> None:
    greys = [0] * 6 + [1] + [0] * 6
    assert cut(kernel(2, 20), greys) == [Span(0, 13)]
    assert cut(kernel(1, 20), greys) == [Span(0, 6), Span(6, 7), Span(7, 13)]


def test_lengths_stay_between_their_bounds_in_a_film_that_never_changes() -> None:
    spans = cut(kernel(2, 10), [0] * 125)
    assert spans[0].start_s == 0
    assert spans[-1].end_s == 125
    assert len(spans) == 13
    assert all(2 <= span.duration_s <= 10 for span in spans)


def test_a_long_film_is_cut_as_the_short_ones_it_is_made_of() -> None:
    """Stretches of 3 to 9 s, in an order without rhythm, over ten minutes: the horizon hides none of them."""
    lengths = np.random.default_rng(0).integers(3, 10, 100).tolist()
    greys = [number % 2 for number, length in enumerate(lengths) for _ in range(length)]
    spans = cut(kernel(1, 12), greys)
    assert [round(span.duration_s) for span in spans] == lengths


def test_many_frames_a_second_are_thinned_and_the_cut_is_found() -> None:
    spans = cut(kernel(2, 60, max_frames=16), [0] * 500 + [1] * 500, rate_hz=25.0)
    assert len(spans) == 2
    assert spans[0].end_s == pytest.approx(20.0, abs=0.7)


def test_repeats_are_not_looked_at_again() -> None:
    seen = 0

    def counting(images: Sequence[Image]) -> Floats:
        nonlocal seen
        seen += len(images)
        return look(images)

    frames = [Frame(f.time_s, f.rgb, repeats=n % 4 > 0) for n, f in enumerate(film([0] * 40))]
    assert len(list(kernel(2, 50, encode=counting).clips(frames, duration_s=40))) == 1
    assert seen == 10


class Counting:
    space, modalities, engine = Space("s", 2), frozenset({"image", "text"}), "torch"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def encode(self, modality: str, items: Sequence[object]) -> Floats:
        self.asked.append(len(items))
        return look(items) if modality == "image" else np.ones((len(items), 2), dtype=np.float32)  # type: ignore[arg-type]


def test_pictures_seen_before_are_not_computed_again() -> None:
    inner = Counting()
    encoder = CachingEncoder(inner, size=2)  # type: ignore[arg-type]
    pictures = [frame.rgb for frame in film([0, 1, 2])]
    np.testing.assert_array_equal(encoder.encode("image", pictures[:2]), look(pictures[:2]))
    np.testing.assert_array_equal(encoder.encode("image", pictures[::-1]), look(pictures[::-1]))
    assert inner.asked == [2, 1]
    encoder.encode("image", pictures[2:])  # the oldest of more than two, forgotten
    encoder.encode("text", ["a", "a"])
    assert inner.asked == [2, 1, 1, 2]
    assert encoder.encode("image", []).shape[0] == 0
    assert encoder.engine == "torch"
