"""Spans from score curves, on curves whose answer one can see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidembed.config.schema import MomentSettings
from vidembed.search.channels import Pieces
from vidembed.search.curves import Axis, Seconds, Sheet, merge_pieces, smooth_rows
from vidembed.search.moments import Spans, best_time, propose_each, score_spans, soft_nms
from vidembed.types import Clip, Span

PLAIN = MomentSettings(smooth_s=0)


@dataclass(frozen=True, eq=False)
class Curve:
    """Scores over time. edges: (N + 1,) seconds, strictly rising; scores: (N,)."""

    edges: Seconds
    scores: np.ndarray

    @property
    def times_s(self) -> Seconds:
        return (self.edges[:-1] + self.edges[1:]) / 2


def axis_of(edges: Sequence[Seconds]) -> Axis:
    """From the (n + 1,) edges of each stretch."""
    bounds = np.cumsum([0, *(len(one) - 1 for one in edges)])
    return Axis(np.concatenate([e[:-1] for e in edges]), np.concatenate([e[1:] for e in edges]), bounds)


def smooth(curve: Curve, sigma_s: float) -> Curve:
    return Curve(curve.edges, smooth_rows(axis_of([curve.edges]), curve.scores[None], sigma_s)[0])


def edges_of(axis: Axis) -> Seconds:
    """Of an axis with one stretch."""
    return np.append(axis.starts, axis.ends[-1])


def steps(*parts: tuple[float, float]) -> Curve:
    """A curve of one-second cells: (how many seconds, level) one after the other."""
    scores = np.concatenate([np.full(int(seconds), level) for seconds, level in parts])
    return Curve(np.arange(len(scores) + 1.0), scores)


@dataclass(frozen=True)
class Proposal:
    span: Span
    best_s: float
    score: float


def propose(curve: Curve, *, shots: Sequence[Span] = (), settings: MomentSettings | None = None) -> list[Proposal]:
    """The spans of one curve, smoothed all through."""
    settings = settings or MomentSettings()
    axis = axis_of([curve.edges])
    found = propose_each(axis, smooth(curve, settings.smooth_s).scores, [shots], settings=settings)
    spans = [Span(*times) for times in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
    best_s = [best_time(axis, curve.scores, 0, span) for span in spans]
    return [Proposal(*one) for one in zip(spans, best_s, found.scores.tolist(), strict=True)]


def sampled(starts: Seconds, ends: Seconds, z: np.ndarray) -> Pieces:
    """Frames of one window."""
    return Pieces(
        np.zeros(len(z), dtype=np.int64), starts, ends, (starts + ends) / 2, z, ("",) * len(z), np.array([True])
    )


def test_an_event_is_found_with_its_borders() -> None:
    # level 4; the context, ten seconds on either side, is 0, so the contrast is 4 as well
    for share in (0.0, 0.5, 1.0):
        best = propose(steps((20, 0), (10, 4), (30, 0)), settings=PLAIN.model_copy(update={"context_share": share}))[0]
        assert best.span == Span(20, 30)
        assert 20 <= best.best_s < 30
        assert best.score == pytest.approx(4)


def test_two_events_are_two_moments_the_stronger_first() -> None:
    found = propose(steps((10, 0), (5, 3), (20, 0), (8, 5), (10, 0)), settings=PLAIN)[:2]
    assert [p.span for p in found] == [Span(35, 43), Span(10, 15)]


def test_smoothing_bridges_a_dip() -> None:
    best = propose(steps((10, 0), (4, 4), (1, 1), (5, 4), (10, 0)), settings=MomentSettings(smooth_s=1.0))[0]
    assert best.span.iou(Span(10, 20)) > 0.8


def test_a_lone_cell_is_no_empty_span() -> None:
    assert propose(steps((10, 0), (1, 4), (10, 0)), settings=PLAIN)[0].span == Span(10, 11)


def test_a_video_that_matches_all_through_is_one_moment() -> None:
    best = propose(steps((30, 3)), settings=PLAIN)[0]
    assert best.span == Span(0, 30)


def test_what_stands_out_from_a_place_that_fits_a_little_is_the_moment() -> None:
    """A fixed camera, 30 s: grey walls look a little like what is asked, 1.1; from 17 to 20 s it is there, 2.2.

    As a whole they would be worth 1.21, the event 2.2 - 1.1 = 1.1.
    """
    place = ((17, 1.1), (3, 2.2), (10, 1.1))
    assert propose(steps(*place), settings=PLAIN)[0].span == Span(17, 20)
    assert propose(steps(*place))[0].span.iou(Span(17, 20)) > 0.5, "smoothed"
    # At the beginning, and twice.
    assert propose(steps((4, 2.0), (40, 0.9)), settings=PLAIN)[0].span == Span(0, 4)
    twice = propose(steps((10, 0.8), (3, 1.8), (20, 0.8), (4, 1.9), (9, 0.8)), settings=PLAIN)[:2]
    assert [one.span for one in twice] == [Span(33, 37), Span(10, 13)]


@pytest.mark.parametrize("second", [1.1, 1.6])
def test_what_varies_all_through_is_no_place(second: float) -> None:
    """Shots that all fit, more and less: 2.2 is no more above 1.1 than they are among each other."""
    shots = ((4, 1.1), (3, 1.9), (5, 0.6), (3, second), (4, 2.2), (6, 0.9), (5, 1.7))
    assert propose(steps(*shots), settings=PLAIN)[0].span.duration_s > 15
    # A difference of .2 is none, though all else is level.
    assert propose(steps((20, 1.1), (3, 1.3), (7, 1.1)), settings=PLAIN)[0].span == Span(0, 30)


def test_a_single_cell_gives_its_span() -> None:
    (only,) = propose(Curve(np.array([3.0, 7.5]), np.array([0.2])))
    assert (only.span, only.best_s) == (Span(3, 7.5), 5.25)


def test_shots_give_their_borders() -> None:
    # A slow rise has no clear threshold; the shot has the border.
    curve = Curve(np.arange(21.0), np.concatenate([np.zeros(8), np.linspace(2, 3, 6), np.zeros(6)]))
    best = propose(curve, shots=[Span(0, 8), Span(8, 14), Span(14, 20)], settings=MomentSettings(smooth_s=0, levels=1))
    assert best[0].span == Span(8, 14)


def test_short_spans_are_widened_and_long_ones_not_proposed() -> None:
    curve = Curve(np.array([0, 5, 5.2, 10.0]), np.array([0, 3, 0.0]))
    best = propose(curve, settings=MomentSettings(smooth_s=0, min_s=2.0))[0]
    assert best.span.duration_s == pytest.approx(2.0)
    assert best.span.contains(5.1)
    longest = max(p.span.duration_s for p in propose(steps((60, 3)), settings=MomentSettings(smooth_s=0, max_s=20)))
    assert longest <= 20


def test_smoothing_weighs_cells_by_their_length() -> None:
    # The same curve in cells of other lengths smooths to nearly the same values.
    fine = steps((20, 0), (10, 1), (20, 0))
    coarse_edges = np.array([0, 7, 15, 20, 22, 25, 30, 31, 36, 44, 50.0])
    coarse = Curve(coarse_edges, np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 0.0]))
    smooth_fine, smooth_coarse = smooth(fine, 3.0), smooth(coarse, 3.0)
    at_23 = float(smooth_fine.scores[23])
    assert float(smooth_coarse.scores[4]) == pytest.approx(at_23, abs=0.05)
    assert smooth(fine, 0).scores.tolist() == fine.scores.tolist()


def test_smoothing_in_blocks_is_smoothing_at_once() -> None:
    rng = np.random.default_rng(0)
    edges = np.cumsum(rng.uniform(0.2, 2.0, 1501))
    curve = Curve(edges, rng.normal(size=1500))
    times, lengths = curve.times_s, np.diff(edges)
    weights = np.exp(-0.5 * ((times[:, None] - times[None]) / 1.5) ** 2) * lengths
    expected = (weights @ curve.scores) / weights.sum(axis=1)
    np.testing.assert_allclose(smooth(curve, 1.5).scores, expected, atol=1e-3)


def test_soft_nms_by_hand() -> None:
    starts, ends = np.array([0, 5, 20.0]), np.array([10, 15, 30.0])
    kept, values = soft_nms(Spans(np.zeros(3, np.int64), starts, ends, np.array([3.0, 2.0, 1.0])), sigma=0.3, n=3)
    # The lowest score is 1, so the heights are 2, 1, 0; the second overlaps the first by 5 of 15 seconds.
    assert kept.tolist() == [0, 1, 2]
    assert values.tolist() == pytest.approx([3.0, 1 + np.exp(-((1 / 3) ** 2) / 0.3), 1.0])
    assert [len(part) for part in soft_nms(Spans.of([]), sigma=0.3, n=3)] == [0, 0]


def test_soft_nms_takes_the_best_of_each_stretch() -> None:
    # The same span in two stretches is no repetition; 0..9.5 repeats 0..10 (IoU 0.95) and is dropped.
    stretch = np.array([0, 0, 0, 2])
    starts, ends = np.array([0, 0, 20.0, 0]), np.array([10, 9.5, 30.0, 10])
    kept, values = soft_nms(Spans(stretch, starts, ends, np.array([1.0, 3.0, 2.0, 5.0])), sigma=0.3, n=2)
    assert kept.tolist() == [1, 2, 3]
    assert values.tolist() == [3, 2, 5]
    assert soft_nms(Spans(stretch, starts, ends, np.arange(4.0)), sigma=0.3, n=1)[0].tolist() == [2, 3]


def test_overlapping_pieces_are_averaged() -> None:
    values, cover = merge_pieces([0, 1], [2, 3], [2.0, 4.0], cells=4)
    assert values.tolist() == [2, 3, 4, 0]
    assert cover.tolist() == [1, 2, 1, 0]


def test_spans_are_scored_as_they_are_proposed() -> None:
    curve = steps((20, 0), (10, 4), (30, 1))
    best = propose(curve, settings=PLAIN)[0]
    spans = Spans.of([(0, best.span.start_s, best.span.end_s)])
    assert score_spans(axis_of([curve.edges]), curve.scores[None], spans, PLAIN)[0, 0] == pytest.approx(best.score)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(-3, 6)), min_size=1, max_size=60),
    st.floats(0, 3),
    st.floats(0.1, 4),
)
def test_spans_are_never_empty_and_hold_their_best_time(
    parts: list[tuple[float, float]], sigma: float, shortest: float
) -> None:
    edges = np.concatenate([[0.0], np.cumsum([length for length, _ in parts])])
    curve = Curve(edges, np.array([score for _, score in parts]))
    found = propose(curve, settings=MomentSettings(smooth_s=sigma, min_s=shortest))
    assert found
    for proposal in found:
        assert proposal.span.duration_s > 0
        assert proposal.span.contains(proposal.best_s)
        assert edges[0] <= proposal.span.start_s
        assert proposal.span.end_s <= edges[-1] + 1e-9
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_an_hour_is_bounded_work() -> None:
    rng = np.random.default_rng(1)
    curve = Curve(np.arange(7201.0) / 2, rng.normal(size=7200))
    shots = [Span(i * 6.0, i * 6.0 + 6) for i in range(600)]
    started = time.process_time()
    assert len(propose(curve, shots=shots, settings=MomentSettings(per_video=10))) == 10
    assert time.process_time() - started < 2.0  # takes about 0.05 s


def test_a_level_stretch_is_one_answer_whatever_its_sums_round_to() -> None:
    clips = [Clip.make("a" * 32, i, Span(2 * i, 2 * i + 2)) for i in range(10)]
    starts = np.arange(0, 20, 0.25)
    frames = sampled(starts, starts + 0.25, np.full(80, 0.1))
    sheet = Sheet.of([clips], {"vision": frames, "sound": frames})
    assert sheet is not None
    scores = sheet.joined({"vision": 0.3, "sound": 0.7}, smooth_s=0.5)
    assert set(scores.tolist()) == {0.1}
    assert propose(Curve(edges_of(sheet.axis), scores), settings=PLAIN)[0].span == Span(0, 20)


def test_smoothing_takes_a_third_of_what_lies_beyond_a_cut() -> None:
    starts = np.arange(20.0)
    frames = sampled(starts, starts + 1, np.repeat([0.0, 4.0], 10))
    whole = Sheet.of([[Clip.make("a" * 32, 0, Span(0, 20))]], {"vision": frames})
    cut = Sheet.of([[Clip.make("a" * 32, 0, Span(0, 10)), Clip.make("a" * 32, 1, Span(10, 20))]], {"vision": frames})
    assert whole is not None
    assert cut is not None
    # Half a second, a quarter of a deviation, after the change: 0.599 of a normal distribution lie after it.
    assert whole.joined({"vision": 1.0}, smooth_s=2.0)[10] == pytest.approx(4 * 0.599, abs=0.02)
    assert cut.joined({"vision": 1.0}, smooth_s=2.0)[10] == pytest.approx(4 * 0.599 / (0.599 + 0.3 * 0.401), abs=0.02)


def test_pictures_are_smoothed_and_lines_of_text_keep_their_borders() -> None:
    clip = Clip.make("a" * 32, 0, Span(0, 20))
    starts, z = np.arange(20.0), np.zeros(20)
    z[10] = 4.0
    frames = sampled(starts, starts + 1, z)
    lines = Pieces.of_lines([[(10.0, 11.0, 4.0, "one second of words"), (15.0, 16.0, -3.0, "nothing like it")]])

    seen = Sheet.of([[clip]], {"vision": frames})
    assert seen is not None
    assert seen.joined({"vision": 1.0}, smooth_s=2.0).max() < 2
    sheet = Sheet.of([[clip]], {"speech": lines})
    assert sheet is not None
    said = Curve(edges_of(sheet.axis), sheet.joined({"speech": 1.0}, smooth_s=2.0))
    assert propose(said, settings=PLAIN)[0].span == Span(10, 11)
    # A line that fits less than nothing counts like silence, or the silence around it would be an answer.
    assert said.scores.tolist() == [0, 4, 0, 0, 0]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 5000), st.floats(-3, 6)), min_size=1, max_size=40), min_size=1, max_size=5
    ),
    st.floats(0, 3),
)
def test_curves_side_by_side_are_answered_as_each_alone(parts: list[list[tuple[int, float]]], sigma: float) -> None:
    edges = [np.cumsum([0, *(ms for ms, _ in one)]) / 1000 for one in parts]
    scores = [np.array([score for _, score in one]).round(3) for one in parts]
    chosen = MomentSettings(smooth_s=sigma, per_video=5)
    curves = [Curve(edge, score) for edge, score in zip(edges, scores, strict=True)]
    smoothed = [smooth(curve, sigma).scores for curve in curves]
    shots = [[Span(0.0, float(edge[-1]))] for edge in edges]
    together = propose_each(axis_of(edges), np.concatenate(smoothed), shots, settings=chosen)
    for number, (curve, own) in enumerate(zip(curves, shots, strict=True)):
        alone, found = propose(curve, shots=own, settings=chosen), together[together.stretch == number]
        assert found.scores.tolist() == pytest.approx([p.score for p in alone], abs=1e-6)
        if len(alone) == 1 or alone[0].score - alone[1].score > 1e-6:
            assert (found.starts[0], found.ends[0]) == (alone[0].span.start_s, alone[0].span.end_s)


def test_windows_on_one_sheet_keep_to_themselves() -> None:
    # The second video begins where the first ends; neither its loud end nor a limit of the first reaches over.
    one, two = (Clip.make(name * 32, 0, Span(0, 4)) for name in "ab")
    loud, calm = [(0.0, 2.0, 1.0, "low"), (2.0, 4.0, 5.0, "loud")], [(0.0, 4.0, 2.0, "calm")]
    windows, pieces = [[one], [two]], {"sound": Pieces.of_lines([loud, calm])}
    sheet = Sheet.of(windows, pieces)
    assert sheet is not None
    assert sheet.joined({"sound": 1.0}).tolist() == [1, 5, 2]
    # Beyond the first's end lies what it is like otherwise, 1; beyond the second, which is level, nothing.
    assert score_spans(sheet.axis, sheet.z, Spans.of([(0, 2, 4), (1, 0, 4)]), PLAIN).tolist() == [[5 - 1, 2]]
    limited = Sheet.of(windows, pieces, Span(3, 9))
    assert limited is not None
    assert (limited.axis.low.tolist(), limited.axis.high.tolist()) == ([3, 3], [4, 4])
    assert limited.z.tolist() == [[5, 2]]
    assert sheet.highest(np.array([0, 1]), np.array([0.0, 1]), np.array([2.0, 9])).tolist() == [[1, 2]]
    assert Sheet.of(windows, pieces, Span(4, 9)) is None


def test_a_window_of_which_nothing_is_left_takes_its_pieces_along() -> None:
    clips = [Clip.make(name * 32, 0, Span(start, start + 4)) for name, start in zip("abc", (0, 10, 20), strict=True)]
    lines = [[(10.0 * i, 10.0 * i + 4, 1.0 + i, f"line {i}")] for i in range(3)]
    sheet = Sheet.of([[clip] for clip in clips], {"speech": Pieces.of_lines(lines)}, Span(9, 30))
    assert sheet is not None
    assert [clip.video_id[0] for (clip,) in sheet.windows] == ["b", "c"]
    assert sheet.z.tolist() == [[2, 3]]
    left = sheet.pieces["speech"]
    assert (left.window.tolist(), left.what, left.starts.tolist()) == ([0, 1], ("line 1", "line 2"), [10, 20])


def test_a_curve_smoothed_elsewhere_is_taken_as_it_is() -> None:
    curve = steps((10, 0), (4, 4), (1, 1), (5, 4), (10, 0))
    best = propose_each(axis_of([curve.edges]), curve.scores, [()], settings=MomentSettings(smooth_s=5.0))
    assert Span(best.starts[0], best.ends[0]) == propose(curve, settings=PLAIN)[0].span
