"""Pictures that stand for long, and how long each stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vidembed.config.schema import SampleSettings, SegmentSettings
from vidembed.media.segmenting.sampling import distinct, distinct_frames
from vidembed.media.segmenting.segment import FixedWindows, Shots, Thinned
from vidembed.media.segmenting.standing import with_standing
from vidembed.protocols import Frame


def frame(time_s: float, level: int = 0, **more: object) -> Frame:
    return Frame(time_s, np.full((8, 8, 3), level, np.uint8), **more)  # type: ignore[arg-type]


def standing(
    frames: list[Frame],
    end_s: float,
    *,
    shown_at: Callable[[float], Frame] | None = None,
    has_sound: bool = True,
    rate_hz: float = 1.0,
) -> list[tuple[float, int, bool]]:
    def latest(at_s: float) -> Frame:
        return [one for one in frames if one.time_s <= at_s][-1]

    made = with_standing(frames, shown_at or latest, rate_hz=rate_hz, end_s=lambda: end_s, has_sound=has_sound)
    return [(one.time_s, int(one.rgb[0, 0, 0]), one.repeats) for one in made]


def test_a_picture_that_stands_comes_again_in_each_interval() -> None:
    told = standing([frame(0.0, 10), frame(6.5, 20), frame(8.0, 30)], 10.0)
    again = [(float(second), 10, True) for second in range(1, 6)]
    assert told == [(0.0, 10, False), *again, (6.5, 20, False), (8.0, 30, False)], "6 s lies half a second before 6.5 s"


def test_a_picture_stands_to_the_end() -> None:
    assert [time_s for time_s, _, _ in standing([frame(0.0)], 12.0, rate_hz=0.5)] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_the_picture_that_stands_may_be_another_than_the_one_sampled() -> None:
    told = standing([frame(0.0, 10), frame(8.0, 30)], 9.0, shown_at=lambda at_s: frame(0.6, 20))
    assert told[:3] == [(0.0, 10, False), (0.6, 20, False), (1.6, 20, True)]
    assert told[-1] == (8.0, 30, False)


def test_hours_without_a_picture_or_sound_are_no_thousands_of_clips() -> None:
    frames = [frame(0.0, 10), frame(1.0, 20), frame(100_000.0, 30)]
    assert len(standing(frames, 100_001.0, has_sound=False)) == 3
    assert len(standing(frames, 100_001.0)) > 99_000, "while there is something to hear"
    made = list(Shots(SegmentSettings()).clips(frames, duration_s=100_001.0))
    assert [(span.start_s, span.end_s, len(held)) for span, held in made] == [
        (0.0, 100_000.0, 2),
        (100_000.0, 100_001.0, 1),
    ]


@pytest.mark.parametrize("kind", [Shots, FixedWindows])
def test_every_clip_of_a_slide_show_has_a_picture(kind: type) -> None:
    slides = [frame(0.0, 10), frame(12.0, 20, cut_s=12.0), frame(57.0, 30, cut_s=57.0)]
    frames = with_standing(
        slides,
        lambda at_s: [slide for slide in slides if slide.time_s <= at_s][-1],
        rate_hz=1.0,
        end_s=lambda: 70.0,
        has_sound=False,
    )
    clips = list(kind(SegmentSettings()).clips(frames, duration_s=70.0))
    assert all(held for _, held in clips)
    assert all(span.duration_s <= 20.3 for span, _ in clips)
    for span, held in clips:
        shown = {10 if time_s < 12 else 20 if time_s < 57 else 30 for time_s in np.arange(span.start_s, span.end_s)}
        assert {int(one.rgb[0, 0, 0]) for one in held} == shown


def test_a_picture_stands_until_the_first_one_that_differs() -> None:
    seen = [frame(float(second), 200 if 17 <= second < 20 else 0) for second in range(30)]
    batch = distinct_frames(list(distinct(seen, SampleSettings())), 64)
    assert batch is not None
    assert batch.times_s.tolist() == [0.0, 17.0, 20.0]
    assert batch.borders_s is not None
    assert batch.borders_s.tolist() == [17.0, 20.0]
    moving = [frame(0.0, 0), frame(1.0, 90), frame(2.0, 180)]
    halves = distinct_frames(moving, 64)
    assert halves is not None
    assert halves.borders_s is not None
    assert halves.borders_s.tolist() == [0.5, 1.5], "it changed some time between"


def test_thinning_loses_no_picture_that_others_repeat() -> None:
    """A new picture comes at every fifth second and stands."""
    kept = Thinned(8)
    for second in range(40):
        kept.add(frame(float(second), second // 5 * 30, repeats=second % 5 > 0))
    assert [one.time_s for one in kept.frames] == [0.0, 8.0, 16.0, 24.0, 32.0]
    assert not any(one.repeats for one in kept.frames), "5 to 10 s is shown at 8 s"
