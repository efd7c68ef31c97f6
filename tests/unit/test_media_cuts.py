"""Cuts, dissolves and fades among pictures drawn by hand, and what is none of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidembed.media.segmenting.cuts import (
    HEIGHT_PX,
    WIDTH_PX,
    CutFinder,
    Look,
    Seen,
    Stamp,
    change,
    crossing,
    near_s,
    peaks,
    relit,
    see,
)

RATE_HZ = 25
NEAR_S = near_s(1 / RATE_HZ)


def scene(seed: int, shift: int = 0) -> np.ndarray:
    """(3, 36, 64) float: blocks of 4 x 4 in 12 random colours, seen from `shift` pixels further right."""
    random = np.random.default_rng(seed)
    palette = random.uniform(30, 220, (12, 3))
    blocks = palette[random.integers(0, 12, (HEIGHT_PX // 4, 64))]
    wide = blocks.repeat(4, axis=0).repeat(4, axis=1)
    return np.moveaxis(wide[:, shift : shift + WIDTH_PX], 2, 0)


ONE, OTHER = scene(1), scene(2)


def stamp(picture: np.ndarray) -> Stamp:
    return picture.round().clip(0, 255).astype(np.uint8)


def found(pictures: Sequence[np.ndarray], *, every: int = 10, step: int = 1) -> list[float]:
    """When shots begin; asked for after every so many pictures, of which only every `step`th is seen."""
    finder, before, told = CutFinder(NEAR_S * step), None, list[float]()
    for number in range(0, len(pictures), step):
        before = see(Look(number / RATE_HZ, stamp(pictures[number])), before)
        finder.add(before)
        if number % every == 0:
            settled_s = finder.settled_s
            new = finder.settle()
            assert all(time_s >= settled_s for time_s in new), "nothing is told late"
            told += new
    return told + finder.settle(ended=True)


def mixed(one: np.ndarray, other: np.ndarray, count: int) -> list[np.ndarray]:
    return [one + (other - one) * (n + 1) / (count + 1) for n in range(count)]


def test_a_cut_is_found_at_its_first_picture() -> None:
    assert found([ONE] * 50 + [OTHER] * 37 + [ONE] * 50) == [2.0, 87 / 25]


def test_a_shot_that_goes_on_after_an_insertion_begins_anew() -> None:
    assert found([ONE] * 50 + [OTHER] * 10 + [ONE] * 50) == [2.0, 2.4], "0.4 s: a short shot"


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_flash_is_no_cut(frames: int) -> None:
    assert found([ONE] * 50 + [255 - (255 - ONE) / 5] * frames + [ONE] * 50) == []


def test_a_dissolve_is_found_once_near_its_middle() -> None:
    (told_s,) = found([ONE] * 50 + mixed(ONE, OTHER, 25) + [OTHER] * 50)
    assert told_s == pytest.approx(2.5, abs=0.3)
    (told_s,) = found([ONE] * 75 + mixed(ONE, OTHER, 50) + [OTHER] * 75)
    assert told_s == pytest.approx(4.0, abs=0.5)


def test_a_fade_through_black_is_found_once() -> None:
    black = np.stack([np.full((HEIGHT_PX, WIDTH_PX), level, float) for level in (16, 128, 128)])
    (told_s,) = found([ONE] * 50 + mixed(ONE, black, 12) + mixed(black, OTHER, 12) + [OTHER] * 50)
    assert told_s == pytest.approx(62 / 25, abs=0.1)


def test_a_dissolve_between_even_colours_is_found() -> None:
    red, blue = (
        np.broadcast_to(np.array(colour, float)[:, None, None], ONE.shape) for colour in ((81, 90, 240), (41, 240, 110))
    )
    (told_s,) = found([red] * 50 + mixed(red, blue, 25) + [blue] * 50)
    assert told_s == pytest.approx(2.5, abs=0.3)


def test_moving_and_shaking_cameras_are_no_cuts() -> None:
    slow = [scene(1, shift=n // 2) for n in range(150)]
    assert found(slow) == []
    shakes = np.random.default_rng(0).integers(0, 6, 50)
    assert found([ONE] * 25 + [scene(1, shift=int(shift)) for shift in shakes] + [ONE] * 25) == []


def test_a_quick_turn_of_the_camera_is_no_dissolve() -> None:
    """Two views of one room, of which nothing is the same, within half a second."""
    turn = [scene(1, shift=round(96 * (n + 1) / 13)) for n in range(12)]
    assert found([scene(1)] * 50 + turn + [scene(1, shift=96)] * 50) == []


def test_light_that_comes_up_slowly_is_no_dissolve() -> None:
    dark = 16 + (ONE - 16) * 0.4
    assert found([dark] * 50 + mixed(dark, ONE, 25) + [ONE] * 50) == []


def test_a_picture_that_stands_and_goes_on_is_no_cut() -> None:
    moving = [scene(1, shift=n // 4) for n in range(100)]
    assert found(moving[:50] + [moving[49]] * 50 + moving[50:]) == []


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_what_is_found_does_not_depend_on_when_it_is_asked_for(every: int) -> None:
    film = [ONE] * 60 + mixed(ONE, OTHER, 20) + [OTHER] * 60 + [ONE] * 8 + [OTHER] * 70 + [ONE] * 40
    assert found(film, every=every) == found(film, every=10)
    assert len(found(film)) == 4


def test_looks_at_every_third_picture_are_enough() -> None:
    """The cut is told at the first look after it."""
    assert found([ONE] * 51 + [OTHER] * 60, step=3) == [51 / 25]
    (told_s,) = found([ONE] * 60 + mixed(ONE, OTHER, 20) + [OTHER] * 60, step=3)
    assert told_s == pytest.approx(2.8, abs=0.3)


def test_slides_of_one_picture_each_are_cut() -> None:
    finder, before = CutFinder(near_s(17.0)), None
    for time_s, picture in ((0.0, ONE), (12.0, OTHER), (57.0, ONE), (68.0, ONE)):
        before = see(Look(time_s, stamp(picture)), before)
        finder.add(before)
    assert finder.settle(ended=True) == [12.0, 57.0]


def test_little_is_held() -> None:
    finder, before = CutFinder(NEAR_S), None
    most = 0
    for number in range(3000):
        before = see(Look(number / RATE_HZ, stamp(ONE)), before)
        finder.add(before)
        finder.settle()
        most = max(most, len(finder._seen))
    assert most < 8 * RATE_HZ, "a few seconds"


def seen(picture: np.ndarray) -> Seen:
    return see(Look(0.0, stamp(picture)), None)


def test_change_is_none_of_the_same_and_most_of_opposite_pictures() -> None:
    assert change(seen(ONE), seen(ONE)) == 0
    black, white = np.zeros_like(ONE), np.full_like(ONE, 255)
    # Luma differs by 1, doubled, colours by 1: 4/3 on the mean; no bin in common.
    assert change(seen(black), seen(white)) == pytest.approx(np.sqrt(4 / 3))


def test_the_same_in_another_light() -> None:
    assert relit(seen(ONE), seen(16 + (ONE - 16) * 0.5))
    assert not relit(seen(ONE), seen(OTHER))


def test_crossing_is_found_between_two_pictures() -> None:
    times_s = np.array([0.0, 1.0, 2.0])
    assert crossing(np.array([0.0, 0.5, 1.0]), times_s, 0.25) == 0.5
    assert crossing(np.array([1.0, 0.5, 0.0]), times_s, 0.25) == 1.5


def test_peaks_need_a_valley_between_them() -> None:
    assert peaks([(0.0, 0.2), (0.1, 0.5), (0.2, 0.3)]) == [0.1]
    steps = [(n / 10, 0.5) for n in range(1, 12)]
    assert peaks([(0.0, 0.6), *steps, (1.2, 0.6)]) == [0.0], "one stretch"
    steps = [(n / 10, 0.2) for n in range(1, 12)]
    assert peaks([(0.0, 0.6), *steps, (1.2, 0.6)]) == [0.0, 1.2], "two, with little between"
    assert peaks([(0.0, 0.6), (0.1, 0.1), (0.5, 0.6)]) == [0.0], "too near"
