"""Videos to search."""

from __future__ import annotations

import pytest
from axes_index import AxesEncoder, Index


@pytest.fixture
def index() -> Index:
    made = Index()
    made.add_channel("vision", AxesEncoder())
    made.add("vision", "walk", ["beach"] * 12 + ["dog beach"] * 3 + ["dog"] * 7 + ["beach"] * 8)
    made.add("vision", "kitchen", ["cook"] * 20)
    made.add("vision", "evening", ["night"] * 10 + ["night beach"] * 5 + ["night"] * 5)
    made.add("vision", "short", ["bell"], clip_s=5, hz=1)
    return made
