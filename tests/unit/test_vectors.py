"""Arithmetic on rows: places that are evenly spaced, different values."""

from __future__ import annotations

import numpy as np
import pytest

from vidembed.vectors import distinct, evenly_spaced


@pytest.mark.parametrize(
    ("count", "wanted", "ends", "expected"),
    [
        (5, 5, True, [0, 1, 2, 3, 4]),
        (9, 3, True, [0, 4, 8]),
        (10, 3, True, [0, 4, 9]),  # 4.5 is rounded to the even number
        (3, 1, True, [0]),
        (2, 4, True, [0, 0, 1, 1]),
        (9, 3, False, [1, 4, 7]),
        (4, 2, False, [1, 3]),
        (5, 5, False, [0, 1, 2, 3, 4]),
    ],
)
def test_evenly_spaced(count: int, wanted: int, ends: bool, expected: list[int]) -> None:
    assert evenly_spaced(count, wanted, ends=ends) == expected


@pytest.mark.parametrize(("values", "expected"), [([3, 1, 3, 2, 1], [1, 2, 3]), ([7], [7]), ([], [])])
def test_distinct(values: list[int], expected: list[int]) -> None:
    assert distinct(np.array(values, dtype=np.int64)).tolist() == expected
